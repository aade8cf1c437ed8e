"""Shows an answer: its text (or one JSON object) on standard output, everything else on standard error."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from ..completion import Completion
from ..events import ConversationEvent, ProviderInfo, Reasoning
from ..printable import one_line
from .output import Layout, Output, open_errors

__all__ = ["CodeView", "JsonView", "View"]

# A fence of three or more characters, closed by as many, or by the end of the answer.
_FENCED = re.compile(r"^ {0,3}(`{3,}|~{3,})[^\n]*\n(.*?)(?:^ {0,3}\1[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)


class View:
    """Shows the text as it arrives.

    Args:
        reasoning: whether to show the reasoning.
        layout: lays out the text; None: the text is unchanged.
    """

    def __init__(self, *, reasoning: bool, layout: Layout | None = None) -> None:
        self._reasoning = reasoning
        self._out = Output(sys.stdout, vital=True, layout=layout)
        self._err = open_errors()
        self._introduced = False
        self._told = ""

    def note(self, text: str) -> None:
        """Write a line to the user; newlines in the text, which may be foreign, do not start another line."""
        self._err.clear_status()
        self._err.write_line(f"hf-text: {one_line(text)}")

    def list(self, lines: str) -> None:
        """Write lines of the program's own unchanged."""
        self._err.write_line(lines)

    def wait(self, text: str) -> None:
        """Show what the command waits for, until something arrives."""
        self._err.show_status(text)

    def introduce(self, text: str) -> None:
        """Announce the model that answers, instead of the announcement in the answer."""
        self.note(text)
        self._introduced = True

    def show(self, event: ConversationEvent) -> None:
        """Show an event that has just arrived."""
        if isinstance(event, ProviderInfo):
            who = f"{event.model}, from {event.label}"
            if not self._introduced and who != self._told:
                self.note(who)
                self._told = who
        elif isinstance(event, Reasoning):
            if self._reasoning:
                self._err.clear_status()
                self._err.write(event.text, dim=True)
            else:
                self._err.show_status("the model is thinking ...")
        elif isinstance(event, str):
            self._err.clear_status()
            self._err.end_line()
            self._show_text(event)

    def finish(self, completion: Completion) -> None:
        """End the output of a complete answer, with warnings about it."""
        self._end_lines()
        if "model" in completion.extra:
            self.note(f"the server says that {completion.extra['model']} answered, not {completion.model}")
        if completion.finish_reason == "length":
            self.note("warning: the answer was cut off at the token limit; raise it with --max-tokens")
        elif completion.finish_reason == "content_filter":
            self.note("warning: the provider's content filter ended the answer")
        elif completion.tool_calls:
            names = ", ".join(call.name for call in completion.tool_calls)
            self.note(f"warning: the model wants to call {names}, but this command cannot run tools")
        elif not completion.text.strip():
            self.note("warning: the answer is empty")

    def fail(self, name: str, message: str, partial: Completion | None) -> None:
        """Report that the call failed; the partial answer has been shown."""
        self._end_lines()
        self.note(f"error: {message}")

    def interrupt(self, partial: Completion | None) -> None:
        """End the output of an answer that the user interrupted."""
        on_terminal = [output for output in (self._out, self._err) if output.is_terminal]
        if on_terminal and not any(output.is_busy for output in on_terminal):
            on_terminal[-1].write("\n")  # the terminal has echoed ^C on an empty line
        self._end_lines()

    def end(self) -> None:
        """End the current line, so that later output starts a new one."""
        self._end_lines()

    def _show_text(self, text: str) -> None:
        self._out.write(text)

    def _end_lines(self) -> None:
        self._err.clear_status()
        self._out.end_line()
        self._err.end_line()


class CodeView(View):
    """Shows only the first code block, at the end; the whole text if there is none."""

    def finish(self, completion: Completion) -> None:
        found = _FENCED.search(completion.text)
        if completion.text:
            self._out.write(found[2] if found else completion.text)
        super().finish(completion)
        if completion.text.strip() and not found:
            self.note("warning: the answer has no code block; this is the whole answer")

    def _show_text(self, text: str) -> None:
        pass  # it may not be code


class JsonView(View):
    """Writes one JSON object, at the end.

    It is the ``Completion``; or ``{"error": {"type", "message"}, "partial"}``, where ``partial`` is a completion or
    null.
    """

    def finish(self, completion: Completion) -> None:
        self._write(completion.to_dict())
        super().finish(completion)

    def fail(self, name: str, message: str, partial: Completion | None) -> None:
        self._write_error(name, message, partial)
        super().fail(name, message, partial)

    def interrupt(self, partial: Completion | None) -> None:
        super().interrupt(partial)
        self._write_error("KeyboardInterrupt", "interrupted", partial)

    def _show_text(self, text: str) -> None:
        pass  # it is part of the object

    def _write_error(self, name: str, message: str, partial: Completion | None) -> None:
        self._write({"error": {"type": name, "message": message}, "partial": partial.to_dict() if partial else None})

    def _write(self, value: dict[str, Any]) -> None:
        # In ASCII, so that nothing is lost if the stream's encoding has few characters.
        self._out.write(f"{json.dumps(value)}\n")
