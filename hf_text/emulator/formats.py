"""The form of ``response_format`` that each route accepts, and the error for other forms.

Sources: huggingface_hub, ``inference/_providers/*.py`` (each provider's own route); recorded refusals of Fireworks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .replies import Response

__all__ = ["find_schema", "refuse_format"]


def find_schema(form: Any) -> Any:
    """The JSON schema in a ``response_format`` of any form; None if there is none."""
    if not isinstance(form, Mapping):
        return None
    named = form.get("json_schema")
    inner = named.get("schema") if isinstance(named, Mapping) else None
    return inner or form.get("schema") or form.get("value")


def refuse_format(form: Any, provider: str, own_route: bool) -> Response | None:
    """The 400 for a ``response_format`` that this provider does not accept; None if it does.

    Args:
        form: the ``response_format`` of the request.
        provider: the chosen provider.
        own_route: whether the request used the provider's own route; the unified route expects OpenAI's form.
    """
    if form is None:
        return None
    fault = _OWN_FORMS[provider](form) if own_route and provider in _OWN_FORMS else _find_fault(form)
    if fault is None and provider == "fireworks-ai" and "$schema" in (find_schema(form) or {}):
        fault = "response_format.schema: '$schema' is not permitted"
    return None if fault is None else Response.error(400, fault, provider=provider, code="invalid_request_error")


def _find_fault(form: Mapping[str, Any]) -> str | None:
    kind = form.get("type")
    if kind not in ("text", "json_object", "json_schema"):
        return f"response_format.type: Input should be 'text', 'json_object' or 'json_schema', not {kind!r:.40}"
    if kind != "json_schema":
        return _find_extra(form, "response_format", {"type"})
    named = form.get("json_schema")
    if not isinstance(named, Mapping) or not isinstance(named.get("name"), str):
        return "response_format.json_schema.name: Field required"
    if not isinstance(named.get("schema"), Mapping):
        return "response_format.json_schema.schema: Field required"
    return _find_extra(form, "response_format", {"type", "json_schema"}) or _find_extra(
        named, "response_format.json_schema", {"name", "description", "schema", "strict"}
    )


def _find_extra(value: Mapping[str, Any], place: str, known: set[str]) -> str | None:
    extra = sorted(set(value) - known)
    return f"Extra inputs are not permitted, field: '{place}.{extra[0]}'" if extra else None


def _wants(kind: str, key: str) -> Any:
    """A check for a form with the schema next to the type."""

    def find_fault(form: Mapping[str, Any]) -> str | None:
        if form.get("type") in ("text", "json_object") and set(form) == {"type"}:
            return None
        if form.get("type") != kind or not isinstance(form.get(key), Mapping):
            return f'response_format should be {{"type": "{kind}", "{key}": …}}'
        return _find_extra(form, "response_format", {"type", key})

    return find_fault


_OWN_FORMS = {
    "cohere": _wants("json_object", "schema"),
    "fireworks-ai": _wants("json_object", "schema"),
    "hf-inference": _wants("json_object", "value"),
    "together": _wants("json_schema", "schema"),
}
