"""One client for many threads and forked processes; leaks after many streams and at interpreter exit."""

from __future__ import annotations

import os
import pickle
import resource
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from hf_text import Client, Timeouts
from hf_text.emulator import Emulator, Gate, Response

InThread = Callable[..., Future[Any]]
RunPython = Callable[..., "subprocess.CompletedProcess[str]"]

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# --- Threads


def test_sixty_four_threads_share_a_client(
    make_client: Callable[..., Client], emulator: Emulator, in_thread: InThread
) -> None:
    """Each thread gets its own answers, and none waits for another's connection."""
    client = make_client(max_retries=0, timeout=30)
    emulator.always(lambda request: Response.text(request.json["messages"][0]["content"], " ok"))
    start = threading.Barrier(64)

    def work(number: int) -> int:
        start.wait(20)
        return sum(client.generate(f"{number}/{turn}").text == f"{number}/{turn} ok" for turn in range(50))

    futures = [in_thread(work, number) for number in range(64)]
    assert [future.result(50) for future in futures] == [50] * 64
    assert len(emulator.requests) == 64 * 50
    # One each, plus a few: if the end of a body is late, its connection is not waited for.
    assert emulator.connections <= 2 * 64


def test_more_threads_than_pooled_connections_are_served_silently(
    client: Client, emulator: Emulator, in_thread: InThread, caplog: pytest.LogCaptureFixture
) -> None:
    """urllib3 would log a warning, which Python prints, for each connection beyond the pool size."""
    gate = Gate()
    emulator.always(Response.text("One", delay=gate))
    futures = [in_thread(client.generate, "Hi") for _ in range(80)]
    emulator.wait_for_requests(80)
    gate.open()
    assert {future.result(10).text for future in futures} == {"One"}
    assert caplog.records == []


def test_threads_with_separate_streams_do_not_interfere(
    client: Client, emulator: Emulator, in_thread: InThread
) -> None:
    """Some are read, some abandoned, some cancelled, concurrently."""
    emulator.always(Response.text(*(f"{number} " for number in range(20))))
    whole = "".join(f"{number} " for number in range(20))

    def work(number: int) -> Counter[str]:
        seen: Counter[str] = Counter()
        for turn in range(10):
            with client.stream("Hi") as stream:
                for text in stream:
                    if (number + turn) % 3 == 0 and text == "7 ":
                        stream.close()
            seen["whole" if stream.partial.text == whole else "left"] += 1
        return seen

    futures = [in_thread(work, number) for number in range(8)]
    total: Counter[str] = sum((future.result(20) for future in futures), Counter())
    assert total["whole"] + total["left"] == 80
    assert total["whole"] >= 53


# --- Forks

FORK = """
import os, sys, warnings
warnings.filterwarnings("ignore", category=DeprecationWarning)  # of fork, where there are threads
import hf_text
client = hf_text.Client("hf_x", hub_url={url!r}, router_url={url!r}, timeout=5, max_retries=0)
stream = client.stream("parent's stream")
stream.read()
before = client.generate("parent").text  # leaves a connection that a child could take
children = []
for number in range(4):
    child = os.fork()
    if not child:
        ok = all(client.generate(f"child {{number}} {{turn}}").text == before for turn in range(5))
        os._exit(0 if ok else 1)
    children.append(child)
for child in children:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
while stream.read():
    pass
assert stream.completion.finish_reason == "stop", stream.completion
assert client.generate("parent").text == before
print("fine")
"""


@forks
def test_a_used_client_works_in_forked_processes_and_their_parent(emulator: Emulator, run_python: RunPython) -> None:
    gate = Gate()
    first, *rest = Response.text("One", " two").body  # type: ignore[misc]
    emulator.always(
        lambda request: Response(
            headers={"Content-Type": "text/event-stream"},
            body=(first, *rest)
            if "stream" not in request.json["messages"][0]["content"]
            else (first, rest[0], gate, *rest[1:]),
        )
    )

    def open_the_gate() -> None:
        emulator.wait_for_requests(22, 20)
        gate.open()

    threading.Thread(target=open_the_gate, daemon=True).start()
    result = run_python(FORK.format(url=emulator.url))
    assert (result.stdout, result.stderr, result.returncode) == ("fine\n", "", 0)
    of_process: dict[str, set[int]] = {}
    for request in emulator.requests:
        name = " ".join(request.json["messages"][0]["content"].split()[:2])
        of_process.setdefault(name, set()).add(request.connection)
    children = [of_process[f"child {number}"] for number in range(4)]
    assert all(len(connections) == 1 for connections in children)
    assert len(set.union(*children, of_process["parent"])) == 4 + len(of_process["parent"])


# --- Pickles


def test_a_client_is_pickled_with_its_settings_and_without_its_connections(client: Client, emulator: Emulator) -> None:
    client.generate("Hi")
    copy = pickle.loads(pickle.dumps(client))
    assert copy.generate("Hi").text
    copy.close()
    first, second = emulator.requests
    assert first.connection != second.connection
    assert (first.key, first.headers["user-agent"]) == (second.key, second.headers["user-agent"])
    assert repr(copy) == repr(client)


def test_all_settings_of_a_client_survive_a_pickle(emulator: Emulator) -> None:
    client = Client(
        "hf_x",
        provider=["novita", "groq"],
        timeout=Timeouts(1, 2, 3, 4),
        max_retries=7,
        bill_to="us",
        headers={"X-Mine": "yes"},
        proxies={"ftp": "http://127.0.0.1:1"},
        verify=False,
        hub_url=emulator.url,
        router_url=emulator.url,
        max_event_bytes=1000,
    )
    copy = pickle.loads(pickle.dumps(client))
    assert pickle.dumps(copy) == pickle.dumps(client)
    copy.generate("Hi")
    copy.close()
    request = emulator.requests[0]
    assert (request.headers["x-mine"], request.headers["x-hf-bill-to"]) == ("yes", "us")
    assert request.json["model"].endswith(":novita")


