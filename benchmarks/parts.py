"""What the parts beside a plain stream cost, next to the same of peers: ``python -m benchmarks.parts [--quick]``.

CPU time in microseconds of this process for one answer on a connection that is kept alive (for ``logprobs`` and
``extra``: for one token), the median of interleaved rounds: a whole answer, a turn of a conversation, a value of a
type, log-probabilities, fields that no client knows and a row of a batch, next to openai and huggingface_hub; a stream
through langchain, pydantic_ai and smolagents, next to their own models on openai. Then the milliseconds until the
command has told its version and its help, next to ``llm``. Peers that are not installed are left out.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import BaseModel

from hf_text import Client, Conversation, batch

from .server import running

MESSAGES: list[Any] = [{"role": "user", "content": "Hi"}]
TOKENS = 200
BY_TOKEN = ("logprobs", "extra")

Work = Callable[[int], object]


class City(BaseModel):
    """The output type."""

    city: str
    people: int


def read_chunks(chunks: Iterable[Any]) -> str:
    """The text of a peer's stream."""
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def converse_with(read: Callable[[list[Any]], str]) -> Work:
    """A conversation with a peer that keeps no history: each turn sends all earlier ones."""

    def converse(times: int) -> None:
        messages: list[Any] = []
        for _ in range(times):
            messages.append(MESSAGES[0])
            messages.append({"role": "assistant", "content": read(messages)})

    return converse


async def read_rows(times: int, ask: Callable[[], Awaitable[AsyncIterable[Any]]]) -> None:
    """Rows of a batch with a peer: a stream each, eight at once."""
    turns = asyncio.Semaphore(8)

    async def row() -> None:
        async with turns:
            "".join([chunk.choices[0].delta.content or "" async for chunk in await ask()])

    await asyncio.gather(*(row() for _ in range(times)))


def repeat(work: Callable[[], object]) -> Work:
    """A function that repeats the work as often as its argument says."""
    return lambda times: [work() for _ in range(times)]


