"""Runs ``generate`` with a file that is both output and journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, Literal

from ..checks import refusal
from ..client import Client
from ..errors import InvalidRequestError
from ..protocol.media import Media
from ..tools import Tools
from ..transport.call import DEFAULT, Timeouts
from ..wrong_names import explain_wrong_names_of
from .bars import show_progress
from .engine import Engine
from .generate import OnBadRow, make_plan, start
from .index import ANSWERED, FAILED, NO_FINGERPRINT
from .inputs import Inputs, Source
from .journal import Journal
from .lines import Line
from .outcomes import Outcome
from .pace import Pace
from .progress import Progress, Summary, Tally
from .prompts import Template
from .rows import Known, Row, shard_of
from .signals import Listener, Stopped, listening, say, stopped
from .state import StateFile

__all__ = ["Stopper", "run", "run_stoppable"]


@explain_wrong_names_of("batch.run")
def run(
    inputs: Inputs,
    output: str | PathLike[str],
    *,
    stale: Literal["raise", "redo", "keep"] = "raise",
    only: Literal["failed"] | None = None,
    retry_failed: bool = True,
    shard: tuple[int, int] | None = None,
    drain: float = 25.0,
    progress: bool | Callable[[Progress], object] | None = None,
    client: Client | None = None,
    # Arguments of batch.generate.generate but rows, ordered (.ci/signatures.py)
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

    Rows whose answer is already in the output are not sent. The forms of rows and results, and what ends a run, are
    described at the top of ``hf_text.batch``.

    Args:
        inputs: the path of a JSONL file (``.gz`` too, ``"-"`` for standard input), an open file of that form, a pandas
            or polars DataFrame, an Arrow table, a ``datasets.Dataset``, or an iterable of rows. Only the rows in flight
            are held in memory, plus about 20 bytes for each row.
        output: the path of a JSONL file. If it exists, it must contain results; they are kept.
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
        client: the client to use; default: a new ``Client()``. For other processes it is pickled, with a key that was
            passed to it.
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

    Raises InvalidRequestError for a bad argument or row, which names the line, and if another run writes to the
    output; OSError if a file cannot be read or written; ``Stopped`` after Ctrl-C or SIGTERM; and the error that ended
    the run.
    """
    return run_stoppable(Stopper(), **locals())


class Stopper:
    """Stops a run from another thread."""

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._stopped = False

    def attach(self, engine: Engine) -> None:
        """Set the engine to stop."""
        self._engine = engine
        if self._stopped:
            engine.stop("cancelled", 0.0)

    def stop(self) -> None:
        """Cancel the rows in flight; finished ones are kept."""
        self._stopped = True
        if self._engine is not None:
            self._engine.stop("cancelled", 0.0)


def run_stoppable(
    stopper: Stopper,
    inputs: Inputs,
    output: str | PathLike[str],
    *,
    stale: Literal["raise", "redo", "keep"] = "raise",
    only: Literal["failed"] | None = None,
    retry_failed: bool = True,
    shard: tuple[int, int] | None = None,
    drain: float = 25.0,
    progress: bool | Callable[[Progress], object] | None = None,
    **options: Any,
) -> Summary:
    """Like ``run``, but ``stopper`` can stop it from another thread."""
    choice = _Choice(stale, only, retry_failed, shard)
    source, tally = Source(inputs), Tally()
    with listening(lambda listener: _stopped(listener, tally)) as listener, ExitStack() as stack:
        if options.get("client") is None:
            options["client"] = stack.enter_context(Client())
        plan = make_plan(options, drain)
        models = plan.check_first(source)
        tally.rows = choice.estimate(plan.count(source))
        show = stack.enter_context(show_progress(progress))
        journal = stack.enter_context(Journal(output, source.path))
        tally.spent = journal.spent
        skipped = tally.skip if shard is None else None
        rows = plan.read(source, journal.index, lambda known: choice.wants(known, tally), skipped)
        engine, costs = start(plan, models, rows, tally)
        stopper.attach(engine)
        stack.callback(costs.close)
        _Run(engine, journal, tally, show, drain).work(listener)
        journal.compact()
        return _summarize(tally, journal)


def _summarize(tally: Tally, journal: Journal | None) -> Summary:
    """Summarise the run. A stopped run has not read all inputs, so the counts of finished rows come from the output."""
    summary = tally.summary()
    if summary.stopped_by is None or journal is None:
        return summary
    return replace(summary, done=max(summary.done, journal.answered), failed=max(summary.failed, journal.failed))


