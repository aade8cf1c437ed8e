"""Converts a ``response_format`` with a schema to the form that the route expects.

Hugging Face's router and most servers accept OpenAI's form; some providers use their own form on their own routes
(huggingface_hub, ``inference/_providers/*.py`` at ee0a4510, August 2026).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

__all__ = ["format_for"]

_HOSTS = {"api.cohere.com": "cohere", "api.fireworks.ai": "fireworks-ai", "api.together.xyz": "together"}
_FORMS = {
    "cohere": ("json_object", "schema"),
    "fireworks-ai": ("json_object", "schema"),
    "hf-inference": ("json_object", "value"),
    "together": ("json_schema", "schema"),
}


def format_for(url: str, form: Any) -> Any:
    """Return the ``response_format`` for a route.

    Args:
        url: the request's URL: a provider's own host, or a host with the provider's name first in the path.
        form: the caller's ``response_format``.
    """
    named = form.get("json_schema") if isinstance(form, Mapping) and form.get("type") == "json_schema" else None
    if not isinstance(named, Mapping) or "schema" not in named:
        return form
    parts = urlsplit(url)
    provider = _HOSTS.get(parts.hostname or "") or parts.path.lstrip("/").partition("/")[0]
    if provider not in _FORMS:
        return form
    kind, key = _FORMS[provider]
    return {"type": kind, key: named["schema"]}
