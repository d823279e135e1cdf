"""Load the heavy libraries before they are needed, so that the first click does not wait."""

import logging
import time

log = logging.getLogger(__name__)
FIRST_PAGE_S = 1.5  # the first page is drawn before the imports compete with it


def load_libraries() -> None:
    """Import torch, scikit-learn and umap-learn and compile the map for small data."""
    time.sleep(FIRST_PAGE_S)
    start = time.monotonic()
    from scanvi_core.annotation import embedding, estimator

    embedding.warm_up()
    log.info("%s and the map are ready after %.1f s", estimator.__name__, time.monotonic() - start)
