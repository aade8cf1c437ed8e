"""``hf_text/…`` as models of Inspect: through the entry point, in evaluations."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
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

require("inspect_ai", where="extra: frameworks-test", whole_file=True)

from inspect_ai.model import (
    ChatMessageTool,
    ChatMessageUser,
    ContentImage,
    ContentText,
    GenerateConfig,
    ResponseSchema,
    get_model,
)
from inspect_ai.tool import ToolInfo, ToolParams
from inspect_ai.util import JSONSchema

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # raised by Inspect itself

PAGE = (Path(__file__).parents[2] / "docs" / "integrations" / "inspect.rst").read_text("utf-8")
KEY = "hf_MadeUpKeyForTests"
MODEL = "hf_text/emulator/small"
VISION = "hf_text/emulator/small-vision"
(TASK,) = [block.code for block in find_blocks(PAGE) if block.language == "python"]
LOOK = ToolInfo(name="look", description="Look", parameters=ToolParams(properties={"at": JSONSchema(type="string")}))


@pytest.fixture(autouse=True)
def logged_in(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HF_TOKEN", KEY)
    yield
    gc.collect()


def asked(emulator: Emulator) -> list[Any]:
    return [request.json for request in emulator.requests if request.method == "POST"]


def generate(*arguments: Any, model: str = MODEL, model_args: dict[str, Any] | None = None, **options: Any) -> Any:
    async def run() -> Any:
        async with get_model(model, memoize=False, **(model_args or {})) as made:
            return await made.generate(*arguments, **options)

    return asyncio.run(run())


def test_an_answer_is_returned(emulator: Emulator) -> None:
    emulator.reply(Response.text("One", " two", reasoning=["Hm."], usage=(7, 5), provider="novita"))
    output = generate("Count")
    assert (output.completion, output.stop_reason, output.metadata["provider"]) == ("One two", "stop", "novita")
    assert output.message.content[0].reasoning == "Hm."
    assert (output.usage.input_tokens, output.usage.output_tokens) == (7, 5)
    assert emulator.requests[-1].key == KEY


def test_options_reach_the_server(emulator: Emulator) -> None:
    schema = ResponseSchema(name="city", json_schema=JSONSchema(type="object", properties={}))
    config = GenerateConfig(
        **{"max_tokens": 50, "temperature": 0.5, "top_p": 0.9, "seed": 3, "stop_seqs": ["END"], "top_k": 4},
        **{"frequency_penalty": 0.1, "presence_penalty": 0.2, "reasoning_effort": "low", "response_schema": schema},
        **{"logprobs": True, "top_logprobs": 2},
    )
    output = generate(
        "Count",
        config=config,
        model=VISION,
        model_args={"provider": "together", "bill_to": "me"},
    )
    body = asked(emulator)[-1]
    assert (body["max_tokens"], body["temperature"], body["top_p"], body["seed"]) == (50, 0.5, 0.9, 3)
    assert (body["stop"], body["top_k"], body["reasoning_effort"]) == (["END"], 4, "low")
    assert (body["frequency_penalty"], body["presence_penalty"]) == (0.1, 0.2)
    assert body["response_format"]["json_schema"]["name"] == "city"
    assert body["model"] == "emulator/small-vision:together"
    assert emulator.requests[-1].headers["X-HF-Bill-To"] == "me"
    assert len(output.choices[0].logprobs.content[0].top_logprobs) == 2


def test_tool_calls_and_results_round_trip(emulator: Emulator) -> None:
    emulator.reply(Response.text(tool_calls=[("look", {"at": "sky"}), ("look", "{")], reasoning=["Hm."]))
    first = generate("Look", tools=[LOOK], tool_choice="any", model=VISION)
    good, bad = first.message.tool_calls
    assert (first.stop_reason, good.arguments) == ("tool_calls", {"at": "sky"})
    assert "not JSON" in bad.parse_error
    assert asked(emulator)[-1]["tool_choice"] == "required"
    picture = ContentImage(image="data:image/png;base64," + __import__("base64").b64encode(ONE_PIXEL).decode())
    results = [
        ChatMessageTool(content=[ContentText(text="Blue"), picture], tool_call_id=call.id) for call in (good, bad)
    ]
    generate([ChatMessageUser(content="Look"), first.message, *results], tools=[LOOK], model=VISION)
    turns = asked(emulator)[-1]["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "tool", "tool", "user"]
    assert (turns[1]["reasoning_content"], turns[2]["content"][:4]) == ("Hm.", "Blue")
    assert "strict" not in json.dumps(asked(emulator))


def test_a_truncated_answer_is_retried(emulator: Emulator) -> None:
    emulator.reply("cut-mid-stream", Response.text("One"))
    assert generate("Count").completion == "One"


@pytest.mark.parametrize(
    ("fault", "retry"),
    [
        ("cut-mid-stream", "transient"),
        ("server-error", "transient"),
        ("closed-before-headers", "transient"),
        ("rate-limited", "rate_limit"),
        ("bad-key", None),
        ("credits-used-up", None),
    ],
)
def test_transient_errors_are_distinguished(emulator: Emulator, fault: str, retry: str | None) -> None:
    emulator.always(fault)
    made = get_model(MODEL, memoize=False, max_retries=0).api
    with pytest.raises(hf_text.HFTextError) as caught:
        asyncio.run(made.generate([ChatMessageUser(content="Count")], [], "auto", GenerateConfig()))
    decision = made.should_retry(caught.value)
    assert (decision.retry, decision.kind if retry else None) == (retry is not None, retry)
    assert made.is_auth_failure(caught.value) is (fault == "bad-key")
    assert decision.retry_after == (1.0 if fault == "rate-limited" else None)


def test_an_oversized_prompt_is_a_stop_reason(emulator: Emulator) -> None:
    emulator.reply(Response.error(400, "This model's maximum context length is 8192 tokens."))
    assert generate("Count").stop_reason == "model_length"


def test_no_log_contains_the_key(emulator: Emulator, tmp_path: Path) -> None:
    emulator.reply(Response.text("It is blue."))
    (tmp_path / "task.py").write_text(TASK)
    (command,) = [block.code for block in find_blocks(PAGE) if "inspect eval" in block.code]
    command = command.replace("openai/gpt-oss-120b", "emulator/small").replace(
        "inspect eval", "inspect eval --log-format json"
    )
    variables = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=55, check=False, cwd=tmp_path, env=variables
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (log,) = (tmp_path / "logs").glob("*.json")
    assert '"status": "success"' in log.read_text()
    assert re.search(r'"value": "C"', log.read_text())
    assert KEY not in log.read_text()


def test_a_cancelled_answer_closes_the_connection(emulator: Emulator) -> None:
    gate = Gate()
    chunk = {"choices": [{"index": 0, "delta": {"content": "One"}, "finish_reason": None}]}
    body = [b"data: %s\n\n" % json.dumps(chunk).encode(), gate]
    emulator.reply(Response(headers={"Content-Type": "text/event-stream"}, body=body))

    async def run() -> None:
        task = asyncio.create_task(get_model(MODEL, memoize=False).generate("Count"))
        await asyncio.to_thread(emulator.wait_for_requests, 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    emulator.wait_for_disconnect()
    gate.open()


def test_inspect_does_not_load_the_client_without_its_models() -> None:
    program = (
        "import sys; from inspect_ai._util.entrypoints import ensure_entry_points; ensure_entry_points()\n"
        "print(*sorted(name for name in sys.modules if name.startswith('hf_text')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[2].partition(".")[0] for name in done.stdout.split()}
    assert "integrations" in loaded
    assert not {"client", "operations", "protocol", "transport", "generation", "aio"} & loaded
