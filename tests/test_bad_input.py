"""Invalid arguments are reported at the call, by name and value, before anything is sent."""

from __future__ import annotations

import io
import pickle
import traceback
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy
import pytest

import hf_text
from hf_text import Client, HFTextError, InvalidRequestError, Timeouts
from hf_text.emulator import Emulator

MakeClient = Callable[..., Client]

LONG = "x" * 100_000
TOOL = {"type": "function", "function": {"name": "now", "parameters": {}}}


def label(value: Any) -> str:
    """The id of a case."""
    return "huge" if isinstance(value, int) and value.bit_length() > 100 else f"{value!r:.30}"


def refused(emulator: Emulator, action: Callable[[], object], name: str, shown: str = "") -> InvalidRequestError:
    """Return the error: it names the argument, shows a shortened value, and nothing was sent."""
    with pytest.raises(InvalidRequestError) as caught:
        action()
    message = str(caught.value)
    assert name in message
    assert shown in message
    assert len(message) < 400
    assert message.isprintable()
    assert emulator.requests == []
    return caught.value


def test_an_invalid_argument_is_a_value_error_and_can_be_pickled(emulator: Emulator) -> None:
    error = refused(emulator, lambda: Client(max_retries=-1), "max_retries", "-1")
    assert isinstance(error, ValueError)
    assert isinstance(error, HFTextError)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.attempts) == (InvalidRequestError, str(error), ())


# --- the client

CLIENT: list[tuple[str, Any, str]] = [
    ("api_key", 123, "int"),
    ("api_key", b"hf_key", "bytes"),
    ("api_key", ["hf_key"], "list"),
    ("api_key", "hf_a\x00b", "position 5"),
    ("api_key", "hf_a\tb", "position 5"),
    ("api_key", "hf_ä", "not ASCII"),
    ("api_key", "https://localhost/v1", "it is a URL. Use api_base= for the address of a server"),
    ("api_key", "<your_token>", "it is in brackets"),
    ("api_key", "None", "it is the text of a missing value"),
    ("api_key", "gsk_0123", "it is a key of Groq, and would go to Hugging Face"),
    ("provider_mapping", {"a/b": {"../x": {"providerId": "b"}}}, "../x"),
    ("provider", "../x", "../x"),
    ("provider", ["novita", "a/../../b"], "a/../../b"),
    ("provider", "", "''"),
    ("provider", [], "[]"),
    ("provider", None, "None"),
    ("provider", 5, "5"),
    ("provider", {"novita"}, "novita"),
    ("provider", b"novita", ""),
    ("provider", ["novita", 5], "5"),
    ("provider", ["novita", None], "None"),
    ("provider", "two words", "two words"),
    ("provider", "novita\n", r"novita\n"),
    ("provider", "no\x1b[31mvita", r"\x1b"),
    ("provider", "a:b", "a:b"),
    ("provider", "a?b", "a?b"),
    ("provider", "\ud800", r"\ud800"),
    ("provider", LONG + "!", "xxx"),
    ("timeout", 0, "0"),
    ("timeout", -1, "-1"),
    ("timeout", float("nan"), "nan"),
    ("timeout", float("inf"), "inf"),
    ("timeout", True, "True"),
    ("timeout", "5", "'5'"),
    ("timeout", (1, 2), "(1, 2)"),
    ("timeout", {"first": 5}, "first"),
    ("max_retries", -1, "-1"),
    ("max_retries", 1.5, "1.5"),
    ("max_retries", True, "True"),
    ("max_retries", None, "None"),
    ("max_retries", "2", "'2'"),
    ("max_retries", -(10**5000), "bits"),
    ("max_event_bytes", 0, "0"),
    ("max_event_bytes", "1M", "1M"),
    ("bill_to", "", "''"),
    ("bill_to", "  ", "'  '"),
    ("bill_to", 5, "5"),
    ("bill_to", "my\r\norg", r"my\r\norg"),
    ("bill_to", "mü-org", "mü-org"),
    ("headers", "X-A: b", "str"),
    ("headers", [("X-A", "b")], "list"),
    ("headers", {"X-A": 5}, "X-A"),
    ("headers", {"X-A": b"b"}, "X-A"),
    ("headers", {"X-A": None}, "X-A"),
    ("headers", {5: "b"}, "5"),
    ("headers", {"": "b"}, "''"),
    ("headers", {"X A": "b"}, "X A"),
    ("headers", {"X-A:": "b"}, "X-A:"),
    ("headers", {"X-Ä": "b"}, "X-Ä"),
    ("headers", {"X-A\n": "b"}, r"X-A\n"),
    ("headers", {"X-A": "b\r\nX-B: c"}, "X-A"),
    ("headers", {"X-A": "b\x00"}, "X-A"),
    ("headers", {"X-A": "ä"}, "X-A"),
    ("headers", {"X-A": " b"}, "X-A"),
    ("headers", {"content-Length": "5"}, "content-Length"),
    ("headers", {"Transfer-Encoding": "chunked"}, "Transfer-Encoding"),
    ("proxies", "http://127.0.0.1:1", "str"),
    ("proxies", {"http": 1}, "http"),
    ("proxies", {1: "http://127.0.0.1:1"}, "1"),
    ("proxies", {"http": "http://"}, "http"),
    ("verify", "/no/such/file", "/no/such/file"),
    ("verify", None, "None"),
    ("verify", 1, "1"),
]


