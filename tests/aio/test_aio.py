"""The async adapter behaves as the blocking client, on asyncio and trio, and leaves its host's resources alone."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import itertools
import logging
import pickle
import socket
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.to_thread import current_default_thread_limiter, run_sync
from test_aio_cancellation import threads_at_work

import hf_text
from hf_text import Client, Completion, FinishReason, ProviderInfo, Reasoning, Stream, Timeouts, Usage
from hf_text.aio import AsyncClient, AsyncStream
from hf_text.aio.threads import MAX_THREADS
from hf_text.emulator import FAULTS, STYLES, Emulator, Gate, Response, build_model
from hf_text.operations import Operations
from hf_text.tuning import Tuning

pytestmark = pytest.mark.anyio

KEY = "hf_MadeUpKeyForTests"
FOLDER = Path(__file__).parents[1] / "emulator"
TLS = (str(FOLDER / "certificate.pem"), str(FOLDER / "key.pem"))

Make = Callable[..., AsyncClient]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
async def make_async_client(emulator: Emulator, anyio_backend: Any) -> AsyncIterator[Make]:
    """Return a factory of async clients for the emulator. Defaults: a made-up key, timeouts of 5 seconds."""
    async with contextlib.AsyncExitStack() as stack:
        made: list[AsyncClient] = []

        def make(api_key: str | None = KEY, api_base: str | None = None, **options: Any) -> AsyncClient:
            urls = {"hub_url": emulator.url, "router_url": emulator.url}
            max_threads = options.pop("max_threads", MAX_THREADS)
            settings = {**urls, "timeout": 5, "tuning": Tuning(first_pause=0.001), **options}
            made.append(AsyncClient.of(Operations(api_key, api_base=api_base, **settings), max_threads))
            stack.push_async_callback(made[-1].aclose)
            return made[-1]

        yield make


@pytest.fixture
async def async_client(make_async_client: Make) -> AsyncClient:
    return make_async_client()


@contextlib.asynccontextmanager
async def held(*gates: Gate) -> AsyncIterator[None]:
    """Open the gates on exit, also after an error."""
    try:
        yield
    finally:
        for gate in gates:
            gate.open()


async def collect(items: AsyncIterable[Any], into: list[Any]) -> None:
    async for item in items:
        into.append(item)


async def reached(gate: Gate) -> None:
    assert await run_sync(gate.reached.wait, 5)


def held_reply(gate: Gate, *pieces: str) -> Response:
    """Build a stream that sends these pieces, waits at the gate, and then ends normally."""
    body = Response.text(*pieces).body
    assert isinstance(body, tuple)
    return Response(headers={"Content-Type": "text/event-stream"}, body=(*body[: len(pieces) + 1], gate, *body[-2:]))


# Reading


async def test_text_arrives_as_str_pieces(emulator: Emulator, async_client: AsyncClient) -> None:
    emulator.reply(Response.text("One", " two", reasoning=["hm"], usage=(1, 2)))
    pieces = [text async for text in async_client.stream("Count")]
    assert all(type(text) is str for text in pieces)
    assert "".join(pieces) == "One two"


async def test_events_arrive_in_order(emulator: Emulator, async_client: AsyncClient) -> None:
    emulator.reply(Response.text("One", reasoning=["hm"], usage=(1, 2), provider="novita"))
    events = [event async for event in async_client.stream("Count", "emulator/small").events()]
    url = f"{emulator.url}/v1/chat/completions"
    assert events == [
        ProviderInfo("novita", "emulator/small", url, "Novita"),
        Reasoning("hm"),
        "One",
        Usage(1, 2, 3),
        FinishReason("stop"),
    ]


@pytest.mark.parametrize("style", sorted(STYLES))
async def test_events_match_the_blocking_client(
    emulator: Emulator, client: Client, async_client: AsyncClient, style: str
) -> None:
    reply = Response.text("One", " two", " three", reasoning=["a", "b"], usage=(3, 4), style=style)
    emulator.reply(reply, reply)
    blocking, waiting = client.stream("Count"), async_client.stream("Count")
    expected = list(blocking.events())
    assert "".join([str(event) async for event in waiting.events()]) == "".join(map(str, expected))
    assert _without_times(waiting.completion) == _without_times(blocking.completion)


async def test_pieces_arrive_before_the_answer_ends(emulator: Emulator, async_client: AsyncClient) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    stream = async_client.stream("Count")
    async with held(gate):
        pieces = aiter(stream)
        assert await anext(pieces) == "One"
        assert not gate.is_open
        assert stream.partial.text == "One"
        gate.open()
        assert [text async for text in pieces] == []
    assert stream.completion.finish_reason == "stop"


async def test_nothing_is_sent_before_the_first_read(emulator: Emulator, async_client: AsyncClient) -> None:
    stream = async_client.stream("Count")
    stream.events()
    await anyio.lowlevel.checkpoint()
    assert emulator.requests == []


async def test_read_returns_lists_and_finally_an_empty_one(emulator: Emulator, async_client: AsyncClient) -> None:
    emulator.reply(Response.text("One", " two"))
    stream = async_client.stream("Count")
    events = []
    while batch := await stream.read():
        assert isinstance(batch, list)
        events += batch
    assert [str(event) for event in events if isinstance(event, str)] == ["One", " two"]
    assert await stream.read() == []


async def test_the_completion_is_complete_after_the_end(emulator: Emulator, async_client: AsyncClient) -> None:
    emulator.reply(
        Response.text("One", tool_calls=[("look", {"at": "it"})], usage=(1, 2), provider="groq", style="groq")
    )
    async with async_client.stream("Count") as stream:
        async for _ in stream:
            pass
    assert stream.completion.text == "One"
    assert [call.name for call in stream.completion.tool_calls] == ["look"]
    assert stream.completion.usage == Usage(1, 2, 3)
    assert [attempt.status for attempt in stream.completion.attempts] == [200]


async def test_a_stream_can_be_iterated_only_once(emulator: Emulator, async_client: AsyncClient) -> None:
    stream = async_client.stream("Count")
    assert [text async for text in stream]
    with pytest.raises(hf_text.InvalidRequestError, match="only once"):
        stream.events()
    with pytest.raises(hf_text.InvalidRequestError, match="only once"):
        aiter(stream)


async def test_a_refused_second_iteration_does_not_disturb_the_first(
    emulator: Emulator, async_client: AsyncClient
) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    stream = async_client.stream("Count")
    async with held(gate):
        pieces = stream.events()
        await anext(pieces)
        with pytest.raises(hf_text.InvalidRequestError):
            stream.events()
        gate.open()
        assert [event async for event in pieces] == ["One", FinishReason("stop")]


@pytest.mark.parametrize("read", [AsyncStream.read, None], ids=["read", "iterator"])
async def test_a_second_concurrent_reader_is_refused_and_the_first_loses_nothing(
    emulator: Emulator, async_client: AsyncClient, read: Any
) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    stream = async_client.stream("Count")
    events = stream.events()
    got: list[Any] = []
    refused = anyio.Event()

    async def read_all() -> None:
        try:
            if read is None:
                async for event in events:
                    got.append(event)
            else:
                while batch := await read(stream):
                    got.extend(batch)
        except hf_text.InvalidRequestError:
            refused.set()

    async with held(gate), anyio.create_task_group() as tasks:
        tasks.start_soon(read_all)
        tasks.start_soon(read_all)
        with anyio.fail_after(5):
            await refused.wait()
        gate.open()
    assert [event for event in got if not isinstance(event, ProviderInfo)] == ["One", FinishReason("stop")]
    assert stream.completion.finish_reason == "stop"


async def test_one_task_can_continue_reading_after_another(emulator: Emulator, async_client: AsyncClient) -> None:
    emulator.reply(Response.text("One", " two"))
    events = async_client.stream("Count").events()
    first = await anext(events)

    async def read_the_rest() -> None:
        assert [event async for event in events if isinstance(event, str)] == ["One", " two"]

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read_the_rest)
    assert isinstance(first, ProviderInfo)


async def test_concurrent_streams_do_not_mix_their_texts(async_client: AsyncClient) -> None:
    got: dict[int, str] = {}

    async def read(number: int) -> None:
        got[number] = "".join([text async for text in async_client.stream(f"number {number}.")])

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(read, number)
    assert all(text.endswith(f"number {number}.") for number, text in got.items())
    assert len(got) == 50


@pytest.mark.parametrize("encoding", [None, "gzip", "deflate"])
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_pieces_arrive_as_sent_for_any_framing_and_encoding(
    emulator: Emulator, async_client: AsyncClient, framing: Any, encoding: Any
) -> None:
    """The server sends each piece only after the client has read the one before: no piece may stay in a buffer."""
    await _read_in_lockstep(emulator, async_client, framing=framing, encoding=encoding)


@pytest.mark.parametrize("write_size", [None, 1])
async def test_pieces_arrive_as_sent_over_tls(anyio_backend: Any, write_size: int | None) -> None:
    with Emulator(tls=TLS) as emulator:
        url = emulator.url
        async with AsyncClient(KEY, hub_url=url, router_url=url, timeout=5, verify=TLS[0]) as client:
            await _read_in_lockstep(emulator, client, write_size=write_size)
            await _read_in_lockstep(emulator, client, write_size=write_size, encoding="gzip")
            assert await client.generate("Count")


async def _read_in_lockstep(emulator: Emulator, client: AsyncClient, **fields: Any) -> None:
    words = ["One", " two", " three", " four"]
    gates = [Gate() for _ in words]
    first, *events, finish, done = _encode_stream(*words)
    body: list[Any] = [first, *itertools.chain.from_iterable(zip(events, gates, strict=True)), finish, done]
    if fields.get("framing") == "length" and fields.get("encoding") is None:
        fields["headers"] = {"Content-Length": str(sum(len(step) for step in body if isinstance(step, bytes)))}
        fields["framing"] = "close"
    headers = {"Content-Type": "text/event-stream", **fields.pop("headers", {})}
    emulator.reply(Response(headers=headers, body=body, **fields))
    async with held(*gates), client.stream("Count") as stream:
        got = []
        async for text in stream:
            got.append(text)
            gates[len(got) - 1].open()
    assert got == words
    assert stream.completion.finish_reason == "stop"


# Complete answers and lists


async def test_generate_returns_the_complete_answer(emulator: Emulator, async_client: AsyncClient) -> None:
    emulator.reply(Response.text("One", " two", usage=(1, 2), provider="novita"))
    completion = await async_client.generate("Count", "emulator/small", max_tokens=7)
    assert isinstance(completion, Completion)
    assert str(completion) == "One two"
    assert completion.provider == "novita"
    assert emulator.requests[-1].json["max_tokens"] == 7
    assert emulator.requests[-1].json["stream"] is True


async def test_models_match_the_blocking_client(client: Client, async_client: AsyncClient) -> None:
    assert await async_client.models() == client.models()
    seeing = await async_client.models(vision=True, sort="name")
    assert seeing == client.models(vision=True, sort="name")
    assert 0 < len(seeing) < len(client.models())


async def test_refresh_requests_the_models_again(emulator: Emulator, async_client: AsyncClient) -> None:
    await async_client.models()
    emulator.models = [build_model("emulator/new", "novita")]
    assert "emulator/new" not in [model.id for model in await async_client.models()]
    assert [model.id for model in await async_client.models(refresh=True)] == ["emulator/new"]


async def test_the_mapping_matches_the_blocking_client(client: Client, async_client: AsyncClient) -> None:
    mapping = await async_client.mapping("openai/gpt-oss-120b")
    assert mapping == client.mapping("openai/gpt-oss-120b")
    assert list(mapping)[:2] == ["novita", "groq"]


async def test_hub_models_match_the_blocking_client(client: Client, async_client: AsyncClient) -> None:
    assert [model async for model in async_client.hub_models()] == list(client.hub_models())
    assert [model.id async for model in async_client.hub_models(search="gpt", limit=1)] == ["openai/gpt-oss-120b"]
    assert [model async for model in async_client.hub_models(search="no such name")] == []


async def test_hub_models_come_from_all_pages(emulator: Emulator, async_client: AsyncClient) -> None:
    emulator.models = [build_model(f"emulator/m{number}", "novita") for number in range(2300)]
    assert [model.id async for model in async_client.hub_models()] == [f"emulator/m{n}" for n in range(2300)]
    assert len(emulator.requests) == 3


async def test_hub_pages_are_requested_on_demand(emulator: Emulator, async_client: AsyncClient) -> None:
    emulator.models = [build_model(f"emulator/m{number}", "novita") for number in range(1200)]
    async with aclosing(async_client.hub_models()) as models:
        async for model in models:
            if model.id == "emulator/m700":
                break
    assert len(emulator.requests) == 1


async def test_an_abandoned_hub_listing_leaves_nothing_in_the_event_loop(
    emulator: Emulator, async_client: AsyncClient
) -> None:
    """Trio warns when the garbage collector has to close an async generator."""
    async for model in async_client.hub_models():
        assert model.id == "openai/gpt-oss-120b"
        break
    assert [model.id async for model in async_client.hub_models(limit=1)] == ["openai/gpt-oss-120b"]


async def test_models_of_a_page_are_yielded_before_the_next_page_fails(
    emulator: Emulator, make_async_client: Make
) -> None:
    page = [{"id": f"emulator/m{number}"} for number in range(3)]
    following = f'<{emulator.url}/api/models?cursor=x>; rel="next"'
    emulator.reply(Response.json(page, headers={"Link": following}), Response.error(500, "Oh"), path="/api/models")
    got: list[Any] = []
    with pytest.raises(hf_text.ServerError):
        await collect(make_async_client(max_retries=0).hub_models(), got)
    assert [model.id for model in got] == ["emulator/m0", "emulator/m1", "emulator/m2"]


async def test_each_hub_models_call_starts_over(async_client: AsyncClient) -> None:
    once, twice = async_client.hub_models(limit=3), async_client.hub_models(limit=3)
    assert [model async for model in once] == [model async for model in twice]
    assert [model async for model in once] == []


@pytest.mark.parametrize("page", [0, 1])
async def test_a_task_waiting_for_a_page_gets_an_error_when_another_task_closes_the_listing(
    emulator: Emulator, async_client: AsyncClient, page: int
) -> None:
    """Without the error, the reader would mistake a partial listing for the complete one."""
    gate = Gate()
    following = f'<{emulator.url}/api/models?cursor=x>; rel="next"'
    first = Response.json([{"id": "emulator/m0"}], headers={"Link": following})
    emulator.reply(*[first][:page], Response.json([{"id": "emulator/m1"}], delay=gate), path="/api/models")
    models = async_client.hub_models()
    got: list[Any] = []

    async def read() -> None:
        with pytest.raises(hf_text.StreamCancelledError, match="listing"):
            await collect(models, got)

    async with held(gate):
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read)
                await reached(gate)
                await models.aclose()
        await run_sync(emulator.wait_for_disconnect)
    assert [model.id for model in got] == ["emulator/m0"][:page]
    assert [model async for model in models] == []


async def test_a_page_arriving_during_close_does_not_end_the_listing_silently(
    emulator: Emulator, async_client: AsyncClient
) -> None:
    gate = Gate()
    emulator.reply(Response.json([{"id": "emulator/m1"}], delay=gate), path="/api/models")
    models = async_client.hub_models()

    async def read() -> None:
        with pytest.raises(hf_text.StreamCancelledError, match="listing"):
            await collect(models, [])

    async with held(gate), anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await reached(gate)
        gate.open()
        while threads_at_work():  # blocks the event loop
            time.sleep(0.001)
        await models.aclose()


async def test_hub_models_are_only_available_on_hugging_face(
    emulator: Emulator, make_client: Callable[..., Client], make_async_client: Make
) -> None:
    for make in (make_client, make_async_client):
        client = make(None, f"{emulator.url}/other/v1", router_url="http://router.invalid")
        with pytest.raises(hf_text.InvalidRequestError, match="is not Hugging Face"):
            client.hub_models()
    assert emulator.requests == []


# Abandoned streams


async def test_leaving_the_loop_closes_the_connection(emulator: Emulator, async_client: AsyncClient) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    async with held(gate):
        async for text in async_client.stream("Count"):
            assert text == "One"
            break
        await run_sync(emulator.wait_for_disconnect)


async def test_leaving_the_loop_closes_the_connection_even_if_the_stream_is_referenced(
    emulator: Emulator, async_client: AsyncClient
) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    stream = async_client.stream("Count")
    async with held(gate):
        async for _ in stream:
            break
        await run_sync(emulator.wait_for_disconnect)
    assert stream.partial.text == "One"


async def test_an_exception_in_the_loop_closes_the_connection_and_propagates_unchanged(
    emulator: Emulator, async_client: AsyncClient
) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))

    async def fail() -> None:
        async for _ in async_client.stream("Count"):
            raise ZeroDivisionError("mine")

    async with held(gate):
        with pytest.raises(ZeroDivisionError, match="mine") as caught:
            await fail()
        caught.value.__traceback__ = None  # the traceback references the frame, and the frame the iterator
        await run_sync(emulator.wait_for_disconnect)


async def test_async_with_closes_the_connection_even_if_the_exception_is_referenced(
    emulator: Emulator, async_client: AsyncClient
) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    async with held(gate):
        try:
            async with async_client.stream("Count") as stream:
                async for _ in stream:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            await run_sync(emulator.wait_for_disconnect)
        else:
            pytest.fail("the exception is gone")


@pytest.mark.parametrize("of", [lambda stream: stream, AsyncStream.events, aiter], ids=["stream", "events", "aiter"])
async def test_aclosing_closes_the_connection(
    emulator: Emulator, async_client: AsyncClient, of: Callable[[Any], Any]
) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    async with held(gate):
        stream = async_client.stream("Count")
        async with aclosing(of(stream)) as closing:
            events = closing if closing is not stream else stream.events()
            await anext(events)
        await run_sync(emulator.wait_for_disconnect)
        with pytest.raises(StopAsyncIteration):
            await anext(events)


async def test_a_garbage_collected_stream_closes_its_connection(emulator: Emulator, async_client: AsyncClient) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    async with held(gate):
        events = async_client.stream("Count").events()
        await anext(events)
        del events
        await run_sync(emulator.wait_for_disconnect)


async def test_a_stream_that_is_never_read_leaves_nothing(emulator: Emulator, async_client: AsyncClient) -> None:
    async_client.stream("Count")
    async with async_client.stream("Count"):
        pass
    async with aclosing(async_client.stream("Count").events()):
        pass
    await async_client.stream("Count").aclose()
    assert emulator.requests == []


async def test_closing_within_the_loop_ends_the_loop(emulator: Emulator, async_client: AsyncClient) -> None:
    emulator.reply(Response.text("One", " two", " three"))
    stream = async_client.stream("Count")
    got = []
    async for text in stream:
        got.append(text)
        stream.close()
    assert got == ["One"]
    assert stream.partial.finish_reason in (None, "stop")
    assert await stream.read() == []


async def test_a_closed_stream_yields_nothing(emulator: Emulator, async_client: AsyncClient) -> None:
    stream = async_client.stream("Count")
    await stream.aclose()
    assert [event async for event in stream.events()] == []
    assert emulator.requests == []


async def test_closing_after_the_end_changes_nothing(emulator: Emulator, async_client: AsyncClient) -> None:
    stream = async_client.stream("Count")
    text = "".join([text async for text in stream])
    stream.close()
    stream.cancel()
    await stream.aclose()
    assert stream.completion.text == text
    assert await stream.read() == []


async def test_a_reader_gets_what_arrived_when_another_task_cancels_the_stream(
    emulator: Emulator, async_client: AsyncClient
) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    stream = async_client.stream("Count")
    got: list[str] = []

    async def read() -> None:
        with pytest.raises(hf_text.StreamCancelledError) as caught:
            await collect(stream, got)
        assert caught.value.partial is not None
        assert caught.value.partial.text == "One"
        assert [attempt.status for attempt in caught.value.attempts] == [200]

    async with held(gate), anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await reached(gate)
        while not got:
            await anyio.lowlevel.checkpoint()
        stream.cancel()
        await run_sync(emulator.wait_for_disconnect)


async def test_a_reader_gets_an_error_when_another_task_closes_the_stream(
    emulator: Emulator, async_client: AsyncClient
) -> None:
    """Without the error, the reader would mistake a partial answer for the complete one."""
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    stream = async_client.stream("Count")
    events = stream.events()
    await anext(events)

    async def close() -> None:
        stream.close()

    async with held(gate):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(close)
        with pytest.raises(hf_text.StreamCancelledError):
            await anext(events)
        with pytest.raises(hf_text.StreamCancelledError):
            await stream.read()


async def test_received_text_survives_cancellation(emulator: Emulator, async_client: AsyncClient) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    stream = async_client.stream("Count")
    async with held(gate):
        batch = await stream.read()
        before = list(batch)
        stream.cancel()
        assert batch == before != []
        with pytest.raises(hf_text.StreamCancelledError):
            await stream.read()


@pytest.mark.parametrize("stop", [AsyncStream.cancel, AsyncStream.close], ids=["cancel", "close"])
async def test_a_stream_can_be_stopped_from_another_thread(
    emulator: Emulator, async_client: AsyncClient, stop: Callable[[AsyncStream], None]
) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    stream = async_client.stream("Count")

    def stop_when_held() -> None:
        assert gate.reached.wait(5)
        stop(stream)

    thread = threading.Thread(target=stop_when_held)
    thread.start()
    async with held(gate):
        with pytest.raises(hf_text.StreamCancelledError):
            await collect(stream, [])
        await run_sync(emulator.wait_for_disconnect)
    thread.join()


async def test_cancelling_inside_the_loop_raises(emulator: Emulator, async_client: AsyncClient) -> None:
    emulator.reply(Response.text("One", " two"))
    stream = async_client.stream("Count")
    pieces = aiter(stream)
    await anext(pieces)
    stream.cancel()
    with pytest.raises(hf_text.StreamCancelledError):
        await anext(pieces)
    with pytest.raises(StopAsyncIteration):
        await anext(pieces)


async def test_athrow_closes_the_connection_and_raises(emulator: Emulator, async_client: AsyncClient) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    async with held(gate):
        events = async_client.stream("Count").events()
        await anext(events)
        with pytest.raises(KeyError, match="mine"):
            await events.athrow(KeyError("mine"))
        await run_sync(emulator.wait_for_disconnect)


async def test_the_connection_is_reused_after_a_complete_answer(emulator: Emulator, async_client: AsyncClient) -> None:
    for _ in range(3):
        await async_client.generate("Count")
    assert emulator.connections == 1


async def test_leaving_the_client_closes_its_connections(emulator: Emulator, make_async_client: Make) -> None:
    async with make_async_client() as client:
        await client.generate("Count")
    await run_sync(emulator.wait_until_idle)
    assert await client.generate("Count")


async def test_a_stream_continues_after_its_client_is_closed(emulator: Emulator, async_client: AsyncClient) -> None:
    gate = Gate()
    emulator.reply(held_reply(gate, "One"))
    pieces = aiter(async_client.stream("Count"))
    async with held(gate):
        got = [await anext(pieces)]
        await async_client.aclose()
        gate.open()
        await collect(pieces, got)
    assert got == ["One"]


# Errors


@pytest.mark.parametrize("name", sorted(FAULTS))
async def test_every_fault_ends_as_in_the_blocking_client(
    emulator: Emulator, make_client: Callable[..., Client], make_async_client: Make, name: str
) -> None:
    seconds = 0.1 if name.startswith(("stall", "keep-alive")) else 5
    first = 5 if "mid-stream" in name else seconds
    options: dict[str, Any] = {"max_retries": 0, "timeout": Timeouts(connect=5, first=first, gap=seconds)}
    emulator.always(FAULTS[name])
    await _compare_with_blocking(make_client(**options), make_async_client(**options))


@pytest.mark.parametrize("name", sorted(name for name, fault in FAULTS.items() if isinstance(fault.body, tuple)))
async def test_every_late_fault_ends_as_in_the_blocking_client(
    emulator: Emulator, make_client: Callable[..., Client], make_async_client: Make, name: str
) -> None:
    """The server sends the pieces one by one, so the reader waits for each of them."""
    seconds = 0.1 if name.startswith("stall") else 5
    first = seconds if "headers" in name else 5
    options: dict[str, Any] = {"max_retries": 0, "timeout": Timeouts(connect=5, first=first, gap=seconds)}
    emulator.always(replace(FAULTS[name], pace=0.01))
    await _compare_with_blocking(make_client(**options), make_async_client(**options))


async def _compare_with_blocking(client: Client, async_client: AsyncClient) -> None:
    blocking = client.stream("Count")
    expected = _outcome_of(blocking)
    waiting = async_client.stream("Count")
    error: hf_text.HFTextError | None = None
    try:
        async for _ in waiting.events():
            pass
    except hf_text.HFTextError as caught:
        error = caught
    assert _describe(error) == expected
    assert waiting.partial.text == blocking.partial.text
    error = None
    try:
        async with pickle.loads(pickle.dumps(async_client)) as fresh:  # without the learned ``<think>`` tag
            completion = await fresh.generate("Count")
        assert completion.text == blocking.completion.text
    except hf_text.HFTextError as caught:
        error = caught
    assert _describe(error) == expected


async def test_an_error_ends_the_iteration(emulator: Emulator, make_async_client: Make) -> None:
    emulator.reply("no-finish-no-done")
    events = make_async_client().stream("Count").events()
    got: list[Any] = []
    with pytest.raises(hf_text.TruncatedStreamError) as caught:
        await collect(events, got)
    assert got[1:] == ["One", " two"]
    assert caught.value.partial is not None
    assert caught.value.partial.text == "One two"
    assert len(caught.value.attempts) == 1
    with pytest.raises(StopAsyncIteration):
        await anext(events)


@pytest.mark.parametrize("clock", ["gap", "total"])
@pytest.mark.parametrize("comments", [False, True])
async def test_a_timeout_late_in_a_stream_is_raised(
    emulator: Emulator, make_async_client: Make, clock: Any, comments: bool
) -> None:
    """Comments keep the connection alive but do not reset a timeout."""
    head, *events = _encode_stream("One", " two", " three", " four")[:-2]

    def body() -> Iterator[Any]:
        yield b"".join((head, *events))
        while comments:
            yield b": keep-alive\n\n"
            yield 0.01

    emulator.reply(Response(headers={"Content-Type": "text/event-stream"}, body=body, end="stall"))
    timeout = Timeouts(gap=0.5) if clock == "gap" else Timeouts(total=1)
    stream = make_async_client(timeout=timeout).stream("Count")
    got: list[Any] = []
    with pytest.raises(hf_text.RequestTimeoutError) as caught:
        await collect(stream, got)
    assert caught.value.clock == clock
    assert caught.value.partial is not None
    assert caught.value.partial.text == "".join(got) == "One two three four"
    await run_sync(emulator.wait_for_disconnect)


async def test_the_error_lists_the_attempts(emulator: Emulator, make_async_client: Make) -> None:
    emulator.always("server-error")
    with pytest.raises(hf_text.ServerError) as caught:
        await make_async_client(max_retries=1).generate("Count", "emulator/small")
    assert len(caught.value.attempts) > 1
    assert {attempt.status for attempt in caught.value.attempts} == {500}


async def test_wrong_arguments_are_refused_at_the_call(emulator: Emulator, async_client: AsyncClient) -> None:
    with pytest.raises(hf_text.InvalidRequestError, match="messages"):
        async_client.stream([])
    with pytest.raises(hf_text.InvalidRequestError, match="temperature"):
        await async_client.generate("Count", temperature=9)
    with pytest.raises(hf_text.InvalidRequestError, match="sort"):
        await async_client.models(sort="beauty")
    with pytest.raises(hf_text.InvalidRequestError, match="model"):
        await async_client.mapping("")
    with pytest.raises(hf_text.InvalidRequestError, match="limit"):
        async_client.hub_models(limit=0)
    with pytest.raises(TypeError, match="surprise"):
        async_client.stream("Count", surprise=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="surprise"):
        await async_client.models(surprise=1)  # type: ignore[call-arg]
    assert emulator.requests == []


async def test_a_missing_key_is_reported_before_anything_is_sent(emulator: Emulator, make_async_client: Make) -> None:
    with pytest.raises(hf_text.MissingAuthError):
        make_async_client(None).stream("Count")
    assert emulator.requests == []


async def test_an_unknown_hub_model_is_reported(async_client: AsyncClient) -> None:
    with pytest.raises(hf_text.ModelNotSupportedError) as caught:
        await async_client.mapping("emulator/none")
    assert caught.value.model == "emulator/none"


async def test_an_exhausted_stream_stays_exhausted(emulator: Emulator, async_client: AsyncClient) -> None:
    """The core's iterators end in worker threads, and ``StopIteration`` cannot be raised into a coroutine."""
    for items in (async_client.stream("Count").events(), async_client.hub_models(limit=2)):
        assert len([item async for item in items]) > 1
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await anext(items)
    stream = async_client.stream("Count")
    while await stream.read():
        pass
    assert await stream.read() == await stream.read() == []


