"""Whether an answer is complete, and if not, why.

An answer is complete if a finish reason arrived and was not revoked, or if ``[DONE]`` arrived and the body then ended
properly: llama-cpp-python sends ``[DONE]`` after a truncated answer but leaves the body unterminated,
``transformers serve`` never sends ``[DONE]``, and Nebius may send no finish reason. Some gateways send a finish reason
before the answer; text after it revokes it. An empty answer is never complete, nor is one with a reported failure.
"""

from __future__ import annotations

from ..errors import HFTextError, StreamCancelledError, TruncatedStreamError
from ..protocol.chunks import Assembler
from ..transport.body import BodyCut
from ..transport.call import Call, Interrupted
from ..transport.failures import explain_timeout
from .reports import Reports

__all__ = ["BOM", "Verdict"]

BOM = b"\xef\xbb\xbf"
_SSE_FIELDS = (b":", b"data", b"event", b"id", b"retry", BOM)

# Finish reasons that allow an empty answer: hidden reasoning used up the length, or the filter removed all text.
_REASONS_FOR_NOTHING = ("length", "content_filter")


class Verdict:
    """Judges the end of one answer.

    Attributes:
        beginning: the first bytes of the body.
        stray: received text that violates the event stream format; ``""`` if there is none.
        done: whether ``[DONE]`` or a complete JSON answer arrived.
    """

    def __init__(self, assembler: Assembler, call: Call, reports: Reports) -> None:
        self.beginning = b""
        self.stray = ""
        self.done = False
        self._assembler = assembler
        self._call = call
        self._reports = reports

    def judge(self, ending: Interrupted | BodyCut | None) -> HFTextError | None:
        """The error to raise if the answer is incomplete; None if it is complete.

        Args:
            ending: the exception that ended the body; None for its proper end.
        """
        if isinstance(ending, Interrupted) and ending.clock is None:
            return StreamCancelledError(f"the stream was cancelled{self._reports.arrived()}")
        if self._assembler.ending.failure is not None:
            return self._reports.failed(self._assembler.ending.failure)
        if self._is_whole(ending is None):
            return None
        if isinstance(ending, Interrupted):
            assert ending.clock is not None
            return explain_timeout(ending.clock, self._call, self._reports.host, self._reports.arrived())
        if isinstance(ending, BodyCut):
            return self._reports.cut(ending)
        return self._explain_end()

    def _is_whole(self, proper: bool) -> bool:
        ending = self._assembler.ending
        if self._assembler.empty and ending.reason not in _REASONS_FOR_NOTHING:
            return False
        if ending.reason is not None:
            return proper or self.done or not ending.early
        return proper and self.done and not self._unexplained()

    def _explain_end(self) -> HFTextError:
        """The error for an incomplete answer in a body that ended properly."""
        if self._assembler.empty and not (self._unexplained() and self._has_begun()):
            return self._explain_emptiness()
        missing = "a finish reason" if self.done else "a finish reason and without [DONE]"
        told = f"{self._reports.host} ended the answer without {missing}{self._reports.arrived()}"
        strange = self._unexplained()
        return TruncatedStreamError(f"{told}; it also sent {self._reports.show(strange)}" if strange else told)

    def _unexplained(self) -> str:
        return self.stray or self._assembler.unexplained

    def _has_begun(self) -> bool:
        """Whether an event stream has begun."""
        start = self.beginning.strip()
        fields = any(start.startswith(field) or field.startswith(start) for field in _SSE_FIELDS)
        return fields or self.done or self._assembler.chunks > 0

    def _explain_emptiness(self) -> HFTextError:
        if not self._has_begun():
            return self._reports.malformed(f"sent no event stream, but: {self._reports.show(self.beginning)}")
        what = "nothing but [DONE]" if self.done and not self._assembler.chunks else "no text"
        reason = self._assembler.ending.reason
        why = f", with the finish reason {reason!r:.80}" if reason else ""
        what = what if self.beginning.strip() else "an empty body"
        return TruncatedStreamError(f"{self._reports.host} sent an empty answer: {what}{why}")
