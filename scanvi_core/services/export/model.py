"""The model of a project as a folder, packed: weights without pickle, and how it was made."""

import json
import zipfile
from pathlib import Path

from scanvi_core import runtime
from scanvi_core.project.runs import Run
from scanvi_core.services.export import methods
from scanvi_core.services.runs import results
from scanvi_core.services.workspace import Workspace

HOW_TO = """A SCANVI model and how it was made.

model/          weights (safetensors), genes, labels and batches (json); no pickle
settings.json   all settings, seeds and versions, frozen before training began
summary.json    how training went, and the score on labels it had not seen
methods.txt     a paragraph for a paper

To use it again:

    from pathlib import Path
    from scanvi_core.annotation.model.annotator import Annotator

    model = Annotator.load(Path("model"))
    found = model.predict(counts)  # counts of model.genes, CSR [cells, genes]
"""


def write(run: Run, opened: Workspace, path: Path) -> Path:
    """Pack the model of a run, whole or not at all.

    Raises
    ------
    OSError
        If the disk refuses.
    """
    texts = {
        "README.txt": HOW_TO,
        "settings.json": json.dumps(run.settings.as_dict(), indent=1, ensure_ascii=False),
        "summary.json": json.dumps(results.without_nan(run.summary), indent=1),
        "methods.txt": methods.paragraph(opened),
    }
    with (
        runtime.replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as pack,
    ):
        for name, text in texts.items():
            pack.writestr(name, text)
        for file in sorted(run.paths.model.iterdir()):
            if not file.name.startswith("."):
                pack.write(file, f"model/{file.name}")
    return path
