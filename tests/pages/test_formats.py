"""A file that can be read in two ways is asked about, read as answered, and asked about again."""

import pytest

from scanvi_core.errors import InputError
from scanvi_core.services import jobs, workspace
from scanvi_core.services.jobs import JobStatus
from scanvi_core.services.projects import open_file, questions
from tests.pages.test_screens import buttons, sound, texts

WAIT_S = 120
CELLS = [f"{'ACGT' * 3}{i:02d}-1" for i in range(30)]
GENES = ["ACTB", "**GENE**", *[f"GENE{i}" for i in range(2, 20)]]


@pytest.fixture
def asked(tmp_path):
    """A project whose table waits for its question to be answered."""
    lines = [",".join(["", *CELLS])]
    for at, gene in enumerate(GENES):
        lines.append(",".join([gene, *[str((at + cell) % 3) for cell in range(len(CELLS))]]))
    (tmp_path / "counts.csv").write_text("\n".join(lines) + "\n")
    project = open_file.open_path("counts.csv")
    assert finished(project).status is JobStatus.DONE
    return project


def finished(project):
    return jobs.wait(jobs.list_jobs(project)[-1].id, WAIT_S)


def test_the_open_page_asks_with_a_glimpse_and_goes_on_with_the_answer(asked, visit):
    app = sound(visit("open", asked))
    assert "Which way round is this table?" in [item.value for item in app.header]
    (radio,) = app.radio
    assert radio.value == "cells-in-columns"  # what the names speak for
    glimpse = app.dataframe[0].value
    assert list(glimpse.iloc[:, 0])[:2] == ["ACTB", "**GENE**"]
    app.button(key="part-go").click().run()
    assert finished(asked).status is JobStatus.DONE
    dataset = workspace.workspace(asked).dataset
    assert (dataset.obs_names.tolist(), dataset.var_names.tolist()) == (CELLS, GENES)
    assert dataset.manifest["origin"]["answers"] == {"orientation": "cells-in-columns"}
    assert questions.question(asked) is None
    assert any("is open" in text for text in texts(sound(visit("open", asked))))


def test_a_wrong_answer_is_refused_and_can_be_changed(asked, visit):
    questions.answer(asked, "cells-in-rows")
    job = finished(asked)
    assert job.status is JobStatus.FAILED
    assert "swapped" in job.error[0]
    app = sound(visit("open", asked))
    assert any("swapped" in error.value for error in app.error)
    assert "Read the table this way" in buttons(app)
    questions.answer(asked, "cells-in-columns")
    assert finished(asked).status is JobStatus.DONE


def test_what_is_no_option_is_no_answer(asked):
    with pytest.raises(InputError, match="no answer"):
        questions.answer(asked, "cells-on-the-moon")
