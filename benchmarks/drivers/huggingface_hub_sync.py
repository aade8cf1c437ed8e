"""huggingface_hub's InferenceClient, blocking. It takes no CA bundle of its own."""

from __future__ import annotations

from collections.abc import Iterator

from huggingface_hub import InferenceClient

MODE = "sync"


class Driver:
    def __init__(self, base_url: str, verify: str | None) -> None:
        self._client = InferenceClient(base_url=base_url, api_key="x")

    def stream(self) -> Iterator[str]:
        for chunk in self._client.chat_completion([{"role": "user", "content": "Hi"}], stream=True):
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content
