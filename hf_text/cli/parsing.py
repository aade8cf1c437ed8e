"""Shared code of all parsers: errors that show no key, suggestions, and common options."""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

from ..printable import one_line
from .helping import HelpFormatter
from .output import open_errors

__all__ = [
    "Fail",
    "Parser",
    "add_call_options",
    "add_local_options",
    "add_reading_options",
    "add_server_options",
    "fill_in_environment",
    "refuse_two_servers",
]

Fail: TypeAlias = Callable[[str], NoReturn]  # ends a command whose arguments are invalid, with this message

_NO_KEYS_HERE = (
    "a key is not taken from the command line, where others can see it; put it in the environment variable "
    "HF_TOKEN (Hugging Face) or HF_TEXT_API_KEY (the server at --api-base)"
)
_KEY_OPTION = re.compile(r"-k|--(?:.*[-_])?(?:api)?(?:key|token|auth|secret|password)", re.IGNORECASE)
_COUNT_OPTION = re.compile(r"--(?:max|min|num|n)[-_](?:.*[-_])?token", re.IGNORECASE)  # counts tokens: not a key
_TYPED = {"verify": "--ca-bundle", "output_type": "--schema"}  # the other options are spelled like the arguments
_LONG_VALUE = re.compile(r"'[^'\s]{16,}'|\"[^\"\s]{16,}\"")


_INVALID_VALUE = re.compile(r"^argument (?:-\w/)?(\S+): invalid (.+?) value:")
_INVALID_CHOICE = re.compile(r"^argument (?:-\w/)?(\S+): invalid choice: '(.*)' \(choose from (.*)\)$", re.DOTALL)
_KINDS = {"float": "a number", "int": "a whole number"}


class Parser(argparse.ArgumentParser):
    """A parser whose messages contain no value that may be a key: logs and terminal recordings keep them."""

    def __init__(self, prog: str, usage: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=prog,
            usage=f"%(prog)s {usage}",
            description=description,
            epilog=epilog,
            formatter_class=HelpFormatter,
            allow_abbrev=False,
            add_help=False,
        )
        self.add_argument("-h", "--help", action="help", help="show this help and exit")

    @property
    def arguments(self) -> Sequence[argparse.Action]:
        """The arguments, for shell completion; argparse has no public attribute for them."""
        return self._actions

    def explain(self, message: str) -> str:
        """Rewrite a message of argparse for users: with the options' names, without values that may be keys."""
        message = re.sub(r"ignored explicit argument .*", "it takes no value", message, flags=re.DOTALL)
        choice = _INVALID_CHOICE.sub(_explain_choice, message)
        message = choice if choice != message else _LONG_VALUE.sub("'***'", message)
        message = _INVALID_VALUE.sub(lambda found: f"{found[1]} must be {_KINDS.get(found[2], found[2])}, not", message)
        return one_line(message.removeprefix("argument "))

    def error(self, message: str) -> NoReturn:
        """Write the usage and the message, broken between words like all others. Ends the command."""
        self.print_usage(sys.stderr)
        open_errors().write_line(f"{self.prog}: error: {self.explain(message)}")
        self.exit(2)

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the arguments, with options anywhere among them. Ends the command if they are invalid."""
        words, after = list(words), list[str]()
        if "--" in words and any(action.dest == "words" for action in self._actions):
            # Split here, because parse_intermixed_args forgets a "--" at the beginning (Python 3.10 to 3.13).
            end = words.index("--")
            words, after = words[:end], words[end + 1 :]
        values, unknown = self.parse_known_intermixed_args(words)
        if unknown:
            self.error(_explain_unknown(unknown, self._option_string_actions))
        if after:
            values.words = [*values.words, *after]
        return values


def _explain_choice(found: re.Match[str]) -> str:
    choices = [choice.strip("' ") for choice in found[3].split(",")]
    near = difflib.get_close_matches(found[2], choices, 1)
    meant = f"; did you mean {near[0]}?" if near else ""
    given = _LONG_VALUE.sub("'***'", f"'{found[2]}'")
    return f"{found[1]} must be one of {', '.join(choices)}, not {given}{meant}"


class _RefusedKey(argparse.Action):
    """Refuses ``--api-key``: users try it, and argparse would put the key into its message."""

    def __call__(self, parser: argparse.ArgumentParser, *rest: Any) -> NoReturn:
        parser.error(_NO_KEYS_HERE)


def _explain_unknown(arguments: Sequence[str], known: Collection[str]) -> str:
    """Report unknown options without their values (``--token=…``, ``-k…``), and suggest the intended option."""
    names = [re.match(r"--[^=]*|-.|", argument)[0] for argument in arguments]  # type: ignore[index]  # it always matches
    if any(_KEY_OPTION.fullmatch(name) and not _COUNT_OPTION.fullmatch(name) for name in names):
        return f"{' '.join(names)}: {_NO_KEYS_HERE}"
    unknown = list(filter(None, names))
    if not unknown:
        return "too many arguments for this command. To send them as a prompt: hf-text ask …"
    if {"--stream", "--no-stream"} & {*unknown}:
        return f"unknown option {' '.join(unknown)}; answers are always streamed: leave it out"
    shown = [name for name in known if name != "--api-key"]
    near = next(filter(None, (_find_meant(name, shown) for name in unknown)), None)
    return f"unknown option {' '.join(unknown)}" + (f"; did you mean {near}?" if near else "")


def _find_meant(name: str, known: Collection[str]) -> str | None:
    """Find the option meant by another library's name, by its beginning or by a misspelling; None if there is none."""
    from ..other_names import ARGUMENTS  # imported only for an error

    name = name.lower().replace("_", "-")
    meant = ARGUMENTS.get(name[2:].replace("-", "_"), ())
    options = [_TYPED.get(each, f"--{each.replace('_', '-')}") for each in meant]
    if option := next((option for option in options if option in known), None):
        return option
    begun = [each for each in known if name.startswith(f"{each}-") or (len(name) > 4 and each.startswith(name))]
    return next(iter(begun or difflib.get_close_matches(name, known, 1, cutoff=0.7)), None)


