"""The module functions: those of one client with the default settings."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

import hf_text
from hf_text.client import default_client
from hf_text.emulator import Emulator, Response


@pytest.fixture
def hf(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator that the environment points to, with a key."""
    monkeypatch.setenv("HF_TOKEN", "hf_found")
    yield emulator
    default_client().close()
    default_client.cache_clear()


def test_generate_returns_a_completion(hf: Emulator) -> None:
    completion = hf_text.generate("Hi")
    assert isinstance(completion, hf_text.Completion)
    assert str(completion).endswith("You asked: Hi")
    assert [(request.path, request.key) for request in hf.requests] == [("/v1/chat/completions", "hf_found")]


def test_stream_returns_a_stream_and_sends_nothing_before_the_first_read(hf: Emulator) -> None:
    hf.reply(Response.text("One", " two"))
    stream = hf_text.stream("Hi")
    assert hf.requests == []
    assert list(stream) == ["One", " two"]


def test_a_framework_may_try_whether_a_stream_can_be_iterated_over(hf: Emulator) -> None:
    """Streamlit's ``write_stream`` calls ``iter()``, discards the result, and loops."""
    hf.reply(Response.text("One", " two"))
    stream = hf_text.stream("Hi")
    iter(stream)
    stream.events()
    assert list(stream) == ["One", " two"]


def test_models_returns_the_catalogue(hf: Emulator) -> None:
    assert [model.id for model in hf_text.models(search="small", vision=True)] == ["emulator/small-vision"]


def test_arguments_match_the_client(hf: Emulator) -> None:
    hf_text.generate("Hi", "emulator/small", max_tokens=5, provider="novita")
    body = hf.requests[0].json
    assert (body["model"], body["max_tokens"]) == ("emulator/small:novita", 5)


@pytest.mark.parametrize(
    ("function", "method"),
    [
        (hf_text.generate, hf_text.Client.generate),
        (hf_text.generate, hf_text.Client.stream),
        (hf_text.stream, hf_text.Client.stream),
        (hf_text.models, hf_text.Client.models),
    ],
)
def test_signatures_match_the_methods(function: Callable[..., object], method: Callable[..., object]) -> None:
    shown, meant = inspect.signature(function), inspect.signature(method)
    assert list(shown.parameters.values()) == list(meant.parameters.values())[1:]


def test_all_functions_share_one_client(hf: Emulator) -> None:
    hf_text.models()
    hf_text.models()
    hf_text.generate("Hi")
    assert [request.path for request in hf.requests] == ["/v1/models", "/v1/chat/completions"]
    assert hf.connections == 1


def test_without_a_key_nothing_is_sent_and_a_later_key_is_found(hf: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(hf_text.MissingAuthError):
        hf_text.generate("Hi")
    assert hf.requests == []
    monkeypatch.setenv("HF_TOKEN", "hf_later")
    hf_text.generate("Hi")
    assert hf.requests[0].key == "hf_later"


def test_import_creates_nothing_and_looks_nothing_up() -> None:
    code = "import hf_text, hf_text.client as c; raise SystemExit(c.default_client.cache_info().currsize)"
    environ = {**os.environ, "HF_ENDPOINT": "no address", "HF_TOKEN": "not a key", "HF_TOKEN_PATH": "/"}
    assert subprocess.run([sys.executable, "-c", code], env=environ, check=False, timeout=30).returncode == 0


def test_an_invalid_url_in_the_environment_is_reported_at_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "no address")
    with pytest.raises(hf_text.InvalidRequestError, match=r"HF_ENDPOINT .* 'no address'"):
        hf_text.generate("Hi")
