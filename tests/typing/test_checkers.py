"""What type checkers and editors know of every entry point: mypy, pyright, jedi, ``help()``.

They are installed with the extra ``dev``: ``python -m pytest tests/typing``.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import re
import subprocess
import sys
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

import hf_text
import hf_text.aio
import hf_text.aio.batch
import hf_text.batch

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]

# A valid call of each entry point, with a place for one more argument; and, for that place, a valid argument, one of a
# wrong type, one with a wrong name.
SAMPLING = ("temperature=0.5", 'temperature="hot"', "temprature=0.5")
MAKING = ("timeout=5", 'timeout="5"', "tiemout=5")
LISTING = ('search="x"', "search=5", 'serach="x"')
IMPORTS = ("import hf_text", "import hf_text.aio", "import hf_text.aio.batch", "import hf_text.batch")
CALLS = {
    "Client": ('hf_text.Client("hf_x", {})', MAKING),
    "AsyncClient": ('hf_text.aio.AsyncClient("hf_x", {})', MAKING),
    "Conversation": ("hf_text.Conversation({})", SAMPLING),
    "AsyncConversation": ("hf_text.aio.AsyncConversation({})", SAMPLING),
    "stream": ('hf_text.stream("Hi", {})', SAMPLING),
    "generate": ('hf_text.generate("Hi", "org/model", {})', SAMPLING),
    "parse": ('hf_text.parse("Hi", int, {})', SAMPLING),
    "models": ("hf_text.models({})", LISTING),
    "Client.stream": ('client.stream("Hi", {})', SAMPLING),
    "Client.generate": ('client.generate([{{"role": "user", "content": "Hi"}}], {})', SAMPLING),
    "Client.parse": ('client.parse("Hi", int, {})', SAMPLING),
    "Client.models": ("client.models({})", LISTING),
    "Client.hub_models": ("client.hub_models({})", LISTING),
    "AsyncClient.stream": ('async_client.stream("Hi", {})', SAMPLING),
    "AsyncClient.generate": ('await async_client.generate("Hi", {})', SAMPLING),
    "AsyncClient.parse": ('await async_client.parse("Hi", int, {})', SAMPLING),
    "AsyncClient.models": ("await async_client.models({})", LISTING),
    "AsyncClient.hub_models": ("async_client.hub_models({})", LISTING),
    **{
        f"{cls}.{name}": (f'hf_text.{cls}.{name}("", "Hi", {{}})', SAMPLING)
        for cls in ("OpenaiTemplate", "HuggingFaceAPI")
        for name in ("create_generator", "create_completion", "create_async_generator")
    },
    "batch.generate": ("hf_text.batch.generate([], {})", SAMPLING),
    "batch.run": ('hf_text.batch.run([], "out.jsonl", {})', SAMPLING),
    "batch.generate_frame": ("hf_text.batch.generate_frame([], {})", SAMPLING),
    "aio.batch.generate": ("hf_text.aio.batch.generate([], {})", SAMPLING),
    "aio.batch.run": ('await hf_text.aio.batch.run([], "out.jsonl", {})', SAMPLING),
    "aio.batch.generate_frame": ("await hf_text.aio.batch.generate_frame([], {})", SAMPLING),
    "OpenaiTemplate.create_async": ('await hf_text.OpenaiTemplate.create_async("", "Hi", {})', SAMPLING),
    "HuggingFaceAPI.create_async": ('await hf_text.HuggingFaceAPI.create_async("", "Hi", {})', SAMPLING),
}

# Calls that are valid in every way.
RIGHT = """
client.stream("Hi", model=None, stop="END", tools=[], timeout=hf_text.Timeouts(total=5), provider=["novita", "groq"])
hf_text.HuggingFaceAPI.create_generator("", "Hi", None, None, 7, 60, b"", top_k=3, user="me", stream=True, ignored=[])
hf_text.HuggingFaceAPI.create_generator("", "Hi", max_inputs_lenght=None, extra_data={"a": 1}, base_url="http://x/v1")
hf_text.OpenaiTemplate.create_generator("", "Hi", proxy="http://proxy", headers={"X-Mine": "yes"}, bill_to="org")
hf_text.Client(api_base="http://localhost:8080/v1", verify=False, cert=("a", "b"), model="m", max_retries=0)
"""


def write_calls(folder: Path) -> tuple[Path, set[int]]:
    """A program of all calls, and the numbers of its invalid lines."""
    lines = [*IMPORTS, "", "", "async def main() -> None:"]
    lines += ['    client = hf_text.Client("hf_x")', '    async_client = hf_text.aio.AsyncClient("hf_x")']
    wrong = set()
    for call, (right, wrong_type, wrong_name) in CALLS.values():
        lines.append(f"    {call.format(right)}")
        for argument in (wrong_type, wrong_name):
            lines.append(f"    {call.format(argument)}")
            wrong.add(len(lines))
    lines += [f"    {line}" for line in RIGHT.strip().splitlines()]
    program = folder / "calls.py"
    program.write_text("\n".join([*lines, ""]))
    return program, wrong


def run(*command: str, cwd: Path, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, cwd=cwd, env={**os.environ, **environ}
    )
    return done.stdout + done.stderr


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder to import from, which contains only the package."""
    folder = tmp_path / "lib"
    folder.mkdir()
    (folder / "hf_text").symlink_to(ROOT / "hf_text", target_is_directory=True)
    return folder


