"""Run every snippet of the integration pages: programs, tests and commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from hf_text.emulator import Emulator, Response

pytest_plugins = ["pytester"]

DOCS = Path(__file__).parents[2] / "docs" / "integrations"
KEY = "hf_MadeUpKeyForTests"


def snippets(page: str, language: str) -> list[str]:
    text = (DOCS / f"{page}.rst").read_text("utf-8")
    found = re.findall(rf"\.\. code-block:: {language}\n\n((?:    .*\n|\n)+)", text)
    return [textwrap.dedent(block) for block in found]


def run_program(program: str, emulator: Emulator, cwd: Path) -> str:
    environ = {**os.environ, **emulator.environ, "HF_TOKEN": KEY}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, cwd=cwd, env=environ
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


@pytest.mark.parametrize("number", range(2))
def test_the_programs_on_the_opentelemetry_page_run(
    needs: Callable[..., None], emulator: Emulator, tmp_path: Path, number: int
) -> None:
    needs("opentelemetry.sdk", "opentelemetry.util.genai")
    programs = snippets("otel", "python")
    assert len(programs) == 2
    said = run_program(programs[number], emulator, tmp_path)
    assert ('"gen_ai.request.temperature": 0.2' in said) == (number == 1)


def test_the_tests_and_commands_on_the_pytest_page_run(
    needs: Callable[..., None], pytester: pytest.Pytester, emulator: Emulator
) -> None:
    needs("openai", "httpx")
    conftest, first, second, program = snippets("pytest", "python")
    pytester.makeconftest(conftest)
    pytester.makepyfile(test_first=first, test_second=second)
    options = (
        "-q",
        "-W",
        "error",
        "-W",
        "ignore::ResourceWarning",
        "-W",
        "ignore::pytest.PytestUnraisableExceptionWarning",
    )
    pytester.runpytest_subprocess(*options).assert_outcomes(passed=6)
    record, replay = (line.split()[1:] for line in snippets("pytest", "shell")[0].splitlines() if line)
    record[-1] = emulator.url
    recorded = "def test_one(hf_emulator):\n    import httpx\n    httpx.get(hf_emulator.api_base + '/models')\n"
    path = pytester.makepyfile(test_recorded=recorded)
    for command in (record, replay):
        pytester.runpytest_subprocess(*options, *command, path).assert_outcomes(passed=1)
    assert [request.path for request in emulator.requests] == ["/v1/models"]
    emulator.always(Response.text("One", " two"))
    said = run_program(program.replace("http://localhost:8080", emulator.url), emulator, pytester.path)
    assert said == "One two\nOne two\n"


@pytest.mark.parametrize("number", range(2))
def test_the_commands_that_record_and_replay_start(emulator: Emulator, tmp_path: Path, number: int) -> None:
    command = snippets("pytest", "shell")[1].splitlines()[number].replace("http://localhost:8080", emulator.url)
    with subprocess.Popen(
        [sys.executable, *command.split()[1:]], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        head = [process.stdout.readline() for _ in range(3)]
        process.terminate()
    assert ("This records what" in head[2], "answers from tapes" in head[2]) == (number == 0, number == 1)
