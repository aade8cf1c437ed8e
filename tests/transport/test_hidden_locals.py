"""SIGINT at any stage of a request leaves a traceback whose variables hold no secret.

Tools that log tracebacks with variables (``traceback``, Sentry, rich, pytest with ``--showlocals``) use their ``repr``.
"""

from __future__ import annotations

import signal
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Any

import pytest

import hf_text
from hf_text import Client, HuggingFaceAPI
from hf_text.emulator import Emulator

KEY = "hf_Zw9Kq3Vt7Rb5Xn1Jm8Lc4Pd6"
HEADER = "Gy4Tz8Wf2Sv6Hk0Qa5"
PASSWORD = "Uo3Ia5Ye7Bx9"
ENCODED = "bWU6VW8zSWE1WWU3Qng5"  # me:PASSWORD as sent to a proxy
HEADERS = {"X-Tenant-Secret": HEADER, "Cookie": f"session={HEADER}"}
SECRETS = (KEY, HEADER, PASSWORD, ENCODED)

MakeClient = Callable[..., Client]


def shown(value: Any, depth: int = 6) -> Iterator[str]:
    """The visible form of a variable: its ``repr``, and those of its items, since error trackers walk containers."""
    yield repr(value) if not isinstance(value, (str, bytes)) else repr(value)[:100_000]
    if depth and isinstance(value, Mapping):
        for pair in value.items():
            yield from shown(list(pair), depth - 1)
    elif depth and isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from shown(item, depth - 1)


def secrets_in_variables(trace: TracebackType | None) -> list[str]:
    found = []
    while trace is not None:
        frame = trace.tb_frame
        for name, value in frame.f_locals.items():
            if frame.f_globals.get("__name__") != __name__ and any(s in text for text in shown(value) for s in SECRETS):
                found.append(f"{frame.f_code.co_filename}:{trace.tb_lineno} {frame.f_code.co_name}: {name}")
        trace = trace.tb_next
    return found


@pytest.fixture
def interrupt(
    wait_until_inside: Callable[[int, str], None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., KeyboardInterrupt]]:
    """Run an action in this thread, and interrupt it with a real SIGINT once it is inside the function of that name."""
    monkeypatch.setenv("HF_TEXT_DEBUG", "1")  # otherwise the traceback ends at the public function
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    main = threading.get_ident()

    def run(function: str, action: Callable[[], Any], ready: Callable[[], Any] = lambda: None) -> KeyboardInterrupt:
        def send() -> None:
            wait_until_inside(main, function)
            ready()
            signal.pthread_kill(main, signal.SIGINT)

        thread = threading.Thread(target=send)
        thread.start()
        try:
            with pytest.raises(KeyboardInterrupt) as caught:
                action()
        finally:
            thread.join(5)
        return caught.value

    yield run
    signal.signal(signal.SIGINT, before)


def ask(client: Client, messages: str = "Hi") -> Callable[[], Any]:
    return lambda: client.generate(messages, "m", extra_headers=HEADERS)


def check(error: BaseException, function: str) -> None:
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert function in names
    assert secrets_in_variables(error.__traceback__) == []
    told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "generate" in told
    assert [line for line in told.splitlines() if any(secret in line for secret in SECRETS)] == []


