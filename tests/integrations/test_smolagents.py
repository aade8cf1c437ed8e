"""``HFTextModel`` in agents of smolagents."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import find_blocks
from required import require

import hf_text
from hf_text.emulator import Emulator, Gate, Response

require("smolagents", where="extra: frameworks-test", whole_file=True)

from PIL import Image
from smolagents import CodeAgent, ToolCallingAgent, tool
from smolagents.utils import AgentGenerationError

from hf_text.integrations.smolagents import HFTextModel

PAGE = (Path(__file__).parents[2] / "docs" / "integrations" / "smolagents.rst").read_text("utf-8")
KEY = "hf_MadeUpKeyForTests"
MODEL = "emulator/small"
DONE = "Thought: I know.\n<code>\nfinal_answer(6 * 7)\n</code>"


@tool
def get_weather(city: str) -> str:
    """Tell the weather.

    Args:
        city: The city.
    """
    return f"sunny in {city}"


@pytest.fixture(autouse=True)
def logged_in(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HF_TOKEN", KEY)
    yield
    gc.collect()


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def streamed(request: pytest.FixtureRequest) -> bool:
    given: bool = request.param
    return given


def asked(emulator: Emulator) -> list[Any]:
    return [request.json for request in emulator.requests if request.method == "POST"]


def test_a_code_agent_answers(emulator: Emulator, streamed: bool) -> None:
    emulator.reply(Response.text(*DONE.splitlines(keepends=True), usage=(70, 5)))
    agent = CodeAgent(tools=[], model=HFTextModel(MODEL), stream_outputs=streamed, verbosity_level=0)
    result = agent.run("What is 6 times 7?", return_full_result=True)
    assert result.output == 42
    assert (result.token_usage.input_tokens, result.token_usage.output_tokens) == (70, 5)
    assert asked(emulator)[-1]["stop"]
    assert emulator.requests[-1].key == KEY


def test_a_tool_calling_agent_answers(emulator: Emulator, streamed: bool) -> None:
    emulator.reply(
        Response.text(tool_calls=[("get_weather", {"city": "Bern"}), ("get_weather", {"city": "Oslo"})]),
        Response.text(tool_calls=[("final_answer", {"answer": "It is sunny."})]),
    )
    agent = ToolCallingAgent(tools=[get_weather], model=HFTextModel(MODEL), stream_outputs=streamed, verbosity_level=0)
    assert agent.run("How is the weather?") == "It is sunny."
    first, second = asked(emulator)
    assert first["tool_choice"] == "required"
    assert "strict" not in json.dumps(first["tools"])
    assert "sunny in Bern" in json.dumps(second["messages"])


def test_an_incomplete_step_is_not_run(emulator: Emulator, streamed: bool) -> None:
    emulator.always("cut-mid-stream")
    agent = CodeAgent(tools=[], model=HFTextModel(MODEL), stream_outputs=streamed, verbosity_level=0, max_steps=1)
    with pytest.raises(AgentGenerationError) as caught:
        agent.run("What is 6 times 7?")
    assert isinstance(caught.value.__cause__, hf_text.TruncatedStreamError)


def test_an_answer_cut_by_max_tokens_gives_a_warning(emulator: Emulator) -> None:
    model = HFTextModel(MODEL, max_tokens=2)
    with pytest.warns(hf_text.HFTextWarning, match="finish reason length"):
        answer = model.generate([{"role": "user", "content": [{"type": "text", "text": "Count"}]}])
    assert (answer.content, answer.raw.finish_reason) == ("one two", "length")
    with pytest.warns(hf_text.HFTextWarning, match="finish reason length"):
        list(model.generate_stream([{"role": "user", "content": [{"type": "text", "text": "Count"}]}]))


def test_options_schemas_and_pictures_reach_the_server(emulator: Emulator) -> None:
    model = HFTextModel("emulator/small-vision", temperature=0.5, provider="together", extra_body={"top_k": 4})
    content = [{"type": "text", "text": "What is this?"}, {"type": "image", "image": Image.new("RGB", (1, 1))}]
    schema = {"type": "json_schema", "json_schema": {"name": "city", "schema": {"type": "object", "properties": {}}}}
    model.generate([{"role": "user", "content": content}], stop_sequences=["END"], response_format=schema)
    body = asked(emulator)[-1]
    assert (body["temperature"], body["top_k"], body["stop"]) == (0.5, 4, ["END"])
    assert body["model"] == "emulator/small-vision:together"
    assert [part["type"] for part in body["messages"][0]["content"]] == ["text", "image_url"]
    assert body["response_format"]["json_schema"]["name"] == "city"


def test_a_saved_model_has_no_key() -> None:
    model = HFTextModel(MODEL, client=hf_text.Client(KEY), temperature=0.5)
    assert model.to_dict() == {"model_id": MODEL, "temperature": 0.5}


def test_leaving_a_stream_closes_the_connection(emulator: Emulator) -> None:
    gate = Gate()
    chunk = {"choices": [{"index": 0, "delta": {"content": "One"}, "finish_reason": None}]}
    body = [b"data: %s\n\n" % json.dumps(chunk).encode(), gate]
    emulator.reply(Response(headers={"Content-Type": "text/event-stream"}, body=body))
    deltas = HFTextModel(MODEL).generate_stream([{"role": "user", "content": [{"type": "text", "text": "Count"}]}])
    assert next(iter(deltas)).content == "One"
    deltas.close()
    emulator.wait_for_disconnect()
    gate.open()


def test_the_snippets_on_the_page_run(emulator: Emulator, tmp_path: Path) -> None:
    blocks = [block for block in find_blocks(PAGE) if block.language == "python"]
    assert len(blocks) == 2
    for block in blocks:
        emulator.reply(Response.text(DONE))
        command = [sys.executable, "-c", block.code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "42" in done.stdout
