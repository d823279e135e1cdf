"""Finding genes, their levels in groups, and tests between groups."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from scanvi_core.errors import InputError
from scanvi_core.services import jobs
from scanvi_core.services.explore import (
    colors,
    gene_groups,
    gene_search,
    gene_tests,
    maps,
    rules,
    selection,
)
from scanvi_core.services.explore.gene_groups import KEPT, PICKED, REST
from scanvi_core.services.explore.gene_tests import GeneTest
from scanvi_core.services.explore.rules import Condition, Rule
from scanvi_core.services.foreground import ForegroundJob
from scanvi_core.services.job_states import JobStopped
from scanvi_core.services.labels import edit
from scanvi_core.services.workspace import workspace

WAIT_S = 120


def over(gene, level):
    """Return the rule that selects cells over a level of a gene."""
    return Rule().joined([Condition("gene", gene, low=level)], "replace")


def test_the_exact_gene_comes_first_then_beginnings_then_the_rest(project):
    names = [str(name) for name in workspace(project).dataset.symbols]
    hits = gene_search.search(workspace(project), "cd3", 100)
    begin = [name for name in names if name.lower().startswith("cd3")]
    assert set(hits[: len(begin)]) == set(begin)
    assert set(hits) == {name for name in names if "cd3" in name.lower()}
    assert gene_search.search(workspace(project), "lyz")[0] == "LYZ"
    assert (
        gene_search.search(workspace(project), "  ")
        == gene_search.search(workspace(project), "nosuchgene")
        == []
    )


def test_a_pasted_list_is_read_whatever_separates_it_and_reported(project):
    found = gene_search.read_list(workspace(project), "CD3D, cd79a;NKG7\nCD3D\t'LYZ' NOSUCH")
    assert found.found == ("CD3D", "CD79A", "NKG7", "LYZ")
    assert found.report == "4 of 5 genes found. Not in these data: NOSUCH."


def test_levels_are_means_and_shares_of_each_group(labeled):
    table = gene_groups.levels(workspace(labeled), colors.LABEL, ["CD3D", "LYZ"]).set_index(
        ["group", "gene"]
    )
    groups = gene_groups.groups(workspace(labeled), colors.LABEL)
    for gene in ("CD3D", "LYZ"):
        values = workspace(labeled).dataset.gene(gene)
        for code, name in enumerate(groups.names):
            own = values[groups.codes == code]
            row = table.loc[(name, gene)]
            assert row["mean"] == pytest.approx(own.mean(), rel=1e-5)
            assert row["share"] == pytest.approx((own > 0).mean())


def test_violins_hold_cells_of_their_group_only(labeled, monkeypatch):
    monkeypatch.setattr(gene_groups, "VIOLIN_CELLS", 5)
    groups = gene_groups.groups(workspace(labeled), colors.LABEL)
    values = workspace(labeled).dataset.gene("LYZ")
    for name, own in gene_groups.violins(workspace(labeled), colors.LABEL, "LYZ").items():
        assert len(own) <= 5
        assert set(own) <= set(values[groups.codes == groups.names.index(name)])


def answered(project, question):
    job = jobs.wait(gene_tests.start(workspace(project), question), WAIT_S)
    assert job.error is None, job.error
    return gene_tests.answer(workspace(project), question)


def test_markers_of_every_type_are_kept_and_textbook(labeled):
    question = GeneTest(gene_groups.groups(workspace(labeled), colors.LABEL))
    assert gene_tests.answer(workspace(labeled), question) is None
    found = answered(labeled, question)
    assert "CD79A" in set(found[found["group"] == "CD19+ B"]["gene"][:8])
    assert (found["score"] > 0).all()
    rules.name_cells(workspace(labeled), rules.select(workspace(labeled), Rule().joined(
        [Condition("gene", "LYZ", low=2.0)], "replace")), "New")  # fmt: skip
    assert (
        gene_tests.answer(
            workspace(labeled), GeneTest(gene_groups.groups(workspace(labeled), "Label"))
        )
        is None
    )


def test_one_group_against_another_agrees_with_scipy(labeled):
    names = ("CD19+ B", "CD56+ NK")
    groups = gene_groups.of_two(workspace(labeled), "t", colors.LABEL, names)
    found = answered(labeled, GeneTest(groups, True)).set_index("gene")
    for gene in found.index[:5]:
        values = workspace(labeled).dataset.gene(gene)
        a, b = values[groups.codes == 0], values[groups.codes == 1]
        test = mannwhitneyu(a, b, method="asymptotic", use_continuity=False)
        mean = len(a) * len(b) / 2
        assert np.sign(found.loc[gene, "score"]) == np.sign(test.statistic - mean)
        assert found.loc[gene, "adjusted p"] >= test.pvalue * 0.999
        assert found.loc[gene, "seen in group"] == pytest.approx((a > 0).mean())
        assert found.loc[gene, "seen in others"] == pytest.approx((b > 0).mean())


def test_the_model_compares_two_groups_too(trained):
    groups = gene_groups.of_two(workspace(trained), "t", "Label", ("CD19+ B", "CD14+ Monocyte"))
    found = answered(trained, GeneTest(groups, True, gene_tests.MODEL))
    assert len(found) and {"likely different", "log2 change"} <= set(found)


def test_picked_cells_and_the_rest_are_groups_and_cells_in_both_in_neither(labeled):
    selection.set_rule(
        workspace(labeled), "t", Rule().joined([Condition("gene", "CD79A", low=0.0)], "replace")
    )
    picked = selection.picked(workspace(labeled), "t")
    assert gene_groups.keep_picked(workspace(labeled), "t") == picked.sum()
    assert gene_groups.sides(workspace(labeled), "t", "Label")[:2] == [PICKED, KEPT]
    rest = gene_groups.of_two(workspace(labeled), "t", "Label", (PICKED, REST))
    assert np.array_equal(rest.codes == 0, picked) and np.array_equal(rest.codes == 1, ~picked)
    same = gene_groups.of_two(workspace(labeled), "t", "Label", (PICKED, KEPT))
    assert (same.codes < 0).all()
    with pytest.raises(InputError):
        gene_tests.start(workspace(labeled), GeneTest(same, True))


def test_groups_chosen_by_the_same_genes_are_warned_of(labeled):
    given = gene_groups.of_two(workspace(labeled), "t", "Label", ("CD19+ B", "CD56+ NK"))
    assert given.warning == ""
    selection.set_rule(
        workspace(labeled), "t", Rule().joined([Condition("gene", "CD79A", low=0.0)], "replace")
    )
    picked = gene_groups.of_two(workspace(labeled), "t", "Label", (PICKED, REST))
    assert "chosen by the same genes (CD79A over 0)" in picked.warning
    assert gene_groups.conditions_on(workspace(labeled), "t", (PICKED, REST)) == {"CD79A"}
    batch = Rule().joined([Condition("batch", values=("0",))], "replace")
    selection.set_rule(workspace(labeled), "t", batch)
    assert gene_groups.of_two(workspace(labeled), "t", "Label", (PICKED, REST)).warning == ""
    assert "louvain" in gene_groups.groups(workspace(labeled), "louvain").warning
    expressing = Rule().joined([Condition("gene", "LYZ", low=2.0)], "replace")
    opened = workspace(labeled)
    rules.name_cells(opened, rules.select(opened, expressing), "New")
    assert (
        "Some labels were given by shapes"
        in gene_groups.groups(workspace(labeled), "Label").warning
    )


def test_predicted_types_and_clusters_are_warned_of(trained):
    assert "predicted" in gene_groups.groups(workspace(trained), colors.PREDICTION).warning


def test_genes_are_found_and_shown_by_the_names_people_write(project, monkeypatch):
    opened = workspace(project)
    assert gene_search.search(opened, "CD20")[0] == "MS4A1"
    assert gene_search.gene_here(opened, "cd20") == "MS4A1"
    assert gene_search.read_list(opened, "CD20, LYZ").found == ("MS4A1", "LYZ")
    assert gene_search.titles(opened)["MS4A1"] == "MS4A1 (CD20)"
    assert gene_search.titles(opened)["LYZ"].startswith("LYZ")
    assert gene_search.suggested(opened).keys() == gene_search.titles(opened).keys()  # few genes
    monkeypatch.setattr(gene_search, "MOST_SUGGESTED", 60)
    assert len(gene_search._suggested(opened)) == 60 and "MS4A1" in gene_search._suggested(opened)
    assert [item.gene for item in colors.markers_of(opened, "CD20+, CD3D-")] == ["MS4A1", "CD3D"]


def test_markers_of_clusters_stand_beside_their_sizes_and_a_test_tells_how_far_it_is(project):
    opened, told = workspace(project), []
    codes = (np.arange(700) % 3).astype(np.int32)
    maps._save(maps._derived(opened, maps.CLUSTERS), codes)
    assert gene_tests.cluster_markers(opened) is None
    question = gene_tests.of_clusters(opened)
    job = ForegroundJob(project, lambda share, _: told.append(share))
    gene_tests._work(opened, question, job)
    table = gene_tests.cluster_markers(opened)
    assert table["cells"].tolist() == np.bincount(codes).tolist()
    assert len(set(told)) >= 4 and told == sorted(told)
    assert table["named"].tolist() == ["", "", ""]
    edit.start_empty(opened)
    edit.name_cells(opened, np.flatnonzero(codes == 1)[:150], "Monocytes", "lasso")
    edit.name_cells(opened, np.flatnonzero(codes == 2)[:100], "B", "lasso")  # fewer than half
    assert gene_tests.cluster_markers(opened)["named"].tolist() == ["", "Monocytes", ""]


def test_a_canceled_test_keeps_nothing(labeled, monkeypatch):
    opened = workspace(labeled)
    question = GeneTest(gene_groups.groups(opened, colors.LABEL))
    job = ForegroundJob(labeled, lambda *_: None)
    monkeypatch.setattr(job, "should_stop", lambda: True)
    with pytest.raises(JobStopped):
        gene_tests._work(opened, question, job)
    assert gene_tests.answer(opened, question) is None
