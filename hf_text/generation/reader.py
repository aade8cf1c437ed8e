"""One answer, read as it comes and verified at its end.

An answer is whole when a finish reason came and stands, or when ``[DONE]`` came and the body then ended properly:
llama-cpp-python sends ``[DONE]`` on an answer that was cut and leaves the body unterminated, ``transformers serve``
never sends ``[DONE]``, Nebius may send no finish reason. Gateways send a finish reason before the answer; text after it
takes it back. An answer of nothing is never whole, and neither is one whose server tells a failure, in whatever way.
Every other end is an error that carries what arrived.
"""

from __future__ import annotations

import json
import math
import re
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
from ..protocol.error_reports import parse_error
from ..protocol.jsons import loads
from ..protocol.pages import decode_text, describe_page
from ..protocol.replies import name_sender, parse_reply_error
from ..protocol.stream_errors import ReportedError, find_report, is_stream_error
from ..transport.body import BodyCut
from ..transport.call import Interrupted, Wait
from ..transport.failures import describe_unreadable, explain_timeout
from ..transport.response import Response
from .sse import EventTooLong, SSEDecoder, find_stray
from .steps import Step
from .transcript import Transcript

__all__ = ["read_answer"]

# How long to wait for the end of the body after [DONE], so that the connection can be used again.
_END_SECONDS = 0.25

# An event loop should not be kept from its other tasks by what is parsed.
_LONG_EVENT_BYTES = 256 * 1024

_PAGE_BYTES = 65536
_BEGINNING_BYTES = 2000
_BOM = b"\xef\xbb\xbf"
_SSE_FIELDS = (b":", b"data", b"event", b"id", b"retry", _BOM)

# Which finish reasons an answer of nothing may have: the length was used up by reasoning that is not shown, or all that
# was said was taken out.
_REASONS_FOR_NOTHING = ("length", "content_filter")

