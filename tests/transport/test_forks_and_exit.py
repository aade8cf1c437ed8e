"""Copies of a stream in forked processes, and streams and calls at interpreter exit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hf_text.emulator import Emulator, Gate, Response

RunPython = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = Path(__file__).parents[2]

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@pytest.fixture(params=["http", "https"])
def server(request: pytest.FixtureRequest, certificate: tuple[str, str]) -> Iterator[Emulator]:
    with Emulator(tls=certificate if request.param == "https" else None) as running:
        yield running


BEGIN = """
import asyncio, gc, multiprocessing, os, sys, threading, warnings
warnings.filterwarnings("ignore", category=DeprecationWarning)  # of fork, where there are threads
import hf_text
from hf_text.aio import AsyncClient

class Holder:
    pass

options = {"api_base": sys.argv[1], "timeout": 10, "max_retries": 0, "verify": sys.argv[2]}
"""

# --- Forks

FORK = """
client = hf_text.Client(**options)
stream = client.stream("parent", "m")
texts = iter(stream)
first = next(texts)

def close():
    stream.close()

def cancel():
    stream.cancel()

def close_iterator():
    texts.close()

def leave():
    with stream:
        pass

def drop():
    global stream, texts
    stream = texts = None

def drop_in_a_circle():
    global stream, texts
    holder = Holder()
    holder.all = holder, stream, texts
    stream = texts = holder = None
    gc.collect()

def close_client():
    client.close()

def drop_client():
    global client, stream, texts
    client = stream = texts = None
    gc.collect()

def ask_something_else():
    assert client.generate("child", "m").text == "Child"

def read():
    for reading in (lambda: list(texts), stream.read):
        try:
            reading()
        except hf_text.InvalidRequestError as error:
            assert str(error) == "this stream belongs to the parent process of this fork", error
            break
    else:
        raise AssertionError("it was read")
    assert stream.partial.text == "One"

def do_nothing():
    pass

kinds = [close, cancel, close_iterator, leave, drop, drop_in_a_circle, close_client, drop_client]
for kind in [*kinds, ask_something_else, read, do_nothing]:
    {fork}
    assert status == 0, kind
print("forked", flush=True)
print(first + "".join(texts))
print(stream.completion.finish_reason)
"""
FORKS = {
    "by itself": """
    pid = os.fork()
    if not pid:
        kind()
        sys.exit()
    status = os.waitpid(pid, 0)[1]""",
    "without cleaning up": """
    pid = os.fork()
    if not pid:
        kind()
        os._exit(0)
    status = os.waitpid(pid, 0)[1]""",
    "by multiprocessing": """
    process = multiprocessing.get_context("fork").Process(target=kind)
    process.start()
    process.join()
    status = process.exitcode""",
}


def run_parent(server: Emulator, program: str, verify: str) -> tuple[str, str, int]:
    """Run a program whose stream continues once the program reports its fork."""
    gate = Gate()
    first, second, *rest = Response.text("One", " two").body  # type: ignore[misc]
    whole = Response(headers={"Content-Type": "text/event-stream"}, body=(first, second, gate, *rest))
    server.always(
        lambda request: Response.text("Child") if request.json["messages"][0]["content"] == "child" else whole
    )
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", program, server.api_base, verify]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        output = process.stdout.readline()
        gate.open()
        output += process.stdout.read()
        errors = process.stderr.read()
    return output, errors, process.returncode


@forks
@pytest.mark.parametrize("fork", FORKS)
def test_a_forked_copy_of_a_stream_does_not_disturb_the_parent(
    server: Emulator, certificate: tuple[str, str], fork: str
) -> None:
    """The child closes, cancels, drops, ends, or tries to read the parent's stream."""
    result = run_parent(server, BEGIN + FORK.format(fork=FORKS[fork]), certificate[0])
    assert result == ("forked\nOne two\nstop\n", "", 0)


