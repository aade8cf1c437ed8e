"""Reads docstrings: the descriptions of a function and of its parameters, in any of the usual styles."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import docstring_parser

__all__ = ["read_docstring"]


def read_docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Return the description of a function, and of each parameter that its docstring describes (in Google, NumPy,
    Sphinx or Epydoc style). Both are empty without a docstring.
    """
    text = inspect.getdoc(function) or ""
    try:
        parsed = docstring_parser.parse(text)
    except docstring_parser.ParseError:
        return text, {}
    descriptions = {param.arg_name.lstrip("*"): (param.description or "").strip() for param in parsed.params}
    return _join(parsed), {name: text for name, text in descriptions.items() if text}


def _join(parsed: docstring_parser.Docstring) -> str:
    """Return the summary and the text after it, up to the first section."""
    gap = "\n\n" if parsed.blank_after_short_description else "\n"
    return gap.join(part for part in (parsed.short_description, parsed.long_description) if part).strip()
