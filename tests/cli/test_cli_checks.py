"""``doctor`` and ``compare``."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from hf_text.emulator import Response

MODEL = "openai/gpt-oss-120b"


def findings(out):
    return {line["what"]: line for line in map(json.loads, out.splitlines())}


# --- doctor


def test_where_all_is_well_the_doctor_says_so_without_the_key(hf, cli, key):
    result = cli("doctor", "--ask")
    assert result.status == 0, result.out
    assert "FIX" not in result.out
    assert "from HF_TOKEN" in result.out
    assert "may call providers" in result.out
    assert key not in result.out + result.err


def test_the_doctor_does_not_ask_a_model_unless_told(hf, cli):
    cli("doctor")
    assert [request for request in hf.requests if request.path.endswith("/chat/completions")] == []


def test_a_missing_key_comes_with_where_to_make_one(hf, cli, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    result = cli("doctor", "--json")
    assert result.status == 1
    assert "https://huggingface.co/settings/tokens" in findings(result.out)["key"]["fix"]


def test_a_key_that_may_not_call_providers_is_told(hf, cli):
    hf.reply(
        Response.json({"name": "jane-doe", "auth": {"accessToken": {"role": "fineGrained"}}}), path="/api/whoami-v2"
    )
    result = cli("doctor", "--json")
    assert result.status == 1
    assert "Make calls to Inference Providers" in findings(result.out)["account"]["fix"]
    assert "jane-doe" not in result.out


def test_a_server_that_is_down_and_certificates_that_are_not_there_are_told(cli, unused_url, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "no.pem"))
    monkeypatch.setenv("https_proxy", "http://jane:secret@127.0.0.1:9")
    result = cli("doctor", "--api-base", unused_url)
    assert result.status == 1
    assert "FIX SSL_CERT_FILE: ~/no.pem is not there" in result.out
    assert "proxy for https: 127.0.0.1:9" in result.out
    assert "FIX models of 127.0.0.1" in result.out
    assert not any(word in result.out for word in ("jane", "secret", str(tmp_path)))


def test_a_key_that_cannot_be_one_is_told_once(cli, monkeypatch):
    monkeypatch.delenv("HF_TEXT_ROUTER_URL", raising=False)
    monkeypatch.delenv("HF_TEXT_HUB_URL", raising=False)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # so that no name is looked up
    monkeypatch.setenv("HF_TOKEN", "sk-0123456789abcdef")
    result = cli("doctor")
    assert result.status == 1
    assert result.out.count("HF_TOKEN cannot be a key: it is a key of OpenAI or a server like it") == 1
    assert result.out.endswith("Put it in HF_TEXT_API_KEY, and pass the server's address with --api-base\n")


# --- compare


def test_compare_asks_each_live_provider_once_and_shows_a_table_and_a_plot(hf, cli, tmp_path):
    plot = tmp_path / "speed.svg"
    result = cli("compare", MODEL, "Hello", "there", "--yes", "--max-tokens", "9", "--plot", str(plot))
    asked = [request.json for request in hf.requests if request.path.endswith("/chat/completions")]
    providers = [body["model"].partition(":")[2] for body in asked]
    assert result.status == 0
    assert {(body["messages"][0]["content"], body["max_tokens"]) for body in asked} == {("Hello there", 9)}
    assert len(set(providers)) == len(providers) > 1
    assert [line.split()[0] for line in result.out.splitlines()[1:]] == providers
    assert all(name in result.err for name in providers)
    assert "may cost up to $" in result.err
    assert ET.parse(plot).getroot().tag.endswith("svg")


def test_compare_asks_nobody_unless_it_was_agreed_to(hf, cli):
    result = cli("compare", MODEL)
    assert (result.status, result.out) == (2, "")
    assert "--yes" in result.err
    assert [request for request in hf.requests if request.path.endswith("/chat/completions")] == []


def test_a_provider_that_fails_is_a_row_and_not_the_end(hf, cli):
    hf.reply(Response.error(402, "out of\x1b[2J credits", "string"))
    results = [json.loads(line) for line in cli("compare", MODEL, "Hi", "--yes", "--json").out.splitlines()]
    assert "credits" in results[0]["error"]
    assert {result["error"] for result in results[1:]} == {None}


@pytest.mark.parametrize("argv", [[MODEL, "--yes", "--plot", "x.png"], [], ["no/such", "--yes"]], ids=str)
def test_what_cannot_be_compared_is_an_error_and_nobody_is_asked(hf, cli, argv):
    result = cli("compare", *argv)
    assert result.status in (1, 2)
    assert "error: " in result.err
    assert [request for request in hf.requests if request.path.endswith("/chat/completions")] == []
