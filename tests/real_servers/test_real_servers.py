"""Real servers, named in ``HF_TEXT_REAL_SERVERS``: each call ends in an answer or a library error.

The variable is a JSON object: a name per server, with ``api_base``, ``model``, and optionally ``key``,
``proxies``, and ``pid``: the process that is killed at the end, which may be behind a gateway. For example::

    HF_TEXT_REAL_SERVERS='{"llama.cpp": {"api_base": "http://127.0.0.1:8080/v1", "model": "m", "pid": 4711}}' \\
        python -m pytest -rP tests/real_servers

``docs/reliability.rst`` lists the servers and versions of the last run. ``-rP`` shows what each server did.
"""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

import hf_text

SERVERS: dict[str, dict[str, Any]] = json.loads(os.environ.get("HF_TEXT_REAL_SERVERS", "{}"))
LONG = "Tell me a long story of a dragon, a wizard and a princess, with all that they did in ten years."
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer"}},
    "required": ["age"],
    "additionalProperties": False,
}

pytestmark = [pytest.mark.every_client, pytest.mark.timeout(300)]
if not SERVERS:
    pytestmark.append(pytest.mark.skip(reason="no real servers are named in HF_TEXT_REAL_SERVERS"))


@dataclass
class Real:
    """A real server and a client of it."""

    name: str
    client: Any
    model: str
    pid: int | None
    answer: hf_text.Completion = field(default_factory=hf_text.Completion)

    def generate(self, messages: Any = "Hi", **options: Any) -> Any:
        return self.client.generate(messages, **{"model": self.model, "max_tokens": 24, "temperature": 0, **options})

    def fails_or_tells(self, messages: str, **options: Any) -> hf_text.HFTextError | None:
        """The error; None if the server answers, with the answer in ``answer``."""
        try:
            self.answer = self.generate(messages, **options)
        except hf_text.HFTextError as error:
            self.tell(f"{type(error).__name__}: {error}")
            return error
        self.tell(f"{self.answer.tool_calls or self.answer.text!r}, {self.answer.finish_reason}")
        return None

    def tell(self, what: str) -> None:
        print(f"{self.name}: {what}")


@pytest.fixture(params=SERVERS or ["none"])
def real(request: pytest.FixtureRequest, make_client: Callable[..., Any]) -> Real:
    server = SERVERS[request.param]
    options = {"proxies": server["proxies"]} if "proxies" in server else {}
    client = make_client(
        server.get("key"), server["api_base"], router_url="http://127.0.0.1:9", timeout=120, max_retries=2, **options
    )
    return Real(request.param, client, server["model"], server.get("pid"))


def test_text_is_complete_with_finish_reason_and_usage(real: Real) -> None:
    answer = real.generate(include_usage=True)
    real.tell(f"{answer.text!r}, {answer.finish_reason}, {answer.usage}")
    assert answer.text
    assert answer.finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0


def test_the_stream_joins_to_the_answer(real: Real) -> None:
    stream = real.client.stream("Hi", real.model, max_tokens=24, temperature=0)
    pieces = list(stream)
    real.tell(f"{len(pieces)} pieces")
    assert "".join(pieces) == stream.completion.text != ""


def test_a_schema_is_followed_or_the_error_says_that_it_is_not(real: Real) -> None:
    try:
        parsed = real.client.parse("How old is Ann, who is 7?", SCHEMA, real.model, max_tokens=40, temperature=0)
    except (hf_text.StructuredOutputError, hf_text.TruncatedStreamError) as error:
        real.tell(f"{type(error).__name__}: {error}")
        return
    real.tell(f"{parsed.value} by {parsed.method}")
    assert isinstance(parsed.value["age"], int)


def test_several_choices_are_refused_before_anything_is_sent(real: Real) -> None:
    with pytest.raises(hf_text.InvalidRequestError, match=r'extra_body\["n"\] must be 1'):
        real.generate(extra_body={"n": 2})


def test_a_picture_for_a_text_model_is_refused_once(real: Real) -> None:
    failure = real.fails_or_tells("What is this?", media=PIXEL)
    assert not isinstance(failure, hf_text.APIStatusError) or len(failure.attempts) == 1


def test_a_missing_model_is_reported(real: Real) -> None:
    failure = real.fails_or_tells("Hi", model="no/such-model")
    told = (hf_text.ModelNotSupportedError, hf_text.NotFoundError, hf_text.BadRequestError)
    assert failure is None or isinstance(failure, told)


def test_an_invalid_key_is_reported_where_a_key_is_required(real: Real, make_client: Callable[..., Any]) -> None:
    server = SERVERS[real.name]
    if "key" not in server:
        return
    client = make_client("sk-wrong", server["api_base"], router_url="http://127.0.0.1:9", timeout=60)
    with pytest.raises(hf_text.AuthenticationError) as caught:
        client.generate("Hi", real.model)
    real.tell(str(caught.value))


def test_the_models_are_listed(real: Real) -> None:
    names = [model.id for model in real.client.models()]
    real.tell(str(names))
    assert real.model in names


def test_the_next_call_works_after_a_cancelled_stream(real: Real) -> None:
    stream = real.client.stream(LONG, real.model, max_tokens=400)
    texts = iter(stream)
    assert next(texts)
    stream.cancel()
    with pytest.raises(hf_text.StreamCancelledError):
        list(texts)
    assert stream.partial.text
    assert real.generate().text


@pytest.mark.parametrize("choice", ["auto", "required"])
def test_a_tool_call_is_complete_or_absent(real: Real, choice: str) -> None:
    failure = real.fails_or_tells("Weather in Paris?", tools=[WEATHER], tool_choice=choice, max_tokens=60)
    assert failure is None or (isinstance(failure, hf_text.APIStatusError) and len(failure.attempts) == 1)
    for call in real.answer.tool_calls:
        assert call.name == "get_weather"
        assert real.answer.finish_reason == "length" or set(call.parse()) <= {"city"}
    assert real.answer.finish_reason != "tool_calls" or real.answer.tool_calls


@pytest.mark.blocking_client
def test_zz_a_server_killed_mid_answer_is_noticed(real: Real) -> None:
    """Runs last, because it kills the server."""
    if real.pid is None:
        return
    stream = real.client.stream(LONG, real.model, max_tokens=400)
    texts = iter(stream)
    assert next(texts)
    os.kill(real.pid, signal.SIGKILL)
    with pytest.raises(hf_text.HFTextError) as caught:
        list(texts)
    real.tell(f"{type(caught.value).__name__}: {caught.value}")
    assert isinstance(caught.value, hf_text.StreamError)
    assert caught.value.partial.text
    with pytest.raises(hf_text.HFTextError) as caught:
        real.generate()
    real.tell(f"then {type(caught.value).__name__}: {caught.value}")
