"""The inference router: chat completions on the unified route and on those of the providers, and its model list.

The order of the checks is the router's: first the key, then the request, then the model and who serves it. The answer's
text says that no model wrote it. Sources of the shapes: recordings of router.huggingface.co, August to October 2026.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .catalog import build_catalogue, build_router_model, live_providers
from .replies import Reply
from .styles import Call
from .wire import split_words

if TYPE_CHECKING:
    from .request import Request

__all__ = ["World", "answer_router", "is_chat_path"]

POWERED = {"x-powered-by": "huggingface-moon"}
UNAUTHORIZED = {"WWW-Authenticate": 'Bearer realm="Authentication required", charset="UTF-8"', **POWERED}
NOTE = "This is the hf_text emulator, not a real model."

# Where each provider has its chat route behind the router (huggingface_hub, inference/_providers).
CHAT_PATHS = {
    "cohere": "compatibility/v1/chat/completions",
    "deepinfra": "v1/openai/chat/completions",
    "fireworks-ai": "inference/v1/chat/completions",
    "groq": "openai/v1/chat/completions",
    "novita": "v3/openai/chat/completions",
    "zai-org": "api/paas/v4/chat/completions",
}
_USUAL_PATH = "v1/chat/completions"
_OTHER_PROVIDERS = {
    "baseten",
    "cerebras",
    "featherless-ai",
    "hf-inference",
    "nscale",
    "ovhcloud",
    "publicai",
    "scaleway",
    "together",
}
_STYLE_OF = {"fireworks-ai": "fireworks"}
_STYLES = {"novita", "together", "fireworks", "groq", "cerebras", "baseten", "zai-org", "cohere"}


@dataclass
class World:
    """What an emulator knows.

    Attributes:
        models: the catalogue.
        renamed: old id to new id.
        require_key: the only key that is accepted; None: any key, or none.
        pace: seconds between the pieces of an answer.
        url: where the emulator listens.
    """

    models: list[dict[str, Any]] = field(default_factory=build_catalogue)
    renamed: dict[str, str] = field(default_factory=dict)
    require_key: str | None = None
    pace: float = 0.0
    url: str = ""
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def find(self, id: str) -> dict[str, Any] | None:
        """The model with this id."""
        return next((model for model in self.models if model["id"] == id), None)


def is_chat_path(path: str) -> bool:
    """Whether this is a chat completion route: the unified one, or one of a provider."""
    return path.endswith("/chat/completions")


def answer_router(world: World, request: Request) -> Reply | None:
    """The router's answer; None if it has no such route."""
    if is_chat_path(request.path):
        return _require_method(request, "POST") or _answer_chat(world, request)
    if request.path == "/v1/models" or request.path.startswith("/v1/models/"):
        return _require_method(request, "GET", "HEAD") or _answer_models(world, request)
    return None


def _require_method(request: Request, *methods: str) -> Reply | None:
    if request.method in methods:
        return None
    return Reply.error(405, "Method Not Allowed", "text", headers={"Allow": ", ".join(methods)})


def refuse_key(world: World, request: Request) -> Reply | None:
    """The answer to a key that is wrong; None if there is none, or it is right."""
    if world.require_key is None or request.authorization is None or request.key == world.require_key:
        return None
    return Reply.error(401, "Invalid credentials in Authorization header", "string", headers=UNAUTHORIZED)


# The model list


def _answer_models(world: World, request: Request) -> Reply:
    refused = refuse_key(world, request)  # no key is needed here, but a wrong one is refused
    if refused is not None:
        return refused
    served = [build_router_model(model) for model in world.models]
    served = [model for model in served if model["providers"]]
    wanted = request.path.removeprefix("/v1/models").strip("/")
    if not wanted:
        return Reply.json({"object": "list", "data": served}, headers=POWERED)
    found = next((model for model in served if model["id"] == wanted), None)
    return _model_not_found(wanted, 404) if found is None else Reply.json(found, headers=POWERED)


# Chat


