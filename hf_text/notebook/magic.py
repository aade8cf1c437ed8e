"""``%%hf_text``: the cell is the prompt."""

from __future__ import annotations

import argparse
import shlex
from contextlib import ExitStack
from typing import Any, NoReturn

from ..cli.arguments import Options, call_options
from ..cli.connect import connect
from ..cli.parsing import Parser, add_call_options, add_server_options, fill_in_environment
from ..cli.views import View
from ..completion import Completion
from ..conversation import Conversation
from ..errors import InvalidRequestError
from .pages import open_page
from .show import follow, prices_of

__all__ = ["load_ipython_extension", "unload_ipython_extension"]

_DESCRIPTION = """\
Ask a model: the cell is the prompt, and the answer is shown below it as it arrives. The value of the cell, also in _,
is the answer."""

_EPILOG = """\
The key is found as everywhere in hf_text (HF_TOKEN …; HF_TEXT_API_KEY for the server of --api-base).

examples:
  %%hf_text
  %%hf_text -m openai/gpt-oss-120b -s "Be brief." --out answer
  %%hf_text --continue"""

_OF_A_CELL = ("words", "media", "out", "go_on")


class _Shown(Exception):  # not an error
    """The parser has shown its help."""


class _Parser(Parser):
    """A parser that raises errors instead of ending the program."""

    def error(self, message: str) -> NoReturn:
        raise InvalidRequestError(f"%%hf_text: {self.explain(message)}") from None

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise _Shown


class _Magic:
    """``%%hf_text`` of one shell, and the conversation of its last cells.

    Args:
        shell: the shell, whose variables ``--out`` sets.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._chat: Conversation | None = None
        self._open = ExitStack()

    def run(self, line: str, cell: str | None = None) -> Completion | None:
        """Send the cell as a prompt; the line contains the options."""
        parser = _build_parser()
        try:
            values = parser.parse(_split(line))
        except _Shown:
            return None
        prompt = "\n\n".join(filter(None, (" ".join(values.words), (cell or "").strip())))
        if not prompt:
            parser.error("no prompt was given: write it into the cell")
        chat = self._go_on(values, parser) if values.go_on else self._begin(values, parser)
        stream = chat.stream(prompt, media=values.media or None)
        completion = follow(stream, open_page(), prices_of(chat.client))
        if values.out:
            self._shell.user_ns[values.out] = completion
        return completion

    def close(self) -> None:
        """Close the connections."""
        self._chat = None
        self._open.close()

    def _begin(self, values: argparse.Namespace, parser: Parser) -> Conversation:
        found = vars(values)
        if values.demo and values.api_base is not None:
            parser.error("--demo uses the built-in emulator and cannot be combined with --api-base")
        fill_in_environment(found)
        options = Options.of({**found, "call": call_options(found, parser.error)})
        self.close()
        client = self._open.enter_context(connect(options, View(reasoning=False)))
        settings = {"max_tokens": options.max_tokens, **(options.call or {})}
        self._chat = Conversation(client, model=options.model, system=options.system, **settings)
        return self._chat

    def _go_on(self, values: argparse.Namespace, parser: Parser) -> Conversation:
        if self._chat is None:
            parser.error("--continue needs an earlier cell: leave it out in the first one")
        for name, value in vars(values).items():
            if name not in _OF_A_CELL and value != parser.get_default(name):
                parser.error(f"--continue keeps the options of the first cell; leave out {name}")
        return self._chat


def load_ipython_extension(shell: Any) -> None:
    """Register ``%%hf_text``; called by ``%load_ext hf_text``."""
    unload_ipython_extension(shell)
    _magics[shell] = _Magic(shell)
    shell.register_magic_function(_magics[shell].run, magic_kind="line_cell", magic_name="hf_text")


def unload_ipython_extension(shell: Any) -> None:
    """Remove ``%%hf_text`` and close its connections; called by ``%unload_ext hf_text``."""
    magic = _magics.pop(shell, None)
    if magic is not None:
        magic.close()
        for magics in shell.magics_manager.magics.values():
            magics.pop("hf_text", None)


_magics: dict[Any, _Magic] = {}


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise InvalidRequestError(f"%%hf_text: {error} in the options") from None


def _build_parser() -> Parser:
    parser = _Parser("%%hf_text", "[options] [prompt ...]", _DESCRIPTION, _EPILOG)
    add = parser.add_argument
    add("words", nargs="*", metavar="prompt", help="what comes before the cell")
    add("-c", "--continue", dest="go_on", action="store_true", help="continue with the conversation of the last cell")
    add(
        "-a", "--media", metavar="FILE", action="append", default=[], help="a picture or sound: file or URL; repeatable"
    )
    add("--out", metavar="NAME", help="a variable to put the answer into")
    add_call_options(parser)
    add_server_options(parser)
    return parser
