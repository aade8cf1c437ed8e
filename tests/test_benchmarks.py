"""The benchmarks run. Speed itself is not tested."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from thorough import THOROUGH

from benchmarks import WITHOUT_ORJSON, growth, instructions, report

PROJECT = Path(__file__).parents[1]

needs_valgrind = pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")


def run(*arguments: str, **environment: str) -> str:
    """The output of a benchmark."""
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(
        command, cwd=PROJECT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=55, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_figure_is_measured_and_compared_with_the_floor(tmp_path: Path) -> None:
    # Starts two interpreters per client: the only test of the whole runner.
    printed = run("benchmarks.run", "--quick", "--only", "cpu_each", "--output", str(tmp_path))
    assert re.search(r"^figure +raw_socket +hf_text_sync +hf_text_async", printed, re.MULTILINE)
    assert re.search(r"^CPU per chunk, one event a write: µs +[\d.]+ +[\d.]+ x +[\d.]+ x", printed, re.MULTILINE)
    kept = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert kept["machine"]["versions"]["requests"]
    assert "CPU per chunk, one event a write" in (tmp_path / "results.inc").read_text("utf-8")
    assert kept["results"]["cpu_each"]["hf_text_sync"][0]["count"] == 1000


def test_without_orjson_hides_an_installed_orjson() -> None:
    code = "import benchmarks, hf_text.protocol.jsons as jsons; print(hasattr(jsons, 'orjson'))"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, WITHOUT_ORJSON: "1"}
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


class TestReport:
    RESULTS: report.Results = {  # noqa: RUF012
        "cpu_each": {
            "raw_socket": [{"value": 4.0}, {"value": 5.0}, {"value": 9.0}],
            "peer": [{"value": 20.0}, "broke"],
        },
        "first_new_tls": {"raw_socket": [{"value": 1000.0}], "peer": [{"value": 3500.0}]},
    }

    def test_ratios_are_those_of_the_medians(self) -> None:
        assert re.search(
            r"^CPU per chunk, one event a write: µs +5 +4.00 x$", report.tables(self.RESULTS), re.MULTILINE
        )

    def test_the_cost_of_tls_is_shown_in_milliseconds(self) -> None:
        assert re.search(r"^first token, new TLS connection: .* 1 +\+2.5$", report.tables(self.RESULTS), re.MULTILINE)

    def test_failures_are_reported_with_their_reason(self) -> None:
        assert "peer, cpu_each: broke" in report.tables(self.RESULTS)

    def test_incomplete_streams_are_reported(self) -> None:
        results: report.Results = {"streams_10": {"peer": [{"value": 1.0, "cpu": 1.0, "peak_mib": 9.0, "whole": 8}]}}
        assert "only 8 of the streams arrived whole" in report.tables(results)

    def test_every_measured_figure_has_a_row(self) -> None:
        from benchmarks.measure import FIGURES

        assert {row.figure for row in report.ROWS} == set(FIGURES)


class TestGrowth:
    def test_growth_is_relative_to_the_size(self) -> None:
        quadratic = {10: {"cpu": 1.0}, 100: {"cpu": 10.0}, 1000: {"cpu": 1000.0}}
        assert list(growth.growths(quadratic, "cpu")) == [None, 1.0, 10.0]

    def test_a_zero_cost_has_no_growth(self) -> None:
        assert list(growth.growths({10: {"memory": 0.0}, 100: {"memory": 2.0}}, "memory")) == [None, None]

    def test_points_are_measured_and_printed(self) -> None:
        printed = run("benchmarks.growth", "--quick", "--only", "fragments")
        assert re.search(r"^ +1,000 +[\d.]+ +[\d.]+ +[\d.]+", printed, re.MULTILINE)


class TestInstructions:
    KEPT = {"hf_text_sync each": 2.0, "hf_text_async each": 3.0}  # noqa: RUF012

    def test_a_count_within_the_bound_passes(self) -> None:
        assert instructions.compare({"hf_text_sync each": 2.39, "hf_text_async each": 1.0}, self.KEPT) == []

    def test_a_count_beyond_the_bound_fails_with_its_name_and_figures(self) -> None:
        (complaint,) = instructions.compare({"hf_text_sync each": 2.41, "hf_text_async each": 3.0}, self.KEPT)
        assert re.search(r"hf_text_sync each: 2.410 x the floor, more than 1.2 times the 2.000", complaint)

    def test_an_unknown_count_fails(self) -> None:
        (complaint,) = instructions.compare({"new": 1.0}, self.KEPT)
        assert "--update" in complaint

    def test_figures_exist_for_every_supported_python(self) -> None:
        supported = re.findall(r" :: Python :: (3\.\d+)$", (PROJECT / "setup.cfg").read_text("utf-8"), re.MULTILINE)
        assert supported
        kept = json.loads(instructions.KEPT.read_text("utf-8"))
        assert {f"CPython {version} on x86_64" for version in supported} <= kept.keys()

    def test_the_count_is_read(self) -> None:
        assert instructions.parse_cachegrind("==7== \n==7== I   refs:      478,130,952\n") == 478130952

    def test_output_without_a_count_is_reported(self) -> None:
        with pytest.raises(OSError, match="no count"):
            instructions.parse_cachegrind("valgrind: failed to start tool\n")

    def test_without_valgrind_it_is_skipped_and_says_so(self) -> None:
        assert run("benchmarks.instructions", PATH="") == "skipped: valgrind is not installed\n"

    @needs_valgrind
    @pytest.mark.skipif(not THOROUGH, reason="HF_TEXT_TEST_THOROUGH=1 runs it: it takes 20 s")
    def test_the_instructions_of_an_additional_chunk_are_counted(self) -> None:
        counts = instructions.per_chunk(instructions.count_by_cachegrind, "raw_socket", ("each",), long=120)
        assert 1_000 < counts["raw_socket each"] < 1_000_000