def _answer_chat(world: World, request: Request) -> Reply:
    if world.require_key is not None and request.authorization is None:
        return Reply.html(401, "Unauthorized", headers=UNAUTHORIZED)  # a page, not JSON, was seen in August 2026
    refused = refuse_key(world, request)
    if refused is not None:
        return refused
    try:
        body = json.loads(request.body)
    except ValueError:
        return Reply.error(400, "Failed to parse the request body as JSON", headers=POWERED)
    return _refuse_body(body) or _route(world, request, body)


def _refuse_body(body: Any) -> Reply | None:
    if not isinstance(body, dict):
        return Reply.error(422, "Input should be a valid dictionary", "detail-list")
    if not isinstance(body.get("model"), str) or not body["model"]:
        return Reply.error(400, "you must provide a model parameter", headers=POWERED)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return Reply.error(400, "'messages' must be a list with at least one message", headers=POWERED)
    for number, message in enumerate(messages):
        fault = _find_fault(message)
        if fault is not None:
            return Reply.error(422, f"messages[{number}]: {fault}", "detail-list")
    return None


def _find_fault(message: Any) -> str | None:
    if not isinstance(message, dict):
        return "must be an object"
    if message.get("role") not in ("system", "developer", "user", "assistant", "tool"):
        return "role must be one of system, developer, user, assistant, tool"
    content = message.get("content")
    if content is None and message["role"] == "assistant":
        return None
    if isinstance(content, list) and all(isinstance(part, dict) and "type" in part for part in content):
        return None
    return None if isinstance(content, str) else "content must be a string or a list of parts"


def _route(world: World, request: Request, body: Mapping[str, Any]) -> Reply:
    if request.path == f"/{_USUAL_PATH}":
        return _route_unified(world, body)
    name, _, path = request.path.lstrip("/").partition("/")
    if name == "hf-inference" and path.startswith("models/"):
        return _route_to_provider(world, name, path[len("models/") : -len(_USUAL_PATH) - 1], body)
    if name not in CHAT_PATHS.keys() | _OTHER_PROVIDERS | _catalogue_providers(world):
        return Reply.error(404, "Not Found", "text")
    if path != CHAT_PATHS.get(name, _USUAL_PATH):
        return Reply.error(404, "Not Found", "text", name)
    return _route_to_provider(world, name, body["model"], body)


def _catalogue_providers(world: World) -> set[str]:
    return {provider["provider"] for model in world.models for provider in model.get("providers", ())}


def _route_unified(world: World, body: Mapping[str, Any]) -> Reply:
    id_, _, suffix = body["model"].partition(":")
    model = world.find(id_)
    if model is None:
        return _model_not_found(id_)
    live = live_providers(model)
    if not live:
        text = f"The requested model '{id_}' is not supported by any provider you have enabled."
        return _model_error(text, "model_not_supported")
    chosen = _choose_provider(live, suffix)
    if chosen is None:
        return _model_error(
            f"The requested model '{id_}' is not supported by provider '{suffix}'.", "model_not_supported"
        )
    return _serve(world, model, chosen, id_, body)


def _choose_provider(live: Sequence[dict[str, Any]], suffix: str) -> dict[str, Any] | None:
    if suffix in ("", "preferred"):
        return live[0]
    if suffix == "fastest":
        return max(live, key=lambda p: p.get("throughput", 0.0))
    if suffix == "cheapest":
        return min(live, key=lambda p: p.get("pricing", {}).get("output", float("inf")))
    return next((p for p in live if p["provider"] == suffix), None)


def _route_to_provider(world: World, name: str, id_: str, body: Mapping[str, Any]) -> Reply:
    for model in world.models:
        for provider in live_providers(model):
            if provider["provider"] == name and provider.get("providerId", model["id"]) == id_:
                return _serve(world, model, provider, id_, body)
    return Reply.error(400, f"Model not supported by provider {name}", "string", headers=POWERED)


def _model_not_found(id_: str, status: int = 400) -> Reply:
    return _model_error(f"The requested model '{id_}' does not exist.", "model_not_found", status)


