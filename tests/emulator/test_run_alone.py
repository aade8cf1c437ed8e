"""``python -m hf_text.emulator``, the pytest fixture, and the package itself."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

import hf_text.emulator as package
from hf_text.emulator import FAULTS, Emulator
from hf_text.emulator.__main__ import main
from hf_text.emulator.fixtures import emulator as emulator_fixture

emulator = emulator_fixture
FOLDER = Path(package.__file__).parent
SOURCES = sorted(FOLDER.glob("*.py"))


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the program. Yield the process and its URL."""
    command = [sys.executable, "-m", "hf_text.emulator", *arguments]
    with subprocess.Popen(
        command, cwd=FOLDER.parents[1], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        try:
            assert program.stdout is not None
            yield program, program.stdout.readline().strip()
        finally:
            program.kill()


def rest_of(program: subprocess.Popen[str]) -> tuple[str, str]:
    """Return the remaining output and errors. `communicate` would lose the text that was already buffered."""
    assert program.stdout is not None
    assert program.stderr is not None
    out, err = program.stdout.read(), program.stderr.read()
    program.wait(timeout=10)
    return out, err


def ask(url: str, path: str = "/v1/chat/completions", key: str | None = None) -> int:
    """Send a chat completion request and return the status."""
    body = {"model": "emulator/small", "messages": [{"role": "user", "content": "Hi"}]}
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    try:
        with urlopen(Request(url + path, json.dumps(body).encode(), headers), timeout=5) as response:
            return int(response.status)
    except HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_and_prints_how_to_use_it(number: signal.Signals) -> None:
    with running() as (program, url):
        assert ask(url) == 200
        program.send_signal(number)
        out, err = rest_of(program)
    assert (program.returncode, err) == (0, "")
    for words in ("not Hugging Face", f"HF_ENDPOINT={url}", f"HF_TEXT_ROUTER_URL={url}", f"{url}/v1"):
        assert words in out


def test_its_options_match_the_emulator() -> None:
    with running("--require-key", "hf_x", "--pace", "0.001", "--fault-once", "overloaded") as (_, url):
        assert ask(url) == 429
        assert ask(url) == 401
        assert ask(url, key="hf_x") == 200


def test_a_fault_can_be_permanent() -> None:
    with running("--fault", "empty-500", "--fault-once", "overloaded") as (_, url):
        assert [ask(url) for _ in range(3)] == [429, 500, 500]


def test_a_key_is_not_printed() -> None:
    with running("--require-key", "hf_secret") as (program, _):
        program.terminate()
        out, err = rest_of(program)
    assert "hf_secret" not in out + err
    assert "HF_TOKEN" in out


def test_a_port_in_use_is_reported_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    handlers = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    with Emulator() as hf:
        port = hf.url.rpartition(":")[2]
        assert main(["--port", port]) == 1
    for number, handler in handlers:
        signal.signal(number, handler)
    assert capsys.readouterr().err.startswith(f"cannot listen on port {port}: ")


def test_help_lists_the_faults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in FAULTS)


def test_the_fixture_runs_with_its_environment(emulator: Emulator) -> None:
    assert os.environ["HF_ENDPOINT"] == os.environ["HF_TEXT_ROUTER_URL"] == emulator.url
    assert ask(emulator.url) == 200


def test_the_exported_names_exist() -> None:
    assert all(hasattr(package, name) for name in package.__all__)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_a_module_imports_only_its_neighbours_and_the_standard_library(source: Path) -> None:
    allowed = {*sys.stdlib_module_names, "pytest"} if source.name == "fixtures.py" else sys.stdlib_module_names
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 1 or (node.level == 0 and (node.module or "").split(".")[0] in allowed)
        elif isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= set(allowed)
