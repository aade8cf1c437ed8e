"""Adds answers to a block of a table: the function that Ray, Spark, Dask and ``datasets`` call for each block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from ..checks import is_filled, refusal
from ..client import Client
from ..errors import InvalidRequestError
from ..protocol.media import Media
from ..tools import Tools
from ..transport.call import DEFAULT, Timeouts
from ..wrong_names import explain_wrong_names_of
from .columns import Records, plain, read_table
from .generate import OnBadRow, Outcomes, generate
from .pace import Pace
from .prompts import Template

__all__ = ["Block", "block_arguments", "generate_frame"]

_NUMBER = "\0number"  # the id column of a block's rows; cannot collide with a real column


@explain_wrong_names_of("batch.generate_frame")
def generate_frame(
    frame: Any,
    template: Template | None = None,
    *,
    into: str = "answer",
    on_bad_row: OnBadRow = "record",
    # Arguments of batch.generate.generate but rows, id, keep, samples, models, ordered (.ci/signatures.py)
    client: Client | None = None,
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
    """Send each row of a block, and return the block with the answers.

    Args:
        frame: a pandas or polars DataFrame, an Arrow table or record batch, a mapping of columns (as Ray and
            ``datasets`` pass them), or a list of mappings.
        template: the prompt, from the columns: ``"Label: {text}"``; default: the column ``prompt`` or ``messages``.
        into: the name of the new column: the text of the answer, or None; the reason is then in a column of the same
            name with ``_error`` (default ``"answer"``).
        on_bad_row: what to do about an invalid row: ``"record"`` records it as failed, ``"raise"`` ends the run when
            the rows in flight are finished.
        client: the client to use; default: the client behind ``hf_text.generate``. For other processes it is pickled,
            with a key that was passed to it.
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

    Calls with the same client share its connections and its pace.

    Returns a new block of the same kind and the same order. Raises InvalidRequestError for any other kind of block, and
    as ``generate``; a row that fails is not an error.
    """
    return Block(**block_arguments(locals())).fill()


def block_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the arguments of ``generate_frame`` to those of ``Block``."""
    own = ("frame", "template", "into")
    options = {name: value for name, value in arguments.items() if name not in own}
    return {**{name: arguments[name] for name in own}, "options": options}


class Block:
    """A block being processed. The arguments are those of ``generate_frame``."""

    def __init__(self, frame: Any, template: Template | None, into: str, options: Mapping[str, Any]) -> None:
        if not is_filled(into):
            raise refusal("into", "the name of a column", into)
        self._frame = frame
        self._into = into
        self._rows = _rows_of(frame)
        self._options = {**options, "template": template, "id": _NUMBER}
        self._outcomes: Outcomes | None = None

    def fill(self) -> Any:
        """Send the rows and return the block with its answers."""
        named = Records({**row, _NUMBER: number} for number, row in enumerate(self._rows))
        texts: list[str | None] = [None] * len(named)
        errors: list[str | None] = [None] * len(named)
        with generate(named, **self._options) as self._outcomes:
            for outcome in self._outcomes:
                number = int(outcome.custom_id)
                texts[number] = outcome.text
                errors[number] = None if outcome.error is None else f"{type(outcome.error).__name__}: {outcome.error}"
        return _with_columns(self._frame, {self._into: texts, f"{self._into}_error": errors})

    def stop(self) -> None:
        """Cancel the rows in flight."""
        if self._outcomes is not None:
            self._outcomes.drain(0.0)


def _rows_of(frame: Any) -> list[dict[str, Any]]:
    if (table := read_table(frame)) is not None:
        return list(table[1])
    if isinstance(frame, Mapping):
        columns = {str(name): plain(list(values)) for name, values in frame.items()}
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            raise InvalidRequestError("frame: its columns differ in length")
        count = lengths.pop() if lengths else 0
        return [{name: plain(values[number]) for name, values in columns.items()} for number in range(count)]
    if isinstance(frame, list) and all(isinstance(row, Mapping) for row in frame):
        return [{str(name): plain(value) for name, value in row.items()} for row in frame]
    raise refusal("frame", "a DataFrame, an Arrow table, a mapping of columns or a list of mappings", frame)


def _with_columns(frame: Any, columns: Mapping[str, list[Any]]) -> Any:
    if hasattr(frame, "assign") and hasattr(frame, "iloc"):
        return frame.assign(**columns)
    if hasattr(frame, "with_columns"):  # polars
        return frame.with_columns(**{name: _polars_column(frame, values) for name, values in columns.items()})
    if hasattr(frame, "append_column"):  # pyarrow
        import pyarrow  # type: ignore[import-untyped, unused-ignore]

        for name, values in columns.items():
            column = pyarrow.array(values, pyarrow.string())
            place = frame.schema.get_field_index(name)
            frame = frame.append_column(name, column) if place < 0 else frame.set_column(place, name, column)
        return frame
    if isinstance(frame, Mapping):
        return {**frame, **columns}
    return [{**row, **{name: values[number] for name, values in columns.items()}} for number, row in enumerate(frame)]


def _polars_column(frame: Any, values: list[Any]) -> Any:
    import polars  # type: ignore[import-not-found, unused-ignore]

    return polars.Series(values, dtype=polars.String)
