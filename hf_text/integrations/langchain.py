"""Hugging Face models for LangChain and LangGraph, blocking and async.

::

    from hf_text.integrations.langchain import ChatHFText

    model = ChatHFText(model="openai/gpt-oss-120b")
    print(model.invoke("Why is the sky blue?").text)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import hf_text

from ..aio import AsyncClient
from ..callers import kept_operations
from ..errors import StructuredOutputError
from ..events import Reasoning
from . import importing
from .langchain_messages import as_chunk, as_result, build_chunk, build_last_chunk, build_message, build_messages
from .langchain_profile import find_profile
from .langchain_saving import SavedChatModel, loadable
from .langchain_structure import build_parsed, build_unfit, structure

with importing("langchain_core", "langchain"):
    from langchain_core.language_models import LanguageModelInput, ModelProfile
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.runnables import Runnable
    from langchain_core.utils.function_calling import convert_to_openai_tool
    from pydantic import Field, model_validator

__all__ = ["ChatHFText"]

_OPTIONS = (
    *("temperature", "max_tokens", "top_p", "seed", "reasoning_effort", "frequency_penalty", "presence_penalty"),
    *("logprobs", "top_logprobs", "extra_body"),
)
_CHOICES: dict[Any, str] = {True: "required", "any": "required", False: "none"}


@loadable
class ChatHFText(SavedChatModel):
    """A chat model of Hugging Face Inference Providers, or of any server that speaks the OpenAI chat protocol.

    A truncated stream, a rejection and a timeout raise ``hf_text.HFTextError``; ``error.partial`` has the part of the
    answer that arrived. Models with the same settings share one client. Without ``profile=``, the model's capabilities
    are looked up in the catalogue, for at most two seconds. The result is cached for five minutes, and so is a
    failure to reach the catalogue.
    """

    model: str | None = None
    """The model; None: the default on Hugging Face, the first that another server lists."""
    provider: str | list[str] = "auto"
    """``"auto"``, ``"fastest"``, ``"cheapest"``, ``"preferred"``, a provider, or several in the order to try."""
    bill_to: str | None = None
    """The organisation that pays."""
    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    stop: str | list[str] | None = Field(None, alias="stop_sequences")
    seed: int | None = None
    reasoning_effort: str | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    extra_body: dict[str, Any] | None = None
    max_retries: int = 2
    streaming: bool = False
    """Whether ``invoke`` passes each token to the callbacks."""
    client_options: dict[str, Any] = Field(default_factory=dict, exclude=True, repr=False)
    """Further arguments of ``hf_text.Client``: ``headers``, ``proxies``, ``verify`` … They are not serialised."""

    @model_validator(mode="after")
    def _check(self) -> ChatHFText:
        """Validate the settings by creating the client."""
        self._client()
        return self

    @property
    def _llm_type(self) -> str:
        return "hf_text"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model, "api_base": self.api_base, "provider": self.provider, **self._options({})}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        named = {"model": kwargs.get("model") or self.model or "default"}
        return {**super()._get_ls_params(stop=stop, **{**kwargs, **named}), "ls_provider": "huggingface"}

    def _resolve_model_profile(self) -> ModelProfile | None:
        """The model's profile from the catalogue."""
        return None if self.model is None else find_profile(self._client().operations, self.model)

    def _client(self) -> hf_text.Client:
        key = None if self.api_key is None else self.api_key.get_secret_value()
        settings: dict[str, Any] = {"provider": self.provider, "bill_to": self.bill_to, "max_retries": self.max_retries}
        if self.timeout is not None:
            settings["timeout"] = self.timeout
        return hf_text.Client.of(kept_operations(None, key, self.api_base, {**settings, **self.client_options}))

    def _options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The options of an answer: the model's, overridden by the call's."""
        own = {name: getattr(self, name) for name in _OPTIONS}
        return {name: value for name, value in {**own, "stop": self.stop, **given}.items() if value is not None}

    def _arguments(self, messages: list[BaseMessage], stop: list[str] | None, given: dict[str, Any]) -> dict[str, Any]:
        given = {**given, "stop": stop} if stop else given
        model = given.pop("model", None) or self.model
        return {"messages": build_messages(messages, model), "model": model, **self._options(given)}

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        output_type, lenient = kwargs.pop("output_type", None), kwargs.pop("lenient", False)
        arguments, client = self._arguments(messages, stop, kwargs), self._client()
        if output_type is None:
            return as_result(build_message(client.generate(**arguments)))
        try:
            return as_result(build_parsed(client.parse(output_type=output_type, **arguments)))
        except StructuredOutputError as error:
            return as_result(build_unfit(error, lenient))

    async def _agenerate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        output_type, lenient = kwargs.pop("output_type", None), kwargs.pop("lenient", False)
        arguments, client = self._arguments(messages, stop, kwargs), AsyncClient.of(self._client().operations)
        if output_type is None:
            return as_result(build_message(await client.generate(**arguments)))
        try:
            return as_result(build_parsed(await client.parse(output_type=output_type, **arguments)))
        except StructuredOutputError as error:
            return as_result(build_unfit(error, lenient))

    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        if "output_type" in kwargs:  # an answer is not streamed before it is validated
            yield as_chunk(self._generate(messages, stop, **kwargs))
            return
        with self._client().stream(**self._arguments(messages, stop, kwargs)) as stream:
            for event in stream.events():
                if isinstance(event, (str, Reasoning)):
                    chunk = build_chunk(event)
                    if run_manager:
                        run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
            last = build_last_chunk(stream.completion)
        if run_manager:
            run_manager.on_llm_new_token("", chunk=last)
        yield last

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        if "output_type" in kwargs:
            yield as_chunk(await self._agenerate(messages, stop, **kwargs))
            return
        client = AsyncClient.of(self._client().operations)
        async with client.stream(**self._arguments(messages, stop, kwargs)) as stream:
            async for event in stream.events():
                if isinstance(event, (str, Reasoning)):
                    chunk = build_chunk(event)
                    if run_manager:
                        await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
            last = build_last_chunk(stream.completion)
        if run_manager:
            await run_manager.on_llm_new_token("", chunk=last)
        yield last

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | Any],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with tools.

        Args:
            tools: functions, LangChain tools, pydantic models, or mappings in the form of the protocol.
            tool_choice: ``"auto"``, ``"none"``, ``"any"`` (also ``"required"`` or True) or the name of a tool.
            strict: sent with each tool if given. Some servers reject it.
            kwargs: additional options of each call, such as ``parallel_tool_calls``.
        """
        described = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
        choice = _CHOICES.get(tool_choice, tool_choice) if isinstance(tool_choice, (bool, str)) else tool_choice
        if choice is not None:
            kwargs["tool_choice"] = choice
        return self.bind(tools=described, **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        method: Literal["auto", "json_schema", "function_calling", "json_mode"] = "auto",
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """The model with structured output.

        Args:
            schema: a pydantic model (answers are its instances), a TypedDict or a JSON schema (answers are mappings).
            method: ``"auto"`` uses a method that the provider supports, validates the answer, and retries once if it
                does not match, as ``hf_text.Client.parse``. The other methods do not retry.
            include_raw: return ``{"raw", "parsed", "parsing_error"}`` instead of raising for an answer that does not
                match.
            strict: whether the server must make the model follow the schema, if the method supports that.
            kwargs: additional options of each call.

        Invoking it raises StructuredOutputError or LangChain's OutputParserException for an answer that does not match,
        and TruncatedStreamError for one that was cut off.
        """
        return structure(self, schema, method, include_raw, strict, kwargs)
