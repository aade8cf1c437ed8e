"""Tools that patch a whole process: each is tested with the real package, in a subprocess."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from drive import CANCELLED, DAY
from required import require

from hf_text.emulator import Emulator

FOLDER = Path(__file__).parent


@pytest.fixture
def needs() -> Callable[..., None]:
    """Skip the test if one of these modules is not installed; fail if all are required."""

    def check(*modules: str) -> None:
        require(*modules, where="extra: integrations-test")

    return check


@pytest.fixture
def run_driven(emulator: Emulator, tmp_path: Path) -> Callable[..., str]:
    """Run a program that sets up a tool and calls ``drive(address)``; returns its output."""

    def run(program: str, *options: str, **environ: str) -> str:
        emulator.reply(*DAY)
        path = os.pathsep.join([str(FOLDER), str(FOLDER.parents[1])])
        with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
            process = subprocess.Popen(
                [sys.executable, *options, "-c", program, emulator.api_base],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                bufsize=0,
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": path, **environ},
            )
        with process:
            assert process.stdin is not None
            for number in CANCELLED:
                while process.poll() is None and len(emulator.requests) < number:
                    with suppress(TimeoutError):  # the process may have ended
                        emulator.wait_for_requests(number, 0.5)
                with suppress(BrokenPipeError):
                    os.write(process.stdin.fileno(), b"cancel\n")
        errors = (tmp_path / "err").read_text()
        assert process.returncode == 0, errors
        assert "Traceback" not in errors, errors
        return (tmp_path / "out").read_text()

    return run
