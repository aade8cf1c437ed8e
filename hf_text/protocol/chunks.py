"""Chunks of a chat completion, one by one, to events; and the answer that grows out of them.

Every provider streams its own dialect of the protocol. What differs, with an example of who does it:

* usage on every chunk (Baseten), on the finish chunk (Cerebras), on a last chunk without choices (Novita), on two
  of them (Groq), or never (Nebius): the last one counts;
* a finish reason followed by more chunks (Novita), ``eos_token`` together with the token itself (TGI), or none at all;
* reasoning as ``reasoning`` (Groq, Together), ``reasoning_content`` (Fireworks, Z.ai, vLLM), as ``<think>`` tags in
  the text, or as typed parts of a content list (Mistral);
* ``delta.content`` null, absent or empty; ``text`` or ``message`` in place of ``delta``.
"""

from __future__ import annotations

import re
from typing import Any

from ..events import Event, FinishReason, Reasoning, ToolCall, ToolCalls, Usage
from .surrogates import SurrogateJoiner, is_whole, join_surrogates
from .think_tags import ThinkSplitter
from .tool_calls import ToolCallAssembler

__all__ = ["Assembler", "parse_usage"]

_END_TOKEN = re.compile(r"</s>|<eos>|<end_of_turn>|<\|[a-z_]+\|>")


