"""Run every snippet and command of the README and of docs/ against an emulator.

No list names them: a new page or block is found and run. ``pages.py`` documents how a block declares its answers
and its output.
"""

from __future__ import annotations

import configparser
import csv
import importlib.util
import json
import os
import re
import signal
import site
import subprocess
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest
from pages import BLOCKS, ONE_PIXEL, PROJECT, SKY, Block

from hf_text.emulator import Emulator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the commands are for a POSIX shell")

KEY = "hf_MadeUpKeyForTests"
LOCALHOST = re.compile(r"http://localhost:\d+")

SHELL = {"bash", "shell"}
SHOWN = {"", "text", "json", "ini", "toml", "yaml", "html"}  # languages that are not run
NOTES = {"Meets", "Prints", "Needs", "First", "File", "Until", "Elsewhere"}
INSTALLS = re.compile(r"^.*\b(?:pip install|apt-get install|-m venv)\b.*\n", re.MULTILINE)  # they need a network

SETUP = (PROJECT / "setup.cfg").read_text("utf-8")

# How a notebook runs a cell.
CELL = """
import ast, asyncio
asyncio.run(eval(compile({!r}, "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)))
"""

RUN = [block for block in BLOCKS if block.language not in SHOWN and not {"File", "Elsewhere"} & set(block.notes)]


def without_installs(block: Block) -> str:
    return INSTALLS.sub("", block.code) if block.language in SHELL else block.code


def find_optional(block: Block) -> set[str]:
    """The packages that a snippet imports and that an extra of setup.cfg installs."""
    if block.language != "python":
        return set()
    imported = set(re.findall(r"^ *(?:from|import) (?:hf_text\.integrations\.)?(\w+)", block.code, re.MULTILINE))
    return {name for name in imported if re.search(rf"^    {name.replace('_', '[_-]')}\b", SETUP, re.MULTILINE)}


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment as the setup commands create it."""
    environment = tmp_path_factory.mktemp("programs") / ".venv"
    venv.create(environment, symlinks=True)
    paths = sysconfig.get_paths(vars={"base": str(environment), "platbase": str(environment)})
    visible = [str(PROJECT), *site.getsitepackages(), sysconfig.get_path("purelib")]
    (Path(paths["purelib"]) / "project.pth").write_text("\n".join(dict.fromkeys(visible)), "utf-8")
    command = environment / "bin" / "hf-text"
    command.write_text(
        f"#!{environment}/bin/python\nimport sys\nfrom hf_text.cli import main\nsys.exit(main())\n", "utf-8"
    )
    command.chmod(0o755)
    return environment


@pytest.fixture
def folder(tmp_path: Path, programs: Path) -> Path:
    """A folder with the files that the pages mention."""
    (tmp_path / ".venv").symlink_to(programs, target_is_directory=True)
    (tmp_path / "notes.txt").write_text("The sky is blue.\n", "utf-8")
    (tmp_path / "cat.png").write_bytes(ONE_PIXEL)
    (tmp_path / "company-ca.pem").write_text(Path(certifi.where()).read_text("utf-8"), "utf-8")
    reviews = [("1", "Great", "5"), ("2", "Fine", "3")]
    with (tmp_path / "reviews.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "text", "stars"), *reviews])
    _write_lines(tmp_path / "reviews.jsonl", [dict(zip(("id", "text", "stars"), row, strict=True)) for row in reviews])
    _write_lines(tmp_path / "questions.jsonl", [{"custom_id": str(n), "prompt": f"What is {n}?"} for n in range(3)])
    return tmp_path


def _write_lines(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


@pytest.fixture
def variables(folder: Path, emulator: Emulator) -> dict[str, str]:
    """A key is set, the environment's programs are on the path, and everything uses the emulator."""
    path = f"{folder}/.venv/bin:{os.environ['PATH']}"
    return {**os.environ, "HF_TOKEN": KEY, "PATH": path, "PYTHONPATH": str(PROJECT), "PYTHONIOENCODING": "utf-8"}


