"""The floor of many streams: asyncio's own, ``split(b"\\n\\n")`` and ``json.loads``. No checks at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

MODE = "async"


class Driver:
    def __init__(self, base_url: str, verify: str | None) -> None:
        self._parts = urlsplit(base_url)

    async def stream(self) -> AsyncIterator[str]:
        reader, writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}).encode()
        path = f"{self._parts.path}/chat/completions"
        writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        rest = b""
        while not rest.endswith(b"0\r\n\r\n"):
            data = await reader.read(65536)
            if not data:
                break
            *events, rest = (rest + data).split(b"\n\n")
            for event in events:
                at = event.find(b"data: ") + 6
                if event[at : at + 6] != b"[DONE]":
                    text = json.loads(event[at:])["choices"][0]["delta"].get("content")
                    if text:
                        yield text
        writer.close()
