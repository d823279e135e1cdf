"""Write results: the annotated .h5ad and tables of labels."""

from scanvi_core.export.h5ad import Exported, export_annotated, write_annotated
from scanvi_core.export.request import CountsLayer, ExportRequest, SourceFile
from scanvi_core.export.table import labels_csv

__all__ = [
    "CountsLayer",
    "ExportRequest",
    "Exported",
    "SourceFile",
    "export_annotated",
    "labels_csv",
    "write_annotated",
]
