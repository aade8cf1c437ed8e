"""langchain-openai, blocking."""

from __future__ import annotations

from collections.abc import Iterator

from langchain_openai import ChatOpenAI

MODE = "sync"


class Driver:
    def __init__(self, base_url: str, verify: str | None) -> None:
        self._model = ChatOpenAI(model="m", base_url=base_url, api_key="x")

    def stream(self) -> Iterator[str]:
        for chunk in self._model.stream("Hi"):
            if chunk.text:
                yield chunk.text
