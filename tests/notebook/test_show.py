"""``show()`` and ``%%hf_text`` in a kernel: the messages to the frontend, and the saved output."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import nbformat
import pytest
from kernels import Kernel, leaving_no_loop, plain, run_notebook, starting_kernel

import hf_text
from hf_text.emulator import Emulator, Response
from hf_text.notebook import show

KEY = "hf_MadeUpKeyForTests"
PIECES = [f"word{number} " for number in range(60)]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> Iterator[None]:
    monkeypatch.setenv("HF_TOKEN", KEY)
    with leaving_no_loop():
        yield


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    with starting_kernel() as kernel:
        kernel.run("from hf_text.notebook import show\nimport hf_text\n%load_ext hf_text")
        yield kernel


def shown_last(messages: list[Any]) -> str:
    """Return the final Markdown of the cell's only output."""
    shown = [message for message in messages if "data" in message["content"]]
    assert {message["msg_type"] for message in shown[1:]} <= {"update_display_data"}
    assert len({message["content"]["transient"]["display_id"] for message in shown}) == 1
    return str(shown[-1]["content"]["data"]["text/markdown"])


def test_show_updates_one_output_at_most_ten_times_a_second(emulator: Emulator, kernel: Kernel) -> None:
    emulator.reply(Response.text(*PIECES, reasoning=["Hm."], usage=(1_000_000, 60), provider="novita", pace=0.01))
    messages = kernel.messages('show("Tell me a story.")')
    last = shown_last(messages)
    assert last.startswith("<details><summary>Reasoning</summary>\n\n> Hm.\n\n</details>\n\nword0 word1 ")
    assert "word59 \n\n<sub>openai/gpt-oss-120b · novita · 1,000,000 + 60 tokens · " in last
    assert last.endswith(" s · <span>&#36;</span>0.10</sub>")
    seen = [message["content"]["data"]["text/markdown"] for message in messages]
    assert "waiting for the answer" in seen[0]
    assert any("writing …" in text and "word59" not in text for text in seen)
    dates: list[datetime] = [message["header"]["date"] for message in messages]
    assert min((later - date).total_seconds() for date, later in pairwise(dates)) > 0.09


def test_the_value_of_a_cell_is_not_shown_twice(kernel: Kernel) -> None:
    assert "<sub>" in shown_last(kernel.messages('answer = show("Hi")\nanswer'))
    (message,) = kernel.messages("answer")
    assert message["msg_type"] == "execute_result"
    assert message["content"]["data"]["text/markdown"].startswith("This is the hf_text emulator")


def test_the_stop_button_and_an_error_keep_what_arrived(emulator: Emulator, kernel: Kernel) -> None:
    emulator.reply(Response.text("Once", " upon", finish=None, done=False, end="stall"))
    running = kernel.begin('show("Story")')
    kernel.wait_for_output(running, "Once upon")
    kernel.press_stop()
    stopped = kernel.rest_of(running)
    assert stopped[-1]["content"]["ename"] == "KeyboardInterrupt"
    assert len(plain(stopped[-1]["content"]["traceback"]).splitlines()) <= 15
    assert shown_last(stopped).startswith("Once upon\n\n<sub>stopped · openai/gpt-oss-120b")

    emulator.reply("cut-mid-stream")
    failed = kernel.messages('show("Story")')
    assert failed[-1]["content"]["ename"] == "TruncatedStreamError"
    assert "One two\n\n<sub>not complete&#58; TruncatedStreamError" in shown_last(failed)


def test_the_magic_sends_the_cell_and_continues_the_conversation(emulator: Emulator, kernel: Kernel) -> None:
    shown_last(kernel.messages('%%hf_text -s "Be brief." --temperature 0 --out answer\nWhat is\nair?'))
    assert kernel.run("print(answer.text, _ is answer)").endswith("You asked: What is\nair? True\n")
    shown_last(kernel.messages("%%hf_text -c\nAnd water?"))
    first, second = (request.json for request in emulator.requests if request.method == "POST")
    assert first["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is\nair?"},
    ]
    assert [message["role"] for message in second["messages"]] == ["system", "user", "assistant", "user"]
    assert second["temperature"] == 0
    assert "--continue" in kernel.run("%hf_text --help")


