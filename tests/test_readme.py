"""Every command and every snippet of the README is run as a newcomer would, an emulator in the place of the
servers.

The three commands that set everything up are run by ``.ci/run``, on copies of the tree; here it is checked that they
are.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import hf_text
from hf_text.emulator import Emulator, Response

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.rst").read_text("utf-8")

BUILT_IN = "This is the hf_text emulator, not a real model."
SKY = "Why is the sky blue?"
LOCALHOST = re.compile(r"http://localhost:\d+")
ONE_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000a49444154789c6360000000020001e221bc33"
    "0000000049454e44ae426082"
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the README's commands are for a POSIX shell")


@dataclass(frozen=True)
class Block:
    """A block of code in the README: its language, its text, and the line that it begins on."""

    language: str
    code: str
    line: int

    def __str__(self) -> str:
        return f"line-{self.line}"


def find_blocks(text: str) -> Iterator[Block]:
    """The blocks of ``.. code-block::`` and of ``::``, in order."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        directive = re.fullmatch(r"\.\. code-block:: ([\w-]+)", line)
        if directive is None and not (line.endswith("::") and not line.startswith("..")):
            continue
        end = number + 1
        while end < len(lines) and (not lines[end].strip() or lines[end].startswith(" ")):
            end += 1
        code = dedent("\n".join(lines[number + 1 : end])).strip() + "\n"
        yield Block(directive[1] if directive else "", code, number + 1)


@dataclass(frozen=True)
class Example:
    """What a snippet meets and what it then prints.

    Attributes:
        mark: a text that stands in this snippet alone.
        prints: what its output holds.
        replies: what the emulator answers instead of its own answer, to every request.
    """

    mark: str
    prints: tuple[str, ...]
    reply: Response | str | None = None


STALLS = Response.text("Once", " upon", finish=None, done=False, end="stall")

SCRIPTS = [
    Example('print(hf_text.generate("Why is the sky blue?"))\n\nfor', (BUILT_IN, SKY)),
    Example('provider="cheapest"', (BUILT_IN, "stop")),
    Example('media="cat.png"', (BUILT_IN, "And what is behind it?")),
    Example("async with AsyncClient()", (BUILT_IN, SKY)),
    Example("HuggingFaceAPI.create_async_generator", (BUILT_IN, SKY)),
    Example("tools=[tool]", ("get_time {}",), Response.text(tool_calls=[("get_time", {})])),
    Example("except hf_text.StreamError", ("One two ... and then: ", "cut"), "cut-mid-stream"),
    Example("hf_text.Timeouts(", (BUILT_IN, SKY)),
    Example("stream.cancel", ("Once upon", "stopped after 9 characters"), STALLS),
    Example("batch.run", ("2 of 2",)),
    Example("api_base=", ("['openai/gpt-oss-120b'", BUILT_IN, SKY)),
]

COMMANDS = [
    Example("HF_TOKEN=hf_xxx", (BUILT_IN, SKY)),
    Example("--api-base", (BUILT_IN, SKY)),
    Example("cat notes.txt", (BUILT_IN, SKY, "Summarise this:", "exit status")),
    Example("activate", ()),
]

