"""Batches in async code, on asyncio and trio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from hf_text import Client, InvalidRequestError
from hf_text.aio import AsyncClient, batch
from hf_text.emulator import Emulator, Gate, Request, Response

pytestmark = pytest.mark.anyio


@pytest.fixture
def async_client(client: Client) -> AsyncClient:
    return AsyncClient.of(client.operations)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def prompts(emulator: Emulator) -> list[str]:
    chats = [request for request in emulator.requests if request.path.endswith("/chat/completions")]
    return sorted(request.json["messages"][-1]["content"] for request in chats)


async def questions(count: int) -> AsyncIterator[str]:
    for number in range(count):
        await anyio.lowlevel.checkpoint()
        yield f"q{number}"


class TestGenerate:
    async def test_outcomes_arrive_as_they_are_answered(self, async_client: AsyncClient, emulator: Emulator) -> None:
        emulator.always(Response.text("Yes"))
        async with batch.generate(["one", "two"], client=async_client) as outcomes:
            texts = [outcome.text async for outcome in outcomes]
            assert outcomes.progress is not None
            assert outcomes.progress.done == 2
        assert texts == ["Yes", "Yes"]

    async def test_rows_may_come_from_an_async_iterable(self, async_client: AsyncClient, emulator: Emulator) -> None:
        found = [outcome async for outcome in batch.generate(questions(5), client=async_client, ordered=True)]
        assert len(found) == 5
        assert prompts(emulator) == ["q0", "q1", "q2", "q3", "q4"]

    async def test_leaving_early_stops_pending_requests(self, async_client: AsyncClient, emulator: Emulator) -> None:
        gate = Gate()
        emulator.reply(Response.text("Yes"))
        emulator.always(Response.text("Yes", delay=gate))
        async with batch.generate(map(str, range(9)), client=async_client, max_workers=3) as outcomes:
            async for _ in outcomes:
                await anyio.to_thread.run_sync(emulator.wait_for_requests, 4)
                break
        assert len(prompts(emulator)) <= 4
        await anyio.to_thread.run_sync(emulator.wait_for_disconnect, 2)

    async def test_a_cancelled_task_stops_pending_requests(self, async_client: AsyncClient, emulator: Emulator) -> None:
        gate = Gate()
        emulator.always(Response.text("Yes", delay=gate))

        async def read() -> None:
            async for _ in batch.generate(map(str, range(9)), client=async_client, max_workers=3):
                pass

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await anyio.to_thread.run_sync(emulator.wait_for_requests, 4)
            tasks.cancel_scope.cancel()
        await anyio.to_thread.run_sync(emulator.wait_for_disconnect, 3)
        assert len(prompts(emulator)) == 3

    async def test_a_bad_argument_is_refused(self, client: Client) -> None:
        with pytest.raises(InvalidRequestError, match="client must be an AsyncClient"):
            await batch.generate(["Hi"], client=client).__anext__()


class TestRun:
    async def test_answers_are_recorded_and_resumed(
        self, async_client: AsyncClient, emulator: Emulator, output: Path
    ) -> None:
        seen: list[batch.Progress] = []
        summary = await batch.run(questions(3), output, client=async_client, progress=seen.append)
        assert (summary.rows, summary.done) == (3, 3)
        assert seen[-1].done == 3
        assert (await batch.run(["q0", "q9"], output, client=async_client)).resumed == 1
        assert len(list(batch.read(output))) == 4

    async def test_a_cancelled_task_keeps_what_had_finished(
        self, async_client: AsyncClient, emulator: Emulator, output: Path
    ) -> None:
        gate = Gate()

        def answer(request: Request) -> Response:
            return Response.text("Yes", delay=0.0 if request.json["messages"][-1]["content"] == "0" else gate)

        emulator.always(answer)

        async def run(**options: Any) -> None:
            await batch.run(list(map(str, range(9))), output, client=async_client, max_workers=2)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await anyio.to_thread.run_sync(emulator.wait_for_requests, 4)
            tasks.cancel_scope.cancel()
        assert len(list(batch.read(output))) == 1
        gate.open()
        assert (await batch.run(list(map(str, range(9))), output, client=async_client)).done == 9


class TestFrames:
    async def test_a_block_comes_back_with_answers(self, async_client: AsyncClient, emulator: Emulator) -> None:
        emulator.always(Response.text("Yes"))
        rows = await batch.generate_frame([{"text": "a"}, {"text": "b"}], "Label: {text}", client=async_client)
        assert [row["answer"] for row in rows] == ["Yes", "Yes"]
