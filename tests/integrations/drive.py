"""The calls of a program that runs under some tool: in a subprocess, since these tools patch the whole process.

The program sets up the tool, calls ``drive(address)``, and prints what the tool recorded. The emulator runs in the
test's process; it answers with ``DAY``, in order.
"""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest

import hf_text
from hf_text.aio import AsyncClient
from hf_text.emulator import Response

WHOLE = Response.text("One", " two")
DAY = (
    *(WHOLE, WHOLE, Response.error(500, "down"), "stall-before-headers", "stall-mid-stream", "closed-before-headers"),
    *(WHOLE, WHOLE, Response.error(500, "down"), "stall-mid-stream", "stall-before-headers"),
)
# What a tool can observe: the status of each answer that began.
STATUSES = [200, 200, 500, None, 200, None, 200, 200, 500, 200, None]
# After these requests have arrived, the test sends a line: time to cancel.
CANCELLED = (4, 11)

_OPTIONS = {"api_key": "hf_MadeUpKeyForTests", "timeout": 20, "max_retries": 0}


def drive(api_base: str) -> None:
    """Complete answers, errors and cancellations; each must end as it does without any tool."""
    with hf_text.Client(api_base=api_base, **_OPTIONS) as client:
        _drive_blocking(client)
    asyncio.run(_drive_async(api_base))
    for thread in threading.enumerate():  # cancelled calls end in one of these
        if thread.name.startswith("AnyIO"):
            thread.join(10)


def _drive_blocking(client: hf_text.Client) -> None:
    for _ in range(2):
        assert client.generate("Hi", "m").text == "One two"
    with pytest.raises(hf_text.ServerError, match="down"):
        client.generate("Hi", "m")
    stream = client.stream("Hi", "m")
    threading.Thread(target=lambda: (sys.stdin.readline(), stream.cancel()), daemon=True).start()
    with pytest.raises(hf_text.StreamCancelledError):
        list(stream)
    stream = client.stream("Hi", "m")
    texts = iter(stream)
    assert next(texts) == "One"
    stream.cancel()
    with pytest.raises(hf_text.StreamCancelledError):
        list(texts)
    with pytest.raises(hf_text.TransportError, match="closed before a response"):
        client.generate("Hi", "m")


async def _drive_async(api_base: str) -> None:
    async with AsyncClient(api_base=api_base, **_OPTIONS) as client:
        for _ in range(2):  # the second reuses the connection: without a tool the event loop would send it
            assert (await client.generate("Hi", "m")).text == "One two"
        with pytest.raises(hf_text.ServerError, match="down"):
            await client.generate("Hi", "m")
        async with client.stream("Hi", "m") as stream:
            async for text in stream:
                assert text == "One"
                break
        waiting = asyncio.ensure_future(client.generate("Hi", "m"))
        await asyncio.to_thread(sys.stdin.readline)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
