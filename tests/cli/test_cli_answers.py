"""The output for answers and errors."""

from __future__ import annotations

import io
import json
import sys

import pytest

from hf_text.cli.output import Output
from hf_text.emulator import Response


def last_line(text):
    return text.splitlines()[-1]


# --- Text


@pytest.mark.parametrize(
    ("pieces", "written"),
    [
        (["Hello", " world"], "Hello world\n"),
        (["Hello\n"], "Hello\n"),
        (["Hello\n", "\n"], "Hello\n\n"),
        (["Hello \n "], "Hello \n \n"),
        (["Two\nlines"], "Two\nlines\n"),
    ],
    ids=ascii,
)
def test_the_text_ends_with_its_own_newline_or_with_one_added(answer, cli, pieces, written):
    answer(*pieces)
    assert cli("Hello").out == written


def test_the_provider_is_named_on_standard_error(answer, cli):
    answer("Hi.", provider="novita")
    assert cli("Hello") == (0, "Hi.\n", "hf-text: openai/gpt-oss-120b, from Novita\n")


def test_reasoning_is_shown_only_on_request_on_standard_error(answer, cli):
    answer("Hi.", reasoning=["Let me", " see."])
    assert "Let me" not in "".join(cli("Hello")[1:])
    answer("Hi.", reasoning=["Let me", " see."])
    result = cli("--reasoning", "Hello")
    assert result.out == "Hi.\n"
    assert result.err.endswith("\nLet me see.\n")


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        (Response.text("Hi", finish="length"), "--max-tokens"),
        (Response.text("Hi", finish="content_filter"), "content filter"),
        (Response.text(reasoning=["Hm."]), "empty"),
    ],
    ids=["length", "content filter", "no text"],
)
def test_a_degraded_answer_comes_with_a_warning(hf, cli, reply, shown):
    hf.reply(reply)
    result = cli("Hello")
    assert result.status == 0
    assert result.out in ("Hi\n", "")
    assert last_line(result.err).startswith("hf-text: warning: ")
    assert shown in last_line(result.err)


@pytest.mark.parametrize(
    ("encoding", "text", "written"),
    [
        ("ascii", "naïve € 🙂", b"na?ve ? ?\n"),
        ("cp1252", "naïve € 🙂", b"na\xefve \x80 ?\n"),
    ],
    ids=["ascii", "cp1252"],
)
def test_characters_missing_in_the_encoding_are_replaced(answer, cli, monkeypatch, encoding, text, written):
    console = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(console, encoding, newline="\n"))
    answer(text)
    assert cli("Hello").status == 0
    assert console.getvalue() == written


@pytest.mark.parametrize("argv", [[], ["--json"], ["--reasoning"]], ids=str)
def test_a_lone_surrogate_is_harmless(hf, cli, argv):
    pieces = ['{"reasoning":"Hm \\ud83d"}', '{"content":"half \\ud83d"}']
    chunks = [f'{{"choices":[{{"delta":{piece}}}]}}' for piece in pieces]
    hf.reply(Response.sse(*chunks, '{"choices":[{"delta":{},"finish_reason":"stop"}]}'))
    status, out, _ = cli(*argv, "Hello")
    assert status == 0
    assert "half " in out


def test_a_lone_surrogate_is_written_as_a_question_mark():
    console = io.TextIOWrapper(io.BytesIO(), "utf-8")
    Output(console, vital=True).write("half \ud83d")
    assert console.buffer.getvalue() == b"half ?"


# --- JSON


def test_json_is_one_line_with_the_full_completion(hf, cli):
    hf.reply(Response.text("Grüße\n", "!", reasoning=["Hm."], usage=(3, 4), provider="groq"))
    status, out, _ = cli("--json", "Hello")
    value = json.loads(out)
    assert (status, out.count("\n"), out.isascii()) == (0, 1, True)
    assert value.pop("timings")["total"] > 0
    assert value.pop("attempts")[0]["status"] == 200
    assert value == {
        "text": "Grüße\n!",
        "reasoning": "Hm.",
        "tool_calls": [],
        "finish_reason": "stop",
        "usage": {
            "prompt_tokens": 3,
            "completion_tokens": 4,
            "total_tokens": 7,
            "reasoning_tokens": None,
            "cached_tokens": None,
        },
        "model": "openai/gpt-oss-120b",
        "provider": "groq",
        "request_id": None,
        "system_fingerprint": None,
        "logprobs": [],
        "extra": {},
        "reasoning_key": "reasoning_content",
    }


def test_json_of_a_truncated_answer_has_the_error_and_the_partial_text(hf, cli):
    hf.reply("cut-mid-stream")
    status, out, err = cli("--json", "Hello")
    value = json.loads(out)
    assert status == 1
    assert value["error"]["type"] == "TruncatedStreamError"
    assert value["error"]["message"] in err
    assert value["partial"]["text"] == "One two"


def test_json_of_a_rejected_request_has_no_partial_answer(hf, cli):
    hf.reply("bad-key")
    status, out, _ = cli("--json", "Hello")
    assert (status, json.loads(out)["error"]["type"], json.loads(out)["partial"]) == (1, "AuthenticationError", None)


