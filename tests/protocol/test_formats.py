"""``response_format`` in the form of each route."""

from __future__ import annotations

from typing import Any

import pytest

from hf_text.protocol.formats import format_for

SCHEMA = {"type": "object"}
FORM = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("https://router.huggingface.co/v1/chat/completions", FORM),
        ("https://router.huggingface.co/novita/v3/openai/chat/completions", FORM),
        ("http://localhost:8080/v1/chat/completions", FORM),
        (
            "https://router.huggingface.co/cohere/compatibility/v1/chat/completions",
            {"type": "json_object", "schema": SCHEMA},
        ),
        ("https://api.cohere.com/compatibility/v1/chat/completions", {"type": "json_object", "schema": SCHEMA}),
        ("https://api.fireworks.ai/inference/v1/chat/completions", {"type": "json_object", "schema": SCHEMA}),
        ("https://api.together.xyz/v1/chat/completions", {"type": "json_schema", "schema": SCHEMA}),
        ("https://router.huggingface.co/together/v1/chat/completions", {"type": "json_schema", "schema": SCHEMA}),
        (
            "https://router.huggingface.co/hf-inference/models/a/b/v1/chat/completions",
            {"type": "json_object", "value": SCHEMA},
        ),
    ],
)
def test_a_schema_is_sent_in_the_form_of_the_route(url: str, form: Any) -> None:
    assert format_for(url, FORM) == form


@pytest.mark.parametrize(
    "form", [None, {"type": "json_object"}, {"type": "text"}, {"type": "json_schema", "schema": {}}]
)
def test_any_other_format_is_sent_unchanged(form: Any) -> None:
    assert format_for("https://api.together.xyz/v1/chat/completions", form) == form
