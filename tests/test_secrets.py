"""No secret leaks: not in errors, results, logs or warnings, not on the terminal, and not to another host.

Each failure is provoked with recognizable secrets, mostly on a server that echoes what it was sent;
then every object and output is searched for any part of them.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import re
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType, TracebackType
from typing import Any

import pytest

from hf_text import Client, HFTextError, InvalidRequestError, StreamCancelledError, Timeouts
from hf_text.emulator import ERROR_SHAPES, FAULTS, Emulator, Request, Response
from hf_text.emulator.emulator import Scripted

MakeClient = Callable[..., Client]

KEY = "hf_Zw9Kq3Vt7Rb5Xn1Jm8Lc4Pd6"
HEADER = 'Gy4/Tz8+Wf2"Sv6\\Hk0=='
PASSWORD = "Uo3Ia5Ye7Bx9"
SECRETS = (KEY, HEADER, PASSWORD)
PART = 6  # the length of a fragment that counts as a leak


def holds_secret(text: str) -> bool:
    return any(secret[start : start + PART] in text for secret in SECRETS for start in range(len(secret) - PART + 1))


def find_secrets(value: Any) -> list[str]:
    """Where a secret occurs in a value, or in any object reachable from it."""
    found: list[str] = []
    seen: set[int] = set()
    queue: list[tuple[str, Any]] = [("", value)]
    while queue:
        place, item = queue.pop()
        if id(item) in seen or isinstance(item, _SKIPPED):
            continue
        seen.add(id(item))
        if isinstance(item, (str, bytes, bytearray)):
            if holds_secret(item if isinstance(item, str) else item.decode("utf-8", "replace")):
                found.append(f"{place}: {item!r:.200}")
            continue
        queue += [(f"{place}{step}", inner) for step, inner in _steps(item)]
    return found


_SKIPPED = (type, ModuleType, FunctionType, MethodType, BuiltinFunctionType, TracebackType, int, float, type(None))


def _steps(item: Any) -> Iterator[tuple[str, Any]]:
    yield ".repr", repr(item)
    if isinstance(item, Mapping):
        yield from ((f"[{key!r}]", pair) for key, pair in enumerate(item.items()))
    elif isinstance(item, (list, tuple, set, frozenset)):
        yield from ((f"[{index}]", inner) for index, inner in enumerate(item))
    if isinstance(item, BaseException):
        yield ".str", str(item)
        yield ".args", item.args
        yield ".cause", item.__cause__
        yield ".context", item.__context__
        yield ".traceback", "".join(traceback.format_exception(item))
    if isinstance(item, HFTextError):
        yield ".pickle", pickle.dumps(item)
    names = [
        *getattr(item, "__dict__", ()),
        *(name for cls in type(item).__mro__ for name in getattr(cls, "__slots__", ())),
    ]
    yield from ((f".{name}", getattr(item, name, None)) for name in names if isinstance(name, str))


@pytest.fixture(autouse=True)
def nothing_said(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """No secret in logs at the finest level, nor on the terminal. Warnings are errors, and searched as such."""
    for name in (None, "urllib3", "requests", "sseclient", "hf_text", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    yield
    assert find_secrets([[record.getMessage(), vars(record)] for record in caplog.records]) == []
    assert find_secrets(list(capfd.readouterr())) == []


@pytest.fixture
def hf(emulator: Emulator) -> Emulator:
    return emulator


@pytest.fixture
def other() -> Iterator[Emulator]:
    """Another host."""
    with Emulator() as running:
        yield running


@pytest.fixture
def client(make_client: MakeClient) -> Client:
    return make_client(KEY, timeout=Timeouts(first=0.3, gap=0.2), max_retries=1)


def catch(action: Callable[[], Any]) -> HFTextError:
    """Return the error that the action raises; it and its chained errors contain no secret."""
    with pytest.raises(HFTextError) as caught:
        action()
    error = caught.value
    assert find_secrets(error) == []
    return error


def generate(client: Client) -> Callable[[], Any]:
    return lambda: client.generate("Hi", "openai/gpt-oss-120b")


WAYS: dict[str, tuple[str | None, Callable[[Client], Any]]] = {
    "generate": (None, lambda client: client.generate("Hi", "openai/gpt-oss-120b")),
    "stream": (None, lambda client: list(client.stream("Hi", "openai/gpt-oss-120b:novita").events())),
    "models": ("/v1/models", lambda client: client.models()),
    "mapping": ("/api/*", lambda client: client.mapping("emulator/small")),
    "hub_models": ("/api/*", lambda client: list(client.hub_models())),
}

ways = pytest.mark.parametrize(("path", "ask"), WAYS.values(), ids=WAYS)


# --- the search itself


class Answer:
    """An object that an exception may hold. It can be pickled: some packages pickle the context of an exception too."""

    def __init__(self) -> None:
        self.request = {"headers": {"Authorization": f"Bearer {KEY}"}}


def test_the_scanner_finds_hidden_secrets() -> None:
    inner = OSError("lost")
    inner.response = Answer()  # type: ignore[attr-defined]
    outer = HFTextError("failed")
    outer.__context__ = inner
    assert find_secrets(outer)
    assert find_secrets([{"a": (PASSWORD[:PART],)}])
    assert find_secrets(HFTextError(f"bad key {KEY[3:12]}"))
    assert not find_secrets(HFTextError("bad key hf_***"))


# --- every kind of failure


@ways
@pytest.mark.parametrize("name", FAULTS)
def test_no_fault_leaks_the_key(
    hf: Emulator, make_client: MakeClient, path: str | None, ask: Callable[[Client], Any], name: str
) -> None:
    hf.always(name, path=path)
    client = make_client(KEY, timeout=Timeouts(first=0.05, gap=0.05), max_retries=0)
    result: Any = None
    try:
        result = ask(client)
    except HFTextError as error:
        result = error
    assert find_secrets(result) == []


STATUSES = (400, 401, 402, 403, 404, 407, 408, 409, 410, 413, 418, 422, 424, 429, 500, 501, 502, 503, 504)


@ways
@pytest.mark.parametrize("status", STATUSES)
def test_a_key_echoed_in_an_error_is_not_leaked(
    hf: Emulator, client: Client, path: str | None, ask: Callable[[Client], Any], status: int
) -> None:
    hf.always(lambda request: Response.error(status, f"{request.authorization} is no key", "string"), path=path)
    error = catch(lambda: ask(client))
    assert "***" in str(error) or "the Hub has no model" in str(error)


@pytest.mark.parametrize("shape", [*ERROR_SHAPES, "text"])
@pytest.mark.parametrize("status", [401, 500])
def test_a_key_echoed_in_any_error_shape_is_not_leaked(hf: Emulator, client: Client, shape: str, status: int) -> None:
    hf.always(lambda request: Response.error(status, f"{request.key} is no key", shape, code=request.key))
    assert "***" in str(catch(generate(client)))


def in_header(name: str, status: int = 401) -> Callable[[Request], Response]:
    return lambda request: Response(status, {name: f"<{request.key}>"}, b"")


def in_redirect(location: str) -> Callable[[Request], Response]:
    return lambda request: Response.redirect(location.format(key=request.key, host=request.headers["host"]))


def in_stream(*events: str) -> Callable[[Request], Response]:
    """Events in which KEY is replaced with the key that the server received."""
    return lambda request: Response.sse(*(event.replace("KEY", str(request.key)) for event in events), done=False)


def in_body(body: str, content_type: str = "text/plain", status: int = 200) -> Callable[[Request], Response]:
    return lambda request: Response(status, {"Content-Type": content_type}, body.replace("KEY", str(request.key)))


TEXT = '{"choices":[{"delta":{"content":"One"}}]}'

REPEATED: dict[str, Callable[[Request], Response]] = {
    "a page": in_body("<html><h1>401</h1><p>KEY</p>", "text/html", 401),
    "the title of a page": in_body("<title>KEY</title>", "text/html", 502),
    "a page with status 200": in_body("<html><h1>KEY</h1></html>", "text/html"),
    "text with status 200": in_body("KEY? No."),
    "JSON with status 200": in_body('{"error":{"message":"KEY is no key","code":"KEY"}}', "application/json"),
    "JSON of another kind": in_body('{"hello":"KEY"}', "application/json"),
    "a JSON array": in_body('["KEY"]', "application/json"),
    "broken JSON": in_body('{"error": "KEY', "application/json"),
    "choices that are none": in_body('{"choices": "KEY"}', "application/json"),
    "the message of a header": in_header("X-Error-Message"),
    "the code of a header": in_header("X-Error-Code"),
    "the id of the request": in_header("X-Request-Id", 500),
    "the name of the provider": in_header("X-Inference-Provider", 500),
    "the time to wait": in_header("Retry-After", 429),
    "the reason": lambda request: Response(401, reason=f"Not {request.key}"),
    "a status line": lambda request: Response(raw=f"HTTP/1.1 two {request.key}\r\n\r\n".encode(), keep_alive=False),
    "no status line": lambda request: Response(raw=f"{request.key}\r\n\r\n".encode(), keep_alive=False),
    "a broken header": lambda request: Response(
        headers={"Content-Length": f"{request.key}"}, body=b"x", keep_alive=False
    ),
    "a content encoding": lambda request: Response(headers={"Content-Encoding": f"gzip, {request.key}"}, body=b"x"),
    "a chunk size": lambda request: Response(
        raw=f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{request.key}\r\n".encode(), keep_alive=False
    ),
    "a redirect to another host": in_redirect("http://{key}.example.invalid/"),
    "a redirect with a user": in_redirect("http://{key}:{key}@{host}/"),
    "a redirect to no address": in_redirect("http://[{key}/"),
    "a redirect to another scheme": in_redirect("ftp://{host}/{key}"),
    "redirects in a circle": in_redirect("/v1/chat/completions?key={key}"),
    "an error first in the stream": in_stream('{"error":"KEY is no key"}'),
    "an error event": lambda request: Response.sse(f'event: error\ndata: "{request.key}"\n\n'.encode(), done=False),
    "an error event of text": lambda request: Response.sse(
        f"event: error\ndata: {request.key}\n\n".encode(), done=False
    ),
    "an error later in the stream": in_stream(TEXT, '{"error":{"message":"KEY","code":"KEY","type":"KEY"}}'),
    "a detail in the stream": in_stream(TEXT, '{"detail":[{"loc":["KEY"],"msg":"KEY"}]}'),
    "broken JSON in the stream": in_stream(TEXT, '{"choices": KEY'),
    "another value in the stream": in_stream(TEXT, '["KEY"]'),
    "choices of another kind": in_stream(TEXT, '{"choices":["KEY"]}'),
    "a delta of another kind": in_stream(TEXT, '{"choices":[{"delta":{"content":{"KEY":1}}}]}'),
    "a tool call of another kind": in_stream(TEXT, '{"choices":[{"delta":{"tool_calls":["KEY"]}}]}'),
    "tool calls of another kind": in_stream(TEXT, '{"choices":[{"delta":{"tool_calls":"KEY"}}]}'),
}


@pytest.mark.parametrize("reply", REPEATED.values(), ids=REPEATED)
@pytest.mark.parametrize("max_retries", [0, 1])
def test_a_key_echoed_by_the_server_is_not_leaked_by(
    hf: Emulator, make_client: MakeClient, reply: Scripted, max_retries: int
) -> None:
    hf.always(reply)
    client = make_client(KEY, timeout=Timeouts(first=0.3, gap=0.2), max_retries=max_retries)
    catch(generate(client))


@pytest.mark.parametrize(("path", "ask"), list(WAYS.values())[2:], ids=list(WAYS)[2:])
@pytest.mark.parametrize("body", ['{"hello":"KEY"}', '"KEY"', '{"data":"KEY"}', '{"data": KEY', "<h1>KEY</h1>", "KEY"])
def test_an_invalid_listing_does_not_leak_the_key(
    hf: Emulator, client: Client, path: str, ask: Callable[[Client], Any], body: str
) -> None:
    hf.always(in_body(body, "application/json"), path=path)
    result: Any = None
    try:
        result = ask(client)
    except HFTextError as error:
        result = error
    assert find_secrets(result) == []


@pytest.mark.parametrize("length", [*range(40, 260, 10), 1980, 1990, 19_985, 19_995, 65_520, 65_530])
def test_a_shortened_message_is_not_cut_inside_the_key(hf: Emulator, client: Client, length: int) -> None:
    cut: list[Scripted] = [
        lambda request: Response.error(401, "x" * length + str(request.key), "string"),
        lambda request: Response.error(401, "x" * length + str(request.key), "text"),
        in_stream("x" * length + "KEY" + "x" * 300),
        in_stream(f'{{"choices":["{"x" * (length - 15)}KEY"]}}'),
        in_body("x" * length + "KEY" + "x" * 300),
        in_body('{"' + "x" * length + "KEY", "application/json"),
        lambda request: Response(raw=f"{'x' * (length % 1000)}{request.key}\r\n\r\n".encode(), keep_alive=False),
    ]
    for reply in cut:
        hf.always(reply)
        catch(lambda: client.generate("Hi", "openai/gpt-oss-120b:novita"))


def test_retries_and_failover_leak_nothing(hf: Emulator, make_client: MakeClient) -> None:
    replies = [
        REPEATED[name] for name in ("a page with status 200", "broken JSON in the stream", "the message of a header")
    ]
    hf.reply(
        *(
            lambda request, status=status: Response.error(status, str(request.key), provider="x")
            for status in (500, 410)
        )
    )
    hf.reply("closed-before-headers", "stall-before-headers", replies[0], replies[2])
    client = make_client(KEY, timeout=Timeouts(first=0.2), max_retries=3)
    error = catch(generate(client))
    assert len(error.attempts) == 5  # a failure of a reused connection is not an attempt


def test_the_result_of_a_call_does_not_contain_the_key(hf: Emulator, client: Client) -> None:
    header = {"x-request-id": f"id {KEY}", "x-inference-provider": f"by {KEY}"}
    hf.reply(Response.error(500, f"no {KEY}"), Response.text("Hello", usage=(1, 1), headers=header))
    stream = client.stream("Hi")
    events = list(stream.events())
    assert find_secrets([events, stream.completion, repr(stream), pickle.dumps(stream.completion)]) == []


@pytest.mark.parametrize("stage", ["before", "within"])
def test_a_cancelled_call_leaks_nothing(hf: Emulator, make_client: MakeClient, stage: str) -> None:
    hf.reply("stall-before-headers" if stage == "before" else "stall-mid-stream")
    stream = make_client(KEY, timeout=30).stream("Hi")
    errors: list[HFTextError] = []
    thread = threading.Thread(target=lambda: errors.append(catch(lambda: list(stream))))
    thread.start()
    hf.wait_for_requests(1)
    stream.cancel()
    thread.join(5)
    assert [type(error) for error in errors] == [StreamCancelledError]


def test_a_call_cancelled_in_the_tls_handshake_leaks_nothing(make_client: MakeClient) -> None:
    errors: list[HFTextError] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        stream = make_client(KEY, hub_url=url, router_url=url, timeout=30).stream("Hi")
        thread = threading.Thread(target=lambda: errors.append(catch(lambda: list(stream))))
        thread.start()
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1)  # the handshake has begun and gets no answer
            stream.cancel()
            thread.join(5)
    assert [type(error) for error in errors] == [StreamCancelledError]


# --- transport


@ways
def test_an_unreachable_server_leaks_nothing(
    make_client: MakeClient, path: str | None, ask: Callable[[Client], Any]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert "refused" in str(catch(lambda: ask(make_client(KEY, hub_url=url, router_url=url))))


def test_a_server_without_tls_leaks_nothing(hf: Emulator, make_client: MakeClient) -> None:
    url = hf.url.replace("http:", "https:")
    catch(generate(make_client(KEY, hub_url=url, router_url=url, timeout=0.1)))


# --- other hosts


def test_the_key_is_not_sent_to_another_host(hf: Emulator, other: Emulator, client: Client) -> None:
    for status in (301, 302, 303, 307, 308):
        hf.reply(Response.redirect(f"{other.url}/v1/chat/completions", status))
        catch(lambda: client.generate("Hi"))
    for path, ask in list(WAYS.values())[2:]:
        hf.reply(Response.redirect(f"{other.url}/v1/models"), path=path)
        catch(lambda ask=ask: ask(client))  # type: ignore[misc]
    assert other.requests == []


def test_the_key_is_not_sent_to_a_next_page_on_another_host(hf: Emulator, other: Emulator, client: Client) -> None:
    hf.reply(Response.json([], headers={"Link": f'<{other.url}/?{KEY}>; rel="next"'}), path="/api/models")
    catch(lambda: list(client.hub_models()))
    assert other.requests == []


def test_the_hugging_face_key_is_only_sent_to_hugging_face(
    hf: Emulator, other: Emulator, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", KEY)
    client = make_client(None, other.api_base)
    client.generate("Hi")
    client.models(refresh=True)
    assert find_secrets([request.headers.pairs for request in other.requests]) == []
    make_client(None).generate("Hi")
    assert hf.requests[0].key == KEY


# --- a header of the caller instead of a key


@ways
@pytest.mark.parametrize("name", ["Authorization", "authorization", "X-API-Key", "Cookie"])
def test_a_custom_header_is_as_secret_as_a_key(
    hf: Emulator, make_client: MakeClient, path: str | None, ask: Callable[[Client], Any], name: str
) -> None:
    value = f"Basic {HEADER}" if name.lower() == "authorization" else HEADER
    key = None if name.lower() == "authorization" else KEY
    client = make_client(key, headers={name: value}, max_retries=0)
    for repeated in (
        str,
        lambda text: text.partition(" ")[2] or text,
        lambda text: json.dumps(text).replace("/", r"\/"),
    ):

        def reply(request: Request, repeated: Callable[[str], str] = repeated) -> Response:
            sent = repeated(request.headers[name])
            body = sent.join('""') if sent[0] != '"' else sent
            return Response(401, {"X-Error-Message": request.headers[name]}, f'{{"error": {body}}}'.encode())

        hf.reply(reply, path=path)
        catch(lambda: ask(client))
    assert find_secrets(repr(client)) == []


# --- proxies


@pytest.fixture(params=["argument", "environment"])
def proxied(
    request: pytest.FixtureRequest, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Client]:
    """Create a client that goes through a proxy."""

    def make(address: str) -> Client:
        if request.param == "environment":
            monkeypatch.setenv("http_proxy", address)
            monkeypatch.setenv("https_proxy", address)
            return make_client(KEY, max_retries=0)
        return make_client(KEY, max_retries=0, proxies={"http": address, "https": address})

    return make


def test_the_proxy_password_is_only_sent_to_the_proxy(
    hf: Emulator, other: Emulator, proxied: Callable[[str], Client]
) -> None:
    proxied(other.url.replace("//", f"//me:{PASSWORD}@")).generate("Hi")
    (request,) = other.requests
    assert request.target == f"{hf.url}/v1/chat/completions"
    assert request.headers["proxy-authorization"].startswith("Basic ")
    assert hf.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "http://me:{}@127.0.0.1:1",
        "http://me:{}@127.0.0.1:99999",
        "http://me:{}@",
        "http://me:{}@[::1",
        "http://me:{}@/",
        "me:{}@127.0.0.1:1",
        "ftp://me:{}@127.0.0.1:1",
        "socks5://me:{}@127.0.0.1:1",
        "socks9://me:{}@127.0.0.1:1",
        "http://me:{}@not a host",
        "{}",
    ],
)
@ways
def test_a_broken_proxy_is_reported_without_its_password(
    hf: Emulator, proxied: Callable[[str], Client], path: str | None, ask: Callable[[Client], Any], address: str
) -> None:
    catch(lambda: ask(proxied(address.format(PASSWORD))))
    assert hf.requests == []


def test_a_password_echoed_by_a_refusing_proxy_is_not_leaked(
    hf: Emulator, other: Emulator, proxied: Callable[[str], Client]
) -> None:
    other.always(
        lambda request: Response.error(407, f"not {PASSWORD} in {request.headers['proxy-authorization']}", "text")
    )
    catch(generate(proxied(other.url.replace("//", f"//me:{PASSWORD}@"))))


# --- ~/.netrc


@pytest.fixture(params=["~/.netrc", "NETRC"])
def netrc(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user has a password for the host."""
    path = os.path.join(os.path.expanduser("~"), ".netrc" if request.param == "~/.netrc" else "other")
    with open(path, "w", encoding="ascii") as file:
        file.write(f"machine 127.0.0.1 login me password {PASSWORD}\ndefault login me password {PASSWORD}\n")
    os.chmod(path, 0o600)
    if request.param == "NETRC":
        monkeypatch.setenv("NETRC", path)


