"""Rows in, outcomes out: the iterator that all of ``hf_text.batch`` is built on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from inspect import signature
from itertools import islice
from types import SimpleNamespace, TracebackType
from typing import Any, Literal
from weakref import WeakKeyDictionary

from ..checks import check_int, refusal
from ..client import Client, default_client
from ..errors import HFTextError, InvalidRequestError
from ..operations import Operations
from ..protocol.media import Media
from ..tools import Tools
from ..tracebacks import shorten
from ..transport.call import DEFAULT, Timeouts
from ..wrong_names import explain_wrong_names_of
from .costs import Costs
from .engine import Engine
from .index import Index
from .inputs import Inputs, Source
from .limits import Limits
from .outcomes import Outcome
from .pace import Pace
from .progress import Progress, Tally
from .prompts import Template
from .rows import OPTIONS, Known, Row, RowParser, Shape
from .work import Worker

__all__ = ["OnBadRow", "Outcomes", "Plan", "generate", "make_plan", "start"]

_CHECKED = 1000  # rows that are checked before the first request

OnBadRow = Literal["raise", "record"]


@dataclass(frozen=True)
class Plan:
    """The arguments of a run, checked.

    Attributes:
        client: the client to use.
        defaults: options of ``Client.stream`` for rows that do not set them.
        shape: how values become rows.
        limits: the limits of the run.
        executor: where the work is done; None: threads.
        pace: the pace for all models; None: one for each.
        rate, tokens_per_minute: upper bounds of the paces.
        ordered: whether the outcomes come in the order of the rows.
        on_bad_row: what to do about an invalid row.
    """

    client: Client
    defaults: Mapping[str, Any]
    shape: Shape
    limits: Limits
    executor: Executor | None
    pace: Pace | None
    rate: float | None
    tokens_per_minute: float | None
    ordered: bool
    on_bad_row: OnBadRow

    def pace_of(self) -> Callable[[str | None], Pace]:
        """Returns the pace for a model. Runs of one client share it, unless they have limits of their own."""
        if self.pace is not None:
            pace = self.pace
            return lambda model: pace
        bounded = self.rate is not None or self.tokens_per_minute is not None
        paces: dict[str | None, Pace] = {} if bounded else _PACES.setdefault(self.client.operations, {})

        def find(model: str | None) -> Pace:
            if model not in paces:
                paces[model] = Pace(self.rate, self.tokens_per_minute)
            return paces[model]

        return find

    def check(self, row: Row) -> None:
        """Have the client check the arguments except the media, which would have to be read."""
        try:
            self.client.stream(**{**row.arguments, "media": None}).close()
        except InvalidRequestError as error:
            raise InvalidRequestError(f"{row.place}: {error}") from None

    def count(self, source: Source) -> int | None:
        """About how many rows there are; None if unknown."""
        count = source.count()
        return None if count is None else count * self.shape.samples * max(len(self.shape.models), 1)

    def check_first(self, source: Source) -> set[str | None]:
        """Check the first rows before anything is sent; returns their models. Raises for a bad one, and if no key is
        found.
        """
        models: set[str | None] = set()
        if not source.repeatable:
            return models
        parser = RowParser(self.defaults, replace(self.shape, table=source.table), Index())
        for place, value in islice(source, _CHECKED):
            try:
                for known in parser.parse(value, place):
                    self.check(known.row)
                    models.add(known.row.model)
            except InvalidRequestError:
                if self.on_bad_row == "raise":
                    raise
        return models

    def read(
        self,
        source: Source,
        index: Index,
        wanted: Callable[[Known], bool],
        skipped: Callable[[], object] | None = None,
    ) -> Iterator[Row | Outcome]:
        """The rows that are wanted; a bad one as an outcome, if it is to be recorded. Its arguments are looked at where
        it is asked. For each row that has its answer ``skipped`` is called, if it is given.
        """
        parser = RowParser(self.defaults, replace(self.shape, table=source.table), index, skipped)
        for place, value in source.read(parser.skip_line):
            try:
                for known in parser.parse(value, place):
                    if wanted(known):
                        yield known.row
            except InvalidRequestError as error:
                if self.on_bad_row == "raise":
                    raise
                name = _name_bad(value, place, self.shape.id)
                yield Outcome(name, error=error, columns=parser.keep_what_is_there(value))


_PACES: WeakKeyDictionary[Operations, dict[str | None, Pace]] = WeakKeyDictionary()


def _name_bad(value: object, place: str, column: str | None) -> str:
    """The name of a row that cannot be asked, for its line: its own if it has one."""
    name = value.get(column or "custom_id") if isinstance(value, Mapping) else None
    return str(name) if isinstance(name, (str, int)) and name != "" else place


class Outcomes(Iterator[Outcome]):
    """The outcomes of rows, as they arrive. Iterating does the work; leaving the loop does not end the rows in flight,
    but ``close()`` does, and so does the end of a ``with`` block.
    """

    def __init__(self, engine: Engine, tally: Tally, costs: Costs) -> None:
        self._engine = engine
        self._tally = tally
        self._costs = costs

    def __next__(self) -> Outcome:
        try:
            return next(self._engine)
        except (HFTextError, KeyboardInterrupt) as error:
            shorten(error)
            raise

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._tally.progress()

    @property
    def stopped_by(self) -> str | None:
        """Why it ended before all rows were done; None if it did not."""
        return self._tally.stopped_by

    def drain(self, within: float | None = None) -> None:
        """Start no more rows. Those in flight still arrive; if seconds are given, they are cancelled after those."""
        self._engine.stop("drain", within)

    def close(self) -> None:
        """Cancel the rows in flight."""
        self._engine.close()
        self._costs.close()

    def __enter__(self) -> Outcomes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


@explain_wrong_names_of("batch.generate")
def generate(
    rows: Inputs,
    *,
    client: Client | None = None,
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
    # Arguments of Client.stream but messages (.ci/signatures.py)
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

    Nothing is recorded: ``run`` does the same with a file.

    Args:
        rows: as for ``run``.
        client: the client to use; default: the client behind ``hf_text.generate``. For other processes it is pickled,
            with a key that was passed to it.
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

    Raises InvalidRequestError for a bad argument or row, which names the line; and while iterating the error that ended
    the run: a wrong key, an account without credits, a model that the server does not know, a server that stays
    unavailable.
    """
    plan = make_plan({name: value for name, value in locals().items() if name != "rows"})
    source, tally = Source(rows), Tally()
    asked_models = plan.check_first(source)
    tally.rows = plan.count(source)
    engine, costs = start(plan, asked_models, plan.read(source, Index(), lambda known: True), tally)
    return Outcomes(engine, tally, costs)


