import numpy as np
import pytest
import torch

from scanvi_core import SCANVI
from scanvi_core.datasets import CortexDataset, cortex
from scanvi_core.errors import InputError

CLASSES = (
    "interneurons", "pyramidal SS", "pyramidal CA1", "oligodendrocytes", "microglia",
    "endothelial-mural", "astrocytes_ependymal",
)  # fmt: skip
N_CELLS, N_GENES = 42, 600
HEADERS = ("tissue", "group #", "total mRNA mol", "well", "sex", "age", "diameter", "cell_id")


@pytest.fixture
def counts():
    counts = np.random.default_rng(0).poisson(3.0, (N_GENES, N_CELLS))
    counts[:10] *= np.arange(11, 1, -1)[:, None]  # the ten most variable, in falling order
    return counts


@pytest.fixture
def file(tmp_path, counts):
    """A file of the published form: nine rows about the cells, an empty one, a header, genes."""
    classes = [CLASSES[i % 7] for i in range(N_CELLS)]
    groups = [str(i % 9 + 1) for i in range(N_CELLS)]
    rows = [["", name, *["x"] * N_CELLS] for name in HEADERS]
    rows[1][2:] = groups
    rows += [["", "level1class", *classes], ["", "level2class", *["x"] * N_CELLS]]
    rows += [[""] * (N_CELLS + 2)]
    rows += [[f"Gene{g}", "7", *map(str, values)] for g, values in enumerate(counts)]
    path = tmp_path / cortex.FILE_NAME
    path.write_text("\n".join("\t".join(row) for row in rows) + "\n")
    return path


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    def refuse(*_args, **_options):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(cortex, "urlopen", refuse)
    monkeypatch.setenv("SCANVI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(cortex.PATH_VARIABLE, raising=False)


def test_the_558_genes_of_largest_deviation_come_first_to_last(file, counts):
    cells = CortexDataset(file)
    deviations = counts.std(axis=1)
    kept = [int(name.removeprefix("Gene")) for name in cells.gene_names]
    assert cells.nb_genes == 558 and len(set(kept)) == 558
    assert (np.diff(deviations[kept]) <= 0).all()
    assert deviations[kept].min() >= np.delete(deviations, kept).max()
    assert np.array_equal(cells.X, counts[kept].T)


def test_classes_and_group_numbers_become_codes(file):
    cells = CortexDataset(file)
    assert cells.cell_types == tuple(sorted(CLASSES)) and cells.n_labels == 7
    assert cells.labels.shape == cells.precise_labels.shape == (N_CELLS, 1)
    assert cells.cell_types[cells.labels[1, 0]] == "pyramidal SS"
    assert cells.precise_labels[:, 0].tolist() == [i % 9 for i in range(N_CELLS)]
    assert cells.n_batches == 1 and not cells.batch_indices.any()


def test_cells_without_counts_are_left_out(file):
    lines = file.read_text().split("\n")
    genes = [line.split("\t") for line in lines[11:-1]]
    for gene in genes:
        gene[2] = "0"
    file.write_text("\n".join(lines[:11] + ["\t".join(gene) for gene in genes]))
    cells = CortexDataset(file)
    assert len(cells) == N_CELLS - 1
    assert cells.cell_types[cells.labels[0, 0]] == CLASSES[1]


def test_the_example_of_the_signature_runs_as_written(file, monkeypatch):
    monkeypatch.setenv(cortex.PATH_VARIABLE, str(file))
    gene_dataset = CortexDataset()
    scanvi = SCANVI(
        gene_dataset.nb_genes,
        n_batch=gene_dataset.n_batches * False,
        n_labels=gene_dataset.n_labels,
    )
    tensors = (gene_dataset.X, gene_dataset.local_means, gene_dataset.local_vars)
    first, second, _ = scanvi(*map(torch.from_numpy, tensors), y=torch.tensor(gene_dataset.labels))
    assert first.shape == second.shape == (N_CELLS,)
    assert torch.isfinite(first + second).all()


def test_the_kept_copy_is_read_when_no_file_is_named(file, no_network, tmp_path):
    kept = tmp_path / "home" / "datasets" / cortex.FILE_NAME
    kept.parent.mkdir(parents=True)
    file.rename(kept)
    assert CortexDataset().nb_genes == 558


def test_without_a_network_the_error_says_where_to_put_the_file(no_network, tmp_path):
    with pytest.raises(InputError, match="unreachable") as raised:
        CortexDataset()
    assert str(tmp_path / "home" / "datasets" / cortex.FILE_NAME) in raised.value.hint
    assert cortex.PATH_VARIABLE in raised.value.hint


def test_a_download_is_kept_and_read(file, no_network, monkeypatch, tmp_path):
    asked = []

    def answer(url, timeout):
        asked.append((url, timeout))
        return file.open("rb")

    monkeypatch.setattr(cortex, "urlopen", answer)
    assert CortexDataset().nb_genes == CortexDataset().nb_genes == 558
    assert asked == [(cortex.SOURCES[0], cortex.TIMEOUT_S)]


def test_an_error_page_is_not_kept_as_data(no_network, monkeypatch, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<html>Not found</html>\n" * 20)
    monkeypatch.setattr(cortex, "urlopen", lambda *_args, **_options: page.open("rb"))
    with pytest.raises(InputError, match="could not be downloaded"):
        CortexDataset()
    assert not list((tmp_path / "home" / "datasets").iterdir())


def test_a_named_file_that_is_not_there_is_not_downloaded(no_network, tmp_path):
    with pytest.raises(InputError, match="no file"):
        CortexDataset(tmp_path / "elsewhere.txt")


@pytest.mark.filterwarnings("ignore:string or file could not be read")
@pytest.mark.parametrize("damage", ["word", "short row", "no genes", "bytes"])
def test_a_file_of_another_form_is_refused(file, damage):
    lines = file.read_text().split("\n")
    if damage == "word":
        lines[40] = lines[40].replace("\t3", "\tthree", 1)
    elif damage == "short row":
        lines[40] = lines[40].rsplit("\t", 1)[0]
    file.write_text("\n".join(lines[:11] if damage == "no genes" else lines))
    if damage == "bytes":
        file.write_bytes(b"\xff\xfe" + file.read_bytes())
    with pytest.raises(InputError, match="not of the published form"):
        CortexDataset(file)
