"""The peculiarities of each provider's stream, one test each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hf_text.emulator import ERROR_SHAPES, STYLES, Response

CALL = ("get_weather", {"city": "Paris"})


def stream(style: str, *pieces: str, **arguments: Any) -> list[Any]:
    """Return the events of a stream: parsed chunks, and [DONE] as text."""
    body = Response.text(*pieces, style=style, **arguments).body
    assert isinstance(body, tuple)
    data = [bytes(piece).removeprefix(b"data:").strip() for piece in body]
    return [item.decode() if item == b"[DONE]" else json.loads(item) for item in data]


def chunks(style: str, *pieces: str, **arguments: Any) -> list[dict[str, Any]]:
    return [event for event in stream(style, *pieces, **arguments) if event != "[DONE]"]


def choices(style: str, *pieces: str, **arguments: Any) -> list[dict[str, Any]]:
    return [choice for chunk in chunks(style, *pieces, **arguments) for choice in chunk["choices"]]


def deltas(style: str, *pieces: str, **arguments: Any) -> list[dict[str, Any]]:
    return [choice["delta"] for choice in choices(style, *pieces, **arguments)]


def usage_of(style: str) -> list[Any]:
    """Return the completion tokens of each chunk: None for ``"usage": null``, "-" if the key is missing."""
    return [
        (c["usage"] and c["usage"]["completion_tokens"]) if "usage" in c else "-"
        for c in chunks(style, "a", "b", usage=(3, 2))
    ]


def fragments(style: str) -> list[dict[str, Any]]:
    """Return the fragments of a tool call."""
    return [d["tool_calls"][0] for d in deltas(style, tool_calls=[CALL]) if "tool_calls" in d]


@pytest.mark.parametrize("style", STYLES)
class TestEveryStyle:
    def test_the_text_is_the_joined_pieces(self, style: str) -> None:
        text = "".join(delta.get("content") or "" for delta in deltas(style, "Hello", " you"))
        assert text.removesuffix("</s>") == "Hello you"

    def test_the_reasoning_is_sent(self, style: str) -> None:
        assert "so I think" in "".join(
            str(delta.get(key) or "")
            for delta in deltas(style, "yes", reasoning=["so I ", "think"])
            for key in ("reasoning", "reasoning_content", "content")
        )

    def test_there_is_one_finish_reason(self, style: str) -> None:
        reasons = [choice["finish_reason"] for choice in choices(style, "Hello") if choice.get("finish_reason")]
        assert reasons == ["eos_token" if style == "tgi" else "stop"]

    def test_a_finish_reason_can_be_set_or_omitted(self, style: str) -> None:
        assert [c["finish_reason"] for c in choices(style, "a", finish="length") if c.get("finish_reason")] == [
            "length"
        ]
        assert not [c for c in choices(style, "a", finish=None) if c.get("finish_reason")]

    def test_done_ends_the_stream_except_where_the_server_sends_none(self, style: str) -> None:
        assert (stream(style, "a")[-1] == "[DONE]") == (style not in ("tgi", "transformers"))
        assert stream(style, "a", done=True)[-1] == "[DONE]"
        assert stream(style, "a", done=False)[-1] != "[DONE]"

    def test_the_arguments_of_a_call_are_complete(self, style: str) -> None:
        text = "".join(fragment["function"].get("arguments") or "" for fragment in fragments(style))
        assert json.loads(text) == {"city": "Paris"}
        assert fragments(style)[0]["function"]["name"] == "get_weather"

    def test_the_last_usage_is_the_total(self, style: str) -> None:
        assert [chunk for chunk in usage_of(style) if chunk not in (None, "-")][-1] == 2

    def test_usage_can_be_omitted(self, style: str) -> None:
        assert not [chunk for chunk in chunks(style, "a") if chunk.get("usage")]

    def test_each_chunk_names_the_model(self, style: str) -> None:
        assert {chunk["model"] for chunk in chunks(style, "a", model="m")} == {"m"}

    def test_two_calls_stay_separate(self, style: str) -> None:
        calls = [("a", "{}"), ("b", "{}")]
        names = [
            d["tool_calls"][0]["function"].get("name") for d in deltas(style, tool_calls=calls) if "tool_calls" in d
        ]
        assert [name for name in names if name] == ["a", "b"]


@pytest.mark.parametrize(
    ("style", "first"),
    [
        ("openai", {"role": "assistant", "content": ""}),
        ("novita", {"role": "assistant"}),
        ("fireworks", {"role": "assistant"}),
        ("llamacpp", {"role": "assistant", "content": None}),
        ("tgi", {"role": "assistant", "content": "a"}),
        ("baseten", {"content": "a"}),
    ],
)
def test_the_first_delta(style: str, first: dict[str, Any]) -> None:
    assert deltas(style, "a")[0] == first


@pytest.mark.parametrize(
    ("style", "usage"),
    [
        ("openai", [None, None, None, None, 2]),
        ("novita", ["-", "-", "-", "-", 2]),
        ("novita-2025", [0, 1, 2, 2, 2, 2, 2]),
        ("together", [None, None, None, None, 2]),
        ("together-r1", [None, None, 2]),
        ("groq", ["-", "-", "-", 2, 2]),
        ("cerebras", ["-", "-", "-", 2]),
        ("baseten", [0, 1, 2, 2]),
        ("transformers", ["-", "-", "-", 2]),
    ],
)
def test_usage_is_where_the_server_puts_it(style: str, usage: list[Any]) -> None:
    assert usage_of(style) == usage


@pytest.mark.parametrize("style", ["cerebras", "baseten", "zai-org"])
def test_ordinary_chunks_have_no_finish_reason_key(style: str) -> None:
    assert "finish_reason" not in choices(style, "a")[0]
    assert choices(style, "a")[-1]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("style", "delta"),
    [
        ("groq", {"reasoning": "hm", "channel": "analysis"}),
        ("cerebras", {"reasoning": "hm"}),
        ("fireworks", {"reasoning_content": "hm"}),
        ("nebius", {"reasoning_content": "hm"}),
    ],
)
def test_the_key_of_reasoning(style: str, delta: dict[str, Any]) -> None:
    assert deltas(style, "a", reasoning=["hm"])[1] == delta


def test_together_r1_sends_think_tags_as_separate_pieces() -> None:
    contents = [delta["content"] for delta in deltas("together-r1", "yes", reasoning=["hm"])]
    assert contents == ["<think>", "\n", "hm", "\n", "</think>", "\n\n", "yes", ""]


def test_together_repeats_the_text_next_to_the_delta() -> None:
    assert choices("together", "Hi")[1]["text"] == "Hi"
    assert choices("together", "Hi")[1]["delta"]["token_id"] is None


def test_together_r1_counts_cached_tokens_flat() -> None:
    assert chunks("together-r1", "a", usage=(3, 2))[-1]["usage"]["cached_tokens"] == 0


def test_novita_2025_sends_chunks_after_the_finish_reason() -> None:
    assert [choice["finish_reason"] for choice in choices("novita-2025", "a")] == [None, None, "stop", None, None]


def test_tgi_writes_no_space_after_data_and_ends_with_a_tag() -> None:
    body = Response.text("a", style="tgi").body
    assert isinstance(body, tuple)
    assert all(str(piece, "utf-8").startswith("data:{") for piece in body)
    assert deltas("tgi", "a")[-1] == {"role": "assistant", "content": "</s>"}
    assert {chunk["object"] for chunk in chunks("tgi", "a")} == {"text_completion"}


@pytest.mark.parametrize("style", ["groq", "nebius", "transformers", "together-r1"])
def test_a_tool_call_in_one_piece(style: str) -> None:
    assert len(fragments(style)) == 1


def test_nebius_sends_tool_calls_without_id_and_finish_reason() -> None:
    assert "id" not in fragments("nebius")[0]
    assert not [choice for choice in choices("nebius", tool_calls=[CALL]) if choice["finish_reason"]]


def test_together_r1_sends_tool_call_index_minus_one() -> None:
    assert fragments("together-r1")[0]["index"] == -1


def test_tgi_repeats_id_zero_and_a_null_name() -> None:
    first, *rest = fragments("tgi")
    assert first["function"]["name"] == "get_weather"
    assert {(f["id"], f["function"]["name"]) for f in rest} == {("0", None)}
    assert not [choice for choice in choices("tgi", tool_calls=[CALL]) if choice["finish_reason"]]


def test_fireworks_starts_calls_without_arguments_and_continues_with_a_null_id() -> None:
    first, *rest = fragments("fireworks")
    assert first["function"] == {"name": "get_weather"}
    assert {fragment["id"] for fragment in rest} == {None}


@pytest.mark.parametrize("style", ["openai", "cerebras", "zai-org"])
def test_only_the_first_fragment_has_an_id(style: str) -> None:
    assert ["id" in fragment for fragment in fragments(style)] == [True, False, False]


def test_baseten_repeats_the_id_and_finishes_on_the_last_fragment() -> None:
    assert {fragment["id"] for fragment in fragments("baseten")} == {"call_1"}
    last = choices("baseten", tool_calls=[CALL])[-1]
    assert last["finish_reason"] == "tool_calls"
    assert last["delta"]["tool_calls"]


@pytest.mark.parametrize("style", ["openai", "groq", "fireworks", "cerebras"])
def test_tool_calls_are_the_finish_reason(style: str) -> None:
    assert choices(style, tool_calls=[CALL])[-1]["finish_reason"] == "tool_calls"


def test_a_provider_is_named_in_the_headers() -> None:
    assert dict(Response.text("a", provider="groq").headers)["x-inference-provider"] == "groq"
    assert "x-inference-provider" not in dict(Response.text("a").headers)


def test_an_unknown_style_is_refused_with_the_known_names() -> None:
    with pytest.raises(ValueError, match=r"one of .*groq.*, not 'grok'"):
        Response.text("a", style="grok")


@pytest.mark.parametrize("shape", ERROR_SHAPES)
def test_every_shape_of_an_error_carries_its_message(shape: str) -> None:
    reply = Response.error(400, "too bad", shape, "novita", code="7", keep_alive=False)
    assert (reply.status, reply.keep_alive) == (400, False)
    assert dict(reply.headers)["x-inference-provider"] == "novita"
    assert isinstance(reply.body, bytes)
    assert "too bad" in json.dumps(json.loads(reply.body))


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ("openai", {"error": {"message": "m", "type": "invalid_request_error", "param": None, "code": None}}),
        ("string", {"error": "m"}),
        ("novita", {"code": 400, "reason": "INVALID_REQUEST_BODY", "message": "m", "metadata": {}}),
        ("detail", {"detail": "m"}),
        ("tgi", {"error": "m", "error_type": "validation"}),
        ("cerebras", {"message": "m", "type": "invalid_request_error", "param": None, "code": None}),
    ],
)
def test_a_shape_of_an_error(shape: str, body: Any) -> None:
    assert json.loads(bytes(Response.error(400, "m", shape).body)) == body  # type: ignore[arg-type]


def test_an_error_string_is_also_in_a_header() -> None:
    assert dict(Response.error(402, "pay", "string").headers)["X-Error-Message"] == "pay"


def test_an_error_can_be_plain_text() -> None:
    reply = Response.error(422, "no", "text")
    assert (reply.body, dict(reply.headers)["Content-Type"]) == (b"no", "text/plain; charset=utf-8")


def test_an_unknown_shape_is_refused_with_the_known_names() -> None:
    with pytest.raises(ValueError, match=r"text or one of .*novita.*, not 'square'"):
        Response.error(400, "m", "square")
