"""Error messages for failed answers, in the server's own words if possible; secrets are masked."""

from __future__ import annotations

import json
import time
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..errors import (
    APIStatusError,
    MalformedStreamError,
    ModelNotSupportedError,
    ProviderStreamError,
    StreamError,
    TruncatedStreamError,
)
from ..protocol.error_reports import parse_error
from ..protocol.jsons import loads
from ..protocol.pages import decode_text, describe_page
from ..protocol.replies import name_sender, parse_reply_error
from ..protocol.stream_errors import find_report
from ..transport.body import BodyCut
from ..transport.failures import describe_unreadable
from ..transport.response import Response
from .transcript import Transcript

__all__ = ["Reports"]

_PAGE_BYTES = 65536
_SHOWN = 160
_MAX_WORD = 500
_MAX_REPORT = 65536  # characters; a longer report is truncated, and the request is not retried

_MAX_UNREADABLE = 256 * 1024

E = TypeVar("E", bound=StreamError)


class Reports:
    """Creates the errors for one response.

    Attributes:
        host: the server that sent the response.
    """

    def __init__(self, reply: Response, answer: Transcript) -> None:
        self.host: str = urlsplit(reply.url).netloc
        self._reply = reply
        self._answer = answer

    def reported(self, data: str) -> ProviderStreamError:
        """The provider reported this error, as text or JSON. A long report is truncated."""
        is_long = len(data) > _MAX_REPORT
        data = self._reply.mask.beginning(_report_in(data) if is_long else data, _MAX_REPORT)
        try:
            value = loads(data)
        except (ValueError, RecursionError):
            value = data
        error = self._error_in(find_report(value) or value)
        message = f"the provider reported an error inside the stream: {error}"
        return _settle(ProviderStreamError(message, error=error), not is_long)

    def begun(self, beginning: str) -> ProviderStreamError:
        """The provider reported a very long error; ``beginning`` is the beginning of its event."""
        lines = [line[5:].removeprefix(" ") for line in beginning.split("\n") if line.startswith("data:")]
        return _settle(self.reported("\n".join(lines) or beginning), False)

    def failed(self, word: str) -> ProviderStreamError:
        """The finish reason reported a failure."""
        told = f"the answer ended with the finish reason {self._reply.mask(word)[:_MAX_WORD]!r}{self.arrived()}"
        error = self._error_in({"message": told})
        return ProviderStreamError(f"the provider reported a failure: {error}", error=error)

    def page(self, beginning: bytes) -> MalformedStreamError:
        """The server sent a web page with this beginning. Reads the rest of it."""
        page = decode_text(beginning + self._reply.read_error(_PAGE_BYTES), self._reply.headers)
        told = describe_page(self._reply.mask(page))
        who = name_sender(self.host, self._reply.proxy, self._reply.headers)
        return MalformedStreamError(f"{who} sent an HTML page instead of an answer: {told}")

    def encoded(self, encoding: str) -> MalformedStreamError:
        """The body has a content encoding that cannot be decoded."""
        return MalformedStreamError(f"{self.host}: {describe_unreadable(self._reply.mask(encoding))}")

    def cut(self, cause: BodyCut) -> TruncatedStreamError:
        """The body was truncated."""
        return TruncatedStreamError(f"{self.host} cut the answer off ({self._reply.mask(str(cause))}){self.arrived()}")

    def unreadable(self, what: str, error: Exception, data: str) -> MalformedStreamError:
        """The received data cannot be parsed, because of this exception."""
        told = f"sent {what} that cannot be read"
        if len(data) > _MAX_UNREADABLE:
            return self.malformed(f"{told}: {self.show(data)}", retryable=False)
        reason = f" ({error})" if self._reply.mask(data) == data else ""  # the exception may quote a part of the data
        return self.malformed(f"{told}{reason}: {self.show(data)}")

    def malformed(self, what: str, retryable: bool = True) -> MalformedStreamError:
        """The server violated the protocol."""
        return _settle(MalformedStreamError(f"{self.host} {what}"), retryable)

    def arrived(self) -> str:
        """How much of the answer arrived, for the end of a message."""
        return f" after {len(self._answer.assembler.text)} characters of text had arrived"

    def show(self, data: bytes | str) -> str:
        """The beginning of the received data, for a message."""
        text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
        return repr(self._reply.mask.beginning(text, _SHOWN) + ("…" if len(text) > _SHOWN else ""))

    def _error_in(self, value: Any) -> APIStatusError | ModelNotSupportedError:
        return parse_reply_error(
            None,
            self._reply.shown_headers,
            value,
            now=time.time(),
            host=self.host,
            provider=self._answer.provider,
            model=self._answer.model,
        )


def _settle(error: E, retryable: bool) -> E:
    error.retryable = retryable
    return error


def _report_in(data: str) -> str:
    """The message and the code of an error report inside a long event."""
    try:
        report = parse_error(find_report(loads(data)))
    except (ValueError, RecursionError):
        return data
    said = {"message": report.message[:_MAX_REPORT], "code": report.status or report.code}
    return json.dumps({"error": said}) if report.message else data
