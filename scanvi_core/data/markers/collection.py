"""The built-in collection: canonical markers of the main cell types of ten tissues.

Well-known facts, compiled for this project from general knowledge and from no data set's labels;
the table is free for any use (CC0 1.0). Types are called as the Cell Ontology calls them, where it
does. `SOURCES` are papers in which the markers of a tissue are found together.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scanvi_core.data.markers.marker_sets import MarkerSet

HUMAN, MOUSE = "human", "mouse"
TABLE = Path(__file__).with_name("collection.csv")
SOURCES = {
    "blood": "Hao et al. 2021 (10.1016/j.cell.2021.04.048), Villani et al. 2017 "
    "(10.1126/science.aah4573), Monaco et al. 2019 (10.1016/j.celrep.2019.01.041)",
    "bone marrow": "Velten et al. 2017 (10.1038/ncb3493), Baccin et al. 2020 "
    "(10.1038/s41556-019-0439-6)",
    "brain": "Zeisel et al. 2015 (10.1126/science.aaa1934), Zhang et al. 2014 "
    "(10.1523/JNEUROSCI.1860-14.2014), Darmanis et al. 2015 (10.1073/pnas.1507125112)",
    "heart": "Litviňuková et al. 2020 (10.1038/s41586-020-2797-4)",
    "intestine": "Haber et al. 2017 (10.1038/nature24489), Smillie et al. 2019 "
    "(10.1016/j.cell.2019.06.029)",
    "kidney": "Park et al. 2018 (10.1126/science.aar2131), Lake et al. 2019 "
    "(10.1038/s41467-019-10861-2)",
    "liver": "MacParland et al. 2018 (10.1038/s41467-018-06318-7), Aizarani et al. 2019 "
    "(10.1038/s41586-019-1373-2)",
    "lung": "Travaglini et al. 2020 (10.1038/s41586-020-2922-4), Montoro et al. 2018 "
    "(10.1038/s41586-018-0393-7)",
    "pancreas": "Baron et al. 2016 (10.1016/j.cels.2016.08.011), Segerstolpe et al. 2016 "
    "(10.1016/j.cmet.2016.08.020), Gradwohl et al. 2000 (10.1073/pnas.97.4.1607)",
    "skin": "Joost et al. 2016 (10.1016/j.cels.2016.08.010), Solé-Boldo et al. 2020 "
    "(10.1038/s42003-020-0922-4)",
}
TISSUES = tuple(SOURCES)
ABSENT_IN_MOUSE = {  # genes that a type does not show, where mouse has not the same by capitals
    "INS": ("Ins1", "Ins2"), "CD8B": ("Cd8b1",), "FCGR3A": (), "HBB": ("Hbb-bs",),
    "LYZ": ("Lyz2",),
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One line of the collection: a type of a tissue, its genes in man and mouse."""

    tissue: str
    type: str
    human: tuple[str, ...]
    mouse: tuple[str, ...]
    absent: tuple[str, ...]


@cache
def entries() -> tuple[Entry, ...]:
    """Return the whole collection."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(
            Entry(
                line["tissue"], line["type"], tuple(line["human"].split()),
                tuple(line["mouse"].split()), tuple(line["not"].split()),
            )
            for line in csv.DictReader(file)
        )  # fmt: skip


def markers_of(tissue: str, species: str) -> tuple[MarkerSet, ...]:
    """Return the marker sets of a tissue in human or mouse."""
    return tuple(
        MarkerSet(one.type, one.mouse, tuple(_absent_in_mouse(one)))
        if species == MOUSE
        else MarkerSet(one.type, one.human, one.absent)
        for one in entries()
        if one.tissue == tissue
    )


def _absent_in_mouse(one: Entry) -> Iterator[str]:
    for gene in one.absent:
        yield from ABSENT_IN_MOUSE.get(gene, (gene.capitalize(),))


@cache
def known_genes() -> frozenset[str]:
    """Return all genes of the collection, in small letters."""
    return frozenset(
        gene.casefold() for one in entries() for gene in (*one.human, *one.mouse, *one.absent)
    )
