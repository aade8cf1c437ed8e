"""Measure the library and its peers side by side: ``python -m benchmarks.run [--quick] [--rounds N] [--only …]
    [--without-orjson | --both] [--output FOLDER]``.

Rounds are interleaved: each client in turn, then the next round, so that changes in the machine's speed affect all
clients equally. The meaningful figures are the ratios to the floor (a raw socket) within a run. Peers that are not
installed are skipped. ``--quick`` only checks that everything works. The tables of docs/performance.rst are generated
by ``python -m benchmarks.run --both --output docs/figures``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from . import WITHOUT_ORJSON
from .measure import FIGURES
from .plots import plot_bars
from .report import FLOOR, STREAMS_FLOOR, Results, middle, tables
from .server import running

DRIVERS = {
    "raw_socket": None,
    "raw_asyncio": None,
    "hf_text_sync": None,
    "hf_text_async": None,
    "httpx_sse_sync": "httpx-sse",
    "g4f_async": "g4f",
    "naive_sync": "sseclient-py",
    "huggingface_hub_sync": "huggingface_hub",
    "openai_sync": "openai",
    "openai_async": "openai",
    "litellm_sync": "litellm",
}
IMPORTS = {
    "requests": "from requests import Session",
    "hf_text": "from hf_text import Client",
    "huggingface_hub": "from huggingface_hub import InferenceClient",
    "openai": "from openai import OpenAI",
    "litellm": "from litellm import completion",
}
NO_CA_BUNDLE = {"huggingface_hub_sync", "litellm_sync", "g4f_async"}
QUADRATIC = {"raw_socket", "naive_sync"}  # in the size of an event: they would take minutes
HOLD_A_THOUSAND = {STREAMS_FLOOR, "hf_text_sync", "hf_text_async", "openai_async"}

_LONGEST = 60


def version(distribution: str) -> str | None:
    """The installed version; None if it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def fits(driver: str, figure: str) -> bool:
    """Whether the figure can be measured for the driver."""
    if driver == STREAMS_FLOOR or figure.startswith("streams_"):
        if driver == FLOOR or not figure.startswith("streams_"):
            return False
        return figure != "streams_1000" or driver in HOLD_A_THOUSAND
    if figure == "first_new_tls":
        return driver not in NO_CA_BUNDLE
    return not figure.startswith("event_") or driver not in QUADRATIC


def make_certificate(folder: Path) -> tuple[str, str]:
    """The paths of the server's certificate with its key, and of the CA; empty without trustme."""
    try:
        import trustme
    except ImportError:
        print("first_new_tls is left out: trustme, which makes the certificate, is not installed", file=sys.stderr)
        return "", ""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    return str(folder / "server.pem"), str(folder / "ca.pem")


