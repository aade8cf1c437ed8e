"""The arguments of ``ask``: what the command line may say, and what it said as one value."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NoReturn

from .._version import __version__
from .commands import COMMANDS
from .local import settle_local
from .parsing import Parser, add_call_options, add_local_options, add_server_options, fill_in_environment
from .prompt import build_prompt, read_piped_text, read_text_file

__all__ = ["Options", "build_parser", "call_options", "parse_arguments"]

_EXAMPLES = 'hf-text "Why is the sky blue?"   or   cat notes.txt | hf-text "Summarise this:"'

_DESCRIPTION = """\
Ask a model, and read its answer as it arrives: from Hugging Face Inference Providers, or from
any server that speaks the OpenAI chat protocol. Text that is piped in follows the prompt."""

_EPILOG = f"""\
commands, where the first word is one of them (see 'hf-text COMMAND --help'):
{chr(10).join(f"  {name:10} {note}" for name, note in COMMANDS.items())}

keys, read from the environment only (other users see the arguments of a command):
  HF_TOKEN          for Hugging Face; https://huggingface.co/settings/tokens makes one.
                    Whoever is logged in with 'hf auth login' needs none here.
  HF_TEXT_API_KEY   for the server of --api-base
defaults: HF_TEXT_API_BASE (the server), HF_TEXT_MODEL (the model)

The answer goes to standard output; the provider's name, reasoning, warnings and errors go to
standard error. With --json an error is a JSON object too, with "error" and "partial".

exit status: 0, 1 after an error, 2 for wrong arguments, 130 after Ctrl-C

examples:
  hf-text "Why is the sky blue?"
  cat notes.txt | hf-text -m gpt-oss-20b "Summarise this:"
  hf-text --media cat.jpg "What is in the picture?"
  hf-text -x "A shell script that counts to 10" > count.sh
  hf-text --api-base http://localhost:8080/v1 "Hello!"
  hf-text --local model.gguf "Hello!"   a model on this machine
  hf-text --demo "Hello!"          no key and no network needed"""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes:
        prompt: what the user asks: the arguments, the files, then what was piped in.
        model: the model; None: the default.
        system: the system message; None: without one.
        media: paths, URLs, data URIs and bytes of pictures and sound.
        max_tokens: the most tokens of the answer; None: as the server has it.
        call: the other options of the call, by the library's names.
        provider: policies and names of providers in the order to try; empty: as the library has it.
        api_base: the base URL of another server; None: Hugging Face.
        bill_to: the organisation that pays.
        ca_bundle: the path of certificates to trust.
        timeout: seconds for the connect, first and gap clocks; None: as the library has them.
        json: whether the whole answer is to be written as one JSON object.
        extract: whether only the code of the answer is to be written, at its end.
        reasoning: whether to show the reasoning.
        usage: whether to tell tokens, speed and cost.
        demo: whether to ask the built-in emulator.
        local: the model to run on this machine; empty: the default one; None: none.
        yes: whether a download is agreed to.
    """

    prompt: str = ""
    model: str | None = None
    system: str | None = None
    media: Sequence[str | bytes] = ()
    max_tokens: int | None = 2048
    call: Mapping[str, Any] | None = None
    provider: Sequence[str] = ()
    api_base: str | None = None
    bill_to: str | None = None
    ca_bundle: str | None = None
    timeout: float | None = None
    json: bool = False
    extract: bool = False
    reasoning: bool = False
    usage: bool = False
    demo: bool = False
    local: str | None = None
    yes: bool = False

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Options:
        """From what a parser found; what belongs to the command alone is passed over."""
        return cls(**{field.name: found[field.name] for field in fields(cls) if field.name in found})


def parse_arguments(words: Sequence[str]) -> Options:
    """What the command line and the piped text say.

    Raises SystemExit where that was all: help, or a usage error.
    """
    parser = build_parser()
    # By hand, because parse_intermixed_args forgets a "--" at the beginning (Python 3.10 to 3.13).
    words = list(words)
    end = words.index("--") if "--" in words else len(words)
    found = vars(parser.parse(words[:end]))
    if found["demo"] and found["api_base"] is not None:
        parser.error("--demo asks the built-in emulator, so there can be no --api-base")
    settle_local(found, parser.error)
    fill_in_environment(found)
    found["call"] = call_options(found, parser.error)
    if found["hide_reasoning"]:
        found["reasoning"] = False
    if found["json"] and found["extract"]:
        parser.error("--json writes the whole answer and -x its code alone: leave one out")
    found["prompt"] = _read_prompt(found, words[end + 1 :], parser.error)
    return Options.of(found)


