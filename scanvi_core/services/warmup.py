"""Load the heavy libraries before they are needed, so that the first click does not wait."""

import gc
import logging
import time

log = logging.getLogger(__name__)
FIRST_PAGE_S = 1.5  # the first page is drawn before the imports compete with it


def load_libraries() -> None:
    """Import torch, scikit-learn and umap-learn, train on nothing much, compile the map."""
    time.sleep(FIRST_PAGE_S)
    start = time.monotonic()
    from scanvi_core.annotation.layout import embedding
    from scanvi_core.annotation.model import annotator

    annotator.warm_up()
    log.info("Training is ready after %.1f s", time.monotonic() - start)
    embedding.warm_up()
    gc.freeze()  # a million objects of the libraries stay: looking at them again is wasted
    log.info("The map is ready after %.1f s", time.monotonic() - start)
