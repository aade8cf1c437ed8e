"""Fuzz targets. Each takes arbitrary bytes, and raises if the library breaks one of its guarantees.

The inputs are readable: each target's docstring describes its format, and ``corpus/`` has examples.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

from requests.structures import CaseInsensitiveDict

from hf_text import APIStatusError, Client, HFTextError, InvalidRequestError, RequestTimeoutError, StreamError, Timeouts
from hf_text.emulator import Emulator, Response
from hf_text.events import Event, FinishReason, Reasoning, ToolCalls, Usage
from hf_text.generation.sse import STRAY, EventTooLong, SSEDecoder
from hf_text.protocol.catalog import chat_providers, parse_hub_models, parse_mapping, parse_models
from hf_text.protocol.chunks import Assembler
from hf_text.protocol.replies import next_link, parse_reply_error
from hf_text.protocol.selection import select_models
from hf_text.protocol.stream_errors import ReportedError, is_stream_error
from hf_text.transport.framing import BadFraming, ChunkedFraming, CloseFraming, Framing, LengthFraming

sys.path.append(str(Path(__file__).parents[1]))
from sse_reference import read_events

__all__ = ["TARGETS"]

_NOW = 1_800_000_000.0
_LIMIT = 200  # bytes per event, small enough for the fuzzer to exceed it


def sse(data: bytes) -> None:
    """Input: a byte with the piece size (0: all at once), then an event stream."""
    stream = data[1:]
    expected = read_events(stream)
    assert _events(_cut(data), 1 << 30) == (expected, False)
    events, too_long = _events([stream], _LIMIT)
    assert _events(_cut(data), _LIMIT) == (events, too_long)
    assert events == expected if not too_long else events == expected[: len(events)]


def _events(pieces: list[bytes], limit: int) -> tuple[list[tuple[str, str]], bool]:
    decoder, events = SSEDecoder(limit), []
    try:
        for piece in pieces:
            for event in decoder.decode(piece):
                if event[0] != STRAY:
                    events.append(event)
    except EventTooLong:
        return events, True
    return events, False


def _cut(data: bytes) -> list[bytes]:
    """Split the bytes after the first into pieces of the size given by the first."""
    size = data[0] if data and data[0] else max(len(data), 1)
    return [data[at : at + size] for at in range(1, len(data), size)]


def framing(data: bytes) -> None:
    """Input: a byte with the piece size, a byte for the framing (``c``: chunked, ``e``: until the connection closes,
    any other: the length of the body), then the bytes on the connection.
    """
    kind, wire = data[1:2], data[2:]
    pieces = _cut(data[:1] + wire)
    if kind == b"c":
        body, verdict = _decode(ChunkedFraming(), pieces)
        assert (body, verdict) == _decode(ChunkedFraming(), [wire])
        assert verdict == "bad" or wire.count(b"\n") >= 1
        assert len(body) <= len(wire)
    elif kind == b"e":
        assert _decode(CloseFraming(), pieces) == (wire, "ended")
    else:
        length = kind[0] if kind else 0
        verdict = "ended" if len(wire) >= length else "bad"
        assert _decode(LengthFraming(length), pieces) == (wire[:length], verdict)


def _decode(decoder: Framing, pieces: list[bytes]) -> tuple[bytes, str]:
    body = b""
    try:
        for piece in pieces:
            if decoder.ended:
                break
            body += decoder.feed(piece)
            if decoder.failure is not None:
                return body, "bad"
        return body + (b"" if decoder.ended else decoder.close()), "ended"
    except BadFraming:
        return body, "bad"


def chunks(data: bytes) -> None:
    """Input: lines of JSON, each a chunk of a stream. Other lines are ignored."""
    assembler, events = Assembler(), []  # type: ignore[var-annotated]
    for chunk in _lines_of_json(data):
        seen = len(events)
        try:
            progressed = assembler.feed(chunk, events)
        except ReportedError:
            assert is_stream_error(chunk)
            break
        except (ValueError, TypeError, RecursionError):  # handled by the stream reader
            break
        assert progressed or len(events) == seen
    else:
        assembler.finish(events)
        _check_end(assembler, events)
    assembler.flush(events)
    assert "".join(map(str, events)) == assembler.text
    assert "".join(event.text for event in events if isinstance(event, Reasoning)) == assembler.reasoning
    said = assembler.text or assembler.reasoning or assembler.tool_calls
    assert not (assembler.empty and said)
    assert assembler.empty or said or assembler.extra
    _check_shown(assembler)
    for text in (assembler.text, assembler.reasoning, _finish(assembler), *_texts_of_calls(assembler)):
        text.encode()


def _check_shown(assembler: Assembler) -> None:
    """Check that ``extra`` can be represented, copied, pickled and written as JSON."""
    extra = assembler.extra
    assert json.loads(json.dumps(extra, allow_nan=True)) is not None
    assert repr(pickle.loads(pickle.dumps(extra))) == repr(copy.deepcopy(extra)) == repr(extra)
    repr(assembler.logprobs)
    assert assembler.usage is None or min(vars_of(assembler.usage)) >= 0


def vars_of(usage: Usage) -> list[int]:
    """Return the counts that are not None."""
    return [count for count in dataclasses.astuple(usage) if count is not None]


def _finish(assembler: Assembler) -> str:
    return assembler.finish_reason or ""


def _texts_of_calls(assembler: Assembler) -> list[str]:
    calls = assembler.tool_calls
    assert len({call.id for call in calls}) == len(calls)
    assert all(call.id for call in calls)
    return [text for call in calls for text in (call.id, call.name, call.arguments)]


def _check_end(assembler: Assembler, events: list[Event]) -> None:
    """Check that a complete answer ends with its tool calls, usage and finish reason, in this order and once each."""
    end = [event for event in events if isinstance(event, (ToolCalls, Usage, FinishReason))]
    expected: list[Event] = [ToolCalls(assembler.tool_calls)] if assembler.tool_calls else []
    expected += [assembler.usage] if assembler.usage else []
    expected += [FinishReason(assembler.finish_reason)] if assembler.finish_reason else []
    assert end == expected == events[len(events) - len(end) :]


def _lines_of_json(data: bytes) -> Iterator[Any]:
    for line in data.split(b"\n"):
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            continue


def replies(data: bytes) -> None:
    """Input: an HTTP response in plain lines: the status, the headers, an empty line, the body."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")
    status = int(first) if first.isascii() and first.isdecimal() and len(first) < 6 else None
    headers = CaseInsensitiveDict({name: value.strip() for name, _, value in (line.partition(":") for line in lines)})
    for content in (body, *_lines_of_json(body)):
        error = parse_reply_error(status, headers, content, now=_NOW, host="host", model="m", hugging_face=True)
        assert isinstance(error, APIStatusError)
        assert str(error)
        str(error).encode()
        assert error.retry_after is None or error.retry_after >= 0
        assert len(str(error)) < 20_000 + len(head)
    next_link(headers.get("link", ""))