# The host's threads


async def test_the_default_thread_limiter_is_not_used(emulator: Emulator, async_client: AsyncClient) -> None:
    gate = Gate()
    emulator.always(held_reply(gate, "One"))
    begun = 0
    async with held(gate), anyio.create_task_group() as tasks:

        async def read() -> None:
            nonlocal begun
            async for _ in async_client.stream("Count"):
                begun += 1

        for _ in range(60):
            tasks.start_soon(read)
        while begun < 60:
            await anyio.lowlevel.checkpoint()
            assert current_default_thread_limiter().statistics().borrowed_tokens == 0
        assert emulator.open_connections == 60
        assert await run_sync(lambda: "free") == "free"
        gate.open()


async def test_max_threads_is_enforced_and_further_calls_wait(emulator: Emulator, make_async_client: Make) -> None:
    gates = [Gate(), Gate(), Gate()]
    emulator.reply(*(Response.json([{"id": "emulator/m1"}], delay=gate) for gate in gates), path="/api/models")
    client = make_async_client(max_threads=2)

    async def list_them() -> None:
        assert [model.id async for model in client.hub_models()] == ["emulator/m1"]

    async with held(*gates), anyio.create_task_group() as tasks:
        for _ in gates:
            tasks.start_soon(list_them)
        await reached(gates[0])
        await reached(gates[1])
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        assert len(emulator.requests) == 2
        gates[0].open()
        await reached(gates[2])
        assert len(emulator.requests) == 3
        for gate in gates:
            gate.open()