@dataclass(frozen=True)
class _Choice:
    """Selects the rows that a run sends."""

    stale: str
    only: str | None
    retry_failed: bool
    shard: tuple[int, int] | None

    def __post_init__(self) -> None:
        if self.stale not in ("raise", "redo", "keep"):
            raise refusal("stale", "'raise', 'redo' or 'keep'", self.stale)
        if self.only not in (None, "failed"):
            raise refusal("only", "'failed'", self.only)
        if self.shard is not None:
            part = self.shard
            whole = isinstance(part, tuple) and len(part) == 2 and all(type(number) is int for number in part)
            if not whole or not 0 <= part[0] < part[1]:
                raise refusal("shard", "a pair (i, n) with i from 0 to n - 1", part)

    def estimate(self, count: int | None) -> int | None:
        """Estimate the number of rows of the run."""
        if self.only or count is None:
            return None
        return count if self.shard is None else round(count / self.shard[1])

    def wants(self, known: Known, tally: Tally) -> bool:
        """Whether to send the row; counts rows with a result that are skipped. Raises InvalidRequestError if its answer
        is stale.
        """
        row = known.row
        if self.shard is not None and shard_of(row.custom_id, self.shard[1]) != self.shard[0]:
            return False
        if known.known & ANSWERED:
            if NO_FINGERPRINT in (known.asked, row.asked) or known.asked == row.asked or self.stale == "keep":
                tally.resumed += 1
                return False
            if self.stale == "raise":
                raise _stale(row)
            return self.only is None
        if known.known & FAILED:
            if not self.retry_failed:
                tally.given_up += 1
            return self.retry_failed
        return self.only is None


def _stale(row: Row) -> InvalidRequestError:
    return InvalidRequestError(
        f"{row.place}: the output has an answer for {row.custom_id!r:.80}, but to another question or with other "
        "options. Name another output, or pass stale='redo' to ask again or stale='keep' to keep the old answers"
    )


class _Run:
    """One prepared run."""

    def __init__(
        self, engine: Engine, journal: Journal, tally: Tally, show: Callable[[Progress], object], drain: float
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._tally = tally
        self._show = show
        self._drain = drain
        self._state = StateFile(journal.path)
        self._said = False
        engine.on_tick = self._tick

    def work(self, listener: Listener) -> None:
        """Process and record all rows. Raises the error that ended the run after the rows in flight are finished."""
        ended = "failed"
        try:
            listener.stop = lambda name: self._engine.stop(name, self._drain)
            self._tick()
            for outcome in self._engine:
                self._record(outcome)
                self._report()
            self._report()
            ended = self._tally.stopped_by or "finished"
        except BaseException as error:  # including Ctrl-C: record the finished rows
            self._keep_finished()
            if not listener.again or not isinstance(error, KeyboardInterrupt):
                raise
            ended = self._tally.stopped_by or "Ctrl-C"
        finally:
            listener.stop = None
            self._state.write(self._tally.progress(), ended)
        if listener.signum is not None:
            raise _stopped(listener, self._tally, self._journal)

    def _keep_finished(self) -> None:
        for outcome in self._engine.cancel():
            self._journal.append(_line_of(outcome))

    def _record(self, outcome: Outcome) -> None:
        self._journal.append(_line_of(outcome))

    def _report(self) -> None:
        progress = self._tally.progress()
        self._show(progress)
        self._state.write(progress)

    def _tick(self) -> None:
        self._journal.sync_if_due()
        self._report()
        if self._tally.stopped_by and not self._said:
            self._said = True
            say(f"{self._tally.stopped_by}: no more rows are started, {self._tally.in_flight} are being finished")


def _stopped(listener: Listener, tally: Tally, journal: Journal | None = None) -> Stopped:
    """Build the exception for a run stopped by a signal; without a journal, before its first row or after its last."""
    summary = _summarize(tally, journal)
    whole = "" if tally.rows is None else f" of {tally.rows:,}"
    done = f": {summary.done:,}{whole} rows are done" if summary.done else " before the first row"
    message = f"stopped by {tally.stopped_by or listener.name}{done}. Run it again to continue"
    return stopped(message, summary, 128 + (listener.signum or 0))


def _line_of(outcome: Outcome) -> Line:
    result = outcome.error if outcome.completion is None else outcome.completion
    assert result is not None
    return Line(outcome.custom_id, outcome.asked, result, outcome.cost, outcome.columns or None)