def _model_error(message: str, code: str, status: int = 400) -> Reply:
    value = {"message": message, "type": "invalid_request_error", "param": "model", "code": code}
    return Reply.json({"error": value}, status, POWERED)


# The answer


def _serve(
    world: World, model: Mapping[str, Any], provider: Mapping[str, Any], id_: str, body: Mapping[str, Any]
) -> Reply:
    name = provider["provider"]
    pictures = sum(part.get("type") == "image_url" for part in _parts(body["messages"]))
    if pictures and "image" not in model.get("architecture", {}).get("input_modalities", ()):
        return Reply.error(400, "model features vision not support", "novita", name)
    if body.get("tools") and provider.get("supports_tools") is False:
        return Reply.error(400, "model features function calling not support", "novita", name)
    answer = _compose(body, pictures)
    headers = {"x-request-id": f"Root=1-emulator-{next(world.numbers)}", **POWERED}
    if not body.get("stream"):
        return Reply.chat(
            "".join(answer.pieces),
            reasoning="".join(answer.reasoning) or None,
            tool_calls=answer.calls,
            usage=answer.usage,
            finish=answer.finish,
            provider=name,
            model=id_,
            headers=headers,
        )
    options = body.get("stream_options") or {}
    return Reply.text(
        *answer.pieces,
        reasoning=answer.reasoning,
        tool_calls=answer.calls,
        usage=answer.usage if options.get("include_usage") else None,
        finish=answer.finish,
        provider=name,
        model=id_,
        style=_style_of(name),
        headers=headers,
        pace=world.pace,
    )


def _style_of(provider: str) -> str:
    style = _STYLE_OF.get(provider, provider)
    return style if style in _STYLES else "openai"


@dataclass(frozen=True)
class _Answer:
    pieces: Sequence[str]
    reasoning: Sequence[str]
    calls: Sequence[Call]
    usage: tuple[int, int]
    finish: str


def _compose(body: Mapping[str, Any], pictures: int) -> _Answer:
    calls = _choose_calls(body)
    pieces = [] if calls else split_words(_compose_text(body, pictures))
    thinks = body.get("reasoning_effort") not in (None, "none")
    reasoning = split_words("The emulator does not think; these words stand for reasoning.") if thinks else []
    limit = body.get("max_tokens") or body.get("max_completion_tokens") or sys.maxsize
    cut = limit < len(reasoning) + len(pieces)  # reasoning counts too
    pieces = pieces[: max(0, limit - len(reasoning))]
    reasoning = reasoning[:limit]
    prompt = sum(len(_text_of(message.get("content")).split()) for message in body["messages"])
    return _Answer(pieces, reasoning, calls, (prompt, len(reasoning) + len(pieces)), "length" if cut else "auto")


def _compose_text(body: Mapping[str, Any], pictures: int) -> str:
    asked = _last_user_text(body["messages"])
    kind = (body.get("response_format") or {}).get("type")
    if kind in ("json_object", "json_schema"):
        return json.dumps({"note": NOTE, "asked": asked, "pictures": pictures}, ensure_ascii=False)
    if asked.strip() == "Count":
        return "one two three four five six seven eight nine ten"
    seen = f" You sent {pictures} picture{'s' if pictures > 1 else ''}." if pictures else ""
    return f"{NOTE}{seen} You asked: {asked}"


def _choose_calls(body: Mapping[str, Any]) -> Sequence[Call]:
    tools = body.get("tools") or []
    choice = body.get("tool_choice")
    if not tools or choice in (None, "auto", "none"):
        return ()
    name = choice["function"]["name"] if isinstance(choice, dict) else tools[0]["function"]["name"]
    return ((name, "{}"),)


def _last_user_text(messages: Sequence[Mapping[str, Any]]) -> str:
    return next((_text_of(m.get("content")) for m in reversed(messages) if m["role"] == "user"), "")


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return " ".join(str(part.get("text", "")) for part in content or () if part["type"] == "text")


def _parts(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [part for message in messages if isinstance(message.get("content"), list) for part in message["content"]]
