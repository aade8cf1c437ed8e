"""Reads headers common to all responses."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["request_id"]


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the request id, looked up in huggingface_hub's order, plus the id that LiteLLM writes to its logs."""
    for name in ("x-request-id", "x-litellm-call-id", "x-amzn-trace-id", "x-amz-cf-id", "inference-id"):
        if name in headers and (value := headers[name]):  # most responses lack most of these
            return value
    return None
