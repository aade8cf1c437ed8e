"""Reads one answer as it arrives and verifies its end (see ``verdict``). An incomplete answer raises an error that
carries the partial answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Iterator
from contextlib import suppress

from ..errors import HFTextError, MalformedStreamError
from ..events import Event
from ..protocol.choices import is_piece
from ..protocol.error_reports import parse_error
from ..protocol.jsons import loads, read_values
from ..protocol.pages import decode_text, describe_page
from ..protocol.stream_errors import ReportedError, begins_report, is_aside, is_stream_error, reports_failure
from ..transport.body import BodyCut
from ..transport.call import Interrupted, Wait
from ..transport.response import Response
from .reports import Reports
from .sse import STRAY, EventTooLong, SSEDecoder
from .steps import Step
from .transcript import Transcript
from .verdict import BOM, Verdict

__all__ = ["read_answer"]

# How long to wait for the end of the body after [DONE], so that the connection can be reused.
_END_SECONDS = 0.25

# Longer events are parsed in a thread, so that parsing does not block the event loop.
_LONG_EVENT_BYTES = 256 * 1024

_BEGINNING_BYTES = 2000
_REPORT_BYTES = 65536

_ERROR_KINDS = r"(?i)error|exception"
_FAILURE_KINDS = r"(?i)fail|abort|fatal|timeout"
_ERROR_TEXT = r"(?i)\[?error\b"
_ERROR_FIELD = r"(?im)^[ \t]*error[ \t]*:"
_OTHER_FIELD = r"[\w-]+:"
_BARE_VALUES = (
    r"(?i)[\s\0\ufeff]*(?:data\s*:\s*)*[\[{]"  # without a ``data:`` field, or with one that violates the standard
)

_JSON_STARTS = (b"{", b"[", b'"')
_DONE = ("DONE", "END", "EOS")  # without surrounding characters: "[DONE]", <|end|>
# Keep-alives that servers send in place of a chunk: also "[PING]", '"ping"', "." or nothing.
_KEEP_ALIVES = ("", "null", "true", "false", "0", "1", "ok", "ping", "pong", "keepalive", "keep-alive", "heartbeat")
_AROUND = " \t\n\0[]<|>\"'.:-"


def read_answer(reply: Response, answer: Transcript, max_event_bytes: int) -> Iterator[Step]:
    """Read an answer with status 200: yield its events, all available ones at a time.

    While nothing has arrived and the call does not block, yields a ``Wait``. Returns when the answer is complete.
    Otherwise raises an error that explains the end, after yielding all events that arrived.
    """
    return _Reader(reply, answer, max_event_bytes).read()


class _Reader:
    """Reads one answer."""

    def __init__(self, reply: Response, answer: Transcript, max_event_bytes: int) -> None:
        self._reply = reply
        self._answer = answer
        self._call = answer.call
        self._assembler = answer.assembler
        self._max_event_bytes = max_event_bytes
        self._long = min(_LONG_EVENT_BYTES, max_event_bytes // 4)
        self._reports = Reports(reply, answer)
        self._decoder = SSEDecoder(max_event_bytes)
        self._verdict = Verdict(self._assembler, self._call, self._reports)
        self._progressed = False  # whether the last piece added to the answer

    def read(self) -> Iterator[Step]:
        """Yield the events in batches as they arrive, then judge the answer."""
        ending: Interrupted | BodyCut | HFTextError | None = None
        try:
            yield from self._read_body()
        except (Interrupted, BodyCut, HFTextError) as error:
            ending = error
        events: list[Event] = []
        failure = ending if isinstance(ending, HFTextError) else self._read_rest(ending, events)
        self._assembler.flush(events)  # before the verdict, because buffered text counts
        if not isinstance(ending, HFTextError):
            failure = failure or self._verdict.judge(ending)
        if failure is None:
            self._answer.whole = True
            self._assembler.finish(events)
            self._answer.learn()
        if events and (failure is None or self._answer.committed):  # buffered text does not commit a failed answer
            yield self._hand_out(events)
        if failure is not None:
            # An error reported instead of an answer is raised as if it had come with its own HTTP status.
            raise failure if self._answer.committed else failure.underlying

    def _hand_out(self, events: list[Event]) -> list[Event]:
        if not self._answer.committed:
            self._answer.commit(events, self._reply.mask(self._reply.url.partition("?")[0]))
        return events

    def _read_body(self) -> Iterator[Step]:
        piece = yield from self._first_piece()
        self._verdict.beginning = piece[:_BEGINNING_BYTES]
        encoding = self._reply.unreadable(piece) if piece else None
        if encoding is not None:
            raise self._reports.encoded(encoding)
        start = piece.removeprefix(BOM).lstrip()[:1]
        if start in (b"<", *_JSON_STARTS):
            yield from self._call.need_thread()
        if start == b"<":
            raise self._reports.page(piece)
        if start in _JSON_STARTS:
            body, events = bytearray(piece), list[Event]()
            failure: HFTextError | Interrupted | BodyCut | None = None
            try:
                failure = self._receive_json(body)
            except (Interrupted, BodyCut) as ending:
                failure = self._read_json(body, events, broken=True) or ending
            else:
                failure = failure or self._read_json(body, events)
            if events:
                yield self._hand_out(events)
            if failure is not None:
                raise failure
        else:
            yield from self._read_stream(piece)

    def _first_piece(self) -> Generator[Wait, None, bytes]:
        """Read until the first character that is not white space; returns the body from there."""
        data, size = b"", 0
        while (piece := self._reply.read()) != b"":
            if isinstance(piece, Wait):
                yield piece
                continue
            size += len(piece)
            data = (data + piece).lstrip()
            if data and not BOM.startswith(data):
                break
            if size > self._max_event_bytes:
                limit = f"{self._max_event_bytes} bytes of white space (max_event_bytes)"
                raise self._reports.malformed(f"sent more than {limit}", retryable=False)
        return data

    def _receive_json(self, body: bytearray) -> HFTextError | None:
        """Receive a JSON body: an answer from a server that does not stream, or an error in spite of status 200.
        Returns the failure, if there is one.
        """
        self._reply.read_into(body, self._long)
        if len(body) >= self._long and begins_report(beginning := body[:_REPORT_BYTES].decode(errors="replace")):
            return self._reports.begun(beginning)
        self._reply.read_into(body, self._max_event_bytes + 1)
        if len(body) > self._max_event_bytes:
            limit = f"{self._max_event_bytes} bytes (max_event_bytes)"
            return self._reports.malformed(f"sent JSON of more than {limit}", retryable=False)
        return None

    def _read_json(self, body: bytearray, events: list[Event], *, broken: bool = False) -> HFTextError | None:
        """Parse the received JSON; if the body was truncated, parse its complete values."""
        text = decode_text(body, self._reply.headers)
        body.clear()
        try:
            return self._feed_json(text, events)
        except ReportedError as report:
            return self._reports.reported(str(report) or text)
        except (ValueError, TypeError, RecursionError) as error:
            whole = self._assembler.ending.reason is not None and not begins_report(text)  # only garbage follows
            return None if broken or whole else self._reports.unreadable("JSON", error, text)

    def _feed_json(self, text: str, events: list[Event]) -> HFTextError | None:
        """Parse a complete answer, a list with one, or the concatenated chunks of a stream. Returns the failure for any
        other JSON; raises as ``Assembler.feed()``.
        """
        told = False
        try:
            value = loads(text)
        except ValueError:
            self._feed_values(text, events)
            return None
        if isinstance(value, str):  # JSON that was encoded twice
            return self._feed_json(value, events)
        for chunk in value if isinstance(value, list) and value and not is_stream_error(value) else [value]:
            told = (isinstance(chunk, dict) and self._assembler.feed(chunk, events)) or told
        self._verdict.done = not is_piece(value)
        if told or not self._assembler.empty:
            return None
        if parse_error(value).message:
            return self._reports.reported(text)
        return self._reports.malformed(f"sent JSON that is not a chat completion: {self._reports.show(text)}")

    def _read_stream(self, piece: bytes) -> Iterator[Step]:
        call, decoder = self._call, self._decoder
        while piece:
            events: list[Event] = []
            failure = self._decode(piece, events)
            rests = call.at_rest = (
                not call.blocking
                and call.drained
                and self._progressed
                and failure is None
                and not self._verdict.done
                and len(decoder.unfinished) < self._long
            )
            if events:
                yield self._hand_out(events)
            if call.at_rest or not rests:  # otherwise ``Call.rest()`` has started the clock, and there is data to read
                call.at_rest = False
                if failure is not None:
                    raise failure
                if self._verdict.done:
                    yield from self._read_end()
                    return
                if self._progressed:  # start it here: the time that the reader took does not count
                    call.start_clock("gap")
                if not call.blocking:
                    call.time_left()  # raises Interrupted even if reading never has to wait
                if len(decoder.unfinished) >= self._long:
                    yield from call.need_thread()
                    if begins_report(decoder.begin_unfinished(_BEGINNING_BYTES)):
                        raise self._reports.begun(decoder.begin_unfinished(_REPORT_BYTES))
            while not isinstance(following := self._reply.read(), bytes):
                yield following
            piece = following

    def _decode(self, piece: bytes, events: list[Event]) -> HFTextError | None:
        """Decode a piece. Returns a failure in it instead of raising it, so the events before it are yielded first."""
        self._progressed = False
        failure: HFTextError | None = None
        data = reported = ""
        try:
            for kind, data in self._decoder.decode(piece):
                if (data[:1] != "{" or kind != "message") and self._read_rare(kind, data, events):
                    if self._verdict.done:
                        break
                    continue
                try:
                    chunk = loads(data)
                except ValueError:
                    self._feed_values(data, events)
                else:
                    if self._assembler.feed(chunk, events):
                        self._progressed = True
        except ReportedError as report:
            reported = str(report) or data  # handled below, because the caught exception holds the chunk
        except EventTooLong as error:
            failure = self._reports.malformed(f"sent a response that is too long: {error}", retryable=False)
        except (ValueError, TypeError, RecursionError) as error:
            failure = self._reports.unreadable("a chunk", error, data)
        if reported:
            failure = self._reports.reported(reported)
        return failure

    def _feed_values(self, text: str, events: list[Event]) -> None:
        """Parse several chunks, concatenated or in a list. Raises as ``Assembler.feed()``."""
        for value, told in read_values(text):
            if value == "[DONE]":
                self._verdict.done = True
                return
            if is_stream_error(value):
                raise ReportedError(told)
            if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):  # JSON that was encoded twice
                self._feed_values(value, events)
                continue
            for chunk in filter(None, value if isinstance(value, list) else [value]):
                self._progressed = self._assembler.feed(chunk, events) or self._progressed

    def _read_rare(self, kind: str, data: str, events: list[Event]) -> bool:
        """Handle an event that does not look like a plain chunk. Returns False if it is a chunk after all. Raises
        ReportedError if it reports a failure, else as ``Assembler.feed()``.
        """
        word = data.strip()
        bare = word.strip(_AROUND)
        if bare.upper() in _DONE:
            self._verdict.done = True
        elif kind == STRAY:
            if bare.lower() not in _KEEP_ALIVES:
                self._read_stray(data, events)
        elif kind != "message" and re.search(_ERROR_KINDS, kind):
            raise ReportedError
        elif data[:1] == "{":
            return self._read_aside(kind, data)
        elif re.match(_ERROR_TEXT, data) or (kind != "message" and _tells_error(data)):
            raise ReportedError
        elif bare.lower() in _KEEP_ALIVES or word.startswith(":"):
            pass
        elif kind == "message":
            self._feed_values(data, events)
        elif not is_aside(kind) and kind.upper() not in _DONE:
            if re.search(_FAILURE_KINDS, kind):
                raise ReportedError
            self._verdict.stray = f"{kind}: {word}"
        return True

    def _read_aside(self, kind: str, data: str) -> bool:
        """Skip an event that is not part of the answer. Returns False if it is a chunk. Raises ReportedError if it
        reports a failure of the answer.
        """
        if not is_aside(kind) or '"choices"' in data:
            return False
        with suppress(ValueError, RecursionError):
            if reports_failure(kind, loads(data)):
                raise ReportedError
        return True

    def _read_stray(self, stray: str, events: list[Event]) -> None:
        """Handle lines that violate the event stream format. They may hold chunks or report a failure (raises
        ReportedError). Other text is kept for the error message, in case the answer is incomplete.
        """
        told = re.sub(_ERROR_FIELD, "", stray, count=1)
        if told != stray or _tells_error(stray):
            raise ReportedError(told.strip())
        if re.match(_BARE_VALUES, stray):
            with suppress(ValueError, TypeError, RecursionError):
                return self._feed_values(stray, events)
        if not re.match(_OTHER_FIELD, stray):
            self._verdict.stray = describe_page(stray) if stray.startswith("<") else stray
        return None

    def _read_rest(self, ending: Interrupted | BodyCut | None, events: list[Event]) -> HFTextError | None:
        """Decode a last event without the empty line after it. A malformed one is ignored as incomplete."""
        if (isinstance(ending, Interrupted) and ending.clock is None) or self._verdict.done:
            return None
        failure = self._decode(b"\n\n", events) if len(self._decoder.unfinished) < self._long else None
        return None if isinstance(failure, MalformedStreamError) else failure

    def _read_end(self) -> Iterator[Step]:
        """Wait for the end of the body after ``[DONE]``. With a finish reason, wait only briefly, to reuse the
        connection.
        """
        whole = self._assembler.ending.reason is not None
        self._call.start_clock("gap", _END_SECONDS if whole else math.inf)
        while (piece := self._reply.read()) != b"":
            self._call.time_left()
            if isinstance(piece, Wait):
                yield piece


def _tells_error(text: str) -> bool:
    """Whether a text is an error in JSON."""
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        return is_stream_error(loads(text))
    except (ValueError, RecursionError):
        return False