def test_mypy_reports_exactly_the_mistakes_at_every_entry_point(tmp_path: Path, package: Path) -> None:
    pytest.importorskip("mypy", reason="comes with the extra dev")
    program, wrong = write_calls(tmp_path)
    options = ("--strict", "--config-file=", "--no-error-summary", "--cache-dir", str(tmp_path / "cache"))
    said = run("mypy", *options, str(program), cwd=tmp_path, MYPYPATH=str(package))
    found = {int(number) for number in re.findall(r"calls\.py:(\d+): error", said)}
    assert found == wrong, said


def test_pyright_reports_exactly_the_mistakes_at_every_entry_point(tmp_path: Path, package: Path) -> None:
    pytest.importorskip("pyright", reason="comes with the extra dev")
    program, wrong = write_calls(tmp_path)
    said = run("pyright", "--outputjson", str(program), cwd=tmp_path, PYTHONPATH=str(package))
    found = json.loads(said[said.index("{") :])["generalDiagnostics"]
    errors = {each["range"]["start"]["line"] + 1 for each in found if each["severity"] == "error"}
    assert errors == wrong, [(each["range"]["start"]["line"] + 1, each["message"]) for each in found]


def test_public_names_have_types_known_to_pyright(tmp_path: Path, package: Path) -> None:
    pytest.importorskip("pyright", reason="comes with the extra dev")
    command = ("pyright", "--verifytypes", "hf_text", "--ignoreexternal", "--outputjson")
    said = run(*command, cwd=tmp_path, PYTHONPATH=str(package))
    report = json.loads(said[said.index("{") :])["typeCompleteness"]
    unknown = [each["name"] for each in report["symbols"] if each["isExported"] and not each["isTypeKnown"]]
    assert report["completenessScore"] > 0.95, unknown


# --- jedi and help()

NAMES = [name for name in CALLS if not name.endswith("create_completion")]


def door(name: str) -> Any:
    """The function, or the class, of a name."""
    return attrgetter(name)(hf_text.aio if name.startswith("Async") else hf_text)


def expression(name: str) -> str:
    call, _ = CALLS[name]
    return call[: call.index("(") + 1].removeprefix("await ")


def parameters(name: str) -> list[str]:
    return [each for each in inspect.signature(door(name)).parameters if each not in ("self", "cls")]


SET_UP = ('client = hf_text.Client("hf_x")', 'async_client = hf_text.aio.AsyncClient("hf_x")', "")
PROGRAM = "\n".join([*IMPORTS, *SET_UP])


@pytest.mark.parametrize("name", NAMES)
def test_jedi_shows_every_argument_once_in_an_editor(name: str) -> None:
    jedi = pytest.importorskip("jedi", reason="comes with the extra dev")
    project = jedi.Project(ROOT, load_unsafe_extensions=False)
    signatures = jedi.Script(PROGRAM + expression(name), path=ROOT / "program.py", project=project).get_signatures()
    shown = [[each.name for each in signature.params] for signature in signatures]
    assert parameters(name) in shown


@pytest.mark.parametrize("name", NAMES)
def test_jedi_shows_every_argument_once_in_a_notebook(name: str) -> None:
    jedi = pytest.importorskip("jedi", reason="comes with the extra dev")
    namespace = {
        "hf_text": hf_text,
        "client": hf_text.Client("hf_x"),
        "async_client": hf_text.aio.AsyncClient("hf_x"),
    }
    signatures = jedi.Interpreter(expression(name), [namespace]).get_signatures()
    shown = [[each.name for each in signature.params] for signature in signatures]
    assert parameters(name) in shown


@pytest.mark.parametrize("name", NAMES)
def test_help_shows_every_argument_with_its_description(name: str) -> None:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        help(door(name))
    for each in parameters(name):
        assert re.search(rf"^[ |]*{each}: \S", shown.getvalue(), re.MULTILINE), each