def measure(driver: str, figure: str, ports: dict[str, int], ca: str, quick: bool) -> dict[str, float] | str:
    """Measure one figure. Returns the last line of the error if it fails."""
    command = [sys.executable, "-m", "benchmarks.measure", driver, figure]
    command += [str(ports["http"]), str(ports["https"]), ca, str(int(quick))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST, check=False)
    except subprocess.TimeoutExpired:
        return f"not done within {_LONGEST} s"
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:200]
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def measure_import(statement: str) -> dict[str, float] | str:
    """Milliseconds and MiB that an import adds to an interpreter."""
    code = (
        "import time\n"
        "from benchmarks.memory import resident_mib\n"
        "before, started = resident_mib(), time.perf_counter()\n"
        f"{statement}\n"
        "print(time.perf_counter() - started, resident_mib() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:200]
    seconds, mebibytes = done.stdout.split()[-2:]
    return {"value": float(seconds) * 1e3, "mib": float(mebibytes)}


def collect(rounds: int, figures: list[str], quick: bool) -> Results:
    """All figures of all installed clients: by figure and client, with one value per round."""
    results: Results = {}
    drivers = [name for name, distribution in DRIVERS.items() if distribution is None or version(distribution)]
    with tempfile.TemporaryDirectory() as folder:
        certificate, ca = make_certificate(Path(folder))
        with running(certificate) as ports:
            for _ in range(rounds):
                for figure in figures:
                    for driver in drivers:
                        if fits(driver, figure) and (certificate or figure != "first_new_tls"):
                            value = measure(driver, figure, ports, ca, quick)
                            results.setdefault(figure, {}).setdefault(driver, []).append(value)
                for module, first_use in IMPORTS.items():
                    if module in ("requests", "hf_text") or version(module):
                        for figure, statement in (("import", f"import {module}"), ("first_use", first_use)):
                            results.setdefault(figure, {}).setdefault(module, []).append(measure_import(statement))
    return results


def describe(results: Results, without_orjson: bool) -> dict[str, Any]:
    """The machine, the versions, and the JSON parser that this library used."""
    packages = {*filter(None, DRIVERS.values()), "hf_text", "requests", "urllib3", "anyio", "orjson"}
    used = [
        middle(rounds, "orjson") for clients in results.values() for c, rounds in clients.items() if "hf_text_" in c
    ]
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "versions": {name: version(name) for name in sorted(packages)},
        "json_reader": "orjson" if any(used) else "the standard library's",
        "without_orjson": without_orjson,
    }


def bars(results: Results) -> dict[str, dict[str, float]]:
    """The figures for the plot: those with a floor."""
    known = {
        figure: {client: value for client, rounds in clients.items() if (value := middle(rounds)) is not None}
        for figure, clients in results.items()
        if not figure.startswith("long_")
    }
    return {figure: clients for figure, clients in known.items() if {FLOOR, STREAMS_FLOOR, "requests"} & clients.keys()}


def keep(folder: Path, name: str, machine: dict[str, Any], results: Results) -> None:
    """Write the figures as JSON, as the table that the documentation includes, and as a plot."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({"machine": machine, "results": results}, indent=1), "utf-8")
    (folder / f"{name}.inc").write_text(f"{tell(machine)}\n\n{tables(results)}\n", "utf-8")
    plot_bars(bars(results), folder / f"{name}.png")


def tell(machine: dict[str, Any]) -> str:
    """A sentence with the machine and the versions."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    return f"{machine['python']}, {machine['cores']} cores; {versions}. JSON is read by {machine['json_reader']}."


def main() -> None:
    """Measure, print and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small run that shows that everything works")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=list(FIGURES), default=list(FIGURES))
    reader = parser.add_mutually_exclusive_group()
    reader.add_argument("--without-orjson", action="store_true", help="as if orjson were not installed")
    reader.add_argument("--both", action="store_true", help="with orjson, and then without")
    parser.add_argument("--output", type=Path, help="a folder for the figures as JSON and as a plot")
    arguments = parser.parse_args()
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # otherwise importing it makes a network request
    broken: list[str] = []
    for without_orjson in (False, True) if arguments.both else (arguments.without_orjson,):
        broken += run(arguments, without_orjson)
    sys.exit(f"not measured: {broken}" if broken else 0)


def run(arguments: argparse.Namespace, without_orjson: bool) -> list[str]:
    """Measure with one JSON parser. Returns the figures of this library that could not be measured."""
    os.environ.pop(WITHOUT_ORJSON, None)
    if without_orjson:
        os.environ[WITHOUT_ORJSON] = "1"
    results = collect(1 if arguments.quick else arguments.rounds, arguments.only, arguments.quick)
    machine = describe(results, without_orjson)
    print(json.dumps(machine, indent=1), tables(results), sep="\n\n")
    if arguments.output:
        keep(arguments.output, "without_orjson" if without_orjson else "results", machine, results)
    return [
        f"{client}, {figure}"
        for figure, clients in results.items()
        for client, rounds in clients.items()
        if "hf_text" in client and middle(rounds) is None
    ]


if __name__ == "__main__":
    main()
