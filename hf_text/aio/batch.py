"""``hf_text.batch`` for async code: the same names, arguments and results; blocking functions are awaited.

A worker thread drives the blocking run, whose own threads send the requests. A cancelled task cancels the rows in
flight. Rows may also be an async iterable, which is read in the event loop.

::

    from hf_text.aio import batch

    async with batch.generate(rows, model="openai/gpt-oss-120b") as outcomes:
        async for outcome in outcomes:
            ...
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from types import TracebackType
from typing import Any, Literal, TypeVar

from anyio import CancelScope, CapacityLimiter, from_thread, get_cancelled_exc_class
from anyio.to_thread import run_sync

from .. import batch as blocking
from ..batch import (
    Outcome,
    Pace,
    Percentiles,
    Progress,
    ProviderSummary,
    Stopped,
    Summary,
    failures,
    merge,
    read,
    read_state,
    sort,
    to_frame,
)
from ..batch.frames import Block, block_arguments
from ..batch.generate import OnBadRow
from ..batch.inputs import Inputs
from ..batch.prompts import Template
from ..batch.runner import Stopper, run_stoppable
from ..checks import refusal
from ..client import Client
from ..errors import HFTextError
from ..protocol.media import Media
from ..tools import Tools
from ..tracebacks import shorten
from ..transport.call import DEFAULT, Timeouts
from ..wrong_names import explain_wrong_names_of
from .client import AsyncClient
from .stop_button import stop_button_works

__all__ = [
    "Outcome",
    "Outcomes",
    "Pace",
    "Percentiles",
    "Progress",
    "ProviderSummary",
    "Stopped",
    "Summary",
    "failures",
    "generate",
    "generate_frame",
    "merge",
    "read",
    "read_state",
    "run",
    "sort",
    "to_frame",
]


def __dir__() -> list[str]:
    return sorted(__all__)


T = TypeVar("T")

_End = object()


class Outcomes(AsyncIterator[Outcome]):
    """The outcomes of rows, as they arrive: ``hf_text.batch.Outcomes``, awaited. Leaving ``async with`` cancels the
    rows in flight.
    """

    def __init__(self, make: Callable[[], blocking.Outcomes]) -> None:
        self._make = make
        self._outcomes: blocking.Outcomes | None = None
        self._closed = False

    async def __anext__(self) -> Outcome:
        try:
            outcome = await _run(self._next, self._stop)
        except HFTextError as error:
            shorten(error)
            raise
        if outcome is None:
            raise StopAsyncIteration
        return outcome

    @property
    def progress(self) -> Progress | None:
        """The progress of the run; None before the first outcome is requested."""
        return None if self._outcomes is None else self._outcomes.progress

    @property
    def stopped_by(self) -> str | None:
        """Why the run ended before all rows were done; None if it did not."""
        return None if self._outcomes is None else self._outcomes.stopped_by

    def drain(self, within: float | None = None) -> None:
        """Start no more rows. Rows in flight still finish; ``within`` cancels them after that many seconds."""
        if self._outcomes is not None:
            self._outcomes.drain(within)

    async def aclose(self) -> None:
        """Cancel the rows in flight."""
        self._closed = True
        if self._outcomes is not None:
            with CancelScope(shield=True):
                await run_sync(self._outcomes.close, limiter=CapacityLimiter(1))

    async def __aenter__(self) -> Outcomes:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _next(self) -> Outcome | None:
        if self._closed:
            return None
        if self._outcomes is None:
            self._outcomes = self._make()
        return next(self._outcomes, None)

    def _stop(self) -> None:
        self._closed = True
        self.drain(0.0)


@explain_wrong_names_of("aio.batch.generate")
def generate(
    rows: Inputs | AsyncIterable[Any],
    *,
    client: AsyncClient | None = None,
    # Arguments of batch.generate.generate (.ci/signatures.py)
    model: str | None = None,
    template: Template | None = None,
    id: str | None = None,
    keep: Sequence[str] = (),
    samples: int = 1,
    models: Sequence[str] = (),
    max_workers: int = 16,
    rate: float | None = None,
    tokens_per_minute: float | None = None,
    pace: Pace | None = None,
    executor: Executor | None = None,
    ordered: bool = False,
    on_bad_row: OnBadRow = "raise",
    max_cost: float | None = None,
    max_failures: int | None = None,
    deadline: float | None = None,
    max_outage: float = 900.0,
    include_usage: bool = True,
    media: Media | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    stop: str | Sequence[str] | None = None,
    seed: int | None = None,
    tools: Tools | None = None,
    tool_choice: str | Mapping[str, Any] | Callable[..., Any] | None = None,
    response_format: str | Mapping[str, Any] | None = None,
    reasoning_effort: str | None = None,
    frequency_penalty: float | None = None,
    presence_penalty: float | None = None,
    parallel_tool_calls: bool | None = None,
    logprobs: bool | None = None,
    top_logprobs: int | None = None,
    extra_body: Mapping[str, Any] | None = None,
    extra_headers: Mapping[str, str] | None = None,
    provider: str | Sequence[str] | None = None,
    timeout: Timeouts | float = DEFAULT,
) -> Outcomes:
    """Send every row, and iterate over the outcomes as they arrive.

    It is not awaited: nothing is sent, and no error raised, before the first outcome is requested.

    Args:
        rows: as for ``run``.
        client: the client to use.
        model: the model for rows that name none.
        template: the prompt, built from a row's columns: ``"Label: {text}"``, messages with such texts, or a function
            from a row to a prompt or a row.
        id: the column that identifies each row, a str or an int; default ``custom_id``.
        keep: columns to copy into the outcomes.
        samples: how often to send each row; the names get ``#0``, ``#1`` …, and the seed, if given, is increased.
        models: send each row to each of these models; named like samples, one model after another.
        max_workers: the maximum number of rows in flight for each model (default 16).
        rate: maximum requests per second for each model; default: as the server allows.
        tokens_per_minute: maximum tokens per minute for each model.
        pace: a ``Pace`` for all models, instead of these two; it can be shared among runs.
        executor: where the work is done, such as a ``ProcessPoolExecutor`` or Dask's ``Client.get_executor()``;
            default: threads. It is not shut down.
        ordered: yield outcomes in the order of the rows; a slow one then holds up the others, at most 1,000.
        on_bad_row: what to do about an invalid row: ``"raise"`` ends the run when the rows in flight are finished,
            ``"record"`` records it as failed.
        max_cost: USD; no more rows are started when it is reached. A model without a known price is rejected.
        max_failures: no more rows are started when more have failed.
        deadline: seconds; no more rows are started after it.
        max_outage: seconds that a server may be unavailable before the run ends with its error (default 900).
        include_usage: whether to request token counts; without it most servers send none. This option and those below
            are for rows that do not set them.
        media: pictures (or sound) for the last user turn: URLs, data URIs, paths, bytes, binary files, PIL images,
            ``(any of those, filename)``, or a list of those. A str may be a path: for untrusted input see
            ``media_from_url``.
        max_tokens: the maximum number of tokens in the answer. None leaves it to the server, as for every option below.
        temperature: 0 to 2.
        top_p: above 0, at most 1.
        stop: sequences that end the answer.
        seed: makes answers reproducible, if the provider supports it.
        tools: what the model may call: functions, described by their signature and docstring (see ``tool``; needs the
            extra ``schema``), or mappings as in the protocol. They are not run here; a ``Conversation`` runs them.
        tool_choice: ``"auto"``, ``"none"``, ``"required"``, or a tool or its name.
        response_format: ``"json_object"``, or a JSON schema. For a type see ``parse``.
        reasoning_effort: such as ``"low"``; which values are known depends on the model.
        frequency_penalty: -2 to 2; positive values make tokens less likely the more often they have occurred.
        presence_penalty: -2 to 2; positive values make tokens that have occurred less likely.
        parallel_tool_calls: whether the model may call several tools at once.
        logprobs: whether to return the log-probability of each token (``Completion.logprobs``).
        top_logprobs: 0 to 20: how many likely tokens to return for each position; needs ``logprobs``.
        extra_body: additional fields for the body of the request.
        extra_headers: additional headers for this request.
        provider: as for the client, for this call.
        timeout: as for the client, for this call.

    Raises while iterating InvalidRequestError for a bad argument or row, which names the line; and the error that ended
    the run: a wrong key, an account without credits, a model that the server does not know, a server that stays
    unavailable.
    """
    arguments = _blocking(locals())
    return Outcomes(lambda: blocking.generate(**arguments))


@explain_wrong_names_of("aio.batch.run")
async def run(
    inputs: Inputs | AsyncIterable[Any],
    output: str | os.PathLike[str],
    *,
    client: AsyncClient | None = None,
    # Arguments of batch.runner.run (.ci/signatures.py)
    stale: Literal["raise", "redo", "keep"] = "raise",
    only: Literal["failed"] | None = None,
    retry_failed: bool = True,
    shard: tuple[int, int] | None = None,
    drain: float = 25.0,
    progress: bool | Callable[[Progress], object] | None = None,
    model: str | None = None,
    template: Template | None = None,
    id: str | None = None,
    keep: Sequence[str] = (),
    samples: int = 1,
    models: Sequence[str] = (),
    max_workers: int = 16,
    rate: float | None = None,
    tokens_per_minute: float | None = None,
    pace: Pace | None = None,
    executor: Executor | None = None,
    on_bad_row: OnBadRow = "raise",
    max_cost: float | None = None,
    max_failures: int | None = None,
    deadline: float | None = None,
    max_outage: float = 900.0,
    include_usage: bool = True,
    media: Media | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    stop: str | Sequence[str] | None = None,
    seed: int | None = None,
    tools: Tools | None = None,
    tool_choice: str | Mapping[str, Any] | Callable[..., Any] | None = None,
    response_format: str | Mapping[str, Any] | None = None,
    reasoning_effort: str | None = None,
    frequency_penalty: float | None = None,
    presence_penalty: float | None = None,
    parallel_tool_calls: bool | None = None,
    logprobs: bool | None = None,
    top_logprobs: int | None = None,
    extra_body: Mapping[str, Any] | None = None,
    extra_headers: Mapping[str, str] | None = None,
    provider: str | Sequence[str] | None = None,
    timeout: Timeouts | float = DEFAULT,
) -> Summary:
    """Send every row of the inputs and append each answer to the output, in the order in which they arrive.

    A cancelled task cancels the rows in flight; finished ones are kept. Signals are left to the event loop.

    Args:
        inputs: as for ``hf_text.batch.run``, or an async iterable.
        output: the path of a JSONL file. If it exists it must hold results; they are kept.
        client: the client to use.
        stale: what to do about a row whose answer in the output is for another prompt or other options: ``"raise"``,
            ``"redo"`` (send it again; the new line replaces the old), ``"keep"``.
        only: ``"failed"`` sends only the rows that an earlier run recorded as failed.
        retry_failed: whether to send rows again that an earlier run recorded as failed (default True). Their new line
            then replaces the old.
        shard: ``(i, n)``, with i from 0: only the rows of the i-th of n parts, by a hash of their names. Each shard has
            its own output; ``merge`` combines them.
        drain: seconds that the rows in flight may take after SIGTERM, Ctrl-C or the deadline (default 25).
        progress: True shows a bar (``pip install 'hf_text[batch]'``); a function is called in this thread, at the
            start, after each row, and once a second.
        model: the model for rows that name none.
        template: the prompt, built from a row's columns: ``"Label: {text}"``, messages with such texts, or a function
            from a row to a prompt or a row.
        id: the column that identifies each row, a str or an int; default ``custom_id``.
        keep: columns to copy into the outcomes.
        samples: how often to send each row; the names get ``#0``, ``#1`` …, and the seed, if given, is increased.
        models: send each row to each of these models; named like samples, one model after another.
        max_workers: the maximum number of rows in flight for each model (default 16).
        rate: maximum requests per second for each model; default: as the server allows.
        tokens_per_minute: maximum tokens per minute for each model.
        pace: a ``Pace`` for all models, instead of these two; it can be shared among runs.
        executor: where the work is done, such as a ``ProcessPoolExecutor`` or Dask's ``Client.get_executor()``;
            default: threads. It is not shut down.
        on_bad_row: what to do about an invalid row: ``"raise"`` ends the run when the rows in flight are finished,
            ``"record"`` records it as failed.
        max_cost: USD; no more rows are started when it is reached. A model without a known price is rejected.
        max_failures: no more rows are started when more have failed.
        deadline: seconds; no more rows are started after it.
        max_outage: seconds that a server may be unavailable before the run ends with its error (default 900).
        include_usage: whether to request token counts; without it most servers send none. This option and those below
            are for rows that do not set them.
        media: pictures (or sound) for the last user turn: URLs, data URIs, paths, bytes, binary files, PIL images,
            ``(any of those, filename)``, or a list of those. A str may be a path: for untrusted input see
            ``media_from_url``.
        max_tokens: the maximum number of tokens in the answer. None leaves it to the server, as for every option below.
        temperature: 0 to 2.
        top_p: above 0, at most 1.
        stop: sequences that end the answer.
        seed: makes answers reproducible, if the provider supports it.
        tools: what the model may call: functions, described by their signature and docstring (see ``tool``; needs the
            extra ``schema``), or mappings as in the protocol. They are not run here; a ``Conversation`` runs them.
        tool_choice: ``"auto"``, ``"none"``, ``"required"``, or a tool or its name.
        response_format: ``"json_object"``, or a JSON schema. For a type see ``parse``.
        reasoning_effort: such as ``"low"``; which values are known depends on the model.
        frequency_penalty: -2 to 2; positive values make tokens less likely the more often they have occurred.
        presence_penalty: -2 to 2; positive values make tokens that have occurred less likely.
        parallel_tool_calls: whether the model may call several tools at once.
        logprobs: whether to return the log-probability of each token (``Completion.logprobs``).
        top_logprobs: 0 to 20: how many likely tokens to return for each position; needs ``logprobs``.
        extra_body: additional fields for the body of the request.
        extra_headers: additional headers for this request.
        provider: as for the client, for this call.
        timeout: as for the client, for this call.

    A function for ``progress`` is called in the thread that does the work. Raises as ``hf_text.batch.run``.
    """
    arguments, stopper = _blocking(locals()), Stopper()
    return await _run(lambda: run_stoppable(stopper, **arguments), stopper.stop)


@explain_wrong_names_of("aio.batch.generate_frame")
async def generate_frame(
    frame: Any,
    template: Template | None = None,
    *,
    client: AsyncClient | None = None,
    # Arguments of batch.frames.generate_frame (.ci/signatures.py)
    into: str = "answer",
    on_bad_row: OnBadRow = "record",
    model: str | None = None,
    max_workers: int = 16,
    rate: float | None = None,
    tokens_per_minute: float | None = None,
    pace: Pace | None = None,
    executor: Executor | None = None,
    max_cost: float | None = None,
    max_failures: int | None = None,
    deadline: float | None = None,
    max_outage: float = 900.0,
    include_usage: bool = True,
    media: Media | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    stop: str | Sequence[str] | None = None,
    seed: int | None = None,
    tools: Tools | None = None,
    tool_choice: str | Mapping[str, Any] | Callable[..., Any] | None = None,
    response_format: str | Mapping[str, Any] | None = None,
    reasoning_effort: str | None = None,
    frequency_penalty: float | None = None,
    presence_penalty: float | None = None,
    parallel_tool_calls: bool | None = None,
    logprobs: bool | None = None,
    top_logprobs: int | None = None,
    extra_body: Mapping[str, Any] | None = None,
    extra_headers: Mapping[str, str] | None = None,
    provider: str | Sequence[str] | None = None,
    timeout: Timeouts | float = DEFAULT,
) -> Any:
    """Send each row of a block, and return the block with the answers; as ``hf_text.batch.generate_frame``.

    Args:
        frame: a pandas or polars DataFrame, an Arrow table or record batch, a mapping of columns, or a list of
            mappings.
        template: what is asked, from the columns: ``"Label: {text}"``; default: the column ``prompt`` or ``messages``.
        client: the client to use.
        into: the name of the new column: the text of the answer, or None; the reason is then in a column of the same
            name with ``_error`` (default ``"answer"``).
        on_bad_row: what to do about an invalid row: ``"record"`` records it as failed, ``"raise"`` ends the run when
            the rows in flight are finished.
        model: the model for rows that name none.
        max_workers: the maximum number of rows in flight for each model (default 16).
        rate: maximum requests per second for each model; default: as the server allows.
        tokens_per_minute: maximum tokens per minute for each model.
        pace: a ``Pace`` for all models, instead of these two; it can be shared among runs.
        executor: where the work is done, such as a ``ProcessPoolExecutor`` or Dask's ``Client.get_executor()``;
            default: threads. It is not shut down.
        max_cost: USD; no more rows are started when it is reached. A model without a known price is rejected.
        max_failures: no more rows are started when more have failed.
        deadline: seconds; no more rows are started after it.
        max_outage: seconds that a server may be unavailable before the run ends with its error (default 900).
        include_usage: whether to request token counts; without it most servers send none. This option and those below
            are for rows that do not set them.
        media: pictures (or sound) for the last user turn: URLs, data URIs, paths, bytes, binary files, PIL images,
            ``(any of those, filename)``, or a list of those. A str may be a path: for untrusted input see
            ``media_from_url``.
        max_tokens: the maximum number of tokens in the answer. None leaves it to the server, as for every option below.
        temperature: 0 to 2.
        top_p: above 0, at most 1.
        stop: sequences that end the answer.
        seed: makes answers reproducible, if the provider supports it.
        tools: what the model may call: functions, described by their signature and docstring (see ``tool``; needs the
            extra ``schema``), or mappings as in the protocol. They are not run here; a ``Conversation`` runs them.
        tool_choice: ``"auto"``, ``"none"``, ``"required"``, or a tool or its name.
        response_format: ``"json_object"``, or a JSON schema. For a type see ``parse``.
        reasoning_effort: such as ``"low"``; which values are known depends on the model.
        frequency_penalty: -2 to 2; positive values make tokens less likely the more often they have occurred.
        presence_penalty: -2 to 2; positive values make tokens that have occurred less likely.
        parallel_tool_calls: whether the model may call several tools at once.
        logprobs: whether to return the log-probability of each token (``Completion.logprobs``).
        top_logprobs: 0 to 20: how many likely tokens to return for each position; needs ``logprobs``.
        extra_body: additional fields for the body of the request.
        extra_headers: additional headers for this request.
        provider: as for the client, for this call.
        timeout: as for the client, for this call.

    Raises InvalidRequestError for another kind of block, and as ``generate``; a row that fails is not an error.
    """
    block = Block(**block_arguments(_blocking(locals())))
    return await _run(block.fill, block.stop)


async def _run(work: Callable[[], T], stop: Callable[[], object]) -> T:
    """Do the work in a thread. If this task is cancelled, call ``stop`` and wait for the work to end."""
    ended = threading.Event()

    def work_and_tell() -> T:
        try:
            return work()
        finally:
            ended.set()

    try:
        with stop_button_works():
            return await run_sync(work_and_tell, abandon_on_cancel=True, limiter=CapacityLimiter(1))
    except get_cancelled_exc_class():
        stop()
        with CancelScope(shield=True):
            await run_sync(ended.wait, 10.0, limiter=CapacityLimiter(1))
        raise


def _blocking(options: dict[str, Any]) -> dict[str, Any]:
    """Convert the options for the blocking functions."""
    options = {name: _rows(value) if name in ("rows", "inputs") else value for name, value in options.items()}
    client = options.get("client")
    if client is None:
        return options
    if not isinstance(client, AsyncClient):
        raise refusal("client", "an AsyncClient", client)
    return {**options, "client": Client.of(client.operations)}


def _rows(rows: Any) -> Any:
    """Rows for a worker thread; an async iterable is read in the event loop."""
    return _read_in_loop(rows.__aiter__()) if isinstance(rows, AsyncIterable) else rows


def _read_in_loop(rows: AsyncIterator[Any]) -> Iterator[Any]:
    async def take() -> Any:
        try:
            return await rows.__anext__()
        except StopAsyncIteration:
            return _End

    while (row := from_thread.run(take)) is not _End:
        yield row
