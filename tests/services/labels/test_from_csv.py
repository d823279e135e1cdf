"""Labels that come back from a table, by the names of the cells."""

import numpy as np
import pandas as pd
import pytest

from scanvi_core import keys, runtime
from scanvi_core.data.endings import match_but_for_endings
from scanvi_core.errors import FileRefused, InputError, LabelsUnusable
from scanvi_core.services.export import parts, write
from scanvi_core.services.export.columns import ExportChoice
from scanvi_core.services.labels import edit, from_csv
from scanvi_core.services.workspace import workspace
from tests.projects import copy_of


def names(project):
    state = workspace(project).labels()
    return np.array([*state.names, ""], dtype=object)[state.codes]


def cells(project, n=700):
    return workspace(project).dataset.obs_names[:n]


@pytest.mark.parametrize("excel", [False, True])
def test_exported_labels_come_back_in_any_order(labeled, imported, tmp_path, excel):
    edit.name_cells(workspace(labeled), np.array([3, 4]), "-CD3 =1,5", "lasso")
    path = write.write(workspace(labeled), ExportChoice(), tmp_path / "out.h5ad")
    everything = parts.Copy(None, slice(None))
    table = write.label_table(workspace(labeled), ExportChoice())
    write._write_table(workspace(labeled), everything, table, tmp_path / "x.csv", excel=excel)
    table = tmp_path / "x.csv" if excel else write.csv_beside(path)
    head, *lines = table.read_text(encoding="utf-8").splitlines()
    shuffled = np.random.default_rng(0).permutation(lines)
    fresh = copy_of(imported)
    content = "\n".join([head, *shuffled]).encode()
    found = from_csv.from_bytes(workspace(fresh), "labels.csv", content)
    assert from_csv.label_columns(found)[0] == keys.CURATED
    match = from_csv.match(workspace(fresh), found, keys.CURATED, set())
    assert (match.found, match.without_line, match.strange, match.repeated) == (700, 0, 0, 0)
    from_csv.take_over(workspace(fresh), found, keys.CURATED, set())
    assert (names(fresh) == names(labeled)).all()
    assert workspace(fresh).labels().holdout.any()


def test_the_report_counts_what_does_not_fit(project):
    here = cells(project, 6)
    rows = [(here[0], "T"), (here[1], "B"), (here[2], ""), (here[3], "none"), ("x1", "T"),
            ("x2", "B"), (here[5], "T"), (here[5], "B")]  # fmt: skip
    text = "Cell;label\n" + "\n".join(f"{name};{label}" for name, label in rows)
    table = from_csv.from_bytes(workspace(project), "l.csv", text.encode("utf-8-sig"))
    found = from_csv.match(workspace(project), table, "label", {"none"})
    assert (found.found, found.labeled, found.types) == (4, 2, 2)
    assert (found.without_line, found.strange, found.repeated) == (696, 2, 2)
    assert found.examples == ("x1", "x2") and table.barcodes == "Cell"
    values = from_csv.values(table, "label").set_index("value")
    assert values["cells"].to_dict() == {"T": 1, "B": 1, "none": 1}
    assert values["unlabeled"].to_dict() == {"T": False, "B": False, "none": True}


def test_taking_a_table_is_one_step_that_can_be_undone(labeled):
    before = names(labeled)
    pairs = [f"{name}\t{'AB'[at % 2]}" for at, name in enumerate(cells(labeled, 40))]
    table = from_csv.from_bytes(
        workspace(labeled), "l.tsv", "\n".join(["index\tkind", *pairs]).encode()
    )
    from_csv.take_over(workspace(labeled), table, "kind", set())
    assert (names(labeled) != "").sum() == 40
    edit.undo(workspace(labeled))
    edit.undo(workspace(labeled))  # the hold-out is a step of its own
    assert (names(labeled) == before).all()


def test_a_path_below_the_data_folder_is_read(project, tmp_path, monkeypatch):
    monkeypatch.setenv(runtime.DATA_ROOT_VARIABLE, str(tmp_path))
    frame = pd.DataFrame({"barcode": cells(project, 30), "t": ["a", "b"] * 15})
    frame.to_csv(tmp_path / "l.csv", index=False)
    assert (from_csv.from_path(workspace(project), "l.csv").place[:30] == np.arange(30)).all()


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\x01\x02", b"one column\nx\n", b"a,b\n", b"\xff\xfe\x00", b'a,b\n"x,y\n' * 3],
)
def test_what_is_no_table_is_refused_with_a_sentence(project, content):
    with pytest.raises((FileRefused, LabelsUnusable)) as refusal:
        from_csv.from_bytes(workspace(project), "l.csv", content)
    assert refusal.value.hint


def test_a_line_of_another_length_is_named(project):
    with pytest.raises(FileRefused, match="line 3 has 3 fields, those before 2"):
        from_csv.from_bytes(workspace(project), "l.csv", b"cell,type\nq,T\nr,T,U\n")


def test_a_table_of_other_cells_is_refused_with_both_names(project):
    with pytest.raises(
        LabelsUnusable, match=r"None of the 1 cells of l\.csv is here, such as 'q'"
    ):
        from_csv.from_bytes(workspace(project), "l.csv", b"cell,type\nq,T\n")


@pytest.mark.parametrize("bent", ["{0}-1x", "mine_{0}", "{0}_2"])
def test_names_that_differ_by_an_ending_are_matched_once_that_is_agreed(labeled, bent):
    here = cells(labeled, 40)
    lines = [f"{bent.format(name.removesuffix('-1'))},{'T' if at % 2 else 'B'}" for at, name in
             enumerate(here)]  # fmt: skip
    content = "\n".join(["cell,kind", *lines]).encode()
    table = from_csv.from_bytes(workspace(labeled), "l.csv", content)
    assert table.differing
    assert from_csv.match(workspace(labeled), table, "kind", set()).found == 40
    with pytest.raises(InputError, match="differ from those here"):
        from_csv.take_over(workspace(labeled), table, "kind", set())
    from_csv.take_over(workspace(labeled), table, "kind", set(), endings_differ=True)
    assert names(labeled)[:2].tolist() == ["B", "T"]


def test_endings_that_make_two_cells_one_are_not_matched():
    there = pd.Index(["AAACCTGAGAAACA-1", "AAACCTGAGAAACA-2", "AAACCTGAGAAACC-1"])
    place, words = match_but_for_endings(there, pd.Index(["AAACCTGAGAAACA", "x", "y"]))
    assert (place == -1).all() and not words