def build_command(block: Block, code: str, folder: Path) -> list[str]:
    """The command that runs a block. Python runs from a file: multiprocess engines need one."""
    if block.language in SHELL:
        return ["bash", "-euo", "pipefail", "-c", code]
    (folder / "snippet.py").write_text(CELL.format(code) if block.language == "ipython" else code, "utf-8")
    return [f"{folder}/.venv/bin/python", "-W", "error", "snippet.py"]


@pytest.fixture
def prepared(block: Block, folder: Path, request: pytest.FixtureRequest, emulator: Emulator) -> Iterator[str]:
    """The code of a block, with its files and answers in place; skips the test if a required package is missing."""
    for package in [*block.notes.get("Needs", "").split(), *find_optional(block)]:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    if ".model" in without_installs(block):
        model: Path = request.getfixturevalue("model")
        (folder / ".model").symlink_to(model.parent, target_is_directory=True)
    for other in BLOCKS:
        if other.page == block.page and "File" in other.notes:
            (folder / other.notes["File"]).write_text(other.code, "utf-8")
    emulator.reply(*block.values("Meets"))
    code = without_installs(block)
    if LOCALHOST.search(code) is None:
        yield code
        return
    with Emulator() as server:
        yield LOCALHOST.sub(server.url, code)
    assert {sent.key for sent in server.requests} <= {None, "any"}, "a key went to a server that it is not for"


@pytest.mark.timeout(110)
@pytest.mark.parametrize("block", [block for block in RUN if "Until" not in block.notes], ids=str)
def test_a_block_runs_and_prints_the_documented_output(
    block: Block, prepared: str, folder: Path, variables: dict[str, str]
) -> None:
    settings = {"cwd": folder, "env": variables, "text": True, "encoding": "utf-8", "timeout": 100}
    if "First" in block.notes:
        subprocess.run(block.notes["First"], shell=True, check=True, capture_output=True, **settings)
    done = subprocess.run(build_command(block, prepared, folder), capture_output=True, **settings)
    assert done.returncode == 0, done.stderr
    if block.language not in SHELL:
        assert done.stderr == ""
    if "print(" in prepared or block.notes.get("Prints"):
        assert done.stdout.strip() + done.stderr.strip()
    assert [words for words in block.values("Prints") if words not in done.stdout + done.stderr] == [], done.stdout


@pytest.mark.parametrize("block", [block for block in RUN if "Until" in block.notes], ids=str)
def test_a_documented_server_runs_until_stopped(
    block: Block, prepared: str, folder: Path, variables: dict[str, str]
) -> None:
    command = ["bash", "-c", f"exec {prepared}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder, env=variables, text=True) as server:
        assert server.stdout is not None
        found = any(block.notes["Until"] in line for line in server.stdout)
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=50)
    assert (found, server.returncode) == (True, 0)


def test_all_blocks_are_found_with_known_directives() -> None:
    assert len(RUN) > 90
    assert {
        str(block): block.language for block in RUN if block.language not in {"python", "ipython", "bash", "shell"}
    } == {}
    assert {note for block in BLOCKS for note in block.notes} <= NOTES
    assert [str(block) for block in BLOCKS if not block.language and "import hf_text" in block.code] == []


@pytest.mark.parametrize("block", [block for block in BLOCKS if "Elsewhere" in block.notes], ids=str)
def test_blocks_marked_as_run_elsewhere_are_run_there(block: Block) -> None:
    path = block.notes["Elsewhere"]
    text = (PROJECT / path).read_text("utf-8")
    if path == ".ci/run":
        assert [line for line in block.code.splitlines() if line.removeprefix("python ") not in text] == []
    else:
        assert re.search(rf"\b{block.page.stem}\b", text), f"{path} says nothing of this page"


def test_documented_installs_name_existing_extras() -> None:
    """``.ci/run`` runs the commands that need a network; this checks the names of their extras."""
    setup = configparser.ConfigParser()
    setup.read(PROJECT / "setup.cfg")
    named = {name for block in BLOCKS for name in re.findall(r"(?:\.|hf_text)\[([\w,-]+)\]", block.code)}
    assert {extra for names in named for extra in names.split(",")} <= set(setup["options.extras_require"])
    assert SKY in "".join(block.code for block in BLOCKS)
