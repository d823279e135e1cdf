"""Figures for print: real files of three formats, every name as text, nothing left out."""

import io
import re
import xml.etree.ElementTree as ET  # what was just written here
from dataclasses import replace
from functools import partial

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import image

from scanvi_core.colors import UNLABELED, type_colors
from scanvi_core.errors import SettingInvalid
from scanvi_core.export.figures import dots, grids, lines, maps, names, violins
from scanvi_core.export.figures.layout import NAME_WIDTH, PAGE_MM
from scanvi_core.export.figures.write import DPI, FORMATS, STYLE, figure_file

MAGIC = {"svg": b"<?xml", "pdf": b"%PDF-", "png": b"\x89PNG\r\n"}
ODD = (
    "CD4+ $T$ _cell_",
    "<b>B</b> & plasma",
    "Клетка α/β",
    "$\\frac{1}{2}$",
    r"\alpha^2",
    "50% {x}",
)
SVG = "{http://www.w3.org/2000/svg}"


def a_map(n=400, names=ODD, **more):
    random = np.random.default_rng(0)
    codes = random.integers(-1, len(names), n)
    xy = random.normal(size=(n, 2)).astype(np.float32)
    drawn = maps.CellMap(
        xy, "Label", "UMAP", codes=codes, names=names, colors=type_colors(len(names)), **more
    )
    return partial(maps.cell_maps, [drawn])


def levels():
    random = np.random.default_rng(0)
    rows = [(g, f"G{i}$", random.random(), random.random()) for g in ODD for i in range(5)]
    return pd.DataFrame(rows, columns=["group", "gene", "mean", "share"])


def values():
    random = np.random.default_rng(0)
    return {name: random.gamma(1, 1, 50 if i else 3) for i, name in enumerate(ODD)}


MATRIX = np.eye(len(ODD), dtype=int) * 10 + 1
PAINT = type_colors(len(ODD))
BINS = pd.DataFrame(
    {"confidence": [0.3, 0.9], "right": [0.2, 1.0], "low": [0.1, 0.8], "high": [0.5, 1.0]}
)
CURVE = pd.DataFrame({"epoch": [1.0, 2, 3], "loss": [3.0, 2, 1], "watched": [np.nan, 0.5, 0.6]})
COVERAGE = pd.DataFrame({"coverage": [0.5, 1.0], "right": [1.0, 0.9]})
DECISIONS = pd.DataFrame(
    {"decision": [1, 2, 3], "right": [1, 0, 1], "recent": [1, 0.5, 0.7], "model": [1, 1, 2]}
)
NAMED = {
    "map": a_map(),
    "confusion": partial(grids.confusion, MATRIX, ODD, PAINT),
    "dots": partial(dots.dots, levels(), PAINT),
    "violins": partial(violins.violins, values(), PAINT, "G$"),
}
ALL = NAMED | {
    "curve": partial(lines.curve, CURVE, ["loss", "watched"]),
    "reliability": partial(lines.reliability, BINS),
    "coverage": partial(lines.coverage, COVERAGE, 0.8),
    "taught": partial(lines.taught, DECISIONS),
}


