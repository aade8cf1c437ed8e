"""litellm, blocking."""

from __future__ import annotations

import os
from collections.abc import Iterator

os.environ["REPEATED_STREAMING_CHUNK_LIMIT"] = "1000000000"  # the server's tokens are all the same

import litellm

MODE = "sync"


class Driver:
    def __init__(self, base_url: str, verify: str | None) -> None:
        self._base_url = base_url

    def stream(self) -> Iterator[str]:
        answer = litellm.completion(
            model="openai/m",
            api_base=self._base_url,
            api_key="x",
            messages=[{"role": "user", "content": "Hi"}],
            stream=True,
        )
        for chunk in answer:
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content
