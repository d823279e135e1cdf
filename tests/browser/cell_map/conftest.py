"""Pages of the map, which keeps nothing in the browser."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.conftest import new_context, page_of


@pytest.fixture(scope="module")
def shared_context(browser: Any) -> Iterator[Any]:
    """One for the pages of a file: the scripts of streamlit are fetched and compiled once."""
    context = new_context(browser)
    yield context
    context.close()


@pytest.fixture
def page(shared_context: Any) -> Iterator[Any]:
    """A fresh page, 1280 x 720; an uncaught error in it fails the test."""
    with page_of(shared_context) as fresh:
        yield fresh
        fresh.close()
