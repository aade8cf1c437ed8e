"""What is said of an answer that failed, in the server's own words where it has any; never with a secret in it."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from ..errors import (
    APIStatusError,
    MalformedStreamError,
    ModelNotSupportedError,
    ProviderStreamError,
    TruncatedStreamError,
)
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


class Reports:
    """Makes the errors of one response.

    Attributes:
        host: the server that sent it.
    """

    def __init__(self, reply: Response, answer: Transcript) -> None:
        self.host: str = urlsplit(reply.url).netloc
        self._reply = reply
        self._answer = answer

    def reported(self, data: str) -> ProviderStreamError:
        """The provider reports an error in these words, which may be JSON."""
        data = self._reply.mask(data)
        try:
            value = loads(data)
        except (ValueError, RecursionError):
            value = data
        error = self._error_in(find_report(value) or value)
        return ProviderStreamError(f"the provider reported an error inside the stream: {error}", error=error)

    def failed(self, word: str) -> ProviderStreamError:
        """The finish reason tells a failure."""
        told = f"the answer ended with the finish reason {self._reply.mask(word)[:_MAX_WORD]!r}{self.arrived()}"
        error = self._error_in({"message": told})
        return ProviderStreamError(f"the provider reported a failure: {error}", error=error)

    def page(self, beginning: bytes) -> MalformedStreamError:
        """A web page came, which begins so; reads the rest of it."""
        page = decode_text(beginning + self._reply.read_error(_PAGE_BYTES), self._reply.headers)
        told = describe_page(self._reply.mask(page))
        who = name_sender(self.host, self._reply.proxy, self._reply.headers)
        return MalformedStreamError(f"{who} sent an HTML page where an answer was asked: {told}")

    def encoded(self, encoding: str) -> MalformedStreamError:
        """The body is in an encoding that cannot be unpacked."""
        return MalformedStreamError(f"{self.host}: {describe_unreadable(self._reply.mask(encoding))}")

    def cut(self, cause: BodyCut) -> TruncatedStreamError:
        """The body broke off."""
        return TruncatedStreamError(f"{self.host} cut the answer off ({self._reply.mask(str(cause))}){self.arrived()}")

    def unreadable(self, what: str, error: Exception, data: bytes | str) -> MalformedStreamError:
        """What came cannot be read, for the reason that this exception tells."""
        text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
        reason = f" ({error})" if self._reply.mask(text) == text else ""  # it may show a part of the data
        return self.malformed(f"sent {what} that cannot be read{reason}: {self.show(data)}")

    def malformed(self, what: str) -> MalformedStreamError:
        """The server did what the protocol does not allow."""
        return MalformedStreamError(f"{self.host} {what}")

    def arrived(self) -> str:
        """How much of the answer came, for the end of a message."""
        return f" after {len(self._answer.assembler.text)} characters of text had arrived"

    def show(self, data: bytes | str) -> str:
        """The beginning of what came, for a message."""
        text = self._reply.mask(data.decode("utf-8", "replace") if isinstance(data, bytes) else data)
        return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")

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
