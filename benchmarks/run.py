"""Measure the library and its peers side by side: ``python -m benchmarks.run [--quick] [--rounds N] [--only …]
    [--without-orjson | --both] [--output FOLDER]``.

Rounds are interleaved: each client in turn, then the next round, so that a machine whose speed drifts is no
advantage to anybody. What counts are the ratios to the floor (a raw socket) within a run. Peers that are not
installed are left out. What takes long and differs little from round to round is measured in fewer rounds. ``--quick``
only shows that everything works. The tables of docs/performance.rst are made by
``python -m benchmarks.run --both --output docs/figures``.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
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
QUADRATIC = {"raw_socket", "naive_sync"}  # in the size of an event: minutes
HOLD_A_THOUSAND = {
    *(STREAMS_FLOOR, "hf_text_sync", "hf_text_async", "naive_sync", "huggingface_hub_sync", "openai_sync"),
    "openai_async",
}
# They differ little from round to round, or take long.
FEW_ROUNDS = {
    **dict.fromkeys(("streams_1", "streams_10", "streams_100"), 3),
    **dict.fromkeys(("streams_1000", "event_4", "event_16", "event_63", "litellm_sync"), 2),
    **dict.fromkeys(("long_20k", "long_200k"), 1),
}

_LONGEST = 60


def version(distribution: str) -> str | None:
    """The installed version; None if it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def fits(driver: str, figure: str, certificate: bool) -> bool:
    """Whether the figure can be measured for the driver, with a certificate or without."""
    if driver == STREAMS_FLOOR or figure.startswith("streams_"):
        if driver == FLOOR or not figure.startswith("streams_"):
            return False
        return figure != "streams_1000" or driver in HOLD_A_THOUSAND
    if figure == "first_new_tls":
        return certificate and driver not in NO_CA_BUNDLE
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


def measure(
    driver: str, figure: str, ports: dict[str, int], ca: str, quick: bool, without_orjson: bool
) -> dict[str, float] | str:
    """One figure; the last line of the error where there is one."""
    command = [sys.executable, "-m", "benchmarks.measure", driver, figure]
    command += [str(ports["http"]), str(ports["https"]), ca, str(int(quick))]
    try:
        done = run_python(command, _LONGEST, without_orjson)
    except subprocess.TimeoutExpired:
        return f"not done within {_LONGEST} s"
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:200]
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def measure_import(statement: str, without_orjson: bool) -> dict[str, float] | str:
    """Milliseconds and MiB that an import adds to an interpreter."""
    code = (
        "import sys, time\n"
        "from benchmarks.memory import resident_mib\n"
        "before, started = resident_mib(), time.perf_counter()\n"
        f"{statement}\n"
        "print(time.perf_counter() - started, resident_mib() - before, float(sys.modules.get('orjson') is not None))"
    )
    done = run_python([sys.executable, "-c", code], 2 * _LONGEST, without_orjson)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:200]
    seconds, mebibytes, orjson = map(float, done.stdout.split()[-3:])
    return {"value": seconds * 1e3, "mib": mebibytes, "orjson": orjson}


def run_python(command: list[str], seconds: float, without_orjson: bool) -> subprocess.CompletedProcess[str]:
    """Run one measuring process. Raises TimeoutExpired."""
    environment = {**os.environ, **({WITHOUT_ORJSON: "1"} if without_orjson else {})}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds, check=False)


def collect(rounds: int, figures: list[str], quick: bool, readers: list[bool]) -> list[Results]:
    """All figures of all clients that are installed: figure, client, one value a round. Once for each reader of JSON
    (whether it is the standard library's); what one client measured without loading orjson counts for both.
    """
    collected: list[Results] = [{} for _ in readers]

    def add(figure: str, client: str, measured: Callable[[bool], dict[str, float] | str]) -> None:
        value: dict[str, float] | str = {"orjson": 1.0}
        for results, without_orjson in zip(collected, readers, strict=True):
            if isinstance(value, str) or value["orjson"]:
                value = measured(without_orjson)
            results.setdefault(figure, {}).setdefault(client, []).append(value)

    drivers = [name for name, distribution in DRIVERS.items() if distribution is None or version(distribution)]
    with tempfile.TemporaryDirectory() as folder:
        certificate, ca = make_certificate(Path(folder))
        with running(certificate) as ports:
            for number in range(rounds):
                for figure in figures:
                    for driver in drivers:
                        if number >= rounds_of(driver, figure) or (quick and is_slow(driver, figure)):
                            continue
                        if fits(driver, figure, bool(certificate)):
                            add(figure, driver, partial(measure, driver, figure, ports, ca, quick))
                for module, first_use in IMPORTS.items():
                    if module in ("requests", "hf_text") or version(module):
                        for figure, statement in (("import", f"import {module}"), ("first_use", first_use)):
                            add(figure, module, partial(measure_import, statement))
    return collected


def is_slow(driver: str, figure: str) -> bool:
    """Whether it takes a peer half a minute."""
    return figure in ("streams_1000", "event_63") and "hf_text" not in driver


def rounds_of(driver: str, figure: str) -> float:
    """In how many rounds it is measured at most."""
    return min(FEW_ROUNDS.get(driver, math.inf), FEW_ROUNDS.get(figure, math.inf))


def describe(results: Results, without_orjson: bool) -> dict[str, Any]:
    """The machine, the versions, and the JSON parser that this library used."""
    packages = {*filter(None, DRIVERS.values()), "hf_text", "requests", "urllib3", "anyio", "orjson"}
    used = [
        middle(rounds, "orjson") for clients in results.values() for c, rounds in clients.items() if "hf_text_" in c
    ]
    return {
        "date": datetime.date.today().isoformat(),
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
    """The day, the machine and the versions, in words."""
    day = datetime.date.fromisoformat(machine["date"])
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    return (
        f"Measured on {day.day} {day:%B %Y} with {machine['python']} on {machine['cores']} cores: {versions}. "
        f"JSON is read by {machine['json_reader']}."
    )


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
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network while it is imported
    readers = [False, True] if arguments.both else [arguments.without_orjson]
    rounds = 1 if arguments.quick else arguments.rounds
    broken: list[str] = []
    for results, without_orjson in zip(collect(rounds, arguments.only, arguments.quick, readers), readers, strict=True):
        machine = describe(results, without_orjson)
        print(json.dumps(machine, indent=1), tables(results), sep="\n\n")
        if arguments.output:
            keep(arguments.output, "without_orjson" if without_orjson else "results", machine, results)
        broken += find_broken(results)
    sys.exit(f"not measured: {broken}" if broken else 0)


def find_broken(results: Results) -> list[str]:
    """What of this library could not be measured."""
    return [
        f"{client}, {figure}"
        for figure, clients in results.items()
        for client, rounds in clients.items()
        if "hf_text" in client and middle(rounds) is None
    ]


if __name__ == "__main__":
    main()
