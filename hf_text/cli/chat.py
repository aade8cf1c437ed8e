"""``hf-text chat``: a conversation at the terminal."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import sys
from collections.abc import Callable
from typing import Any

from ..client import Client
from ..conversation import Conversation
from ..errors import HFTextError
from .advice import explain
from .arguments import Options, call_options
from .connect import connect
from .helping import fit
from .local import settle_local
from .output import columns_of_terminal
from .parsers.chat import CHAT_COMMANDS
from .parsing import Fail, fill_in_environment, refuse_two_servers
from .usage import describe_total, describe_usage
from .viewing import describe_wait, make_view
from .views import View

__all__ = ["Chat", "main"]

with contextlib.suppress(ImportError):  # makes the lines of input() editable
    import readline  # noqa: F401

_QUOTES = '"""'


def main(values: argparse.Namespace, fail: Fail) -> int:
    """Chat until the user ends it. Returns the exit status: 0; 1 if a turn of a script failed, or no server started."""
    found = vars(values)
    found["words"] = []
    settle_local(found, fail)
    if found["words"]:
        fail(f"there is neither a file nor a folder {found['words'][0]!r} for --local")
    refuse_two_servers(found, fail)
    fill_in_environment(found)
    options = Options.of({**found, "call": call_options(found, fail)})
    view = make_view(options)
    try:
        with connect(options, view) as client:
            return Chat(client, options, view, found["load"]).run()
    except HFTextError as error:
        view.fail(type(error).__name__, explain(error), None)
        return 1
    except OSError as error:
        view.note(f"error: --load: {error.strerror}: {error.filename}")
        return 1


