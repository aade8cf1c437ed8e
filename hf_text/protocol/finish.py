"""Why an answer ended: the words of many servers, told as the protocol's own, and those that tell a failure."""

from __future__ import annotations

import re
from typing import Any

from .surrogates import join_surrogates

__all__ = ["is_failure", "normalize", "read_finish"]

_NONE = ("null", "none", "unspecified", "finish_reason_unspecified")

_WORDS = {
    word: reason
    for reason, words in {
        "stop": "stop eos eos_token stop_sequence end_turn complete completed stop_token",
        "length": "length max_tokens max_output_tokens model_length max_length model_context_window_exceeded",
        "tool_calls": "tool_calls tool_call tool_use",
        "content_filter": "content_filter content_filtered safety sensitive recitation blocklist prohibited_content spii",
    }.items()
    for word in words.split()
}

# vLLM's abort, Z.ai's network_error, DeepSeek's insufficient_system_resource, Gemini's MALFORMED_FUNCTION_CALL …
_FAILURE = re.compile(
    r"error|abort|fail|cancel|malformed|insufficient|overload|time_?d?_?out|unavailable|exception|interrupt"
    r"|network|unexpected_tool_call|disconnect"
)


def read_finish(choice: dict[str, Any], delta: dict[str, Any]) -> str:
    """The server's own word; ``""`` where there is none. Gemini's is ``finishReason``; SGLang's own API has an object."""
    word = choice.get("finish_reason") or choice.get("finishReason") or delta.get("finish_reason")
    if isinstance(word, dict):
        word = word.get("type")
    text = join_surrogates(word) if isinstance(word, str) else str(word) if word else ""
    return "" if text.lower() in _NONE else text


def normalize(word: str) -> str:
    """The protocol's word for it; the server's own where the protocol has none."""
    return _WORDS.get(word.lower(), word)


def is_failure(word: str) -> bool:
    """Whether it tells that the answer failed."""
    return word.lower() not in _WORDS and bool(_FAILURE.search(word.lower()))
