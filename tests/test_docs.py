"""The documentation is correct: each documented fault gives the documented error and the documented next attempt."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import hf_text
from hf_text import Client, HFTextError, InvalidRequestError, Timeouts
from hf_text.emulator import FAULTS, Emulator, Response, build_model
from hf_text.transport.call import Call

DOCS = Path(__file__).parent.parent / "docs"
RELIABILITY = (DOCS / "reliability.rst").read_text("utf-8")
MODEL = "a/b"

NEXT = {
    # text in the table: (whether another provider may be tried, whether the same may be retried)
    "no": (False, False),
    "another": (True, False),
    "same": (False, True),
    "another, same": (True, True),
}


class Row(NamedTuple):
    """A row of the fault tables."""

    line: int
    wrong: str
    given: str
    when: str
    next: str
    seen: str

    @property
    def error(self) -> str | None:
        """The error class; None for an answer."""
        found = re.match(r"``(\w+Error)``", self.given)
        return found[1] if found else None

    @property
    def clock(self) -> str:
        """The timeout that ends the wait, or ``"at once"``."""
        return self.when.strip("`")


class Case(NamedTuple):
    """A row and one way to reproduce it."""

    row: Row
    name: str

    @property
    def reply(self) -> Response | str:
        return (
            eval(self.name, {"Response": Response}) if self.name.startswith("Response") else self.name
        )  # the project's own document

    def __str__(self) -> str:
        return f"line {self.row.line}: {self.name}"


def read_rows(text: str) -> Iterator[Row]:
    """The rows of the five-column list tables, without the headings."""
    for found in re.finditer(r"^   \* - .*\n(?:     .*\n)+", text, re.MULTILINE):
        cells = [" ".join(cell.split()) for cell in re.split(r"^     - ", found[0][7:], flags=re.MULTILINE)]
        if len(cells) == 5 and cells[2] != "When":
            yield Row(text.count("\n", 0, found.start()) + 1, *cells)


def read_cases(rows: list[Row]) -> Iterator[Case]:
    for row in rows:
        for name in re.findall(r"``(.+?)``", row.seen):
            yield Case(row, name)


ROWS = list(read_rows(RELIABILITY))
CASES = list(read_cases(ROWS))
FAILING = [case for case in CASES if case.row.error]


@pytest.fixture
def hf(emulator: Emulator) -> Emulator:
    """Serves one model through several providers; after the scripted answers, it answers normally."""
    emulator.models = [build_model(MODEL, "novita", "groq", "cerebras")]
    emulator.always(Response.text("Hello"))
    return emulator


@pytest.fixture
def make(make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Client]:
    """Create clients that skip all pauses; one given timeout is short."""
    monkeypatch.setattr(Call, "pause", lambda call, seconds: None)

    def make(clock: str = "", **options: Any) -> Client:
        clocks = {"connect": 10.0, "first": 10.0, "gap": 10.0}
        return make_client(timeout=Timeouts(**{**clocks, **({clock: 0.15} if clock in clocks else {})}), **options)

    return make


def read(client: Client) -> tuple[str, Any]:
    try:
        return client.generate("Hi", MODEL).text, None
    except HFTextError as error:
        return "", error


def asked(hf: Emulator) -> list[str]:
    """The provider suffix of each chat request: ``""`` if the router chooses, else ``":provider"``."""
    return [str(request.json["model"]).removeprefix(MODEL) for request in hf.requests if request.method == "POST"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_fault_has_the_documented_result(hf: Emulator, make: Callable[..., Client], case: Case) -> None:
    hf.reply(case.reply)
    _, error = read(make(case.row.clock, max_retries=0))
    assert (type(error).__name__ if error else None) == case.row.error
    if isinstance(error, hf_text.RequestTimeoutError):
        assert case.row.when == f"``{error.clock}``"
    elif error:
        assert case.row.when == "``at once``"


@pytest.mark.parametrize("case", FAILING, ids=str)
def test_failover_after_a_fault_is_as_documented(hf: Emulator, make: Callable[..., Client], case: Case) -> None:
    another, same = NEXT[case.row.next.strip("`")]
    hf.reply(case.reply)
    text, error = read(make(case.row.clock, max_retries=1))
    assert (text == "Hello") == (another or same), error
    first, *rest = asked(hf)
    assert [whom != first for whom in rest] == ([True] if another else [False] if same else [])


@pytest.mark.parametrize("case", FAILING, ids=str)
def test_retries_of_a_chosen_provider_are_as_documented(hf: Emulator, make: Callable[..., Client], case: Case) -> None:
    _, same = NEXT[case.row.next.strip("`")]
    hf.reply(case.reply)
    text, error = read(make(case.row.clock, max_retries=1, provider="novita"))
    assert (text == "Hello") == same, error
    assert set(asked(hf)) == {":novita"}


def test_every_emulator_fault_has_a_row() -> None:
    named = [case.name for case in CASES if not case.name.startswith("Response")]
    assert sorted(named) == sorted(FAULTS)


def test_every_error_named_in_a_row_exists() -> None:
    assert len(ROWS) > 60
    named = {row.error for row in ROWS} - {None}
    assert named <= set(hf_text.__all__)
    families = {"HFTextError", "StreamError", "MissingAuthError", "ModelNotSupportedError"}
    families |= {"MissingExtraError", "LocalServerError", "StructuredOutputError"}
    assert set(re.findall(r"``(\w+Error)``", RELIABILITY)) | families >= {
        name for name in hf_text.__all__ if name.endswith("Error")
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"line {row.line}")
def test_rows_follow_the_documented_legend(row: Row) -> None:
    if row.error:
        assert row.when in ("``at once``", "``connect``", "``first``", "``gap``")
        assert re.match(r"``(no|another|same|another, same)``", row.next)
    else:
        assert row.given.startswith(("the whole answer", "the answer"))
        assert row.next == "\N{EN DASH}"


def test_timeouts_have_the_documented_defaults() -> None:
    written = dict(re.findall(r"^``(\w+)``  +\S.*?  +(\d+ s|none)$", RELIABILITY, re.MULTILINE))
    clocks = {name: getattr(Timeouts(), name) for name in Timeouts.__dataclass_fields__}
    assert written == {name: "none" if seconds is None else f"{seconds} s" for name, seconds in clocks.items()}


@pytest.mark.parametrize("scheme", ["socks4", "socks5", "socks5h", "SOCKS5"])
def test_a_socks_proxy_is_refused_and_nothing_is_sent(hf: Emulator, make: Callable[..., Client], scheme: str) -> None:
    """Run with and without PySocks."""
    with pytest.raises(InvalidRequestError, match="SOCKS proxies are not supported"):
        make(proxies={"http": f"{scheme}://127.0.0.1:9"}).generate("Hi", MODEL)
    assert hf.connections == 0


# --- Nothing on standard error

EVERYTHING = """
import asyncio, logging, pathlib, pickle, tempfile
import anyio, trio
import hf_text, hf_text.batch
from hf_text.aio import AsyncClient
from hf_text.emulator import FAULTS, Emulator

