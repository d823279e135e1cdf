"""Columns that other tools are known to write: what they predict, and how sure they are."""

import re
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tool:
    """What a tool calls its columns, in small letters with every sign as ``_``.

    Attributes
    ----------
    name
        Of the tool.
    columns
        Patterns of columns with names of types, the one to be asked first in front.
    scores
        Patterns of columns that say how sure it is, where they are not called as its names are.
    elsewhere
        Whether it learned from other cells than those of the file, so that labels of the file can
        judge it.
    """

    name: str
    columns: tuple[str, ...]
    scores: tuple[str, ...] = ()
    elsewhere: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """A column of predictions: the tool, its place among those of the tool, and its score.

    With `is_unsure` the score is doubt: 1 less the confidence.
    """

    tool: Tool
    column: str
    rank: int
    score: str | None
    is_unsure: bool = False


SCORES = ("_score", "_scores", "_conf", "_confidence", "_prob", "_probability", "_probabilities",
          "_max_score", "_max_prob")  # fmt: skip
UNSURE = ("_uncertainty", "_uncert", "_unc")
_END = re.compile(r"_(prediction|label|type)s?$")  # "popv_majority_vote_score" lacks it
_NO_NAMES = re.compile(
    r".*_(scores?|conf(idence)?|prob(s|ability|abilities)?|uncert(ainty)?|unc|depth|next|entropy"
    r"|colors?|max)"
)
_LANGUAGE_MODELS = r"gpt|gpt_?\d\w*|chatgpt|gptcelltype|claude\w*|gemini\w*|llm|cassia"
TOOLS = (
    Tool(
        "CellTypist",
        (r"(.+_)?majority_voting", r"(.+_)?predicted_labels",
         r"celltypist(_(cell_?)?(type|label|prediction|annotation)s?)?"),
        (r"(.+_)?conf_score",),
    ),
    Tool(
        "Azimuth",
        (r"predicted_(celltype|annotation)_l2", r"predicted_(celltype|annotation)_l[13]",
         r"predicted_ann_(finest_level|level_\w+)", r"predicted_(cross_species_)?cluster",
         r"predicted_(sub)?class"),
        (r"mapping_score",),
    ),
    Tool("Seurat", (r"predicted_id",), (r"prediction_score_max",)),
    Tool("popV", (r"popv_prediction", r"popv_majority_vote_prediction", r"popv_parent")),
    Tool(
        "SingleR",
        (r"singler?_pruned_labels", r"singler?(_labels?)?", r"pruned_labels"),
        (r"singler?_delta_next", r"delta_next"),
    ),
    Tool("scANVI", (r"c_scanvi", r"scanvi(_.*)?_predictions?", r"scanvi_labels?",
                    r"predictions?_scanvi"), elsewhere=False),
    Tool("scArches", (r"transf_.+_label", r".+_transferred_label(_unfiltered)?",
                      r"transferred_labels?", r"scarches(_.+)?"), elsewhere=False),
    Tool("Symphony", (r"(.+_)?pred_knn", r"symphony(_.+)?"), elsewhere=False),
    Tool("scType", (r"sctype(_.+)?", r"customclassif")),
    Tool("scPred", (r"scpred_prediction",), (r"scpred_max",), elsewhere=False),
    Tool("a language model", (rf"(.*_)?({_LANGUAGE_MODELS})(_.+)?",)),
)  # fmt: skip


def known_columns(columns: Collection[str]) -> list[Found]:
    """Return the columns of predictions among all columns of a table, tool by tool."""
    signs = {column: _plain(column) for column in columns}
    found = list[Found]()
    for tool in TOOLS:
        for column, name in signs.items():
            rank = next((i for i, p in enumerate(tool.columns) if re.fullmatch(p, name)), None)
            taken = any(other.column == column for other in found)
            if rank is not None and not taken and not _NO_NAMES.fullmatch(name):
                found.append(Found(tool, column, rank, *score_of(column, columns, tool.scores)))
    return sorted(found, key=lambda one: (TOOLS.index(one.tool), one.rank))


def score_of(
    column: str, columns: Collection[str], patterns: Collection[str] = ()
) -> tuple[str | None, bool]:
    """Return the column that says how sure the names of a column are, and whether it is doubt.

    `patterns` are those of the tool's own scores; what is called as the column itself comes first.
    """
    own = _plain(column)
    stems = [own, _END.sub("", own)]
    signs = {_plain(other): other for other in columns if other != column}
    for endings, is_unsure in ((SCORES, False), (UNSURE, True)):
        for name in (stem + ending for stem in stems for ending in endings):
            if name in signs:
                return signs[name], is_unsure
    for pattern in patterns:
        for name, other in signs.items():
            if re.fullmatch(pattern, name):
                return other, False
    return None, False


def _plain(column: str) -> str:
    """Return the name of a column in small letters, every sign as one ``_``."""
    return re.sub(r"[\W_]+", "_", column.casefold()).strip("_")
