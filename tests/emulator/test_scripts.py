"""Scripted replies: which reply answers which request."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hf_text.emulator import Emulator, Request, Response
from hf_text.emulator.request import Headers

Ask = Callable[..., Any]
CHAT = "/v1/chat/completions"
HELLO = {"model": "emulator/small", "messages": [{"role": "user", "content": "Hi"}]}


def test_scripted_replies_are_used_once_in_order_before_the_built_in_one(hf: Emulator, ask: Ask) -> None:
    hf.reply(Response(body="one"), Response(body="two"))
    hf.reply(Response(body="three"))
    assert [ask(CHAT, HELLO).body for _ in range(3)] == [b"one", b"two", b"three"]
    assert b"This is the hf_text emulator" in ask(CHAT, HELLO).body


def test_a_reply_answers_only_chat_routes(hf: Emulator, ask: Ask) -> None:
    hf.reply(Response(body="one"))
    assert ask("/v1/models").json["object"] == "list"
    assert ask("/groq/openai/v1/chat/completions", {}).body == b"one"


def test_a_reply_for_a_path_waits_for_it(hf: Emulator, ask: Ask) -> None:
    hf.reply(Response(body="one"), path="/api/models")
    assert ask("/api/whoami-v2").status == 401
    assert ask("/api/models?limit=1").body == b"one"


def test_a_star_matches_the_rest_of_a_path(hf: Emulator, ask: Ask) -> None:
    hf.always(Response(body="one"), path="/api/models/*")
    assert ask("/api/models/a/b").body == ask("/api/models/c").body == b"one"
    assert ask("/api/models").json


def test_the_more_specific_path_takes_precedence(hf: Emulator, ask: Ask) -> None:
    hf.reply(Response(body="any chat"))
    hf.reply(Response(body="star"), path="/v1/*")
    hf.reply(Response(body="exact"), path=CHAT)
    assert [ask(CHAT, HELLO).body for _ in range(3)] == [b"exact", b"star", b"any chat"]


def test_a_standing_reply_follows_the_script_every_time(hf: Emulator, ask: Ask) -> None:
    hf.always(Response(body="always"))
    hf.reply(Response(body="once"))
    assert [ask(CHAT, HELLO).body for _ in range(3)] == [b"once", b"always", b"always"]


def test_a_standing_reply_can_be_replaced(hf: Emulator, ask: Ask) -> None:
    hf.always(Response(body="one"))
    hf.always(Response(body="two"))
    assert ask(CHAT, HELLO).body == b"two"


def test_a_fault_can_be_named(hf: Emulator, ask: Ask) -> None:
    hf.reply("overloaded")
    hf.always("empty-500")
    assert [ask(CHAT, HELLO).status for _ in range(3)] == [429, 500, 500]


def test_a_function_can_build_the_reply(hf: Emulator, ask: Ask) -> None:
    def echo(request: Request) -> Response:
        return Response.json(request.json["messages"])

    hf.always(echo)
    assert ask(CHAT, HELLO).json == HELLO["messages"]


def test_a_scripted_reply_needs_no_key(hf: Emulator, ask: Ask) -> None:
    hf.require_key = "hf_right"
    hf.reply(Response(body="one"))
    assert ask(CHAT, HELLO).body == b"one"


def test_an_unknown_fault_is_refused_at_once(hf: Emulator) -> None:
    with pytest.raises(ValueError, match=r"no fault is named 'cut'; there are .*cut-mid-stream"):
        hf.reply("cut")


def test_an_invalid_reply_is_refused_at_once(hf: Emulator) -> None:
    with pytest.raises(TypeError, match="not 404"):
        hf.always(404)  # type: ignore[arg-type]


def test_the_environment_points_to_the_emulator(hf: Emulator) -> None:
    assert hf.environ == {"HF_ENDPOINT": hf.url, "HF_TEXT_ROUTER_URL": hf.url}


def test_the_pace_applies_to_built_in_answers() -> None:
    hf = Emulator(pace=0.25)
    body = json.dumps(HELLO | {"stream": True}).encode()
    assert hf.handle(Request("POST", CHAT, {}, Headers(), body, 1, CHAT)).pace == 0.25
