"""``ChatHFText``: LangChain's own standard tests, and what they leave out."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from required import require
from test_readme import ONE_PIXEL

from hf_text.callers import _operations
from hf_text.emulator import Emulator

require(
    "langchain_core", "langchain_tests", "pytest_asyncio", where="it has an environment of its own", whole_file=True
)

import httpx
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.integration_tests import chat_models as standard
from langchain_tests.unit_tests import ChatModelUnitTests

from hf_text.integrations.langchain import ChatHFText

PAGE = (Path(__file__).parents[2] / "docs" / "integrations" / "langchain.rst").read_text("utf-8")
KEY = "hf_MadeUpKeyForTests"
MODEL = "emulator/small"
RAIN = "The weather is sunny in emulated."


@pytest.fixture(autouse=True)
def logged_in(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HF_TOKEN", KEY)
    yield
    _operations.cache_clear()
    gc.collect()


# --- the standard tests


class TestUnit(ChatModelUnitTests):
    """Without an answer."""

    @property
    def chat_model_class(self) -> type[ChatHFText]:
        return ChatHFText

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": MODEL}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"HF_TOKEN": KEY}, {"model": MODEL}, {"api_key": KEY}


class TestIntegration(ChatModelIntegrationTests):
    """With answers of the emulator."""

    @pytest.fixture(autouse=True)
    def offline(self, monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> None:
        """The pictures and sounds that the tests fetch are these; what answers them knows JSON mode."""
        sound = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(20)
        monkeypatch.setattr(standard.httpx, "get", lambda url, **_: httpx.Response(200, content=ONE_PIXEL))
        monkeypatch.setattr(
            standard, "_get_base64_from_url", lambda url: __import__("base64").b64encode(sound).decode()
        )

    @property
    def chat_model_class(self) -> type[ChatHFText]:
        return ChatHFText

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "emulator/small-vision"}

    @property
    def supports_model_override(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "openai/gpt-oss-20b"

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supports_audio_inputs(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True
