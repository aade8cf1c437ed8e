"""The commands other than a question: how one is selected, and what each does."""

from __future__ import annotations

import json
import os
import re
import stat

import pytest

from hf_text.cli.commands import COMMANDS, find_slip
from hf_text.cli.tables import bars, table
from hf_text.emulator import Response


def chats(hf):
    return [request.json for request in hf.requests if request.path.endswith("/chat/completions")]


# --- Which command


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["chta"], "hf-text chat"),
        (["Model"], "hf-text models"),
        (["help"], "hf-text --help"),
        (["Hello"], None),
        (["chat"], "hf-text chat"),
        (["chta", "with", "me"], None),
        ([], None),
    ],
    ids=str,
)
def test_a_misspelled_command_is_reported(words, shown):
    slip = find_slip(words)
    assert slip is None if shown is None else f"{shown}" in slip and f"hf-text ask {words[0]}" in slip


def test_a_piped_prompt_is_not_a_misspelled_command_and_ask_sends_any_word(hf, cli):
    assert cli("chta").status == 0
    assert cli("ask", "chat").status == 0
    assert cli("--temperature", "0", "chat").status == 0
    assert [body["messages"][-1]["content"] for body in chats(hf)] == ["chta", "chat", "chat"]


@pytest.mark.parametrize("name", list(COMMANDS))
def test_the_help_of_every_command_exits_with_0_and_sends_nothing(hf, cli, name):
    result = cli(name, "--help")
    assert (result.status, result.err, hf.requests) == (0, "", [])
    assert "usage: hf-text" in result.out


@pytest.mark.parametrize("name", ["chat", "models", "providers", "ask"])
def test_an_unknown_option_gets_the_closest_name(hf, cli, name):
    result = cli(name, "--api-bose", "x", "y")
    assert (result.status, hf.requests) == (2, [])
    assert "did you mean --api-base?" in result.err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("--max-token", "unknown option --max-token; did you mean --max-tokens?"),
        ("--n_token", "did you mean --max-tokens?"),
        ("--base_url", "did you mean --api-base?"),
        ("--url", "did you mean --api-base?"),
        ("--image", "did you mean --media?"),
        ("--temp", "did you mean --temperature?"),
        ("--system-prompt", "did you mean --system?"),
        ("--response-format", "did you mean --schema?"),
        ("--stream", "unknown option --stream; answers are always streamed: leave it out"),
        ("--verbose", "unknown option --verbose\n"),
    ],
)
def test_an_option_named_as_in_other_tools_gets_its_own_name(hf, cli, name, words):
    result = cli(name, "5", "Hello")
    assert (result.status, hf.requests) == (2, [])
    assert words in result.err


@pytest.mark.parametrize("name", ["providers", "compare"])
def test_the_advice_for_an_unlisted_model_names_only_existing_options(hf, cli, name):
    result = cli(name, "no/such-model")
    assert result.status == 1
    assert result.err.endswith("hf-text models lists the available ones.\n")


def test_exit_ends_a_conversation(hf, cli):
    cli("chat", stdin=b"First\n/exit\nnever\n")
    assert len(chats(hf)) == 1


def test_fault_names_are_not_mistaken_for_keys(cli):
    result = cli("emulate", "--fault", "cut-mid-steam")
    assert result.status == 2
    assert "closed-before-headers" in result.err
    assert result.err.endswith("not 'cut-mid-steam'; did you mean cut-mid-stream?\n")


# --- Options of a question


