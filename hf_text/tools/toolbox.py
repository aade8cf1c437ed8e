"""The tools of a conversation: as passed, in the form of the protocol, and by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..checks import refusal
from ..errors import InvalidRequestError
from .functions import Tool
from .given import as_tool, describe_tools

__all__ = ["Toolbox"]


class Toolbox:
    """The tools of a conversation.

    Args:
        tools: as passed to a client. Mappings describe tools that are run elsewhere.
        awaits: whether async functions can be awaited.

    Attributes:
        tools: in the form of the protocol; None if there are none.

    Raises InvalidRequestError for anything that is not a tool, for two tools with the same name, and for an async
    function that cannot be awaited; MissingExtraError.
    """

    def __init__(self, tools: Any, awaits: bool) -> None:
        if not isinstance(tools, (list, tuple)):
            raise refusal("tools", "a list of functions, or of mappings in the form of the protocol", tools)
        self._runnable: dict[str, Tool[..., Any]] = {}
        self._foreign: set[str] = set()
        for index, given in enumerate(tools):
            self._add(given, f"tools[{index}]", awaits)
        self.tools: Any | None = describe_tools(list(tools)) or None

    def find(self, name: str) -> Tool[..., Any] | None:
        """Return the runnable tool of this name; None if there is none."""
        return self._runnable.get(name)

    def is_foreign(self, name: str) -> bool:
        """Whether the tool of this name is run elsewhere."""
        return name in self._foreign

    @property
    def names(self) -> list[str]:
        """The names of all tools."""
        return sorted({*self._runnable, *self._foreign})

    def _add(self, given: Any, place: str, awaits: bool) -> None:
        if isinstance(given, Mapping):
            name = _name_in(given)
            if not isinstance(name, str):
                raise refusal(place, 'a function, or {"type": "function", "function": {"name": …}}', given)
            self._foreign.add(self._check_new(name, place))
        elif callable(given):
            tool = as_tool(given)
            if tool.is_async and not awaits:
                raise InvalidRequestError(f"{place}: {tool.name} is async; it needs hf_text.aio.AsyncConversation")
            self._runnable[self._check_new(tool.name, place)] = tool
        else:
            raise refusal(place, "a function or a mapping", given)

    def _check_new(self, name: str, place: str) -> str:
        if name in self.names:
            raise InvalidRequestError(f"{place}: there is another tool named {name}")
        return name


def _name_in(tool: Mapping[str, Any]) -> Any:
    function = tool.get("function")
    return function.get("name") if isinstance(function, Mapping) else None
