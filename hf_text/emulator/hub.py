"""The Hub: the paginated model listing, model info with provider mappings, and the key check.

Sources of the shapes: recordings of huggingface.co/api from August to October 2026. As on the real Hub, anonymous
requests are allowed; for a missing model they get 401, and requests with a key get 404.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from .access import UNAUTHORIZED, refuse_key
from .catalog import build_hub_model, build_mapping_dict, build_mapping_list, build_object_id
from .replies import Response

if TYPE_CHECKING:
    from .request import Request
    from .world import World

__all__ = ["answer_hub"]

_PAGE = 1000
_WINDOW = 300
_SORTS = {"trendingScore", "downloads", "likes", "createdAt", "lastModified"}


def answer_hub(world: World, request: Request) -> Response | None:
    """The Hub's answer; None for a path outside ``/api``."""
    if not request.path.startswith("/api/"):
        return None
    headers = _rate_limit(world, request)
    if request.method not in ("GET", "HEAD"):
        return Response.error(405, "Method Not Allowed", "string", headers={"Allow": "GET, HEAD", **headers})
    return refuse_key(world, request) or _answer(world, request, headers)


def _answer(world: World, request: Request, headers: dict[str, str]) -> Response:
    if request.path == "/api/models":
        return _list_models(world, request, headers)
    if request.path.startswith("/api/models/"):
        return _show_model(world, request, headers)
    if request.path == "/api/whoami-v2":
        return _whoami(request, headers)
    return Response.error(404, "Sorry, we can't find the page you are looking for.", "string", headers=headers)


def _rate_limit(world: World, request: Request) -> dict[str, str]:
    quota = 500 if request.key is None else 1000
    left = max(0, quota - next(world.numbers))
    return {
        "RateLimit": f'"api";r={left};t={_WINDOW}',
        "RateLimit-Policy": f'"fixed window";"api";q={quota};w={_WINDOW}',
    }


# The listing


def _list_models(world: World, request: Request, headers: dict[str, str]) -> Response:
    query = request.query
    found = [model for model in world.models if _matches(model, query)]
    found = _sorted(found, query)
    start = _read_cursor(query)
    if start is None:
        return Response.error(400, "Invalid cursor", "string", headers=headers)
    limit = _first(query, "limit", str(_PAGE))
    if not limit.isdigit():
        return Response.error(400, '"limit" must be a number', "string", headers=headers)
    end = start + min(int(limit), _PAGE)
    if end < len(found) and end > start:
        headers["Link"] = f'<{_next_page(world, request, end)}>; rel="next"'
    return Response.json([_list_entry(model, query) for model in found[start:end]], headers=headers)


def _matches(model: Mapping[str, Any], query: Mapping[str, list[str]]) -> bool:
    live = _live(model)
    wanted = set(_words(query, "inference_provider"))
    tags = {*model.get("tags", ()), model.get("pipeline_tag")}
    return (
        ("warm" not in query.get("inference", ()) or bool(live))
        and (not wanted or bool(live if "all" in wanted else live & wanted))
        and tags.issuperset([*_words(query, "filter"), *_words(query, "other"), *_words(query, "pipeline_tag")])
        and _first(query, "search").lower() in model["id"].lower()
        and _first(query, "author", model["id"].split("/")[0]) == model["id"].split("/")[0]
    )


def _live(model: Mapping[str, Any]) -> set[str]:
    """The providers that serve this model now, for any task."""
    return {p["provider"] for p in model.get("providers", ()) if p.get("status") == "live"}


