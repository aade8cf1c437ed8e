"""What users see of an expected failure: their own line, and a message with advice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kernels import leaving_no_loop, plain, starting_kernel

import hf_text
from hf_text.callers import cached_operations
from hf_text.emulator import Emulator, Response

MAX_LINES = 15

FORBIDDEN = Response.error(403, "No.", "string")

# The code, the server's answer, and the beginning of the last line.
FAILURES: dict[str, tuple[str, str | Response | None, str]] = {
    "a picture that is not there": (
        'client.generate("Hi", media="nope.png")',
        None,
        "InvalidRequestError: media[0] cannot be read: No such file or directory: 'nope.png'",
    ),
    "a model that nobody has": ('client.generate("Hi", "a/b:novita")', None, "ModelNotSupportedError: The requested"),
    "a model that the Hub does not have": ('client.mapping("a/b")', None, "ModelNotSupportedError: the Hub has no"),
    "a wrong key": ('client.generate("Hi")', "bad-key", "AuthenticationError: "),
    "no credits": ('client.generate("Hi")', "credits-used-up", "PaymentRequiredError: "),
    "a cut answer": ('client.generate("Hi")', "cut-mid-stream", "TruncatedStreamError: "),
    "a cut answer, read as it arrives": ('for _ in client.stream("Hi"): pass', "cut-mid-stream", "TruncatedStreamErr"),
    "a cut answer, in a conversation": (
        'for _ in hf_text.Conversation(client).stream("Hi"): pass',
        "cut-mid-stream",
        "TruncatedStreamError: ",
    ),
    "an answer that is not of the type": (
        'client.parse("Hi", int, retries=0)',
        Response.text("many"),
        "StructuredOutputError: ",
    ),
    "no server": (
        'hf_text.Client(api_base="http://127.0.0.1:9/v1", max_retries=0).generate("Hi", "m")',
        None,
        "TransportError: cannot reach 127.0.0.1:9: connection refused. Is the server running",
    ),
    "a wrong name": ('client.generate(prompt="Hi")', None, "InvalidRequestError: Client.generate() has no argument"),
    "a wrong value": ('client.stream("Hi", temperature="hot")', None, "InvalidRequestError: temperature must be"),
    "an answer that is not whole yet": ('client.stream("Hi").completion', None, "StreamError: the answer is not"),
    "a bad row": ('hf_text.batch.run([3], "out.jsonl")', None, "InvalidRequestError: "),
    "a listing that fails": ("list(client.hub_models())", FORBIDDEN, "PermissionDeniedError: No."),
    "the class interface": (
        'list(hf_text.HuggingFaceAPI.create_generator("", "Hi", max_retries=0))',
        "bad-key",
        "AuthenticationError: ",
    ),
    "an async client": ('asyncio.run(ask("Hi", media="nope.png"))', None, "InvalidRequestError: media[0] cannot"),
    "an async answer that is cut": ('asyncio.run(ask("Hi"))', "cut-mid-stream", "TruncatedStreamError: "),
}
HELPERS = """
def ask(question):
    question = question.strip()
    answer = client.generate(question, media="nope.png")
    text = answer.text
    return text

def summarize(texts):
    out = []
    for text in texts:
        out.append(ask(text))
    return out
"""
SETUP = """
import asyncio, hf_text, hf_text.batch, hf_text.aio
client = hf_text.Client(max_retries=0)
async def ask(*args, **options):
    async with hf_text.aio.AsyncClient(max_retries=0) as client:
        return await client.generate(*args, **options)
"""


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch, emulator: Emulator, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("HF_TOKEN", "hf_MadeUpKeyForTests")
    monkeypatch.delenv("HF_TEXT_DEBUG", raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    cached_operations.cache_clear()


def reply(emulator: Emulator, answer: str | Response | None) -> None:
    if answer is not None:
        emulator.reply(answer, path="/api/models" if answer is FORBIDDEN else None)


def fail(code: str) -> BaseException:
    """The error that ends the code, as it leaves the user's program."""
    variables: dict[str, Any] = {"__name__": "__main__"}
    exec(SETUP, variables)
    try:
        exec(compile(code, "user.py", "exec"), variables)
    except (hf_text.HFTextError, KeyboardInterrupt) as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next  # drop the frame of this function
        return error
    finally:
        variables["client"].close()
    pytest.fail("it did not fail")


def printed(error: BaseException) -> list[str]:
    """The lines that Python prints."""
    return "".join(traceback.format_exception(error)).splitlines()


