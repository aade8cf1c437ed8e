"""Test doubles in the same process cannot answer instead of a server; a one-line error names what can."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from hf_text.emulator import Emulator, Response

Needs = Callable[..., None]

ASK = """
import asyncio, sys, hf_text
from hf_text.aio import AsyncClient

{imports}
address = sys.argv[1]
url = address + "/chat/completions"
options = {{"api_key": "hf_MadeUpKeyForTests", "api_base": address, "timeout": 10, "max_retries": 1}}
warm = hf_text.Client(**options)
warm.generate("Hi", "m")

def tell(answer):
    print(f"InvalidRequestError {{answer}}" if isinstance(answer, hf_text.InvalidRequestError) else repr(answer))

async def ask():
    async with AsyncClient(**options) as client:
        for _ in range(2):
            try:
                tell((await client.generate("Hi", "m")).text)
            except Exception as error:
                tell(error)

{enter}:
    {more}
    for client in (warm, hf_text.Client(**options)):
        try:
            tell(client.generate("Hi", "m").text)
        except Exception as error:
            tell(error)
        client.close()
    {ask}
print(warm.generate("Hi", "m").text)
warm.close()
"""
REFUSAL = (
    "InvalidRequestError {} answers requests in this process, and hf_text reads responses only from servers: "
    "nothing was sent. For tests use hf_text.emulator, a server on this machine"
)


def ask(emulator: Emulator, imports: str, enter: str, more: str = "pass", ask: str = "asyncio.run(ask())") -> list[str]:
    """The program's output per call: four with the double, one after it."""
    emulator.always(Response.text("One", " two"))
    program = ASK.format(imports=imports, enter=enter, more=more, ask=ask)
    done = subprocess.run(
        [sys.executable, "-c", program, emulator.api_base], capture_output=True, text=True, timeout=50, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


DOUBLES = {
    "responses": ("import responses", "with responses.RequestsMock(assert_all_requests_are_fired=False) as double"),
    "requests_mock": ("import requests_mock", "with requests_mock.Mocker() as double"),
    "vcrpy": ("import vcr", 'with vcr.use_cassette("/nowhere/at/all.yaml", record_mode="none") as double'),
    "httpretty": ("import httpretty", "with httpretty.enabled(allow_net_connect=False) as double"),
    "mocket": ("from mocket import Mocketizer", "with Mocketizer(strict_mode=True) as double"),
    "pook": ("import pook", "with pook.use() as double"),
}
KNOWN = {
    "responses": 'double.add("POST", url, json={})',
    "requests_mock": "double.post(url, json={})",
    "httpretty": 'httpretty.register_uri("POST", url, body="{}")',
    "pook": "pook.post(url, reply=200, response_json={})",
}
MODULES = {"vcrpy": "vcr"}


@pytest.mark.parametrize("name", DOUBLES)
def test_a_mock_without_an_answer_is_refused_with_an_alternative(needs: Needs, emulator: Emulator, name: str) -> None:
    needs(MODULES.get(name, name))
    # An event loop cannot start while sockets are replaced.
    loop = "pass" if name == "mocket" else "asyncio.run(ask())"
    said = ask(emulator, *DOUBLES[name], ask=loop)
    assert said[:-1] == [REFUSAL.format(name)] * (2 if name == "mocket" else 4)
    assert said[-1] == "One two"
    assert len(emulator.requests) == 2  # the calls before and after the double


@pytest.mark.parametrize("name", KNOWN)
def test_a_mock_that_would_answer_is_refused_with_an_alternative(needs: Needs, emulator: Emulator, name: str) -> None:
    needs(name)
    said = ask(emulator, *DOUBLES[name], more=KNOWN[name])
    assert said == [REFUSAL.format(name)] * 4 + ["One two"]
    assert len(emulator.requests) == 2


@pytest.mark.parametrize(
    ("name", "enter", "more"),
    [
        ("responses", DOUBLES["responses"][1], "double.add_passthru(address)"),
        ("requests_mock", "with requests_mock.Mocker(real_http=True) as double", "pass"),
    ],
)
def test_a_pass_through_mock_lets_requests_reach_the_emulator(
    needs: Needs, emulator: Emulator, name: str, enter: str, more: str
) -> None:
    needs(name)
    assert ask(emulator, DOUBLES[name][0], enter, more) == ["'One two'"] * 4 + ["One two"]
    assert len(emulator.requests) == 6


def test_a_network_blocked_by_tests_is_not_reached(needs: Needs, emulator: Emulator) -> None:
    """pytest-socket raises its own error, which needs no further advice."""
    needs("pytest_socket")
    allow = 'pytest_socket.socket_allow_hosts(["127.0.0.2"])'
    enter = f"import contextlib, warnings; warnings.simplefilter('ignore'); {allow}\nwith contextlib.nullcontext()"
    said = ask(emulator, "import pytest_socket", enter, ask="pytest_socket._remove_restrictions()")
    assert said[0] == "'One two'"  # on an existing connection
    assert said[1].startswith("SocketConnectBlockedError(")
    assert said[2:] == ["One two"]
    assert len(emulator.requests) == 3


DOCUMENT = (Path(__file__).parents[2] / "docs" / "beside.rst").read_text("utf-8")


def test_the_page_shows_the_refusal_and_a_working_example(needs: Needs) -> None:
    needs("responses")
    assert REFUSAL.format("responses").replace("Error ", "Error: ", 1) in " ".join(DOCUMENT.split())
    (example,) = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", DOCUMENT)
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(example)], capture_output=True, text=True, timeout=50)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
