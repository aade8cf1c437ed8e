"""Converts the result of a tool to text for the model."""

from __future__ import annotations

import json
from collections.abc import Set
from dataclasses import fields, is_dataclass
from datetime import date, time
from enum import Enum
from typing import Any

__all__ = ["tell"]


def tell(value: Any) -> str:
    """Return a result as text: a str unchanged, anything else as JSON, with ``str()`` for values that JSON lacks."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, default=_plain)
    except (TypeError, ValueError, RecursionError):  # keys that are not strings; a value that contains itself
        return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if hasattr(value, "model_dump"):  # a pydantic model
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, (date, time)):
        return value.isoformat()
    return list(value) if isinstance(value, Set) else str(value)
