"""openai, blocking."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import httpx
import openai

MODE = "sync"


class Driver:
    def __init__(self, base_url: str, verify: str | None) -> None:
        http = httpx.Client(verify=ssl.create_default_context(cafile=verify)) if verify else None
        self._client = openai.OpenAI(base_url=base_url, api_key="x", http_client=http)

    def stream(self) -> Iterator[str]:
        messages = [{"role": "user", "content": "Hi"}]
        for chunk in self._client.chat.completions.create(model="m", messages=messages, stream=True):
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content