class Chat:
    """One conversation: reads the user's turns and shows the answers.

    Args:
        client: sends the turns.
        options: the options of the command line.
        view: shows the answers.
        load: the file of a conversation to continue; None: a new one.
    """

    def __init__(self, client: Client, options: Options, view: View, load: str | None = None) -> None:
        self._client, self._view = client, view
        self._settings: dict[str, Any] = {"max_tokens": options.max_tokens, **(options.call or {})}
        self._usage = options.usage
        if options.usage or options.api_base is None:  # some other servers reject requests with this option
            self._settings.setdefault("include_usage", True)
        if options.model is not None:
            self._settings["model"] = options.model
        system: dict[str, Any] = {} if options.system is None else {"system": options.system}
        if load is None:
            self._chat = Conversation(client, **self._settings, **system)
        else:
            self._chat = Conversation.load(load, client, **self._settings, **system)
        self._media: list[str] = []
        self._terminal = bool(sys.stdin and sys.stdin.isatty())
        self._failed = False

    def run(self) -> int:
        """Handle turns until the input ends. Returns the exit status."""
        if self._terminal:
            self._view.note("/help lists the commands, Ctrl-C stops an answer, Ctrl-D ends")
        read = self._make_reader()
        while True:
            try:
                turn = self._read_turn(read)
            except KeyboardInterrupt:
                if not self._terminal:
                    raise
                self._view.note("Ctrl-D ends the conversation")
                continue
            except (EOFError, UnicodeDecodeError):
                if self._terminal:
                    self._view.end()
                break
            if turn.strip() in ("/quit", "/exit"):
                break
            if turn.strip():
                self._take(turn)
        return 1 if self._failed and not self._terminal else 0

    def _make_reader(self) -> Callable[[], str]:
        """Return a function that reads a line: prompt_toolkit's on a terminal, if it is installed, else input()."""
        if not self._terminal:
            return input
        if sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb"):
            try:
                from prompt_toolkit import PromptSession  # type: ignore[import-not-found, unused-ignore]
            except ImportError:
                pass
            else:
                session: Any = PromptSession(enable_suspend=True)  # Ctrl-Z, as in every other program
                return lambda: str(session.prompt("> "))

        if sys.stdout.isatty():  # readline must know the prompt to redraw the line
            return lambda: input("> ")

        def read() -> str:
            sys.stderr.write("> ")
            sys.stderr.flush()
            return input()

        return read

    def _read_turn(self, read: Callable[[], str]) -> str:
        line = read()
        if line.strip() != _QUOTES:
            return line
        lines: list[str] = []
        while (line := read()).strip() != _QUOTES:
            lines.append(line)
        return "\n".join(lines)

    def _take(self, turn: str) -> None:
        name, _, rest = turn.strip().partition(" ")
        try:
            if not name.startswith("/") or "\n" in turn or "/" in name[1:]:
                self._answer(turn)
            elif (command := getattr(self, f"do_{name[1:]}", None)) is None:
                near = difflib.get_close_matches(name, [f"/{each[3:]}" for each in dir(self) if each[:3] == "do_"], 1)
                meant = f"did you mean {near[0]}?" if near else "/help lists the commands"
                self._view.note(f"unknown command {name}; {meant}")
            else:
                command(rest.strip())
        except KeyboardInterrupt:
            if not self._terminal:
                raise
            self._view.note("stopped; this turn is not kept. /retry sends it again")
        except HFTextError as error:
            self._failed = True
            self._view.fail(type(error).__name__, explain(error), error.partial)
            if self._media:
                self._view.note(f"{', '.join(self._media)} will be sent with your next turn; /undo removes this")
        except OSError as error:
            self._failed = True
            self._view.note(f"error: {error.strerror or error}: {error.filename}")

    def _answer(self, turn: str | None) -> None:
        media, self._media = self._media, []
        try:
            with self._chat.stream(turn, media or None) as stream:
                self._view.wait(describe_wait(self._client, self._chat.model))
                for event in stream.events():
                    self._view.show(event)
                self._view.finish(stream.completion)
                if self._usage:
                    self._view.note(describe_usage(self._client, stream.completion))
        except BaseException as error:
            self._media = media  # the turn is discarded, so they are sent with the next one
            if isinstance(error, KeyboardInterrupt):
                self._view.interrupt(None)
            raise

    def do_model(self, name: str) -> None:
        """Show or change the model."""
        if name:
            self._chat.model = name
        self._view.note(f"model: {self._chat.model or 'the default'}")

    def do_system(self, text: str) -> None:
        """Show or change the system message."""
        if text:
            self._chat.system = text
        self._view.note(f"system message: {self._chat.system or 'none'}")

    def do_media(self, item: str) -> None:
        """Add a picture or sound to the next turn."""
        if item and "://" not in item and not item.startswith("data:") and not os.path.isfile(item):
            self._view.note(f"error: file not found: {item!r}")
            return
        self._media += [item] if item else []
        self._view.note(f"with your next turn: {', '.join(self._media) or 'nothing; name a file or URL'}")

    def do_save(self, path: str) -> None:
        """Save the conversation."""
        if not path:
            self._view.note("name a file: /save talk.json")
            return
        self._chat.save(path)
        self._view.note(f"saved; continue with hf-text chat --load {path}")

    def do_load(self, path: str) -> None:
        """Continue a saved conversation."""
        if not path:
            self._view.note("name a file: /load talk.json")
            return
        self._chat = Conversation.load(path, self._client, **self._settings)
        self._view.note(f"{len(self._chat.messages)} messages loaded")

    def do_retry(self, _: str) -> None:
        """Ask for another answer."""
        self._answer(None)

    def do_undo(self, _: str) -> None:
        """Remove what was added last: media for the next turn, else the last turn."""
        if self._media:
            self._media = []
            self._view.note("nothing will be sent with your next turn")
            return
        taken = self._chat.undo()
        self._view.note("your last turn was removed" if taken else "there is nothing to undo")

    def do_usage(self, _: str) -> None:
        """Show tokens and cost so far."""
        self._view.note(describe_total(self._client, self._chat))

    def do_help(self, _: str) -> None:
        """List the commands."""
        self._view.list(fit(CHAT_COMMANDS, columns_of_terminal(sys.stderr)))
