"""The common base of ``Conversation`` and ``AsyncConversation``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, TypeVar

from ..attributes import advise_attributes
from ..checks import check_int, check_text, refusal
from ..completion import Completion
from ..errors import InvalidRequestError
from ..events import Usage
from ..procedures.effects import Procedure
from ..protocol.media import Media, add_media
from ..protocol.messages import Messages, check_messages
from ..schemas.written import written_function
from ..tools import Toolbox
from ..transport.call import DEFAULT
from .files import read_history, write_history
from .history import Budget, History, render
from .turn import Rules, take_turn

__all__ = ["BaseConversation"]

C = TypeVar("C", bound="BaseConversation")


@advise_attributes("conversation")
class BaseConversation:
    """The common base of ``Conversation`` and ``AsyncConversation``.

    Attributes:
        model: the model in use; may be changed between turns.
    """

    model: str | None

    def _set_up(
        self,
        awaits: bool,
        *,
        model: str | None,
        system: str | None,
        tools: Any,
        max_rounds: int,
        approve: Callable[..., Any] | None,
        max_input_tokens: int | None,
        count_tokens: Callable[[list[dict[str, Any]]], int] | None,
        **options: Any,
    ) -> None:
        self.model = model
        self._options = {name: value for name, value in options.items() if value is not None and value is not DEFAULT}
        self._toolbox = Toolbox(tools, awaits)
        self._max_rounds = check_int("max_rounds", max_rounds, 1)
        self._approve = _check_approve(approve, awaits)
        self._budget = Budget(max_input_tokens, count_tokens)
        self._history = History()
        self.system = system

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation as messages of the protocol; only finished rounds. It is a new list each time; assign one to
        replace the conversation.
        """
        return render(self._history.entries)

    @messages.setter
    def messages(self, messages: Messages) -> None:
        self._history.refuse_if_in_use()
        given = list(messages) if not isinstance(messages, str) else messages
        self._history.entries[:] = check_messages(given) if given else []
        self._history.unanswered = []

    @property
    def system(self) -> str | None:
        """The system message at the beginning; None if there is none. May be assigned."""
        first = next(iter(self._history.entries), None)
        return str(first["content"]) if isinstance(first, dict) and first["role"] == "system" else None

    @system.setter
    def system(self, system: str | None) -> None:
        if not isinstance(system, (str, type(None))):
            raise refusal("system", "a str or None", system)
        self._history.refuse_if_in_use()
        entries = self._history.entries
        if self.system is not None:
            del entries[0]
        if system is not None:
            entries.insert(0, {"role": "system", "content": check_text(system, "system")})

    @property
    def completions(self) -> tuple[Completion, ...]:
        """Every answer so far, including those of tool rounds and those that were undone or retried: all of them
        have cost something.
        """
        return tuple(self._history.answers)

    @property
    def usage(self) -> Usage | None:
        """The tokens of all ``completions``, as the providers counted them; None if none of them did."""
        told = [answer.usage for answer in self._history.answers if answer.usage is not None]
        return _sum(told) if told else None

    def undo(self) -> list[dict[str, Any]]:
        """Remove the user's last turn and everything after it. Returns what was removed; an empty list if nothing was.

        After a turn that failed before a tool ran, it removes that turn.
        """
        self._history.refuse_if_in_use()
        return render(self._history.undo())

    def save(self, path: str | PathLike[str]) -> None:
        """Save the messages and every answer as JSON; only its owner can read the file. Tools, ``approve`` and options
        are not saved.

        Raises OSError, and InvalidRequestError for a message that cannot be written as JSON.
        """
        write_history(path, self._history, self.model)

    @classmethod
    def _loaded(cls: type[C], path: str | PathLike[str], client: Any, settings: dict[str, Any]) -> C:
        history, model = read_history(path)
        system = settings.pop("system", None)
        made = cls(client, **{"model": model, **settings})  # type: ignore[call-arg]
        made._history = history
        if system is not None:
            made.system = system
        return made

    def _turn(self, messages: Messages | None, media: Media | None) -> Procedure[Completion]:
        """Return the procedure of one turn. Wrong arguments are rejected at once."""
        if messages is None and media is not None:
            raise InvalidRequestError("media needs a user message, and messages is None")
        asked = None if messages is None else add_media(check_messages(messages), media)
        options = {**self._options, "model": self.model}
        rules = Rules(self._toolbox, self._max_rounds, self._approve, self._budget, options)
        return take_turn(self._history, asked, rules)

    def __repr__(self) -> str:
        count = len(self._history.entries)
        return f"<{type(self).__name__} of {count} message{'' if count == 1 else 's'}>"


def _check_approve(approve: Any, awaits: bool) -> Any:
    if approve is None:
        return None
    if not callable(approve):
        raise refusal("approve", "a function from a ToolCall to a bool or a str", approve)
    if inspect.iscoroutinefunction(written_function(approve)) and not awaits:
        raise InvalidRequestError("approve is async; it needs hf_text.aio.AsyncConversation")
    return approve


def _sum(usages: Sequence[Usage]) -> Usage:
    def total(name: str) -> int | None:
        told = [value for usage in usages if (value := getattr(usage, name)) is not None]
        return sum(told) if told else None

    return Usage(**{name: total(name) for name in Usage.__dataclass_fields__})  # type: ignore[arg-type]
