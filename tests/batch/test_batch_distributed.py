"""A real Dask cluster of processes, in which a worker or the scheduler is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import distributed
import pytest
from batch_helpers import chats, wait_for_chats

import hf_text
from hf_text import Client, batch
from hf_text.emulator import Emulator, Response

ROWS = 300
pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*:ResourceWarning"),  # raised by distributed when its scheduler is killed
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


class Cluster:
    """A scheduler and two workers, each in its own process."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._file = folder / "scheduler.json"
        self._stack = stack
        options = ["--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0", "--no-show"]
        self.scheduler = self._start("dask_scheduler", *options)
        while not self._file.exists():
            assert self.scheduler.poll() is None
            time.sleep(0.05)
        worker = ["--nthreads", "4", "--no-dashboard", "--no-nanny", "--local-directory", str(folder)]
        self.workers = [self._start("dask_worker", *worker) for _ in range(2)]
        address = json.loads(self._file.read_text())["address"]
        self.client: Any = stack.enter_context(distributed.Client(address, set_as_default=False))
        self.client.wait_for_workers(2, timeout=30)

    def _start(self, module: str, *options: str) -> subprocess.Popen[bytes]:
        path = os.pathsep.join([str(Path(hf_text.__file__).parent.parent), str(Path(__file__).parent)])
        command = [sys.executable, "-m", f"distributed.cli.{module}", "--scheduler-file", str(self._file), *options]
        process = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process


@pytest.fixture
def nothing_left_behind() -> None:
    """Disable the leak check: distributed keeps threads, and the cluster ends the processes."""
    return


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with ExitStack() as stack:
        yield Cluster(tmp_path, stack)


def rows(count: int = ROWS) -> list[dict[str, Any]]:
    return [{"custom_id": f"r{number}", "prompt": f"p{number}"} for number in range(count)]


def check_once(output: Path) -> None:
    names = Counter(json.loads(line)["custom_id"] for line in output.read_bytes().splitlines())
    assert names == Counter({f"r{number}": 1 for number in range(ROWS)})


def after(emulator: Emulator, count: int, action: Any) -> threading.Thread:
    def wait_and_act() -> None:
        wait_for_chats(emulator, count, timeout=60)
        action()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread


def test_a_killed_worker_loses_only_its_pending_rows(
    client: Client, emulator: Emulator, output: Path, cluster: Cluster
) -> None:
    emulator.always(Response.text("Yes", delay=0.02))
    thread = after(emulator, 60, cluster.workers[0].kill)
    summary = batch.run(rows(), output, client=client, executor=cluster.client.get_executor(), max_workers=8)
    thread.join()
    assert (summary.done, summary.failed) == (ROWS, 0)
    check_once(output)
    again = sum(Counter(request.json["messages"][-1]["content"] for request in chats(emulator)).values()) - ROWS
    assert again <= 8 * 64


def test_a_lost_scheduler_ends_the_run_and_the_next_run_resumes(
    client: Client, emulator: Emulator, output: Path, cluster: Cluster
) -> None:
    emulator.always(Response.text("Yes", delay=0.02))
    thread = after(emulator, 60, cluster.scheduler.kill)
    with pytest.raises(BrokenExecutor, match=r"lost its workers or its scheduler \(.+\)\. Finished rows are kept"):
        batch.run(rows(), output, client=client, executor=cluster.client.get_executor(), max_workers=8)
    thread.join()
    kept = len(list(batch.read(output)))
    assert 0 < kept < ROWS
    summary = batch.run(rows(), output, client=client)
    assert (summary.done, summary.resumed) == (ROWS, kept)
    check_once(output)