@pytest.mark.parametrize(("name", "value", "shown"), CLIENT, ids=label)
def test_a_client_refuses_an_invalid(emulator: Emulator, name: str, value: Any, shown: str) -> None:
    refused(emulator, lambda: Client(**{name: value}), name, shown)


def test_a_placeholder_key_is_refused_for_hugging_face_but_not_for_a_replacement(
    emulator: Emulator, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hugging_face = "https://router.huggingface.co"
    refused(emulator, lambda: make_client("hf_xxx", router_url=hugging_face), "api_key", "it is a placeholder")
    monkeypatch.setenv("HF_TOKEN", "hf_xxx")
    refused(emulator, lambda: make_client(None, router_url=hugging_face).generate("Hi"), "HF_TOKEN", "is a placeholder")
    for key in (None, "hf_xxx"):
        make_client(key).generate("Hi")
        assert emulator.requests[-1].headers["authorization"] == "Bearer hf_xxx"


def test_a_foreign_key_is_sent_only_to_its_server(emulator: Emulator, make_client: MakeClient) -> None:
    for key in ("gsk_0123456789", "None", "hf_xxx"):
        make_client(key, f"{emulator.url}/v1", router_url="http://localhost:9").generate("Hi")
        assert emulator.requests[-1].headers["authorization"] == f"Bearer {key}"


NO_URLS: list[Any] = [
    "",
    " ",
    "localhost:8080/v1",
    "localhost",
    "/v1",
    "//localhost/v1",
    "http://",
    "http:///v1",
    "http:/localhost/v1",
    "http:localhost/v1",
    "ftp://localhost/v1",
    "file:///etc/passwd",
    "htp://localhost/v1",
    "http://localhost:port/v1",
    "http://localhost:99999/v1",
    "http://localhost:-1/v1",
    "http://localhost:0/v1",
    "http://localhost:80:80/v1",
    "http://[::1/v1",
    "http://::1]/v1",
    "http://two words/v1",
    "http://localhost/two words",
    "http://localhost/v1\x00",
    "http://local\nhost/v1",
    "http://localhost/\x1b[31m",
    "http://local\u200bhost/v1",
    "http://localhost/v1?x=1",
    "http://localhost/v1#top",
    "http://me@localhost/v1",
    b"http://localhost/v1",
    Path("/v1"),
    5,
    False,
    ["http://localhost/v1"],
    "http://" + LONG + "!\n!",
]


@pytest.mark.parametrize("name", ["api_base", "hub_url", "router_url"])
@pytest.mark.parametrize("value", NO_URLS, ids=label)
def test_a_client_refuses_an_invalid_url(emulator: Emulator, name: str, value: Any) -> None:
    refused(emulator, lambda: Client("hf_key", **{name: value}), name)


@pytest.mark.parametrize(
    "address", ["me:Secret7@localhost:8080/v1", "//me:Secret7@localhost/v1", "http:me:Secret7@localhost", "hf_Secret7"]
)
def test_a_secret_in_an_invalid_url_is_not_shown(emulator: Emulator, address: str) -> None:
    assert "Secret7" not in str(refused(emulator, lambda: Client(api_base=address), "api_base"))


@pytest.mark.parametrize("variable", ["HF_ENDPOINT", "HF_TEXT_ROUTER_URL"])
def test_an_invalid_url_in_the_environment_names_the_variable(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "huggingface.co")
    refused(emulator, lambda: Client("hf_key"), variable, "huggingface.co")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (" http://localhost:1/v1\n", "http://localhost:1/v1"),
        ("http://localhost:1/v1/", "http://localhost:1/v1"),
        ("http://localhost:1/v1/chat/completions", "http://localhost:1/v1"),
        ("http://localhost:1/v1/chat/completions/", "http://localhost:1/v1"),
        ("HTTP://LOCALHOST:1/v1", "HTTP://LOCALHOST:1/v1"),
        ("http://[::1]:1/v1", "http://[::1]:1/v1"),
        ("http://localhost:1", "http://localhost:1"),
    ],
)
def test_characters_copied_along_with_a_url_are_stripped(given: str, meant: str) -> None:
    assert repr(Client(api_base=given)) == f"<Client of {meant}, key: none>"


