"""How clients handle broken answers: ``python -m benchmarks.comparison [--output PAGE] [--limit SECONDS]``.

Each client runs in a separate process with its default settings, and reads a stream of the emulator as its
documentation shows. The page is generated from the outcomes. Clients that are not installed are skipped.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import importlib
import importlib.metadata
import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from hf_text.emulator import Emulator, Response

CLIENTS = {
    # distribution: its driver
    "hf_text": "hf_text_sync",
    "openai": "openai_sync",
    "huggingface_hub": "huggingface_hub_sync",
    "langchain-openai": "langchain_sync",
    "litellm": "litellm_sync",
    "g4f": "g4f_async",
    "sseclient-py": "naive_sync",
}
FAULTS = {
    # fault of the emulator: description
    "no-finish-no-done": "the answer ends after two words, without a finish reason",
    "cut-mid-stream": "the connection is closed within an event",
    "error-in-stream": "the provider reports an error in the stream",
    "error-without-key": "the same, in another form",
    "error-as-finish-reason": "the finish reason is ``error``",
    "broken-json": "an event is not JSON",
    "html-200": "a login page comes, with status 200",
    "empty-body": "nothing comes, with status 200",
    "no-text": "a whole stream without any text",
    "stall-mid-stream": "the provider stops after two words",
    "keep-alive-comments-mid-stream": "only keep-alives come after two words",
    "stall-before-headers": "the request is taken, and nothing comes",
}

_HEAD = """\
Comparison
==========

.. Written by: python -m benchmarks.comparison. Do not edit.

Each client reads the same broken answers as its documentation shows, with the settings that it comes with. The answers
are those of ``hf_text.emulator``: each is something that real servers and networks do. All should end in an error.

.. The table starts here.
"""
_LEGEND = """\
=============  =====================================================================================
error          an exception says that the answer is incomplete
**silent**     the loop ends as after a whole answer: half of it, or nothing, is taken for all of it
**waits**      it was still waiting after {limit:.0f} seconds
=============  =====================================================================================

.. The table ends here.

With some of these clients a careful caller can notice the silence: the ``finish_reason`` is missing. Most code does not
look.

:doc:`reliability` has every case, and what ``hf_text`` does next. A stall is an error after 60 seconds between two
pieces, and after 120 before the first; :doc:`stopping` changes that.
"""
_OWN = """\

To see it on your own machine, install the clients beside ``hf_text``. It takes about fifteen minutes:

.. Elsewhere: benchmarks/comparison.py

.. code-block:: bash

    python -m benchmarks.comparison