async def test_each_client_has_its_own_threads(emulator: Emulator, make_async_client: Make) -> None:
    gate = Gate()
    emulator.reply(Response.json({"data": []}, delay=gate), path="/v1/models")
    first, second = make_async_client(max_threads=1), make_async_client(max_threads=1)
    async with held(gate), anyio.create_task_group() as tasks:
        tasks.start_soon(first.models)
        await reached(gate)
        assert await second.generate("Count")
        gate.open()


async def test_calls_waiting_for_answers_hold_no_thread(emulator: Emulator, make_async_client: Make) -> None:
    gates = [Gate(), Gate(), Gate()]
    emulator.reply(*(Response.text("One", delay=gate) for gate in gates))
    client = make_async_client(max_threads=1)
    async with held(*gates), anyio.create_task_group() as tasks:
        for _ in gates:
            tasks.start_soon(client.generate, "Count")
        for gate in gates:
            await reached(gate)
        with anyio.fail_after(5):
            while client.threads.limiter().borrowed_tokens:  # the thread is being returned
                await anyio.lowlevel.checkpoint()
        for gate in gates:
            gate.open()


async def test_a_request_on_an_open_connection_needs_no_thread(emulator: Emulator, make_async_client: Make) -> None:
    client = make_async_client(max_threads=1)
    await client.generate("Count", "emulator/small")
    async with client.threads.limiter():
        with anyio.fail_after(5):
            assert await client.generate("Count", "emulator/small")
    assert [request.connection for request in emulator.requests] == [1, 1]


