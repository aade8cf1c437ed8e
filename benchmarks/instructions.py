"""A guard against performance regressions on noisy machines: it counts instructions instead of time.

``python -m benchmarks.instructions [--update]`` counts the instructions for one more chunk (the difference between a
long and a very short answer, so that start-up cancels out), blocking and async, with one event at a time and with a
fast server's large writes; for one more short answer on a kept-alive connection; for one more row of a batch; and for
an import.
The counts depend on the build of Python. So they are divided by those of a floor (a raw socket; ``import requests``) in
the same run. The ratios are compared with those in ``instructions.json`` for this version of Python, because the cost
of a call differs between versions. It fails if a ratio has grown by more than a fifth; ``--update`` stores the new
ratios. JSON is always parsed with the standard library, even if orjson is installed.

The instructions are counted by cachegrind, which is deterministic to within 1 in 100. Nothing is counted without
valgrind, or if no ratios are stored for this version of Python.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from . import WITHOUT_ORJSON
from .server import END, HEAD, TOKEN, answer, read_request, running

KEPT = Path(__file__).with_name("instructions.json")
BOUND = 1.2
SHORT, LONG = 20, 1000  # chunks
FEW, MANY = 10, 110  # rows, or answers
FLOOR = "raw_socket"
CLIENTS = ("hf_text_sync", "hf_text_async")
HOWS = ("each", "block")
IMPORTS = {"import hf_text": "import hf_text", "first use": "import hf_text; hf_text.Client"}
IMPORT_FLOOR = "import requests"

PYTHON = f"{platform.python_implementation()} {'.'.join(platform.python_version_tuple()[:2])} on {platform.machine()}"

_NO_ORJSON = "import sys; sys.modules['orjson'] = None"  # orjson imports half of the standard library

_SECONDS = 300

Count = Callable[..., int]


def count_by_cachegrind(command: list[str], *, keep_open: tuple[int, ...] = ()) -> int:
    """The number of instructions that a command executes. Raises OSError if they cannot be counted."""
    valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    return parse_cachegrind(run_counted([*valgrind, *command], keep_open))


def run_uncounted(command: list[str], *, keep_open: tuple[int, ...] = ()) -> int:
    """Run a command without counting."""
    run_counted(command, keep_open)
    return 0


def run_counted(command: list[str], keep_open: tuple[int, ...]) -> str:
    """Run a command with the counting tool. Returns its standard error."""
    path = os.pathsep.join(sys.path)  # for imports without site
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": path, WITHOUT_ORJSON: "1"}
    done = subprocess.run(
        command,
        cwd=KEPT.parents[1],
        env=environment,
        pass_fds=keep_open,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise OSError(f"{command[0]} ended with status {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stderr


def parse_cachegrind(output: str) -> int:
    """``I   refs:      478,130,952`` (Valgrind manual, 5.2)."""
    found = re.search(r"^==\d+== I +refs: +([\d,]+)$", output, re.MULTILINE)
    if found is None:
        raise OSError(f"cachegrind printed no count: {output.strip()[-500:]}")
    return int(found[1].replace(",", ""))


def count_reading(count: Count, driver: str, how: str, chunks: int) -> int:
    """The instructions of a process that reads one answer."""
    asks, ask = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=serve, args=(listener, how, chunks, asks))
        serving.start()
        command = [sys.executable, "-m", "benchmarks.read", driver, str(listener.getsockname()[1])]
        try:
            if how == "each":
                return count([*command, str(ask)], keep_open=(ask,))
            return count(command)
        finally:
            os.close(ask)  # ends the server,
            socket.create_connection(listener.getsockname()).close()  # also if no client has connected
            serving.join()
            os.close(asks)


def serve(listener: socket.socket, how: str, chunks: int, asks: int) -> None:
    """Send one answer: one event per request on the pipe, or all at once."""
    listener.settimeout(_SECONDS)
    connection, _ = listener.accept()
    with connection, suppress(EOFError, OSError):  # count_reading then fails, too
        connection.settimeout(_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        read_request(connection, b"")
        if how != "each":
            answer(connection, how, chunks, 0)
            return
        connection.sendall(HEAD)
        for piece in [TOKEN] * chunks + [END]:
            if not os.read(asks, 1):
                return
            connection.sendall(piece)


def per_chunk(count: Count, driver: str, hows: tuple[str, ...] = HOWS, long: int = LONG) -> dict[str, float]:
    """The instructions of a client for one more chunk, for each way of arrival."""
    count_reading(run_uncounted, driver, "block", SHORT)  # compiles the imported modules
    start = count_reading(count, driver, "block", SHORT)
    return {f"{driver} {how}": (count_reading(count, driver, how, long) - start) / (long - SHORT) for how in hows}


def per_row(count: Count) -> dict[str, float]:
    """The instructions for one more row of a batch, a short answer."""
    with running() as ports:
        url = f"http://127.0.0.1:{ports['http']}/block/1/0/v1"
        command = [sys.executable, "-m", "benchmarks.read_rows", url]
        run_uncounted([*command, str(FEW)])  # compiles the imported modules
        few, many = (count([*command, str(rows)]) for rows in (FEW, MANY))
    return {"batch row": (many - few) / (MANY - FEW)}


def per_request(count: Count, driver: str) -> dict[str, float]:
    """The instructions for one more short answer on a kept-alive connection."""
    with running() as ports:
        url = f"http://127.0.0.1:{ports['http']}/once/1/0/v1"
        command = [sys.executable, "-m", "benchmarks.read_answers", driver, url]
        run_uncounted([*command, str(FEW)])  # compiles the imported modules
        few, many = (count([*command, str(answers)]) for answers in (FEW, MANY))
    return {f"{driver} answer": (many - few) / (MANY - FEW)}


def per_import(count: Count) -> dict[str, float]:
    """The instructions of imports, without those of an empty interpreter."""
    python = [sys.executable, "-S", "-c"]  # site would import modules for the .pth file of an editable install
    start = count([*python, _NO_ORJSON])
    counts = {}
    for name, code in {**IMPORTS, IMPORT_FLOOR: IMPORT_FLOOR}.items():
        command = [*python, f"{_NO_ORJSON}; {code}"]
        run_uncounted(command)  # compiles the imported modules
        counts[name] = float(count(command) - start)
    return counts


def collect(count: Count, jobs: int) -> dict[str, float]:
    """All counts, by name."""
    with ThreadPoolExecutor(jobs) as pool:
        longest_first = [pool.submit(per_chunk, count, driver) for driver in (*reversed(CLIENTS), FLOOR)]
        requests = [pool.submit(per_request, count, driver) for driver in (*CLIENTS, FLOOR)]
        others = [*requests, pool.submit(per_row, count), pool.submit(per_import, count)]
        return {name: value for done in (*longest_first, *others) for name, value in done.result().items()}


def divide(counts: dict[str, float]) -> dict[str, float]:
    """The counts of this library as ratios to the floor's."""
    ratios = {
        f"{driver} {how}": counts[f"{driver} {how}"] / counts[f"{FLOOR} {how}"] for driver in CLIENTS for how in HOWS
    }
    ratios |= {f"{driver} answer": counts[f"{driver} answer"] / counts[f"{FLOOR} answer"] for driver in CLIENTS}
    ratios["batch row"] = counts["batch row"] / counts[f"{FLOOR} each"]  # the number of reads per answer varies
    return {**ratios, **{name: counts[name] / counts[IMPORT_FLOOR] for name in IMPORTS}}