READ_BY_THREAD = """
client = hf_text.Client(**options)
stream = client.stream("parent", "m")
texts = iter(stream)
first, rest = next(texts), []
thread = threading.Thread(target=lambda: rest.extend(texts))
thread.start()

def kind():
    stream.close()

for _ in range(5):
    {fork}
    assert status == 0
print("forked", flush=True)
thread.join()
print(first + "".join(rest))
print(stream.completion.finish_reason)
"""


@forks
def test_a_forked_process_does_not_touch_a_stream_read_by_another_thread(
    server: Emulator, certificate: tuple[str, str]
) -> None:
    result = run_parent(server, BEGIN + READ_BY_THREAD.format(fork=FORKS["by itself"]), certificate[0])
    assert result == ("forked\nOne two\nstop\n", "", 0)


ASYNC = """
async def main():
    async with AsyncClient(**options) as client, client.stream("parent", "m") as stream:
        texts = aiter(stream)
        first = await anext(texts)
        pid = os.fork()
        if not pid:
            stream.close()
            del texts, stream
            gc.collect()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        print("forked", flush=True)
        print(first + "".join([text async for text in texts]))
        print(stream.completion.finish_reason)

asyncio.run(main(), debug=False)
"""


@forks
def test_a_forked_process_does_not_touch_the_async_stream_of_its_parent(
    server: Emulator, certificate: tuple[str, str]
) -> None:
    assert run_parent(server, BEGIN + ASYNC, certificate[0]) == ("forked\nOne two\nstop\n", "", 0)


UNBEGUN = """
client = hf_text.Client(**options)
stream = client.stream("child", "m")

def kind():
    assert "".join(stream) == "Child"

if True:
    {fork}
    assert status == 0
print("forked", flush=True)
"""


@forks
def test_an_unstarted_stream_can_be_read_in_a_forked_process(server: Emulator, certificate: tuple[str, str]) -> None:
    program = BEGIN + UNBEGUN.format(fork=FORKS["by multiprocessing"])
    assert run_parent(server, program, certificate[0]) == ("forked\n", "", 0)


# --- Streams at interpreter exit

CIRCLES = {
    "of an object": "holder.all = holder, client, stream, texts",
    "without the collector": "gc.disable(); holder.all = holder, client, stream, texts; del holder",
    "of a class": "Holder.all = Holder, client, stream, texts",
    "held by a module": "holder.all = holder, client, stream, texts; sys.holder = holder",
    "collected before": "holder.all = holder, client, stream, texts; del holder, client, stream, texts; gc.collect()",
    "with its frame": "holder.all = holder, stream, sys._getframe()",
}


@pytest.mark.parametrize(
    ("server", "name"), [("http", "of an object"), *(("https", name) for name in CIRCLES)], indirect=["server"]
)
def test_the_interpreter_exits_quietly_with_a_stream_in_a_cycle(
    server: Emulator, certificate: tuple[str, str], run_python: RunPython, name: str
) -> None:
    server.reply("stall-mid-stream")
    program = f"""{BEGIN}
holder = Holder()
client = hf_text.Client(**options)
stream = client.stream("Hi", "m")
texts = iter(stream)
next(texts)
{CIRCLES[name]}
print("end")
"""
    result = run_python(program, "-X", "dev", arguments=[server.api_base, certificate[0]])
    assert (result.stdout, result.stderr, result.returncode) == ("end\n", "", 0)
    server.wait_for_disconnect()


ASYNC_CIRCLE = """
holder = Holder()

async def main():
    client = AsyncClient(**options)
    stream = client.stream("Hi", "m")
    holder.all = holder, client, stream, aiter(stream)
    await anext(holder.all[-1])

asyncio.run(main(), debug=False)
print("end")
"""


def test_the_interpreter_exits_quietly_with_an_async_stream_in_a_cycle(
    server: Emulator, certificate: tuple[str, str], run_python: RunPython
) -> None:
    server.reply("stall-mid-stream")
    result = run_python(BEGIN + ASYNC_CIRCLE, "-X", "dev", arguments=[server.api_base, certificate[0]])
    assert (result.stdout, result.stderr, result.returncode) == ("end\n", "", 0)
    server.wait_for_disconnect()


