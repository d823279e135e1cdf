"""Tables of marker genes are recognized in every shape people have them; what may be two, asks."""

import pytest

from scanvi_core.data.markers.matching import GeneNames
from scanvi_core.data.markers.read import readings
from scanvi_core.errors import FileRefused

GENES = ["MS4A1", "CD79A", "CD3D", "CD3E", "TRAC", "CD8A", "LYZ", "CD14", "ALB", "TTR"]
HERE = GeneNames(GENES, GENES)
B, T = ("MS4A1", "CD79A"), ("CD3D", "CD3E")


def read(text, name="markers.csv"):
    return readings(name, text.encode(), HERE.is_known)


def sets(text, name="markers.csv"):
    """Return the one reading: positive genes by type."""
    (one,) = read(text, name)
    return {own.name: own.positive for own in one.types}


SHAPES = {
    "a column per type": "B,T\nMS4A1,CD3D\nCD79A,CD3E\n",
    "a column per type, ragged": "B,T\nMS4A1,CD3D\nCD79A,CD3E\n,\n",
    "a line per type": "B,MS4A1,CD79A\nT,CD3D,CD3E\n",
    "genes in one field": 'B,"MS4A1, CD79A"\nT,"CD3D,CD3E"\n',
    "semicolons inside": "B,MS4A1;CD79A\nT,CD3D;CD3E\n",
    "bars inside": "B;MS4A1|CD79A\nT;CD3D|CD3E\n",
    "slashes inside": "B\tMS4A1/CD79A\nT\tCD3D/CD3E\n",
    "colons": "B: MS4A1, CD79A\nT: CD3D CD3E\n",
    "a list as Python writes it": "type;markers\nB;['MS4A1', 'CD79A']\nT;['CD3D','CD3E']\n",
    "long": "cell_type,gene\nB,MS4A1\nB,CD79A\nT,CD3D\nT,CD3E\n",
    "long, other words": "Population;Gene Symbol\nB;MS4A1\nB;CD79A\nT;CD3D\nT;CD3E\n",
    "long, no header": "B,MS4A1\nB,CD79A\nT,CD3D\nT,CD3E\n",
    "long, genes first": "MS4A1,B\nCD79A,B\nCD3D,T\nCD3E,T\n",
    "numbered columns": "Cell Type,Marker 1,Marker 2\nB,MS4A1,CD79A\nT,CD3D,CD3E\n",
    "numbered lines": ",B,T\n0,MS4A1,CD3D\n1,CD79A,CD3E\n",
    "scanpy's names and p": "B_n,B_p,T_n,T_p\nMS4A1,0.0,CD3D,1e-9\nCD79A,.1,CD3E,0\n",
    "0 and 1, types in lines": "type,MS4A1,CD79A,CD3D,CD3E\nB,1,1,0,0\nT,0,0,1,1\n",
    "0 and 1, genes in lines": "gene,B,T\nMS4A1,1,0\nCD79A,1,0\nCD3D,0,1\nCD3E,0,1\n",
    "0 and 1, as R writes it": "MS4A1\tCD79A\tCD3D\tCD3E\nB\t1\t1\t0\t0\nT\t0\t0\t1\t1\n",
    "1.0 and 0.0 with a rare gene": "type,MS4A1,CD79A,CD3D,CD3E,NOPE\n"
    "B,1.0,1.0,0.0,0.0,0.0\nT,0.0,0.0,1.0,1.0,0.0\n",
    "old line ends": "B,MS4A1,CD79A\rT,CD3D,CD3E\r",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_is_read_alike(shape):
    assert sets(SHAPES[shape]) == {"B": B, "T": T}


def test_gmt_leaves_its_descriptions_out():
    (one,) = read("B\thttp://x.org\tMS4A1\tCD79A\nT\tna\tCD3D\tCD3E\tTRAC\n", "sets.gmt")
    assert [own.positive for own in one.types] == [B, (*T, "TRAC")]
    assert "Column 2" in one.notes[0]


@pytest.mark.parametrize(
    "text",
    [
        '{"B": ["MS4A1", "CD79A"], "T": ["CD3D", "CD3E"]}',
        '{"B": "MS4A1, CD79A", "T": {"positive": ["CD3D", "CD3E"], "negative": []}}',
        '[{"type": "B", "genes": ["MS4A1", "CD79A"]}, {"type": "T", "genes": "CD3D CD3E"}]',
    ],
)
def test_json_in_its_shapes(text):
    assert sets(text, "markers.json") == {"B": B, "T": T}


def test_a_minus_says_that_a_gene_is_not_shown():
    (one,) = read("B: MS4A1+ CD3E-\nT: CD3E+ CD3D MS4A1\u2212 CD8A-\n")
    assert [(own.positive, own.negative) for own in one.types] == [
        (("MS4A1",), ("CD3E",)),
        (("CD3E", "CD3D"), ("MS4A1", "CD8A")),
    ]


def test_a_gene_that_nobody_knows_makes_no_second_way_to_read():
    types = sets("B: MS4A1 CD79A NOPE CD3E-\nT: CD3D CD3E\nMono: LYZ CD14\nRare: NOPE\n")
    assert list(types) == ["B", "T", "Mono", "Rare"]


def test_a_column_of_signs_and_columns_of_absent_genes():
    (one,) = read("type,gene,direction\nB,MS4A1,up\nB,CD3E,down\n")
    assert one.types[0].positive == ("MS4A1",) and one.types[0].negative == ("CD3E",)
    (one,) = read(
        'cellName,geneSymbolmore1,geneSymbolmore2\nB,"MS4A1,CD79A","CD3E"\nT,"CD3D,CD3E",\n'
    )
    assert one.types[0].negative == ("CD3E",) and one.types[1].positive == T


@pytest.mark.parametrize("sign", ["-1", "-1.0", "0.0", '"-1,0"', "down"])
def test_a_sign_may_be_written_as_a_number(sign):
    (one,) = read(f"type,gene,sign\nB,MS4A1,1.0\nB,CD3E,{sign}\n")
    assert one.types[0].positive == ("MS4A1",) and one.types[0].negative == ("CD3E",)


@pytest.mark.parametrize(
    "text",
    [
        "B: MS4A1 CD79A\nUnknown: LYZ CD14\nT: CD3D CD3E\nNeg: ALB-\n",
        "type,gene\nB,MS4A1\nB,CD79A\nUnknown,LYZ\nT,CD3D\nT,CD3E\nNeg,ALB-\n",
        "B,T,Unknown,Neg\nMS4A1,CD3D,LYZ,ALB-\nCD79A,CD3E,CD14,\n",
        '{"B": ["MS4A1", "CD79A"], "T": "CD3D CD3E", "Unknown": "LYZ", "Neg": "ALB-"}',
    ],
)
def test_what_is_no_type_or_shows_no_gene_is_left_out_and_told(text):
    assert sets(text) == {"B": B, "T": T}
    (one,) = read(text)
    assert "no type is known: Unknown." in one.notes[0]
    assert "no gene that they show: Neg." in one.notes[1]


def test_a_type_with_zeros_alone_is_told():
    (one,) = read("type,MS4A1,CD79A\nB,1,1\nOther,0,0\n")
    assert [own.name for own in one.types] == ["B"] and "show: Other." in one.notes[0]


def test_the_genes_of_seurat_and_scanpy_are_the_strong_ones():
    seurat = (
        '"","p_val","avg_log2FC","pct.1","pct.2","p_val_adj","cluster","gene"\n'
        '"a",0,1.2,.9,.1,0,"B","CD79A"\n"b",0,3.2,.9,.1,0,"B","MS4A1"\n'
        '"c",0,-1,.1,.9,0,"B","CD3D"\n"d",.5,2,.9,.1,.9,"T","LYZ"\n"e",0,2,.9,.1,0,"T","CD3D"\n'
    )
    (one,) = read(seurat)
    assert [own.positive for own in one.types] == [("MS4A1", "CD79A"), ("CD3D",)]
    assert "lower in their type" in one.notes[0] and "above 0.05" in one.notes[1]
    rows = "".join(f"B,CD{i}X,{100 - i},2,0,0\n" for i in range(40))
    (one,) = read(f"group,names,scores,logfoldchanges,pvals,pvals_adj\n{rows}")
    assert len(one.types[0].positive) == 25 and "25 strongest" in one.notes[0]


def test_decimal_commas_are_numbers():
    text = (
        "cluster;gene;avg_log2FC;p_val_adj\nB;CD79A;1,5;0\nB;MS4A1;2,5;1,2e-30\n"
        "B;CD3D;-2,5;0\nB;LYZ;3,5;0,9\nT;CD3D;2;0\n"
    )
    (one,) = read(text)
    assert [own.positive for own in one.types] == [("MS4A1", "CD79A"), ("CD3D",)]
    assert one.notes[0].startswith("1 lines of genes that are lower")


def test_lines_whose_numbers_cannot_be_read_are_left_out_and_counted():
    head, rows = "cluster,gene,avg_log2FC,p_val_adj\n", "B,MS4A1,2,0\nT,CD3D,2,0\n"
    (one,) = read(f"{head}{rows}B,LYZ,,0\nB,CD14,nan,0\nB,ALB,high,0\nT,TTR,2,NA\n")
    assert [own.positive for own in one.types] == [("MS4A1",), ("CD3D",)]
    assert one.notes[0].startswith("4 lines")
    (one,) = read("type,gene,score\nB,MS4A1,high\nT,CD3D,low\n")
    assert len(one.types) == 2 and "score holds no numbers" in one.notes[0]


def test_a_table_of_lower_genes_alone_is_not_read_in_another_way():
    with pytest.raises(FileRefused):
        read("cluster,gene,avg_log2FC\nB,MS4A1,-2.5\nT,CD3D,-1\n")


def test_clusters_called_by_numbers_are_told():
    (one,) = read("cluster,gene\n0,MS4A1\n1,CD3D\n")
    assert "numbers" in one.notes[0]


def test_what_may_be_read_in_two_ways_is_asked():
    ways = read("Aa,Bb,Cc\nDd,Ee,Ff\nGg,Hh,Ii\n")  # no gene is known
    assert [way.types[0].name for way in ways] == ["Aa", "Aa"] and len(ways) == 2
    ways = read("cluster,cell_type,gene\n0,B,MS4A1\n0,B,CD79A\n1,T,CD3D\n2,T,CD3E\n")
    assert ["cell_type" in way.how for way in ways] == [True, False]
    ways = read("tissue,cell_type,gene\nblood,B,MS4A1\nliver,Hep,ALB\n")
    assert [way.how[:5] for way in ways] == ["blood", "liver"]
    ways = readings("m.json", b'{"blood": {"B": ["MS4A1"]}, "liver": {"Hep": ["ALB"]}}', bool)
    assert len(ways) == 2


def test_genes_that_a_spreadsheet_turned_into_dates_are_told():
    (one,) = read("B,MS4A1,CD79A,1-Mar\nT,CD3D,CD3E,TRAC\n")
    assert "1-Mar" in one.notes[0]


BAD = {
    "nothing": "",
    "no table": "MS4A1 CD79A",
    "bytes": bytes(range(256)),
    "json in pieces": '{"B": [',
    "json without end": "[" * 100_000,
    "json of numbers": "[1, 2, 3]",
    "old excel": b"\xd0\xcf\x11\xe0" + bytes(100),
    "a field without end": '"' + "x" * 200_000 + "\n",
    "many columns": ",".join("g" * 3_000) + "\n" + ",".join("g" * 3_000),
    "a name without end": "x" * 300 + ",MS4A1\nT,CD3D\n",
    "many types": "".join(f"type {i},MS4A1\n" for i in range(600)),
    "a large file": b"x" * 20_000_001,
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_table_of_markers_is_refused_in_words(name):
    content = BAD[name]
    content = content.encode() if isinstance(content, str) else content
    with pytest.raises(FileRefused) as refused:
        readings("markers.csv", content, HERE.is_known)
    assert len(str(refused.value)) < 400


def test_excel_saves_unicode_text_as_utf16():
    (one,) = readings("m.txt", "B\tMS4A1\tCD79A\nT\tCD3D\tCD3E\n".encode("utf-16"), HERE.is_known)
    assert one.types[1].positive == T
