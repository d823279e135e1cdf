"""The app: ``streamlit run app.py``.

Streamlit's server imports this file once to find `app` (routes, start-up, shutdown), then runs it
as a script on every rerun; the guard tells the two apart.
"""

if __name__ != "__main__":
    import streamlit as st
    from starlette.middleware import Middleware

    from pages.ui.server.door import KnownHostsOnly, NotTooOften
    from pages.ui.server.login import SignedInOnly
    from pages.ui.server.routes import lifespan, routes

    door = [Middleware(KnownHostsOnly), Middleware(SignedInOnly), Middleware(NotTooOften)]
    app = st.App(__file__, routes=routes(), middleware=door, lifespan=lifespan)
else:
    from pages.ui.frame.shell import run_shell

    run_shell()