# --- Calls at interpreter exit

LAST_WORDS = """
class Teller:
    def __init__(self, client):
        self.client = client
        {before}

    def __del__(self):
        print(self.client.generate("Hi", "m").text, flush=True)

{more}
teller = Teller(hf_text.Client(**options))
"""


@pytest.mark.parametrize("before", ["pass", "self.client.generate('Hi', 'm')", "self.circle = self"])
def test_a_call_from_a_finalizer_at_interpreter_exit_is_answered(
    emulator: Emulator, run_python: RunPython, before: str
) -> None:
    """At that point no module can be imported and no thread started."""
    emulator.always(Response.text("Good", "bye"))
    program = BEGIN + LAST_WORDS.format(before=before, more="options['verify'] = True; options['api_key'] = 'x' * 9")
    result = run_python(program, "-X", "dev", arguments=[emulator.api_base, ""])
    assert (result.stdout, result.stderr, result.returncode) == ("Goodbye\n", "", 0)


NAMED = """
options["verify"], options["api_key"] = True, "x" * 9
options["api_base"] = options["api_base"].replace("127.0.0.1", "host.test")
exec('''
import socket
real = socket.getaddrinfo

def find(host, *args, **options):
    return real("127.0.0.1" if host in ("host.test", b"host.test") else host, *args, **options)

socket.getaddrinfo = find
''', {})
"""


def test_names_are_resolved_without_a_thread_at_interpreter_exit(emulator: Emulator, run_python: RunPython) -> None:
    """A thread started then never runs, and waiting for it would hang."""
    emulator.always(Response.text("Good", "bye"))
    program = BEGIN + NAMED + LAST_WORDS.format(before="str.encode('x', 'idna')", more="")
    result = run_python(program, "-X", "dev", arguments=[emulator.api_base, ""])
    assert (result.stdout, result.stderr, result.returncode) == ("Goodbye\n", "", 0)


FAILING = """
class Teller:
    def __init__(self, client):
        self.client = client

    def __del__(self):
        try:
            self.client.generate("Hi", "m")
        except hf_text.HFTextError as error:
            print(type(error).__name__, flush=True)

teller = Teller(hf_text.Client(**options))
"""


def test_a_failing_call_from_a_finalizer_raises_a_library_error(
    server: Emulator, certificate: tuple[str, str], run_python: RunPython
) -> None:
    """Over TLS, which needs Python's own modules, it may fail earlier."""
    server.always(Response.error(500, "down"))
    result = run_python(BEGIN + FAILING, "-X", "dev", arguments=[server.api_base, certificate[0]])
    assert (result.stderr, result.returncode) == ("", 0)
    assert result.stdout in ("ServerError\n", "TransportError\n" if server.url.startswith("https") else "")


NO_THREADS = """
def refuse(*_, **__):
    raise RuntimeError("can't start new thread")

client = hf_text.Client(**options)
threading.Thread.start = refuse
print(client.generate("Hi", "m").text)
"""


def test_names_are_resolved_without_a_thread_if_none_can_start(emulator: Emulator, run_python: RunPython) -> None:
    emulator.always(Response.text("One"))
    result = run_python(BEGIN + NAMED + NO_THREADS, arguments=[emulator.api_base, ""])
    assert (result.stdout, result.stderr, result.returncode) == ("One\n", "", 0)


# --- Verification switched off


def test_disabled_verification_gives_no_warning(server: Emulator, run_python: RunPython) -> None:
    server.always(Response.text("One"))
    program = BEGIN + "options['verify'] = False\nprint(hf_text.Client(**options).generate('Hi', 'm').text)"
    result = run_python(program, "-X", "dev", arguments=[server.api_base, ""])
    assert (result.stdout, result.stderr, result.returncode) == ("One\n", "", 0)
