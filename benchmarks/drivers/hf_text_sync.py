"""This library, blocking."""

from __future__ import annotations

from collections.abc import Iterator

import hf_text

MODE = "sync"


class Driver:
    def __init__(self, base_url: str, verify: str | None) -> None:
        self._client = hf_text.Client(api_base=base_url, verify=verify or True)

    def stream(self) -> Iterator[str]:
        return iter(self._client.stream("Hi", model="m"))
