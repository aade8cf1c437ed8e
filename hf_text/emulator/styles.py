"""The peculiarities of each provider's chat completion stream, as a table.

The router passes the upstream's stream through unchanged, and no two upstreams agree on where they send the role, the
usage, the reasoning and the parts of a tool call. A `Style` describes one upstream, `STYLES` is the table of all;
`chunks` builds the chunks from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["STYLES", "Chunk", "Style", "split_whole"]

Chunk = dict[str, Any]

CallSplitter = Callable[[int, str, str, str], list[Chunk]]
"""A function from the index, id, name and arguments of a tool call to its deltas."""


def _split(arguments: str) -> list[str]:
    return [arguments[i : i + 8] for i in range(0, len(arguments), 8)]


def split_whole(index: int, id_: str, name: str, arguments: str) -> list[Chunk]:
    """The ``tool_calls`` delta of a call that is sent in one piece."""
    return [{"index": index, "id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}]


def _whole_without_id(index: int, id_: str, name: str, arguments: str) -> list[Chunk]:
    return [{"index": index, "function": {"arguments": arguments, "name": name}, "type": "function"}]


def _whole_index_minus_one(index: int, id_: str, name: str, arguments: str) -> list[Chunk]:
    return split_whole(-1, id_, name, arguments)


def _fragments(index: int, id_: str, name: str, arguments: str) -> list[Chunk]:
    rest = [{"index": index, "function": {"arguments": part}} for part in _split(arguments)]
    return [*split_whole(index, id_, name, ""), *rest]


def _fragments_null_id(index: int, id_: str, name: str, arguments: str) -> list[Chunk]:
    first = {"index": index, "id": id_, "type": "function", "function": {"name": name}}
    return [first, *({"index": index, "id": None, "function": {"arguments": part}} for part in _split(arguments))]


def _fragments_repeated_id(index: int, id_: str, name: str, arguments: str) -> list[Chunk]:
    first, *rest = _split(arguments) or [""]
    repeated = {"index": index, "id": id_, "type": "function"}
    return [*split_whole(index, id_, name, first), *({**repeated, "function": {"arguments": part}} for part in rest)]


def _fragments_id_zero(index: int, id_: str, name: str, arguments: str) -> list[Chunk]:
    names = [name, *[None] * len(_split(arguments))]
    parts = ["", *_split(arguments)]
    return [
        {"index": index, "id": "0", "type": "function", "function": {"name": n, "arguments": part}}
        for n, part in zip(names, parts, strict=True)
    ]


@dataclass(frozen=True)
class Style:
    """The format of one upstream's stream.

    Attributes:
        first: the delta of a separate first chunk; None if the first chunk is not separate.
        base: the fields of every delta.
        reasoning: the key of reasoning in a delta; ``"<think>"`` puts it into the content between tags.
        reasoning_extra: further fields of deltas with reasoning.
        null_finish: whether ordinary chunks have ``"finish_reason": null``; else they lack the key.
        usage: which chunks carry usage: ``"every"`` chunk (the counts so far), the ``"finish"`` chunk, a ``"last"``
            chunk without choices.
        null_usage: whether the other chunks have ``"usage": null``.
        usage_extra: further fields of usage, in addition to the three counts.
        calls: how a tool call is split.
        finish: the finish reason of a complete text.
        end_text: content of the finish chunk; None: its delta is empty.
        finish_with_calls: whether an answer with tool calls has a finish reason at all.
        finish_on_last_call: whether the last piece of the tool calls carries the finish reason.
        after_finish: how many more chunks with a null finish reason follow the finish chunk.
        done: whether ``[DONE]`` ends the stream.
        prefix: the prefix of the data lines.
        chunk: further keys of every chunk (``id`` and ``object`` replace the default ones).
        choice: further keys of every choice.
        finish_chunk: further keys of the finish chunk.
        text_in_choice: whether the content is repeated as ``text`` next to the delta.
    """

    first: Mapping[str, Any] | None = field(default_factory=lambda: {"role": "assistant", "content": ""})
    base: Mapping[str, Any] = field(default_factory=dict)
    reasoning: str = "reasoning_content"
    reasoning_extra: Mapping[str, Any] = field(default_factory=dict)
    null_finish: bool = True
    usage: tuple[str, ...] = ("last",)
    null_usage: bool = False
    usage_extra: Mapping[str, Any] = field(default_factory=dict)
    calls: CallSplitter = _fragments
    finish: str = "stop"
    end_text: str | None = None
    finish_with_calls: bool = True
    finish_on_last_call: bool = False
    after_finish: int = 0
    done: bool = True
    prefix: bytes = b"data: "
    chunk: Mapping[str, Any] = field(default_factory=dict)
    choice: Mapping[str, Any] = field(default_factory=dict)
    finish_chunk: Mapping[str, Any] = field(default_factory=dict)
    text_in_choice: bool = False


_ROLE = {"role": "assistant"}
_TOGETHER_DELTA = {"token_id": None, "role": "assistant", "content": "", "reasoning": None}
_NOVITA_FILTER = {"content_filter_results": {"hate": {"filtered": False}, "violence": {"filtered": False}}}
_CEREBRAS_TIMES = {
    "time_info": {"queue_time": 0.02, "prompt_time": 0.003, "completion_time": 0.01, "total_time": 0.033}
}

STYLES: dict[str, Style] = {
    "openai": Style(null_usage=True, choice={"logprobs": None}),
    "novita": Style(
        first=_ROLE, chunk={"system_fingerprint": "", "sla_metrics": {"ttft_ms": 274, "ts_us": 1_795_305_600_000_000}}
    ),
    # novita in 2025: usage on every chunk, and more chunks after the one with "stop"
    "novita-2025": Style(
        first=_ROLE, usage=("every", "last"), after_finish=2, chunk={"system_fingerprint": ""}, choice=_NOVITA_FILTER
    ),
    "together": Style(
        first=_TOGETHER_DELTA,
        base=_TOGETHER_DELTA,
        reasoning="reasoning",
        null_usage=True,
        end_text="",
        choice={"logprobs": None},
        text_in_choice=True,
    ),
    # together with DeepSeek-R1: tags in the content, usage on the finish chunk
    "together-r1": Style(
        first=None,
        base={"token_id": 3, "role": "assistant"},
        reasoning="<think>",
        usage=("finish",),
        null_usage=True,
        usage_extra={"cached_tokens": 0},
        calls=_whole_index_minus_one,
        end_text="",
        choice={"logprobs": None, "seed": None},
        text_in_choice=True,
    ),
    "fireworks": Style(first=_ROLE, null_usage=True, calls=_fragments_null_id, choice={"raw_output": None}),
    "groq": Style(
        reasoning="reasoning",
        reasoning_extra={"channel": "analysis"},
        usage=("finish", "last"),
        usage_extra={"queue_time": 0.17, "total_time": 0.12},
        calls=split_whole,
        chunk={"system_fingerprint": "fp_emulator"},
        choice={"logprobs": None},
        finish_chunk={"x_groq": {"id": "req_emulator"}},
    ),
    "cerebras": Style(
        first=_ROLE,
        reasoning="reasoning",
        null_finish=False,
        usage=("finish",),
        usage_extra={"image_tokens": 0},
        chunk={"system_fingerprint": "fp_emulator"},
        finish_chunk=_CEREBRAS_TIMES,
    ),
    # text-generation-inference 2.0, as hf-inference served it
    "tgi": Style(
        first=None,
        base=_ROLE,
        calls=_fragments_id_zero,
        finish="eos_token",
        end_text="</s>",
        finish_with_calls=False,
        done=False,
        prefix=b"data:",
        chunk={"id": "", "object": "text_completion", "system_fingerprint": "2.0.1-sha-2d0a717"},
        choice={"logprobs": None},
    ),
    "nebius": Style(
        calls=_whole_without_id,
        finish_with_calls=False,
        end_text="",
        choice={"logprobs": None},
    ),
    "baseten": Style(
        first=None,
        null_finish=False,
        usage=("every", "last"),
        usage_extra={"completion_tokens_details": {"reasoning_tokens": 0}},
        calls=_fragments_repeated_id,
        finish_on_last_call=True,
    ),
    "zai-org": Style(first=None, base=_ROLE, null_finish=False, usage=("finish",), end_text=""),
    "cohere": Style(usage=("finish",)),
    # ``transformers serve``
    "transformers": Style(calls=split_whole, usage=("finish",), done=False, chunk={"system_fingerprint": ""}),
    # llama.cpp's llama-server
    "llamacpp": Style(
        first={"role": "assistant", "content": None},
        chunk={"system_fingerprint": "b6000-emulator"},
    ),
}
