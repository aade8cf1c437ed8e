"""``hf-text batch`` as a process, with pipes and on a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import hf_text
from hf_text.cli.parsers.batch import duration
from hf_text.emulator import Emulator, Gate, Request, Response, build_model

PROJECT = Path(hf_text.__file__).parent.parent
PRICED = build_model("org/m", {"provider": "novita", "pricing": {"input": 1.0, "output": 2.0}})


@pytest.fixture
def environment(emulator: Emulator) -> dict[str, str]:
    return {**os.environ, **emulator.environ, "HF_TOKEN": "hf_MadeUpKeyForTests", "PYTHONPATH": str(PROJECT)}


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"id": n, "text": f"text {n}"}) + "\n" for n in range(10)))
    return path


@pytest.fixture
def hf_text_batch(environment: dict[str, str], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*words: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hf_text", "batch", *map(str, words)]
        return subprocess.run(
            command, env=environment, cwd=tmp_path, input=stdin, capture_output=True, text=True, timeout=50
        )

    return run


Batch = Callable[..., subprocess.CompletedProcess[str]]
LABEL = ("--template", "Label: {text}", "--id", "id", "--keep", "text")


def chats(emulator: Emulator) -> list[Request]:
    return [request for request in emulator.requests if request.path.endswith("/chat/completions")]


class TestRuns:
    def test_rows_are_answered_and_the_same_command_resumes(
        self, hf_text_batch: Batch, emulator: Emulator, inputs: Path, tmp_path: Path
    ) -> None:
        emulator.always(Response.text("Yes", usage=(3, 2)))
        output = tmp_path / "out.jsonl"
        done = hf_text_batch(inputs, output, *LABEL, "--max-tokens", 5, "-o", "seed", 7, "-m", "openai/gpt-oss-20b")
        assert (done.returncode, done.stdout) == (0, "")
        assert re.search(r"hf-text: 10 of 10 rows are done in \d+ s.*; see .*out\.jsonl", done.stderr)
        assert "30 + 20 tokens" in done.stderr
        sent = chats(emulator)[0].json
        assert (sent["model"], sent["seed"], sent["max_tokens"]) == ("openai/gpt-oss-20b", 7, 5)
        lines = [json.loads(line) for line in output.read_text().splitlines()]
        assert {line["custom_id"]: line["columns"] for line in lines}["3"] == {"text": "text 3"}
        again = hf_text_batch(inputs, output, *LABEL, "--max-tokens", 5, "-o", "seed", 7, "-m", "openai/gpt-oss-20b")
        assert again.returncode == 0
        assert len(chats(emulator)) == 10

    def test_a_dash_reads_standard_input_and_json_prints_the_summary(
        self, hf_text_batch: Batch, tmp_path: Path
    ) -> None:
        done = hf_text_batch("-", tmp_path / "out.jsonl", "--json", stdin='"one"\n"two"\n')
        assert json.loads(done.stdout)["done"] == 2

    def test_a_system_message_goes_before_the_template(
        self, hf_text_batch: Batch, emulator: Emulator, inputs: Path, tmp_path: Path
    ) -> None:
        hf_text_batch(inputs, tmp_path / "out.jsonl", "--template", "{text}", "-s", "Say {yes} or no")
        assert chats(emulator)[0].json["messages"][0]["content"] == "Say {yes} or no"

    def test_failed_rows_change_the_exit_status(
        self, hf_text_batch: Batch, emulator: Emulator, inputs: Path, tmp_path: Path
    ) -> None:
        emulator.reply(Response.error(422, "No"))
        done = hf_text_batch(inputs, tmp_path / "out.jsonl", *LABEL)
        assert done.returncode == 3
        assert "1 row failed (1 BadRequestError); " in done.stderr
        assert "out.jsonl says why. Repeat the command to retry them" in done.stderr
        assert hf_text_batch(inputs, tmp_path / "out.jsonl", *LABEL, "--only-failed").returncode == 0
        assert len(chats(emulator)) == 11

    def test_shards_and_samples(self, hf_text_batch: Batch, inputs: Path, tmp_path: Path) -> None:
        for number in range(2):
            hf_text_batch(inputs, tmp_path / f"{number}.jsonl", *LABEL, "--shard", f"{number}/2", "--samples", 2)
        lines = [(tmp_path / f"{number}.jsonl").read_text().splitlines() for number in range(2)]
        assert len(lines[0]) + len(lines[1]) == 20

    def test_max_cost_ends_the_run(
        self, hf_text_batch: Batch, emulator: Emulator, inputs: Path, tmp_path: Path
    ) -> None:
        emulator.models = [PRICED]
        emulator.always(Response.text("Yes", usage=(100, 50), provider="novita"))
        done = hf_text_batch(inputs, tmp_path / "out.jsonl", *LABEL, "-m", "org/m", "--max-cost", 0.0008)
        assert done.returncode == 3
        assert "stopped by max_cost; repeat the same command to continue" in done.stderr
        assert len(chats(emulator)) == 4

    @pytest.mark.parametrize("workers", [1, 16])
    def test_an_unpriced_last_row_leaves_all_rows_done(
        self, hf_text_batch: Batch, emulator: Emulator, inputs: Path, tmp_path: Path, workers: int
    ) -> None:
        emulator.models = [PRICED]
        emulator.reply(*[Response.text("Yes", usage=(100, 50), provider="novita")] * 9)
        emulator.always(Response.text("Yes", provider="novita"))  # without usage
        options = ("-m", "org/m", "--max-cost", 1, "--max-workers", workers)
        done = hf_text_batch(inputs, tmp_path / "out.jsonl", *LABEL, *options)
        assert "10 of 10 rows are done" in done.stderr
        assert "stopped by" not in done.stderr
        assert done.returncode == 0

    @pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_a_signal_ends_the_run_with_one_line(
        self,
        environment: dict[str, str],
        emulator: Emulator,
        inputs: Path,
        tmp_path: Path,
        signum: signal.Signals,
        status: int,
    ) -> None:
        gate = Gate()
        emulator.always(Response.text("Yes", delay=gate))
        command = [sys.executable, "-m", "hf_text", "batch", str(inputs), str(tmp_path / "out"), "--template", "{text}"]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        emulator.wait_for_requests(11, timeout=20)
        process.send_signal(signum)
        assert process.stderr is not None
        assert "10 are being finished" in process.stderr.readline()
        gate.open()
        _, errors = process.communicate(timeout=20)
        assert process.returncode == status
        assert re.fullmatch(r"stopped by .*: 10 of 10 rows are done\. Run it again to continue\n", errors)


class TestErrors:
    @pytest.mark.parametrize(
        ("words", "status", "said"),
        [
            (["in.jsonl"], 2, "pass the paths of the inputs and of the output"),
            (["in.jsonl", "-"], 2, "the output must be a file"),
            (
                ["in.jsonl", "out", "--deadline", "soon"],
                2,
                "--deadline must be a time such as 90s, 30m or 2h, not 'soon'",
            ),
            (["in.jsonl", "out", "--shard", "3"], 2, "--shard must be I/N"),
            (["in.jsonl", "out", "--shard", "3/3"], 2, "--shard must be I/N, from 0/N to N-1/N, not '3/3'"),
            (["in.jsonl", "out", "-s", "Be brief"], 2, "--system needs --template"),
            (["in.jsonl", "out", "--template", "{txt}"], 2, "the template names 'txt', but the columns are id, text"),
            (["in.csv", "out"], 2, "read it with pandas.read_csv"),
            (["none.jsonl", "out"], 1, "No such file or directory: none.jsonl"),
            (["in.jsonl", "out"], 2, "For a row of columns pass --template "),
            (["in.jsonl", "out", "-o", "max_token", "5"], 2, "batch.run() has no argument 'max_token'"),
            (["in.jsonl", "out", "--template", "{text}", "--max-workers", "0"], 2, "--max-workers must be"),
            (["--status", "out"], 2, "no run has stored its state in out.state"),
            (["--status"], 2, "--status takes only the path of the output"),
            (["--plot", "a.txt", "in.jsonl"], 2, "the picture must be a .svg, .png or .pdf file"),
            (["in.jsonl", "out", "--api-base", "http://127.0.0.1:9/v1", "--provider", "groq"], 2, "--provider chooses"),
        ],
    )
    def test_errors_say_what_is_wrong(
        self, hf_text_batch: Batch, inputs: Path, words: list[str], status: int, said: str
    ) -> None:
        done = hf_text_batch(*words)
        assert done.returncode == status
        assert said in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_stale_answer_names_the_option(self, hf_text_batch: Batch, inputs: Path, tmp_path: Path) -> None:
        hf_text_batch(inputs, tmp_path / "out", *LABEL)
        done = hf_text_batch(inputs, tmp_path / "out", "--template", "Sort: {text}", "--id", "id")
        assert done.returncode == 2
        assert "or pass --stale redo to ask again or --stale keep to keep" in done.stderr

    @pytest.mark.parametrize(
        ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("1h30m", 5400), ("1.5 h", 5400), ("2d", 172800)]
    )
    def test_durations(self, text: str, seconds: float) -> None:
        assert duration(text) == seconds


class TestLooks:
    def test_status_shows_the_state_of_a_run(self, hf_text_batch: Batch, inputs: Path, tmp_path: Path) -> None:
        output = tmp_path / "out.jsonl"
        hf_text_batch(inputs, output, *LABEL)
        done = hf_text_batch("--status", output)
        assert re.fullmatch(r"10 of 10 rows are done \(100%\)\nthe run has ended: finished, \d+ s ago\n", done.stdout)
        assert json.loads(hf_text_batch("--status", "--json", output).stdout)["done"] == 10

    @pytest.mark.parametrize("suffix", ["svg", "png"])
    def test_a_run_is_plotted(self, hf_text_batch: Batch, inputs: Path, tmp_path: Path, suffix: str) -> None:
        hf_text_batch(inputs, tmp_path / "out.jsonl", *LABEL)
        done = hf_text_batch("--plot", f"run.{suffix}", "out.jsonl")
        assert done.returncode == 0
        assert (tmp_path / f"run.{suffix}").stat().st_size > 5000

    @pytest.mark.parametrize("columns", [80, 40])
    def test_a_terminal_shows_a_bar_within_its_width(
        self, environment: dict[str, str], emulator: Emulator, inputs: Path, tmp_path: Path, columns: int
    ) -> None:
        gate = Gate()
        emulator.reply(*[Response.text("Yes", usage=(3, 2), provider="novita")] * 4)
        emulator.always(Response.text("Yes", delay=gate))
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        command = [sys.executable, "-m", "hf_text", "batch", str(inputs), str(tmp_path / "out"), "--template", "{text}"]
        variables = {**environment, "TERM": "xterm-256color", "COLUMNS": str(columns)}
        process = subprocess.Popen([*command, "--yes"], env=variables, stderr=theirs, stdin=theirs)
        os.close(theirs)
        emulator.wait_for_requests(11, timeout=20)
        seen = read_until(ours, b"s left")
        gate.open()
        process.wait(20)
        os.close(ours)
        frames = [frame for frame in re.split(r"[\r\n]+|\x1b\[\d*[AK]", strip_style(seen)) if frame.strip()]
        assert max(map(len, frames)) <= columns

    def test_the_estimated_cost_is_confirmed_on_a_terminal(
        self, environment: dict[str, str], emulator: Emulator, inputs: Path, tmp_path: Path
    ) -> None:
        emulator.models = [PRICED]
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "hf_text", "batch", str(inputs), str(tmp_path / "out"), "--template", "{text}"]
        command += ["-m", "org/m", "--max-tokens", "100"]
        process = subprocess.Popen(command, env={**environment, "TERM": "dumb"}, stderr=theirs, stdin=theirs)
        os.close(theirs)
        seen = read_until(ours, b"[y/N]")
        assert "hf-text: 10 rows of org/m: at most about $0.00201. Continue? [y/N]" in strip_style(seen)
        os.write(ours, b"n\n")
        assert process.wait(20) == 1
        os.close(ours)
        assert not chats(emulator)

    def test_a_server_without_a_list_of_models_is_asked_on_a_terminal(
        self, environment: dict[str, str], emulator: Emulator, inputs: Path, tmp_path: Path
    ) -> None:
        """Without prices, there is no cost to confirm."""
        emulator.reply(*[Response.error(404, "Not Found")] * 4, path="/v1/models")
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "hf_text", "batch", str(inputs), str(tmp_path / "out"), "--template", "{text}"]
        process = subprocess.Popen(command, env={**environment, "TERM": "dumb"}, stderr=theirs, stdin=theirs)
        os.close(theirs)
        assert "10 of 10 rows are done" in read_until(ours, b"rows are done")
        assert process.wait(20) == 0
        os.close(ours)


def read_until(descriptor: int, text: bytes) -> str:
    seen = b""
    until = time.monotonic() + 20
    while text not in seen:
        assert time.monotonic() < until, seen
        seen += os.read(descriptor, 4096)
    return seen.decode()


def strip_style(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[mhl]", "", text)
