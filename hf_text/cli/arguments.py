"""The command line: what it may say, and what it said as one value."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from .._version import __version__
from ..printable import one_line
from .local import settle_local
from .output import Output
from .prompt import build_prompt, read_piped_text

__all__ = ["Options", "parse_arguments"]

_NO_KEYS_HERE = (
    "a key is not taken from the command line, where others can see it; put it into the environment variable "
    "HF_TOKEN (Hugging Face) or HF_TEXT_API_KEY (the server of --api-base)"
)
_KEY_OPTION = re.compile(r"-k|--(?:.*[-_])?(?:api)?(?:key|token|auth|secret|password)", re.IGNORECASE)
_LONG_VALUE = re.compile(r"'[^'\s]{16,}'|\"[^\"\s]{16,}\"")

_EXAMPLES = 'hf-text "Why is the sky blue?"   or   cat notes.txt | hf-text "Summarise this:"'

_DESCRIPTION = """\
Ask a model, and read its answer as it arrives: from Hugging Face Inference Providers, or from
any server that speaks the OpenAI chat protocol. Text that is piped in follows the prompt."""

_EPILOG = """\
keys, read from the environment only (other users see the arguments of a command):
  HF_TOKEN          for Hugging Face; https://huggingface.co/settings/tokens makes one.
                    Whoever is logged in with 'hf auth login' needs none here.
  HF_TEXT_API_KEY   for the server of --api-base

The answer goes to standard output; who answers, reasoning, warnings and errors go to
standard error. With --json an error is a JSON object too, with "error" and "partial".

exit status: 0, 1 after an error, 2 for wrong arguments, 130 after Ctrl-C

examples:
  hf-text "Why is the sky blue?"
  cat notes.txt | hf-text -m gpt-oss-20b "Summarise this:"
  hf-text --media cat.jpg "What is in the picture?"
  hf-text --api-base http://localhost:8080/v1 "Hello!"
  hf-text --local model.gguf "Hello!"   a model on this machine
  hf-text --demo "Hello!"          no key and no network needed"""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes:
        prompt: what the user asks: the arguments, then what was piped in.
        model: the model; None: the default.
        system: the system message; None: without one.
        media: paths, URLs and data URIs of pictures and sound.
        max_tokens: the most tokens of the answer.
        temperature: 0 to 2; None: as the server has it.
        provider: policies and names of providers in the order to try; empty: as the library has it.
        api_base: the base URL of another server; None: Hugging Face.
        timeout: seconds for the connect, first and gap clocks; None: as the library has them.
        json: whether the whole answer is to be written as one JSON object.
        reasoning: whether to show the reasoning.
        demo: whether to ask the built-in emulator.
        local: the model to run on this machine; empty: the default one; None: none.
        yes: whether a download is agreed to.
    """

    prompt: str
    model: str | None = None
    system: str | None = None
    media: Sequence[str] = ()
    max_tokens: int = 2048
    temperature: float | None = None
    provider: Sequence[str] = ()
    api_base: str | None = None
    timeout: float | None = None
    json: bool = False
    reasoning: bool = False
    demo: bool = False
    local: str | None = None
    yes: bool = False


def parse_arguments(argv: Sequence[str] | None = None) -> Options | int:
    """What the command line and the piped text say; or the exit status, where that was all (help, or a usage error).

    Args:
        argv: the arguments, without the name of the command; None takes those of the process.
    """
    try:
        return _parse(list(sys.argv[1:] if argv is None else argv))
    except SystemExit as done:
        Output(sys.stdout, vital=True).flush()
        return done.code if isinstance(done.code, int) else 0


def _parse(words: list[str]) -> Options:
    parser = _build_parser()
    # By hand, because parse_intermixed_args forgets a "--" at the beginning (Python 3.10 to 3.13).
    end = words.index("--") if "--" in words else len(words)
    values, unknown = parser.parse_known_intermixed_args(words[:end])
    if unknown:
        parser.error(_explain_unknown(unknown))
    found = vars(values)
    if found["demo"] and found["api_base"] is not None:
        parser.error("--demo asks the built-in emulator, so there can be no --api-base")
    settle_local(found, parser.error)
    try:
        piped = read_piped_text(sys.stdin)
    except (OSError, ValueError) as error:
        parser.error(f"standard input cannot be read: {error}")
    prompt = build_prompt([*found.pop("words"), *words[end + 1 :]], piped)
    if not prompt:
        parser.error(f"there is no prompt. Try: {_EXAMPLES}")
    return Options(prompt, **found)


class _RefusedKey(argparse.Action):
    """``--api-key``: people try it, and argparse would write the key into its message."""

    def __call__(self, parser: argparse.ArgumentParser, *rest: Any) -> NoReturn:
        parser.error(_NO_KEYS_HERE)


class _Parser(argparse.ArgumentParser):
    """A parser whose messages hold no value that may be a key: logs and recordings of terminals keep them."""

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"ignored explicit argument .*", "it takes no value", message, flags=re.DOTALL)
        super().error(one_line(_LONG_VALUE.sub("'***'", message)))


def _explain_unknown(arguments: Sequence[str]) -> str:
    """Options that are not known, without their values: ``--token=…``, ``-k…``."""
    names = [re.match(r"--[^=]*|-.|", argument)[0] for argument in arguments]  # type: ignore[index]  # it always matches
    if any(_KEY_OPTION.fullmatch(name) for name in names):
        return f"{' '.join(names)}: {_NO_KEYS_HERE}"
    return f"unknown option {' '.join(filter(None, names)) or 'in the arguments'}"


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="hf-text",
        usage="%(prog)s [options] [prompt ...]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("words", nargs="*", metavar="prompt", help="the question; several words are joined, '--' ends the options")
    add("-m", "--model", metavar="NAME", help="the model, such as openai/gpt-oss-120b (default: one that fits)")
    add("-s", "--system", metavar="TEXT", help="a system message")
    add("--media", metavar="FILE", action="append", default=[], help="a picture or sound: file or URL; repeatable")
    add(
        "--max-tokens", metavar="N", type=int, default=2048, help="the longest answer, in tokens (default: %(default)s)"
    )
    add("--temperature", metavar="T", type=float, help="0 to 2; the server has a default")
    add(
        "--provider",
        metavar="NAME",
        action="append",
        default=[],
        help="a provider, or auto, fastest, cheapest, preferred; repeatable, in the order to try",
    )
    add("--api-base", metavar="URL", help="another server, such as http://localhost:8080/v1")
    add("--api-key", action=_RefusedKey, help=argparse.SUPPRESS, default=argparse.SUPPRESS)
    add(
        "--timeout",
        metavar="S",
        type=float,
        help="seconds to wait for the connection, for the first word, and for each next one (default: 10, 120, 60)",
    )
    add("--json", action="store_true", help="write the whole answer as one JSON object, at its end")
    add("--reasoning", action="store_true", help="show the reasoning, on standard error")
    add("--demo", action="store_true", help="ask the built-in emulator: made-up answers, without key and network")
    add(
        "--local",
        metavar="MODEL",
        nargs="?",
        const="",
        help="run a model on this machine: a GGUF file, its folder, or a name on the Hub (default: a small one)",
    )
    add("--yes", action="store_true", help="agree to the download of the default model of --local")
    add("--version", action="version", version=f"%(prog)s {__version__}")
    return parser
