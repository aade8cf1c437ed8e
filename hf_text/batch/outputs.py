"""Finished outputs: read, convert to a table, sort, merge."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, BinaryIO

from .. import errors
from ..checks import refusal
from ..completion import Attempt, Completion, Logprob, Timings
from ..errors import HFTextError, InvalidRequestError, MissingExtraError
from ..events import ToolCall, Usage
from ..protocol.values import as_number, as_object, as_text
from ..wrong_names import explain_wrong_names_of
from .files import replacing
from .index import ANSWERED, FAILED, NO_FINGERPRINT, Index
from .inputs import Inputs, Source
from .journal import supersedes
from .lines import parse_head, parse_line
from .outcomes import Outcome
from .prompts import Template
from .rows import RowParser, Shape

__all__ = ["failures", "merge", "read", "read_lines", "sort", "to_frame"]

Output = str | os.PathLike[str]


@explain_wrong_names_of("batch.read")
def read(output: Output) -> Iterator[Outcome]:
    """The result of each row in an output, in the order of its lines. A line that a later one replaces is left out, and
    so is an incomplete last line.

    Results of OpenAI's Batch API are read as well, and ``.gz`` files. Raises OSError if the file cannot be read, and
    InvalidRequestError, which names the line, for anything else than results.
    """
    return map(_outcome_of, read_lines(output))


def read_lines(output: Output) -> Iterator[dict[str, Any]]:
    """As ``read``, but the results of the Batch API as they stand there."""
    with _Output(output) as file:
        for offset, data in file.lines():
            if file.counts(offset, data):
                yield parse_line(data)


@explain_wrong_names_of("batch.failures")
def failures(output: Output) -> list[Outcome]:
    """The rows of an output that have no answer, each with its error. ``run(…, only="failed")`` sends them again."""
    return [outcome for outcome in read(output) if not outcome.ok]


@explain_wrong_names_of("batch.to_frame")
def to_frame(output: Output) -> Any:
    """An output as a pandas DataFrame: ``custom_id``, the kept columns, ``text``, ``finish_reason``,
    ``model``, ``provider``, ``prompt_tokens``, ``completion_tokens``, ``cost``, ``seconds``, ``error``.

    ``text`` is the answer. A kept column that has one of these names is called ``row_text`` (``row_model`` …).
    Reasoning and tool calls have columns if there are any. Raises MissingExtraError if pandas is not installed, and as
    ``read``.
    """
    try:
        import pandas  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise MissingExtraError("batch.to_frame needs pandas: pip install pandas", package="pandas") from None
    records = [_record(outcome) for outcome in read(output)]
    frame = pandas.DataFrame(records, columns=None if records else list(_record(Outcome(""))))
    rare = [name for name in ("reasoning", "tool_calls") if not frame[name].notna().any()]
    return frame.drop(columns=rare)


@explain_wrong_names_of("batch.sort")
def sort(
    inputs: Inputs,
    output: Output,
    *,
    template: Template | None = None,
    id: str | None = None,
    samples: int = 1,
    models: Sequence[str] = (),
) -> None:
    """Put the lines of an output into the order of the inputs; lines of other rows come last.

    Args:
        inputs: those of the run.
        output: the path of the output. It is replaced as a whole.
        template, id, samples, models: those of the run, for rows without a ``custom_id`` of their own.

    Raises as ``read``, and for inputs that ``run`` would reject.
    """
    source = Source(inputs)
    parser = RowParser({}, Shape(template, id, (), samples, models, source.table))
    with _Output(output) as file, replacing(os.path.realpath(output)) as copy:
        written = Index()
        for place, value in source:
            for known in parser.parse(value, place):
                offset = file.find(known.row.custom_id)
                if offset is not None:
                    copy.write(file.line_at(offset) + b"\n")
                    written.set(known.row.custom_id, ANSWERED)
        for offset, data in file.lines():
            if file.counts(offset, data) and not written.get(parse_head(data)[0])[0]:
                copy.write(data + b"\n")


@explain_wrong_names_of("batch.merge")
def merge(outputs: Iterable[Output], output: Output) -> int:
    """Combine the outputs of shards into one, in their order; returns how many rows it has.

    If a row has several lines, the same one counts as within one output: an answer rather than a failure, a later one
    rather than an earlier. If the output exists, its lines are included, as the first.

    Raises as ``read``, and InvalidRequestError if there is nothing to merge.
    """
    if isinstance(outputs, (str, os.PathLike)):
        raise refusal("outputs", "a list of paths", outputs)
    target = os.path.realpath(output)
    paths = [*([target] if os.path.exists(target) else []), *(os.path.realpath(path) for path in outputs)]
    paths = list(dict.fromkeys(paths))
    if not paths:
        raise InvalidRequestError("outputs: nothing to merge")
    with ExitStack() as stack:
        files = [stack.enter_context(_Output(path)) for path in paths]
        winners = _Winners()
        for number, file in enumerate(files):
            for offset, data in file.lines():
                winners.add(data, number << 48 | offset)
        copy = stack.enter_context(replacing(target))
        for number, file in enumerate(files):
            for offset, data in file.lines():
                if winners.counts(data, number << 48 | offset):
                    copy.write(data + b"\n")
    return winners.rows


class _Winners:
    """Which line of each row counts, by its position."""

    def __init__(self) -> None:
        self.rows = 0
        self._places = Index()
        self._asked = Index()

    def add(self, data: bytes, place: int) -> None:
        name, answered, asked, _ = parse_head(data)
        known, _ = self._places.get(name)
        if known and not supersedes(answered, asked, bool(known & ANSWERED), self._asked.get(name)[1]):
            return
        self.rows += not known
        self._places.set(name, ANSWERED if answered else FAILED, place.to_bytes(8, "little"))
        self._asked.set(name, ANSWERED, asked)

    def counts(self, data: bytes, place: int) -> bool:
        return self.find(parse_head(data)[0]) == place

    def find(self, name: str) -> int | None:
        known, place = self._places.get(name)
        return int.from_bytes(place, "little") if known else None


class _Output:
    """An output that is open for reading. A context manager."""

    def __init__(self, path: Output) -> None:
        self._path = os.fspath(path)
        opener: Any = gzip.open if self._path.endswith(".gz") else open
        self._file: BinaryIO = opener(self._path, "rb")
        self._winners: _Winners | None = None

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Where each line begins, and the line. An incomplete last line is left out. Raises InvalidRequestError."""
        self._file.seek(0)
        offset = 0
        for number, data in enumerate(self._file, 1):
            line = data.strip(b"\r\n\0")
            if line:
                try:
                    parse_head(line)
                except ValueError:
                    if not data.endswith(b"\n"):
                        return
                    message = f"{self._path}, line {number} is not a result of a batch: {line[:60]!r}"
                    raise InvalidRequestError(message) from None
                yield offset, line
            offset += len(data)

    def counts(self, offset: int, data: bytes) -> bool:
        """Whether no other line replaces this one."""
        return self._find_winners().counts(data, offset)

    def find(self, name: str) -> int | None:
        """Where the line of a row begins."""
        return self._find_winners().find(name)

    def line_at(self, offset: int) -> bytes:
        self._file.seek(offset)
        return self._file.readline().rstrip(b"\r\n")

    def _find_winners(self) -> _Winners:
        if self._winners is None:
            position = self._file.tell()
            winners = _Winners()
            for offset, data in self.lines():
                winners.add(data, offset)
            self._winners = winners
            self._file.seek(position)
        return self._winners

    def __enter__(self) -> _Output:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _outcome_of(line: Mapping[str, Any]) -> Outcome:
    """A line as the outcome that was recorded."""
    answered = _is_answer(line)
    response = as_object(line.get("response"))
    body = as_object(response.get("body"))
    columns = as_object(line.get("columns"))
    if answered:
        completion = _completion_of(line, response, body)
        return Outcome(line["custom_id"], completion, None, columns, as_number(line.get("cost")), _asked_of(line))
    return Outcome(line["custom_id"], None, _error_of(line, response), columns, None, _asked_of(line))


