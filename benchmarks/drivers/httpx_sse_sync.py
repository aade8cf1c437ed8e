"""httpx with httpx-sse: the smallest client of one's own that reads events by the standard."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator

import httpx
from httpx_sse import connect_sse

MODE = "sync"


class Driver:
    def __init__(self, base_url: str, verify: str | None) -> None:
        self._url = f"{base_url}/chat/completions"
        self._client = httpx.Client(verify=ssl.create_default_context(cafile=verify) if verify else True)

    def stream(self) -> Iterator[str]:
        body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
        with connect_sse(self._client, "POST", self._url, json=body) as source:
            for event in source.iter_sse():
                if event.data != "[DONE]":  # after it the answer is read to its end: the connection can serve again
                    text = json.loads(event.data)["choices"][0]["delta"].get("content")
                    if text:
                        yield text
