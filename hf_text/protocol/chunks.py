"""Turns the chunks of a chat completion into events and assembles the answer from them.

Every provider streams its own dialect of the protocol. Known differences, with an example provider:

* usage on every chunk (Baseten), on the finish chunk (Cerebras), on a last chunk without choices (Novita), on two
  chunks (Groq), in the choice (Moonshot), or never (Nebius): the last one is used;
* a finish reason followed by more chunks (Novita), on the first chunk (Open WebUI) or on every chunk (Vertex AI
  through LiteLLM), ``eos_token`` together with the token itself (TGI), or none at all;
* reasoning under seven names, in as many forms (see ``deltas``), or as ``<think>`` tags in the text;
* ``delta.content`` null, absent or empty; ``text`` or ``message`` instead of or in addition to ``delta``, where the
  message repeats the whole text so far (Perplexity);
* several choices, of which the one with index 0 is the answer.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from ..checks import show
from ..completion import Logprob
from ..events import Event, FinishReason, Reasoning, ToolCall, ToolCalls, Usage
from .choices import Picker, tells_end, unwrap
from .deltas import DELTA_KEYS, Told, read_delta, read_other_delta
from .extras import Extras
from .finish import Ending, read_finish
from .logprobs import read_logprobs
from .stream_errors import ReportedError, is_stream_error
from .surrogates import SurrogateJoiner, is_whole
from .think_tags import ThinkSplitter, find_lone_close
from .tool_calls import ToolCallAssembler
from .usage import count_completion, find_usage, parse_usage, tells_counts
from .values import as_text
from .whole_messages import WholeMessages, read_whole

__all__ = ["Assembler"]

_END_TOKEN = r"</s>|<eos>|<end_of_turn>|<\|[a-z_]+\|>"

_CHUNK_KEYS = frozenset({"id", "object", "created", "model", "choices", "usage", "system_fingerprint", "error"})
_CHOICE_KEYS = frozenset(
    {"index", "delta", "message", "text", "finish_reason", "finishReason", "logprobs", "usage", "error"}
)
_SILENT_CHOICE = frozenset({"index", "delta", "finish_reason", "logprobs"})  # no content outside the delta
_MAX_APART = 100
# Keys that carry no content in a chunk without choices.
_SILENT_KEYS = _CHUNK_KEYS | {"type", "service_tier", "provider", "finish_reason", "finishReason", "stop_reason"}


class Assembler:
    """Turns the chunks of one answer into events and assembles the answer.

    Args:
        opened: the prompt opened a ``<think>`` tag, so the model only closes it.

    Attributes:
        ending: the finish reason, as far as it is known.
        id: the answer's id from its chunks, or None.
        model: the model named in the chunks, or None.
        unexplained: a chunk that could not be understood; ``""`` if there was none.
        system_fingerprint: the last one received, or None.
        reasoning_key: the field that held the reasoning, ``"<think>"`` for tags; ``""`` for none.
        chunks: the number of chunks fed.
    """

    __slots__ = (
        "_apart",
        "_calls",
        "_choice_keys",
        "_chunk_keys",
        "_content_joiner",
        "_extras",
        "_logprobs",
        "_messages",
        "_pass_through",
        "_picker",
        "_reasoning",
        "_reasoning_joiner",
        "_text",
        "_think",
        "_usage",
        "chunks",
        "ending",
        "id",
        "model",
        "reasoning_key",
        "system_fingerprint",
        "unexplained",
    )

    def __init__(self, opened: bool = False) -> None:
        # UTF-8 bytes: a list would keep every small str, at ten times the memory of its characters, and StringIO keeps
        # a hundred thousand of them before joining.
        self._text = bytearray()
        self._reasoning = bytearray()
        self._calls = ToolCallAssembler()
        self._usage: Any = None
        self._extras = Extras()
        self._logprobs: list[Logprob] = []
        self._picker = Picker()
        self._think = ThinkSplitter(opened)
        self._content_joiner = SurrogateJoiner()
        self._reasoning_joiner = SurrogateJoiner()
        # Content is emitted unchanged: all tags are parsed, no surrogate half is buffered, no finish reason is set.
        self._pass_through = False
        # The number of keys in the last fully parsed chunk: a chunk with more may hold something new.
        self._chunk_keys = self._choice_keys = 0
        self._messages = WholeMessages()
        # Chunks without choices may be a gateway's report of a failure, so they are read once the answer is complete.
        self._apart: list[dict[str, Any]] = []
        self.ending: Ending = Ending()
        self.id: str | None = None
        self.model: str | None = None
        self.unexplained: str = ""
        self.system_fingerprint: str | None = None
        self.reasoning_key: str = ""
        self.chunks: int = 0

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
    def finish_reason(self) -> str | None:
        """The current finish reason."""
        return self.ending.reason

    @property
    def usage(self) -> Usage | None:
        """The last usage received."""
        return parse_usage(self._usage)

    @property
    def logprobs(self) -> tuple[Logprob, ...]:
        """The tokens so far with their log probabilities, if they were requested."""
        return tuple(self._logprobs)

    @property
    def extra(self) -> dict[str, Any]:
        """Fields outside the protocol, under the provider's names."""
        word = self.ending.word
        return {**self._extras.result(), **({"finish_reason": word} if word else {})}

    @property
    def empty(self) -> bool:
        """Whether the answer is empty: no text, reasoning, tool call, picture or sound."""
        return not (self._text or self._reasoning or self._calls or self._extras.told)

    @property
    def closed_only(self) -> bool | None:
        """Whether this model closes a ``<think>`` tag that it does not open; None if this answer does not show it."""
        if self._think.closed_only or self._think.unclosed:
            return self._think.closed_only
        if self.reasoning_key:
            return False
        return True if b"</think>" in self._text and find_lone_close(self.text) else None

    def feed(self, chunk: Any, out: list[Event]) -> bool:
        """Process one chunk; append its text and reasoning to ``out``.

        Returns True if the answer made progress; keep-alive chunks and empty deltas make none.
        Raises ValueError for a chunk that cannot be parsed, ReportedError for one that reports an error.
        """
        # Runs once per token: the common chunk costs a handful of lookups, everything else is in _feed_rare.
        self.chunks += 1
        if self._pass_through:
            try:
                choice = chunk["choices"][0]
                delta = choice["delta"]
                text = delta["content"]
            except (KeyError, IndexError, TypeError):
                return self._feed_rare(chunk, out)
            if (
                text.__class__ is str
                and text
                and (len(delta) == 1 or (len(delta) == 2 and "role" in delta))
                and len(choice) == self._choice_keys
                and len(chunk) == self._chunk_keys
                and not (choice.get("finish_reason") or choice.get("index"))
                and not ("logprobs" in choice and choice["logprobs"])  # noqa: RUF019  # quicker than get()
                and (text.isascii() or is_whole(text))
            ):
                if "usage" in chunk and chunk["usage"].__class__ is dict and chunk["usage"]:
                    self._usage = chunk["usage"]
                self._text += text.encode()
                out.append(text)
                return True
        return self._feed_rare(chunk, out)

    def _feed_rare(self, chunk: Any, out: list[Event]) -> bool:
        if not isinstance(chunk, dict):
            raise ValueError(f"a chunk is not an object: {chunk!r:.80}")
        choices = chunk.get("choices")
        failed = is_stream_error(chunk)
        inner = None if choices or failed else unwrap(chunk)
        if inner is not None:
            return self._feed_rare(inner, out)
        picked = self._picker.pick(choices) if choices else []
        usage = find_usage(chunk, picked[-1] if picked else {})
        progressed = False
        if usage is not None and (self._usage is None or tells_counts(usage)):
            # If the server counts on every chunk, a higher count is progress even if the tokens are not shown.
            progressed = self._usage is not None and count_completion(usage) > count_completion(self._usage)
            self._usage = usage
        self.system_fingerprint = as_text(chunk.get("system_fingerprint")) or self.system_fingerprint
        self.id, self.model = self.id or as_text(chunk.get("id")), self.model or as_text(chunk.get("model"))
        for choice in picked:
            progressed = self._feed_choice(choice, out) or progressed
        if failed:  # raised only after text in the same chunk was emitted
            raise ReportedError
        if not choices and (finish := read_finish(chunk, {})):
            self.ending.tell(finish, chunk)
        if choices is None:
            self._apart = [*self._apart[-_MAX_APART:], chunk]
        else:
            self._extras.keep(chunk, _CHUNK_KEYS)
        if choices:
            self._chunk_keys = len(chunk)
            others = not picked and any(choices)  # another choice continues
            if others and self.ending.reason is None and tells_end(choices):
                self.unexplained = show(chunk)
            return progressed or others
        if choices is None and usage is None:
            self._note_unexplained(chunk)
        return progressed

    def _note_unexplained(self, chunk: dict[str, Any]) -> None:
        strange = any(value not in (None, "") and key not in _SILENT_KEYS for key, value in chunk.items())
        if strange and chunk.get("type") != "ping":
            self.unexplained = show(chunk)

    def _feed_choice(self, choice: dict[str, Any], out: list[Event]) -> bool:
        self._choice_keys = len(choice)
        progressed = self._extras.keep(choice, _CHOICE_KEYS)
        logprobs = read_logprobs(choice.get("logprobs"))
        self._logprobs += logprobs
        delta = choice.get("delta")
        if delta.__class__ is not dict:
            delta = read_other_delta(choice)
        told = read_delta(delta)
        progressed = self._extras.keep_delta(delta, DELTA_KEYS) or progressed or bool(logprobs)
        if not (told.text or told.reasoning or told.calls or told.unread or _SILENT_CHOICE.issuperset(choice)):
            told = self._read_beside(choice)
        finish = read_finish(choice, delta)
        progressed = self._take(told, finish, out) or progressed
        if finish:
            self.ending.tell(finish, choice)
        self._pass_through = self._think.done and not self._content_joiner.held and self.ending.reason is None
        return progressed or bool(finish)

    def _read_beside(self, choice: dict[str, Any]) -> Told:
        """Read the fields next to an empty delta: the next text, or a message. A message may repeat everything so far;
        only the text missing from the deltas is used.
        """
        message = choice.get("message")
        if not message or not isinstance(message, (dict, str)):
            return read_delta({**choice, "content": choice.get("content") or choice.get("text")})
        if isinstance(message, str):
            message = {"content": message}
        told = read_delta(message)
        if self._calls:
            told = told._replace(calls=[call for call in told.calls if not self._calls.has(call)])
        self._extras.keep_delta(message, DELTA_KEYS)
        text, reasoning = self.text, self.reasoning
        if self._messages.begun or not (text or reasoning):
            if not self._messages.begun:  # the message also contains the delta text that is still buffered
                self._think, self._content_joiner = ThinkSplitter(), SurrogateJoiner()
            return self._messages.read(told)
        added = read_whole(told, text, reasoning)
        if added is None and told.text.strip() not in text:
            self._extras.set("message", told.text)
        text, reasoning = added or ("", "")
        self._think.done = self._think.done or bool(text)
        return told._replace(text=text, reasoning=reasoning)

    def _take(self, told: Told, finish: str, out: list[Event]) -> bool:
        content = told.text
        if finish == "eos_token" and re.fullmatch(_END_TOKEN, content):
            content = ""  # TGI 2 sends the end token as the last text
        called = bool(told.calls) and self._calls.feed(told.calls)
        if content or told.reasoning or called:
            self.ending.go_on()
        if told.reasoning:
            self.reasoning_key = self.reasoning_key or told.key
            self._think.expect_none()
            told = self._drop_repeated(told)
        if content or told.reasoning:
            reasoning, text = self._think.feed(self._content_joiner.feed(content))
            if reasoning:
                self.reasoning_key = self.reasoning_key or "<think>"
            self._emit(self._reasoning_joiner.feed(told.reasoning) + reasoning, text, out)
        unread = told.unread and self._extras.keep_delta(told.unread, frozenset())
        return bool(content or told.reasoning or called or unread)

    def _drop_repeated(self, told: Told) -> Told:
        """Drop repeated reasoning: MiniMax resends all of it in the details of each chunk."""
        if told.key in ("reasoning_details", "thinking_blocks") and 0 < len(self._reasoning) < len(
            told.reasoning.encode()
        ):
            return told._replace(reasoning=told.reasoning.removeprefix(self.reasoning))
        return told

    def _emit(self, reasoning: str, text: str, out: list[Event]) -> None:
        if reasoning:
            self._reasoning += reasoning.encode()
            out.append(Reasoning(reasoning))
        if text:
            self._text += text.encode()
            out.append(text)

    def flush(self, out: list[Event]) -> None:
        """At the end of the stream, complete or not: append text buffered as a possible tag or surrogate half."""
        with suppress(ValueError):  # from a malformed delta
            for choice in self._picker.take_left():
                self._feed_choice(choice, out)
            if self.ending.reason == "tool_calls" and not self._calls:
                for said in self._picker.take_calls():
                    self._calls.feed(read_delta(said).calls)
        reasoning, text = self._think.feed(self._content_joiner.flush())
        held_reasoning, held_text = self._think.flush()
        self._emit(self._reasoning_joiner.flush() + reasoning + held_reasoning, text + held_text, out)

    def finish(self, out: list[Event]) -> None:
        """When the answer is complete: append the tool calls, the usage and the finish reason."""
        self.flush(out)
        self.ending.settle()
        for chunk in self._apart:
            self._extras.keep(chunk, _CHUNK_KEYS)
        if self._think.unclosed and self.ending.reason != "length":
            # The tag that the prompt supposedly opened was never closed, so the text was the answer after all.
            self._emit("", self.reasoning, out)
            self._reasoning.clear()
            self.reasoning_key = ""
        if self._calls:
            out.append(ToolCalls(self._calls.calls()))
        usage = self.usage
        if usage is not None:
            out.append(usage)
        if self.ending.reason is not None:
            out.append(FinishReason(self.ending.reason))
