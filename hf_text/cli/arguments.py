"""The parsed command line as one value."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from .local import settle_local
from .parsing import Fail, fill_in_environment, refuse_two_servers
from .prompt import build_prompt, read_piped_bytes, read_piped_text, read_text_file

__all__ = ["Options", "call_options", "read_arguments"]

_EXAMPLES = 'hf-text "Why is the sky blue?"   or   cat notes.txt | hf-text "Summarise this:"'


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line.

    Attributes:
        prompt: the prompt: the words, then the files, then the piped text.
        model: the model; None: the default.
        system: the system message; None: without one.
        media: paths, URLs, data URIs and bytes of pictures and sound.
        max_tokens: the most tokens of the answer; None: the server's default.
        call: the other options of the call, by the library's names.
        provider: policies and names of providers in the order to try; empty: the library's default.
        api_base: the base URL of another server; None: Hugging Face.
        bill_to: the organisation that pays.
        ca_bundle: the path of certificates to trust.
        timeout: seconds for the connect, first and gap clocks; None: the library's defaults.
        json: whether to write the whole answer as one JSON object.
        extract: whether to write only the code of the answer, at its end.
        markdown: whether to render Markdown for the terminal.
        reasoning: whether to show the reasoning.
        usage: whether to show tokens, speed and cost.
        demo: whether to use the built-in emulator.
        local: the model to run on this machine; empty: the default one; None: none.
        yes: whether the user has agreed to a download.
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
    markdown: bool = False
    reasoning: bool = False
    usage: bool = False
    demo: bool = False
    local: str | None = None
    yes: bool = False

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Options:
        """Build the options from parsed arguments; arguments that belong to one command alone are ignored."""
        return cls(**{field.name: found[field.name] for field in fields(cls) if field.name in found})


def read_arguments(found: dict[str, Any], fail: Fail) -> Options:
    """Complete the parsed arguments with the environment and the piped text.

    Args:
        found: the parsed arguments by name; modified.
        fail: ends the command with a message, for invalid arguments.
    """
    refuse_two_servers(found, fail)
    settle_local(found, fail)
    fill_in_environment(found)
    found["call"] = call_options(found, fail)
    if found["json"] and found["extract"]:
        fail("--json writes the whole answer and -x only its code: leave one out")
    found["prompt"] = _read_prompt(found, fail)
    if found["ca_bundle"] and not os.path.exists(found["ca_bundle"]):
        fail(f"--ca-bundle: file not found: {found['ca_bundle']!r}")
    return Options.of(found)


def _read_prompt(found: dict[str, Any], fail: Fail) -> str:
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
            data = read_piped_bytes(sys.stdin)
            if not data:
                fail("--media - reads a picture or sound that is piped in, and nothing arrived")
            found["media"] = [data if item == "-" else item for item in found["media"]]
        elif not found["no_stdin"]:
            piped = read_piped_text(sys.stdin)
    except (OSError, ValueError) as error:
        fail(f"standard input cannot be read: {error}")
    prompt = build_prompt(found["words"], [*texts, piped])
    if not prompt:
        fail(f"no prompt was given. Try: {_EXAMPLES}")
    return prompt


def call_options(found: Mapping[str, Any], fail: Fail) -> dict[str, Any]:
    """Return the call options that ``Options`` has no field for, by the library's names."""
    names = ("temperature", "top_p", "seed", "stop", "reasoning_effort")
    call = {name: found[name] for name in names if found[name] is not None}
    if found.get("schema") is not None:
        call["response_format"] = _read_schema(found["schema"], fail)
    for name, text in found["option"]:
        if name in ("messages", "model", "media", "timeout", "provider", "max_tokens"):
            fail(f"-o {name}: use the option --{name.replace('_', '-')}")
        call[name] = _parse_value(text)
    return call


def _parse_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _read_schema(text: str, fail: Fail) -> dict[str, Any]:
    """Read a JSON schema, given as JSON or as the path of a file, and return it in the protocol's form."""
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
