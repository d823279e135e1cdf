"""Charts name what they show."""

import json

from streamlit.testing.v1 import AppTest


def confusion():
    import numpy as np

    from pages.ui.cell_map import charts

    names = ["CD4+/CD45RA+/CD25- Naive T", "CD4+/CD45RA+/CD25- Naive B"]
    charts.confusion(np.eye(2), names, key="small", height=300)


def test_a_small_confusion_matrix_names_both_axes_and_keeps_types_of_like_names_apart():
    app = AppTest.from_function(confusion).run()
    layout = json.loads(app.get("plotly_chart")[0].proto.spec)["layout"]
    for axis in ("xaxis", "yaxis"):
        assert [text[:8] for text in layout[axis]["ticktext"]] == ["CD4+/CD4", "CD4+/CD4"]
        assert len(set(layout[axis]["tickvals"])) == 2
        assert layout[axis].get("showticklabels", True)
