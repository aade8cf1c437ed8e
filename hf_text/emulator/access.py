"""The access checks that the Hub and the router share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .replies import Response

if TYPE_CHECKING:
    from .request import Request
    from .world import World

__all__ = ["POWERED", "UNAUTHORIZED", "refuse_key", "refuse_method"]

POWERED = {"x-powered-by": "huggingface-moon"}
UNAUTHORIZED = {"WWW-Authenticate": 'Bearer realm="Authentication required", charset="UTF-8"', **POWERED}


def refuse_key(world: World, request: Request) -> Response | None:
    """The 401 for a wrong key; None if the key is right or missing."""
    if world.require_key is None or request.authorization is None or request.key == world.require_key:
        return None
    return Response.error(401, "Invalid credentials in Authorization header", "string", headers=UNAUTHORIZED)


def refuse_method(request: Request, *allowed: str) -> Response | None:
    """The 405 for a method that this route does not support; None if it does."""
    if request.method in allowed:
        return None
    return Response.error(405, "Method Not Allowed", "text", headers={"Allow": ", ".join(allowed)})