async def test_an_already_cancelled_task_sends_nothing(
    emulator: Emulator, make_async_client: Make, anyio_backend: str
) -> None:
    client = make_async_client()
    await client.generate("Count", "emulator/small")

    async def cancelled() -> None:
        asyncio.current_task().cancel()  # type: ignore[union-attr]
        await client.generate("Two", "emulator/small")

    with anyio.CancelScope() as scope:
        scope.cancel()
        await client.generate("One", "emulator/small")
    if anyio_backend == "asyncio":
        task = asyncio.create_task(cancelled())
        await asyncio.wait([task])
        assert task.cancelled()
    await client.generate("Three", "emulator/small")
    assert [request.json["messages"][0]["content"] for request in emulator.requests] == ["Count", "Three"]


async def test_a_call_that_queries_the_hub_first_does_not_block_the_loop(
    emulator: Emulator, make_async_client: Make
) -> None:
    """The provider failed recently, and another call is already querying the Hub for the model's other providers."""
    gates = [Gate(), Gate()]
    mapping = Response.json({"id": "emulator/small", "inferenceProviderMapping": {}})
    emulator.always(Response.error(500, "Oh"))
    emulator.reply(*(replace(mapping, delay=gate) for gate in gates), path="/api/models/emulator/small")
    client = make_async_client(max_retries=1)

    async def ask() -> None:
        with pytest.raises(hf_text.ServerError):
            await client.generate("Count", "emulator/small")

    async with held(*gates), anyio.create_task_group() as tasks:
        for gate in gates:
            tasks.start_soon(ask)
            await reached(gate)
        for gate in gates:
            gate.open()