# In developer mode asyncio tells of every step over 0.1 s: how busy this machine is.
logging.getLogger("asyncio").addFilter(lambda record: not record.getMessage().startswith("Executing"))

MODEL = "openai/gpt-oss-120b"
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
PICTURE = b"\\x89PNG\\r\\n\\x1a\\n" + bytes(20)

def check(error):
    assert str(pickle.loads(pickle.dumps(error))) == str(error)

assert hf_text.generate("Hi").text == "".join(hf_text.stream("Hi"))
assert hf_text.models()
clocks = hf_text.Timeouts(5, 0.1, 0.1, 5)
with hf_text.Client(provider=["novita", "auto"], bill_to="us", headers={"X-Mine": "yes"}, max_retries=0) as client:
    options = dict(tools=[TOOL], tool_choice="required", include_usage=True, reasoning_effort="low", seed=1)
    events = list(client.stream([{"role": "user", "content": "Hi"}], **options).events())
    assert {type(event).__name__ for event in events} >= {"ProviderInfo", "Reasoning", "ToolCalls", "Usage"}
    assert client.models(search="gpt", sort="price")
    assert client.mapping(MODEL)
    assert list(client.hub_models(limit=2))
    next(client.hub_models())
    try:
        client.generate("Look", media=PICTURE)
    except hf_text.HFTextError as error:
        check(error)
    pickle.loads(pickle.dumps(client)).generate("Hi")
    for text in client.stream("Hi"):
        break
    with client.stream("Hi") as stream:
        stream.read()
        stream.cancel()