def _is_answer(line: Mapping[str, Any]) -> bool:
    """Whether a parsed line is an answer."""
    response = line.get("response")
    return line.get("error") is None and isinstance(response, dict) and response.get("status_code") == 200


def _asked_of(line: Mapping[str, Any]) -> bytes:
    try:
        return bytes.fromhex(line.get("asked") or "") or NO_FINGERPRINT
    except (TypeError, ValueError):
        return NO_FINGERPRINT


def _completion_of(line: Mapping[str, Any], response: Mapping[str, Any], body: Mapping[str, Any]) -> Completion:
    choices = body.get("choices")
    choice = as_object(choices[0]) if isinstance(choices, list) and choices else {}
    message = as_object(choice.get("message"))
    timings = as_object(line.get("timings"))
    return Completion(
        text=as_text(message.get("content")) or "",
        reasoning=as_text(message.get("reasoning")) or "",
        tool_calls=tuple(_tool_calls_of(message.get("tool_calls"))),
        finish_reason=as_text(choice.get("finish_reason")),
        usage=_usage_of(body.get("usage")),
        model=as_text(body.get("model")) or "",
        provider=as_text(body.get("provider")),
        request_id=as_text(response.get("request_id")),
        timings=Timings(as_number(timings.get("first_token")), as_number(timings.get("total")) or 0.0),
        attempts=tuple(_attempts_of(line.get("attempts"))),
        system_fingerprint=as_text(body.get("system_fingerprint")),
        logprobs=tuple(_logprobs_of(choice.get("logprobs"))),
        extra=as_object(body.get("extra")),
    )


