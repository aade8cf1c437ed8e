"""Encoding for the chat protocol: JSON, server-sent events, usage and token-like pieces."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["Event", "build_usage", "encode_event", "encode_json", "split_words"]

Event = Mapping[str, Any] | str | bytes
"""One server-sent event: a mapping (sent as JSON data), a text (sent as data unchanged), or raw bytes of the stream."""


def encode_json(value: object) -> bytes:
    """JSON as servers write it: compact, UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def encode_event(event: Event, prefix: bytes = b"data: ") -> bytes:
    """The bytes of one event; raw bytes are returned unchanged."""
    if isinstance(event, bytes):
        return event
    data = event.encode() if isinstance(event, str) else encode_json(event)
    return prefix + data + b"\n\n"


def build_usage(prompt: int, completion: int) -> dict[str, Any]:
    """The ``usage`` object with its three counts."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def split_words(text: str) -> list[str]:
    """Split a text before its spaces, like tokens. Joining the pieces restores the text."""
    return re.findall(r"\s*\S+|\s+\Z", text)
