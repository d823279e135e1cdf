"""A question about a file that only its owner can answer: which part, which way round."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from scanvi_core.errors import ChoiceNeeded


@dataclass(frozen=True, slots=True)
class Option:
    """One answer.

    Attributes
    ----------
    value
        How the answer is recorded and given on the command line.
    label
        The answer in words.
    detail
        What it would mean: so many cells and genes.
    """

    value: str
    label: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, with a glimpse of the file.

    Attributes
    ----------
    key
        ``orientation``, ``modality``, ``genome``, ``feature_type``, ``sample``, ``assay`` or
        ``rounding``.
    text
        The question.
    options
        At least two answers.
    guess
        `Option.value` of the likeliest answer; None when nothing speaks for one.
    why
        What speaks for the guess; may be empty.
    preview
        Some cells of a table, the first line being its header; may be empty.
    """

    key: str
    text: str
    options: tuple[Option, ...]
    guess: str | None = None
    why: str = ""
    preview: tuple[tuple[str, ...], ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data that survives JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Question":
        """Return what :meth:`as_dict` stored."""
        plain = dict(stored)
        plain["options"] = tuple(Option(**option) for option in plain["options"])
        plain["preview"] = tuple(tuple(row) for row in plain["preview"])
        return cls(**plain)


class Answers(dict[str, str]):
    """Answers to questions about a file, by `Question.key`; it notes which were asked for."""

    def __init__(self, given: Mapping[str, str]) -> None:
        super().__init__(given)
        self.asked: list[str] = []


def answer(question: Question, answers: Mapping[str, str], name: str) -> str:
    """Return the answer that was given before; a question with one option answers itself.

    Raises
    ------
    ChoiceNeeded
        If there is none yet, or it is none of the options. It carries the question.
    """
    values = [option.value for option in question.options]
    if isinstance(answers, Answers):
        answers.asked.append(question.key)
    given = answers.get(question.key)
    if len(values) == 1 and given is None:
        return values[0]
    if given in values:
        return given
    listed = ", ".join(f"{question.key}={value}" for value in values[:8])
    raise ChoiceNeeded(
        f"{name}: {question.text}", f"Answer with one of: {listed}.", question.as_dict()
    )
