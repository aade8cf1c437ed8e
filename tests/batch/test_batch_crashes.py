"""Runs that are ended by signals, repeatedly and at random times. Each row is recorded once, and sent once unless it
was in flight.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from thorough import THOROUGH, repeated

import hf_text

ROOT = Path(hf_text.__file__).parent.parent
ROWS = 2000 if THOROUGH else 200
WORKERS = 8
TIMES = repeated(20)

SCRIPT = """
import sys, warnings
from hf_text import Client, batch

warnings.simplefilter("error")
inputs, output, url = sys.argv[1:]
with Client(api_base=url) as client:
    batch.run(inputs, output, client=client, model="m", max_workers=8)
"""


class Server:
    """A server process that counts the answers to each prompt."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._process = process
        self.url = f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"

    def count(self) -> dict[str, int]:
        """End the server, and return the count of each prompt that was sent more than once."""
        out, _ = self._process.communicate("")
        counts: dict[str, int] = json.loads(out)["prompts"]
        return counts


@pytest.fixture
def server() -> Iterator[Server]:
    command = [sys.executable, "-m", "benchmarks.limited_server", "--answer", "0.02", "--prompts"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Server(process)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(f'{{"custom_id": "r{n}", "prompt": "p{n}"}}\n' for n in range(ROWS)))
    return path


@contextmanager
def running(inputs: Path, output: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SCRIPT, str(inputs), str(output), url]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for_more(output: Path, process: subprocess.Popen[bytes]) -> None:
    """Block until the output grows or the process ends."""
    before = output.stat().st_size if output.exists() else 0
    while process.poll() is None and (not output.exists() or output.stat().st_size <= before):
        time.sleep(0.01)


def end_again_and_again(
    inputs: Path, output: Path, url: str, signals: list[signal.Signals], pause: random.Random
) -> tuple[int, list[bytes]]:
    """Start runs, end each with a signal at a random moment after its first rows, and let the last run finish.

    Return how many runs were ended, and the standard error of each.
    """
    ended, said = 0, []
    for signum in signals:
        with running(inputs, output, url) as process:
            wait_for_more(output, process)
            time.sleep(pause.uniform(0, 0.1))
            process.send_signal(signum)
            _, errors = process.communicate(timeout=40)
            ended += process.returncode != 0
            said.append(errors)
    with running(inputs, output, url) as process:
        _, errors = process.communicate(timeout=50)
        assert process.returncode == 0, errors.decode()
    return ended, said


def check_once(output: Path, rows: int = ROWS) -> None:
    lines = [json.loads(line) for line in output.read_bytes().splitlines()]
    assert Counter(line["custom_id"] for line in lines) == Counter({f"r{number}": 1 for number in range(rows)})
    assert all(line["error"] is None for line in lines)
    assert all(line["response"]["body"]["choices"][0]["message"]["content"] == "word " * 10 for line in lines)


@pytest.mark.timeout(300)
def test_sigkill_loses_only_pending_rows(server: Server, inputs: Path, output: Path) -> None:
    ended, _ = end_again_and_again(inputs, output, server.url, [signal.SIGKILL] * TIMES, random.Random(1))
    assert ended
    check_once(output)
    again = sum(count - 1 for count in server.count().values())
    assert again <= ended * WORKERS


@pytest.mark.timeout(300)
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_draining_signals_lose_nothing(server: Server, inputs: Path, output: Path, signum: signal.Signals) -> None:
    _, said = end_again_and_again(inputs, output, server.url, [signum] * TIMES, random.Random(2))
    check_once(output)
    assert max(server.count().values()) == 1
    stopped = [errors for errors in said if errors]
    assert stopped
    assert all(errors.count(b"\n") <= 2 and b"Run it again to continue" in errors for errors in stopped)
