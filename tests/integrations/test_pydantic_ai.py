"""``HFTextModel`` in agents of Pydantic AI."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import ONE_PIXEL, find_blocks
from required import require

import hf_text
from hf_text.emulator import Emulator, Gate, Response

require("pydantic_ai", where="extra: frameworks-test", whole_file=True)

from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, ModelRetry, NativeOutput, PromptedOutput, ToolOutput, exceptions
from pydantic_ai.messages import ModelMessagesTypeAdapter, ThinkingPart
from pydantic_ai.models.fallback import FallbackModel

from hf_text.integrations.pydantic_ai import HFTextModel

PAGE = (Path(__file__).parents[2] / "docs" / "integrations" / "pydantic_ai.rst").read_text("utf-8")
KEY = "hf_MadeUpKeyForTests"
MODEL = "emulator/small"
CITY = '{"name": "Bern", "people": 134000}'


class City(BaseModel):
    """A city."""

    name: str
    people: int


@pytest.fixture(autouse=True)
def logged_in(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HF_TOKEN", KEY)
    yield
    gc.collect()


def asked(emulator: Emulator) -> list[Any]:
    """The bodies of the chat requests."""
    return [request.json for request in emulator.requests if request.method == "POST"]


def run(agent: Any, prompt: Any) -> Any:
    """Like ``run_sync``, which would leave its event loop open."""
    return asyncio.run(agent.run(prompt))


def test_an_answer_is_returned(emulator: Emulator) -> None:
    emulator.reply(Response.text("One", " two", reasoning=["Hm."], usage=(7, 5), provider="novita"))
    result = run(Agent(HFTextModel(MODEL), instructions="Be brief.", system_prompt="Be kind."), "Count")
    assert result.output == "One two"
    assert (result.usage.input_tokens, result.usage.output_tokens) == (7, 5)
    assert (result.response.finish_reason, result.response.provider_details["provider"]) == ("stop", "novita")
    assert isinstance(result.response.parts[0], ThinkingPart)
    turns = [(turn["role"], turn["content"]) for turn in asked(emulator)[-1]["messages"]]
    assert turns == [("system", "Be kind."), ("system", "Be brief."), ("user", "Count")]


async def test_a_stream_has_the_same_answer(emulator: Emulator) -> None:
    emulator.reply(Response.text("One", " two", reasoning=["Hm."], usage=(7, 5)))
    async with Agent(HFTextModel(MODEL)).run_stream("Count") as result:
        assert [piece async for piece in result.stream_text(delta=True, debounce_by=None)] == ["One", " two"]
    assert (result.usage.input_tokens, result.response.finish_reason) == (7, "stop")
    assert isinstance(result.response.parts[0], ThinkingPart)


@pytest.mark.parametrize("wanted", [NativeOutput(City), ToolOutput(City), PromptedOutput(City)])
def test_typed_values_are_returned(emulator: Emulator, wanted: Any) -> None:
    tool = isinstance(wanted, ToolOutput)
    emulator.reply(Response.text(tool_calls=[("final_result", CITY)]) if tool else Response.text(CITY))
    result = run(Agent(HFTextModel(MODEL), output_type=wanted), "A city")
    assert result.output == City(name="Bern", people=134000)
    body = asked(emulator)[-1]
    kinds = {NativeOutput: "json_schema", PromptedOutput: "json_object", ToolOutput: None}
    assert body.get("response_format", {}).get("type") == kinds[type(wanted)]
    assert body.get("tool_choice") == ("required" if tool else None)
    assert "strict" not in json.dumps(body)


def test_an_invalid_answer_is_requested_again(emulator: Emulator) -> None:
    emulator.reply(Response.text('{"name": "Bern"}'), Response.text(CITY))
    assert run(Agent(HFTextModel(MODEL), output_type=NativeOutput(City)), "A city").output.people == 134000
    assert "people" in json.dumps(asked(emulator)[-1]["messages"][-1])


def test_tools_are_run_in_rounds(emulator: Emulator) -> None:
    call = Response.text(tool_calls=[("weather", {"city": "Bern"}), ("weather", {"city": "Oslo"})], reasoning=["Look."])
    emulator.reply(call, Response.text("Both are sunny."))
    agent = Agent(HFTextModel(MODEL))
    seen = []

    @agent.tool_plain
    def weather(city: str) -> str:
        """Tell the weather."""
        seen.append(city)
        if city == "Oslo":
            raise ModelRetry("Ask for Bern")
        return "sunny"

    result = run(agent, "How is the weather?")
    assert (result.output, sorted(seen)) == ("Both are sunny.", ["Bern", "Oslo"])
    first, second = asked(emulator)
    assert first["tools"][0]["function"]["parameters"]["required"] == ["city"]
    assert [turn["role"] for turn in second["messages"]] == ["user", "assistant", "tool", "tool"]
    assert second["messages"][1]["reasoning_content"] == "Look."
    assert ModelMessagesTypeAdapter.validate_json(result.all_messages_json())  # the history can be serialized


def test_a_picture_is_sent(emulator: Emulator) -> None:
    agent = Agent(HFTextModel("emulator/small-vision"))
    result = run(agent, ["What is this?", BinaryContent(ONE_PIXEL, media_type="image/png")])
    assert "You sent 1 picture." in result.output


def test_settings_reach_the_server(emulator: Emulator) -> None:
    settings = {
        **{"max_tokens": 50, "temperature": 0.5, "top_p": 0.9, "seed": 3, "stop_sequences": ["END"], "timeout": 20.0},
        **{"presence_penalty": 0.1, "frequency_penalty": 0.2, "top_k": 4, "thinking": "low"},
        "hf_text_provider": "together",
    }
    run(Agent(HFTextModel("emulator/small-vision", settings=settings)), "Count")
    body = asked(emulator)[-1]
    assert (body["max_tokens"], body["temperature"], body["top_p"], body["seed"]) == (50, 0.5, 0.9, 3)
    assert (body["stop"], body["presence_penalty"], body["frequency_penalty"]) == (["END"], 0.1, 0.2)
    assert (body["top_k"], body["reasoning_effort"]) == (4, "low")
    assert body["model"] == "emulator/small-vision:together"


# --- errors


@pytest.mark.parametrize(
    ("fault", "theirs", "ours"),
    [
        ("bad-key", exceptions.ModelAuthenticationError, hf_text.AuthenticationError),
        ("credits-used-up", exceptions.ModelQuotaExceededError, hf_text.PaymentRequiredError),
        ("rate-limited", exceptions.ModelRateLimitError, hf_text.RateLimitError),
        ("server-error", exceptions.ModelServerError, hf_text.ServerError),
        ("closed-before-headers", exceptions.ModelConnectionError, hf_text.TransportError),
        ("cut-mid-stream", exceptions.ModelAPIError, hf_text.TruncatedStreamError),
    ],
)
async def test_an_error_is_a_pydantic_ai_error_with_the_library_error_as_cause(
    emulator: Emulator, fault: str, theirs: type[Exception], ours: type[hf_text.HFTextError]
) -> None:
    emulator.always(fault)
    agent = Agent(HFTextModel(MODEL, client=hf_text.Client(max_retries=0)))
    with pytest.raises(theirs) as caught:
        await agent.run("Count")
    assert isinstance(caught.value.__cause__, ours)
    with pytest.raises(theirs) as caught:
        async with agent.run_stream("Count") as result:
            await result.get_output()
    assert isinstance(caught.value.__cause__, ours)


def test_a_fallback_model_follows_a_truncated_answer(emulator: Emulator) -> None:
    emulator.reply("cut-mid-stream", Response.text("One"))
    models = FallbackModel(HFTextModel(MODEL), HFTextModel("emulator/small-vision"))
    assert run(Agent(models), "Count").output == "One"


def test_an_invalid_setting_is_a_user_error(emulator: Emulator) -> None:
    with pytest.raises(exceptions.UserError, match="temperature"):
        run(Agent(HFTextModel(MODEL, settings={"temperature": 7.0})), "Count")
    assert asked(emulator) == []


# --- a reader that stops early


def held(emulator: Emulator) -> Gate:
    gate = Gate()
    chunk = {"choices": [{"index": 0, "delta": {"content": "One"}, "finish_reason": None}]}
    body = [b"data: %s\n\n" % json.dumps(chunk).encode(), gate]
    emulator.reply(Response(headers={"Content-Type": "text/event-stream"}, body=body))
    return gate


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_cancelled_run_closes_the_connection(emulator: Emulator, streamed: bool) -> None:
    gate, agent = held(emulator), Agent(HFTextModel(MODEL))

    async def run() -> None:
        if not streamed:
            await agent.run("Count")
        async with agent.run_stream("Count") as result:
            await result.get_output()

    task = asyncio.create_task(run())
    await asyncio.to_thread(emulator.wait_for_requests, 1)
    task.cancel()
    assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
    await asyncio.to_thread(emulator.wait_for_disconnect)
    gate.open()


async def test_a_cancelled_stream_ends_as_interrupted(emulator: Emulator) -> None:
    gate = held(emulator)
    async with Agent(HFTextModel(MODEL)).run_stream("Count") as result:
        async for _ in result.stream_text(debounce_by=None):
            await result.cancel()
        await asyncio.to_thread(emulator.wait_for_disconnect)
        assert result.response.state == "interrupted"
    gate.open()


def test_the_snippets_on_the_page_run(emulator: Emulator, tmp_path: Path) -> None:
    blocks = [block for block in find_blocks(PAGE) if block.language == "python"]
    for block, reply in zip(blocks, (Response.text("Hi"), Response.text(CITY), Response.text("Hi")), strict=True):
        emulator.reply(reply)
        command = [sys.executable, "-W", "error", "-c", block.code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Hi" in done.stdout or "Bern" in done.stdout
