"""What every test shares: a user without key or proxy, an emulator, a client of it, a look at what was left behind."""

from __future__ import annotations

import gc
import itertools
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import hf_text
from hf_text.client import default_client
from hf_text.emulator import Emulator
from hf_text.emulator.fixtures import emulator
from hf_text.operations import Operations
from hf_text.tuning import Tuning

__all__ = ["emulator"]

pytest_plugins = ["transport_fixtures"]  # the servers, threads and certificates of the tests of the transport

KEY = "hf_MadeUpKeyForTests"

_FOREIGN = re.compile(
    r"HF_|HUGGING_?FACE|XDG_|OPENAI_|NETRC|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|SSL_CERT_|(https?|all|no)_proxy$",
    re.IGNORECASE,
)

_numbers = itertools.count()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No test leaves a thread of ours or an open socket behind."""
    threads, sockets = set(threading.enumerate()), _open_sockets()
    yield
    started = time.monotonic()
    while left := _find_left(threads, sockets):
        waited = time.monotonic() - started
        if waited > 2:
            pytest.fail(f"left behind: {', '.join(left)}")
        if waited > 0.01:
            gc.collect()  # what only lay in a circle is not lost
        time.sleep(0.001)


@pytest.fixture(autouse=True)
def isolated_user(
    nothing_left_behind: None, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The developer's own keys, caches, proxies and certificates are out of sight."""
    for name in filter(_FOREIGN.match, list(os.environ)):
        monkeypatch.delenv(name)
    home = str(tmp_path_factory.getbasetemp() / f"home-{next(_numbers)}")
    os.mkdir(home)
    monkeypatch.setenv("HOME", home)
    monkeypatch.setenv("USERPROFILE", home)
    default_client.cache_clear()


@pytest.fixture
def make_client(emulator: Emulator) -> Iterator[Callable[..., hf_text.Client]]:
    """Makes clients of the emulator, with a made-up key; the arguments of ``Client`` may be given besides."""
    made: list[hf_text.Client] = []

    def make(api_key: str | None = KEY, api_base: str | None = None, **options: Any) -> hf_text.Client:
        urls = {"hub_url": emulator.url, "router_url": emulator.url}
        settings = {**urls, "timeout": 5, "tuning": Tuning(first_pause=0.001), **options}
        client = hf_text.Client.of(Operations(api_key, api_base=api_base, **settings))
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client: Callable[..., hf_text.Client]) -> hf_text.Client:
    """A client of the emulator, with a made-up key and clocks of 5 seconds, so that nothing can hang."""
    return make_client()


def _find_left(threads: set[threading.Thread], sockets: set[str]) -> list[str]:
    new = set(threading.enumerate()) - threads
    ours = [thread.name for thread in new if not thread.daemon or thread.name.startswith(("hf_text", "hf-text"))]
    return sorted(ours) + sorted(_open_sockets() - sockets)


def _open_sockets() -> set[str]:
    """The open sockets by their inode; none on systems that do not tell."""
    found = set()
    try:
        for number in os.listdir("/proc/self/fd"):
            try:
                found.add(os.readlink(f"/proc/self/fd/{number}"))
            except FileNotFoundError:  # closed meanwhile
                continue
    except OSError:
        return set()
    return {target for target in found if target.startswith("socket:")}