def test_a_completion_survives_a_pickle(client: Client, emulator: Emulator) -> None:
    emulator.reply(Response.text("One", usage=(1, 2), tool_calls=[("look", {"at": 1})]))
    completion = client.generate("Hi")
    assert pickle.loads(pickle.dumps(completion)) == completion


@pytest.mark.parametrize("fault", ["cut-mid-stream", "error-in-stream", "bad-key", "closed-before-headers", "html-200"])
def test_an_error_survives_a_pickle_with_all_attributes(
    once: Client, emulator: Emulator, outcome: Callable[..., Any], fault: str
) -> None:
    emulator.reply(fault)
    error = outcome(once.stream("Hi")).error
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.attempts == error.attempts
    assert getattr(copy, "partial", None) == getattr(error, "partial", None)


# --- No growth


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="this system does not list open descriptors")
def test_two_thousand_streams_leak_no_descriptor_thread_or_memory(client: Client, emulator: Emulator) -> None:
    """Complete, abandoned and broken ones in turn."""
    whole = Response.text("One", " two")
    emulator.always(whole)

    def run(turns: int) -> None:
        for turn in range(turns):
            if turn % 10 == 3:
                emulator.reply("cut-mid-stream")
                with pytest.raises(Exception, match="cut the answer off"):
                    client.generate("Hi")
            elif turn % 10 == 7:
                for _ in client.stream("Hi"):
                    break
            else:
                client.generate("Hi")

    run(50)
    before, threads = descriptors(), threading.active_count()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run(1950)
    assert descriptors() <= before + 4
    assert threading.active_count() <= threads + 4
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 20_000  # KiB; the emulator keeps all requests


# --- Interpreter exit

OPEN_STREAM = """
import hf_text, sys, threading
client = hf_text.Client("hf_x", hub_url={url!r}, router_url={url!r})
stream = client.stream("Hi")
texts = iter(stream)
next(texts)
{more}
print("end")
"""


@pytest.mark.parametrize(
    "more",
    [
        "",
        "del stream",
        "sys.stream, sys.texts = stream, texts",
        "threading.Thread(target=lambda: list(texts), daemon=True).start()",
    ],
    ids=["in the module", "only the iterator", "held by a module", "read by a daemon thread"],
)
def test_the_interpreter_exits_with_a_stream_still_open(emulator: Emulator, run_python: RunPython, more: str) -> None:
    emulator.reply("stall-mid-stream")
    result = run_python(OPEN_STREAM.format(url=emulator.url, more=more))
    assert (result.stdout, result.stderr, result.returncode) == ("end\n", "", 0)
    emulator.wait_for_disconnect()


def test_the_interpreter_exits_while_a_name_is_being_resolved(run_python: RunPython) -> None:
    program = """
import socket, threading, hf_text
socket.getaddrinfo = lambda *_, **__: threading.Event().wait(30)
try:
    hf_text.Client(api_base="http://slow.invalid/v1", timeout=0.1).generate("Hi", "m")
except hf_text.RequestTimeoutError as error:
    print(error.clock)
"""
    result = run_python(program)
    assert (result.stdout, result.stderr, result.returncode) == ("connect\n", "", 0)


DEVELOPER = """
import hf_text
from hf_text.transport import sockets
del sockets._Socket.__del__, sockets.TLSSocket.__del__  # without which Python says who was left to the collector
client = hf_text.Client("hf_x", hub_url={url!r}, router_url={url!r}, max_retries=0)
for _ in range(9):
    try:
        for text in client.stream("Hi"):
            if text == "leave":
                break
    except hf_text.HFTextError as error:
        print(type(error).__name__)
del client
hf_text.Client("hf_x", hub_url={url!r}, router_url={url!r}).generate("Hi")
"""


def test_development_mode_reports_nothing(emulator: Emulator, run_python: RunPython) -> None:
    """No socket, file or thread is left to the collector, however a stream ends."""
    emulator.reply(
        Response.text("One"),
        Response.text("One", encoding="gzip"),
        "cut-mid-stream",
        "reset-mid-stream",
        "bad-key",
        "html-200",
        Response.text("leave", "x", end="stall"),
        "closed-before-headers",
        Response.text("One", framing="close"),
    )
    result = run_python(DEVELOPER.format(url=emulator.url), "-X", "dev")
    errors = [
        "TruncatedStreamError",
        "TruncatedStreamError",
        "AuthenticationError",
        "MalformedStreamError",
        "TransportError",
    ]
    assert (result.stderr, result.returncode) == ("", 0)
    assert result.stdout.split() == errors


# --- One connection after another


def test_later_requests_on_a_connection_differ_only_in_length(emulator: Emulator) -> None:
    emulator.always(Response.text("ok"))
    prompts = ["Hi", "A longer question, with an ä", "Hi"]
    with Client("hf_secret_of_mine", api_base=emulator.api_base, headers={"X-Note": "mine"}) as client:
        for prompt in prompts:
            assert client.generate(prompt, model="m").text
    first, second, third = (dict(request.headers) for request in emulator.requests)
    lengths = [int(request.headers["Content-Length"]) for request in emulator.requests]
    assert lengths == [len(request.body) for request in emulator.requests]
    assert [request.json["messages"][0]["content"] for request in emulator.requests] == prompts
    assert first == third
    assert [name for name in first if first[name] != second[name]] == ["content-length"]
    assert emulator.connections == 1
