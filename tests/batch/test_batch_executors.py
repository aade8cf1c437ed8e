"""Executors from outside: threads, processes, and what crosses between them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from batch_helpers import wait_for_chats

from hf_text import Client, batch
from hf_text.batch.rows import Row
from hf_text.batch.work import Worker, ask
from hf_text.emulator import Emulator, Gate, Request, Response

Recorded = Callable[[], dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as executor:
        executor.submit(len, "").result()  # its threads are there before the test that looks for those left behind
        yield executor


def refusals(together: int) -> Callable[[Request], Response]:
    """Refuses as soon as so many requests have come."""
    barrier = threading.Barrier(together)

    def refuse(request: Request) -> Response:
        barrier.wait(5)
        return Response.error(429, "Slow down", "string", headers={"retry-after-ms": "5"})

    return refuse


@contextmanager
def opening(gate: Gate, emulator: Emulator, after: int) -> Iterator[None]:
    """Opens the gate as soon as so many requests have come."""

    def wait_and_open() -> None:
        wait_for_chats(emulator, after)
        gate.open()

    thread = threading.Thread(target=wait_and_open)
    thread.start()
    yield
    thread.join()


class Counting(ThreadPoolExecutor):
    """Notes at each submit how many rows are worked on."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self.working: list[int] = []
        self.futures: list[Future[Any]] = []

    def submit(self, *args: Any, **options: Any) -> Future[Any]:
        self.futures = [future for future in self.futures if not future.done()]
        self.futures.append(super().submit(*args, **options))
        self.working.append(len(self.futures))
        return self.futures[-1]


class TestThreads:
    def test_they_do_the_work_and_are_not_shut_down(self, client: Client, output: Path, recorded: Recorded) -> None:
        with ThreadPoolExecutor(2) as executor:
            batch.run(["one", "two", "three"], output, client=client, executor=executor)
            assert executor.submit(len, "abc").result() == 3
        assert len(recorded()) == 3

    def test_they_share_the_client_and_its_connections(self, client: Client, emulator: Emulator, output: Path) -> None:
        with ThreadPoolExecutor(2) as executor:
            batch.run(map(str, range(20)), output, client=client, executor=executor)
        assert emulator.connections <= 2

    def test_no_more_rows_are_worked_on_than_may_be(self, client: Client, output: Path) -> None:
        with Counting(2) as executor:
            batch.run(map(str, range(20)), output, client=client, executor=executor, max_workers=5)
        assert max(executor.working) <= 5

    def test_what_is_finished_when_the_run_is_stopped_is_recorded(
        self, client: Client, output: Path, recorded: Recorded
    ) -> None:
        def stop(at: batch.Progress) -> None:
            if at.done:
                wait(executor.futures)
                raise ZeroDivisionError

        with Counting(2) as executor, pytest.raises(ZeroDivisionError):
            batch.run(map(str, range(9)), output, client=client, executor=executor, max_workers=2, progress=stop)
        assert len(recorded()) == 2

    def test_fewer_are_after_the_server_refused(
        self, make_client: Callable[..., Client], emulator: Emulator, output: Path
    ) -> None:
        refuse_together, gate = refusals(8), Gate()
        emulator.reply(*[refuse_together] * 8, *[Response.text("Yes", delay=gate)] * 4)
        client = make_client(max_retries=0)
        with Counting(8) as executor, opening(gate, emulator, after=8 + 4):
            summary = batch.run(map(str, range(8)), output, client=client, executor=executor, max_workers=8)
        assert summary.done == 8
        assert executor.working[:8] == [1, 2, 3, 4, 5, 6, 7, 8]
        assert max(executor.working[8:12]) <= 4
        assert max(executor.working[12:]) <= 5  # one more after each round of answers

    def test_fewer_are_after_a_client_had_to_wait(
        self, make_client: Callable[..., Client], emulator: Emulator, output: Path
    ) -> None:
        """It asked again by itself, so the run sees only the answer."""
        gate = Gate()
        emulator.reply(*[refusals(4)] * 4, *[Response.text("Yes")] * 4)
        emulator.always(Response.text("Yes", delay=gate))
        client = make_client(api_base=f"{emulator.url}/other/v1", max_retries=1)
        with Counting(4) as executor, opening(gate, emulator, after=8 + 3):
            batch.run(map(str, range(20)), output, client=client, model="m", executor=executor, max_workers=4)
        assert max(executor.working[4:8]) <= 3


class TestProcesses:
    def test_they_do_the_work_with_one_connection_each(
        self, processes: Executor, client: Client, emulator: Emulator, output: Path, recorded: Recorded
    ) -> None:
        summary = batch.run(map(str, range(20)), output, client=client, executor=processes, max_workers=4)
        assert summary.done == len(recorded()) == 20
        assert emulator.connections <= 2

    def test_their_errors_come_back(
        self,
        processes: Executor,
        make_client: Callable[..., Client],
        emulator: Emulator,
        output: Path,
        recorded: Recorded,
    ) -> None:
        refusals = [Response.error(429, "Slow down", headers={"retry-after-ms": "5"})] * 3
        emulator.reply("cut-mid-stream", Response.error(422, "No"), *refusals)
        rows = [{"custom_id": name, "prompt": name} for name in "abc"]
        client = make_client(max_retries=0)
        summary = batch.run(rows, output, client=client, executor=processes, max_workers=1)
        assert summary.errors == {"TruncatedStreamError": 1, "BadRequestError": 1}
        assert recorded()["b"]["response"]["status_code"] == 422
        assert recorded()["c"]["error"] is None

    def test_a_process_that_dies_ends_the_run_and_what_was_recorded_is_kept(
        self, client: Client, emulator: Emulator, output: Path, recorded: Recorded
    ) -> None:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
            (pid,) = {executor.submit(os.getpid).result()}

            def die(request: Request) -> Response:
                os.kill(pid, 9)
                return Response.text("Yes", delay=5.0)

            emulator.reply(Response.text("Yes"), die)
            with pytest.raises(BrokenProcessPool):
                batch.run(["one", "two"], output, client=client, executor=executor, max_workers=1)
        assert len(recorded()) == 1


class TestPickles:
    def test_a_process_keeps_one_copy_of_the_client(self, client: Client) -> None:
        worker = Worker(client)
        first, second = (pickle.loads(pickle.dumps(worker)) for _ in range(2))
        assert first is second
        assert first.client is not client

    def test_what_is_submitted_can_be_pickled(self, client: Client) -> None:
        function, worker, row = pickle.loads(pickle.dumps((ask, Worker(client), Row("a", {"messages": "Hi"}))))
        assert str(function(worker, row, 1)).endswith("You asked: Hi")
        worker.client.close()