with Emulator() as hf:
    client = hf_text.Client(router_url=hf.url, hub_url=hf.url, max_retries=0, timeout=clocks)
    for fault in FAULTS:
        hf.reply(fault)
        try:
            client.generate("Hi")
        except hf_text.HFTextError as error:
            check(error)

async def main():
    async with AsyncClient(timeout=clocks) as client:
        assert await client.generate("Hi")
        assert await client.models()
        assert await client.mapping(MODEL)
        async with client.stream("Hi") as stream:
            assert [text async for text in stream]
        async for text in client.stream("Hi"):
            break
        async for model in client.hub_models():
            break
        with anyio.move_on_after(0.01):
            await client.generate("Hi")
    async for event in hf_text.HuggingFaceAPI.create_async_generator(MODEL, [{"role": "user", "content": "Hi"}]):
        pass
    await hf_text.HuggingFaceAPI.get_mapping(MODEL)

asyncio.run(main())
trio.run(main)
assert list(hf_text.HuggingFaceAPI.create_generator(MODEL, [{"role": "user", "content": "Hi"}]))
assert hf_text.HuggingFaceAPI.get_models()
with tempfile.TemporaryDirectory() as folder:
    prompts, answers = pathlib.Path(folder, "in.jsonl"), pathlib.Path(folder, "out.jsonl")
    prompts.write_text('{"prompt": "Hi"}\\n{"prompt": "Ho"}\\n')
    assert hf_text.batch.run(prompts, answers).done == 2
print("end")
"""

OPEN = """
import asyncio, logging, sys, threading
import hf_text
from hf_text.aio import AsyncClient

# In developer mode asyncio tells of every step over 0.1 s: how busy this machine is.
logging.getLogger("asyncio").addFilter(lambda record: not record.getMessage().startswith("Executing"))

def read():
    try:
        list(hf_text.stream("Hi", timeout=hf_text.Timeouts(5, 5, 0.2)))
    except hf_text.RequestTimeoutError as error:
        print(error.clock)

async def first_of(texts):
    async for text in texts:
        return text

"""

ENDS = {
    "in a thread that is waited for": ("threading.Thread(target=read).start()", "gap"),
    "by an exit within the loop": ("for text in hf_text.stream('Hi'):\n    print(text)\n    sys.exit()", "One"),
    "in an async stream": ("stream = AsyncClient().stream('Hi')\nprint(asyncio.run(first_of(stream)))", "One"),
    "in an async iterator": (
        "events = AsyncClient().stream('Hi').__aiter__()\nprint(asyncio.run(first_of(events)))",
        "One",
    ),
    "in a listing": ("models = hf_text.Client().hub_models()\nprint(next(models))", "openai/gpt-oss-120b"),
}


def run(program: str, emulator: Emulator) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, **emulator.environ, "HF_TOKEN": "hf_MadeUpKeyForTests"}
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=50, cwd=DOCS.parent, env=variables)


def test_a_program_that_uses_everything_is_silent_in_development_mode(emulator: Emulator) -> None:
    """No file, socket, thread or coroutine is left to the garbage collector, and no library logs a warning."""
    pytest.importorskip("trio")
    done = run(EVERYTHING, emulator)
    assert (done.stderr, done.stdout, done.returncode) == ("", "end\n", 0)


@pytest.mark.parametrize(("program", "printed"), ENDS.values(), ids=ENDS)
def test_a_program_that_ends_with_open_resources_is_silent(emulator: Emulator, program: str, printed: str) -> None:
    emulator.reply("stall-mid-stream")
    done = run(OPEN + program, emulator)
    assert (done.stderr, done.stdout, done.returncode) == ("", f"{printed}\n", 0)
