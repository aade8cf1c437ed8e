"""Each snippet of the guides to tools, structured output, conversations and costs is run, an emulator in the place of
the servers; and what their tables say is so.
"""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from test_readme import BUILT_IN, Block, find_blocks

import hf_text
from hf_text.emulator import Emulator, Response

PROJECT = Path(__file__).parents[1]
GUIDES = {
    name: (PROJECT / "docs" / f"{name}.rst").read_text("utf-8")
    for name in ("tools", "structured_output", "conversations", "costs")
}
WARM = Response.text(tool_calls=[("divide", {"a": 1, "b": 0})])


class Example(NamedTuple):
    """A snippet, known by a text in it, with what it meets and what it then prints."""

    mark: str
    prints: tuple[str, ...]
    replies: tuple[Response | str, ...] = ()


EXAMPLES = [
    Example('chat = hf_text.Conversation(tools=[get_weather])\n    print', ()),
    Example("tool_choice=get_weather", ("get_weather {'city': 'emulated'}",)),
    Example('@hf_text.tool(name="weather"', ('"name": "weather"', "how warmth is measured", "21 degrees C")),
    Example("parameters=SCHEMA", ("True",)),
    Example("ASK_USER", (BUILT_IN, "The tools said: Ann")),
    Example("def divide", ("result: None error: ZeroDivisionError('float division by zero')", "So be it."),
            (WARM, Response.text("So be it."))),
    Example("def approve", ("send_mail(", "Not without a subject.")),
    Example("async def get_weather", ("The tools said: sunny in emulated",)),
    Example("class City", ("emulated 0", "json_schema ")),
    Example('Literal["yes", "no"]', ("yes\n", "{}")),
    Example("retries=2", ("7 after 1 others",), (Response.text("Many."), Response.text('{"value": 7}'))),
    Example("json.loads(answer.text)", ("{'name': 'emulated'}",)),
    Example('system="Be brief."', (BUILT_IN, "And at night?")),
    Example("so far:", ("so far: One two", BUILT_IN), ("cut-mid-stream",)),
    Example("chat.undo()", (BUILT_IN, "What is my name?")),
    Example("chat.save", (BUILT_IN, "What is my name?")),
    Example("count_tokens", (BUILT_IN,)),
    Example("print(answer.provider", ("novita ", "USD")),
    Example("client.cost(chat)", ("e-05 USD for", "tokens")),
    Example("max_output_price", ("novita 0.1 0.4",)),
]  # fmt: skip

BLOCKS = [block for text in GUIDES.values() for block in find_blocks(text)]
PYTHON = [block for block in BLOCKS if block.language == "python"]
COMMANDS = [block for block in BLOCKS if block.language == "bash"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.mark)
def test_a_snippet_runs_and_prints_what_it_should(example: Example, emulator: Emulator, tmp_path: Path) -> None:
    (block,) = [block for block in PYTHON if example.mark in block.code or example.mark in _indented(block)]
    emulator.reply(*example.replies)
    variables = {**os.environ, **emulator.environ, "HF_TOKEN": "hf_MadeUpKeyForTests", "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-W", "error", "-c", block.code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False, cwd=tmp_path, env=variables)
    assert (done.returncode, done.stderr) == (0, "")
    for words in example.prints:
        assert words in done.stdout


def _indented(block: Block) -> str:
    return re.sub("^", "    ", block.code, flags=re.MULTILINE)


def test_each_snippet_has_its_expectations() -> None:
    assert len(PYTHON) == len(EXAMPLES)


def test_the_command_installs_what_is_needed() -> None:
    assert {block.code for block in COMMANDS} == {'pip install ".[schema]"\n'}
    setup = configparser.ConfigParser()
    setup.read(PROJECT / "setup.cfg")
    assert {"pydantic", "jsonschema", "docstring_parser"} == set(
        re.findall(r"^[\w-]+", setup["options.extras_require"]["schema"], re.MULTILINE)
    )


@pytest.mark.parametrize("guide", GUIDES)
def test_every_error_and_name_that_a_guide_names_is_there(guide: str) -> None:
    errors = set(re.findall(r"``(?:hf_text\.)?(\w+Error)``", GUIDES[guide]))
    builtin = {"LookupError", "ValueError", "PermissionError", "InterruptedError"}
    assert errors - builtin <= set(hf_text.__all__)
    names = set(re.findall(r"``hf_text\.(\w+)(?:``|\()", GUIDES[guide]))
    assert names <= set(hf_text.__all__)
