"""Builds the chunks of a chat completion stream from text, in the chosen style."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .styles import Chunk, Style, split_whole
from .wire import build_usage, encode_event, encode_json

__all__ = ["CREATED", "Call", "build_events", "build_logprobs", "build_message"]

CREATED = 1_795_305_600  # the ``created`` of every answer: fixed, so that answers can be compared

Call = tuple[str, str | Mapping[str, Any]]
"""A tool call: the function's name and its arguments, as JSON text or as a mapping."""


def build_message(
    text: str, reasoning: str | None, calls: Sequence[Call], finish: str | None
) -> tuple[Chunk, str | None]:
    """The message and the finish reason of a non-streamed answer."""
    message: Chunk = {"role": "assistant", "content": text if text or not calls else None}
    if reasoning is not None:
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = [split_whole(i, f"call_{i + 1}", *_name_and_text(c))[0] for i, c in enumerate(calls)]
    return message, ("tool_calls" if calls else "stop") if finish == "auto" else finish


def build_events(
    style: Style,
    model: str,
    pieces: Sequence[str],
    reasoning: Sequence[str],
    calls: Sequence[Call],
    usage: tuple[int, int] | None,
    finish: str | None,
    done: bool | None,
    logprobs: int | None = None,
) -> list[bytes]:
    """The complete stream, one element per event; the arguments are those of `Response.text`."""
    deltas = [*_deltas(style, pieces, reasoning), *_call_deltas(style, calls)]
    reason = _finish_reason(style, bool(calls)) if finish == "auto" else finish
    chunks = _Writer(style, model, usage, logprobs).write(
        deltas, reason, merged=bool(calls) and style.finish_on_last_call
    )
    ending = (style.done if done is None else done) * [encode_event("[DONE]", style.prefix)]
    return [*(encode_event(chunk, style.prefix) for chunk in chunks), *ending]


def build_logprobs(pieces: Sequence[str], top: int) -> Chunk:
    """Log probabilities of these tokens, all with the same value, each with ``top`` alternatives including itself."""
    others = [{"token": f"other{n}", "logprob": -2.5 - n, "bytes": list(f"other{n}".encode())} for n in range(1, top)]
    tokens = [{"token": piece, "logprob": -0.25, "bytes": list(piece.encode())} for piece in pieces]
    return {"content": [{**token, "top_logprobs": [token, *others][:top]} for token in tokens], "refusal": None}


def _finish_reason(style: Style, has_calls: bool) -> str | None:
    if has_calls:
        return "tool_calls" if style.finish_with_calls else None
    return style.finish


def _deltas(style: Style, pieces: Sequence[str], reasoning: Sequence[str]) -> Iterator[Chunk]:
    if style.first is not None:
        yield dict(style.first)
    if style.reasoning == "<think>":
        thought = ("<think>", "\n", *reasoning, "\n", "</think>", "\n\n") if reasoning else ()
        pieces = (*thought, *pieces)
    else:
        yield from ({**style.base, style.reasoning: piece, **style.reasoning_extra} for piece in reasoning)
    yield from ({**style.base, "content": piece} for piece in pieces)


def _call_deltas(style: Style, calls: Sequence[Call]) -> Iterator[Chunk]:
    for index, call in enumerate(calls):
        for fragment in style.calls(index, f"call_{index + 1}", *_name_and_text(call)):
            yield {**style.base, "tool_calls": [fragment]}


def _name_and_text(call: Call) -> tuple[str, str]:
    name, arguments = call
    return name, arguments if isinstance(arguments, str) else encode_json(arguments).decode()


@dataclass
class _Writer:
    """Wraps deltas into chunks and adds the usage where the style sends it."""

    style: Style
    model: str
    usage: tuple[int, int] | None
    logprobs: int | None = None

    def write(self, deltas: Sequence[Chunk], reason: str | None, merged: bool) -> Iterator[Chunk]:
        """The chunks; ``merged`` puts the finish reason on the last delta instead of a separate chunk."""
        last = len(deltas) - 1
        for number, delta in enumerate(deltas):
            if merged and number == last and reason is not None:
                yield self._finish(delta, reason)
            else:
                yield self._chunk(delta, None, {}, tokens=number)
        if reason is not None and not merged:
            end_text = self.style.end_text
            yield self._finish({} if end_text is None else {**self.style.base, "content": end_text}, reason)
            for _ in range(self.style.after_finish):
                yield self._chunk({"role": "assistant"}, None, {}, tokens=last)
        if self.usage is not None and "last" in self.style.usage:
            yield {**self._head(), "choices": [], "usage": self._sums(self.usage[1])}

    def _finish(self, delta: Chunk, reason: str) -> Chunk:
        extra = dict(self.style.finish_chunk)
        if self.usage is not None and "finish" in self.style.usage:
            extra["usage"] = self._sums(self.usage[1])
        return self._chunk(delta, reason, extra, tokens=None)

    def _chunk(self, delta: Chunk, reason: str | None, extra: Mapping[str, Any], tokens: int | None) -> Chunk:
        choice: Chunk = {"index": 0, "delta": delta, **self.style.choice}
        if self.logprobs is not None and delta.get("content"):
            choice["logprobs"] = build_logprobs([delta["content"]], self.logprobs)
        if self.style.text_in_choice:
            choice["text"] = delta.get("content") or ""
        if reason is not None or self.style.null_finish:
            choice["finish_reason"] = reason
        return {**self._head(), "choices": [choice], **self._running_usage(tokens), **extra}

    def _running_usage(self, tokens: int | None) -> Chunk:
        if self.usage is not None and "every" in self.style.usage:
            most = self.usage[1]
            return {"usage": self._sums(most if tokens is None else min(tokens, most))}
        return {"usage": None} if self.style.null_usage else {}

    def _sums(self, completion: int) -> Chunk:
        assert self.usage is not None
        return {**build_usage(self.usage[0], completion), **self.style.usage_extra}

    def _head(self) -> Chunk:
        head = {"id": "chatcmpl-emulator", "object": "chat.completion.chunk", "created": CREATED, "model": self.model}
        return {**head, **self.style.chunk}