def test_json_of_an_invalid_argument_is_exit_2(hf, cli):
    status, out, _ = cli("--json", "--temperature", "3", "Hello")
    assert (status, json.loads(out)["error"]["type"]) == (2, "InvalidRequestError")


# --- Errors


@pytest.mark.parametrize("fault", ["cut-mid-stream", "no-finish-no-done", "error-in-stream", "broken-json"])
def test_the_text_of_an_incomplete_answer_comes_before_the_error(hf, cli, fault):
    hf.reply(fault)
    status, out, err = cli("Hello")
    assert (status, out) == (1, "One two\n")
    assert last_line(err).startswith("hf-text: error: ")
    assert "try again" in last_line(err)


@pytest.mark.parametrize("fault", ["stall-before-headers", "stall-mid-stream"])
def test_timeouts_accept_fractions_of_a_second(hf, cli, fault):
    hf.always(fault)
    result = cli("--provider", "groq", "--timeout", "0.15", "Hello")
    assert result.status == 1
    assert "0.15 s" in last_line(result.err)
    assert "--timeout" in last_line(result.err)


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        ("bad-key", "https://huggingface.co/settings/tokens"),
        ("credits-used-up", "https://huggingface.co/settings/billing"),
        ("no-permission", "https://huggingface.co/settings/tokens"),
        ("server-error", "--provider"),
        ("provider-payment", "--provider"),
        ("bad-gateway-html", "-m"),
        ("model-withdrawn", "-m"),
        ("html-200", "open any page in a browser"),
        ("closed-before-headers", "again"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(hf, cli, fault, advice):
    hf.models = [model for model in hf.models if model["id"] == "emulator/small"]  # one provider, so no other to try
    hf.always(fault)
    status, out, err = cli("-m", "emulator/small:novita", "Hello")
    assert (status, out) == (1, "")
    assert err.startswith("hf-text: error: ")
    assert len(err.splitlines()) == 1
    assert advice in err


def test_an_unknown_model_gets_similar_names(hf, cli):
    result = cli("-m", "openai/gpt-oss-121b", "Hello")
    assert result.status == 1
    assert "openai/gpt-oss-120b" in last_line(result.err)
    assert "-m" in last_line(result.err)


def test_a_server_that_is_not_running_is_an_error_with_a_hint(cli, unused_url):
    result = cli("--api-base", unused_url, "-m", "x", "Hello")
    assert (result.status, result.out) == (1, "")
    assert result.err.endswith("Is the server running, and is the port right?\n")


def test_other_providers_are_not_suggested_for_a_custom_server(emulator, cli, key):
    emulator.always(Response.error(500, "image input is not supported", "string"))
    result = cli("--api-base", emulator.api_base.replace("127.0.0.1", "localhost"), "Hello")
    assert result.err.endswith(". Try again, or choose another model (-m).\n")


def test_a_server_that_requires_a_key_gets_advice_on_the_variable(hf, cli, monkeypatch):
    monkeypatch.delenv("HF_TEXT_ROUTER_URL")
    hf.reply(Response.error(401, "Missing API key"))
    assert "HF_TEXT_API_KEY" in cli("--api-base", hf.api_base, "-m", "x", "Hello").err


def test_a_multi_line_error_is_printed_on_one_line(hf, cli):
    hf.reply(Response.error(400, "No.\n\nAnd\tno.\r\nAgain."))
    assert "No. And no. Again. (HTTP 400" in cli("Hello").err


# --- The demo


def test_the_demo_needs_no_key_and_says_that_no_model_is_used(cli, monkeypatch):
    for name in ("HF_ENDPOINT", "HF_TEXT_ROUTER_URL", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # must not be contacted
    status, out, err = cli("--demo", "Hello", "there")
    assert status == 0
    assert "Hello there" in out
    assert err.splitlines()[0].endswith("made-up answers from the built-in emulator, not from a model")


def test_the_demo_takes_the_other_options(cli):
    status, out, err = cli("--demo", "--json", "-m", "gpt-oss-20b", "--provider", "groq", "--max-tokens", "3", "Hello")
    value = json.loads(out)
    assert (status, value["model"], value["provider"]) == (0, "openai/gpt-oss-20b", "groq")
    assert value["finish_reason"] == "length"
    assert "made-up" in err


def test_a_different_answering_model_is_reported(hf, cli):
    hf.always(Response.text("Hi", model="tiny-1b"))
    result = cli("--api-base", hf.api_base, "-m", "org/large", "Hello")
    assert result.status == 0
    assert last_line(result.err) == "hf-text: the server says that tiny-1b answered, not org/large"


def test_a_tool_call_is_reported(hf, cli):
    hf.always("tool-call-repeated")
    result = cli("Hello")
    assert (result.status, result.out) == (0, "")
    assert "cannot run tools" in last_line(result.err)


def test_a_misspelled_provider_gets_the_closest_name(hf, cli):
    result = cli("--provider", "novitta", "Hello")
    assert result.status == 1
    assert "Did you mean --provider novita?" in result.err
