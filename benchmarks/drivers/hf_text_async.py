"""This library, async."""

from __future__ import annotations

from collections.abc import AsyncIterator

from hf_text.aio import AsyncClient

MODE = "async"


class Driver:
    def __init__(self, base_url: str, verify: str | None) -> None:
        self._client = AsyncClient(api_base=base_url, verify=verify or True)

    def stream(self) -> AsyncIterator[str]:
        return aiter(self._client.stream("Hi", model="m"))