@pytest.mark.parametrize("clock", ["connect", "first", "gap", "total"])
@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "5", True, [5]])
def test_a_timeout_refuses_what_is_not_a_duration(emulator: Emulator, clock: str, seconds: Any) -> None:
    refused(emulator, lambda: Timeouts(**{clock: seconds}), clock, repr(seconds))
    refused(emulator, lambda: Client(timeout=seconds), "timeout must be a number of seconds above 0", repr(seconds))


def test_numbers_of_other_libraries_are_accepted(client: Client) -> None:
    clocks = Timeouts(Decimal("2.5"), numpy.float32(4), numpy.int64(3))  # type: ignore[arg-type]
    assert clocks == Timeouts(2.5, 4, 3)
    assert {type(clocks.connect), type(clocks.gap)} == {float, int}
    assert Client(max_retries=numpy.int64(0), max_event_bytes=Decimal(9))  # type: ignore[arg-type]
    answer = client.generate("Hi", temperature=Decimal("0.5"), max_tokens=Decimal(5))  # type: ignore[arg-type]
    assert answer.finish_reason
    assert client.models(max_output_price=Decimal("0.5"), min_context=numpy.int64(1)) == client.models(  # type: ignore[arg-type]
        max_output_price=0.5, min_context=1
    )


@pytest.mark.parametrize("clock", ["connect", "first", "gap"])
def test_only_the_total_timeout_can_be_none(emulator: Emulator, clock: str) -> None:
    nothing: Any = None
    refused(emulator, lambda: Timeouts(**{clock: nothing}), clock, "None")
    assert Timeouts(total=None).total is None


def test_an_unknown_argument_is_a_type_error(emulator: Emulator, client: Client) -> None:
    for action in (
        lambda: Client(retries=3),  # type: ignore[call-arg]
        lambda: client.stream("Hi", temprature=1),  # type: ignore[call-arg]
        lambda: client.generate("Hi", stream=True),  # type: ignore[call-arg]
        lambda: client.models(vison=True),  # type: ignore[call-arg]
        lambda: hf_text.generate("Hi", temprature=1),  # type: ignore[call-arg]
    ):
        with pytest.raises(TypeError):
            action()
    assert emulator.requests == []


