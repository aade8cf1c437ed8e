"""What the command line says, as one value."""

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
        markdown: whether to show Markdown as a terminal can.
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
    markdown: bool = False
    reasoning: bool = False
    usage: bool = False
    demo: bool = False
    local: str | None = None
    yes: bool = False

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Options:
        """From what a parser found; what belongs to the command alone is passed over."""
        return cls(**{field.name: found[field.name] for field in fields(cls) if field.name in found})


def read_arguments(found: dict[str, Any], fail: Fail) -> Options:
    """What the command line, the environment and the piped text say.

    Args:
        found: what the parser found, by name; changed.
        fail: ends the command with a message, for what cannot be.
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
    """The options of a call that have no field of their own, by the library's names."""
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