BLOCKS = list(find_blocks(README))
SET_UP = [block for block in BLOCKS if "-m venv" in block.code]
TESTS = [block for block in BLOCKS if "emulator.fixtures" in block.code or "def test_" in block.code]
SERVER = [block for block in BLOCKS if "-m hf_text.emulator" in block.code]
PYTHON = [block for block in BLOCKS if block.language == "python" and block not in TESTS]
SHELL = [block for block in BLOCKS if block.language == "bash" and block not in [*SET_UP, *SERVER]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the set-up command leaves it, with the files that the README speaks of."""
    folder = tmp_path_factory.mktemp("readme")
    environment = folder / ".venv"
    venv.create(environment, symlinks=True)
    paths = sysconfig.get_paths(vars={"base": str(environment), "platbase": str(environment)})
    visible = [str(PROJECT), *site.getsitepackages(), sysconfig.get_path("purelib")]
    (Path(paths["purelib"]) / "project.pth").write_text("\n".join(dict.fromkeys(visible)), "utf-8")
    command = environment / "bin" / "hf-text"
    command.write_text(
        f"#!{environment}/bin/python\nimport sys\nfrom hf_text.cli import main\nsys.exit(main())\n", "utf-8"
    )
    command.chmod(0o755)
    (folder / "notes.txt").write_text("The sky is blue.\n", "utf-8")
    (folder / "cat.png").write_bytes(ONE_PIXEL)
    (folder / "questions.jsonl").write_text('{"prompt": "One?"}\n{"prompt": "Two?"}\n', "utf-8")
    return folder


@pytest.fixture
def surroundings(folder: Path, emulator: Emulator) -> dict[str, Any]:
    """Where and with which variables a snippet runs: a key is set, and the folder's programs are on the path."""
    variables = {**os.environ, "HF_TOKEN": "hf_xxx", "PATH": f"{folder}/.venv/bin:{os.environ['PATH']}"}
    return {"cwd": folder, "env": variables, "text": True, "encoding": "utf-8"}


def run(command: list[str], surroundings: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, timeout=30, check=False, **surroundings)


def choose(examples: list[Example], block: Block) -> Example:
    (found,) = [example for example in examples if example.mark in block.code]
    return found


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_a_script_runs_and_prints_what_it_should(
    block: Block, surroundings: dict[str, Any], emulator: Emulator
) -> None:
    example = choose(SCRIPTS, block)
    if example.reply is not None:
        emulator.always(example.reply)
    with Emulator() as server:
        code = LOCALHOST.sub(server.url, block.code)
        done = run(["python", "-W", "error", "-c", code], surroundings)
    assert (done.returncode, done.stderr) == (0, "")
    assert [text for text in example.prints if text not in done.stdout] == [], done.stdout
    assert {request.key for request in server.requests} <= {None}


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_a_command_runs_and_prints_what_it_should(block: Block, surroundings: dict[str, Any]) -> None:
    with Emulator() as server:
        code = LOCALHOST.sub(server.url, block.code)
        done = run(["bash", "-euo", "pipefail", "-c", code], surroundings)
    assert done.returncode == 0, done.stderr
    assert [text for text in choose(COMMANDS, block).prints if text not in done.stdout] == []
    assert {request.key for request in server.requests} <= {None}


def test_the_tests_of_an_app_run_as_shown(surroundings: dict[str, Any], tmp_path: Path) -> None:
    configuration, tests = TESTS
    (tmp_path / "conftest.py").write_text(configuration.code, "utf-8")
    (tmp_path / "test_app.py").write_text(tests.code, "utf-8")
    surroundings["cwd"] = tmp_path
    done = run(["python", "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"], surroundings)
    assert done.returncode == 0, done.stdout
    assert f"{tests.code.count('def test_')} passed" in done.stdout


@pytest.mark.parametrize("block", SERVER, ids=str)
def test_the_emulator_runs_alone_as_shown(block: Block, surroundings: dict[str, Any]) -> None:
    command = ["bash", "-c", f"exec {block.code}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, **surroundings) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        try:
            with hf_text.Client("hf_any", router_url=url, hub_url=url, max_retries=0, timeout=5) as client:
                with pytest.raises(hf_text.RateLimitError):
                    client.generate("Hello!")
                assert BUILT_IN in client.generate("Hello!").text
        finally:
            server.send_signal(signal.SIGTERM)
    assert server.returncode == 0


@pytest.mark.parametrize("api_base", sorted(set(re.findall(r"``(http://localhost:\d+\S*)``", README))))
def test_every_address_of_a_server_of_your_own_is_one_that_works(api_base: str) -> None:
    with Emulator() as server, hf_text.Client(api_base=LOCALHOST.sub(server.url, api_base), timeout=5) as client:
        assert BUILT_IN in client.generate("Hello!").text
    assert server.requests[-1].path == "/v1/chat/completions"


def test_the_set_up_commands_are_those_that_the_checks_run() -> None:
    shown = subprocess.run(
        ["bash", str(PROJECT / ".ci" / "run"), "--show"], capture_output=True, text=True, timeout=30, check=True
    )
    assert [block.code for block in SET_UP] == [f"{line}\n" for line in shown.stdout.splitlines()]
    assert len(SET_UP) == 3
    assert ".venv/bin/hf-text --local .model" in SET_UP[0].code
    assert ".venv/bin/hf-text --demo" in SET_UP[1].code
    assert ".venv/bin/python -m pytest" in SET_UP[2].code
    assert SET_UP[2].code.strip() in (PROJECT / "CONTRIBUTING.rst").read_text("utf-8")


def test_every_block_is_run_and_every_example_is_there() -> None:
    assert {block.language for block in BLOCKS} == {"python", "bash"}
    assert sorted([*PYTHON, *SHELL, *SET_UP, *TESTS, *SERVER], key=lambda block: block.line) == BLOCKS
    assert [example.mark for example in SCRIPTS if not any(example.mark in block.code for block in PYTHON)] == []
    assert [example.mark for example in COMMANDS if not any(example.mark in block.code for block in SHELL)] == []


def test_the_first_screen_has_the_three_commands() -> None:
    assert [block.line < 40 for block in SET_UP] == [True, True, True]


def test_the_tables_name_every_event_and_every_error_that_there_is() -> None:
    rows = set(re.findall(r"^``(\w+)``  ", README, re.MULTILINE))
    errors = {name for name in hf_text.__all__ if name.endswith("Error")}
    families = {"APIStatusError", "HFTextError", "StreamError"}
    events = {"ProviderInfo", "Reasoning", "ToolCalls", "Usage", "FinishReason", "str"}
    assert {row for row in rows if row.endswith("Error")} == errors - families
    assert events <= rows
    assert {"APIStatusError", "HFTextError", "StreamError"} <= set(re.findall(r"``(?:hf_text\.)?(\w+)``", README))


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_the_checks_are_a_script_that_bash_can_read() -> None:
    subprocess.run(["bash", "-n", str(PROJECT / ".ci" / "run")], timeout=30, check=True)
    assert os.access(PROJECT / ".ci" / "run", os.X_OK)
    assert sys.version_info >= (3, 10)