# --- a call

USER = {"role": "user", "content": "Hi"}

MESSAGES: list[tuple[Any, str, str]] = [
    (None, "messages", "None"),
    (5, "messages", "5"),
    (b"Hi", "messages", "Hi"),
    ("", "messages", "''"),
    ([], "messages", "[]"),
    (USER, "messages", "'Hi'"),
    ([None], "messages[0]", "None"),
    (["Hi"], "messages[0]", "'Hi'"),
    ([USER, 5], "messages[1]", "5"),
    ([{}], "messages[0]", "{}"),
    ([{"content": "Hi"}], "messages[0]", "role"),
    ([{"role": "user"}], "messages[0]", "content"),
    ([{"role": "robot", "content": "Hi"}], 'messages[0]["role"]', "'robot'"),
    ([{"role": "User", "content": "Hi"}], 'messages[0]["role"]', "'User'"),
    ([{"role": 5, "content": "Hi"}], 'messages[0]["role"]', "5"),
    ([{"role": ["user"], "content": "Hi"}], 'messages[0]["role"]', "['user']"),
    ([{"role": "user", "content": 5}], 'messages[0]["content"]', "5"),
    ([{"role": "user", "content": b"Hi"}], 'messages[0]["content"]', "b'Hi'"),
    ([{"role": "user", "content": None}], "messages[0]", "content"),
    ([{"role": "user", "content": []}], 'messages[0]["content"]', "empty"),
    ([{"role": "user", "content": [5]}], 'messages[0]["content"][0]', "5"),
    ([{"role": "user", "content": [{"text": "Hi"}]}], 'messages[0]["content"][0]', "type"),
    ([{"role": "user", "content": [{"type": "text"}]}], 'messages[0]["content"][0]["text"]', "None"),
    ([{"role": "user", "content": [{"type": "image_url"}]}], 'messages[0]["content"][0]["image_url"]', "None"),
    ([{"role": "tool", "content": "12:00"}], "messages[0]", "tool_call_id"),
    ([{"role": "user", "content": "\ud800"}], 'messages[0]["content"]', "surrogate"),
    ([{"role": "user", "content": "Hi", "extra": {1, 2}}], 'messages[0]["extra"]', "{1, 2}"),
    ([{"role": "user", "content": "Hi", "extra": float("nan")}], 'messages[0]["extra"]', "nan"),
    ([{"role": LONG, "content": "Hi"}], 'messages[0]["role"]', "xxx"),
]

