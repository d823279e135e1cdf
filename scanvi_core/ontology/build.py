"""Make the table of terms anew from a release of the Cell Ontology.

``python -m scanvi_core.ontology.build cl-basic.obo`` reads the file of a release
(https://github.com/obophenotype/cell-ontology/releases); the same table comes from
``CL-ontology-vDATE.json.zst`` of the package ``cellxgene-ontology-guide``.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scanvi_core.errors import InputError
from scanvi_core.ontology.spelling import plain
from scanvi_core.ontology.table import AMONG, COLUMNS, PREFIX, TABLE, Term

HEAD = """# Cell Ontology, https://obofoundry.org/ontology/cl
# license: CC BY 4.0, https://creativecommons.org/licenses/by/4.0/; shortened: no definitions
# version: {version}
# source: {source}
# built by: python -m scanvi_core.ontology.build {source}
"""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_SYNONYM = re.compile(r'"((?:[^"\\]|\\.)*)" EXACT')


def build(release: Path, target: Path = TABLE) -> int:
    """Write the table of a release; return its number of terms in use.

    Raises
    ------
    InputError
        If the file is no release of the Cell Ontology.
    """
    text = _text(release)
    is_obo = text.startswith("format-version")
    dates = _DATE.findall(text[:1000] if is_obo else release.name)
    if not dates:
        raise InputError(
            f"{release.name} does not say which release it is.",
            "Give cl-basic.obo of a release, or CL-ontology-vDATE.json.zst, by its own name.",
        )
    terms, replaced = _of_obo(text) if is_obo else _of_json(json.loads(text))
    lines = [HEAD.format(version=dates[0], source=release.name) + "\t".join(COLUMNS)]
    lines += [_line(term) for term in sorted(terms, key=lambda term: term.id)]
    known = {term.id for term in terms}
    for old in sorted(replaced):
        new = replaced[old]
        while new in replaced:  # by a term that was replaced itself
            new = replaced[new]
        lines += [f"{old}\t\t\t\t{new}"] if new in known else []
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(terms)


def _text(release: Path) -> str:
    if release.suffix != ".zst":
        return release.read_text(encoding="utf-8")
    import zstandard  # comes with the package whose files are compressed so

    with release.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
        return reader.read().decode()


def _line(term: Term) -> str:
    spelled = {plain(name): name for name in reversed(term.synonyms)}  # once each
    other = [name for key, name in reversed(spelled.items()) if key != plain(term.name)]
    fields = (term.id, term.name, AMONG.join(other), AMONG.join(term.parents), "")
    return "\t".join(fields)


def _of_json(entries: dict[str, Any]) -> tuple[list[Term], dict[str, str]]:
    terms, replaced = list[Term](), dict[str, str]()
    for key, entry in entries.items():
        new = entry.get("replaced_by", "")
        if entry["deprecated"] and new.startswith(PREFIX):
            replaced[key] = new
        elif not entry["deprecated"]:
            above = tuple(sorted(up for up, steps in entry["ancestors"].items() if steps == 1))
            terms.append(Term(key, entry["label"], tuple(entry.get("synonyms", ())), above))
    return terms, replaced


def _of_obo(text: str) -> tuple[list[Term], dict[str, str]]:
    terms, replaced = list[Term](), dict[str, str]()
    for stanza in _stanzas(text):
        (key,), (name,) = stanza["id"], stanza["name"]
        new = stanza.get("replaced_by", [""])[0]
        if "is_obsolete" not in stanza:
            said = [_SYNONYM.match(line) for line in stanza.get("synonym", ())]
            synonyms = tuple(re.sub(r"\\(.)", r"\1", hit.group(1)) for hit in said if hit)
            above = sorted(up for line in stanza.get("is_a", ()) if (up := line.split()[0]))
            terms.append(Term(key, name, synonyms, tuple(above)))
        elif new.startswith(PREFIX):
            replaced[key] = new
        replaced |= {old: key for old in stanza.get("alt_id", ()) if "is_obsolete" not in stanza}
    return terms, replaced


def _stanzas(text: str) -> Iterator[dict[str, list[str]]]:
    """Yield the terms of the ontology as their lines, by key."""
    for block in text.split("\n[")[1:]:
        kind, _, rest = block.partition("]\n")
        stanza = dict[str, list[str]]()
        for line in rest.split("\n"):
            key, found, value = line.partition(": ")
            if found:
                stanza.setdefault(key, []).append(value.strip())
        if kind == "Term" and stanza["id"][0].startswith(PREFIX):
            yield stanza


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m scanvi_core.ontology.build RELEASE")
    sys.stdout.write(f"{build(Path(sys.argv[1])):,} terms\n")