_DEFAULTS = {
    name: parameter.default
    for name, parameter in signature(generate).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY and name not in OPTIONS - {"model"}
}


def start(
    plan: Plan, models: Collection[str | None], rows: Iterator[Row | Outcome], tally: Tally
) -> tuple[Engine, Costs]:
    """Prepare for sending. ``models`` are those of the first rows."""
    costs = Costs(plan.client)
    if plan.limits.max_cost is not None:
        costs.require(models or {plan.defaults.get("model")})
    strict = plan.on_bad_row == "raise"
    several = len(models) > 1
    worker, pace_of = Worker(plan.client), plan.pace_of()
    engine = Engine(rows, worker, plan.limits, tally, pace_of, costs, plan.executor, plan.ordered, several, strict)
    return engine, costs


def make_plan(given: Mapping[str, Any], drain: float = 25.0) -> Plan:
    """The arguments of ``generate``, checked. Raises InvalidRequestError that names the bad one."""
    args = SimpleNamespace(**{name: given.get(name, default) for name, default in _DEFAULTS.items()})
    options = {name: value for name, value in given.items() if name in OPTIONS - {"model"} and not _is_default(value)}
    _check_instance("executor", args.executor, Executor, "a concurrent.futures.Executor")
    _check_instance("client", args.client, Client, "a Client")
    _check_instance("pace", args.pace, Pace, "a Pace")
    if args.on_bad_row not in ("raise", "record"):
        raise refusal("on_bad_row", "'raise' or 'record'", args.on_bad_row)
    Pace(args.rate, args.tokens_per_minute)  # refuses what they cannot be
    limits = Limits(
        max_workers=check_int("max_workers", args.max_workers, 1),
        max_cost=_check_number("max_cost", args.max_cost),
        max_failures=None if args.max_failures is None else check_int("max_failures", args.max_failures, 0),
        deadline=_check_number("deadline", args.deadline),
        max_outage=_check_number("max_outage", args.max_outage) or 0.0,
        drain=_check_number("drain", drain) or 0.0,
    )
    return Plan(
        default_client() if args.client is None else args.client,
        options if args.model is None else {"model": args.model, **options},
        Shape(args.template, args.id, args.keep, args.samples, args.models),
        limits,
        args.executor,
        args.pace,
        args.rate,
        args.tokens_per_minute,
        bool(args.ordered),
        args.on_bad_row,
    )


def _is_default(value: Any) -> bool:
    return value is None or value is DEFAULT


def _check_instance(name: str, value: object, kind: type, rule: str) -> None:
    if value is not None and not isinstance(value, kind):
        raise refusal(name, rule, value)


def _check_number(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise refusal(name, "a number from 0 up", value)
    return float(value)
