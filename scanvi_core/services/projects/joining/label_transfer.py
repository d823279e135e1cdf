"""Labels and their history, given to another project that has some of the same cells."""

import numpy as np

from scanvi_core.project.label_log.exchange.transfer import translate
from scanvi_core.project.label_log.storage.signing import VERIFIED
from scanvi_core.services.workspace import Workspace

CHOICES = ("labels_key", "unlabeled", "holdout")  # settings that speak of the labels


def transfer(earlier: Workspace, opened: Workspace, place: np.ndarray) -> None:
    """Give a project without labels those of another, with all their steps.

    Parameters
    ----------
    place
        Per cell of the other project its row here, -1 where it is not here.

    Raises
    ------
    ProjectError
        If this project has labels already.
    """
    proven = {event.seq for event in earlier.store.events() if event.proof == VERIFIED}
    records = translate(earlier.store.records(), place, opened.dataset.n_obs)
    opened.store.fill(records, proven)
    settings = earlier.project.settings
    opened.project.update_settings(**{key: settings[key] for key in CHOICES if key in settings})
