"""`check`: what is in a file, for programs and for people."""

import json

import pytest

from scanvi_core import cli


def test_check_tells_what_is_in_a_file(capsys, example):
    assert cli.main(["check", str(example), "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == "" and out.count("\n") == 1
    found = json.loads(out, parse_constant=pytest.fail)
    assert found["matrices"][0]["verdict"] == "counts"
    assert found["labels_candidates"][0]["key"] == "cell_type"
    assert found["batch_candidates"][0]["key"] == "batch"
    assert found["needed_mb"] > 0
    assert found["repairs"] == []


def test_check_without_json_is_read_by_people(capsys, example):
    assert cli.main(["check", str(example)]) == 0
    assert "counts_source: X" in capsys.readouterr().out.splitlines()