def refuse_two_servers(found: Mapping[str, Any], fail: Fail) -> None:
    """Refuse ``--demo`` with ``--api-base``: the built-in emulator is itself a server."""
    if found["demo"] and found["api_base"] is not None:
        fail("--demo uses the built-in emulator and cannot be combined with --api-base")


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for how an answer is shown."""
    add = parser.add_argument
    add("--markdown", action="store_true", default=os.environ.get("HF_TEXT_MARKDOWN") == "1",
        help="render Markdown in the terminal: headings, lists, code, tables (HF_TEXT_MARKDOWN=1)")  # fmt: skip
    add("--plain", dest="markdown", action="store_false", help="show the text unchanged (the default)")
    add("--reasoning", action="store_true", help="show the reasoning on standard error")
    add("-R", "--hide-reasoning", dest="reasoning", action="store_false", help="hide the reasoning (the default)")
    add("--usage", action="store_true", help="show tokens, speed, provider and cost on standard error")


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a server, and how long to wait for it."""
    add = parser.add_argument_group("server").add_argument
    add("--api-base", metavar="URL", help="another server, such as http://localhost:8080/v1 (HF_TEXT_API_BASE)")
    add("--api-key", action=_RefusedKey, help=argparse.SUPPRESS, default=argparse.SUPPRESS)
    add("--bill-to", metavar="NAME", help="the organisation on Hugging Face that pays")
    add("--ca-bundle", metavar="FILE", help="certificates to trust, such as a company's (PEM)")
    add(
        "--timeout",
        metavar="S",
        type=float,
        help="seconds to wait for the connection, the first piece, and each further piece (default: 10, 120, 60)",
    )
    add("--demo", action="store_true", help="ask the built-in emulator: made-up answers, without a key or network")


def add_local_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for a model on this machine."""
    add = parser.add_argument_group("a model on this machine").add_argument
    add(
        "--local",
        metavar="MODEL",
        nargs="?",
        const="",
        help="run a model on this machine: a GGUF file, its folder, or a name on the Hub (default: a small one)",
    )
    add("--yes", action="store_true", help="agree to the download of the default model of --local")


def add_call_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a call to a model."""
    add = parser.add_argument_group("model").add_argument
    add("-m", "--model", metavar="NAME", help="the model, such as openai/gpt-oss-120b (HF_TEXT_MODEL)")
    add("-s", "--system", metavar="TEXT", help="a system message")
    add(
        "--provider",
        metavar="NAME",
        action="append",
        default=[],
        help="a provider, or auto, fastest, cheapest, preferred; repeatable, in the order to try",
    )
    add("--max-tokens", metavar="N", type=_tokens, default=2048, help="the longest answer in tokens, or none for as "
        "long as the server allows (default: %(default)s)")  # fmt: skip
    add("--temperature", metavar="T", type=float, help="0 to 2; the default is the server's")
    add("--top-p", metavar="P", type=float, help="above 0, at most 1")
    add("--seed", metavar="N", type=int, help="for answers that can be repeated")
    add("--stop", metavar="TEXT", action="append", help="a text that ends the answer; repeatable")
    add("--reasoning-effort", metavar="WORD", help="such as low, medium, high")
    add(
        "-o",
        "--option",
        nargs=2,
        metavar=("NAME", "VALUE"),
        action="append",
        default=[],
        help="any other option of a call, such as: -o presence_penalty 1; a JSON value, or a text",
    )


def _tokens(text: str) -> int | None:
    return None if text.lower() == "none" else int(text)


_tokens.__name__ = "a number of tokens or none"  # argparse shows it


def fill_in_environment(found: dict[str, Any]) -> None:
    """Use ``HF_TEXT_API_BASE`` and ``HF_TEXT_MODEL`` if the command line chooses no server or model."""
    if found["demo"] or found.get("local") is not None:
        return
    found["api_base"] = found["api_base"] or os.environ.get("HF_TEXT_API_BASE", "").strip() or None
    if found.get("model", "") is None:
        found["model"] = os.environ.get("HF_TEXT_MODEL", "").strip() or None
