"""One answer, read as it comes and verified at its end.

An answer is whole when a finish reason came, or when ``[DONE]`` came and the body then ended properly:
llama-cpp-python sends ``[DONE]`` on an answer that was cut and leaves the body unterminated, ``transformers serve``
never sends ``[DONE]``, Nebius may send no finish reason. Every other end is an error that carries what arrived.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from typing import Any
from urllib.parse import urlsplit

from ..errors import (
    APIStatusError,
    HFTextError,
    MalformedStreamError,
    ModelNotSupportedError,
    ProviderStreamError,
    StreamCancelledError,
    TruncatedStreamError,
)
from ..events import Event
from ..protocol.jsons import loads
from ..protocol.replies import describe_page, is_stream_error, parse_error, parse_reply_error
from ..transport.body import BodyCut
from ..transport.call import Interrupted, Wait
from ..transport.failures import explain_timeout
from ..transport.response import Response
from .sse import EventTooLong, SSEDecoder
from .steps import Step
from .transcript import Transcript

__all__ = ["read_answer"]

# How long to wait for the rest (the usage, the end of the body) of an answer that is whole already, in seconds.
_REST_SECONDS = 5.0
# How long to wait for the end of the body after [DONE], so that the connection can be used again.
_END_SECONDS = 0.25

# An event loop should not be kept from its other tasks by what is parsed.
_LONG_EVENT_BYTES = 256 * 1024

_PAGE_BYTES = 65536
_BEGINNING_BYTES = 2000
_SSE_FIELDS = (b":", b"data", b"event", b"id", b"retry", b"\xef\xbb\xbf")


def read_answer(reply: Response, answer: Transcript, max_event_bytes: int) -> Iterator[Step]:
    """Read an answer with status 200: yield its events, all that have arrived at a time.

    While nothing has arrived and the call does not block, yields what to wait for. Ends when the answer is whole.
    Otherwise raises, after all that arrived was yielded, the error that tells how it ended.
    """
    url = reply.url.partition("?")[0]
    for step in _Reader(reply, answer, max_event_bytes).read():
        if isinstance(step, list):
            answer.commit(step, url)
        yield step


class _Reader:
    """The reading of one answer."""

    def __init__(self, reply: Response, answer: Transcript, max_event_bytes: int) -> None:
        self._reply = reply
        self._answer = answer
        self._call = answer.call
        self._assembler = answer.assembler
        self._max_event_bytes = max_event_bytes
        self._host = urlsplit(reply.url).netloc
        self._beginning = b""
        self._done = False  # [DONE] came
        self._progressed = False  # the last piece brought the answer forward

    def read(self) -> Iterator[Step]:
        """The events in the portions in which they arrive; then the verdict."""
        ending: Interrupted | BodyCut | HFTextError | None = None
        try:
            yield from self._read_body()
        except (Interrupted, BodyCut, HFTextError) as error:
            ending = error
        events: list[Event] = []
        self._assembler.flush(events)  # before the verdict: what was held back counts
        failure = self._judge(ending)
        if failure is None:
            self._answer.whole = True
            self._assembler.finish(events)
        if events and (failure is None or self._answer.committed):  # what was only held back commits to nothing
            yield events
        if failure is not None:
            raise failure

    def _read_body(self) -> Iterator[Step]:
        piece = yield from self._first_piece()
        self._beginning = piece[:_BEGINNING_BYTES]
        start = piece.lstrip()[:1]
        if start in (b"<", b"{", b"["):
            yield from self._call.need_thread()
        if start == b"<":
            page = (piece + self._reply.read_all(_PAGE_BYTES)).decode("utf-8", "replace")
            page = describe_page(self._reply.mask(page))
            raise MalformedStreamError(f"{self._host} sent an HTML page where an answer was asked: {page}")
        if start in (b"{", b"["):
            events: list[Event] = []
            self._read_json(piece, events)
            if events:
                yield events
        else:
            yield from self._read_stream(piece)

    def _first_piece(self) -> Generator[Wait, None, bytes]:
        """The beginning of the body, up to its first character that is no white space."""
        data = bytearray()
        while (piece := self._reply.read()) != b"":
            if isinstance(piece, Wait):
                yield piece
                continue
            data += piece
            if piece.strip():
                break
            if len(data) > self._max_event_bytes:
                raise MalformedStreamError(
                    f"{self._host} sent more than {self._max_event_bytes} bytes of white space (max_event_bytes)"
                )
        return bytes(data)

    def _read_json(self, piece: bytes, events: list[Event]) -> None:
        """An answer in one piece, from a server that does not stream; or an error in spite of status 200."""
        body = piece + self._reply.read_all(self._max_event_bytes)
        if len(body) > self._max_event_bytes:
            raise MalformedStreamError(
                f"{self._host} sent JSON of more than {self._max_event_bytes} bytes (max_event_bytes)"
            )
        try:
            value = loads(body)
            if isinstance(value, dict) and value.get("choices"):
                self._assembler.feed(value, events)
                failure = None
            else:
                failure = self._refusal(loads(self._reply.mask(body.decode())))
        except (ValueError, RecursionError) as error:
            failure = self._unreadable("JSON", error, body)
        if failure is not None:  # raised out here: what was caught carries all that came
            raise failure
        self._done = True

    def _refusal(self, value: Any) -> HFTextError:
        """The error for JSON that is no answer."""
        if not parse_error(value).message:
            return MalformedStreamError(f"{self._host} sent JSON that is no answer: {self._show(str(value))}")
        return self._error_in(value, self._reply.status)

    def _error_in(self, value: Any, status: int | None) -> APIStatusError | ModelNotSupportedError:
        return parse_reply_error(
            status,
            self._reply.headers,
            value,
            now=time.time(),
            host=self._host,
            provider=self._answer.provider,
            model=self._answer.model,
        )

    def _read_stream(self, piece: bytes) -> Iterator[Step]:
        decoder = SSEDecoder(self._max_event_bytes)
        while piece:
            events: list[Event] = []
            failure = self._decode(decoder, piece, events)
            if events:
                yield events
            if failure is not None:
                raise failure
            if self._done:
                yield from self._read_end()
                return
            if self._progressed:  # counted from here: what the reader did meanwhile is not the provider's time
                self._call.start_clock("gap", _REST_SECONDS if self._assembler.finish_reason else math.inf)
            self._call.time_left()  # raises Interrupted, also where reading never has to wait
            if decoder.unfinished_bytes >= _LONG_EVENT_BYTES:
                yield from self._call.need_thread()
            while not isinstance(following := self._reply.read(), bytes):
                yield following
            piece = following

    def _decode(self, decoder: SSEDecoder, piece: bytes, events: list[Event]) -> HFTextError | None:
        """Decode a piece; give the failure in it, if there is one, instead of raising it: first comes what stands
        before it.
        """
        self._progressed = False
        data = ""
        try:
            for kind, data in decoder.decode(piece):
                if kind == "error":
                    return self._reported(data)
                if data[:1] != "{":
                    word = data.strip()
                    if word == "[DONE]":
                        self._done = True
                        return None
                    if not word or kind != "message":  # a keep-alive in the shape of an event
                        continue
                chunk = loads(data)
                if chunk.__class__ is dict and ("choices" not in chunk or "error" in chunk) and is_stream_error(chunk):
                    return self._reported(data)
                if self._assembler.feed(chunk, events):
                    self._progressed = True
        except EventTooLong as error:
            return MalformedStreamError(f"{self._host}: {error}")
        except (ValueError, TypeError, RecursionError) as error:
            return self._unreadable("a chunk", error, data)
        return None

    def _reported(self, data: str) -> ProviderStreamError:
        """The error that the provider reports inside the stream."""
        data = self._reply.mask(data)
        try:
            value = loads(data)
        except ValueError:
            value = data
        error = self._error_in(value, None)
        return ProviderStreamError(f"the provider reported an error inside the stream: {error}", error=error)

    def _read_end(self) -> Iterator[Step]:
        """``[DONE]`` came: see whether the body ends. With a finish reason only for a moment, to use the
        connection again.
        """
        whole = self._assembler.finish_reason is not None
        self._call.start_clock("gap", _END_SECONDS if whole else math.inf)
        while (piece := self._reply.read()) != b"":
            self._call.time_left()
            if isinstance(piece, Wait):
                yield piece

    def _judge(self, ending: Interrupted | BodyCut | HFTextError | None) -> HFTextError | None:
        """The error that the reader is to see, if the answer is not whole."""
        if isinstance(ending, Interrupted):
            return self._explain_interruption(ending)
        if isinstance(ending, BodyCut):
            return self._explain_cut(ending)
        return self._verify() if ending is None else ending

    def _verify(self) -> HFTextError | None:
        """The body ended properly: is the answer whole?"""
        if self._assembler.finish_reason is not None:
            return None
        if self._assembler.empty:
            return self._explain_emptiness()
        if self._done:
            return None
        return TruncatedStreamError(
            f"{self._host} ended the answer without a finish reason and without [DONE]{self._arrived()}"
        )

    def _explain_emptiness(self) -> HFTextError:
        beginning = self._beginning.strip()
        begun = any(beginning.startswith(field) or field.startswith(beginning) for field in _SSE_FIELDS)
        if not self._assembler.chunks and not self._done and not begun:
            return MalformedStreamError(f"{self._host} sent no event stream, but: {self._show(self._beginning)}")
        what = "nothing but [DONE]" if self._done and not self._assembler.chunks else "no text"
        return TruncatedStreamError(f"{self._host} sent an empty answer: {what if beginning else 'an empty body'}")

    def _explain_cut(self, cut: BodyCut) -> HFTextError | None:
        if self._assembler.finish_reason is not None:
            return None
        return TruncatedStreamError(f"{self._host} cut the answer off ({cut}){self._arrived()}")

    def _explain_interruption(self, interruption: Interrupted) -> HFTextError | None:
        if interruption.clock is None:
            return StreamCancelledError(f"the stream was cancelled{self._arrived()}")
        if self._assembler.finish_reason is not None:
            return None
        return explain_timeout(interruption.clock, self._call, self._host, self._arrived())

    def _arrived(self) -> str:
        return f" after {len(self._assembler.text)} characters of text had arrived"

    def _unreadable(self, what: str, error: Exception, data: bytes | str) -> MalformedStreamError:
        text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
        reason = f" ({error})" if self._reply.mask(text) == text else ""  # it may show a part of the data
        return MalformedStreamError(f"{self._host} sent {what} that cannot be read{reason}: {self._show(data)}")

    def _show(self, data: bytes | str) -> str:
        """The beginning of what came, for a message."""
        text = self._reply.mask(data.decode("utf-8", "replace") if isinstance(data, bytes) else data)
        return repr(text if len(text) <= 160 else text[:160] + "…")
