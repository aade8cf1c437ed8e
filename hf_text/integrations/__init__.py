"""Integrations with other libraries. Each module needs the package that it is named after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import MissingExtraError

__all__: list[str] = []


@contextmanager
def importing(package: str, extra: str) -> Iterator[None]:
    """A context for the imports of a module that needs this package. Raises MissingExtraError, which names the extra to
    install.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
    else:
        return
    raise MissingExtraError(
        f"this needs {package}: pip install 'hf_text[{extra}]'", package=package, extra=extra
    ) from None