CALL: list[tuple[str, Any, str]] = [
    ("model", "", "''"),
    ("model", "  ", "'  '"),
    ("model", 5, "5"),
    ("model", ["a/b"], "a/b"),
    ("model", b"a/b", "a/b"),
    ("model", "a/b\n", r"a/b\n"),
    ("model", "a/\x00b", r"a/\x00b"),
    ("model", "\x1b[31ma/b", r"\x1b"),
    ("model", "\ud800", r"\ud800"),
    ("model", LONG + "\n", "xxx"),
    ("max_tokens", 0, "0"),
    ("max_tokens", -5, "-5"),
    ("max_tokens", 1.5, "1.5"),
    ("max_tokens", "5", "'5'"),
    ("max_tokens", True, "True"),
    ("max_tokens", 10**5000, "bits"),
    ("temperature", -0.1, "-0.1"),
    ("temperature", 2.1, "2.1"),
    ("temperature", "hot", "hot"),
    ("temperature", float("nan"), "nan"),
    ("temperature", True, "True"),
    ("top_p", 0, "0"),
    ("top_p", 1.1, "1.1"),
    ("top_p", "all", "all"),
    ("stop", 5, "5"),
    ("stop", [""], "''"),
    ("stop", ["a", 5], "5"),
    ("stop", "", "''"),
    ("stop", {"a"}, "'a'"),
    ("stop", "\ud800", "surrogate"),
    ("seed", "x", "'x'"),
    ("seed", 1.5, "1.5"),
    ("seed", 2**70, str(2**70)),
    ("tools", {}, "{}"),
    ("tools", "now", "'now'"),
    ("tools", [5], "5"),
    ("tools", [{}], "{}"),
    ("tools", [{"type": "function"}], "function"),
    ("tools", [{"type": "function", "function": {"name": ""}}], "''"),
    ("tools", [{"type": "function", "function": {"name": "now", "parameters": "none"}}], "'none'"),
    ("tools", [{"type": "function", "function": {"name": "now", "x": object}}], "object"),
    ("response_format", "xml", "'xml'"),
    ("response_format", {}, "{}"),
    ("response_format", 5, "5"),
    ("response_format", {"type": "json_schema", "json_schema": {1}}, "{1}"),
    ("reasoning_effort", "", "''"),
    ("reasoning_effort", 5, "5"),
    ("include_usage", "yes", "'yes'"),
    ("include_usage", 1, "1"),
    ("extra_body", [], "[]"),
    ("extra_body", {"model": "a/b"}, "model"),
    ("extra_body", {"stream": False}, "stream"),
    ("extra_body", {"x": object}, "object"),
    ("extra_body", {5: "x"}, "5"),
    ("extra_body", {"x": float("inf")}, "inf"),
    ("provider", "../x", "../x"),
    ("provider", ["novita", "a/../../b"], "a/../../b"),
    ("provider", "", "''"),
    ("provider", [], "[]"),
    ("provider", 5, "5"),
    ("provider", "two words", "two words"),
    ("timeout", 0, "0"),
    ("timeout", -1, "-1"),
    ("timeout", "5", "'5'"),
    ("timeout", float("nan"), "nan"),
]


@pytest.fixture(params=["stream", "generate"])
def ask(request: pytest.FixtureRequest, client: Client) -> Callable[..., object]:
    """Both ways to call; the stream is not read: the call itself must refuse."""
    method: Callable[..., object] = getattr(client, request.param)
    return method


@pytest.mark.parametrize(("messages", "name", "shown"), MESSAGES, ids=label)
def test_a_call_refuses_invalid_messages(
    emulator: Emulator, ask: Callable[..., object], messages: Any, name: str, shown: str
) -> None:
    refused(emulator, lambda: ask(messages), name, shown)


@pytest.mark.parametrize(("name", "value", "shown"), CALL, ids=label)
def test_a_call_refuses_an_invalid(
    emulator: Emulator, ask: Callable[..., object], name: str, value: Any, shown: str
) -> None:
    refused(emulator, lambda: ask("Hi", **{name: value}), name, shown)


@pytest.mark.parametrize("choice", ["later", 5, [], {}, ""])
def test_a_call_refuses_an_invalid_tool_choice(emulator: Emulator, ask: Callable[..., object], choice: Any) -> None:
    refused(emulator, lambda: ask("Hi", tools=[TOOL], tool_choice=choice), "tool_choice", repr(choice))
    refused(emulator, lambda: ask("Hi", tool_choice="auto"), "tool_choice", "'auto'")


def _closed() -> io.BytesIO:
    file = io.BytesIO(b"GIF8")
    file.close()
    return file