@pytest.mark.usefixtures("netrc")
def test_a_netrc_file_does_not_replace_the_key(hf: Emulator, client: Client) -> None:
    hf.renamed = {"old/name": "emulator/small"}
    hf.reply("server-error")
    for _, ask in WAYS.values():
        ask(client)
    client.mapping("old/name")
    assert len(hf.requests) > 7
    assert {request.authorization for request in hf.requests} == {f"Bearer {KEY}"}


@pytest.mark.usefixtures("netrc")
def test_a_netrc_file_is_not_used_without_a_key(other: Emulator, make_client: MakeClient) -> None:
    client = make_client(None, other.api_base)
    client.generate("Hi")
    assert client.models()
    assert {request.authorization for request in other.requests} == {None}


@pytest.mark.usefixtures("netrc")
def test_a_netrc_file_does_not_replace_a_custom_header(other: Emulator, make_client: MakeClient) -> None:
    make_client(None, other.api_base, headers={"Authorization": "Basic bWU6bWU="}).generate("Hi", "emulator/small")
    assert other.requests[0].authorization == "Basic bWU6bWU="


# --- invalid arguments

WRONG: dict[str, Callable[[], Any]] = {
    "a key with a control character": lambda: Client(f"{KEY}\x01"),
    "a key with another alphabet": lambda: Client(f"{KEY}ü"),
    "a key as bytes": lambda: Client(KEY.encode()),  # type: ignore[arg-type]
    "a key in a list": lambda: Client([KEY]),  # type: ignore[arg-type]
    "a key for an address": lambda: Client(api_base=KEY),
    "a key for another address": lambda: Client(hub_url=KEY),
    "a key in an address": lambda: Client(api_base=f"https://example.org/v1?api_key={KEY}"),
    "a key after an address": lambda: Client(api_base=f"https://example.org/v1#{KEY}"),
    "a password in an address": lambda: Client(api_base=f"https://me:{PASSWORD}@example.org/v1"),
    "a password in no address": lambda: Client(api_base=f"ftp://me:{PASSWORD}@example.org/v1"),
    "a password in a broken address": lambda: Client(api_base=f"https://me:{PASSWORD}@[example.org/v1"),
    "a header with a line end": lambda: Client(headers={"Authorization": f"Bearer {KEY}\r\nX: y"}),
    "a header as bytes": lambda: Client(headers={"Authorization": KEY.encode()}),  # type: ignore[dict-item]
    "headers as text": lambda: Client(headers=f"Authorization: {KEY}"),  # type: ignore[arg-type]
    "headers as pairs": lambda: Client(headers=[("Authorization", KEY)]),  # type: ignore[arg-type]
    "a proxy as text": lambda: Client(proxies=f"http://me:{PASSWORD}@127.0.0.1:1"),  # type: ignore[arg-type]
    "a proxy as bytes": lambda: Client(proxies={"http": PASSWORD.encode()}),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG)
def test_an_invalid_argument_is_reported_without_the_secret(make: Callable[[], Any]) -> None:
    assert isinstance(catch(make), InvalidRequestError)


@pytest.mark.parametrize("name", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_an_invalid_environment_key_is_reported_without_showing_it(
    hf: Emulator, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, f"{KEY} and more")
    for _, ask in WAYS.values():
        assert re.search(name, str(catch(lambda ask=ask: ask(make_client(None)))))  # type: ignore[misc]
    assert hf.requests == []