def _tool_calls_of(calls: Any) -> Iterator[ToolCall]:
    for call in calls if isinstance(calls, list) else ():
        function = as_object(as_object(call).get("function"))
        yield ToolCall(str(call.get("id", "")), str(function.get("name", "")), str(function.get("arguments", "")))


def _attempts_of(attempts: Any) -> Iterator[Attempt]:
    for attempt in attempts if isinstance(attempts, list) else ():
        value = as_object(attempt)
        yield Attempt(value.get("provider"), value.get("status"), value.get("seconds") or 0.0, value.get("error"))


def _logprobs_of(logprobs: Any) -> Iterator[Logprob]:
    tokens = as_object(logprobs).get("content")
    for token in tokens if isinstance(tokens, list) else ():
        value = as_object(token)
        tops = value.get("top_logprobs")
        top = [as_object(item) for item in tops] if isinstance(tops, list) else []
        pairs = tuple((str(item.get("token", "")), item.get("logprob") or 0.0) for item in top)
        yield Logprob(str(value.get("token", "")), value.get("logprob") or 0.0, pairs)


def _usage_of(usage: Any) -> Usage | None:
    if not isinstance(usage, dict):
        return None
    prompt, completion = (int(as_number(usage.get(f"{name}_tokens")) or 0) for name in ("prompt", "completion"))
    reasoning = as_number(as_object(usage.get("completion_tokens_details")).get("reasoning_tokens"))
    cached = as_number(as_object(usage.get("prompt_tokens_details")).get("cached_tokens"))
    total = as_number(usage.get("total_tokens"))
    return Usage(
        prompt,
        completion,
        prompt + completion if total is None else int(total),
        None if reasoning is None else int(reasoning),
        None if cached is None else int(cached),
    )


def _error_of(line: Mapping[str, Any], response: Mapping[str, Any]) -> HFTextError:
    """The error that was recorded, as one of its class."""
    recorded = as_object(line.get("error"))
    kind = getattr(errors, str(recorded.get("code")), HFTextError)
    error = (kind if isinstance(kind, type) and issubclass(kind, HFTextError) else HFTextError)(
        as_text(recorded.get("message")) or f"the server answered {response.get('status_code')}"
    )
    status = response.get("status_code")
    if isinstance(status, int):
        error.status_code = status
    return error


def _record(outcome: Outcome) -> dict[str, Any]:
    completion, usage = outcome.completion, outcome.completion.usage if outcome.completion else None
    calls = [call.to_dict() for call in completion.tool_calls] if completion and completion.tool_calls else None
    answer = {
        "text": outcome.text,
        "reasoning": (completion.reasoning or None) if completion else None,
        "tool_calls": calls,
        "finish_reason": completion.finish_reason if completion else None,
        "model": (completion.model or None) if completion else None,
        "provider": completion.provider if completion else None,
        "prompt_tokens": usage.prompt_tokens if usage else None,
        "completion_tokens": usage.completion_tokens if usage else None,
        "cost": outcome.cost,
        "seconds": completion.timings.total if completion else None,
        "error": None if outcome.error is None else f"{type(outcome.error).__name__}: {outcome.error}",
    }
    kept = {f"row_{name}" if name in answer else name: value for name, value in outcome.columns.items()}
    return {"custom_id": outcome.custom_id, **kept, **answer}
