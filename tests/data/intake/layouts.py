"""Files as other programs lay them out, from a few lines each, with the right answers.

`LAYOUTS` maps a name to what writes it, what has to become of it, and who describes the layout.
"""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import scipy.io
import scipy.sparse as sp

from tests.data.formats import r_files
from tests.data.formats.reading import CELLS, GENES, IDS, N_CELLS, N_GENES, TYPES
from tests.data.intake.outcomes import Asks, Loads, Outcome

COUNTS = sp.csr_matrix(np.random.default_rng(0).poisson(0.7, (N_CELLS, N_GENES)))
PART = sp.csr_matrix(np.random.default_rng(1).binomial(COUNTS.toarray(), 0.6))
REST = (COUNTS - PART).tocsr()
IN_ROWS = "The rows of the matrix are the cells"
DESCRIBED = "The list of cells describes them"
ADDED_UP = "spliced and ambiguous molecules added up"
ROWS, COLUMNS = {"orientation": "cells-in-rows"}, {"orientation": "cells-in-columns"}


@dataclass(frozen=True, slots=True)
class Layout:
    """A way to lay out counts: how to write it, what has to become of it, who describes it."""

    make: Callable[[Path], Path]
    outcome: Outcome
    source: str


def loads(*says, n_obs=N_CELLS, n_vars=N_GENES):
    return Loads("X", n_obs, n_vars, says)


def put(path, lines, packed=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(content) if packed else content)