def test_an_invalid_magic_line_is_reported_on_one_line(emulator: Emulator, kernel: Kernel) -> None:
    wrong = {
        "%hf_text": "no prompt was given",
        "%hf_text --modle x Hi": "unknown option --modle; did you mean --model?",
        "%hf_text 'Hi": "No closing quotation",
        "%hf_text -c Hi": "--continue needs an earlier cell",
        "%hf_text --max-tokens lots Hi": "--max-tokens",
        "%hf_text --api-key hf_secret Hi": "HF_TOKEN",
    }
    for cell, words in wrong.items():
        (message,) = kernel.messages(cell)
        assert message["content"].get("ename") == "InvalidRequestError", cell
        assert words in message["content"]["evalue"]
        assert len(plain(message["content"]["traceback"]).splitlines()) <= 15
    assert emulator.requests == []


def test_a_saved_notebook_contains_each_text_once(emulator: Emulator) -> None:
    cells = ["from hf_text.notebook import show\nshow('One')", "%load_ext hf_text", "%%hf_text\nTwo"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    saved = run_notebook(nbformat.writes(notebook))
    assert [len(cell.outputs) for cell in saved.cells] == [1, 0, 1]
    markdown = [output.data["text/markdown"] for cell in saved.cells for output in cell.outputs]
    assert [text.count("You asked: ") for text in markdown] == [1, 1]


# Without a notebook


def test_without_a_notebook_it_is_printed_as_it_arrives(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    emulator.reply(Response.text("A \x1b[31mstar", " fell."))
    with hf_text.Client() as client:
        answer = show("Story", client=client)
    assert answer.text == "A \x1b[31mstar fell."
    printed = capsys.readouterr().out
    assert printed.startswith("A \\x1b[31mstar fell.\n[openai/gpt-oss-120b")


def test_a_stream_can_be_shown_but_takes_no_options(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    with hf_text.Client() as client:
        chat = hf_text.Conversation(client)
        assert show(chat.stream("One")) == chat.completions[-1]
        assert show(client.stream("Two")).text.endswith("Two")
        with pytest.raises(hf_text.InvalidRequestError, match="temperature is an option of the stream"):
            show(client.stream("Three"), temperature=1)
        with pytest.raises(hf_text.InvalidRequestError, match="client must be a Client"):
            show("Four", client=chat)  # type: ignore[arg-type]
        with pytest.raises(hf_text.InvalidRequestError, match="a stream of a blocking Client"):
            show(hf_text.aio.AsyncClient().stream("Five"))  # type: ignore[attr-defined]
        with pytest.raises(hf_text.InvalidRequestError, match="'api_base' is an argument of Client"):
            show("Six", base_url="http://x")  # type: ignore[call-arg]
    assert "Three" not in capsys.readouterr().out


def test_terminal_ipython_prints_once_with_short_tracebacks(emulator: Emulator) -> None:
    cells = (
        "from hf_text.notebook import show; import hf_text; show('One')",
        "hf_text.generate('Two')",
        "hf_text.generate('x', media='nope.png')",
        "%load_ext hf_text",
        "%hf_text Three",
        "hf_text.models(search='gpt-oss')",
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "IPython",
            "--simple-prompt",
            "--no-banner",
            "--colors=NoColor",
            "--HistoryManager.enabled=False",
        ],
        input="\n".join(cells) + "\n",
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
        env={**os.environ, **emulator.environ, "IPYTHONDIR": os.environ["HOME"]},
    )
    assert done.stdout.count("You asked: One") == done.stdout.count("You asked: Three") == 1
    assert "You asked: Two\n\n[openai/gpt-oss-120b · novita" in done.stdout
    assert "media[0] cannot be read: No such file or directory: 'nope.png'" in done.stdout
    assert "wrong_names.py" not in done.stdout
    assert "2 models\nmodel " in done.stdout
