"""Small Excel files, written part by part, sound and not."""

import io
import zipfile
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def workbook(
    sheets: dict[str, Sequence[Sequence[object]]], *, before: str = "", shared: bool = True
) -> bytes:
    """Return an .xlsx file: texts, numbers, and formulas (text that begins with ``=``).

    `before` stands before the sheet's XML; with `shared`, texts lie in a table of their own.
    """
    texts: list[str] = []
    titles = list(sheets)
    book = "".join(
        f"<sheet name={quoteattr(title)} sheetId='{i}' r:id='r{i}'/>"
        for i, title in enumerate(titles, 1)
    )
    links = "".join(
        f"<Relationship Id='r{i}' Type='{LINKS}/worksheet' Target='worksheets/sheet{i}.xml'/>"
        for i in range(1, len(titles) + 1)
    )
    parts = {
        "xl/workbook.xml": f"<workbook xmlns='{MAIN}' xmlns:r='{LINKS}'><sheets>{book}</sheets>"
        "</workbook>",
        "xl/_rels/workbook.xml.rels": f"<Relationships xmlns='{PACKAGE}'>{links}</Relationships>",
    }
    for i, title in enumerate(titles, 1):
        rows = "".join(_row(at, row, texts, shared) for at, row in enumerate(sheets[title], 1))
        parts[f"xl/worksheets/sheet{i}.xml"] = (
            f"{before}<worksheet xmlns='{MAIN}'><sheetData>{rows}</sheetData></worksheet>"
        )
    if shared:
        items = "".join(f"<si><t>{escape(text)}</t></si>" for text in texts)
        parts["xl/sharedStrings.xml"] = f"<sst xmlns='{MAIN}'>{items}</sst>"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return file.getvalue()


def _row(at: int, row: Sequence[object], texts: list[str], shared: bool) -> str:
    cells = "".join(
        _cell(f"{chr(ord('A') + column)}{at}", value, texts, shared)
        for column, value in enumerate(row)
        if value != ""
    )
    return f"<row r='{at}'>{cells}</row>"


def _cell(address: str, value: object, texts: list[str], shared: bool) -> str:
    text = str(value)
    if text.startswith("="):
        return f"<c r='{address}' t='str'><f>{escape(text[1:])}</f><v>as saved</v></c>"
    if isinstance(value, int | float):
        return f"<c r='{address}'><v>{value}</v></c>"
    if shared:
        texts.append(text)
        return f"<c r='{address}' t='s'><v>{len(texts) - 1}</v></c>"
    return f"<c r='{address}' t='inlineStr'><is><t>{escape(text)}</t></is></c>"
