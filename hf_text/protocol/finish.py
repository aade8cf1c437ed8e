"""Why an answer ended: the words of many servers, told as the protocol's own, and those that tell a failure."""

from __future__ import annotations

import re
from typing import Any

from .surrogates import join_surrogates
from .values import as_object

__all__ = ["Ending", "read_finish"]

_USUAL = ("stop", "length", "tool_calls")  # in nearly every answer
_NONE = ("null", "none", "unspecified", "false", "not_finished", "in_progress")
_PREFIX = "finish_reason_"

_WORDS = {
    word: reason
    for reason, words in {
        "stop": "stop eos eos_token stop_sequence end_turn complete completed stop_token stop_str eos_found end"
        " endoftext finish finished ended done normal success succeeded true",
        "length": "length max_tokens max_output_tokens max_new_tokens model_length max_length max_context_length"
        " model_context_window_exceeded context_window_exceeded context_length_exceeded token_limit incomplete"
        " length_limit max_output_reached max_tokens_reached",
        "tool_calls": "tool_calls tool_call tool_use",
        "content_filter": "content_filter content_filtered safety sensitive recitation blocklist prohibited_content"
        " block blocked content_blocked"
        " spii language refusal image_safety image_prohibited_content model_armor guardrail_intervened",
    }.items()
    for word in words.split()
}

# vLLM's abort, Z.ai's network_error, DeepSeek's insufficient_system_resource, Gemini's MALFORMED_FUNCTION_CALL …
_FAILURE = (
    r"error|abort|fail|cancel|malformed|insufficient|overload|time_?d?_?out|unavailable|exception|interrupt"
    r"|network|unexpected_tool_call|too_many|disconnect|rate_?limit|quota|capacity|load_?shed|preempt|crash"
    r"|kill|terminat|shut_?down|out_of_memory|\boom\b|evict|reject"
)


class Ending:
    """The finish reason of one answer, which counts until the answer continues after it.

    Attributes:
        reason: the one that stands, in the protocol's word where it has one, else the server's own; None for none.
        word: the server's own word, where that is another.
        failure: what the server says, where its reason means that the answer failed.
        early: whether the answer went on after a reason, so that a reason does not tell that it is whole.
    """

    __slots__ = ("_taken_back", "early", "failure", "reason", "word")

    def __init__(self) -> None:
        self.reason: str | None = None
        self.word: str | None = None
        self.failure: str | None = None
        self.early: bool = False
        self._taken_back: str | None = None

    def tell(self, word: str, choice: dict[str, Any]) -> None:
        """A finish reason came, in this choice."""
        known = _WORDS.get(word) or _WORDS.get(_plain(word))
        self.reason = known or word
        self.word = None if word == self.reason else word
        self.failure = _describe(word, choice) if known is None and re.search(_FAILURE, word.lower()) else None

    def go_on(self) -> None:
        """More of the answer came."""
        if self.reason is not None:
            self._taken_back, self.reason, self.failure = self.reason, None, None
            self.early = True

    def settle(self) -> None:
        """The answer is whole: without another, the reason that was taken back is the one."""
        if self.reason is None:
            self.reason = self._taken_back


def read_finish(choice: dict[str, Any], delta: dict[str, Any]) -> str:
    """The server's own word; ``""`` where there is none. Gemini names it ``finishReason``, Anthropic ``stop_reason``;
    SGLang's own API has an object.
    """
    word = choice.get("finish_reason") or choice.get("finishReason") or delta.get("finish_reason")
    if not word and ("stop_reason" in choice or "stop_reason" in delta):
        word = choice.get("stop_reason") or delta.get("stop_reason")
        word = word if isinstance(word, str) else ""  # vLLM's is the token
    if not word or word in _USUAL:
        return word or ""
    if isinstance(word, list) and word:
        word = word[0]
    if isinstance(word, dict):
        word = word.get("type")
    text = join_surrogates(word) if isinstance(word, str) else str(word) if word else ""
    return "" if _plain(text) in _NONE else text


def _plain(word: str) -> str:
    """The word in lower case, its parts joined by underscores: ``toolUse`` and ``tool-use`` are ``tool_use``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[ -]", "_", word).lower().removeprefix(_PREFIX)


def _describe(word: str, choice: dict[str, Any]) -> str:
    """The word, and what OpenRouter and Gemini say beside it, or SGLang inside it."""
    said = [choice.get(key) for key in ("native_finish_reason", "finish_message", "finishMessage", "error_message")]
    said.append(as_object(choice.get("finish_reason")).get("message"))
    return ": ".join(dict.fromkeys([word, *(join_surrogates(text) for text in said if isinstance(text, str) and text)]))
