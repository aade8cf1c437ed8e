"""``llm``, the real command, with Hugging Face models: as a subprocess, sync and async."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pages import ONE_PIXEL, find_blocks
from required import require

from hf_text.emulator import Emulator, Gate, Response

require("llm", "jsonschema", where="extra: frameworks-test", whole_file=True)

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "integrations" / "llm.rst").read_text("utf-8")
KEY = "hf_MadeUpKeyForTests"
SMALL = "hf/emulator/small"
DOG = ("--schema", "name, age int", "Invent a dog")
Llm = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folder(tmp_path: Path, emulator: Emulator) -> Path:
    """llm's folder, with a list of models."""
    (tmp_path / "hf-models.json").write_text(
        json.dumps(
            [
                {"id": "emulator/small", "vision": None, "tools": True},
                {"id": "emulator/small-vision", "vision": True, "tools": True},
                {"id": "emulator/no-tools", "vision": False, "tools": False},
            ]
        )
    )
    return tmp_path


@pytest.fixture
def environ(emulator: Emulator, folder: Path) -> dict[str, str]:
    bin_folder = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, **emulator.environ, "LLM_USER_PATH": str(folder), "HF_TOKEN": KEY, "PATH": bin_folder}


@pytest.fixture
def llm(environ: dict[str, str], folder: Path) -> Llm:
    """Run the command."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "llm", *arguments],
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
            cwd=folder,
            env={**environ, **variables},
            stdin=subprocess.DEVNULL,
        )

    return run


@pytest.fixture(params=[(), ("--async",)], ids=["sync", "async"])
def way(request: pytest.FixtureRequest) -> tuple[str, ...]:
    given: tuple[str, ...] = request.param
    return given


def last_logged(llm: Llm) -> Any:
    (row,) = json.loads(llm("logs", "-n", "1", "--json").stdout)
    return row


def asked(emulator: Emulator) -> list[Any]:
    """The bodies of the chat requests."""
    return [request.json for request in emulator.requests if request.method == "POST"]


# --- complete answers


def test_an_answer_is_printed_and_logged_with_its_provider(emulator: Emulator, llm: Llm, way: tuple[str, ...]) -> None:
    emulator.reply(Response.text("One", " two", reasoning=["Hm."], usage=(7, 5), provider="novita"))
    done = llm("-m", SMALL, "Count", *way)
    assert (done.returncode, done.stdout) == (0, "One two\n")
    assert "Hm." in done.stderr
    row = last_logged(llm)
    assert (row["model"], row["resolved_model"], row["response"]) == (SMALL, "emulator/small:novita", "One two")
    assert (row["input_tokens"], row["output_tokens"]) == (7, 5)
    assert row["response_json"]["finish_reason"] == "stop"
    assert emulator.requests[-1].key == KEY
    assert KEY not in json.dumps(row)


def test_any_model_can_be_named(emulator: Emulator, llm: Llm) -> None:
    assert llm("-m", "hf", "-o", "model", "openai/gpt-oss-20b", "Count").returncode == 0
    assert asked(emulator)[-1]["model"] == "openai/gpt-oss-20b"


def test_options_reach_the_server(emulator: Emulator, llm: Llm) -> None:
    options = {
        **{"temperature": 0.5, "max_tokens": 50, "top_p": 0.9, "stop": "END", "seed": 3, "reasoning_effort": "low"},
        **{"frequency_penalty": 0.1, "presence_penalty": 0.2, "extra_body": '{"top_k": 4}'},
        **{"bill_to": "my-org", "timeout": 20, "provider": "together, novita"},
    }
    given = [word for name, value in options.items() for word in ("-o", name, str(value))]
    done = llm("-m", "hf/emulator/small-vision", "Count", *given)
    assert (done.returncode, "Error" in done.stderr) == (0, False)
    body, headers = asked(emulator)[-1], emulator.requests[-1].headers
    assert (body["temperature"], body["max_tokens"], body["top_p"], body["stop"]) == (0.5, 50, 0.9, ["END"])
    assert (body["seed"], body["reasoning_effort"], body["top_k"]) == (3, "low", 4)
    assert (body["frequency_penalty"], body["presence_penalty"], body["model"]) == (
        0.1,
        0.2,
        "emulator/small-vision:together",
    )
    assert headers["X-HF-Bill-To"] == "my-org"


def test_an_invalid_option_is_refused_by_name(emulator: Emulator, llm: Llm) -> None:
    done = llm("-m", SMALL, "Count", "-o", "temperature", "7")
    assert done.returncode == 1
    assert "temperature" in done.stderr
    assert asked(emulator) == []


def test_a_conversation_continues(emulator: Emulator, llm: Llm, way: tuple[str, ...]) -> None:
    emulator.reply(Response.text("Blue."), Response.text("Grey."))
    llm("-m", SMALL, "-s", "Be brief.", "The sky?", *way)
    assert llm("-c", "And the sea?", *way).stdout == "Grey.\n"
    assert [(turn["role"], turn["content"]) for turn in asked(emulator)[-1]["messages"]] == [
        ("system", "Be brief."),
        ("user", "The sky?"),
        ("assistant", "Blue."),
        ("user", "And the sea?"),
    ]


def test_a_picture_is_sent(emulator: Emulator, llm: Llm, folder: Path, way: tuple[str, ...]) -> None:
    (folder / "cat.png").write_bytes(ONE_PIXEL)
    done = llm("-m", "hf/emulator/small-vision", "-a", "cat.png", "What is this?", *way)
    assert "You sent 1 picture." in done.stdout
    (message,) = asked(emulator)[-1]["messages"]
    assert [part["type"] for part in message["content"]] == ["text", "image_url"]


def test_a_text_model_gets_no_picture(emulator: Emulator, llm: Llm, folder: Path) -> None:
    (folder / "cat.png").write_bytes(ONE_PIXEL)
    done = llm("-m", "hf/emulator/no-tools", "-a", "cat.png", "What is this?")
    assert (done.returncode, done.stderr) == (1, "Error: This model does not support attachments\n")
    assert asked(emulator) == []


# --- tools


def test_tools_are_run_in_rounds(emulator: Emulator, llm: Llm, way: tuple[str, ...]) -> None:
    call = Response.text(tool_calls=[("llm_version", {})], reasoning=["Look."], provider="novita")
    emulator.reply(call, Response.text("It is that one."))
    done = llm("-m", SMALL, "-T", "llm_version", "Which version?", *way)
    assert (done.returncode, done.stdout.strip()) == (0, "It is that one.")
    first, second = asked(emulator)
    assert first["tools"][0]["function"]["name"] == "llm_version"
    assert "strict" not in first["tools"][0]["function"]
    user, assistant, result = second["messages"]
    assert (user["role"], assistant["role"], result["role"]) == ("user", "assistant", "tool")
    assert assistant["reasoning_content"] == "Look."  # some providers reject the results without it
    assert result["tool_call_id"] == assistant["tool_calls"][0]["id"]
    assert result["content"][:2] == "0."


def test_invalid_json_arguments_are_reported_to_the_model(emulator: Emulator, llm: Llm) -> None:
    emulator.reply(Response.text(tool_calls=[("llm_version", '{"a": ')]), Response.text("I see."))
    assert llm("-m", SMALL, "-T", "llm_version", "Which version?").stdout.strip() == "I see."
    assert "Error" in asked(emulator)[-1]["messages"][-1]["content"]


# --- schemas


@pytest.mark.parametrize(
    ("way", "text"),
    [((), '```json\n{"name": "Rex", "age": 3}\n```'), (("--async",), '{"name": "Rex", "age": 3}')],
    ids=["fenced", "async"],
)
def test_a_schema_yields_only_json(emulator: Emulator, llm: Llm, way: tuple[str, ...], text: str) -> None:
    emulator.reply(Response.text(text))
    done = llm("-m", SMALL, *DOG, *way)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"name": "Rex", "age": 3})
    assert asked(emulator)[-1]["response_format"]["json_schema"]["schema"]["required"] == ["name", "age"]


def test_an_answer_that_does_not_fit_the_schema_is_requested_again(emulator: Emulator, llm: Llm) -> None:
    emulator.reply(
        Response.text('{"name": "Rex"}', usage=(10, 4)), Response.text('{"name": "Rex", "age": 3}', usage=(20, 6))
    )
    assert json.loads(llm("-m", SMALL, *DOG).stdout)["age"] == 3
    assert last_logged(llm)["input_tokens"] == 30  # includes the discarded attempt


def test_an_answer_that_never_fits_the_schema_is_an_error(emulator: Emulator, llm: Llm, way: tuple[str, ...]) -> None:
    emulator.always(Response.text("I would rather not."))
    done = llm("-m", SMALL, *DOG, *way)
    assert (done.returncode, done.stdout) == (1, "")
    assert "2 answers do not fit" in done.stderr


def test_the_schema_applies_after_tools(emulator: Emulator, llm: Llm, way: tuple[str, ...]) -> None:
    emulator.reply(Response.text(tool_calls=[("llm_version", {})]), Response.text('{"name": "Rex"}'))
    done = llm("-m", SMALL, "-T", "llm_version", *DOG, *way)
    assert done.returncode == 1
    assert "does not match the schema: " in done.stderr
    assert all("response_format" in body for body in asked(emulator))


# --- failures


def test_a_truncated_answer_is_an_error(emulator: Emulator, llm: Llm, way: tuple[str, ...]) -> None:
    emulator.reply("cut-mid-stream")
    done = llm("-m", SMALL, "Count", *way)
    assert (done.returncode, done.stdout) == (1, "One two")
    assert "cut the answer off" in done.stderr
    assert json.loads(llm("logs", "--json").stdout) == []


def test_a_required_payment_is_reported(emulator: Emulator, llm: Llm, way: tuple[str, ...]) -> None:
    emulator.always("credits-used-up")
    done = llm("-m", SMALL, "Count", *way)
    assert (done.returncode, done.stdout.strip()) == (1, "")
    assert "HTTP 402" in done.stderr


def test_rate_limits_are_waited_for(emulator: Emulator, llm: Llm, way: tuple[str, ...]) -> None:
    emulator.reply(Response.error(429, "Slow down", headers={"Retry-After": "0"}), Response.text("One"))
    done = llm("-m", SMALL, "Count", *way)
    assert (done.returncode, done.stdout) == (0, "One\n")
    assert [attempt["status"] for attempt in last_logged(llm)["response_json"]["attempts"]] == [429, 200]


def test_an_answer_cut_by_max_tokens_gives_a_warning(emulator: Emulator, llm: Llm) -> None:
    done = llm("-m", SMALL, "Count", "-o", "max_tokens", "2")
    assert (done.returncode, done.stdout) == (0, "one two\n")
    assert "the answer was cut off (finish reason length)" in done.stderr


def test_a_cancelled_task_closes_the_connection(
    emulator: Emulator, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hf_text.integrations import llm as plugin

    monkeypatch.setenv("HF_TOKEN", KEY)
    monkeypatch.setenv("LLM_USER_PATH", str(folder))
    gate = Gate()
    chunk = {"choices": [{"index": 0, "delta": {"content": "One"}, "finish_reason": None}]}
    body = [b"data: %s\n\n" % json.dumps(chunk).encode(), gate]
    emulator.reply(Response(headers={"Content-Type": "text/event-stream"}, body=body))

    async def read() -> None:
        arrived = asyncio.Event()

        async def iterate() -> None:
            async for _ in plugin.AsyncHFText("emulator/small").prompt("Count"):
                arrived.set()

        task = asyncio.create_task(iterate())
        await arrived.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(read())
    emulator.wait_for_disconnect()
    gate.open()
    plugin._client.cache_clear()


# --- keys


def test_the_key_stored_by_llm_takes_precedence(emulator: Emulator, llm: Llm, folder: Path) -> None:
    (folder / "keys.json").write_text(json.dumps({"hf": "hf_KeptByLlmForTests", "other": "hf_OtherForTests"}))
    llm("-m", SMALL, "Count")
    llm("-m", SMALL, "Count", "--key", "other")
    assert [request.key for request in emulator.requests[-2:]] == ["hf_KeptByLlmForTests", "hf_OtherForTests"]


def test_a_missing_key_says_where_to_get_one(emulator: Emulator, llm: Llm) -> None:
    done = llm("-m", SMALL, "Count", HF_TOKEN="")
    assert done.returncode == 1
    assert "llm keys set hf" in done.stderr
    assert emulator.requests == []


# --- the list of models, and the startup


def test_refresh_writes_the_list(emulator: Emulator, llm: Llm, folder: Path) -> None:
    (folder / "hf-models.json").write_text("[{")
    assert "llm hf refresh" in llm("models", "-q", "hf").stderr  # llm starts nevertheless
    assert llm("hf", "refresh").returncode == 0
    assert "hf/google/gemma-4-31B-it" in llm("models", "-q", "hf/").stdout
    assert "emulator/painter" not in (folder / "hf-models.json").read_text()


def test_a_failed_refresh_keeps_the_list(emulator: Emulator, llm: Llm, folder: Path) -> None:
    before = (folder / "hf-models.json").read_text()
    emulator.always(Response.error(500, "Out of order"), path="/v1/models")
    done = llm("hf", "refresh")
    assert (done.returncode, done.stderr[:7]) == (1, "Error: ")
    assert (folder / "hf-models.json").read_text() == before


def test_starting_llm_without_these_models_loads_no_client_and_sends_nothing(
    emulator: Emulator, environ: dict[str, str]
) -> None:
    program = (
        "import sys; from llm.cli import cli; cli(['models'], standalone_mode=False)\n"
        "print(*sorted(name for name in sys.modules if name.startswith('hf_text')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environ, check=True)
    assert SMALL in done.stdout
    loaded = {name.partition(".")[2].partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert "integrations" in loaded
    assert not {"client", "operations", "protocol", "transport", "generation", "aio"} & loaded
    assert emulator.requests == []


# --- the page


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("number", "prints"),
    [(0, "They are called hf/NAME"), (1, '{"name": "emulated", "age": 0, "bio": "emulated"}')],
)
def test_the_commands_on_the_page_run(
    emulator: Emulator, environ: dict[str, str], folder: Path, number: int, prints: str
) -> None:
    (folder / "cat.png").write_bytes(ONE_PIXEL)
    names = [{"id": "openai/gpt-oss-120b"}, {"id": "google/gemma-4-31B-it"}]
    (folder / "hf-models.json").write_text(json.dumps(names))
    _, *scripts = [block.code for block in find_blocks(PAGE) if block.language == "bash"]  # the first block installs
    assert len(scripts) == 2
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", scripts[number]],
        capture_output=True,
        text=True,
        timeout=170,
        env=environ,
        cwd=folder,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert prints in done.stdout


def test_the_python_on_the_page_runs(emulator: Emulator, environ: dict[str, str]) -> None:
    (block,) = [block for block in find_blocks(PAGE) if block.language == "python"]
    (Path(environ["LLM_USER_PATH"]) / "hf-models.json").write_text('[{"id": "openai/gpt-oss-120b"}]')
    done = subprocess.run([sys.executable, "-c", block.code], capture_output=True, text=True, env=environ, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "openai/gpt-oss-120b:" in done.stdout
