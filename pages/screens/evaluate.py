"""Evaluate: how often the model is right, on labels it has never seen."""

import streamlit as st

from pages.ui.evaluate import levels, sections
from pages.ui.frame import header, requires
from pages.ui.frame.pages import EXPORT, REVIEW, TRAIN
from pages.ui.review import check_the_rest
from scanvi_core.services.diagnostics import holdout_report

opened = requires.data_set("Evaluate")
if opened.current_run() is None:
    header.draw("Evaluate")
    if requires.first_model(opened, "How good it is appears here"):
        st.stop()
    requires.locked("There is no model to evaluate yet.", TRAIN, "Go to Train")
report = holdout_report.report(opened)
header.draw(
    "Evaluate", (EXPORT, "Export the annotated file"), (REVIEW, "Review more cells"),
    primary=report is not None and not check_the_rest.is_due(opened),
)  # fmt: skip
if report is None:
    sections.without_holdout(opened)
    sections.cross_validated(opened)
    st.stop()
sections.headline(report)
check_the_rest.draw(opened)
sections.new_files(opened)
sections.quick_models(opened)
sections.cross_validated(opened)
sections.types(opened, report)
levels.draw(opened)
sections.accepting(opened, report)
sections.models(opened)