@pytest.mark.skipif(not hasattr(socket, "TCP_MAXSEG"), reason="cannot make the system's buffers small")
async def test_a_request_to_a_peer_that_does_not_read_waits_in_a_thread(make_async_client: Make) -> None:
    for _ in range(10):  # sometimes the socket buffers have room for the second request
        if await waits_for_a_thread(make_async_client):
            return
    pytest.fail("each of ten requests was sent by the loop")


async def waits_for_a_thread(make_async_client: Make) -> bool:
    """Return whether a second request waits for a thread when the peer has read little of the first."""
    peers: list[socket.socket] = []
    with socket.socket() as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1448)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        base = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        client = make_async_client(None, base, max_threads=1, max_retries=0, timeout=Timeouts(first=1))

        def answer_unread() -> None:
            peers.append(listener.accept()[0])
            peers[0].recv(1024)
            body = b"".join(Response.text("One").body)  # type: ignore[arg-type]
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n"
            peers[0].sendall(head % len(body) + body)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_sync, answer_unread)
            assert str(await client.generate("x" * 45_000, "m")) == "One"
        stream = client.stream("x" * 12_000, "m")

        async def read() -> None:
            with suppress(hf_text.RequestTimeoutError):
                await stream.read()

        async with client.threads.limiter(), anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            while not client.threads.limiter().statistics().tasks_waiting and not stream.partial.attempts:
                await anyio.lowlevel.checkpoint()
            waits = not stream.partial.attempts  # no request was sent and timed out
            tasks.cancel_scope.cancel()
        peers[0].close()
        return waits


