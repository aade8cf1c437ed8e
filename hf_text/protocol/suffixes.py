"""Names of models with a suffix that says who is to serve them."""

from __future__ import annotations

__all__ = ["split_suffix"]


def split_suffix(model: str) -> tuple[str, str | None]:
    """``"org/name:novita"`` is ``("org/name", "novita")``: the model, and a provider or policy; None without one."""
    name, colon, suffix = model.rpartition(":")
    return (name, suffix) if colon and name and suffix and "/" not in suffix else (model, None)