@pytest.mark.parametrize("name", FAILURES)
def test_python_prints_at_most_fifteen_lines(emulator: Emulator, name: str) -> None:
    code, answer, words = FAILURES[name]
    reply(emulator, answer)
    lines = printed(fail(code))
    assert lines[-1].removeprefix("hf_text.errors.").startswith(words)
    assert "exception" not in "\n".join(lines[:-1])
    if "asyncio" in code:  # asyncio adds its own frames
        lines = [line for line in lines if "asyncio" not in line]
    assert len(lines) <= MAX_LINES
    assert sum("/hf_text/" in line for line in lines) <= 1 + ("async" in code)


@pytest.mark.timeout(180)  # many cells
def test_jupyter_shows_at_most_fifteen_lines(emulator: Emulator) -> None:
    with leaving_no_loop(), starting_kernel() as kernel:
        kernel.run(SETUP)
        for code, answer, words in FAILURES.values():
            if "asyncio.run" not in code:  # a cell uses await instead
                reply(emulator, answer)
                (message,) = kernel.messages(f"1\n2\n3\n4\n5\n{code}\n7\n8\n9")
                lines = plain(message["content"]["traceback"]).splitlines()
                assert lines[-1].startswith(words)
                assert len(lines) <= MAX_LINES
                assert "/hf_text/" not in "\n".join(lines)
        (message,) = kernel.messages('await ask("Hi", media="nope.png")')
        assert len(plain(message["content"]["traceback"]).splitlines()) <= MAX_LINES
        kernel.run(HELPERS)
        (message,) = kernel.messages("1\n2\nsummarize(['Hi'])\n4\n5")
        lines = plain(message["content"]["traceback"]).splitlines()
        assert len(lines) <= MAX_LINES
        assert [line.partition("> ")[2].split() for line in lines if line.startswith("--") and ">" in line] == [
            ["3", "summarize(['Hi'])"],
            ["10", "out.append(ask(text))"],
            ["3", "answer", "=", "client.generate(question,", 'media="nope.png")'],
        ]
        (message,) = kernel.messages("%env HF_TEXT_DEBUG=1")
        (message,) = kernel.messages('client.generate("Hi", media="nope.png")')
        assert len(plain(message["content"]["traceback"]).splitlines()) > 50
        kernel.run("client.close(); hf_text.callers.cached_operations.cache_clear()")


def test_a_program_prints_a_short_traceback() -> None:
    code = SETUP + 'client.generate("Hi", media="nope.png")'
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert len(done.stderr.splitlines()) <= MAX_LINES
    assert done.stderr.endswith("InvalidRequestError: media[0] cannot be read: No such file or directory: 'nope.png'\n")


def test_debug_mode_shows_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TEXT_DEBUG", "1")
    error = fail('client.generate("Hi", media="nope.png")')
    assert isinstance(error.__cause__, FileNotFoundError)
    lines = printed(error)
    assert len(lines) > MAX_LINES
    assert "_read_path" in "\n".join(lines)


def test_the_cause_is_kept_but_not_printed() -> None:
    error = fail('client.generate("Hi", media="nope.png")')
    assert isinstance(error.__context__, FileNotFoundError)
    assert error.__suppress_context__


def test_the_lines_of_the_user_are_shown() -> None:
    error = fail("try:\n    1 / 0\nexcept ZeroDivisionError:\n    client.generate('Hi', temperature='hot')")
    assert "ZeroDivisionError: division by zero" in printed(error)


def test_the_lines_of_a_callback_are_kept(emulator: Emulator) -> None:
    code = """
    def rows():
        yield {"prompt": "One"}
        yield {"prompt": client.generate("Hi", media="nope.png")}
    hf_text.batch.run(rows(), "out.jsonl", client=client)
    """
    names = [frame.name for frame in traceback.extract_tb(fail(textwrap.dedent(code)).__traceback__)]
    assert "rows" in names
    assert len(names) <= 5


@pytest.mark.skipif(os.name == "nt", reason="a signal to this process alone")
@pytest.mark.parametrize(
    "code",
    [
        'client.generate("Hi")',
        'for _ in client.stream("Hi"): pass',
        'hf_text.Conversation(client).generate("Hi")',
        'for _ in hf_text.Conversation(client).stream("Hi"): pass',
        'list(hf_text.batch.generate(["Hi"], client=client))',
    ],
)
def test_ctrl_c_shows_the_line_that_was_waiting(emulator: Emulator, code: str) -> None:
    def interrupt(_: Any) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return "stall-before-headers"

    emulator.reply(interrupt)
    lines = printed(fail(code))
    assert lines[-1] == "KeyboardInterrupt"
    assert len(lines) <= MAX_LINES
    assert sum("/hf_text/" in line for line in lines) <= 2


def test_other_errors_keep_their_full_traceback() -> None:
    """A bug in the library itself keeps its full traceback, for the developers."""
    broken = hf_text.Client()
    del broken.operations
    with pytest.raises(AttributeError) as caught:
        broken.generate("Hi")
    assert len(traceback.extract_tb(caught.value.__traceback__)) > 3