def url_of(listener: socket.socket, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"


def client_of(make_client: MakeClient, url: str, **options: Any) -> Client:
    return make_client(KEY, api_base=url, headers={"X-Api-Key": HEADER}, timeout=20, max_retries=0, **options)


def test_while_connecting(interrupt: Any, make_client: MakeClient, full_server: socket.socket) -> None:
    client = client_of(make_client, url_of(full_server))
    check(interrupt("wait_for_write", ask(client)), "_connect")


def test_while_connecting_to_a_proxy(interrupt: Any, make_client: MakeClient, full_server: socket.socket) -> None:
    proxy = url_of(full_server).replace("//", f"//me:{PASSWORD}@")
    client = client_of(make_client, "http://model.example", proxies={"http": proxy, "https": proxy})
    check(interrupt("wait_for_write", ask(client)), "_connect")


def test_while_a_proxy_opens_a_tunnel(interrupt: Any, make_client: MakeClient, deaf_server: socket.socket) -> None:
    proxy = url_of(deaf_server).replace("//", f"//me:{PASSWORD}@")
    client = client_of(make_client, "https://model.example", proxies={"https": proxy})
    check(interrupt("receive", ask(client)), "receive")


def test_during_the_tls_handshake(interrupt: Any, make_client: MakeClient, deaf_server: socket.socket) -> None:
    client = client_of(make_client, url_of(deaf_server, "https"))
    check(interrupt("do_handshake", ask(client)), "do_handshake")


def test_while_uploading(interrupt: Any, make_client: MakeClient, deaf_server: socket.socket) -> None:
    deaf_server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client = client_of(make_client, url_of(deaf_server))
    check(interrupt("upload", ask(client, "x" * 5_000_000)), "upload")


def test_while_waiting_for_the_head(interrupt: Any, make_client: MakeClient, deaf_server: socket.socket) -> None:
    client = client_of(make_client, url_of(deaf_server))
    check(interrupt("receive", ask(client)), "receive")


def test_while_reading(interrupt: Any, make_client: MakeClient, emulator: Emulator) -> None:
    emulator.reply("stall-mid-stream")
    client = client_of(make_client, emulator.api_base)
    error = interrupt("receive", ask(client), lambda: emulator.wait_for_requests(1))
    check(error, "receive")


def test_the_scanner_finds_a_secret(interrupt: Any, make_client: MakeClient, deaf_server: socket.socket) -> None:
    def action() -> None:
        raise ZeroDivisionError

    namespace: dict[str, Any] = {"__name__": "elsewhere", "action": action}
    exec(f"def call():\n    headers = [{{'a': '{KEY}'}}]\n    action()", namespace)
    with pytest.raises(ZeroDivisionError) as caught:
        namespace["call"]()
    assert len(secrets_in_variables(caught.value.__traceback__)) == 1


def test_a_failing_stream_in_a_thread_has_a_clean_traceback(
    in_thread: Callable[..., Future[Any]], make_client: MakeClient, deaf_server: socket.socket
) -> None:
    """Any other exception that propagates: one raised by a socket's method."""
    client = client_of(make_client, url_of(deaf_server))
    with pytest.raises(Exception, match="no answer began") as caught:
        in_thread(lambda: client.generate("Hi", "m", timeout=0.05)).result(10)
    error: BaseException | None = caught.value
    while error is not None:
        assert secrets_in_variables(error.__traceback__) == []
        error = error.__context__ or error.__cause__


@pytest.mark.parametrize("name", ["get_models", "get_mapping_sync"])
def test_during_a_call_of_the_class_interface(
    interrupt: Any, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", emulator.url)
    emulator.always("stall-before-headers", path="/api/*")
    arguments = ["emulator/small"] if name == "get_mapping_sync" else []
    error = interrupt("receive", lambda: getattr(HuggingFaceAPI, name)(*arguments, api_key=KEY))
    assert name in [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert secrets_in_variables(error.__traceback__) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda: Client(KEY, temprature=1),  # type: ignore[call-arg]
        lambda: Client(KEY).generate("Hi", "m", headers=HEADERS),  # type: ignore[call-arg]
        lambda: hf_text.generate("Hi", "m", api_key=KEY, temprature=1),  # type: ignore[call-arg]
        lambda: HuggingFaceAPI.create_generator("m", "Hi", api_key=KEY, temprature=1),  # type: ignore[call-arg]
        lambda: HuggingFaceAPI.get_models(KEY, temprature=1),
    ],
)
def test_with_a_misspelled_argument(call: Callable[[], Any]) -> None:
    with pytest.raises(hf_text.InvalidRequestError) as caught:
        call()
    assert secrets_in_variables(caught.value.__traceback__) == []