class Assembler:
    """Turns the chunks of one answer into events, and keeps the answer.

    Attributes:
        finish_reason: the last one that came, or None.
        chunks: how many chunks were fed.
    """

    __slots__ = (
        "_calls",
        "_content_joiner",
        "_pass_through",
        "_reasoning",
        "_reasoning_joiner",
        "_text",
        "_think",
        "_usage",
        "chunks",
        "finish_reason",
    )

    def __init__(self) -> None:
        # UTF-8: lists would keep each small str, which takes ten times the memory of its characters, and StringIO keeps
        # a hundred thousand of them before it joins them.
        self._text = bytearray()
        self._reasoning = bytearray()
        self._calls = ToolCallAssembler()
        self._usage: Any = None
        self._think = ThinkSplitter()
        self._content_joiner = SurrogateJoiner()
        self._reasoning_joiner = SurrogateJoiner()
        self._pass_through = False  # content goes out as it comes: it is past every tag, and no half waits
        self.finish_reason: str | None = None
        self.chunks = 0

    @property
    def text(self) -> str:
        """The answer so far."""
        return self._text.decode()

    @property
    def reasoning(self) -> str:
        """The reasoning so far."""
        return self._reasoning.decode()

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls so far; the last one may be incomplete."""
        return self._calls.calls()

    @property
    def usage(self) -> Usage | None:
        """The last usage that came."""
        return parse_usage(self._usage)

    @property
    def empty(self) -> bool:
        """Whether nothing came that could be called an answer: no text, reasoning, tool call or finish reason."""
        return not (self._text or self._reasoning or self._calls or self.finish_reason)

    def feed(self, chunk: Any, out: list[Event]) -> bool:
        """Take one chunk; append the text and reasoning in it to ``out``.

        Returns True if the answer made progress: keep-alive chunks and empty deltas make none.
        Raises ValueError for a chunk that cannot be read.
        """
        # This runs once for each token. The common chunk costs a handful of look-ups; what is rare is done elsewhere.
        if chunk.__class__ is not dict:
            raise ValueError(f"a chunk is no object: {chunk!r:.80}")
        self.chunks += 1
        usage = chunk.get("usage")
        if usage and usage.__class__ is dict:
            self._usage = usage
        choices = chunk.get("choices")
        if not choices:
            return False
        choice = choices[0] if choices.__class__ is list else None
        if choice.__class__ is not dict:
            raise ValueError(f"choices holds no object: {choices!r:.80}")
        finish = choice.get("finish_reason")
        delta = choice.get("delta")
        if delta.__class__ is not dict:
            delta = _read_other_delta(choice)
        text = delta.get("content")
        plain = len(delta) == 1 or (len(delta) == 2 and "role" in delta)
        if plain and self._pass_through and text.__class__ is str and text and not finish and is_whole(text):
            self._text += text.encode()
            out.append(text)
            return True
        return self._feed_rare(delta, finish, out)

    def _feed_rare(self, delta: dict[str, Any], finish: Any, out: list[Event]) -> bool:
        content, thought = _read_content(delta)
        if finish == "eos_token" and _END_TOKEN.fullmatch(content):
            content = ""  # TGI 2 sends the end token itself as the last text
        reasoning, text = self._think.feed(self._content_joiner.feed(content))
        self._pass_through = self._think.done and not self._content_joiner.held
        self._emit(self._reasoning_joiner.feed(thought) + reasoning, text, out)
        calls = _read_calls(delta)
        if calls:
            self._calls.feed(calls)
        if finish:
            self.finish_reason = join_surrogates(str(finish))
        return bool(content or thought or calls or finish)

    def _emit(self, reasoning: str, text: str, out: list[Event]) -> None:
        if reasoning:
            self._reasoning += reasoning.encode()
            out.append(Reasoning(reasoning))
        if text:
            self._text += text.encode()
            out.append(text)

    def flush(self, out: list[Event]) -> None:
        """The answer has ended, in whatever way: append what was held back as a possible tag or half a character."""
        reasoning, text = self._think.feed(self._content_joiner.flush())
        held_reasoning, held_text = self._think.flush()
        self._emit(self._reasoning_joiner.flush() + reasoning + held_reasoning, text + held_text, out)

    def finish(self, out: list[Event]) -> None:
        """The answer is whole: append what comes at its end, the tool calls, the usage and the finish reason."""
        self.flush(out)
        if self._calls:
            out.append(ToolCalls(self._calls.calls()))
        usage = self.usage
        if usage is not None:
            out.append(usage)
        if self.finish_reason is not None:
            out.append(FinishReason(self.finish_reason))


def parse_usage(value: Any) -> Usage | None:
    """The usage object of a chunk; None where it is missing or holds no counts."""
    if not isinstance(value, dict):
        return None
    prompt, completion = _count(value, "prompt_tokens"), _count(value, "completion_tokens")
    total = _count(value, "total_tokens")
    if prompt is None and completion is None and total is None:
        return None
    prompt, completion = prompt or 0, completion or 0
    return Usage(
        prompt,
        completion,
        prompt + completion if total is None else total,
        _detail(value, "completion_tokens_details", "reasoning_tokens"),
        _detail(value, "prompt_tokens_details", "cached_tokens"),
    )


def _count(value: dict[str, Any], key: str) -> int | None:
    number = value.get(key)
    if isinstance(number, float) and number.is_integer():  # neither NaN nor infinite
        return int(number)
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _detail(usage: dict[str, Any], details: str, key: str) -> int | None:
    """A count of the nested details, or the flat one that Together sends."""
    nested = usage.get(details)
    number = _count(nested, key) if isinstance(nested, dict) else None
    return _count(usage, key) if number is None else number


def _read_other_delta(choice: dict[str, Any]) -> dict[str, Any]:
    """The delta of servers that call it ``message`` (an answer in one piece) or ``text`` (text completions)."""
    if choice.get("delta"):
        raise ValueError(f"a delta is no object: {choice['delta']!r:.80}")
    message = choice.get("message")
    if isinstance(message, dict):
        return message
    return {"content": choice.get("text")}


def _read_content(delta: dict[str, Any]) -> tuple[str, str]:
    """The text and the reasoning of a delta."""
    content = delta.get("content")
    reasoning = delta.get("reasoning_content") or delta.get("reasoning") or delta.get("reasoning_text") or ""
    thought = ""
    if content is None or content == "":
        content = delta.get("refusal") or ""
    elif isinstance(content, list):
        content, thought = _read_parts(content)
    if not isinstance(content, str) or not isinstance(reasoning, str):
        raise ValueError(f"the content of a delta is no text: {delta!r:.80}")
    return content, reasoning + thought


def _read_parts(parts: list[Any]) -> tuple[str, str]:
    """Text and reasoning of a content list: ``{"type": "text"}`` and Mistral's ``{"type": "thinking"}`` parts."""
    text, reasoning = "", ""
    for part in parts:
        if isinstance(part, str):
            text += part
        elif isinstance(part, dict) and part.get("thinking"):
            thinking = part["thinking"]
            reasoning += "".join(_read_parts(thinking if isinstance(thinking, list) else [str(thinking)]))
        elif isinstance(part, dict):
            text += str(part.get("text") or part.get("refusal") or "")
    return text, reasoning


def _read_calls(delta: dict[str, Any]) -> Any:
    """The fragments of tool calls in a delta; the older ``function_call`` is one call."""
    calls = delta.get("tool_calls")
    if not calls and delta.get("function_call"):
        return [{"index": 0, "function": delta["function_call"]}]
    return calls
