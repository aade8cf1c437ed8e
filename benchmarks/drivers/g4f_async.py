"""g4f's OpenAI template, async."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar

from g4f.Provider.template import OpenaiTemplate

MODE = "async"


class Provider(OpenaiTemplate):
    models: ClassVar[list[str]] = ["m"]  # else it asks the server for its models
    needs_auth = False


class Driver:
    def __init__(self, base_url: str, verify: str | None) -> None:
        self._base_url = base_url

    async def stream(self) -> AsyncIterator[str]:
        messages = [{"role": "user", "content": "Hi"}]
        answer = Provider.create_async_generator("m", messages, base_url=self._base_url, api_key="x", stream=True)
        async for piece in answer:
            if isinstance(piece, str):
                yield piece
