"""How long the command takes to say its help, how long a first async answer keeps its event loop busy, and what
Markdown costs: ``python -m benchmarks.startup [--quick]``.

Runs are interleaved. ``hf-text --version`` and ``--help`` have to stay within twice ``python -c pass`` plus 60 ms, in
the quickest run of each; the first async answer may keep its loop busy for 15 ms of CPU in one go; an answer of 16,000
characters has to be shown within a second of CPU. Ends with status 1 where something takes longer.
"""

from __future__ import annotations

import io
import subprocess
import sys
import time

from rich.console import Console

from hf_text.cli.markdown import Markdown

from .server import running

ALLOWED_ON_TOP = 0.060
ALLOWED_ON_THE_LOOP = 15  # milliseconds
CPU_ALLOWED = 1.0
CHARACTERS = 16_000

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "hf-text --version": ["-m", "hf_text", "--version"],
    "hf-text --help": ["-m", "hf_text", "--help"],
    "hf-text batch --help": ["-m", "hf_text", "batch", "--help"],
}
ANSWERS = {
    "prose": "Some **bold** words of a paragraph, with `code`, that goes on and on. " * 4 + "\n\n",
    "list": "- an item with **bold** words and `code`\n",
    "code": "    value = call(1, 'text')  # a comment\n",
    "one paragraph": "Some **bold** words that go on and on ",
}


def main(rounds: int) -> int:
    """Measure, and print the figures. Returns the exit status."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, arguments in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
            seconds[name].append(time.perf_counter() - began)
    quickest = {name: min(each) for name, each in seconds.items()}
    allowed = 2 * quickest["python -c pass"] + ALLOWED_ON_TOP
    for name, each in quickest.items():
        print(f"{name:24} {each * 1000:6.0f} ms (allowed: {allowed * 1000:.0f})")
    busy = min(first_async(rounds))
    print(f"{'first async answer':24} {busy:6.1f} ms of CPU at most in one go (allowed: {ALLOWED_ON_THE_LOOP})")
    cpu = {name: render(text) for name, text in ANSWERS.items()}
    for name, each in cpu.items():
        print(f"--markdown, {name:14} {each:6.2f} s of CPU for {CHARACTERS:,} characters (allowed: {CPU_ALLOWED:.0f})")
    slow = max(quickest.values()) > allowed or busy > ALLOWED_ON_THE_LOOP or max(cpu.values()) > CPU_ALLOWED
    return int(slow)


def first_async(rounds: int) -> list[float]:
    """Milliseconds of CPU for which the first answer of a process keeps its event loop busy in one go."""
    with running() as ports:
        url = f"http://127.0.0.1:{ports['http']}/block/1/0/v1"
        command = [sys.executable, "-m", "benchmarks.first_async", url]
        return [float(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout) for _ in range(rounds)]


def render(text: str) -> float:
    """CPU seconds to render an answer that arrives in tokens of four characters."""
    text = (("```python\n" if text.startswith("    ") else "") + text * (CHARACTERS // len(text) + 1))[:CHARACTERS]
    markdown = Markdown(lambda: 80, Console(file=io.StringIO(), force_terminal=True, highlight=False))
    began = time.process_time()
    for at in range(0, len(text), 4):
        markdown.feed(text[at : at + 4])
    markdown.end()
    return time.process_time() - began


if __name__ == "__main__":
    sys.exit(main(3 if "--quick" in sys.argv else 15))
