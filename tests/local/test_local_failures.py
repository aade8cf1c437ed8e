"""A server that cannot start reports the cause and a remedy in one line."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hf_text import LocalServerError
from hf_text.local import LocalServer

resource = pytest.importorskip("resource", reason="limits, signals and networks as on Linux")

START = """
import socket, sys
from hf_text import HFTextError
from hf_text.local import LocalServer
taken = socket.create_server(("127.0.0.1", 0)) if sys.argv[2:] else None
try:
    with LocalServer(sys.argv[1]):
        print("started")
except HFTextError as error:
    print(type(error).__name__, error, sep=": ")
"""


def start(*argv: object, prefix: tuple[str, ...] = (), **options: Any) -> str:
    """The error of a start in a subprocess: of a model; with a second argument, after a port is taken."""
    command = [*prefix, sys.executable, "-c", START, *map(str, argv)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True, **options)
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    return line


def test_a_missing_xllamacpp_says_what_to_install_and_the_alternatives(
    start_without: Callable[..., str], model: Path
) -> None:
    message = start_without("xllamacpp", model)
    assert message.startswith(
        "MissingExtraError: a local model needs the package xllamacpp, which the extra local brings"
    )
    assert ": pip install xllamacpp. If pip finds no wheel of it for" in message
    assert "pass its address as api_base" in message


def test_a_broken_xllamacpp_says_why(start_without: Callable[..., str], model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "xllamacpp.py").write_text("raise ImportError('version GLIBC_2.99 not found')", "utf-8")
    message = start(model, env={**os.environ, "PYTHONPATH": f"{broken}:{Path(__file__).parents[2]}"})
    assert "xllamacpp is installed and cannot be loaded" in message
    assert "GLIBC_2.99 not found). Upgrade it: pip install -U xllamacpp" in message


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        (50_000_000, "not within the file bounds"),
        (3000, "failed to read key-value pairs"),
        (5, "failed to read header"),
    ],
)
def test_a_truncated_file_is_reported_in_the_words_of_llama_cpp(
    model: Path, tmp_path: Path, size: int, reason: str, nothing_leaks: None
) -> None:
    cut = tmp_path / "cut.gguf"
    with open(model, "rb") as whole:
        cut.write_bytes(whole.read(size))
    with pytest.raises(LocalServerError, match=f"cut could not be loaded: .*{reason}.* download it again$") as caught:
        LocalServer(cut).start()
    assert "\n" not in str(caught.value)


def test_a_model_of_an_unknown_kind_says_that_the_package_may_be_too_old(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "new.gguf"
    file.write_bytes(model.read_bytes().replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0zzama", 1))
    with pytest.raises(LocalServerError, match=r"unknown model architecture: 'zzama'. xllamacpp may be too old"):
        LocalServer(file).start()
    file.unlink()


def test_a_memory_limit_is_reported_as_such(model: Path) -> None:
    limit = 400 << 20  # enough for Python, not for llama.cpp with its model
    message = start(model, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
    assert "There is not enough memory: choose a smaller model or context" in message


def test_a_machine_without_a_free_port_says_so(model: Path) -> None:
    """In its own network namespace, whose only port is taken."""
    one_port = "echo 40000 40000 > /proc/sys/net/ipv4/ip_local_port_range"
    prefix = ("unshare", "--map-root-user", "--net", "sh", "-ec", f'{one_port}; exec "$@"', "sh")
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user may not make a network of its own")
    message = start(model, "taken", prefix=prefix)
    assert message.endswith("No port of 127.0.0.1 is free: close programs that hold many connections")


def test_a_model_that_loads_too_slowly_is_given_up(model: Path, nothing_leaks: None) -> None:
    with pytest.raises(LocalServerError, match=r"\(98 MB\) was not loaded after 0\.01 s\. Set a longer timeout"):
        LocalServer(model, timeout=0.01).start()


@pytest.mark.parametrize(
    ("number", "way"),
    [
        (signal.SIGKILL, "have run out of memory"),
        (signal.SIGILL, "too old for xllamacpp"),
        (signal.SIGSEGV, "start it again"),
    ],
)
def test_a_process_that_dies_while_starting_is_reported_with_its_signal(
    model: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, way: str, nothing_leaks: None
) -> None:
    begun: list[int] = []
    there = threading.Event()

    class Telling(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            begun.append(self.pid)
            there.set()

    monkeypatch.setattr(subprocess, "Popen", Telling)
    with ThreadPoolExecutor(1) as threads:
        starting = threads.submit(LocalServer(model).start)
        assert there.wait(30)
        os.kill(begun[0], number)
        with pytest.raises(LocalServerError, match=f"ended by {number.name}; .*{way}"):
            starting.result(timeout=30)


def test_a_python_that_cannot_start_is_reported(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(LocalServerError, match="no process can be started with Python"):
        LocalServer(model).start()
    monkeypatch.setattr(sys, "executable", None)
    with pytest.raises(LocalServerError, match="no process can be started with Python"):
        LocalServer(model).start()


def test_output_of_a_python_startup_file_is_ignored(model: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--symlinks", environment], check=True)
    (packages,) = environment.glob("lib/*/site-packages")
    (packages / "all.pth").write_text(
        "".join(f"{place}\n" for place in [*sys.path, str(Path(__file__).parents[2])]), "utf-8"
    )
    (packages / "sitecustomize.py").write_text("print('[1, 2]'); print('Welcome!')", "utf-8")
    done = subprocess.run(
        [environment / "bin" / "python", "-c", START, model], capture_output=True, text=True, timeout=50, check=True
    )
    assert done.stdout.splitlines()[-1] == "started"
    shutil.rmtree(environment)
