"""openai, async."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import httpx
import openai

MODE = "async"


class Driver:
    def __init__(self, base_url: str, verify: str | None) -> None:
        http = httpx.AsyncClient(verify=ssl.create_default_context(cafile=verify)) if verify else None
        self._client = openai.AsyncOpenAI(base_url=base_url, api_key="x", http_client=http)

    async def stream(self) -> AsyncIterator[str]:
        messages = [{"role": "user", "content": "Hi"}]
        async for chunk in await self._client.chat.completions.create(model="m", messages=messages, stream=True):
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content
