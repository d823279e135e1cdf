"""Ask what only the owner of a file knows: which way round, which part; with a glimpse of it."""

import streamlit as st

from pages.ui.frame import jobs
from pages.ui.text import md
from scanvi_core.services.projects import open_file, questions

TITLES = {"orientation": "Read the table this way"}


def pending(project: str) -> bool:
    """Tell whether the file waits for an answer, and is not being read with one."""
    job = jobs.latest(project, open_file.OPEN)
    busy = job is not None and not job.status.final
    return not busy and questions.question(project) is not None


def draw(project: str) -> bool:
    """Draw the question; return True once it was answered and reading goes on."""
    asked = questions.question(project)
    if asked is None:
        return False
    with st.container(border=True):
        st.header(md(asked.text))
        _glimpse(asked)
        options = {option.value: option for option in asked.options}
        chosen = st.radio(
            asked.text,
            list(options),
            index=list(options).index(asked.guess) if asked.guess in options else None,
            format_func=lambda value: md(options[value].label),
            captions=[md(option.detail) for option in asked.options],
            label_visibility="collapsed",
            key=f"part-{asked.key}",
        )
        if asked.why:
            st.caption(md(asked.why))
        label = TITLES.get(asked.key, "Open this one")
        if st.button(label, type="primary", disabled=chosen is None, key="part-go"):
            questions.answer(project, str(chosen))
            return True
    return False


def _glimpse(asked: questions.Question) -> None:
    """Show the first lines of a table as they are: names in it are never interpreted."""
    if not asked.preview:
        return
    header, *rows = asked.preview
    columns = {str(at): [row[at] for row in rows] for at in range(len(header))}
    labels = {str(at): st.column_config.TextColumn(name or " ") for at, name in enumerate(header)}
    st.caption("The beginning of the file")
    st.dataframe(
        columns,
        column_config=labels,
        hide_index=True,
        key="part-glimpse",
    )
