"""Answers as values of a type: asked for in the way that the provider understands, and held against the type."""

from __future__ import annotations

from .parsing import Parsed, parsing

__all__ = ["Parsed", "parsing"]
