"""`parsing`: turns an answer into a typed value; sans-IO, driven by a thread or a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from ..checks import check_int
from ..completion import Attempt, Completion
from ..errors import HFTextError, StructuredOutputError, TruncatedStreamError
from ..operations import Operations
from ..procedures.effects import Generate, Procedure, Run
from ..protocol.media import Media, add_media
from ..protocol.messages import Messages, check_messages
from ..schemas import UnfitError
from .output import Output
from .ways import Method, Way, amend, find_ways

__all__ = ["Parsed", "parsing"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """An answer as a value.

    Attributes:
        value: the value, of the requested type.
        completion: the answer that it was read from; its ``attempts`` are all requests made for it.
        method: how it was requested: ``"json_schema"`` (``response_format``), ``"tool"`` (a tool call), or
            ``"prompt"``.
        rejected: earlier answers that did not fit.
    """

    value: T
    completion: Completion
    method: Method
    rejected: tuple[Completion, ...] = ()

    @property
    def completions(self) -> tuple[Completion, ...]:
        """Every answer generated for it."""
        return (*self.rejected, self.completion)


def parsing(
    operations: Operations,
    messages: Messages,
    output_type: Any,
    model: str | None = None,
    *,
    retries: int = 1,
    media: Media | None = None,
    provider: str | Sequence[str] | None = None,
    **options: Any,
) -> Procedure[Parsed[Any]]:
    """Return the procedure of ``Client.parse``. Wrong arguments are rejected at once, before it starts."""
    output = Output(output_type)
    check_int("retries", retries, 0)
    checked = add_media(check_messages(messages), media)
    asked = {**options, "model": model, "provider": provider}
    operations.open(checked, **{**asked, **Way("json_schema").options(output)})  # rejects invalid options
    return _Parsing(operations, checked, output, retries, asked).run()


class _Parsing:
    def __init__(
        self,
        operations: Operations,
        messages: Sequence[Mapping[str, Any]],
        output: Output,
        retries: int,
        options: Mapping[str, Any],
    ) -> None:
        self._operations = operations
        self._messages = messages
        self._output = output
        self._retries = retries
        self._options = options
        self._rejected: list[Completion] = []
        self._attempts: list[Attempt] = []

    def run(self) -> Procedure[Parsed[Any]]:
        """Request the answer in one way after another until one is not rejected."""
        model, provider = self._options["model"], self._options["provider"]
        call = self._operations.new_call()
        offers = yield Run(self._operations.offers, (call, model, self._messages), cancel=call.cancel)
        *ways, last = find_ways(offers, self._operations.providers(model, provider))
        for way in ways:
            try:
                return (yield from self._ask(way))
            except HFTextError as error:
                if not way.is_refused(error):
                    raise
                self._attempts = list(error.attempts)
        return (yield from self._ask(last))

    def _ask(self, way: Way) -> Procedure[Parsed[Any]]:
        """Request the answer in this way; retry one that does not match, with the problem, up to the limit."""
        messages = way.messages(self._messages, self._output)
        problem = UnfitError(())
        asked: list[Mapping[str, Any]] = messages
        while True:
            answer: Completion = yield from self._generate(way, asked)
            try:
                value = self._output.load(way.text_of(answer))
            except UnfitError as error:
                problem = error
            else:
                return Parsed(value, answer, way.method, tuple(self._rejected))
            self._rejected.append(answer)
            if len(self._rejected) > self._retries:
                raise self._refuse(answer, problem)
            asked = amend(
                messages, f"An earlier answer did not match:\n{problem}\nAnswer with JSON that matches the schema."
            )

    def _generate(self, way: Way, messages: Sequence[Mapping[str, Any]]) -> Procedure[Completion]:
        """Return one answer, with all attempts so far. Raises TruncatedStreamError if it was cut off."""
        try:
            answer: Completion = yield Generate(messages, self._options_for(way))
        except HFTextError as error:
            error.attempts = (*self._attempts, *error.attempts)
            raise
        answer = replace(answer, attempts=(*self._attempts, *answer.attempts))
        self._attempts = list(answer.attempts)
        if answer.truncated:
            by_length = answer.finish_reason == "length"
            advice = "allow more tokens (max_tokens)" if by_length else "the provider's filter stopped it"
            raise TruncatedStreamError(
                f"the answer was cut off before its end (finish reason {answer.finish_reason}): {advice}",
                partial=answer,
                attempts=answer.attempts,
            )
        return answer

    def _options_for(self, way: Way) -> dict[str, Any]:
        options = {**self._options, **way.options(self._output)}
        if way.providers is not None:
            options |= {"provider": way.providers, "model": self._operations.base_model(self._options["model"])}
        return options

    def _refuse(self, answer: Completion, problem: UnfitError) -> StructuredOutputError:
        count = len(self._rejected)
        tries = "the answer does" if count == 1 else f"{count} answers do"
        return StructuredOutputError(
            f"{tries} not fit {self._output.name}: {'; '.join(str(problem).splitlines())}",
            errors=problem.errors,
            partial=answer,
            attempts=answer.attempts,
        )
