"""Sample values for a JSON schema, which the emulator returns instead of a model's answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["sample"]

_FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT0S",
    "email": "emulator@example.org",
    "ipv4": "127.0.0.1",
    "uri": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_MAX_DEPTH = 20


def sample(schema: Any, root: Any = None, depth: int = 0) -> Any:
    """A simple value that matches the schema: required properties only, and the first alternative of each choice.
    ``pattern`` is ignored.
    """
    root = schema if root is None else root
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return None
    if "$ref" in schema:
        return sample(_resolve(str(schema["$ref"]), root), root, depth + 1)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if schema.get(key):
            return schema[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return sample(schema[key][0], root, depth + 1)
    return _of_type(schema, root, depth)


def _of_type(schema: Mapping[str, Any], root: Any, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object":
        required = schema.get("required", ())
        return {
            key: sample(part, root, depth + 1) for key, part in schema.get("properties", {}).items() if key in required
        }
    if kind == "array":
        first = schema.get("prefixItems", [])
        parts = [*first, *[schema.get("items", {})] * (schema.get("minItems", 0) - len(first))]
        return [sample(part, root, depth + 1) for part in parts]
    if kind in ("integer", "number"):
        return _number(schema, kind)
    if kind == "string":
        text = _FORMATS.get(schema.get("format", ""), "emulated")
        return text.ljust(schema.get("minLength", 0), ".")[
            : schema.get("maxLength", len(text) + schema.get("minLength", 0))
        ]
    return {"boolean": False}.get(kind)


def _number(schema: Mapping[str, Any], kind: Any) -> Any:
    least = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    most = schema.get("maximum", schema.get("exclusiveMaximum", least + 1) - 1)
    value = max(least, min(0, most))
    step = schema.get("multipleOf")
    value = -(-value // step) * step if step else value
    return int(value) if kind == "integer" else float(value)


def _resolve(reference: str, root: Any) -> Any:
    found = root
    for key in reference.removeprefix("#").strip("/").split("/"):
        if key:
            found = found.get(key, {}) if isinstance(found, Mapping) else {}
    return found
