"""A chat server on loopback with a limit, an answer time and an outage, on one thread: ``python -m
    benchmarks.limited_server --rate 50 --answer 2 [--outage 20 10] [--outage-kind 429] [--retry-after 1]``.

It accepts ``rate`` requests per second, with a burst of as many after a pause; the others get 429. An answer is
streamed in ten pieces over the answer time. There are three kinds of outages: ``closed`` aborts every connection and
closes the port, ``503`` aborts every connection and answers every request with 503, ``429`` finishes the answers in
progress and answers every new request with 429. The server prints its port. When its standard input ends, it prints a
report as JSON: for each second the accepted and the refused requests (none while the port is closed), and how many
prompts were accepted more than once.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from typing import Any

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECES = 10


def render(delta: dict[str, object], **fields: object) -> bytes:
    """One event as one HTTP chunk."""
    choice = {"index": 0, "delta": delta, "finish_reason": fields.pop("finish_reason", None)}
    event = b"data: " + json.dumps({"id": "c", "model": "m", "choices": [choice], **fields}).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(event), event)


PIECE = render({"content": "word "})
USAGE = {"prompt_tokens": 10, "completion_tokens": PIECES, "total_tokens": 10 + PIECES}
DONE = b"data: [DONE]\n\n"
END = render({}, finish_reason="stop", usage=USAGE) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(DONE), DONE)
WHOLE = HEAD + PIECE * PIECES + END


class Limited:
    """The server. The arguments are the command's."""

    def __init__(
        self,
        rate: float,
        answer: float,
        outage: tuple[float, float],
        outage_kind: str,
        retry_after: float,
        tells_prompts: bool,
    ) -> None:
        self.tells_prompts = tells_prompts
        self.rate, self.answer, self.outage, self.retry_after = rate, answer, outage, retry_after
        self.outage_kind = outage_kind
        self.level = rate
        self.began = self.at = time.monotonic()
        self.through: Counter[int] = Counter()
        self.refused: Counter[int] = Counter()
        self.prompts: Counter[str] = Counter()
        self.writers: set[asyncio.StreamWriter] = set()
        self.answering = self.broken = 0

    def now(self) -> float:
        return time.monotonic() - self.began

    def is_away(self) -> bool:
        begin, seconds = self.outage
        return begin <= self.now() < begin + seconds

    def let_through(self) -> bool:
        now = time.monotonic()
        self.level = min(self.rate, self.level + (now - self.at) * self.rate)
        self.at = now
        if self.level < 1:
            return False
        self.level -= 1
        return True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (
                        int(line.split(b":")[1])
                        for line in head.lower().split(b"\r\n")
                        if line.startswith(b"content-length")
                    ),
                    0,
                )
                await self.answer_one(head, await reader.readexactly(length), writer)
        self.writers.discard(writer)
        writer.close()

    async def answer_one(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        if not head.startswith(b"POST"):
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        second = int(self.now())
        prompt = json.loads(body)["messages"][-1]["content"]
        if self.is_away() or not self.let_through():
            self.refused[second] += 1
            down = self.is_away() and self.outage_kind != "429"
            status = b"503 Service Unavailable" if down else b"429 Too Many Requests"
            wait = b"Retry-After: %g\r\n" % self.retry_after if self.retry_after else b""
            writer.write(b"HTTP/1.1 %b\r\n%bContent-Length: 2\r\n\r\n{}" % (status, wait))
            return
        self.through[second] += 1
        self.prompts[prompt] += 1
        if self.answer < 0.01:
            writer.write(WHOLE)
        else:
            self.answering += 1
            try:
                writer.write(HEAD)
                for _ in range(PIECES):
                    await asyncio.sleep(self.answer / PIECES)
                    if writer.is_closing():
                        return
                    writer.write(PIECE)
                writer.write(END)
            finally:
                self.answering -= 1
        await writer.drain()

    async def listen(self, port: int = 0) -> asyncio.Server:
        return await asyncio.start_server(self.serve, "127.0.0.1", port, backlog=1000)

    async def keep_the_outage(self, server: asyncio.Server) -> None:
        begin, seconds = self.outage
        if not seconds or self.outage_kind == "429":
            return
        port = server.sockets[0].getsockname()[1]
        await asyncio.sleep(begin - self.now())
        if self.outage_kind == "closed":
            server.close()
        self.broken = self.answering
        for writer in list(self.writers):
            writer.transport.abort()
        if self.outage_kind == "closed":
            await asyncio.sleep(begin + seconds - self.now())
            self.reopened = await self.listen(port)

    def report(self) -> dict[str, Any]:
        seconds = range(int(self.now()) + 1)
        return {
            "through": [self.through[second] for second in seconds],
            "refused": [self.refused[second] for second in seconds],
            "broken": self.broken,
            "twice": sum(count > 1 for count in self.prompts.values()),
            **({"prompts": self.prompts} if self.tells_prompts else {}),
        }


async def main(options: argparse.Namespace) -> None:
    """Serve until the end of standard input."""
    limited = Limited(
        options.rate, options.answer, tuple(options.outage), options.outage_kind, options.retry_after, options.prompts
    )
    server = await limited.listen()
    print(server.sockets[0].getsockname()[1], flush=True)
    task = None
    line = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    if line:  # "start" starts the clock
        limited.began = time.monotonic()
        task = asyncio.create_task(limited.keep_the_outage(server))
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(json.dumps(limited.report()), flush=True)
    if task is not None:
        task.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=1e9)
    parser.add_argument("--answer", type=float, default=0.0)
    parser.add_argument("--outage", type=float, nargs=2, default=(0.0, 0.0), metavar=("BEGIN", "SECONDS"))
    parser.add_argument("--outage-kind", choices=["closed", "503", "429"], default="closed")
    parser.add_argument("--retry-after", type=float, default=0.0)
    parser.add_argument("--prompts", action="store_true", help="report how often each prompt was answered")
    asyncio.run(main(parser.parse_args()))