def ours(url: Callable[[str], str]) -> dict[str, Work]:
    """The parts of this library."""
    text, value, tokens, more = (
        Client(api_base=url(how), model="m") for how in ("block", "object", "logprobs", "extra")
    )

    def converse(times: int) -> None:
        conversation = Conversation(text)
        for _ in range(times):
            conversation.generate("Hi")

    def run_rows(times: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            batch.run(["Hi"] * times, Path(folder) / "out.jsonl", client=text, model="m", max_workers=8)

    return {
        "answer": repeat(lambda: text.generate("Hi")),
        "extra": repeat(lambda: more.generate("Hi").extra),
        "turn": converse,
        "parse": repeat(lambda: value.parse("Hi", City)),
        "logprobs": repeat(lambda: tokens.generate("Hi", logprobs=True).logprobs),
        "row": run_rows,
    }


def with_openai(url: Callable[[str], str]) -> dict[str, Work]:
    """The same with openai."""
    import openai

    text, value, tokens, more = (
        openai.OpenAI(base_url=url(how), api_key="x") for how in ("block", "whole", "logprobs", "extra")
    )

    def read(messages: list[Any], client: openai.OpenAI = text) -> str:
        return read_chunks(client.chat.completions.create(model="m", messages=messages, stream=True))

    def read_logprobs() -> list[Any]:
        chunks = tokens.chat.completions.create(model="m", messages=MESSAGES, stream=True, logprobs=True)
        return [chunk.choices[0].logprobs for chunk in chunks]

    async def run_rows(times: int) -> None:
        async with openai.AsyncOpenAI(base_url=url("block"), api_key="x") as client:
            ask = client.chat.completions.create
            await read_rows(times, lambda: ask(model="m", messages=MESSAGES, stream=True))

    return {
        "answer": repeat(lambda: read(MESSAGES)),
        "extra": repeat(lambda: read(MESSAGES, more)),
        "turn": converse_with(read),
        "parse": repeat(lambda: value.chat.completions.parse(model="m", messages=MESSAGES, response_format=City)),
        "logprobs": repeat(read_logprobs),
        "row": lambda times: asyncio.run(run_rows(times)),
    }


def with_hub(url: Callable[[str], str]) -> dict[str, Work]:
    """The same with huggingface_hub."""
    from huggingface_hub import AsyncInferenceClient, InferenceClient

    text, value, tokens, more = (
        InferenceClient(base_url=url(how), api_key="x").chat_completion
        for how in ("block", "whole", "logprobs", "extra")
    )
    schema: Any = {"type": "json_schema", "json_schema": {"name": "City", "schema": City.model_json_schema()}}

    def read(messages: list[Any], ask: Any = text) -> str:
        return read_chunks(ask(messages, stream=True))

    def parse() -> City:
        return City(**json.loads(value(MESSAGES, response_format=schema).choices[0].message.content or ""))

    async def run_rows(times: int) -> None:
        client = AsyncInferenceClient(base_url=url("block"), api_key="x")
        await read_rows(times, lambda: client.chat_completion(MESSAGES, stream=True))

    return {
        "answer": repeat(lambda: read(MESSAGES)),
        "extra": repeat(lambda: read(MESSAGES, more)),
        "turn": converse_with(read),
        "parse": repeat(parse),
        "logprobs": repeat(lambda: [c.choices[0].logprobs for c in tokens(MESSAGES, stream=True, logprobs=True)]),
        "row": lambda times: asyncio.run(run_rows(times)),
    }


def through_langchain(url: str) -> dict[str, Work]:
    """A stream through LangChain."""
    from langchain_openai import ChatOpenAI

    from hf_text.integrations.langchain import ChatHFText

    options: dict[str, Any] = {"model": "m", "base_url": url, "api_key": "x"}
    ours, theirs = ChatHFText(**options, profile={}), ChatOpenAI(**options)
    return {
        "hf_text": repeat(lambda: list(ours.stream("Hi"))),
        "openai": repeat(lambda: list(theirs.stream("Hi"))),
    }


def through_pydantic_ai(url: str) -> dict[str, Work]:
    """A stream through Pydantic AI."""
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    from hf_text.integrations.pydantic_ai import HFTextModel

    def run(model: Any) -> Work:
        agent = Agent(model)

        async def read(times: int) -> None:
            for _ in range(times):
                async with agent.run_stream("Hi") as result:
                    await result.get_output()

        return lambda times: asyncio.run(read(times))

    provider = OpenAIProvider(base_url=url, api_key="x")
    return {
        "hf_text": run(HFTextModel("m", client=Client(api_base=url))),
        "openai": run(OpenAIChatModel("m", provider=provider)),
    }


def through_smolagents(url: str) -> dict[str, Work]:
    """A stream through smolagents."""
    from smolagents import ChatMessage, MessageRole, OpenAIModel

    from hf_text.integrations.smolagents import HFTextModel

    ours = HFTextModel("m", client=Client(api_base=url))
    theirs = OpenAIModel("m", api_base=url, api_key="x")
    asked = [ChatMessage(role=MessageRole.USER, content="Hi")]
    return {
        "hf_text": repeat(lambda: list(ours.generate_stream(asked))),
        "openai": repeat(lambda: list(theirs.generate_stream(asked))),
    }


CLIENTS = {"hf_text": ours, "openai": with_openai, "huggingface_hub": with_hub}
FRAMEWORKS = {
    "langchain_openai": through_langchain,
    "pydantic_ai": through_pydantic_ai,
    "smolagents": through_smolagents,
}


def find_parts(url: Callable[[str], str]) -> dict[str, dict[str, Work]]:
    """What can be measured here, by client and part."""
    parts = {name: make(url) for name, make in CLIENTS.items() if importlib.util.find_spec(name)}
    if "openai" in parts:
        for name, make in FRAMEWORKS.items():
            if importlib.util.find_spec(name):
                for client, work in make(url("block")).items():
                    parts[client][name.removesuffix("_openai")] = work
    return parts


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


def find_llm() -> str | None:
    """The command ``llm``, of this environment if there is one."""
    return shutil.which("llm", path=str(Path(sys.executable).parent)) or shutil.which("llm")


def time_commands(rounds: int) -> dict[str, float]:
    """Milliseconds of ``--version`` and ``--help`` of each command, in the fastest run."""
    python = [sys.executable, "-m", "hf_text"]
    commands = {"hf-text": python, **({"llm": [llm]} if (llm := find_llm()) else {})}
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
            return f"http://127.0.0.1:{ports['http']}/{how}/{TOKENS if how in BY_TOKEN else 1}/0/v1"

        measured = measure(find_parts(url), rounds, answers)
    print(f"{'µs of CPU':12}", *(f"{client:>16}" for client in measured))
    for name in measured["hf_text"]:
        each = TOKENS if name in BY_TOKEN else 1
        cells = (f"{names[name] / each:16.1f}" if name in names else " " * 16 for names in measured.values())
        print(f"{name:12}", *cells)
    for name, milliseconds in time_commands(rounds).items():
        print(f"{name:20} {milliseconds:6.0f} ms")


if __name__ == "__main__":
    main(*(1, 10) if "--quick" in sys.argv else (5, 100))
