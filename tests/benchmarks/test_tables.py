"""The README's tables are those of the results."""

import json

import pytest

from benchmarks import results_file, tables
from benchmarks.results_file import Result

RESULT = Result(
    "A thing", "python -m thing", ["what", "ms"], [["a|b", 1.5], ["c", None]], ["Note."], "a box",
    "abc1234", "python -m thing --all",
)  # fmt: skip


@pytest.mark.parametrize("path", tables.TEXTS, ids=lambda path: path.parent.name)
def test_the_tables_equal_the_results(path):
    text = path.read_text(encoding="utf-8")
    assert tables.rewritten(text) == text, "run python -m benchmarks.tables"


def test_a_result_becomes_a_markdown_table_between_its_markers(tmp_path):
    results_file.write("thing", RESULT, tmp_path)
    before = "x\n<!-- benchmark:thing -->\nold\n<!-- /benchmark -->\ny"
    after = tables.rewritten(before, tmp_path)
    assert after.splitlines() == [
        "x",
        "<!-- benchmark:thing -->",
        "**A thing**",
        "",
        "| what | ms |",
        "| --- | --- |",
        r"| a\|b | 1.5 |",
        "| c | — |",
        "",
        "- Note.",
        "",
        "`python -m thing` on a box, at commit abc1234.",
        "<!-- /benchmark -->",
        "y",
    ]
    assert tables.rewritten(after, tmp_path) == after


def test_two_parts_are_kept_apart(tmp_path):
    results_file.write("thing", RESULT, tmp_path)
    part = "<!-- benchmark:thing -->\n<!-- /benchmark -->\n"
    assert tables.rewritten(part + "between\n" + part, tmp_path).count("between") == 1


def test_a_part_without_an_end_is_refused(tmp_path):
    with pytest.raises(ValueError, match="1 parts begin"):
        tables.rewritten("<!-- benchmark:thing -->\n", tmp_path)


def test_a_result_that_is_not_there_is_said_to_be_missing(tmp_path):
    assert "Not measured yet" in tables.markdown("thing", tmp_path)


def test_a_result_survives_its_file(tmp_path):
    path = results_file.write("thing", RESULT, tmp_path)
    assert set(json.loads(path.read_text())) == {
        "title", "command", "machine", "commit", "asked", "columns", "rows", "notes",
    }  # fmt: skip
    assert results_file.read("thing", tmp_path) == RESULT


def test_a_row_of_another_length_is_refused(tmp_path):
    with pytest.raises(ValueError, match="2 columns"):
        results_file.write("thing", Result("t", "c", ["a", "b"], [[1]]), tmp_path)
