"""The requests that the command line's arguments produce."""

from __future__ import annotations

import base64
from typing import Any

import pytest

import hf_text
from hf_text.cli.prompt import decode_text
from hf_text.emulator import Response

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def sent(hf: Any) -> Any:
    """Return the body of the last chat request."""
    return [request for request in hf.requests if request.path.endswith("/chat/completions")][-1].json


def prompt_of(hf: Any) -> Any:
    return sent(hf)["messages"][-1]["content"]


def test_without_options_only_a_default_model_is_streamed(hf, cli):
    assert cli("Hello").status == 0
    assert sent(hf) == {
        "model": "openai/gpt-oss-120b",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "max_tokens": 2048,
    }
    assert len(hf.requests) == 1


@pytest.mark.parametrize(
    ("argv", "field", "value"),
    [
        (["-m", "openai/gpt-oss-20b"], "model", "openai/gpt-oss-20b"),
        (["--model", "gpt-oss-20b"], "model", "openai/gpt-oss-20b"),
        (["--max-tokens", "7"], "max_tokens", 7),
        (["--temperature", "0.25"], "temperature", 0.25),
        (["--temperature", "0"], "temperature", 0),
        (["--provider", "groq"], "model", "openai/gpt-oss-120b:groq"),
        (["--provider", "cheapest"], "model", "openai/gpt-oss-120b:cheapest"),
        (["--json"], "stream_options", {"include_usage": True}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_an_option_reaches_the_server(hf, cli, argv, field, value):
    assert cli(*argv, "Hello").status == 0
    assert sent(hf)[field] == value


@pytest.mark.parametrize("flag", ["-s", "--system"])
def test_a_system_message_comes_first(hf, cli, flag):
    cli(flag, "Be brief.", "Hello")
    assert sent(hf)["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]


def test_providers_are_tried_in_order(hf, cli):
    hf.reply("server-error")
    assert cli("--provider", "together", "--provider", "groq", "Hello").status == 0
    assert [request.json["model"].partition(":")[2] for request in hf.requests] == ["together", "groq"]


def test_all_kinds_of_media_follow_the_prompt(hf, cli, tmp_path):
    (tmp_path / "dot.png").write_bytes(PNG)
    cli("--media", str(tmp_path / "dot.png"), "--media", "https://example.org/cat.jpg", "What is it?")
    text, first, second = prompt_of(hf)
    assert text == {"type": "text", "text": "What is it?"}
    assert first["image_url"]["url"] == "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert second["image_url"]["url"] == "https://example.org/cat.jpg"
    assert sent(hf)["model"] == "google/gemma-4-31B-it"


# --- The prompt


def test_unquoted_words_are_joined_around_options(hf, cli):
    cli("Why", "is", "-m", "gpt-oss-20b", "the", "sky", "--temperature", "1", "blue?")
    assert prompt_of(hf) == "Why is the sky blue?"


@pytest.mark.parametrize("before", [[], ["What", "does"], ["--temperature", "1"]], ids=str)
def test_after_two_dashes_everything_is_prompt(hf, cli, before):
    words = [word for word in before if word[0].isupper() or word == "does"]
    cli(*before, "--", "--json", "--", "mean?")
    assert prompt_of(hf) == " ".join([*words, "--json -- mean?"])


def test_a_negative_number_is_a_prompt(hf, cli):
    cli("-5")
    assert prompt_of(hf) == "-5"


def test_piped_text_follows_the_prompt(hf, cli):
    cli("Summarise this:", stdin="Ein längerer Text\n\tmit Zeilen\n".encode())
    assert prompt_of(hf) == "Summarise this:\n\nEin längerer Text\n\tmit Zeilen"


def test_piped_text_can_be_the_prompt(hf, cli):
    cli(stdin=b"  Hello\n")
    assert prompt_of(hf) == "  Hello"


@pytest.mark.parametrize("stdin", [b"", b" \n"])
def test_blank_piped_text_adds_nothing(hf, cli, stdin):
    cli("Hello", stdin=stdin)
    assert prompt_of(hf) == "Hello"


@pytest.mark.parametrize(
    "data",
    ["naïve €".encode(), "\ufeffnaïve €".encode(), "naïve €".encode("utf-16"), "naïve €".encode("cp1252")],
    ids=["utf-8", "utf-8 with a mark", "utf-16", "the system's encoding"],
)
def test_common_encodings_of_piped_text_are_read(data):
    assert decode_text(data, "cp1252") == "naïve €"


@pytest.mark.parametrize(
    "data", [PNG, b"MZ\0\1", b"\xff\xfe\0", b"caf\xe9"], ids=["a picture", "a program", "half a character", "not UTF-8"]
)
def test_piped_binary_data_is_a_usage_error(hf, cli, data):
    result = cli("Summarise this:", stdin=data)
    assert (result.status, result.out, hf.requests) == (2, "", [])
    assert "hf-text: error: standard input cannot be read" in result.err


# --- Invalid arguments


@pytest.mark.parametrize("argv", [[], [""], ["  "], ["-m", "gpt-oss-20b"]], ids=str)
def test_a_missing_prompt_shows_the_usage(hf, cli, argv):
    result = cli(*argv)
    assert (result.status, result.out, hf.requests) == (2, "", [])
    assert 'hf-text "Why is the sky blue?"' in result.err
    assert "cat notes.txt | hf-text" in result.err


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["--max-tokens", "many", "Hello"], "--max-tokens"),
        (["--max-tokens", "0", "Hello"], "--max-tokens"),
        (["--temperature", "3", "Hello"], "--temperature"),
        (["--temperature", "nan", "Hello"], "--temperature"),
        (["--timeout", "0", "Hello"], "--timeout must be"),
        (["--timeout", "soon", "Hello"], "--timeout"),
        (["--provider", "no/such provider", "Hello"], "provider"),
        (["-m", "", "Hello"], "model"),
        (["--media", "/no/such/file.png", "Hello"], "/no/such/file.png"),
        (["--api-base", "localhost:8080", "Hello"], "--api-base"),
        (["--api-base", "http://localhost:8080/v1", "--provider", "groq", "Hello"], "--provider"),
        (["--demo", "--api-base", "http://localhost:8080/v1", "Hello"], "--demo"),
        (["--nonsense", "Hello"], "--nonsense"),
        (["--mod", "gpt-oss-20b", "Hello"], "--mod"),
        (["\udce9"], "surrogate"),
    ],
    ids=lambda value: ascii(" ".join(value)) if isinstance(value, list) else None,
)
def test_invalid_arguments_are_named_with_exit_2_and_nothing_is_sent(hf, cli, argv, shown):
    result = cli(*argv)
    assert (result.status, result.out, hf.requests) == (2, "", [])
    assert shown in [line for line in result.err.splitlines() if "hf-text: error: " in line][-1]


@pytest.mark.parametrize("argv", [["--api-key", "hf_Secret0123"], ["--api-key=hf_Secret0123"]], ids=["two words", "="])
def test_a_key_on_the_command_line_is_refused_without_showing_it(hf, cli, argv):
    result = cli(*argv, "Hello")
    assert (result.status, hf.requests) == (2, [])
    assert "HF_TEXT_API_KEY" in result.err
    assert "Secret" not in result.err


# --- Keys


def test_only_the_hugging_face_key_goes_to_hugging_face(hf, cli, monkeypatch, key):
    monkeypatch.setenv("HF_TEXT_API_KEY", "sk-other")
    cli("Hello")
    cli("--api-base", f"{hf.url}/v1", "Hello")  # the router's own address
    assert [request.key for request in hf.requests] == [key, key]


def test_another_server_does_not_get_the_hugging_face_key(hf, cli, monkeypatch):
    monkeypatch.delenv("HF_TEXT_ROUTER_URL")
    cli("--api-base", hf.api_base, "-m", "openai/gpt-oss-20b", "Hello")
    monkeypatch.setenv("HF_TEXT_API_KEY", "sk-other\n")
    cli("--api-base", hf.api_base, "-m", "openai/gpt-oss-20b", "Hello")
    assert [request.key for request in hf.requests] == [None, "sk-other"]
    assert sent(hf)["model"] == "openai/gpt-oss-20b"


def test_the_first_listed_model_of_another_server_is_the_default(hf, cli, monkeypatch):
    monkeypatch.delenv("HF_TEXT_ROUTER_URL")
    hf.reply(Response.json({"data": [{"id": "local/first"}, {"id": "local/second"}]}), path="/v1/models")
    hf.reply(Response.text("Hi."))
    assert cli("--api-base", hf.api_base, "--json", "Hello").status == 0
    assert sent(hf)["model"] == "local/first"
    assert "stream_options" not in sent(hf)  # some servers reject it


def test_an_invalid_key_variable_is_named_and_not_shown(hf, cli, monkeypatch):
    monkeypatch.delenv("HF_TEXT_ROUTER_URL")
    monkeypatch.setenv("HF_TEXT_API_KEY", "sk-\u00e9Secret")
    result = cli("--api-base", hf.api_base, "Hello")
    assert result.status == 2
    assert "HF_TEXT_API_KEY" in result.err
    assert "Secret" not in result.err


def test_a_missing_key_shows_how_to_get_one_and_mentions_the_demo(hf, cli, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    result = cli("Hello")
    assert (result.status, result.out, hf.requests) == (1, "", [])
    assert len(result.err.splitlines()) == 1
    for word in ("https://huggingface.co/settings/tokens", "HF_TOKEN", "hf-text --demo"):
        assert word in result.err


# --- Help


def test_the_version_is_that_of_the_library(cli):
    assert cli("--version") == (0, f"hf-text {hf_text.__version__}\n", "")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_every_option_and_variable_except_refused_ones(cli, flag):
    result = cli(flag)
    assert (result.status, result.err) == (0, "")
    options = (
        "--model",
        "--system",
        "--media",
        "--max-tokens",
        "--temperature",
        "--provider",
        "--api-base",
        "--timeout",
    )
    for word in (*options, "--json", "--demo", "--reasoning", "--version", "HF_TOKEN", "HF_TEXT_API_KEY", "130"):
        assert word in result.out
    assert "--api-key" not in result.out


KEY = "hf_Zw9Kq3Vt7Rb5Xn1Jm8Lc4Pd6"


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        ([f"--token={KEY}", "Hello"], "--token"),
        (["--token", KEY, "Hello"], "--token"),
        ([f"--key={KEY}", "Hello"], "--key"),
        ([f"--hf-token={KEY}", "Hello"], "--hf-token"),
        ([f"--HF_TOKEN={KEY}"], "--HF_TOKEN"),
        ([f"-k{KEY}", "Hello"], "-k"),
        (["-k", KEY, "Hello"], "-k"),
        ([f"--api-key={KEY}", "Hello"], "HF_TOKEN"),
        (["--api-key", KEY, "Hello"], "HF_TOKEN"),
        ([f"--apikey={KEY}", "Hello"], "--apikey"),
        ([f"--tokn={KEY}", "Hello"], "--tokn"),
        ([f"--json={KEY}", "Hello"], "--json"),
        ([f"--max-tokens={KEY}", "Hello"], "--max-tokens"),
        ([f"-X{KEY}", "Hello"], "-X"),
        ([f"--api-base=https://me:{KEY}@example.org/v1", "Hello"], "--api-base"),
        ([f"--api-base={KEY}", "Hello"], "--api-base"),
    ],
)
def test_a_key_among_the_arguments_is_not_shown(hf, cli, argv, named):
    """Terminal output stays in scrollback and logs, and is copied into bug reports."""
    result = cli(*argv)
    assert (result.status, hf.requests) == (2, [])
    assert named in result.err
    assert KEY[3:10] not in result.out + result.err