def catalog(data: bytes) -> None:
    """Input: lines of JSON, each parsed as a model list, as a provider mapping and as a Hub listing."""
    for value in _lines_of_json(data):
        for parse in (parse_models, parse_mapping, parse_hub_models):
            try:
                parsed = parse(value)
            except ValueError:
                continue
            _use(parsed)


def _use(parsed: Any) -> None:
    """Check that all properties and filters work on the parsed objects."""
    repr(parsed)
    if isinstance(parsed, dict):
        chat_providers(parsed)
        again = parse_mapping({name: entry.to_dict() for name, entry in parsed.items()})
        assert [entry.live for entry in again.values()] == [entry.live for entry in parsed.values()]
        return
    for model in parsed:
        hash(model)
        _ask_all(model)
    if parsed and hasattr(parsed[0], "offers"):
        conditions: list[dict[str, Any]] = [
            {"sort": by} for by in ("price", "throughput", "latency", "context", "name")
        ]
        conditions += [{"sort": "created"}, {"search": "a"}, {"provider": "novita"}, {"vision": True}, {"tools": True}]
        conditions += [{"structured_output": False}, {"min_context": 1}, {"max_output_price": 0.5}]
        for condition in conditions:
            assert len(select_models(parsed, **condition)) <= len(parsed)


def _ask_all(model: Any) -> None:
    for name in dir(type(model)):
        if not name.startswith("_"):
            getattr(model, name)


def answer(data: bytes) -> None:
    """Input: a byte with the number of bytes per write (0: all at once), then a raw HTTP response."""
    server, client = _server_and_client()
    server.always(Response(raw=data[1:], keep_alive=False, write_size=data[0] if data and data[0] else None))
    events: list[Event] = []
    stream = client.stream("Hi", "m")
    try:
        events.extend(stream.events())
    except HFTextError as error:
        _check_error(error, events)
    else:
        _check_whole(stream.completion, events)
    str(stream.partial).encode()


def _check_error(error: HFTextError, events: list[Event]) -> None:
    assert not isinstance(error, InvalidRequestError), error
    assert len(error.attempts) == 1
    str(error).encode()
    partial: Any = error.partial
    assert partial is not None or not isinstance(error, StreamError)
    if events:
        assert isinstance(error, (StreamError, RequestTimeoutError))
        assert "".join(map(str, events)) == partial.text
        assert "".join(event.text for event in events if isinstance(event, Reasoning)) == partial.reasoning


def _check_whole(completion: Any, events: list[Event]) -> None:
    assert "".join(map(str, events)) == completion.text
    assert completion.text or completion.reasoning or completion.tool_calls or completion.finish_reason
    assert completion.finish_reason is None or events[-1] == FinishReason(completion.finish_reason)


_open = ExitStack()


@cache
def _server_and_client() -> tuple[Emulator, Client]:
    server = _open.enter_context(Emulator())
    timeouts = Timeouts(5, 5, 5, 10)
    return server, _open.enter_context(Client(api_base=server.api_base, max_retries=0, timeout=timeouts))


def close() -> None:
    """Close the server and the client that the targets share."""
    _server_and_client.cache_clear()
    _open.close()


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (sse, framing, chunks, replies, catalog, answer)
}
