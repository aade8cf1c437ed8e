"""The cost of features other than a plain stream, compared with openai: ``python -m benchmarks.parts [--quick]``.

CPU time of this process in microseconds per answer (for ``logprobs``: per token) on a kept-alive connection, as the
median of interleaved rounds: a complete answer, a turn of a conversation, structured output, log probabilities and a
row of a batch. Then the milliseconds of the command's ``--version`` and ``--help``, compared with ``llm``. Peers that
are not installed are skipped.
"""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import BaseModel

from hf_text import Client, Conversation, batch

from .server import running

MESSAGES: list[Any] = [{"role": "user", "content": "Hi"}]
TOKENS = 200

Work = Callable[[int], object]


class City(BaseModel):
    """The output type."""

    city: str
    people: int


def repeat(work: Callable[[], object]) -> Work:
    """A function that repeats the work as often as its argument says."""
    return lambda times: [work() for _ in range(times)]


def ours(url: Callable[[str], str]) -> dict[str, Work]:
    """The features of this library."""
    text, value, tokens = (Client(api_base=url(how), model="m") for how in ("block", "object", "logprobs"))

    def converse(times: int) -> None:
        conversation = Conversation(text)
        for _ in range(times):
            conversation.generate("Hi")

    def run_rows(times: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            batch.run(["Hi"] * times, Path(folder) / "out.jsonl", client=text, model="m", max_workers=8)

    return {
        "answer": repeat(lambda: text.generate("Hi")),
        "turn": converse,
        "parse": repeat(lambda: value.parse("Hi", City)),
        "logprobs": repeat(lambda: tokens.generate("Hi", logprobs=True).logprobs),
        "row": run_rows,
    }


def theirs(url: Callable[[str], str]) -> dict[str, Work]:
    """The same features of openai."""
    import openai

    text, value, tokens = (openai.OpenAI(base_url=url(how), api_key="x") for how in ("block", "whole", "logprobs"))

    def read(messages: list[Any]) -> str:
        chunks = text.chat.completions.create(model="m", messages=messages, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    def converse(times: int) -> None:
        messages: list[Any] = []
        for _ in range(times):
            messages.append(MESSAGES[0])
            messages.append({"role": "assistant", "content": read(messages)})

    def read_logprobs() -> list[Any]:
        chunks = tokens.chat.completions.create(model="m", messages=MESSAGES, stream=True, logprobs=True)
        return [chunk.choices[0].logprobs for chunk in chunks]

    async def run_rows(times: int) -> None:
        async with openai.AsyncOpenAI(base_url=url("block"), api_key="x") as client:
            turns = asyncio.Semaphore(8)

            async def row() -> None:
                async with turns:
                    stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
                    "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

            await asyncio.gather(*(row() for _ in range(times)))

    return {
        "answer": repeat(lambda: read(MESSAGES)),
        "turn": converse,
        "parse": repeat(lambda: value.chat.completions.parse(model="m", messages=MESSAGES, response_format=City)),
        "logprobs": repeat(read_logprobs),
        "row": lambda times: asyncio.run(run_rows(times)),
    }


def measure(parts: dict[str, dict[str, Work]], rounds: int, answers: int) -> dict[str, dict[str, float]]:
    """Microseconds by client and feature."""
    taken: dict[str, dict[str, list[float]]] = {client: {name: [] for name in works} for client, works in parts.items()}
    for _ in range(rounds + 1):
        for client, works in parts.items():
            for name, work in works.items():
                started = time.process_time()
                work(answers)
                taken[client][name].append((time.process_time() - started) / answers * 1e6)
    # The first round is a warm-up: it imports and connects.
    return {client: {name: median(each[1:]) for name, each in names.items()} for client, names in taken.items()}


def time_commands(rounds: int) -> dict[str, float]:
    """Milliseconds of ``--version`` and ``--help`` of each command, in the fastest run."""
    python = [sys.executable, "-m", "hf_text"]
    commands = {"hf-text": python, **({"llm": [llm]} if (llm := shutil.which("llm")) else {})}
    quickest: dict[str, float] = {}
    for _ in range(rounds):
        for name, command in commands.items():
            for option in ("--version", "--help"):
                started = time.perf_counter()
                subprocess.run([*command, option], stdout=subprocess.DEVNULL, check=True)
                taken = (time.perf_counter() - started) * 1e3
                key = f"{name} {option}"
                quickest[key] = min(quickest.get(key, taken), taken)
    return quickest


def main(rounds: int, answers: int) -> None:
    """Measure and print."""
    with running() as ports:

        def url(how: str) -> str:
            return f"http://127.0.0.1:{ports['http']}/{how}/{TOKENS if how == 'logprobs' else 1}/0/v1"

        parts = {"hf_text": ours(url)}
        if importlib.util.find_spec("openai"):
            parts["openai"] = theirs(url)
        measured = measure(parts, rounds, answers)
    print(f"{'µs of CPU':12}", *(f"{client:>10}" for client in measured))
    for name in measured["hf_text"]:
        each = TOKENS if name == "logprobs" else 1
        print(f"{name:12}", *(f"{names[name] / each:10.1f}" for names in measured.values()))
    for name, milliseconds in time_commands(rounds).items():
        print(f"{name:20} {milliseconds:6.0f} ms")


if __name__ == "__main__":
    main(*(1, 10) if "--quick" in sys.argv else (5, 100))
