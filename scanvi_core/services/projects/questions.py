"""Questions that only the owner of a file can answer, asked while it is opened."""

from scanvi_core.data.question import Option, Question
from scanvi_core.errors import InputError
from scanvi_core.project.folder import open_project
from scanvi_core.services.paths import stored_path
from scanvi_core.services.projects.open_file import ANSWERS, QUESTION, submit_import

__all__ = ["Option", "Question", "answer", "question"]


def question(project_id: str) -> Question | None:
    """Return what has to be answered before the project's file can be read; None for nothing."""
    stored = open_project(project_id).settings.get(QUESTION)
    if not stored:
        return None
    return Question.from_dict({key: value for key, value in stored.items() if key != "path"})


def answer(project_id: str, value: str) -> str:
    """Record an answer with the project and go on reading; return the job id.

    The question stays until the file is read, so that another answer can be given.

    Raises
    ------
    InputError
        If nothing is asked, the value is none of the options, or the file may not be opened.
    """
    project = open_project(project_id)
    asked = question(project_id)
    if asked is None or value not in [option.value for option in asked.options]:
        raise InputError("That is no answer to an open question.", "Open the file again.")
    settings = project.settings
    path = stored_path(project, settings[QUESTION]["path"])
    answers = settings.get(ANSWERS, {}) | {asked.key: value}
    project.update_settings(**{ANSWERS: answers})
    return submit_import(project, lambda _: path, answers=answers)