MEDIA: dict[str, tuple[Any, str]] = {
    "a number": (5, "5"),
    "a file that is not there": ("/no/such/cat.png", "/no/such/cat.png"),
    "a path with a null character": ("cat\x00.png", "cat"),
    "a folder": (Path("/"), "'/'"),
    "no bytes": (b"", "empty"),
    "text": (b"Dear Sir or Madam", "text/plain"),
    "a web page": (b"<!DOCTYPE html><p>Hi", "text/html"),
    "a document": (b"%PDF-1.7", "application/pdf"),
    "a film": (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", "video/mp4"),
    "noise": (bytes(range(32)), "no known type"),
    "a closed file": (_closed(), "closed"),
    "a file in text mode": (io.StringIO("GIF8"), "text mode"),
    "another scheme": ("ftp://example.org/cat.png", "ftp://"),
    "an address without host": ("https://", "https://"),
    "a data URI without type": ("data:,Hi", "data:,Hi"),
    "a data URI with broken base64": ("data:image/png;base64,###", "###"),
    "a data URI of text": ("data:text/plain;base64,SGk=", "text/plain"),
    "a mapping": ({"url": "https://example.org/cat.png"}, "url"),
    "a tuple with a number": ((b"GIF8", 5), "5"),
}


@pytest.mark.parametrize(("media", "shown"), MEDIA.values(), ids=MEDIA)
def test_a_call_refuses_invalid_media(emulator: Emulator, ask: Callable[..., object], media: Any, shown: str) -> None:
    refused(emulator, lambda: ask("Hi", media=media), "media", shown)
    refused(emulator, lambda: ask("Hi", media=["https://example.org/cat.png", media]), "media[1]", shown)


@pytest.mark.parametrize("n", [2, 2.0, "2"])
def test_more_than_one_answer_is_refused_before_anything_is_sent(
    emulator: Emulator, ask: Callable[..., object], n: Any
) -> None:
    refused(emulator, lambda: ask("Hi", extra_body={"n": n}), 'extra_body["n"] must be 1', repr(n))


def test_invalid_arguments_are_reported_before_a_missing_key(emulator: Emulator, make_client: MakeClient) -> None:
    refused(emulator, lambda: make_client(None).stream("Hi", max_tokens=-1), "max_tokens", "-1")


# --- the catalogue

MODELS: list[tuple[str, Any, str]] = [
    ("search", 5, "5"),
    ("search", ["a"], "['a']"),
    ("provider", 5, "5"),
    ("vision", "yes", "'yes'"),
    ("vision", 1, "1"),
    ("tools", "no", "'no'"),
    ("structured_output", 0, "0"),
    ("min_context", -1, "-1"),
    ("min_context", "8k", "'8k'"),
    ("max_output_price", "cheap", "'cheap'"),
    ("max_output_price", float("nan"), "nan"),
    ("sort", "size", "'size'"),
    ("sort", 5, "5"),
    ("sort", ["price"], "price"),
]


@pytest.mark.parametrize(("name", "value", "shown"), MODELS, ids=label)
def test_the_catalogue_refuses_an_invalid(
    emulator: Emulator, client: Client, name: str, value: Any, shown: str
) -> None:
    refused(emulator, lambda: client.models(**{name: value}), name, shown)


@pytest.mark.parametrize("model", ["", " ", None, 5, "a\nb", "\x00", "../../whoami-v2", "a/..", "./a"], ids=repr)
def test_a_mapping_is_not_requested_without_a_name(emulator: Emulator, client: Client, model: Any) -> None:
    refused(emulator, lambda: client.mapping(model), "model", repr(model))


HUB: list[tuple[str, Any, str]] = [
    ("limit", 0, "0"),
    ("limit", -1, "-1"),
    ("limit", True, "True"),
    ("limit", "5", "'5'"),
    ("limit", 1.5, "1.5"),
    ("provider", "", "''"),
    ("provider", 5, "5"),
    ("provider", "a b", "a b"),
    ("provider", ["novita", "groq"], "groq"),
    ("search", 5, "5"),
    ("search", ["a"], "['a']"),
]


@pytest.mark.parametrize(("name", "value", "shown"), HUB, ids=label)
def test_the_listing_refuses_an_invalid(emulator: Emulator, client: Client, name: str, value: Any, shown: str) -> None:
    refused(emulator, lambda: client.hub_models(**{name: value}), name, shown)


# --- the functions of the module


@pytest.mark.parametrize("function", [hf_text.generate, hf_text.stream])
def test_a_module_function_refuses_what_the_method_refuses(emulator: Emulator, function: Callable[..., object]) -> None:
    refused(emulator, lambda: function([]), "messages", "[]")
    refused(emulator, lambda: function("Hi", "a\nb"), "model", r"a\nb")
    refused(emulator, lambda: function("Hi", temperature="hot"), "temperature", "hot")
    refused(emulator, lambda: function("Hi", timeout=0), "timeout", "0")


def test_the_catalogue_function_refuses_what_the_method_refuses(emulator: Emulator) -> None:
    refused(emulator, lambda: hf_text.models(sort="size"), "sort", "'size'")


@pytest.mark.parametrize("name", ["chat", "chat_completion", "text_generation", "responses"])
def test_a_method_of_another_library_gets_the_equivalent(name: str) -> None:
    for owner in (hf_text.Client("hf_x"), hf_text.aio.AsyncClient("hf_x")):  # type: ignore[attr-defined]
        with pytest.raises(AttributeError, match=rf"no attribute '{name}'\. Here generate\(messages, model\) gives"):
            getattr(owner, name)
    with pytest.raises(AttributeError, match="called Client"):
        getattr(hf_text, "InferenceClient")  # noqa: B009
    assert not hasattr(hf_text.Client("hf_x"), "genrate")


@pytest.mark.parametrize(
    ("owner", "name", "meant"),
    [
        (hf_text.Client("hf_x"), "genrate", "Did you mean 'generate'?"),
        (hf_text.aio.AsyncClient("hf_x"), "steam", "Did you mean 'stream'?"),
        (hf_text, "steam", "Did you mean 'stream'?"),
        (hf_text.Completion("Hi"), "choices", "completion.text is the answer"),
        (hf_text.Completion("Hi"), "lower", "completion.text is the answer"),
        (hf_text.Completion("Hi"), "cost", "client.cost(completion) computes it"),
        (hf_text.Completion("Hi"), "reasoning_content", "It is called reasoning"),
        (hf_text.Conversation(), "chat", "conversation.generate(prompt) gives the next answer"),
        (hf_text.aio.AsyncConversation(), "history", "It is called messages"),
        (hf_text.Conversation(), "mesages", "Did you mean 'messages'?"),
        (hf_text.Client("hf_x"), "embeddings", "use huggingface_hub.InferenceClient"),
        (hf_text, "cost", "It is a method of Client"),
        (hf_text.Client("hf_x").stream("Hi"), "stop", "It is called cancel()"),
        (hf_text.Completion("Hi"), "txt", "Did you mean 'text'?"),
        (hf_text.Client("hf_x").stream("Hi"), "text", "stream.completion has the answer"),
        (hf_text.aio.AsyncClient("hf_x").stream("Hi"), "text", "stream.completion has the answer"),
        (hf_text.Conversation().stream("Hi"), "partail", "Did you mean 'partial'?"),
    ],
)
def test_a_missing_attribute_gets_the_closest_name_once(owner: object, name: str, meant: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(owner, name)
    assert meant in str(caught.value)
    assert "".join(traceback.format_exception_only(caught.value)).lower().count("did you mean") <= 1


def test_an_answer_is_not_a_dict_of_choices() -> None:
    answer: Any = hf_text.Completion("Hi")
    with pytest.raises(TypeError, match=r"not subscriptable\. completion\.text is the answer"):
        answer["choices"]
    with pytest.raises(TypeError):
        list(answer)


@pytest.mark.parametrize("prompts", [["a", "b"], ("a", "b"), {"a": 1}.keys()])
def test_several_prompts_get_advice_to_use_a_batch(emulator: Emulator, prompts: Any) -> None:
    refused(emulator, lambda: hf_text.generate(prompts), "messages[0]", "use hf_text.batch")
