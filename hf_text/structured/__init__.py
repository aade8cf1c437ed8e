"""Answers as values of a type: requested in a way that the provider supports, and checked against the type."""

from __future__ import annotations

from .parsing import Parsed, parsing

__all__ = ["Parsed", "parsing"]