def _read_prompt(found: dict[str, Any], after: Sequence[str], fail: Callable[[str], NoReturn]) -> str:
    try:
        texts = [read_text_file(path) for path in found["file"]]
    except (OSError, ValueError) as error:
        fail(
            f"--file: {getattr(error, 'strerror', None) or error}: {getattr(error, 'filename', '') or ''}".rstrip(": ")
        )
    piped = ""
    try:
        if "-" in found["media"]:
            if sys.stdin is None or sys.stdin.isatty():
                fail("--media - reads a picture or sound that is piped in, and standard input is a terminal")
            data = sys.stdin.buffer.read()
            found["media"] = [data if item == "-" else item for item in found["media"]]
        elif not found["no_stdin"]:
            piped = read_piped_text(sys.stdin)
    except (OSError, ValueError) as error:
        fail(f"standard input cannot be read: {error}")
    prompt = build_prompt([*found["words"], *after], [*texts, piped])
    if not prompt:
        fail(f"there is no prompt. Try: {_EXAMPLES}")
    return prompt


def call_options(found: Mapping[str, Any], fail: Callable[[str], NoReturn]) -> dict[str, Any]:
    """The options of a call that have no field of their own, by the library's names."""
    names = ("temperature", "top_p", "seed", "stop", "reasoning_effort")
    call = {name: found[name] for name in names if found[name] is not None}
    if found.get("schema") is not None:
        call["response_format"] = _read_schema(found["schema"], fail)
    for name, text in found["option"]:
        if name in ("messages", "model", "media", "timeout", "provider", "max_tokens"):
            fail(f"-o {name}: there is the option --{name.replace('_', '-')}")
        call[name] = _parse_value(text)
    return call


def _parse_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _read_schema(text: str, fail: Callable[[str], NoReturn]) -> dict[str, Any]:
    """A JSON schema, given as JSON or as the path of a file with it, in the form of the protocol."""
    try:
        schema = json.loads(text if text.lstrip().startswith("{") else read_text_file(text))
    except OSError as error:
        fail(f"--schema: {error.strerror}: {error.filename}; give a JSON schema or the path of a file with one")
    except ValueError as error:
        fail(f"--schema: not JSON: {error}")
    if not isinstance(schema, dict):
        fail("--schema must be a JSON object")
    if schema.get("type") == "json_schema":
        return schema
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def build_parser() -> Parser:
    """The parser of ``hf-text`` and ``hf-text ask``."""
    parser = Parser("hf-text", "[options] [prompt ...]", _DESCRIPTION, _EPILOG)
    add = parser.add_argument
    add("words", nargs="*", metavar="prompt", help="the question; several words are joined, '--' ends the options")
    add("-f", "--file", metavar="FILE", action="append", default=[], help="a text that follows the prompt; repeatable")
    add("-a", "--media", metavar="FILE", action="append", default=[],
        help="a picture or sound: file, URL, or - for what is piped in; repeatable")  # fmt: skip
    add("--no-stdin", action="store_true", help="do not read standard input, even where it is not a terminal")
    add("--json", action="store_true", help="write the whole answer as one JSON object, at its end")
    add("-x", "--extract", action="store_true", help="write only the first block of code, else the whole answer")
    add("--schema", metavar="JSON", help="a JSON schema (or its file) that the answer has to fit")
    add("--reasoning", action="store_true", help="show the reasoning, on standard error")
    add("-R", "--hide-reasoning", action="store_true", help="hide the reasoning (the default)")
    add("--usage", action="store_true", help="tell tokens, speed and cost, on standard error")
    add_call_options(parser)
    add_server_options(parser)
    add_local_options(parser)
    add("--version", action="version", version=f"%(prog)s {__version__}")
    return parser
