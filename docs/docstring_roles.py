"""An extension of griffe: references in docstrings are shown by their names alone."""

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:class|func|meth|mod):`[.~]?([^`]+)`")


class Roles(griffe.Extension):
    """Turns the roles of docstrings, such as ``:class:`VAE```, into names in code."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring is not None:
            obj.docstring.value = ROLE.sub(r"`\1`", obj.docstring.value)