def texts(svg):
    """Return every text of an SVG, as a reader sees it."""
    return ["".join(item.itertext()).strip() for item in ET.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("name", ALL)
def test_a_figure_is_a_file_of_its_format_and_the_same_twice(name, kind):
    once = figure_file(ALL[name], kind)
    assert once.startswith(MAGIC[kind])
    assert len(once) > 1_000
    assert figure_file(ALL[name], kind) == once


@pytest.mark.parametrize("name", NAMED)
def test_names_are_text_as_they_are_written_and_have_their_colors(name):
    svg = figure_file(NAMED[name], "svg")
    shown = texts(svg)
    assert set(ODD) <= set(shown)
    assert "<b>" not in svg.decode()
    for color in PAINT:
        assert color.lower() in svg.decode()


def test_cells_without_a_label_are_gray_and_said_to_be():
    svg = figure_file(a_map(), "svg")
    assert maps.NOT_NAMED in texts(svg)
    assert UNLABELED.lower() in svg.decode()


def test_letters_in_a_pdf_are_embedded_as_letters():
    pdf = figure_file(NAMED["map"], "pdf")
    assert b"/Type0" in pdf and b"/Type3" not in pdf


@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
def test_letters_no_font_has_stay_in_the_svg():
    names = ("神经元", "B")
    assert "神经元" in texts(figure_file(a_map(names=names), "svg"))
    assert figure_file(a_map(names=names), "pdf").startswith(MAGIC["pdf"])


def test_a_long_name_is_whole_on_several_lines():
    name = " ".join(f"word{i}" for i in range(30))
    svg = figure_file(a_map(names=(name, "B")), "svg")
    assert name in " ".join(texts(svg))
    assert max(map(len, texts(svg))) <= NAME_WIDTH


@pytest.mark.parametrize("kind", ["map", "confusion"])
def test_of_a_hundred_types_none_is_missing_and_nothing_touches_the_edge(kind):
    names, colors = [f"type {i} of a hundred" for i in range(100)], type_colors(100)
    many = {
        "map": a_map(5_000, names),
        "confusion": partial(grids.confusion, np.eye(100), names, colors),
    }
    assert set(names) <= set(texts(figure_file(many[kind], "svg")))
    pixels = image.imread(io.BytesIO(figure_file(many[kind], "png")))
    inches = [length / DPI for length in pixels.shape[:2]]
    axes = many[kind]().get_size_inches()
    assert inches[1] > axes[0] + 1 and inches[0] > axes[1]  # names lie around the axes
    for edge in (pixels[:5], pixels[-5:], pixels[:, :5], pixels[:, -5:]):
        assert (edge == 1).all()


@pytest.mark.parametrize(("n", "is_picture"), [(50_000, False), (50_001, True)])
def test_points_are_a_picture_from_fifty_thousand_on(n, is_picture):
    svg = figure_file(a_map(n, ("A", "B")), "svg")
    assert (b"<image" in svg) == is_picture
    assert len(svg) < 12e6
    assert "A" in texts(svg)  # names are text all the same


def test_a_map_of_numbers_has_its_scale_and_cells_without_one_are_gray():
    xy = np.random.default_rng(0).normal(size=(50, 2))
    numbers = np.linspace(0, 1, 50)
    numbers[3] = np.nan
    drawn = maps.CellMap(xy, "CD3D", "UMAP", values=numbers, low=0.0, high=1.0)
    svg = figure_file(partial(maps.cell_maps, [drawn]), "svg")
    assert {"CD3D", "UMAP", "0.0", "1.0"} <= set(texts(svg))
    assert svg.decode().count(f"fill: {UNLABELED.lower()}") == 1


def test_cells_that_are_not_meant_are_pale_and_below():
    meant = np.zeros(400, dtype=bool)
    meant[:10] = True
    svg = figure_file(a_map(meant=meant), "svg").decode()
    full = {color.lower() for color in (*PAINT, UNLABELED)}
    order = [color in full for color in re.findall(r"<use [^>]*fill: (#\w+)", svg)][:400]
    assert not any(order[:390]) and all(order[390:])


def test_cells_without_a_place_are_left_out():
    whole, some = a_map(), a_map()
    some.args[0][0].xy[:30] = np.nan
    points = [figure_file(draw, "svg").count(b"<use ") for draw in (whole, some)]
    assert points[0] - points[1] == 30


def test_several_maps_do_not_cover_each_other():
    names = ("A very long name of a type of cells", "B")
    one = a_map(names=names).args[0][0]
    figure = maps.cell_maps([one] * 4)
    boxes = [axes.get_position() for axes in figure.axes]
    legend = figure.axes[0].get_legend().get_window_extent()
    assert legend.x1 <= boxes[1].x0 * figure.bbox.width
    assert boxes[0].y0 > boxes[2].y1


def test_drawing_leaves_the_settings_of_others_alone():
    before = dict(mpl.rcParams)
    figure_file(NAMED["map"], "svg")
    assert dict(mpl.rcParams) == before


def test_settings_of_others_do_not_change_a_figure():
    once = figure_file(NAMED["map"], "svg")
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path", "text.parse_math": True}):
        assert figure_file(NAMED["map"], "svg") == once


def test_another_format_is_refused():
    with pytest.raises(SettingInvalid, match="no format 'gif'"):
        figure_file(NAMED["map"], "gif")


def many_levels(n_groups, n_genes):
    rows = [(f"type {i} of cells", f"GENE{j}") for i in range(n_groups) for j in range(n_genes)]
    table = pd.DataFrame(rows, columns=["group", "gene"])
    return table.assign(mean=np.arange(len(rows)) % 7 / 2, share=0.5, scaled=0.5)


def width_mm(draw):
    pixels = image.imread(io.BytesIO(figure_file(draw, "png")))
    return pixels.shape[1] / DPI * 25.4


PAGES = {
    "65 genes of 13 types": partial(dots.dots, many_levels(13, 65), type_colors(13)),
    "3 genes": partial(dots.dots, many_levels(13, 3), type_colors(13)),
    "21 types": partial(
        grids.confusion, np.eye(21), [f"type {i} of cells" for i in range(21)], type_colors(21)
    ),
    "30 violins": partial(
        violins.violins,
        {f"type {i}": np.linspace(0, 2, 50) for i in range(30)},
        type_colors(30),
        "G",
    ),
    "60 names beside a map": a_map(
        600, [f"a long name of type {i} of the cells" for i in range(60)]
    ),
    "four maps": partial(
        maps.cell_maps,
        a_map(names=[f"CD4 memory {i}" for i in range(13)]).args[0] * 4,
    ),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_figure_is_no_wider_than_a_page(name):
    assert width_mm(PAGES[name]) <= PAGE_MM + 2


def test_genes_without_room_come_in_further_rows_and_none_is_missing():
    svg = texts(figure_file(PAGES["65 genes of 13 types"], "svg"))
    assert {f"GENE{j}" for j in range(65)} <= set(svg)
    figure = PAGES["65 genes of 13 types"]()
    assert svg.count("type 3 of cells") == len(figure.axes) == 2
    upper, lower = (axes.get_tightbbox() for axes in figure.axes)
    assert lower.y1 <= upper.y0  # neither row covers the names of the other


def test_the_scale_of_a_dot_plot_says_what_it_is():
    table = many_levels(2, 3)
    raw = texts(figure_file(partial(dots.dots, table, PAINT), "svg"))
    scaled = partial(dots.dots, table, PAINT, by="scaled", words="scaled 0 to 1")
    assert "mean level" in raw and "scaled 0 to 1" in texts(figure_file(scaled, "svg"))
    colors = [item.get_array() for item in scaled().axes[0].collections[:1]]
    assert np.allclose(colors[0], 0.5)


def test_neighbors_that_are_highest_in_one_group_are_in_one_row_of_a_dot_plot():
    table = many_levels(13, 65)
    places = table["gene"].str[4:].astype(int)
    table["mean"] = (table["group"] == "type " + (places // 5).astype(str) + " of cells") * 1.0
    rows = [[t.get_text() for t in a.get_xticklabels()] for a in dots.dots(table, PAINT).axes]
    rows = [row for row in rows if any(name.startswith("GENE") for name in row)]
    assert sum(map(len, rows)) == 65 and len(rows) > 1
    assert all(len(row) % 5 == 0 for row in rows)


def test_long_names_keep_both_ends_and_a_dot_plot_is_no_wider_than_a_page():
    names_ = [f"{'W' * 50} of type {i:03}" for i in range(4)]
    table = many_levels(4, 30)
    table["group"] = [names_[int(own.split()[1])] for own in table["group"]]
    assert width_mm(partial(dots.dots, table, type_colors(4))) <= PAGE_MM + 2
    svg = "".join(texts(figure_file(partial(dots.dots, table, type_colors(4)), "svg")))
    assert "…" in svg and "type 003" in svg


def test_a_dot_plot_without_cells_says_so_and_one_with_says_which():
    none = many_levels(2, 3).iloc[:0]
    assert "No group has a cell." in texts(figure_file(partial(dots.dots, none, []), "svg"))
    some = partial(dots.dots, many_levels(2, 3), PAINT, title="9 cells by cell type")
    assert "9 cells by cell type" in texts(figure_file(some, "svg"))


@pytest.mark.parametrize("n_groups", [2, 13])
def test_the_title_of_a_scale_is_no_longer_than_the_scale(n_groups):
    words = "mean level, log(1 + counts per 10,000)"
    with mpl.rc_context({"font.size": STYLE["font.size"]}):
        figure = dots.dots(many_levels(n_groups, 3), type_colors(n_groups), words=words)
        figure.canvas.draw()
    [bar] = figure.axes[0].child_axes
    written = bar.yaxis.label.get_window_extent()
    assert written.height <= bar.get_window_extent().height + 1


ISLANDS = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 0.2]])


def islands(is_written=True):
    codes = np.repeat([0, 1, 2], 60)
    xy = ISLANDS[codes] + np.random.default_rng(0).normal(0, [1.5, 0.05], (180, 2))
    drawn = maps.CellMap(
        xy, "Cell type", codes=codes, names=("B", "CD4 T", "CD8 T"), colors=type_colors(3),
        is_written=is_written,
    )  # fmt: skip
    return partial(maps.cell_maps, [drawn])


def test_names_are_written_in_the_midst_of_their_cells_as_letters_with_a_halo():
    shown, plain = (texts(figure_file(islands(on), "svg")) for on in (True, False))
    for name in ("B", "CD4 T", "CD8 T"):  # beside the map, and on it
        assert plain.count(name) == 1 and shown.count(name) == 2
    axes = islands()().axes[0]
    places = {text.get_text(): text.xy for text in axes.texts}
    assert np.hypot(*(places["B"] - ISLANDS[0])) < 1
    halos = [text for text in axes.texts if text.get_path_effects()]
    assert len(halos) == 3 and len(axes.texts) == 6


def test_no_name_lies_upon_another_or_hides_its_cells():
    figure = islands()()
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts[1::2]]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    few = np.zeros(40, dtype=int)
    small = maps.CellMap(
        np.random.default_rng(0).normal(0, 0.001, (40, 2)), "Cell type",
        codes=few, names=("Plasma",), colors=PAINT[:1], is_written=True,
    )  # fmt: skip
    far = np.array([[5.0, 5.0], [-5.0, -5.0]])
    whole = replace(small, xy=np.vstack([small.xy, far]), codes=np.append(few, [-1, -1]))
    axes = maps.cell_maps([whole]).axes[0]
    x, y = axes.transData.transform((0.0, 0.0))
    assert not axes.texts[1].get_window_extent().contains(x, y)


def test_the_name_of_a_type_in_two_clouds_is_in_one_of_them():
    random = np.random.default_rng(0)
    clouds = np.vstack([random.normal(-5, 0.5, (100, 2)), random.normal(5, 0.5, (110, 2))])
    one = names.densest(np.vstack([clouds, [[0.0, 0.0]]]))
    assert np.abs(one - 5).max() < 3 and len(one) > 50
    assert names.densest(np.zeros((3, 2))).shape == (3, 2)


def test_the_midst_of_cells_is_one_of_them_and_not_moved_by_a_few_far_ones():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.1], [100.0, 100.0]])
    assert names.medoid(points).tolist() == [0.5, 0.1]
