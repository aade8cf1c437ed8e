"""Hugging Face models for Pydantic AI.

::

    from pydantic_ai import Agent
    from hf_text.integrations.pydantic_ai import HFTextModel

    agent = Agent(HFTextModel("openai/gpt-oss-120b"))
    print(agent.run_sync("Why is the sky blue?").output)
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import hf_text

from ..aio import AsyncClient
from . import importing
from .pydantic_ai_answers import SYSTEM, HFTextStreamedResponse, build_response, raising_theirs
from .pydantic_ai_messages import build_messages

with importing("pydantic_ai", "pydantic-ai"):
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse, check_allow_model_requests

__all__ = ["HFTextModel"]

_SETTINGS = {
    **{name: name for name in ("max_tokens", "temperature", "top_p", "seed", "extra_body", "extra_headers", "timeout")},
    **{name: name for name in ("presence_penalty", "frequency_penalty", "parallel_tool_calls")},
    "stop_sequences": "stop",
    "hf_text_provider": "provider",
}


class HFTextModel(Model):
    """A model of Hugging Face Inference Providers, or of any server that speaks the OpenAI chat protocol.

    Errors are Pydantic AI's (``ModelAPIError`` and its subclasses), so a ``FallbackModel`` fails over on them; their
    ``__cause__`` is the error of ``hf_text``, with the partial answer.

    Args:
        model_name: the model.
        client: a ``hf_text.Client`` or ``hf_text.aio.AsyncClient`` with the key, the server, the provider and the
            timeouts. None: a default client for Hugging Face.
        settings: settings for each request. ``hf_text_provider`` names the provider or policy.
        profile: the model's capabilities; overrides the default.
    """

    _unsupported_file_inputs = frozenset({"document", "video"})
    _relocates_tool_files = True  # most servers accept only text in a tool result
    unsupported_settings = frozenset({"max_retries", "service_tier"})

    def __init__(
        self,
        model_name: str,
        *,
        client: hf_text.Client | AsyncClient | None = None,
        settings: Any = None,
        profile: Any = None,
    ) -> None:
        super().__init__(settings=settings, profile=profile)
        self._model_name = model_name
        self.client: AsyncClient = AsyncClient.of((client or AsyncClient()).operations)

    @property
    def model_name(self) -> str:
        """The model's name."""
        return self._model_name

    @property
    def system(self) -> str:
        """The system's name in traces."""
        return SYSTEM

    @property
    def base_url(self) -> str:
        """The server's base URL."""
        return self.client.operations.endpoint.api_base

    def _instance_profile_defaults(self, profile: Any) -> Any:
        return {
            **profile,
            "supports_json_schema_output": True,
            "supports_json_object_output": True,
            "supports_inline_system_prompts": True,
            "supports_thinking": True,
        }

    async def request(
        self, messages: Any, model_settings: Any, model_request_parameters: ModelRequestParameters
    ) -> ModelResponse:
        """The complete answer."""
        check_allow_model_requests()
        arguments, _ = self._arguments(messages, model_settings, model_request_parameters)
        with raising_theirs(self._model_name):
            answer = await self.client.generate(**arguments)
        return build_response(answer, self.base_url)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Any,
        model_settings: Any,
        model_request_parameters: ModelRequestParameters,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """The answer as it arrives. Leaving the block closes the connection."""
        check_allow_model_requests()
        arguments, parameters = self._arguments(messages, model_settings, model_request_parameters)
        with raising_theirs(self._model_name):
            opened = self.client.stream(**arguments)
        async with opened as stream:
            with raising_theirs(self._model_name):
                await stream.start()
            yield HFTextStreamedResponse(parameters, self._model_name, self.base_url, stream)

    def _arguments(
        self, messages: Any, model_settings: Any, parameters: ModelRequestParameters
    ) -> tuple[dict[str, Any], ModelRequestParameters]:
        """The arguments of ``Client.stream``, and the prepared parameters."""
        settings, parameters = self.prepare_request(model_settings, parameters)
        settings = settings or {}
        options = {ours: settings[theirs] for theirs, ours in _SETTINGS.items() if settings.get(theirs) is not None}
        more = {name: settings[name] for name in ("top_k", "logit_bias") if settings.get(name) is not None}
        if more:
            options["extra_body"] = {**more, **(options.get("extra_body") or {})}
        if parameters.thinking is not None and parameters.thinking is not True:
            options["reasoning_effort"] = parameters.thinking or "none"
        options["response_format"] = _build_format(parameters)
        options |= _build_tools(settings, parameters)
        instructions = self._get_instruction_parts(messages, parameters) or []
        turns = build_messages(messages, [part.content for part in instructions], self._model_name)
        return {"messages": turns, "model": self._model_name, **options}, parameters


def _build_format(parameters: ModelRequestParameters) -> dict[str, Any] | None:
    wanted = parameters.output_object
    if parameters.output_mode == "native" and wanted is not None:
        named = {"name": wanted.name or "answer", "description": wanted.description, "schema": wanted.json_schema}
        return {"type": "json_schema", "json_schema": {name: value for name, value in named.items() if value}}
    if parameters.output_mode == "prompted" and not parameters.function_tools:
        return {"type": "json_object"}
    return None


def _build_tools(settings: Mapping[str, Any], parameters: ModelRequestParameters) -> dict[str, Any]:
    """The tools and the tool choice; never ``strict``, which some servers reject."""
    tools, required = parameters.declared_tool_defs, not parameters.allow_text_output
    given = settings.get("tool_choice")
    names = getattr(given, "function_tools", given)
    if isinstance(names, (list, tuple)):
        outputs = [tool.name for tool in parameters.output_tools]
        kept = {*names, *outputs}
        tools, required = {name: tool for name, tool in tools.items() if name in kept}, given is names or required
    elif given == "none":
        tools = {tool.name: tool for tool in parameters.output_tools}
    if not tools:
        return {}
    described = [_describe(tool) for tool in tools.values()]
    return {"tools": described, "tool_choice": "required" if required or given == "required" else "auto"}


def _describe(tool: Any) -> dict[str, Any]:
    described = {"name": tool.name, "description": tool.description, "parameters": tool.parameters_json_schema}
    return {"type": "function", "function": {name: value for name, value in described.items() if value is not None}}