@pytest.mark.parametrize(
    ("argv", "field", "value"),
    [
        (["--top-p", "0.5"], "top_p", 0.5),
        (["--seed", "7"], "seed", 7),
        (["--stop", "a", "--stop", "b"], "stop", ["a", "b"]),
        (["--reasoning-effort", "low"], "reasoning_effort", "low"),
        (["-o", "presence_penalty", "1"], "presence_penalty", 1),
        (["-o", "extra_body", '{"top_k": 3}'], "top_k", 3),
        (["--usage"], "stream_options", {"include_usage": True}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_an_option_of_the_call_reaches_the_server(hf, cli, argv, field, value):
    assert cli(*argv, "Hello").status == 0
    assert chats(hf)[-1][field] == value


def test_max_tokens_none_leaves_it_to_the_server(hf, cli):
    assert cli("--max-tokens", "none", "Hello").status == 0
    assert "max_tokens" not in chats(hf)[-1]


def test_an_unknown_call_option_is_refused(hf, cli):
    result = cli("-o", "max_token", "1", "Hello")
    assert (result.status, hf.requests) == (2, [])
    assert "max_tokens" in result.err


def test_bill_to_is_sent_to_hugging_face(hf, cli):
    assert cli("--bill-to", "my-org", "Hello").status == 0
    assert hf.requests[-1].headers["X-HF-Bill-To"] == "my-org"


def test_files_follow_the_prompt_and_piped_text_comes_last(hf, cli, tmp_path):
    (tmp_path / "a.txt").write_text("from a file\n")
    cli("-f", str(tmp_path / "a.txt"), "Sum up:", stdin=b"piped")
    assert chats(hf)[-1]["messages"][-1]["content"] == "Sum up:\n\nfrom a file\n\npiped"


@pytest.mark.parametrize("option", ["-f", "--schema"])
def test_a_missing_file_is_named(hf, cli, option):
    result = cli(option, "/no/such/file", "Hello")
    assert (result.status, hf.requests) == (2, [])
    assert "/no/such/file" in result.err


def test_no_stdin_does_not_read_standard_input(hf, cli):
    cli("--no-stdin", "Hello", stdin=b"not for you")
    assert chats(hf)[-1]["messages"][-1]["content"] == "Hello"


def test_a_picture_can_be_piped_in(hf, cli):
    png = b"\x89PNG\r\n\x1a\n" + bytes(30)
    assert cli("-a", "-", "What is it?", stdin=png).status == 0
    assert chats(hf)[-1]["messages"][-1]["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("See:\n```sh\necho 1\n```\nand\n```\n2\n```", "echo 1\n"),
        ("~~~\na\n```\nb\n~~~\n", "a\n```\nb\n"),
        ("```py\nopen", "open\n"),
        ("No code.", "No code.\n"),
    ],
    ids=["the first", "tildes", "not closed", "none"],
)
def test_extract_writes_only_the_first_code_block(answer, cli, text, written):
    answer(text)
    assert cli("-x", "Hello").out == written


def test_a_bare_schema_is_wrapped_for_the_protocol(hf, cli):
    cli("--schema", '{"type": "object"}', "Hello")
    assert chats(hf)[-1]["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_server_and_model_are_read_from_the_environment(hf, cli, monkeypatch):
    monkeypatch.delenv("HF_TEXT_ROUTER_URL")
    monkeypatch.setenv("HF_TEXT_API_BASE", hf.api_base)
    monkeypatch.setenv("HF_TEXT_MODEL", "openai/gpt-oss-20b")
    assert cli("Hello").status == 0
    assert chats(hf)[-1]["model"] == "openai/gpt-oss-20b"
    assert hf.requests[-1].key is None


def test_usage_shows_tokens_and_cost(hf, cli):
    hf.reply(Response.text("Hi.", usage=(3, 4), provider="groq"))
    last = cli("--usage", "Hello").err.splitlines()[-1]
    assert "3 + 4 tokens" in last
    assert "groq" in last


def test_a_provider_without_the_model_gets_the_providers_that_serve_it(hf, cli):
    result = cli("--provider", "novita", "-m", "openai/gpt-oss-20b", "Hello")
    assert result.status == 1
    assert "groq" in result.err
    assert "Choose one of these with --provider" in result.err


# --- chat


def test_a_chat_remembers_earlier_turns(hf, cli):
    hf.reply(Response.text("One."), Response.text("Two."))
    result = cli("chat", "-s", "Be brief.", stdin=b"First\n/undo\nSecond\n")
    assert (result.status, result.out) == (0, "One.\nTwo.\n")
    assert [m["content"] for m in chats(hf)[1]["messages"]] == ["Be brief.", "Second"]


def test_the_second_turn_follows_the_first_and_retry_replaces_an_answer(hf, cli):
    hf.reply(Response.text("One."), Response.text("Uno."), Response.text("Two."))
    cli("chat", stdin=b'First\n/retry\n"""\nSecond\nline\n"""\n/quit\nnever\n')
    assert [m["content"] for m in chats(hf)[2]["messages"]] == ["First", "Uno.", "Second\nline"]
    assert len(chats(hf)) == 3


def test_a_saved_chat_is_private_and_can_be_resumed(hf, cli, tmp_path):
    path = tmp_path / "talk.json"
    hf.reply(Response.text("One."), Response.text("Two."), Response.text("Three."))
    cli("chat", stdin=f"First\n/save {path}\n".encode())
    cli("chat", "--load", str(path), stdin=b"Second\n")
    cli("chat", stdin=f"/load {path}\nThird\n".encode())
    assert [m["content"] for m in chats(hf)[1]["messages"]] == ["First", "One.", "Second"]
    assert [m["content"] for m in chats(hf)[2]["messages"]] == ["First", "One.", "Third"]
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_failed_turn_is_reported_and_the_chat_continues(hf, cli):
    hf.reply("cut-mid-stream", Response.text("Two."))
    result = cli("chat", stdin=b"First\nSecond\n")
    assert (result.status, result.out) == (1, "One two\nTwo.\n")
    assert "hf-text: error: " in result.err
    assert [m["content"] for m in chats(hf)[-1]["messages"]] == ["Second"]


def test_a_refused_picture_can_be_removed(hf, cli):
    hf.reply(Response.error(400, "image input is not supported", "string"), Response.text("Two."))
    result = cli("chat", stdin=b"/media https://example.org/x.png\nFirst\n/undo\nSecond\n")
    assert "will be sent with your next turn; /undo removes this" in result.err
    assert [m["content"] for m in chats(hf)[-1]["messages"]] == ["Second"]


def test_chat_commands_print_to_standard_error(hf, cli):
    lines = [
        "/help",
        "/model a/b",
        "/model",
        "/system Be.",
        "/media /no/file",
        "/media",
        "/usage",
        "/nonsense",
        "/sav",
        "/save",
    ]
    result = cli("chat", stdin="\n".join([*lines, "/load /no/file", "/undo"]).encode())
    assert (result.out, hf.requests) == ("", [])
    for shown in (
        "/retry",
        "unknown command /sav; did you mean /save?",
        "model: a/b",
        "system message: Be.",
        "/no/file",
        "no tokens",
        "unknown command /nonsense",
    ):
        assert shown in result.err


def test_a_path_is_a_prompt_and_not_a_command(hf, cli):
    cli("chat", stdin=b"/etc/hosts is what?\n")
    assert chats(hf)[-1]["messages"][-1]["content"] == "/etc/hosts is what?"


# --- models and providers


def test_models_are_shown_as_a_table_or_json_lines(hf, cli):
    plain = cli("models", "gpt-oss")
    assert plain.status == 0
    assert plain.out.splitlines()[0].split()[:2] == ["MODEL", "PROVIDERS"]
    ids = [json.loads(line)["id"] for line in cli("models", "gpt-oss", "--json").out.splitlines()]
    assert ids == [line.split()[0] for line in plain.out.splitlines()[1:]]
    assert ids
    assert all("gpt-oss" in name for name in ids)


def test_no_matching_model_is_exit_1(hf, cli):
    result = cli("models", "no-such-model")
    assert (result.status, result.out) == (1, "")
    assert "no model matches" in result.err


def test_providers_are_sorted_by_name(hf, cli):
    found = [json.loads(line) for line in cli("providers", "openai/gpt-oss-120b", "--live", "--sort", "price", "--json").out.splitlines()]  # fmt: skip  # noqa: E501
    prices = [offer["output_price"] for offer in found if offer["output_price"] is not None]
    assert prices == sorted(prices)
    assert {offer["status"] for offer in found} == {"live"}
    lines = cli("providers", "openai/gpt-oss-120b").out.splitlines()
    assert re.match(r"PROVIDER +STATUS", lines[0])
    assert {offer["provider"] for offer in found} <= {line.split()[0] for line in lines[1:]}


def test_providers_of_an_unknown_model_is_an_error(hf, cli):
    result = cli("providers", "no/such")
    assert result.status == 1
    assert "no/such" in result.err


def test_a_table_escapes_control_characters_and_aligns_numbers():
    assert table(["NAME", "N"], [["a\x1b[2J", "1,000"], ["b", "2"]]) == [
        "NAME          N",
        "a\\x1b[2J  1,000",
        "b             2",
    ]
    assert [len(bar) for bar in bars([4, 2, None, 0.01])] == [8, 4, 0, 1]