async def test_no_timeout_runs_while_a_long_event_waits_for_a_thread(
    emulator: Emulator, make_async_client: Make
) -> None:
    client = make_async_client(max_threads=1, timeout=Timeouts(first=0.5, gap=0.5))
    await client.generate("Count", "emulator/small")
    emulator.reply(Response.text("x" * 1_000_000))
    stream = client.stream("Count", "emulator/small")
    async with anyio.create_task_group() as tasks, client.threads.limiter():
        tasks.start_soon(stream.read)
        while not client.threads.limiter().statistics().tasks_waiting:
            await anyio.lowlevel.checkpoint()
        waiting = time.monotonic()
        while time.monotonic() < waiting + 0.7:
            await anyio.lowlevel.checkpoint()
    while await stream.read():
        pass
    assert len(stream.completion.text) == 1_000_000


LONG = {
    "a long message": lambda: {"messages": "Count" * 4000},
    "long headers": lambda: {"messages": "Count" * 2000},
    "no open connection": dict,
}


@pytest.mark.parametrize("options", LONG.values(), ids=LONG)
async def test_no_timeout_runs_while_blocking_work_waits_for_a_thread(
    emulator: Emulator, make_async_client: Make, options: Callable[[], dict[str, Any]]
) -> None:
    client = make_async_client(max_threads=1, timeout=Timeouts(total=5), headers={"X-Long": "x" * 8000})
    await client.generate("Count", "emulator/small")
    if not options():
        for thread in emulator.drop_connections():
            thread.join(5)
    asked: list[float] = []
    completions = []

    async def ask() -> None:
        asked.append(time.monotonic())
        completions.append(await client.generate(**{"messages": "Count", "model": "emulator/small", **options()}))
        asked.append(time.monotonic())

    async with anyio.create_task_group() as tasks, client.threads.limiter():
        tasks.start_soon(ask)
        while not asked or time.monotonic() < asked[0] + 0.2:
            await anyio.lowlevel.checkpoint()
        assert len(emulator.requests) == 1
    (completion,) = completions
    assert completion.text
    assert completion.timings.total < asked[1] - asked[0] - 0.1