def mtx(path, counts, cells_in_rows=False, packed=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = path.with_name("plain.mtx")
    matrix = sp.coo_matrix(counts if cells_in_rows else counts.T)
    scipy.io.mmwrite(plain, matrix, field="integer")
    put(path, plain.read_text().splitlines(), packed)
    plain.unlink()


def feature_lines(types=("Gene Expression",)):
    kinds = [types[i % len(types)] for i in range(N_GENES)]
    return [f"{i}\t{g}\t{k}" for i, g, k in zip(IDS, GENES, kinds, strict=True)]


def tenx(folder, counts, types=("Gene Expression",)):
    mtx(folder / "matrix.mtx.gz", counts, packed=True)
    put(folder / "features.tsv.gz", feature_lines(types), packed=True)
    put(folder / "barcodes.tsv.gz", CELLS, packed=True)


def kb(folder):
    here = folder / "counts_unfiltered"
    mtx(here / "cells_x_genes.mtx", COUNTS, cells_in_rows=True)
    for name, lines in (("barcodes", CELLS), ("genes", IDS), ("genes.names", GENES)):
        put(here / f"cells_x_genes.{name}.txt", lines)
    return here


def kb_nac(folder):
    here = kb(folder)
    (here / "cells_x_genes.mtx").unlink()
    for name, counts in (("mature", PART), ("ambiguous", REST), ("nascent", PART)):
        mtx(here / f"cells_x_genes.{name}.mtx", counts, cells_in_rows=True)
    return here


def alevin_fry(folder):
    three = sp.hstack([PART, PART * 2, REST], format="csr")
    mtx(folder / "af" / "alevin" / "quants_mat.mtx", three, cells_in_rows=True)
    names = [gene + ending for ending in ("", "-U", "-A") for gene in IDS]
    put(folder / "af" / "alevin" / "quants_mat_cols.txt", names)
    put(folder / "af" / "alevin" / "quants_mat_rows.txt", CELLS)
    put(folder / "af" / "quant.json", ['{"usa_mode": true}'])
    return folder / "af"


def starsolo(folder):
    root = folder / "Solo.out"
    for counted, times in (("Gene", 1), ("GeneFull", 3)):
        for kind, more in (("filtered", 1), ("raw", 2)):
            here = root / counted / kind
            mtx(here / "matrix.mtx", COUNTS * times * more)
            put(here / "features.tsv", feature_lines())
            put(here / "barcodes.tsv", CELLS)
        put(root / counted / "Features.stats", ["noUnmapped 1"])
    for part in ("spliced", "unspliced", "ambiguous"):
        mtx(root / "Velocyto" / "raw" / f"{part}.mtx", PART)
    put(root / "Velocyto" / "raw" / "features.tsv", feature_lines())
    put(root / "Velocyto" / "raw" / "barcodes.tsv", CELLS)
    put(root / "Barcodes.stats", ["noNoAdapter 0"])
    return root


def parse(folder):
    here = folder / "all-sample" / "DGE_filtered"
    mtx(here / "count_matrix.mtx", COUNTS, cells_in_rows=True)
    lines = [f"{i},{g},hg38" for i, g in zip(IDS, GENES, strict=True)]
    put(here / "all_genes.csv", ["gene_id,gene_name,genome", *lines])
    cells = [f"{i % 96:02d}_{i:02d}_01__s1,mine,hg38,{i},{t}" for i, t in enumerate(TYPES)]
    put(here / "cell_metadata.csv", ["bc_wells,sample,species,tscp_count,cell_type", *cells])
    return folder / "all-sample"


def rhapsody(folder):
    head = ["####################", "## BD Rhapsody Analysis Pipeline Version 2.0",
            "## Sample: a, b", "####################"]  # fmt: skip
    names = [*GENES[:-2], "CD3:UCHT1|CD3E|AHS0231|pAbO", "CD4:SK3|CD4|AHS0032|pAbO"]
    rows = [",".join([str(7000 + 13 * i), *map(str, row)]) for i, row in enumerate(dense())]
    put(folder / "a_RSEC_MolsPerCell.csv", [*head, ",".join(["Cell_Index", *names]), *rows])
    return folder / "a_RSEC_MolsPerCell.csv"


def dense():
    return COUNTS.toarray().tolist()


def write_mm(folder):
    """What people write from Seurat: writeMM, write.csv of names and of meta.data."""
    here = folder / "export"
    mtx(here / "counts.mtx", COUNTS)
    put(here / "genes.csv", ['"","x"', *[f'"{i + 1}","{g}"' for i, g in enumerate(GENES)]])
    cells = zip(CELLS, TYPES, strict=True)
    put(here / "metadata.csv", ['"","cell_type"', *[f'"{c}","{t}"' for c, t in cells]])
    return here


def cellbender(folder, version="0.3"):
    path = folder / "cellbender_output.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        for part in ("data", "indices", "indptr"):
            group[part] = getattr(COUNTS, part)
        group["shape"], group["barcodes"] = np.array([N_GENES, N_CELLS]), np.array(CELLS, "S")
        features = group.create_group("features")
        features["id"], features["name"] = np.array(IDS, "S"), np.array(GENES, "S")
        features["feature_type"] = np.array(["Gene Expression"] * N_GENES, "S")
        features["genome"] = np.array(["GRCh38"] * N_GENES, "S")
        latents = file.create_group("droplet_latents") if version == "0.3" else group
        latents["cell_probability"] = np.ones(N_CELLS)
        latents["gene_expression_encoding"] = np.ones((N_CELLS, 4))
        file.create_group("metadata" if version == "0.3" else "matrix/run")["epochs"] = [150]
    return path


def dropseq(folder):
    rows = [
        "\t".join([gene, *map(str, row)])
        for gene, row in zip(GENES, COUNTS.T.toarray(), strict=True)
    ]
    head = ["#DGE\tVERSION:1.1\tEXPRESSION_FORMAT:raw"]
    barcodes = [cell.removesuffix("-1") for cell in CELLS]
    put(folder / "a.dge.txt.gz", [*head, "\t".join(["GENE", *barcodes]), *rows], packed=True)
    return folder / "a.dge.txt.gz"


def crispr(folder):
    here = folder / "sample_filtered_feature_bc_matrix"
    tenx(here, COUNTS, ("Gene Expression", "CRISPR Guide Capture"))
    return here


def multi(folder):
    for sample, times in (("S1", 1), ("S2", 2)):
        count = folder / "outs" / "per_sample_outs" / sample / "count"
        tenx(count / "sample_filtered_feature_bc_matrix", COUNTS * times)
        tenx(count / "sample_raw_feature_bc_matrix", COUNTS * 5)
    return folder / "outs"


def h5seurat(folder):
    path = folder / "a.h5Seurat"
    with h5py.File(path, "w") as file:
        file.attrs.update({"active.assay": "RNA", "project": "x", "version": "4.1.0"})
        file["cell.names"] = CELLS
        assay = file.create_group("assays/RNA")
        assay["features"] = GENES
        for name, counts in (("counts", COUNTS), ("data", COUNTS.log1p())):
            group = assay.create_group(name)
            group.attrs["dims"] = [N_GENES, N_CELLS]
            for part in ("data", "indices", "indptr"):
                group[part] = getattr(counts, part)
        levels = sorted(set(TYPES))
        file["meta.data/cell_type/levels"] = levels
        file["meta.data/cell_type/values"] = [levels.index(name) + 1 for name in TYPES]
        file["meta.data/depth"] = np.arange(N_CELLS) * 1.0
        file["meta.data"].attrs["colnames"] = ["cell_type", "depth"]
        file["reductions/pca/cell.embeddings"] = np.ones((2, N_CELLS))
    return path


def geo(folder):
    """A table of counts and one of its cells, as people submit them to GEO."""
    here = folder / "GSE1_RAW"
    rows = [
        ",".join([g, *map(str, row)]) for g, row in zip(GENES, COUNTS.T.toarray(), strict=True)
    ]
    put(here / "GSE1_counts.csv.gz", [",".join(["", *CELLS]), *rows], packed=True)
    cells = [f"{c}\t{t}\t{i * 0.7}" for i, (c, t) in enumerate(zip(CELLS, TYPES, strict=True))]
    put(here / "GSE1_annotations.txt", ["cell_type\tdepth", *cells[::-1]])
    put(here / "README.txt", ["Counts and annotations of 60 cells."])
    return here


def rds(make):
    return lambda folder: r_files.save(make(COUNTS), folder / "a.rds")


LAYOUTS = {
    "kb-python": Layout(kb, loads(IN_ROWS), "kallistobus.tools: kb count"),
    "kb-python nac": Layout(kb_nac, loads(IN_ROWS, ADDED_UP), "kb count --workflow nac"),
    "alevin-fry USA": Layout(alevin_fry, loads(IN_ROWS, ADDED_UP), "fishpond::loadFry"),
    "STARsolo": Layout(starsolo, loads("Gene/filtered was read; left aside"), "STAR: STARsolo.md"),
    "Parse": Layout(
        parse, loads(IN_ROWS, DESCRIBED, "sample cannot be used"), "Parse: split-pipe output"
    ),
    "BD Rhapsody": Layout(
        rhapsody, Asks("orientation", ROWS, loads("2 features of the type Antibody", n_vars=38)),
        "bd-rhapsody-bioinfo-docs: Cell-by-Feature Data Tables",
    ),
    "writeMM": Layout(write_mm, loads(DESCRIBED), "R: Matrix::writeMM, write.csv"),
    "CellBender 0.2": Layout(lambda f: cellbender(f, "0.2"), loads(), "CellBender: output"),
    "CellBender 0.3": Layout(cellbender, loads(), "CellBender: output"),
    "Drop-seq": Layout(dropseq, Asks("orientation", COLUMNS, loads()), "Drop-seq cookbook: DGE"),
    "10x CRISPR": Layout(
        crispr, loads("20 features of the type CRISPR Guide Capture", n_vars=20),
        "10x Genomics: Feature-barcode matrices",
    ),
    "10x multi": Layout(
        multi, Asks("sample", {"sample": "S1"}, loads("left aside")), "10x Genomics: multi outputs"
    ),
    "GEO tables": Layout(
        geo,
        Asks("orientation", COLUMNS, loads("beside it, describes the cells: cell_type, depth")),
        "NCBI GEO: Preparing high-throughput sequence data",
    ),
    "h5Seurat": Layout(h5seurat, loads(), "SeuratDisk: h5Seurat-spec"),
}  # fmt: skip
WITH_RDATA = {
    "Seurat 4 .rds": Layout(rds(r_files.seurat_4), loads(), "SeuratObject: Assay-class"),
    "Seurat 5 .rds": Layout(rds(r_files.seurat_5), loads(), "SeuratObject: Assay5-class"),
    "SingleCellExperiment .rds": Layout(
        rds(r_files.experiment), loads(), "SingleCellExperiment: class"
    ),
}
