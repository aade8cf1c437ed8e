"""What the transport overrides and uses of requests, urllib3 and http.client exists, has the expected form, and is
called in the expected order. Run with the oldest and the newest allowed versions.
"""

from __future__ import annotations

import ast
import configparser
import http.client
import inspect
import re
import socket
from collections.abc import Callable, Iterator
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPHeaderDict, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse as LibraryResponse
from urllib3.util.ssltransport import SSLTransport

import hf_text
from hf_text import transport
from hf_text.emulator import Emulator, Response
from hf_text.transport import connections, head
from hf_text.transport.adapter import Adapter
from hf_text.transport.call import Call, Timeouts
from hf_text.transport.connections import bound_to
from hf_text.transport.mask import Mask
from hf_text.transport.tls import make_context

PACKAGE = Path(hf_text.__file__).parent
LIBRARIES = ("requests", "urllib3", "http")

# --- Overriding classes


def find_bases(path: Path) -> Iterator[tuple[str, str]]:
    """The classes of a module, each with one of its base classes from a library."""
    tree = ast.parse(path.read_text("utf-8"))
    imported = {
        alias.asname or alias.name: node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and not node.level
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                name = ast.unparse(base).partition(".")[0]
                if imported.get(name, name).partition(".")[0] in LIBRARIES:
                    yield node.name, ast.unparse(base)


def test_private_library_details_are_used_in_three_modules() -> None:
    found = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in PACKAGE.rglob("*.py")
        if "emulator" not in path.parts
        for name, _ in find_bases(path)
    }
    assert {module for module, _ in found} - {"transport/session.py"} == {
        "transport/adapter.py",
        "transport/connections.py",
        "transport/head.py",
    }
    # AuthBase is meant for subclassing.
    assert [name for module, name in found if module == "transport/session.py"] == ["BearerAuth"]


def test_every_override_is_documented_in_its_module() -> None:
    names = [name for name, _ in find_bases(Path(connections.__file__))]
    assert names == ["_PlainConnection", "_TLSConnection", "_Pool", "_TLSPool"]
    assert all(f"``{name}``" in (connections.__doc__ or "") for name in ("_CallBound", "_Pool", "adapter.Adapter"))


# The overridden methods, with the parameters that the library defines or passes.
OVERRIDDEN: dict[type, dict[type, dict[str, str]]] = {
    connections._PlainConnection: {
        HTTPConnection: {
            "_new_conn": "(self)",
            "connect": "(self)",
            "request": "(self, method, url, body, headers, *, chunked, preload_content, decode_content, "
            "enforce_content_length)",
            "send": "(self, data)",
            "getresponse": "(self)",
        },
    },
    connections._Pool: {
        HTTPConnectionPool: {
            "_get_conn": "(self, timeout)",
            "_put_conn": "(self, conn)",
        },
    },
    connections._TLSPool: {HTTPSConnectionPool: {"_validate_conn": "(self, conn)"}},
    Adapter: {
        HTTPAdapter: {
            "init_poolmanager": "(self, connections, maxsize, block, **pool_kwargs)",
            "proxy_manager_for": "(self, proxy, **proxy_kwargs)",
            "proxy_headers": "(self, proxy)",
            "close": "(self)",
            "get_connection_with_tls_context": "(self, request, verify, proxies, cert)",
            "request_url": "(self, request, proxies)",
            "build_connection_pool_key_attributes": "(self, request, verify, cert)",
            "build_response": "(self, req, resp)",
            "cert_verify": "(self, conn, url, verify, cert)",
        },
    },
    head.RawResponse: {
        http.client.HTTPResponse: {"begin": "(self)", "_read_status": "(self)"},
    },
}
# Other library functions that are called or replaced.
USED: list[tuple[Any, str, str]] = [
    (HTTPAdapter, "__init__", "(self, pool_connections, pool_maxsize, max_retries, pool_block)"),
    (HTTPAdapter, "send", "(self, request, stream, timeout, verify, cert, proxies)"),
    (requests.Session, "send", "(self, request, **kwargs)"),
    (requests.Session, "get_adapter", "(self, url)"),
    (requests.Session, "prepare_request", "(self, request)"),
    (requests.Session, "merge_environment_settings", "(self, url, proxies, stream, verify, cert)"),
    (requests.utils, "select_proxy", "(url, proxies)"),
    (requests.utils, "prepend_scheme_if_needed", "(url, new_scheme)"),
    (
        HTTPConnectionPool,
        "_make_request",
        "(self, conn, method, url, body, headers, retries, timeout, chunked, "
        "response_conn, preload_content, decode_content, enforce_content_length)",
    ),
    (HTTPSConnectionPool, "_prepare_proxy", "(self, conn)"),
    (http.client.HTTPConnection, "getresponse", "(self)"),
    (http.client.HTTPConnection, "send", "(self, data)"),
    (http.client.HTTPResponse, "__init__", "(self, sock, debuglevel, method, url)"),
    (http.client.HTTPResponse, "close", "(self)"),
    (LibraryResponse, "read1", "(self, amt, decode_content)"),
    (SSLTransport, "recv", "(self, buflen, flags)"),
    (HTTPHeaderDict, "add", "(self, key, val, *, combine)"),
]