@pytest.mark.parametrize("max_threads", [0, -1, 1.5, "2", True, None])
async def test_max_threads_must_be_an_integer(max_threads: Any) -> None:
    with pytest.raises(hf_text.InvalidRequestError, match="max_threads"):
        AsyncClient(KEY, max_threads=max_threads)


async def test_context_variables_reach_the_worker_thread(emulator: Emulator, async_client: AsyncClient) -> None:
    """An app that logs its request ID from a context variable gets the ID in urllib3's log lines too."""
    number = contextvars.ContextVar("number", default="none")
    seen = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append((number.get(), threading.current_thread() is threading.main_thread()))

    logger, handler = logging.getLogger("urllib3.connectionpool"), Handler()
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        number.set("seven")
        assert await async_client.generate("Count")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert seen
    assert set(seen) == {("seven", False)}


async def test_a_slow_reader_limits_read_ahead(emulator: Emulator, async_client: AsyncClient) -> None:
    """Unread data stays on the server, except for what fits in the socket buffers."""
    sent = 0
    piece = "x" * 65536

    def body() -> Iterator[bytes]:
        nonlocal sent
        head, event, *tail = _encode_stream(piece)
        yield head
        for _ in range(4096):  # 256 MiB
            sent += 1
            yield event
        yield from tail

    emulator.reply(Response(headers={"Content-Type": "text/event-stream"}, body=body))
    async with async_client.stream("Count") as stream:
        pieces = aiter(stream)
        await anext(pieces)
        before, unchanged = sent, 0
        while unchanged < 10:
            await anyio.sleep(0.01)
            before, unchanged = sent, unchanged + 1 if sent == before else 0
        assert sent < 1024


