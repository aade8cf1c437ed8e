"""Executors passed by the caller: threads, processes, and the data sent between them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from hf_text import Client, batch
from hf_text.batch.rows import Row
from hf_text.batch.work import Worker, ask
from hf_text.emulator import Emulator, Request, Response

Recorded = Callable[[], dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as executor:
        executor.submit(len, "").result()  # starts its threads before the leak check of a test
        yield executor


class Counting(ThreadPoolExecutor):
    """Records the number of rows in flight at each submit."""

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
    def test_an_executor_does_the_work_and_is_not_shut_down(
        self, client: Client, output: Path, recorded: Recorded
    ) -> None:
        with ThreadPoolExecutor(2) as executor:
            batch.run(["one", "two", "three"], output, client=client, executor=executor)
            assert executor.submit(len, "abc").result() == 3
        assert len(recorded()) == 3

    def test_threads_share_the_client_and_its_connections(
        self, client: Client, emulator: Emulator, output: Path
    ) -> None:
        with ThreadPoolExecutor(2) as executor:
            batch.run(map(str, range(20)), output, client=client, executor=executor)
        assert emulator.connections <= 2 + 1  # one fetched the prices

    def test_concurrency_is_never_exceeded(self, client: Client, output: Path) -> None:
        with Counting(2) as executor:
            batch.run(map(str, range(20)), output, client=client, executor=executor, max_workers=5)
        assert max(executor.working) <= 5

    def test_rows_finished_during_a_stop_are_recorded(self, client: Client, output: Path, recorded: Recorded) -> None:
        def stop(at: batch.Progress) -> None:
            if at.done:
                wait(executor.futures)
                raise ZeroDivisionError

        with Counting(2) as executor, pytest.raises(ZeroDivisionError):
            batch.run(map(str, range(9)), output, client=client, executor=executor, max_workers=2, progress=stop)
        assert len(recorded()) == 2


class Losing(ThreadPoolExecutor):
    """Fails its first task when the second has finished, as a cluster that loses a worker does."""

    lost: Future[Any] | None = None

    def submit(self, *args: Any, **options: Any) -> Future[Any]:
        if self.lost is None:
            self.lost = lost = Future()
            return lost
        future, lost = super().submit(*args, **options), self.lost
        future.add_done_callback(lambda _: lost.set_exception(OSError("gone")))
        return future


class TestLosses:
    def test_finished_rows_are_recorded_when_a_task_is_lost(
        self, client: Client, output: Path, recorded: Recorded
    ) -> None:
        with Losing(1) as executor, pytest.raises(BrokenExecutor, match=r"\(OSError: gone\)"):
            batch.run(["one", "two"], output, client=client, executor=executor, max_workers=2)
        (line,) = recorded().values()
        assert line["error"] is None


class TestProcesses:
    def test_each_process_uses_one_connection(
        self, processes: Executor, client: Client, emulator: Emulator, output: Path, recorded: Recorded
    ) -> None:
        summary = batch.run(map(str, range(20)), output, client=client, executor=processes, max_workers=4)
        assert summary.done == len(recorded()) == 20
        assert emulator.connections <= 2 + 1  # one fetched the prices

    def test_errors_in_a_process_are_returned(
        self,
        processes: Executor,
        make_client: Callable[..., Client],
        emulator: Emulator,
        output: Path,
        recorded: Recorded,
    ) -> None:
        refusals = [Response.error(429, "Slow down", headers={"retry-after-ms": "5"})] * 3
        emulator.reply(*["cut-mid-stream"] * 3, Response.error(422, "No"), *refusals)
        client = make_client(max_retries=0)
        for name in "abc":
            rows = [{"custom_id": name, "prompt": name}]
            batch.run(rows, output, client=client, executor=processes, max_workers=1)
        assert recorded()["a"]["error"]["code"] == "TruncatedStreamError"
        assert recorded()["b"]["response"]["status_code"] == 422
        assert recorded()["c"]["error"] is None

    def test_a_dead_process_ends_the_run_and_keeps_recorded_answers(
        self, client: Client, emulator: Emulator, output: Path, recorded: Recorded
    ) -> None:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
            (pid,) = {executor.submit(os.getpid).result()}

            def die(request: Request) -> Response:
                os.kill(pid, 9)
                return Response.text("Yes", delay=5.0)

            emulator.reply(Response.text("Yes"), die)
            with pytest.raises(
                BrokenExecutor, match=r"lost its workers or its scheduler \(BrokenProcessPool: .*Finished rows are kept"
            ):
                batch.run(["one", "two"], output, client=client, executor=executor, max_workers=1)
        assert len(recorded()) == 1


class TestPickles:
    def test_a_process_keeps_one_copy_of_the_client(self, client: Client) -> None:
        worker = Worker(client)
        first, second = (pickle.loads(pickle.dumps(worker)) for _ in range(2))
        assert first is second
        assert first.client is not client

    def test_submitted_work_can_be_pickled(self, client: Client) -> None:
        function, worker, row = pickle.loads(pickle.dumps((ask, Worker(client), Row("a", {"messages": "Hi"}, {}))))
        assert str(function(worker, row)).endswith("You asked: Hi")
        worker.client.close()