def form_of(function: Callable[..., Any]) -> str:
    """The signature without defaults and types."""
    found = inspect.signature(function).parameters.values()
    plain = [each.replace(default=each.empty, annotation=each.empty) for each in found]
    return str(inspect.Signature(plain)).replace("/, ", "")


FORMS = [
    *(
        (library, name, form)
        for of in OVERRIDDEN.values()
        for library, forms in of.items()
        for name, form in forms.items()
    ),
    *USED,
]


@pytest.mark.parametrize(("library", "name", "form"), FORMS, ids=[f"{each[0].__name__}.{each[1]}" for each in FORMS])
def test_overridden_and_used_names_have_the_expected_signature(library: Any, name: str, form: str) -> None:
    assert form_of(getattr(library, name)) == form


def own_methods(cls: type) -> set[str]:
    """The methods that a class and its mixin define in this package."""
    ours = [each for each in cls.__mro__ if each.__module__.startswith("hf_text")]
    return {name for each in ours for name, value in vars(each).items() if inspect.isfunction(value)}


NOT_THEIRS = {
    *("__init__", "_send_held", "send_now", "send_at_once", "send_again", "retire", "has_open_connection", "_context"),
    *("_dial", "open", "dial", "can_dial", "take_back", "_take", "_find_pool", "has_pool", "open_pool"),
    *(
        "receive_head",
        "through_proxy",
        "request_head",
        "give_up",
        "_next_head",
        "_take_plain",
        "_take_unusual",
        "_leave_to_http_client",
        "_forget_headers",
    ),
    *("response_class", "release_conn"),  # tested below
}


@pytest.mark.parametrize("cls", OVERRIDDEN, ids=lambda cls: cls.__name__)
def test_every_override_is_tested(cls: type) -> None:
    listed = {name for of in OVERRIDDEN.values() for forms in of.values() for name in forms}
    assert own_methods(cls) - NOT_THEIRS <= listed


def test_replaced_and_read_attributes_exist() -> None:
    pool = HTTPConnectionPool("127.0.0.1")
    assert (pool.ConnectionCls, HTTPSConnectionPool.ConnectionCls) == (HTTPConnection, HTTPSConnection)
    assert pool.pool is not None
    assert [*pool.pool.queue] == [None] * pool.pool.maxsize
    assert issubclass(connections._Pool.QueueCls, HTTPConnectionPool.QueueCls)
    assert pool.proxy is None
    pool.close()
    assert pool.pool is None
    assert {*PoolManager().pool_classes_by_scheme} == {"http", "https"}
    assert http.client.HTTPConnection.response_class is http.client.HTTPResponse
    assert http.client.HTTPConnection.debuglevel == 0
    conn = HTTPConnection("host.test.", 80, blocksize=1)
    assert (conn._dns_host, conn.host, conn.default_port, conn.sock, conn.is_closed) == (
        *("host.test.", "host.test", 80),
        *(None, True),
    )
    assert conn.socket_options == HTTPConnection.default_socket_options
    assert {"incoming", "sslobj", "socket"} <= set(re.findall(r"self\.(\w+) =", inspect.getsource(SSLTransport)))
    assert requests.adapters.DEFAULT_CA_BUNDLE_PATH
    assert make_context(False).wrap_socket  # urllib3.util.ssl_.create_urllib3_context


def test_responses_have_everything_urllib3_and_requests_use(wire_free_answer: head.RawResponse) -> None:
    """Also before the head is read."""
    answer = wire_free_answer
    for name in ("status", "reason", "version", "version_string", "length_remaining", "headers", "chunked", "msg"):
        assert hasattr(answer, name), name
    assert answer.headers.get("Retry-After") is None
    assert (answer.getheaders(), answer.getheader("x"), answer.getheader("x", "y")) == ([], None, "y")
    assert (answer.status, answer.getcode(), answer.reason, answer.length, answer.will_close) == (0, 0, "", None, False)
    assert answer.info() is answer.headers
    assert not answer.isclosed()
    assert int(answer.status) < 400
    assert bool(answer)
    assert set(HTTPHeaderDict.__dict__) >= {"getlist", "get_all", "iteritems"}


@pytest.fixture
def wire_free_answer() -> Iterator[head.RawResponse]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        call = Call(Timeouts(1, 1, 1))
        call.blocking = False
        answer = head.RawResponse(ours, call, method="POST")
        answer.begin()
        yield answer
        answer.close()


# --- The order of calls


