"""What the headers of every reply tell."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["find_header", "request_id"]


def find_header(headers: Mapping[str, str], name: str) -> str:
    """The value of a header; ``""`` where it is missing, which costs ``get()`` an exception."""
    return headers[name] if name in headers else ""  # noqa: SIM401


def request_id(headers: Mapping[str, str]) -> str | None:
    """The id of the request, in the order in which huggingface_hub looks for it; LiteLLM's in its logs."""
    for name in ("x-request-id", "x-litellm-call-id", "x-amzn-trace-id", "x-amz-cf-id", "inference-id"):
        if name in headers and (value := headers[name]):  # each is missing in nearly every reply
            return value
    return None
