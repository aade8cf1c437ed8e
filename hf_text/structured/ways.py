"""The ways to request an answer of a type, and which providers support each of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..completion import Completion
from ..errors import APIStatusError, HFTextError, ModelNotSupportedError
from ..generation.failover import POLICIES
from ..protocol.catalog import ModelProvider
from .output import Output

__all__ = ["Method", "Way", "amend", "find_ways"]

Method = Literal["json_schema", "tool", "prompt"]

# Terms in the error messages of servers that reject it: novita, OpenRouter, vLLM, llama.cpp.
_REFUSAL = re.compile(
    r"response.?format|json.?(schema|object|mode)|structured|guided|grammar|\btools?\b|tool.?(use|cho|call)|function.?call",
    re.IGNORECASE,
)
_REFUSING = frozenset({400, 404, 415, 422, 424, 500, 501})


@dataclass(frozen=True, slots=True)
class Way:
    """One way to request a typed answer.

    Attributes:
        method: ``"json_schema"`` (``response_format``), ``"tool"`` (a call of a tool whose arguments are the value), or
            ``"prompt"`` (the schema in the prompt).
        providers: the providers to try, in order; None leaves that to the request.
    """

    method: Method
    providers: tuple[str, ...] | None = None

    def options(self, output: Output) -> dict[str, Any]:
        """Return the options of the request."""
        if self.method == "json_schema":
            named = {"name": output.name, "schema": output.schema}
            return {"response_format": {"type": "json_schema", "json_schema": named}}
        if self.method == "tool":
            function = {"name": output.name, "description": "Gives the answer.", "parameters": output.schema}
            return {"tools": [{"type": "function", "function": function}], "tool_choice": output.name}
        return {}

    def messages(self, messages: Sequence[Mapping[str, Any]], output: Output) -> list[Mapping[str, Any]]:
        """Return the messages of the request."""
        if self.method != "prompt":
            return list(messages)
        schema = json.dumps(output.schema, ensure_ascii=False)
        return amend(messages, f"Answer with JSON alone, without any other text, that fits this JSON schema:\n{schema}")

    def text_of(self, answer: Completion) -> str:
        """Return the text that should contain the value."""
        return answer.tool_calls[0].arguments if answer.tool_calls else answer.text

    def is_refused(self, error: HFTextError) -> bool:
        """Whether the error means that the server does not support this way."""
        error = error.underlying
        if self.method == "prompt" or not isinstance(error, (APIStatusError, ModelNotSupportedError)):
            return False
        said = str(error).replace(error.model or "", "")
        return error.status_code in _REFUSING and bool(_REFUSAL.search(said))


def find_ways(offers: Sequence[ModelProvider], asked: Sequence[str]) -> list[Way]:
    """Return the ways, the best first. Each tries the providers that support it before those that may.

    Args:
        offers: the model's providers; empty if unknown.
        asked: the providers and policies of the request, in order. Without a policy, no other provider is tried.
    """
    order = _in_order(offers, asked)
    return [*_way("json_schema", order, _structured), *_way("tool", order, _tools), Way("prompt")]


def amend(messages: Sequence[Mapping[str, Any]], words: str) -> list[Mapping[str, Any]]:
    """Append these words to the user's last turn, or add them as a new user turn."""
    *before, last = messages
    if last["role"] != "user":
        return [*messages, {"role": "user", "content": words}]
    content = last["content"]
    more = f"{content}\n\n{words}" if isinstance(content, str) else [*content, {"type": "text", "text": words}]
    return [*before, {**last, "content": more}]


def _structured(offer: ModelProvider) -> bool | None:
    return offer.supports_structured_output


def _tools(offer: ModelProvider) -> bool | None:
    return offer.supports_tools


def _way(method: Method, order: Sequence[ModelProvider], can: Callable[[ModelProvider], bool | None]) -> Iterator[Way]:
    """Yield the way, unless none of the providers to try supports it."""
    able = [offer.provider for offer in order if can(offer)]
    unknown = [offer.provider for offer in order if can(offer) is None]
    if len(order) in (len(able), len(unknown)):  # all are able, or all unknown
        yield Way(method)
    elif able or unknown:
        yield Way(method, (*able, *unknown))


def _in_order(offers: Sequence[ModelProvider], asked: Sequence[str]) -> list[ModelProvider]:
    """Return the offers in the order of the request; empty if they are unknown."""
    if not offers:
        return []
    known = {offer.provider: offer for offer in offers}
    named = [known.get(name, ModelProvider(name)) for name in asked if name not in POLICIES]
    policy = next((name for name in asked if name in POLICIES), None)
    if policy is None:
        return named
    return [*named, *(offer for offer in _by_policy(offers, policy) if offer not in named)]


def _by_policy(offers: Sequence[ModelProvider], policy: str) -> list[ModelProvider]:
    if policy == "cheapest":
        return sorted(offers, key=lambda offer: float("inf") if offer.output_price is None else offer.output_price)
    if policy == "fastest":
        return sorted(offers, key=lambda offer: -(offer.throughput or 0.0))
    return list(offers)
