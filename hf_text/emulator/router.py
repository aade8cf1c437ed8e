"""The inference router: chat completions on the unified route and on the provider routes, and its model list.

The checks run in the real router's order: first the key, then the request, then the model and its providers. Sources
of the shapes: recordings of router.huggingface.co, August to October 2026.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .access import POWERED, UNAUTHORIZED, refuse_key, refuse_method
from .answers import answer_chat
from .catalog import build_router_model, live_providers
from .checks import refuse_body
from .replies import Response

if TYPE_CHECKING:
    from .request import Request
    from .world import World

__all__ = ["answer_router", "is_chat_path"]

# The route of each provider on the router (huggingface_hub, inference/_providers).
_USUAL_ROUTE = "v1/"
_ROUTES = {
    "cohere": "compatibility/v1/",
    "deepinfra": "v1/openai/",
    "fireworks-ai": "inference/v1/",
    "groq": "openai/v1/",
    "novita": "v3/openai/",
    "zai-org": "api/paas/v4/",
    **dict.fromkeys(("baseten", "cerebras", "featherless-ai", "nscale", "ovhcloud"), _USUAL_ROUTE),
    **dict.fromkeys(("hf-inference", "publicai", "scaleway", "together"), _USUAL_ROUTE),
}
_CHAT = "chat/completions"


def is_chat_path(path: str) -> bool:
    """Whether this is a chat completion route: the unified one, or a provider's."""
    return path.endswith(f"/{_CHAT}")


def answer_router(world: World, request: Request) -> Response | None:
    """The router's answer; None for an unknown route."""
    name, _, path = request.path.lstrip("/").partition("/")
    if is_chat_path(request.path):
        return refuse_method(request, "POST") or _refuse_anyone(world, request) or _answer_chat(world, request)
    if name == "v1" and (path == "models" or path.startswith("models/")):
        # This route needs no key, but rejects a wrong one.
        return refuse_method(request, "GET", "HEAD") or refuse_key(world, request) or _list_models(world, path)
    if path == f"{_route_of(world, name)}models":
        return refuse_method(request, "GET", "HEAD") or _refuse_anyone(world, request) or _list_own_models(world, name)
    return None


def _refuse_anyone(world: World, request: Request) -> Response | None:
    """The 401 for a wrong or missing key."""
    if world.require_key is not None and request.authorization is None:
        return Response.html(401, "Unauthorized", headers=UNAUTHORIZED)  # HTML, not JSON, as observed in August 2026
    return refuse_key(world, request)


def _route_of(world: World, provider: str) -> str | None:
    """The path between the provider's name and ``chat/completions``; None for an unknown provider."""
    if provider in _ROUTES:
        return _ROUTES[provider]
    known = any(p["provider"] == provider for model in world.models for p in model.get("providers", ()))
    return _USUAL_ROUTE if known else None


# Models


def _list_models(world: World, path: str) -> Response:
    served = [build_router_model(model) for model in world.models]
    served = [model for model in served if model["providers"]]
    wanted = path.removeprefix("models").strip("/")
    if not wanted:
        return Response.json({"object": "list", "data": served}, headers=POWERED)
    found = next((model for model in served if model["id"] == wanted), None)
    return _model_not_found(wanted, 404) if found is None else Response.json(found, headers=POWERED)


def _list_own_models(world: World, name: str) -> Response:
    """A provider's own model list, with its own names for the models."""
    ids = [
        provider.get("providerId", model["id"])
        for model in world.models
        for provider in live_providers(model)
        if provider["provider"] == name
    ]
    data = [{"id": id_, "object": "model", "owned_by": name} for id_ in ids]
    return Response.json({"object": "list", "data": data}, headers={**POWERED, "x-inference-provider": name})


# Chat


def _answer_chat(world: World, request: Request) -> Response:
    try:
        body = json.loads(request.body)
    except ValueError:
        return Response.error(400, "Failed to parse the request body as JSON", headers=POWERED)
    return refuse_body(body) or _route(world, request.path.lstrip("/"), body)


def _route(world: World, path: str, body: Mapping[str, Any]) -> Response:
    if path == f"v1/{_CHAT}":
        return _route_unified(world, body)
    name, _, rest = path.partition("/")
    route = rest.removesuffix(_CHAT)
    if name == "hf-inference" and route.startswith("models/") and route.endswith("/v1/"):
        return _route_to_provider(world, name, route.removeprefix("models/").removesuffix("/v1/"), body)
    if route != _route_of(world, name):
        return Response.error(404, "Not Found", "text")
    return _route_to_provider(world, name, body["model"], body)


def _route_unified(world: World, body: Mapping[str, Any]) -> Response:
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
        text = f"The requested model '{id_}' is not supported by provider '{suffix}'."
        return _model_error(text, "model_not_supported")
    return answer_chat(world, model, chosen, id_, body)


def _choose_provider(live: Sequence[dict[str, Any]], suffix: str) -> dict[str, Any] | None:
    if suffix in ("", "preferred"):
        return live[0]
    if suffix == "fastest":
        return max(live, key=lambda p: p.get("throughput", 0.0))
    if suffix == "cheapest":
        return min(live, key=lambda p: p.get("pricing", {}).get("output", float("inf")))
    return next((p for p in live if p["provider"] == suffix), None)


def _route_to_provider(world: World, name: str, id_: str, body: Mapping[str, Any]) -> Response:
    for model in world.models:
        for provider in live_providers(model):
            if provider["provider"] == name and provider.get("providerId", model["id"]) == id_:
                return answer_chat(world, model, provider, id_, body, own_route=True)
    return Response.error(400, f"Model not supported by provider {name}", "string", headers=POWERED)


def _model_not_found(id_: str, status: int = 400) -> Response:
    return _model_error(f"The requested model '{id_}' does not exist.", "model_not_found", status)


def _model_error(message: str, code: str, status: int = 400) -> Response:
    value = {"message": message, "type": "invalid_request_error", "param": "model", "code": code}
    return Response.json({"error": value}, status, POWERED)
