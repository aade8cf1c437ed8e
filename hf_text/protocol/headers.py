"""What the headers of every reply tell."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["request_id"]


def request_id(headers: Mapping[str, str]) -> str | None:
    """The id of the request, in the order in which huggingface_hub looks for it; LiteLLM's in its logs."""
    for name in ("x-request-id", "x-litellm-call-id", "x-amzn-trace-id", "x-amz-cf-id", "inference-id"):
        if name in headers and (value := headers[name]):  # each is missing in nearly every reply
            return value
    return None
