"""Helpers of the batch tests: the requests that the emulator received, and the lines of an output."""

from __future__ import annotations

from typing import Any

from hf_text import Completion, HFTextError, ServerError
from hf_text.batch.index import NO_FINGERPRINT
from hf_text.batch.lines import Line, build_line
from hf_text.emulator import Emulator, Request

__all__ = ["answer", "chats", "encode", "failure", "wait_for_chats"]


def chats(emulator: Emulator) -> list[Request]:
    """Return the chat requests that arrived, without the request for the prices."""
    return [request for request in emulator.requests if request.path.endswith("/chat/completions")]


def wait_for_chats(emulator: Emulator, count: int, timeout: float = 5) -> list[Request]:
    """Block until ``count`` chat requests have arrived, and return them."""
    while len(found := chats(emulator)) < count:
        emulator.wait_for_requests(len(emulator.requests) + 1, timeout)
    return found


def answer(custom_id: str, text: str = "Hi", asked: bytes = NO_FINGERPRINT, **fields: Any) -> Line:
    return Line(custom_id, asked, Completion(text, finish_reason="stop"), **fields)


def failure(custom_id: str, error: HFTextError | None = None, asked: bytes = NO_FINGERPRINT) -> Line:
    return Line(custom_id, asked, error or ServerError("broken", status_code=500))


def encode(*lines: Line) -> bytes:
    return b"".join(map(build_line, lines))
