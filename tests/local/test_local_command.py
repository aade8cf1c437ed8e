"""``hf-text --local``: a real model in one command."""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from local_hub import Hub

import hf_text
from hf_text.local.names import DEFAULT_MODEL

fcntl = pytest.importorskip("fcntl", reason="signals and terminals as on Unix")
termios = pytest.importorskip("termios")

ROOT = Path(hf_text.__file__).parent.parent
COMMAND = [sys.executable, "-W", "error", "-m", "hf_text"]
NOTE = "hf-text: SmolLM2-135M-Instruct.Q4_1 (98 MB) is running on this machine. It is small: fluent, but often wrong"


def run(*argv: object, stdin: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, argv)]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=50, check=False, cwd=ROOT, **options
    )


@pytest.mark.parametrize("order", ["model first", "prompt first"])
def test_a_model_answers_and_is_introduced_once(model: Path, order: str) -> None:
    words = ["--local", model, "Why is the sky blue?"]
    done = run("--max-tokens", 20, "--temperature", 0, *(words if order == "model first" else [words[2], *words[:2]]))
    assert done.returncode == 0
    assert len(done.stdout.split()) > 5
    lines = [line for line in done.stderr.splitlines() if "is still loading" not in line]
    assert lines == [
        NOTE,
        "hf-text: warning: the answer was cut off at the token limit; raise it with --max-tokens",
    ]


def test_json_contains_the_answer_and_the_model(model: Path) -> None:
    done = run("--local", model.parent, "--json", "--max-tokens", 5, "--temperature", 0, "Why is the sky blue?")
    answer = json.loads(done.stdout)
    assert (answer["model"], answer["finish_reason"]) == (model.stem, "length")
    assert answer["text"].strip()


def test_piped_text_can_exceed_the_default_context(model: Path) -> None:
    done = run("--local", model, "--max-tokens", 3, "Summarise this:", stdin="word " * 8300)
    assert done.returncode == 1
    assert "available context size (8192 tokens)" in done.stderr  # the model's full context, not 4096


def test_a_word_after_local_can_be_the_prompt(hub: Hub) -> None:
    for words in (["Why is the sky blue?"], ["Hello!"], ["--", "Hello", "you"], ["Two words", "more"]):
        done = run("--local", *words)
        assert done.returncode == 1
        assert f"{DEFAULT_MODEL.partition(':')[0]!r} is neither on the Hub nor here" in done.stderr


@pytest.mark.parametrize("word", ["./no", ".modle", "no.gguf", "/no/where", "~/no"])
def test_a_missing_path_is_reported_and_not_taken_as_the_prompt(word: str) -> None:
    done = run("--local", word, "Hello!")
    assert done.returncode == 1
    assert f"there is neither a file nor a folder {word!r}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_ambiguous_word_after_local_is_refused() -> None:
    done = run("--local", "modle", "Hello!")
    assert done.returncode == 2
    assert "neither a file nor a folder 'modle' for --local" in done.stderr
    assert "write '--' before the prompt" in done.stderr


@pytest.mark.parametrize(
    "other", [["--demo"], ["--api-base", "http://localhost/v1"], ["--provider", "auto"], ["-m", "some/model"]]
)
def test_options_for_another_server_are_refused(other: list[str]) -> None:
    done = run("--local", ".", *other, "Hello!")
    assert done.returncode == 2
    assert f"cannot be combined with {other[0]}; name the model after --local" in done.stderr


def test_key_and_proxy_of_the_user_are_not_used(model: Path) -> None:
    foreign = {"HF_TOKEN": "hf_MadeUpKeyForTests", "HTTP_PROXY": "http://127.0.0.1:9", "HF_TEXT_API_KEY": "other"}
    done = run("--local", model, "--max-tokens", 3, "Hello!", env={**os.environ, **foreign})
    assert done.returncode == 0, done.stderr


