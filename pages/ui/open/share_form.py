"""Whom a project belongs to and who else may see it: said in the list, changed in a dialog."""

import streamlit as st

from pages.ui.frame import dialogs
from pages.ui.frame.actions import do
from pages.ui.text import md
from scanvi_core.services.formatting import count
from scanvi_core.services.projects import sharing
from scanvi_core.services.projects.sharing import READ, WRITE, Sharing

EVERYONE = {"": "sees nothing", READ: "may look", WRITE: "may change it"}
HINT = "name@example.org, apart by commas or lines"
AREA_HEIGHT = 80  # pixels


def draw(project: str, name: str) -> bool:
    """Say how a project is shared, with the way to change it; return whether it may be changed."""
    seen = sharing.sharing_of(project)
    if seen is None:
        return True
    st.caption(_words(seen), width="content")
    if not seen.may_write:
        st.badge("Look only", color="gray", icon=":material/visibility:")
    if seen.may_share:
        key = f"share-{project}"
        st.button("Share", key=key, icon=":material/group_add:", on_click=dialogs.ask, args=(key,))
        dialogs.draw(key, f"Share {md(name)}", _form, project, seen)
    return seen.may_write


def _words(seen: Sharing) -> str:
    access = seen.access
    if not seen.is_mine:
        return f"from {md(access.owner)}" if access.owner else "belongs to nobody"
    if access.everyone:
        return f"everyone here {EVERYONE[access.everyone]}"
    n = len(access.people)
    return f"shared with {count(n, 'person', 'people')}" if n else "only you"


def _form(project: str, seen: Sharing) -> None:
    access = seen.access
    with st.form(f"share-form-{project}", border=False):
        everyone = st.radio(
            "Everyone else who signs in here", list(EVERYONE),
            list(EVERYONE).index(access.everyone), format_func=EVERYONE.__getitem__,
            horizontal=True, key=f"share-all-{project}",
        )  # fmt: skip
        writers = _people("These people may change it", project, seen, WRITE)
        readers = _people("These people may look", project, seen, READ)
        owner = access.owner
        if seen.may_give:
            owner = st.text_input("Belongs to", access.owner, key=f"owner-{project}")
        st.caption(
            "Who may look can also take a copy and download the files. You stay the owner."
            if seen.is_mine
            else "Who may look can also take a copy and download the files."
        )
        if st.form_submit_button("Save", type="primary"):
            people = dict.fromkeys(readers, READ) | dict.fromkeys(writers, WRITE)
            do(lambda: _save(project, everyone, people, owner if owner != access.owner else ""))


def _people(label: str, project: str, seen: Sharing, level: str) -> list[str]:
    named = [name for name, given in seen.access.people.items() if given == level]
    text = st.text_area(
        label, "\n".join(named), AREA_HEIGHT, key=f"share-{level}-{project}", placeholder=HINT
    )
    return sharing.names_in(text)


def _save(project: str, everyone: str, people: dict[str, str], owner: str) -> None:
    sharing.share(project, everyone, people)
    if owner:
        sharing.give(project, owner)
    dialogs.close()
