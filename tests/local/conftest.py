"""Fixtures for a real model and its servers."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from local_hub import Hub

import hf_text
from hf_text.emulator.leaks import assert_nothing_leaked
from hf_text.local import LocalServer

ROOT = Path(hf_text.__file__).parent.parent


@pytest.fixture(scope="session")
def server(model: Path) -> Iterator[LocalServer]:
    """One server, shared by all tests that only send requests."""
    with LocalServer(model, slots=2, context=2048) as running:
        yield running


@pytest.fixture
def client(server: LocalServer) -> Iterator[hf_text.Client]:
    """A client of the server."""
    with server.client(timeout=50, max_retries=0) as client:
        yield client


@pytest.fixture
def nothing_leaks() -> Iterator[None]:
    """The test leaks no thread and no open descriptor in this process."""
    with assert_nothing_leaked():
        yield


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A local stand-in for the Hub, which huggingface_hub treats as the real one."""
    with Hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def start_without(tmp_path: Path) -> Callable[..., str]:
    """Start a server in a Python that lacks a package. Returns the error."""

    def start(package: str, model: object) -> str:
        packages = tmp_path / "packages"
        packages.mkdir()
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            if not entry.name.startswith(package) and entry.suffix != ".pth":
                (packages / entry.name).symlink_to(entry)
        places = [*(place for place in sys.path if Path(place) != packages and "-packages" not in place), str(ROOT)]
        code = f"""if True:
            import sys
            sys.path[:] = {[*places, str(packages)]!r}
            from hf_text import HFTextError
            from hf_text.local import LocalServer
            try:
                LocalServer({str(model)!r}).start()
            except HFTextError as error:
                print(type(error).__name__, error, sep=": ")
        """
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
        return done.stdout

    return start


@pytest.fixture
def wait_for_end() -> Callable[[int], None]:
    """Wait until a process has ended, also if it is not a child of this one."""

    if not hasattr(os, "pidfd_open"):
        pytest.skip("this system does not tell when another's process ends")

    def wait(pid: int) -> None:
        try:
            process = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            assert select.select([process], [], [], 15)[0], f"process {pid} goes on"
        finally:
            os.close(process)

    return wait