def test_without_a_terminal_the_default_model_is_not_downloaded(hub: Hub, model: Path) -> None:
    hub.repos[DEFAULT_MODEL.partition(":")[0]] = {"qwen-q4_k_m.gguf": model}
    refused = run("--local", "Hello there!")
    assert refused.returncode == 2
    assert (
        "98 MB to download from the Hub; pass --yes to agree, or --local MODEL for a model that you have"
        in refused.stderr
    )
    assert hub.downloads == []
    agreed = run("--local", "--yes", "--max-tokens", 3, "Hello there!")
    assert agreed.returncode == 0, agreed.stderr
    assert hub.downloads == ["qwen-q4_k_m.gguf"]
    assert f"{DEFAULT_MODEL} (98 MB) is running on this machine" in agreed.stderr
    assert "%" not in agreed.stderr  # no progress bar on a pipe
    again = run("--local", "--max-tokens", 3, "Hello there!")
    assert again.returncode == 0, again.stderr


class Terminal:
    """The command on its own terminal."""

    def __init__(self, *argv: object) -> None:
        self.screen, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))  # a progress bar needs a width
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, argv)], stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, start_new_session=True
        )
        os.close(theirs)
        self.shown = ""

    def wait_for(self, text: str) -> None:
        """Wait until the terminal shows this text, possibly wrapped."""
        while text not in " ".join(self.shown.split()):
            assert select.select([self.screen], [], [], 30)[0], self.shown
            self.shown += os.read(self.screen, 1000).decode()

    def type(self, text: str) -> None:
        os.write(self.screen, text.encode())

    def finish(self) -> int:
        try:
            while select.select([self.screen], [], [], 30)[0]:
                self.shown += os.read(self.screen, 1000).decode()
        except OSError:  # the other end is closed
            pass
        return self.process.wait(timeout=15)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_(*argv: object) -> Terminal:
        opened.append(Terminal(*argv))
        return opened[-1]

    yield open_
    for each in opened:
        each.process.kill()
        each.process.wait()
        os.close(each.screen)


@pytest.mark.parametrize(("typed", "downloads"), [("\n", 1), ("yes\n", 1), ("n\n", 0)])
def test_on_a_terminal_the_download_is_confirmed_once_and_shows_progress(
    hub: Hub, model: Path, terminal: Callable[..., Terminal], typed: str, downloads: int
) -> None:
    hub.repos[DEFAULT_MODEL.partition(":")[0]] = {"qwen-q4_k_m.gguf": model}
    shown = terminal("--local", "--max-tokens", 3, "Hello there!")
    shown.wait_for("98 MB to download from the Hub. Agreed? [Y/n]")
    shown.type(typed)
    assert shown.finish() == (0 if downloads else 1)
    assert len(hub.downloads) == downloads
    assert ("100%" in shown.shown) == bool(downloads)
    assert ("was not downloaded. Use a model that you have" in " ".join(shown.shown.split())) != bool(downloads)


def test_ctrl_c_at_the_confirmation_ends_the_command(hub: Hub, model: Path, terminal: Callable[..., Terminal]) -> None:
    hub.repos[DEFAULT_MODEL.partition(":")[0]] = {"qwen-q4_k_m.gguf": model}
    shown = terminal("--local", "Hello there!")
    shown.wait_for("Agreed? [Y/n]")
    shown.process.send_signal(signal.SIGINT)
    assert shown.finish() == 130
    assert "Traceback" not in shown.shown


def test_ctrl_c_during_an_answer_leaves_no_server(model: Path, wait_for_end: Callable[[int], None]) -> None:
    with subprocess.Popen(
        [*COMMAND, "--local", str(model), "--max-tokens", "4000", "Count to a million in words, do not stop."],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=15)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    for child in children:
        wait_for_end(int(child))
    assert len(children) == 1


def test_ask_does_not_load_the_local_server_unless_used() -> None:
    code = """if True:
        import sys
        from hf_text.cli import main
        main(["--demo", "Hello!"])
        print([name for name in sys.modules if name.startswith("hf_text.local")])
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, cwd=ROOT, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