def compare(ratios: dict[str, float], kept: dict[str, float]) -> list[str]:
    """Messages for the ratios that exceed their bound or have no stored value."""
    missing = [f"{name}: {KEPT.name} does not have it; --update adds it" for name in ratios if name not in kept]
    return missing + [
        f"{name}: {ratio:.3f} x the floor, more than {BOUND} times the {kept[name]:.3f} that {KEPT.name} keeps"
        for name, ratio in ratios.items()
        if name in kept and ratio > BOUND * kept[name]
    ]


def main() -> None:
    """Count, print, and compare or store the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="keep the figures instead of comparing them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many processes at once")
    arguments = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is not installed")
        return
    records = json.loads(KEPT.read_text("utf-8"))
    kept = records.get(PYTHON, {})
    if not kept and not arguments.update:
        print(f"skipped: no figures are kept for {PYTHON}; --update adds them")
        return
    counts = collect(count_by_cachegrind, arguments.jobs)
    ratios = divide(counts)
    for name, value in counts.items():
        ratio = f"{ratios[name]:9.3f} x" if name in ratios else ""
        before = f"  (kept: {kept[name]:.3f})" if name in kept else ""
        print(f"{name:24} {value:13,.0f} {ratio}{before}")
    if arguments.update:
        records[PYTHON] = {name: round(ratio, 3) for name, ratio in ratios.items()}
        KEPT.write_text(json.dumps(records, indent=2, sort_keys=True) + "\n", "utf-8")
    else:
        grown = compare(ratios, kept)
        sys.exit("\n".join(grown) if grown else 0)


if __name__ == "__main__":
    main()