"""


class Outcome(NamedTuple):
    """The outcome of one fault: ``"error"``, ``"silent"`` or ``"waits"``, the exception, the text, and seconds."""

    kind: str
    error: str
    text: str
    seconds: float


def version(distribution: str) -> str | None:
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(distribution)
    return None


# --- In the child process: one client reads one answer


def read(driver: str, base_url: str) -> None:
    """Report on standard output when the client is loaded, each piece, and the outcome."""
    module = importlib.import_module(f".drivers.{driver}", __package__)
    client = module.Driver(base_url, None)
    tell("ready", "")
    try:
        asyncio.run(_read_async(client)) if module.MODE == "async" else _tell_all(client.stream())
    except Exception as error:
        tell("error", type(error).__name__)
    else:
        tell("silent", "")


def _tell_all(pieces: Iterable[str]) -> None:
    for piece in pieces:
        tell("text", piece)


async def _read_async(client: object) -> None:
    async for piece in client.stream():  # type: ignore[attr-defined]
        tell("text", piece)


def tell(what: str, value: str) -> None:
    print("\x1e" + json.dumps([what, value]), flush=True)


# --- In the parent


def ask(driver: str, base_url: str, limit: float) -> Outcome:
    """Let a client read the answer. Its process is killed ``limit`` seconds after the client was loaded."""
    command = [sys.executable, "-m", "benchmarks.comparison", "--read", driver, base_url]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process,
        ThreadPoolExecutor(1) as timer,
    ):
        lines = _said(process)
        if next(lines, None) != ["ready", ""]:
            raise RuntimeError(f"{driver} cannot be loaded")
        started = time.monotonic()
        watch = timer.submit(_end_after, process, limit)
        text, kind, error = "", "waits", ""
        for what, value in lines:
            if what == "text":
                text += value
            else:
                kind, error = what, value
        seconds = time.monotonic() - started
        watch.result()
    return Outcome(kind, error, text, round(seconds, 1))


def _said(process: subprocess.Popen[str]) -> Iterator[list[str]]:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("\x1e"):
            yield json.loads(line[1:])


def _end_after(process: subprocess.Popen[str], limit: float) -> None:
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        process.kill()


def compare(clients: Iterable[str], limit: float) -> dict[str, dict[str, Outcome]]:
    """The outcomes by fault and client. The clients run concurrently, because they mostly wait."""
    whole = ask_all(clients, Response.text("One", " two", " three"), limit)
    if {outcome.text for outcome in whole.values()} != {"One two three"}:
        raise RuntimeError(f"a whole answer is not read as one: {whole}")
    return {fault: ask_all(clients, fault, limit) for fault in FAULTS}


def ask_all(clients: Iterable[str], reply: Response | str, limit: float) -> dict[str, Outcome]:
    with Emulator() as server, ThreadPoolExecutor() as threads:
        server.always(reply)
        asked = {name: threads.submit(ask, CLIENTS[name], f"{server.url}/v1", limit) for name in clients}
        return {name: each.result() for name, each in asked.items()}


# --- The page


def build_page(found: dict[str, dict[str, Outcome]], versions: dict[str, str], limit: float) -> str:
    day = datetime.date.today().isoformat()
    rows = [[FAULTS[fault], *map(_cell, row.values())] for fault, row in found.items()]
    summary = build_table([["What happens", *versions], *rows], 34, *[11] * len(versions))
    lines = [line for fault, row in found.items() for line in _details(fault, row)]
    details = build_table([["Fault", "Client", "What came of it"], *lines], 30, 20, 50)
    named = ", ".join(f"{name} {number}" for name, number in versions.items())
    when = f"Read on {day} with Python {platform.python_version()}, {platform.system()}: {named}.\n"
    heading = "\n\nIn detail\n---------\n\n"
    return _HEAD + "\n" + summary + "\n" + _LEGEND.format(limit=limit) + "\n" + when + _OWN + heading + details


def _cell(outcome: Outcome) -> str:
    return outcome.kind if outcome.kind == "error" else f"**{outcome.kind}**"


def _details(fault: str, row: dict[str, Outcome]) -> Iterator[list[str]]:
    for name, outcome in row.items():
        words = {
            "error": f"``{outcome.error}`` after {outcome.seconds:.0f} s",
            "silent": f"no error; the text is ``{outcome.text.strip()!r}``",
            "waits": f"no error after {outcome.seconds:.0f} s",
        }
        yield [f"``{fault}``" if name == next(iter(row)) else "", name, words[outcome.kind]]


def build_table(rows: list[list[str]], *widths: int) -> str:
    """A list table with the first row as its header."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {' '.join(map(str, widths))}", ""]
    for row in rows:
        lines += [f"   {'* -' if at == 0 else '  -'} {cell}".rstrip() for at, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs/comparison.rst"))
    parser.add_argument("--limit", type=float, default=150, help="seconds that a client is waited for")
    parser.add_argument("--read", nargs=2, metavar=("DRIVER", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        read(*options.read)
        return
    versions = {name: number for name in CLIENTS if (number := version(name))}
    options.output.write_text(build_page(compare(versions, options.limit), versions, options.limit), "utf-8")


if __name__ == "__main__":
    main()