class Traced:
    """Calls of the overrides, in order; repeated calls in a row count once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        classes = {connections._CallBound, connections._Pool, connections._TLSPool, Adapter, head.RawResponse}
        for cls in classes:
            for name, function in list(vars(cls).items()):
                if inspect.isfunction(function) and (
                    name not in NOT_THEIRS or name in ("response_class", "release_conn")
                ):
                    monkeypatch.setattr(cls, name, self._record(name, function))

    def _record(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(*args: Any, **options: Any) -> Any:
            if self.names[-1:] != [name]:
                self.names.append(name)
            return function(*args, **options)

        return recorded

    def take(self) -> list[str]:
        names, self.names = self.names, []
        return names


def send(adapter: Adapter, url: str, **settings: Any) -> bytes:
    """Send a request as requests does; returns the response body."""
    request = requests.Request("POST", url, data=b"{}").prepare()
    call = Call(Timeouts(5, 5, 5))
    with bound_to(call):
        raw = adapter.send(request, stream=True, **settings)
    assert raw.receive_head()
    assert raw.status == 200
    raw.release_conn()
    return raw.unread


@pytest.fixture
def adapter() -> Iterator[Adapter]:
    made = Adapter(Mask(None, {}, []))
    yield made
    made.close()


ASKED = ["get_connection_with_tls_context", "build_connection_pool_key_attributes"]
ADDRESSED = ["cert_verify", "request_url"]
SENT = ["getresponse", "response_class", "begin", "build_response", "release_conn", "_put_conn"]


def test_the_call_order_of_a_request_and_the_next_on_its_connection(
    adapter: Adapter, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.always(Response.json({"a": 1}))
    traced = Traced(monkeypatch)
    assert send(adapter, f"{emulator.api_base}/chat/completions") == b'{"a":1}'
    connected = ["_get_conn", "request", "connect", "_new_conn", "send"]
    assert traced.take() == [*ASKED, *ADDRESSED, *connected, *SENT]
    send(adapter, f"{emulator.api_base}/chat/completions")
    again = ["get_connection_with_tls_context", "cert_verify", "request_url", "_get_conn", "request", "send"]
    assert traced.take() == [*again, *SENT]
    assert emulator.connections == 1


def test_the_call_order_of_a_request_over_tls(
    adapter: Adapter, certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = Traced(monkeypatch)
    with Emulator(tls=certificate) as server:
        server.always(Response.json({"a": 1}))
        assert send(adapter, f"{server.api_base}/chat/completions", verify=certificate[0]) == b'{"a":1}'
        adapter.close()
    connected = ["_get_conn", "_validate_conn", "connect", "_new_conn", "request", "send"]
    assert traced.take() == [*ASKED, *ADDRESSED, *connected, *SENT, "close"]


def test_the_call_order_of_a_request_through_a_tunnel(
    adapter: Adapter, raw_server: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """http.client parses the proxy's answer to CONNECT, from an object of this library."""

    def refuse(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    proxy = f"http://127.0.0.1:{raw_server(refuse)}"
    traced = Traced(monkeypatch)
    with pytest.raises(requests.exceptions.ProxyError, match="407"):
        send(adapter, "https://host.test/x", proxies={"https": proxy})
    tunnelled = ["_get_conn", "connect", "_new_conn", "send", "response_class", "_read_status", "_put_conn"]
    assert traced.take() == [
        *ASKED,
        "proxy_manager_for",
        "proxy_headers",
        *ADDRESSED,
        *tunnelled,
    ]


def test_a_failed_request_returns_its_connection_closed(
    adapter: Adapter, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """urllib3 puts None in its place and creates the next one."""
    emulator.reply("closed-before-headers", Response.json({}))
    request = requests.Request("POST", f"{emulator.api_base}/chat/completions", data=b"{}").prepare()
    monkeypatch.setattr("hf_text.transport.head.is_watched", lambda: True)
    with bound_to(Call(Timeouts(5, 5, 5))), pytest.raises(requests.exceptions.ConnectionError):
        adapter.send(request, stream=True)
    monkeypatch.undo()
    assert send(adapter, f"{emulator.api_base}/chat/completions") == b"{}"
    assert emulator.connections == 2


# --- Versions


def test_version_bounds_are_declared_and_satisfied() -> None:
    """urllib3 comes with requests, which allows older versions too."""
    settings = configparser.ConfigParser()
    settings.read(PACKAGE.parent / "setup.cfg", "utf-8")
    declared = settings["options.extras_require"]["urllib3"].strip()
    assert declared == f"urllib3>={'.'.join(map(str, transport.OLDEST_URLLIB3))}"
    assert f'{declared}; extra == "urllib3"' in [line.replace("'", '"') for line in requires("hf_text") or ()]
    installed = tuple(int(part) for part in version("urllib3").split(".")[:2])
    assert installed >= transport.OLDEST_URLLIB3