_ERROR_KINDS = re.compile(r"error|exception", re.IGNORECASE)
_ERROR_TEXT = re.compile(r"\[?error\b", re.IGNORECASE)
_ERROR_FIELD = re.compile(r"\s*error\s*:", re.IGNORECASE)
_OTHER_FIELD = re.compile(r"[\w-]+:")


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
        self._decoder = SSEDecoder(max_event_bytes)
        self._beginning = b""
        self._stray = ""  # what came that is not of an event stream
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
            self._answer.learn()
        if events and (failure is None or self._answer.committed):  # what was only held back commits to nothing
            yield events
        if failure is not None:
            # An error that comes in place of the answer is what it would have been with a status of its own.
            raise failure if self._answer.committed else failure.underlying

    def _read_body(self) -> Iterator[Step]:
        piece = yield from self._first_piece()
        self._beginning = piece[:_BEGINNING_BYTES]
        encoding = self._reply.unreadable(piece)
        if encoding is not None:
            raise MalformedStreamError(f"{self._host}: {describe_unreadable(encoding)}")
        start = piece.removeprefix(_BOM).lstrip()[:1]
        if start in (b"<", b"{", b"["):
            yield from self._call.need_thread()
        if start == b"<":
            raise self._describe_page(piece)
        if start in (b"{", b"["):
            events: list[Event] = []
            failure = self._read_json(piece, events)
            if events:
                yield events
            if failure is not None:
                raise failure
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
            if data.strip() and not _BOM.startswith(data.strip()):
                break
            if len(data) > self._max_event_bytes:
                raise MalformedStreamError(
                    f"{self._host} sent more than {self._max_event_bytes} bytes of white space (max_event_bytes)"
                )
        return bytes(data)

    def _describe_page(self, piece: bytes) -> MalformedStreamError:
        page = decode_text(piece + self._reply.read_error(_PAGE_BYTES), self._reply.headers)
        told = describe_page(self._reply.mask(page))
        who = name_sender(self._host, self._reply.proxy, self._reply.headers)
        return MalformedStreamError(f"{who} sent an HTML page where an answer was asked: {told}")

    def _read_json(self, piece: bytes, events: list[Event]) -> HFTextError | None:
        """An answer in one piece, from a server that does not stream; or an error in spite of status 200."""
        body = piece + self._reply.read_all(self._max_event_bytes)
        if len(body) > self._max_event_bytes:
            return MalformedStreamError(
                f"{self._host} sent JSON of more than {self._max_event_bytes} bytes (max_event_bytes)"
            )
        text = decode_text(body, self._reply.headers)
        try:
            value = loads(text)
            told = isinstance(value, dict) and self._assembler.feed(value, events)
        except ReportedError:
            return self._reported(text)
        except (ValueError, TypeError, RecursionError) as error:
            first = _first_error(text)
            return self._reported(first) if first else self._unreadable("JSON", error, body)
        self._done = True
        if told or not self._assembler.empty:
            return None
        if parse_error(value).message:
            return self._reported(text)
        return MalformedStreamError(f"{self._host} sent JSON that is not a chat completion: {self._show(text)}")

    def _error_in(self, value: Any) -> APIStatusError | ModelNotSupportedError:
        return parse_reply_error(
            None,
            self._reply.headers,
            value,
            now=time.time(),
            host=self._host,
            provider=self._answer.provider,
            model=self._answer.model,
        )

    def _read_stream(self, piece: bytes) -> Iterator[Step]:
        while piece:
            events: list[Event] = []
            failure = self._decode(piece, events)
            if events:
                yield events
            if failure is not None:
                raise failure
            if self._done:
                yield from self._read_end()
                return
            if self._progressed:  # counted from here: what the reader did meanwhile is not the provider's time
                self._call.start_clock("gap")
            self._call.time_left()  # raises Interrupted, also where reading never has to wait
            if self._decoder.unfinished_bytes >= _LONG_EVENT_BYTES:
                yield from self._call.need_thread()
            while not isinstance(following := self._reply.read(), bytes):
                yield following
            piece = following

    def _decode(self, piece: bytes, events: list[Event]) -> HFTextError | None:
        """Decode a piece; give the failure in it, if there is one, instead of raising it: first comes what stands
        before it.
        """
        self._progressed = False
        failure: HFTextError | None = None
        data = ""
        try:
            for kind, data in self._decoder.decode(piece):
                if data[:1] != "{" or kind != "message":
                    if data.strip() == "[DONE]":
                        self._done = True
                        break
                    if self._is_passed_over(kind, data):
                        continue
                if self._assembler.feed(loads(data), events):
                    self._progressed = True
        except ReportedError:
            failure = self._reported(data)
        except EventTooLong as error:
            failure = MalformedStreamError(f"{self._host}: {error}")
        except (ValueError, TypeError, RecursionError) as error:
            failure = self._unreadable("a chunk", error, data)
        if failure is None and self._decoder.strays:
            failure = self._read_strays()
        return failure

    def _is_passed_over(self, kind: str, data: str) -> bool:
        """Whether an event that is not the plain chunk is none at all. Raises ReportedError if it tells a failure."""
        if kind != "message" and _ERROR_KINDS.search(kind):
            raise ReportedError
        if data[:1] == "{":
            return False
        if _ERROR_TEXT.match(data) or (data[:1] == "[" and is_stream_error(loads(data))):
            raise ReportedError
        return kind != "message" or not data.strip()  # a keep-alive in the shape of an event

    def _read_strays(self) -> HFTextError | None:
        """What stands in the stream that is not of an event stream: the failure that it tells."""
        strays, self._decoder.strays = self._decoder.strays, []
        for stray in strays:
            told = _ERROR_FIELD.sub("", stray, count=1)
            if told != stray or _tells_error(stray):
                return self._reported(told.strip())
            if not _OTHER_FIELD.match(stray):
                self._stray = describe_page(stray) if stray.startswith("<") else stray
        return None

    def _read_rest(self) -> HFTextError | None:
        """What came of an event that never ended: the failure that it tells, though it is none by the standard."""
        rest = self._decoder.take_rest()
        self._decoder.strays = list(filter(None, [find_stray(rest)]))
        told = next(
            (line[5:] for line in rest.split("\n") if line.startswith("data:") and _tells_error(line[5:])), None
        )
        return self._reported(told) if told else self._read_strays()

    def _reported(self, data: str) -> ProviderStreamError:
        """The error that the provider reports inside the stream."""
        data = self._reply.mask(data)
        try:
            value = loads(data)
        except (ValueError, RecursionError):
            value = data
        error = self._error_in(find_report(value) or value)
        return ProviderStreamError(f"the provider reported an error inside the stream: {error}", error=error)

    def _read_end(self) -> Iterator[Step]:
        """``[DONE]`` came: see whether the body ends. With a finish reason only for a moment, to use the
        connection again.
        """
        whole = self._assembler.ending.reason is not None
        self._call.start_clock("gap", _END_SECONDS if whole else math.inf)
        while (piece := self._reply.read()) != b"":
            self._call.time_left()
            if isinstance(piece, Wait):
                yield piece

    def _judge(self, ending: Interrupted | BodyCut | HFTextError | None) -> HFTextError | None:
        """The error that the reader is to see, if the answer is not whole."""
        if isinstance(ending, HFTextError):
            return ending
        if isinstance(ending, Interrupted) and ending.clock is None:
            return StreamCancelledError(f"the stream was cancelled{self._arrived()}")
        told = self._read_rest() or self._explain_failed_end()
        if told is not None or self._is_whole(ending is None):
            return told
        if isinstance(ending, Interrupted):
            assert ending.clock is not None
            return explain_timeout(ending.clock, self._call, self._host, self._arrived())
        if isinstance(ending, BodyCut):
            return TruncatedStreamError(f"{self._host} cut the answer off ({ending}){self._arrived()}")
        return self._explain_end()

    def _is_whole(self, proper: bool) -> bool:
        """Whether the answer is whole, as far as can be known.

        Args:
            proper: whether the body ended as it should.
        """
        ending = self._assembler.ending
        if self._assembler.empty and ending.reason not in _REASONS_FOR_NOTHING:
            return False
        if ending.reason is not None:
            return proper or self._done or not ending.early
        return proper and self._done and not self._unexplained()

    def _explain_failed_end(self) -> ProviderStreamError | None:
        """The error for a finish reason that tells a failure."""
        word = self._assembler.ending.failure
        if word is None:
            return None
        told = f"the answer ended with the finish reason {self._reply.mask(word)[:500]!r}"
        error = self._error_in({"message": told})
        return ProviderStreamError(f"the provider reported a failure: {error}{self._arrived()}", error=error)

    def _explain_end(self) -> HFTextError:
        """The error for a body that ended properly, but not the answer in it."""
        if self._assembler.empty and not (self._unexplained() and self._has_begun()):
            return self._explain_emptiness()
        missing = "a finish reason" if self._done else "a finish reason and without [DONE]"
        told = f"{self._host} ended the answer without {missing}{self._arrived()}"
        strange = self._unexplained()
        return TruncatedStreamError(f"{told}; it also sent {self._show(strange)}" if strange else told)

    def _unexplained(self) -> str:
        return self._stray or self._assembler.unexplained

    def _has_begun(self) -> bool:
        """Whether what came is an event stream."""
        start = self._beginning.strip()
        fields = any(start.startswith(field) or field.startswith(start) for field in _SSE_FIELDS)
        return fields or self._done or self._assembler.chunks > 0

    def _explain_emptiness(self) -> HFTextError:
        if not self._has_begun():
            return MalformedStreamError(f"{self._host} sent no event stream, but: {self._show(self._beginning)}")
        what = "nothing but [DONE]" if self._done and not self._assembler.chunks else "no text"
        reason = self._assembler.ending.reason
        why = f", with the finish reason {reason!r:.80}" if reason else ""
        what = what if self._beginning.strip() else "an empty body"
        return TruncatedStreamError(f"{self._host} sent an empty answer: {what}{why}")

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


def _tells_error(text: str) -> bool:
    """Whether a text is the JSON of an error."""
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        return is_stream_error(loads(text))
    except (ValueError, RecursionError):
        return False


def _first_error(text: str) -> str:
    """The JSON of an error that stands at the beginning of a text; ``""`` if there is none."""
    try:
        value, end = json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return ""
    return text.lstrip()[:end] if is_stream_error(value) else ""
