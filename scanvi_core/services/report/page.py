"""The report of a project as one page of HTML that opens offline and holds no script."""

import re
import xml.etree.ElementTree as ET  # reads only what `figure_file` wrote
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scanvi_core.errors import ExportError, InputError, reason_of
from scanvi_core.keys import one_line
from scanvi_core.runtime import replacing
from scanvi_core.services.export import columns, filling, methods, write, written
from scanvi_core.services.export.columns import ExportChoice
from scanvi_core.services.export.targets import check_target
from scanvi_core.services.export.uncertainty_columns import least
from scanvi_core.services.report import data, decisions, evaluation, labels, markers, model
from scanvi_core.services.report.parts import NOT_RECORDED, Facts, Listed, Section, Text
from scanvi_core.services.workspace import Workspace
from scanvi_core.version import __version__

if TYPE_CHECKING:
    from jinja2 import Template

REFERENCES = """
Xu C, Lopez R, Mehlman E, Regier J, Jordan MI, Yosef N. Probabilistic harmonization and annotation
of single-cell transcriptomics data with deep generative models. Molecular Systems Biology
17:e9620, 2021. doi:10.15252/msb.20209620

Wolock SL, Lopez R, Klein AM. Scrublet: computational identification of cell doublets in
single-cell transcriptomic data. Cell Systems 8:281-291, 2019. doi:10.1016/j.cels.2018.11.005

McInnes L, Healy J, Melville J. UMAP: uniform manifold approximation and projection for dimension
reduction. arXiv:1802.03426, 2018

Stuart T, Butler A, et al. Comprehensive integration of single-cell data. Cell 177:1888-1902, 2019.
doi:10.1016/j.cell.2019.05.031
"""
LONG_WORD = 24  # characters; longer ones may be broken in a table
_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_CHECKSUM = re.compile("[0-9a-f]{64}")
_POINTS_AT = re.compile(r"(^#|url\(#)")


def report_html(
    opened: Workspace, choice: ExportChoice | None = None, *, people: bool = True
) -> str:
    """Return the report of a project.

    Parameters
    ----------
    opened
        The project.
    choice
        What an export would write, which says what the final labels are; None: as the newest file
        was written, without one as Export offers.
    people
        Write the names of those who decided; else they are numbered. What people wrote
        themselves, such as names of types, stays.
    """
    chosen = choice or written.last_choice(opened)
    planned = not write.exported_files(opened)
    checked = evaluation.checked(opened)
    paragraph = methods.paragraph(opened, chosen, checked=checked, planned=planned)
    sections = [
        _summary(opened, chosen, planned=planned),
        data.data(opened),
        data.counts(opened),
        data.quality(opened),
        labels.labels(opened, chosen),
        *markers.markers(opened, chosen),
        model.model(opened),
        evaluation.evaluation(opened),
        model.doubts(opened),
        decisions.decisions(opened, people=people),
        Section("Text for a methods section", [Text(paragraph)]),
        Section("References", [Listed(REFERENCES.strip().split("\n\n"))]),
        _versions(opened),
    ]
    now = datetime.now().astimezone()
    return _template().render(
        name=opened.project.name, made=f"{now.day} {now:%B %Y, %H:%M}", version=__version__,
        sections=sections,
    )  # fmt: skip


def write_report(
    opened: Workspace, target: Path, choice: ExportChoice | None = None, *, people: bool = True
) -> None:
    """Write the report of a project to a file, in place of one that is there.

    Raises
    ------
    InputError
        If nothing may be written there (`check_target`), or the folder does not exist.
    ExportError
        If the disk refuses.
    """
    try:
        check_target(opened, target)
    except ExportError as error:
        raise InputError(error.message, error.hint) from error
    if not target.absolute().parent.is_dir():
        raise InputError(f"The folder {target.absolute().parent} does not exist.", "Create it.")
    text = report_html(opened, choice, people=people)
    try:
        with replacing(target) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExportError(
            f"The report could not be written: {reason_of(error)}.", "Choose another folder."
        ) from error


def _summary(opened: Workspace, choice: ExportChoice, *, planned: bool) -> Section:
    table = columns.source_table(opened, choice.threshold, broader=choice.broader)
    words = table["source"].replace("your file", "the file")
    came = {str(w): f"{n:,}" for w, n in zip(words, table["cells"], strict=True) if n}
    loud = [evaluation.headline(opened), evaluation.where(opened)]
    loud.append(filling.novel_sentence(opened, least(choice.threshold, broader=choice.broader)))
    section = Section("In short", [Text(words, loud=True) for words in loud if words])
    n, yet = opened.dataset.n_obs, ", as Export would write them" if planned else ""
    section.add(Text(f"Labels of the {n:,} cells, by where they are from{yet}:"), Facts(came))
    level = least(choice.threshold, broader=choice.broader)
    which = filling.which(opened, level, planned=planned)
    section.add(*(Text(words) for words in (which,) if words))
    return section


def _versions(opened: Workspace) -> Section:
    run = opened.current_run()
    trained = {} if run is None else run.settings.versions
    used = {f"{name}, when the model was trained": number for name, number in trained.items()}
    if run is not None and not trained:
        used = {"libraries of the training": NOT_RECORDED}
    return Section("Versions", [Facts({"scanvi-app, which wrote this": __version__} | used)])


def inline(svg: bytes, name: str) -> str:
    """Return the drawing of an SVG file to stand in a page, its marks told from those of others.

    What `figure_file` wrote has texts and attributes only; its style sheet, which would hold for
    the whole page, and its head are left out.
    """
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _LINK)
    root = ET.fromstring(svg)  # noqa: S314  our own
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for item in root.iter():
        for key, value in item.attrib.items():
            if key == "id":
                item.set(key, f"{name}-{value}")
            elif key.endswith(("href", "clip-path")):
                item.set(key, _POINTS_AT.sub(rf"\g<1>{name}-", value))
    root.set("role", "img")
    return ET.tostring(root, encoding="unicode")


@cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    def shown(value: Any) -> Any:
        return one_line(value) if type(value) is str else value  # Markup stays as it is

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, finalize=shown,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["inline"] = lambda svg, name: Markup(inline(svg, name))  # noqa: S704
    environment.tests["checksum"] = lambda text: _CHECKSUM.fullmatch(text) is not None
    environment.tests["unbroken"] = lambda text: max(map(len, text.split()), default=0) > LONG_WORD
    return environment.get_template("report.html")
