"""The table of the Cell Ontology as it ships, and how it is made from a release."""

import csv
import json
import tomllib

import pytest

from scanvi_core.errors import InputError
from scanvi_core.export import terms as schema_terms
from scanvi_core.ontology import build, table
from tests import ROOT

OBO = """format-version: 1.2
data-version: cl/releases/2030-01-02/cl-basic.owl

[Term]
id: CL:0000000
name: cell

[Term]
id: CL:0000084
name: T cell
alt_id: CL:0000804
synonym: "T lymphocyte" EXACT []
synonym: "a \\"quoted\\" one" EXACT [x:y]
synonym: "tea cell" RELATED []
is_a: CL:0000000 {is_inferred="true"} ! cell

[Term]
id: CL:0000002
name: obsolete one
is_obsolete: true
replaced_by: CL:0000084

[Term]
id: CL:0000004
name: obsolete two
is_obsolete: true
consider: CL:0000000

[Term]
id: GO:0000001
name: no cell

[Typedef]
id: part_of
name: part of
"""


def rows(path):
    lines = path.read_text().splitlines()
    return list(csv.DictReader([x for x in lines if not x.startswith("#")], delimiter="\t"))


def test_a_release_becomes_a_table(tmp_path):
    release, target = tmp_path / "cl-basic.obo", tmp_path / "table.tsv"
    release.write_text(OBO)
    assert build.build(release, target) == 2
    assert "# version: 2030-01-02\n" in target.read_text()
    assert "CC BY 4.0" in target.read_text()
    found = {row["id"]: row for row in rows(target)}
    assert list(found) == ["CL:0000000", "CL:0000084", "CL:0000002", "CL:0000804"]
    assert found["CL:0000084"]["synonyms"] == 'a "quoted" one'  # T lymphocyte is spelled T cell
    assert found["CL:0000084"]["parents"] == "CL:0000000"
    assert {found[old]["replaced_by"] for old in ("CL:0000002", "CL:0000804")} == {"CL:0000084"}


def test_both_kinds_of_files_make_the_same(tmp_path):
    plain = {
        "CL:0000000": {"label": "cell", "ancestors": {}, "deprecated": False},
        "CL:0000084": {"label": "T cell", "synonyms": ["T lymphocyte", 'a "quoted" one'],
                       "ancestors": {"CL:0000000": 1}, "deprecated": False},
        "CL:0000002": {"label": "old", "ancestors": {}, "deprecated": True,
                       "replaced_by": "CL:0000084"},
        "CL:0000004": {"label": "old", "ancestors": {}, "deprecated": True},
    }  # fmt: skip
    (tmp_path / "cl-basic.obo").write_text(OBO.replace("alt_id: CL:0000804\n", ""))
    (tmp_path / "CL-2030-01-02.json").write_text(json.dumps(plain))
    made = []
    for name in ("cl-basic.obo", "CL-2030-01-02.json"):
        build.build(tmp_path / name, tmp_path / "table.tsv")
        made.append(rows(tmp_path / "table.tsv"))
    assert made[0] == made[1]


def test_a_file_without_a_date_is_refused(tmp_path):
    (tmp_path / "some.json").write_text("{}")
    with pytest.raises(InputError, match="does not say which release"):
        build.build(tmp_path / "some.json", tmp_path / "table.tsv")


def test_the_table_is_small_and_says_what_it_is():
    assert table.TABLE.stat().st_size < 300_000
    head = table.TABLE.read_text(encoding="utf-8")[:600]
    assert "CC BY 4.0" in head and "python -m scanvi_core.ontology.build" in head
    assert table.version() >= "2026-03-26"
    known = table.terms()
    assert len(known) > 3_000 and known["CL:0000084"].name == "T cell"
    assert all(up in known for each in known.values() for up in each.parents)
    assert not known.keys() & table.replaced().keys()
    assert all(new in known for new in table.replaced().values())


def test_each_abbreviation_is_of_the_terms_it_says():
    with table.ABBREVIATIONS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            called = [table.terms()[key].name for key in row["terms"].split("|")]
            assert row["called"].split("|") == called, row["name"]
            assert row["how"] in ("exact", "close")


@pytest.mark.skipif(not schema_terms.available(), reason="cellxgene-ontology-guide is absent")
def test_the_table_is_of_the_release_that_cellxgene_takes():
    assert schema_terms.ontology_version("CL") == f"v{table.version()}"


def test_the_tables_are_packed_with_the_program():
    about = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packed = about["package-data"]["scanvi_core.ontology"]
    assert {table.TABLE.name, table.ABBREVIATIONS.name} <= set(packed)
