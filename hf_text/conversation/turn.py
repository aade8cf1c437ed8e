"""`take_turn`: the steps from the user's turn to the model's answer; sans-IO, driven by a thread or a task.

An entry is added to the history only with its whole round: an answer with calls, and a result for each call. So a
failure needs no cleanup: an unfinished round was never in the history. Only a round in which a tool has run, or may
have run, is always completed, so that its effects are not forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..checks import show
from ..completion import Completion
from ..errors import HFTextError, InvalidRequestError, StreamError, TruncatedStreamError
from ..events import ToolCall, ToolResult
from ..procedures.effects import Generate, Procedure, Run
from ..tools import Toolbox
from ..tools.telling import tell
from .history import Budget, Entry, History, fit, is_silent

__all__ = ["Rules", "take_turn"]

Approve = Callable[[ToolCall], Any]

_NOT_APPROVED = "The user did not allow this call."
_UNKNOWN_OUTCOME = "The call was cancelled while it ran; its outcome is unknown."
_NOT_RUN = "The call was cancelled before it started."


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of a conversation.

    Attributes:
        toolbox: the tools.
        max_rounds: the maximum number of tool rounds in one turn.
        approve: called before each tool call; None allows all calls.
        budget: the limit on the tokens of a request.
        options: the options of each request.
    """

    toolbox: Toolbox
    max_rounds: int
    approve: Approve | None
    budget: Budget
    options: Mapping[str, Any]

    def options_of(self, number: int) -> dict[str, Any]:
        """The options of a request. Only the first of a turn has ``tool_choice``: otherwise it would apply forever."""
        options = {**self.options, "tools": self.toolbox.tools}
        return options if number == 0 else {**options, "tool_choice": None}


def take_turn(history: History, asked: Sequence[dict[str, Any]] | None, rules: Rules) -> Procedure[Completion]:
    """The procedure of one turn.

    Args:
        history: the history; each finished round is added to it.
        asked: the user's turn, or results of tools that are run elsewhere; None to answer the last turn again.
        rules: the settings of the conversation.
    """
    with history.one_turn():
        before, turn = _begin(history, asked)
        for number in range(rules.max_rounds + 1):
            messages = fit([*before, *turn], rules.budget)
            answer = yield from _generate(history, Generate(messages, rules.options_of(number)))
            round_ = _Round(answer, rules)
            if answer.tool_calls:
                _check_calls(answer, round_.calls, rules.max_rounds - number)
            turn.append(answer)
            try:
                yield from round_.run()
            finally:
                if round_.is_finished():
                    turn += [result.to_message() for result in round_.results]
                    history.entries[:] = [*before, *turn]
                    history.unanswered = []
            if not round_.calls or len(round_.results) < len(answer.tool_calls):
                return answer
        raise AssertionError("the last round raises")


def _begin(history: History, asked: Sequence[dict[str, Any]] | None) -> tuple[list[Entry], list[Entry]]:
    """Return the entries before the turn, and the turn so far."""
    if asked is None:
        asked, before = history.unanswered, history.without_answer()
        before = list(history.entries) if asked else before
        if not asked and is_silent(before):
            raise InvalidRequestError("there is nothing to answer: the conversation is empty")
    else:
        before = list(history.entries)
    missing = history.pending() - {str(message.get("tool_call_id")) for message in asked}
    if missing:
        raise InvalidRequestError(
            f"tool calls are waiting for results: {show(sorted(missing))}; pass them as messages "
            '{"role": "tool", "tool_call_id": …, "content": …}, or undo()'
        )
    history.unanswered = list(asked)
    return before, list(asked)


def _generate(history: History, effect: Generate) -> Procedure[Completion]:
    try:
        answer: Completion = yield effect
    except HFTextError as error:
        if error.partial is not None and error.partial.usage is not None:  # it cost something
            history.answers.append(error.partial)
        raise
    history.answers.append(answer)
    return answer


def _check_calls(answer: Completion, to_run: Sequence[ToolCall], rounds_left: int) -> None:
    """Raise if the calls of this answer must not be run."""
    if answer.truncated:
        raise TruncatedStreamError(
            f"the answer was cut off within a tool call (finish reason {answer.finish_reason}), so it was not run",
            partial=answer,
            attempts=answer.attempts,
        )
    if to_run and not rounds_left:
        raise StreamError(
            "the model still calls tools after as many rounds as max_rounds allows. Finished rounds are kept: retry() "
            "continues, undo() removes the turn",
            partial=answer,
            attempts=answer.attempts,
        )


class _Round:
    """The calls of one answer, run one after another.

    Attributes:
        calls: the calls that are run here.
        results: their results so far.
    """

    def __init__(self, answer: Completion, rules: Rules) -> None:
        self._rules = rules
        self._toolbox = rules.toolbox
        self._running: ToolCall | None = None
        self.calls = [call for call in answer.tool_calls if not self._toolbox.is_foreign(call.name)]
        self.results: list[ToolResult] = []

    def is_finished(self) -> bool:
        """Whether each call has its result."""
        return len(self.results) == len(self.calls)

    def run(self) -> Procedure[None]:
        """Run the calls. If interrupted after a tool has run, give the remaining calls results that report this."""
        try:
            for call in self.calls:
                result = yield from self._run_one(call)
                self.results.append(result)
                yield result
        except BaseException:  # a cancellation, Ctrl-C, the end of the generator: tools that ran have had their effect
            if self.results or self._running is not None:
                self._break_off()
            raise

    def _run_one(self, call: ToolCall) -> Procedure[ToolResult]:
        tool = self._toolbox.find(call.name)
        if tool is None:
            names = ", ".join(self._toolbox.names)
            return _fail(call, LookupError(f"unknown tool {call.name!r}; the tools are: {names}"), "Error: {}")
        try:
            args, options = tool.load(call.arguments)
        except ValueError as error:
            return _fail(call, error, "Error: invalid arguments:\n{}")
        if self._rules.approve is not None:
            verdict = yield Run(self._rules.approve, (call,), cancel=_nothing)
            if verdict is not True:
                words = verdict if verdict and isinstance(verdict, str) else _NOT_APPROVED
                return _fail(call, PermissionError(words), "{}")
        try:
            self._running = call
            value = yield Run(tool.function, args, options)
        except GeneratorExit:  # it was not started
            self._running = None
            raise
        except Exception as error:
            self._running = None
            return _fail(call, error, "Error: {0.__class__.__name__}: {0}")
        self._running = None
        return ToolResult(call, value, None, tell(value))

    def _break_off(self) -> None:
        for call in self.calls[len(self.results) :]:
            words = _UNKNOWN_OUTCOME if call is self._running else _NOT_RUN
            self.results.append(_fail(call, InterruptedError(words), "{}"))


def _fail(call: ToolCall, error: Exception, words: str) -> ToolResult:
    return ToolResult(call, None, error, words.format(error))


def _nothing() -> None:
    """Do nothing: a question to the user may remain unanswered."""