async def test_a_busy_event_loop_loses_nothing(emulator: Emulator, async_client: AsyncClient) -> None:
    emulator.reply(Response.text(*(f" {number}" for number in range(2000))))
    got = []
    async for text in async_client.stream("Count"):
        got.append(text)
        if len(got) % 100 == 0:
            await anyio.lowlevel.checkpoint()
    assert "".join(got).split() == [str(number) for number in range(2000)]


# Parity with the blocking client


def _signature(function: Any) -> list[tuple[str, Any, Any]]:
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


def _public(cls: type) -> dict[str, Any]:
    return {name: value for name, value in inspect.getmembers(cls) if not name.startswith("_")}


def test_the_async_client_has_the_methods_of_the_client() -> None:
    ours, theirs = _public(AsyncClient), _public(Client)
    assert set(ours) - {"aclose"} == set(theirs) - {"close"}
    for name in set(theirs) - {"close", "of"}:
        assert _signature(ours[name]) == _signature(theirs[name]), name
    assert _signature(ours["aclose"]) == _signature(theirs["close"])


def test_the_async_client_takes_the_arguments_of_the_client() -> None:
    ours = inspect.signature(AsyncClient).parameters
    theirs = inspect.signature(Client).parameters
    assert [(p.name, p.kind, p.default) for p in ours.values() if p.name != "max_threads"] == _signature(Client)
    assert ours["max_threads"].kind is inspect.Parameter.KEYWORD_ONLY
    assert "max_threads" not in theirs


def test_only_methods_that_wait_are_coroutines() -> None:
    awaited = {name for name, value in _public(AsyncClient).items() if inspect.iscoroutinefunction(value)}
    assert awaited == {"generate", "parse", "models", "model", "mapping", "cost", "aclose"}
    awaited = {name for name, value in _public(AsyncStream).items() if inspect.iscoroutinefunction(value)}
    assert awaited == {"start", "read", "aclose"}


def test_the_async_stream_has_the_methods_of_the_stream() -> None:
    ours, theirs = _public(AsyncStream), _public(Stream)
    assert set(ours) - {"aclose"} == set(theirs) - {"raise_refusals"}  # used only by batch workers
    for name, value in theirs.items():
        if callable(value) and name in ours:
            assert _signature(ours[name]) == _signature(value), name


def test_every_public_name_has_a_docstring() -> None:
    for cls in (AsyncClient, AsyncStream):
        assert cls.__doc__
        assert all(value.__doc__ for value in _public(cls).values())


async def test_events_are_an_async_generator(async_client: AsyncClient) -> None:
    events = async_client.stream("Count").events()
    assert isinstance(events, AsyncGenerator)
    await events.aclose()


async def test_an_async_client_can_wrap_an_existing_client(emulator: Emulator, client: Client) -> None:
    adapter = AsyncClient.of(client.operations)
    client.models()
    await adapter.models()
    assert len(emulator.requests) == 1  # stored in the client that both share


async def test_a_client_can_be_pickled(emulator: Emulator, async_client: AsyncClient) -> None:
    async with pickle.loads(pickle.dumps(async_client)) as copy:
        assert await copy.generate("Count")
    assert emulator.requests[-1].key == KEY


async def test_no_repr_shows_the_key(async_client: AsyncClient) -> None:
    stream = async_client.stream("Count")
    assert repr(async_client).startswith("<AsyncClient of http://127.0.0.1")
    assert repr(stream).startswith("<AsyncStream of ")
    assert KEY not in repr(async_client) + repr(stream)


def test_the_blocking_library_works_without_anyio() -> None:
    import subprocess
    import sys

    code = "import hf_text, sys; print([name for name in sys.modules if name in ('anyio', 'asyncio', 'trio')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def _encode_stream(*pieces: str) -> list[bytes]:
    body = Response.text(*pieces).body
    assert isinstance(body, tuple)
    return [step for step in body if isinstance(step, bytes)]


def _without_times(completion: Completion) -> Any:
    return (
        completion.text,
        completion.reasoning,
        completion.finish_reason,
        completion.usage,
        completion.model,
        completion.provider,
        [(attempt.provider, attempt.status, attempt.error) for attempt in completion.attempts],
    )


def _outcome_of(stream: Stream) -> Any:
    try:
        for _ in stream.events():
            pass
    except hf_text.HFTextError as error:
        return _describe(error)
    return None


def _describe(error: hf_text.HFTextError | None) -> Any:
    if error is None:
        return None
    partial = getattr(error, "partial", None)
    attempts = [(attempt.provider, attempt.status, attempt.error) for attempt in error.attempts]
    return type(error), str(error), partial and _without_times(partial), attempts
