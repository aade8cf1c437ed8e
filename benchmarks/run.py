"""Measure the library and its peers side by side: ``python -m benchmarks.run [--quick] [--rounds N] [--only …]``.

Rounds are interleaved: each client in turn, then the next round, so that a machine whose speed drifts is no
advantage to anybody. What counts are the ratios to the floor (a raw socket) within a run. Peers that are not
installed are left out. ``--quick`` only shows that everything works.
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
from statistics import median
from typing import Any

from .measure import FIGURES

DRIVERS = {
    "raw_socket": None,
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
FLOOR = "raw_socket"
IMPORTS = ("requests", "hf_text", "huggingface_hub", "openai", "litellm")
NO_CA_BUNDLE = {"huggingface_hub_sync", "litellm_sync", "g4f_async"}
QUADRATIC = {"raw_socket", "naive_sync"}  # in the size of an event: minutes
HOLD_A_THOUSAND = {"hf_text_sync", "hf_text_async", "openai_async"}

_LONGEST = 60


def version(distribution: str) -> str | None:
    """The installed version, if there is one."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def fits(driver: str, figure: str) -> bool:
    """Whether the figure can be measured for the driver."""
    if figure == "first_new_tls":
        return driver not in NO_CA_BUNDLE
    if figure.startswith("event_"):
        return driver not in QUADRATIC
    if figure.startswith("streams_"):
        return driver != FLOOR and (figure != "streams_1000" or driver in HOLD_A_THOUSAND)
    return True


def make_certificate(folder: Path) -> tuple[str, str]:
    """A certificate with its key for the server, and the authority to trust; empty names without trustme."""
    try:
        import trustme
    except ImportError:
        return "", ""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    return str(folder / "server.pem"), str(folder / "ca.pem")


def measure(driver: str, figure: str, ports: dict[str, int], ca: str, quick: bool) -> dict[str, float] | str:
    """One figure; the last line of the error where there is one."""
    command = [sys.executable, "-m", "benchmarks.measure", driver, figure]
    command += [str(ports["http"]), str(ports["https"] or 0), ca, str(int(quick))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST, check=False)
    except subprocess.TimeoutExpired:
        return f"not done within {_LONGEST} s"
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:200]
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def measure_import(module: str) -> dict[str, float] | str:
    """Seconds and MiB that importing a module adds to an empty interpreter; the same module again in two runs is a
    warm one.
    """
    code = (
        "import time, resource\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "before, started = peak(), time.perf_counter()\n"
        f"import {module}\n"
        "print(time.perf_counter() - started, peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:200]
    seconds, mebibytes = done.stdout.split()[-2:]
    return {"value": float(seconds) * 1e3, "mib": float(mebibytes)}


def collect(rounds: int, figures: list[str], quick: bool) -> dict[str, dict[str, list[Any]]]:
    """All figures of all clients that are installed: figure, client, one value a round."""
    results: dict[str, dict[str, list[Any]]] = {}
    drivers = [name for name, distribution in DRIVERS.items() if distribution is None or version(distribution)]
    with tempfile.TemporaryDirectory() as folder:
        certificate, ca = make_certificate(Path(folder))
        command = [sys.executable, "-m", "benchmarks.server", *(["--certificate", certificate] if certificate else [])]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            ports = json.loads(server.stdout.readline())
            for _ in range(rounds):
                for figure in figures:
                    for driver in drivers:
                        if fits(driver, figure) and (certificate or figure != "first_new_tls"):
                            value = measure(driver, figure, ports, ca, quick)
                            results.setdefault(figure, {}).setdefault(driver, []).append(value)
                for module in IMPORTS:
                    if module in ("requests", "hf_text") or version(module):
                        results.setdefault("import", {}).setdefault(module, []).append(measure_import(module))
            server.communicate("")
    return results


def middle(values: list[Any], key: str = "value") -> float | None:
    """The median of what was measured; None where nothing was."""
    known = [value[key] for value in values if isinstance(value, dict) and key in value]
    return median(known) if known else None


def table(results: dict[str, dict[str, list[Any]]]) -> str:
    """Medians and ratios to the floor, as text."""
    lines = []
    for figure, clients in results.items():
        floor = middle(clients.get("requests" if figure == "import" else FLOOR, []))
        lines.append(f"\n{figure}")
        for client, values in clients.items():
            value = middle(values)
            if value is None:
                lines.append(f"  {client:24} {values[-1]}")
                continue
            ratio = f"{value / floor:8.2f} x" if floor else " " * 10
            rest = {key: round(middle(values, key) or 0, 2) for key in values[-1] if key != "value"}
            lines.append(f"  {client:24} {value:12.2f} {ratio}  {rest or ''}")
    return "\n".join(lines)


def plot(results: dict[str, dict[str, list[Any]]], path: Path) -> None:
    """The ratios as bars, where matplotlib is installed."""
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [figure for figure in results if middle(results[figure].get(FLOOR, [])) and not figure.startswith("long")]
    figure_, axes = pyplot.subplots(len(shown), 1, figsize=(8, 2.2 * len(shown)), squeeze=False)
    for axis, name in zip(axes[:, 0], shown, strict=True):
        clients = {client: middle(values) for client, values in results[name].items()}
        known = {client: value for client, value in clients.items() if value is not None}
        axis.barh(
            list(known), list(known.values()), color=["tab:blue" if "hf_text" in c else "tab:gray" for c in known]
        )
        axis.set_title(name, fontsize=9)
        axis.set_xscale("log")
        axis.tick_params(labelsize=7)
    figure_.tight_layout()
    figure_.savefig(path, dpi=110)


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small run that shows that everything works")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=list(FIGURES), default=list(FIGURES))
    parser.add_argument("--output", type=Path, help="a folder for the figures as JSON and as a plot")
    arguments = parser.parse_args()
    results = collect(1 if arguments.quick else arguments.rounds, arguments.only, arguments.quick)
    machine = {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()}
    packages = {*filter(None, DRIVERS.values()), "hf_text", "requests", "urllib3", "anyio", "orjson"}
    versions = {name: version(name) for name in sorted(packages)}
    print(json.dumps(machine), json.dumps(versions), table(results), sep="\n")
    if arguments.output:
        arguments.output.mkdir(parents=True, exist_ok=True)
        kept = {"machine": machine, "versions": versions, "results": results}
        (arguments.output / "results.json").write_text(json.dumps(kept, indent=1))
        plot(results, arguments.output / "results.png")
    broken = [c for clients in results.values() for c, v in clients.items() if "hf_text" in c and middle(v) is None]
    sys.exit(f"not measured: {broken}" if broken else 0)


if __name__ == "__main__":
    main()
