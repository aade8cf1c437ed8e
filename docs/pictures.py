"""Draw the pictures of the terminal, light and dark: ``python docs/pictures.py``. It needs rich, and no network.

Each picture shows what the commands really print on a terminal, with the emulator in the place of Hugging Face.
"""

from __future__ import annotations

import io
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI, TerminalTheme
from rich.text import Text

from hf_text.emulator import Emulator, Response

FIGURES = Path(__file__).parent / "figures"
WIDTH = 112
PICTURES = {
    "terminal-ask": ['hf-text --usage "Why is the sky blue?"', 'hf-text --temprature 0.2 "Why is the sky blue?"'],
    "terminal-models": ["hf-text models gpt-oss --sort price", "hf-text providers openai/gpt-oss-120b"],
}
ANSWER = (
    "Air scatters short waves of light more than long ones. Blue is scattered most, so it comes to your eyes from "
    "everywhere in the sky."
)
LIGHT = TerminalTheme(
    (252, 252, 252),
    (36, 41, 47),
    [
        (36, 41, 47),
        (179, 38, 30),
        (17, 99, 41),
        (125, 78, 0),
        (9, 80, 174),
        (130, 80, 223),
        (27, 124, 131),
        (90, 96, 104),
    ],
)
THEMES = {"light": LIGHT, "dark": MONOKAI}


def run(command: str, variables: dict[str, str]) -> str:
    """What a command prints on a terminal, escape sequences included."""
    ours, theirs = pty.openpty()
    env = {**os.environ, **variables, "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    with subprocess.Popen(["bash", "-c", command], stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        printed = b""
        while select.select([ours], [], [], 30)[0]:
            try:
                printed += os.read(ours, 65536)
            except OSError:  # the last one that held the terminal has ended
                break
        process.wait()
    os.close(ours)
    return printed.decode().replace("\r\n", "\n")


def draw(commands: list[str], theme: TerminalTheme) -> str:
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    with Emulator() as hf:
        hf.reply(
            Response.text(*re.findall(r"\S+ ?", ANSWER), usage=(12, 28), headers={"x-inference-provider": "novita"})
        )
        variables = {
            **hf.environ,
            "HF_TOKEN": "hf_MadeUp",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        for command in commands:
            console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
            console.print(Text.from_ansi(_at_the_end(run(command, variables))))
            console.print()
    drawn = console.export_svg(title="", theme=theme, unique_id="hf")
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL).replace("Fira Code, ", "").rstrip() + "\n"


def _at_the_end(printed: str) -> str:
    """What is left of a line after it was written anew."""
    return re.sub(r"[^\n]*\r(?!\n)", "", printed).strip("\n")


if __name__ == "__main__":
    for name, commands in PICTURES.items():
        for suffix, theme in THEMES.items():
            (FIGURES / f"{name}-{suffix}.svg").write_text(draw(commands, theme), "utf-8")
