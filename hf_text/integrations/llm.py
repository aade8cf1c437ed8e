"""Hugging Face models for ``llm``: for its command and its Python API, blocking and async.

::

    llm hf refresh
    llm -m hf/openai/gpt-oss-120b "Why is the sky blue?"
    llm -m hf -o model zai-org/GLM-5.2 "Why is the sea salty?"

llm imports this module through its entry point at every start, so the modules for requests are imported only when
needed. The names of models come from a list that ``llm hf refresh`` stores; starting llm makes no network request.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import hf_text

from ..errors import HFTextError, HFTextWarning, MissingAuthError
from . import importing

with importing("llm", "llm"):
    import click
    import llm
    from pydantic import Field, Json

if TYPE_CHECKING:
    from llm.parts import StreamEvent

__all__ = ["AsyncHFText", "HFText", "Options"]

_PICTURES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})
_SOUNDS = frozenset({"audio/wav", "audio/mpeg"})


class Options(llm.Options):
    """The options for ``-o``. The client checks their values before anything is sent."""

    temperature: float | None = Field(None, description="0 to 2")
    max_tokens: int | None = Field(None, description="The most tokens that the answer may have")
    top_p: float | None = Field(None, description="Above 0, at most 1")
    stop: str | None = Field(None, description="A text that ends the answer")
    seed: int | None = Field(None, description="For answers that can be repeated, where the provider supports it")
    reasoning_effort: str | None = Field(None, description="Such as low; the words depend on the model")
    frequency_penalty: float | None = Field(None, description="-2 to 2")
    presence_penalty: float | None = Field(None, description="-2 to 2")
    provider: str | None = Field(
        None, description="fastest, cheapest, preferred, a provider, or several with commas in the order to try"
    )
    timeout: float | None = Field(None, description="Seconds to connect, to the first token, and between tokens")
    bill_to: str | None = Field(None, description="The organisation that pays")
    extra_body: dict[str, Any] | Json[dict[str, Any]] | None = Field(
        None, description="Further fields of the request, as a JSON object"
    )


class OptionsWithModel(Options):
    """The options of the model ``hf``, which can use any model."""

    model: str | None = Field(None, description="The name of the model; a default one if it is left out")


class _Shared:
    """The common base of the blocking and the async model.

    Args:
        name: the model; None: the one in the option ``model``.
        entry: the model's entry in the stored list.
    """

    needs_key = "hf"
    key = None
    can_stream = True
    supports_schema = True

    def __init__(self, name: str | None = None, entry: Mapping[str, Any] | None = None) -> None:
        entry = entry or {}
        self.name = name
        self.model_id = f"hf/{name}" if name else "hf"
        self.Options = Options if name else OptionsWithModel
        self.supports_tools = entry.get("tools") is not False
        self.attachment_types = frozenset() if entry.get("vision") is False else _PICTURES | _SOUNDS

    def get_key(self, explicit_key: str | None = None) -> str | None:
        """The key that was passed, or the one that ``llm keys set hf`` stored; None: the client looks for one."""
        key: str | None = self.key or llm.get_key(input=explicit_key, alias=self.needs_key)
        return key

    def __str__(self) -> str:
        return f"hf_text: {self.model_id}"


class HFText(_Shared, llm.KeyModel):
    """A Hugging Face model for llm."""

    def execute(
        self, prompt: Any, stream: bool, response: Any, conversation: Any, key: str | None
    ) -> Iterator[StreamEvent]:
        """Yield the answer as llm's events. Raises HFTextError; errors are never returned as text."""
        from .llm_turns import build_arguments, build_format, find_schema, finish, finish_value, translate

        with _advising():
            client = _client(key, prompt.options.bill_to)
            arguments = build_arguments(prompt, self.name)
            schema = find_schema(prompt, conversation)
            if schema and not prompt.tools:
                del arguments["tools"]
                parsed = client.parse(output_type=schema, **arguments)
                yield from finish_value(response, parsed)
                return
            with client.stream(**arguments, response_format=build_format(schema)) as answer:
                for event in answer.events():
                    yield from translate(event)
            yield from finish(response, schema, answer.completion)


class AsyncHFText(_Shared, llm.AsyncKeyModel):
    """``HFText`` for async code: its methods are awaited, and cancelling the task closes the connection."""

    async def execute(
        self, prompt: Any, stream: bool, response: Any, conversation: Any, key: str | None
    ) -> AsyncGenerator[StreamEvent, None]:
        """As ``HFText.execute``."""
        from ..aio import AsyncClient
        from .llm_turns import build_arguments, build_format, find_schema, finish, finish_value, translate

        with _advising():
            client = AsyncClient.of(_client(key, prompt.options.bill_to).operations)
            arguments = build_arguments(prompt, self.name)
            schema = find_schema(prompt, conversation)
            if schema and not prompt.tools:
                del arguments["tools"]
                parsed = await client.parse(output_type=schema, **arguments)
                for told in finish_value(response, parsed):
                    yield told
                return
            async with client.stream(**arguments, response_format=build_format(schema)) as answer:
                async for event in answer.events():
                    for told in translate(event):
                        yield told
            for told in finish(response, schema, answer.completion):
                yield told


@llm.hookimpl
def register_models(register: Any) -> None:
    """Register ``hf`` and the models of the stored list."""
    register(HFText(), AsyncHFText())
    for entry in _read_list():
        register(HFText(entry["id"], entry), AsyncHFText(entry["id"], entry))


@llm.hookimpl
def register_commands(cli: Any) -> None:
    """Register ``llm hf refresh``."""

    @cli.group(name="hf")
    def group() -> None:
        """Models of Hugging Face Inference Providers"""

    @group.command()
    @click.option(
        "--key", help="The key to use; else that of 'llm keys set hf', or the one that you are logged in with"
    )
    def refresh(key: str | None) -> None:
        """Fetch the names of the models that are served now"""
        try:
            models = _client(HFText().get_key(key), None).models(refresh=True)
        except HFTextError as error:
            raise click.ClickException(str(error)) from None
        entries = [_entry(model) for model in models if model.chat is not False and model.offers]
        path = _list_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(entries, indent=1), "utf-8")
        draft.replace(path)
        click.echo(f"{len(entries)} models. They are called hf/NAME: llm models -q hf/")


def _entry(model: hf_text.Model) -> dict[str, Any]:
    return {"id": model.id, "vision": model.vision, "tools": model.tools}


def _list_path() -> Any:
    return llm.user_dir() / "hf-models.json"


def _read_list() -> list[dict[str, Any]]:
    try:
        entries = json.loads(_list_path().read_text("utf-8"))
        return [entry for entry in entries if isinstance(entry["id"], str)]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError):  # llm must start anyway
        warnings.warn(f"{_list_path()} cannot be read; write it again: llm hf refresh", HFTextWarning, stacklevel=2)
        return []


@lru_cache(maxsize=8)
def _client(key: str | None, bill_to: str | None) -> hf_text.Client:
    """The client of an account, cached so that the rounds of a chain share one connection."""
    return hf_text.Client(key, bill_to=bill_to)


@contextmanager
def _advising() -> Iterator[None]:
    try:
        yield
    except MissingAuthError as error:
        error.add_advice("For llm alone: llm keys set hf.")
        raise