def _sorted(models: list[dict[str, Any]], query: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """The models in descending order, like the Hub; without ``sort`` in the catalogue's order."""
    key = _first(query, "sort")
    if key not in _SORTS:
        return models
    return sorted(models, key=lambda model: build_hub_model(model).get(key, 0), reverse=True)


def _list_entry(model: Mapping[str, Any], query: Mapping[str, list[str]]) -> dict[str, Any]:
    asked = _expanded(query)
    if not asked:
        return build_hub_model(model)
    return _expand(model, asked, build_mapping_list(model))


def _expand(model: Mapping[str, Any], asked: Sequence[str], mapping: object) -> dict[str, Any]:
    """The id and the requested fields only. A model without a provider lacks the two inference keys."""
    known = {**build_hub_model(model), "author": model["id"].split("/")[0], "gated": model.get("gated", False)}
    known["disabled"] = model.get("disabled", False)
    if model.get("providers"):
        known["inferenceProviderMapping"] = mapping
    if _live(model):
        known["inference"] = "warm"
    return {key: known[key] for key in ("_id", "id", *asked) if key in known}


def _expanded(query: Mapping[str, list[str]]) -> list[str]:
    return [*query.get("expand[]", ()), *query.get("expand", ())]


def _next_page(world: World, request: Request, start: int) -> str:
    cursor = base64.urlsafe_b64encode(json.dumps({"after": start}).encode()).decode()
    pairs = [(key, value) for key, values in request.query.items() for value in values if key != "cursor"]
    return f"{world.url}{request.path}?{urlencode([*pairs, ('cursor', cursor)])}"


def _read_cursor(query: Mapping[str, list[str]]) -> int | None:
    cursor = _first(query, "cursor")
    if not cursor:
        return 0
    try:
        return int(json.loads(base64.urlsafe_b64decode(cursor))["after"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None


def _words(query: Mapping[str, list[str]], name: str) -> list[str]:
    """The values of a parameter, which may be repeated or comma-separated."""
    return [word for value in query.get(name, ()) for word in value.split(",") if word]


def _first(query: Mapping[str, list[str]], name: str, default: str = "") -> str:
    return query.get(name, [default])[0]


# One model


def _show_model(world: World, request: Request, headers: dict[str, str]) -> Response:
    wanted = request.path.removeprefix("/api/models/").strip("/")
    model = world.find(wanted)
    if model is None:
        target = world.renamed.get(wanted) or _other_case(world, wanted)
        return _missing_model(request, headers) if target is None else _redirect(request, target, headers)
    asked = _expanded(request.query)
    if asked:
        return Response.json(_expand(model, asked, build_mapping_dict(model)), headers=headers)
    author = model["id"].split("/")[0]
    full = {
        **build_hub_model(model),
        "author": author,
        "gated": model.get("gated", False),
        "sha": "0" * 40,
        "siblings": [],
    }
    return Response.json(full, headers=headers)


def _other_case(world: World, wanted: str) -> str | None:
    return next((model["id"] for model in world.models if model["id"].lower() == wanted.lower()), None)


def _redirect(request: Request, target: str, headers: dict[str, str]) -> Response:
    query = urlsplit(request.target).query
    return Response.redirect(f"/api/models/{target}{'?' if query else ''}{query}", headers=headers)


def _missing_model(request: Request, headers: dict[str, str]) -> Response:
    if request.key is None:
        return Response.error(401, "Invalid username or password.", "string", headers={**UNAUTHORIZED, **headers})
    return Response.error(404, "Repository not found", "string", headers={"X-Error-Code": "RepoNotFound", **headers})


def _whoami(request: Request, headers: dict[str, str]) -> Response:
    if request.key is None:
        return Response.error(401, "Invalid username or password.", "string", headers={**UNAUTHORIZED, **headers})
    user = {"_id": build_object_id("emulator"), "type": "user", "name": "emulator"}
    scope = {"entity": user, "permissions": ["inference.serverless.write"]}
    token = {
        "displayName": "emulator",
        "role": "fineGrained",
        "createdAt": "2026-10-01T00:00:00.000Z",
        "fineGrained": {"canReadGatedRepos": False, "global": [], "scoped": [scope]},
    }
    value = {
        "type": "user",
        "id": user["_id"],
        "name": "emulator",
        "fullname": "The hf_text emulator",
        "isPro": False,
        "avatarUrl": "https://example.invalid/avatar.png",
        "orgs": [],
        "auth": {"type": "access_token", "accessToken": token},
    }
    return Response.json(value, headers=headers)
