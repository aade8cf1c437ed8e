"""Reads headers common to all responses."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["find_header", "request_id"]


def find_header(headers: Mapping[str, str], name: str) -> str:
    """Return a header's value, or ``""``. For a missing header, ``get()`` would raise and catch an exception inside."""
    return headers[name] if name in headers else ""  # noqa: SIM401


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the request id, looked up in huggingface_hub's order, plus the id that LiteLLM writes to its logs."""
    for name in ("x-request-id", "x-litellm-call-id", "x-amzn-trace-id", "x-amz-cf-id", "inference-id"):
        if name in headers and (value := headers[name]):  # most responses lack most of these
            return value
    return None
