"""Splits model names with a suffix that selects a provider or policy."""

from __future__ import annotations

__all__ = ["split_suffix"]


def split_suffix(model: str) -> tuple[str, str | None]:
    """Split ``"org/name:novita"`` into ``("org/name", "novita")``: the model, and the provider or policy or None."""
    name, colon, suffix = model.rpartition(":")
    return (name, suffix) if colon and name and suffix and "/" not in suffix else (model, None)
