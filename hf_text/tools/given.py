"""The tools passed to a call, in the form of the protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .functions import Tool

__all__ = ["Tools", "as_tool", "describe_tools", "name_of_choice"]

Tools = Sequence[Mapping[str, Any] | Callable[..., Any]]
"""Functions, ``Tool`` objects, and mappings in the form of the protocol."""


def describe_tools(tools: Any) -> Any:
    """Return the argument ``tools`` in the form of the protocol: functions are described, anything else is unchanged.
    Raises MissingExtraError, and InvalidRequestError for a function that cannot be described to a model.
    """
    if not isinstance(tools, (list, tuple)):
        return tools
    return [as_tool(tool).to_dict() if callable(tool) else tool for tool in tools]


def name_of_choice(choice: Any) -> Any:
    """Return the argument ``tool_choice``; a function is replaced by its name."""
    return as_tool(choice).name if callable(choice) else choice


def as_tool(given: Callable[..., Any]) -> Tool[..., Any]:
    """Return the function as a tool, unless it is one already."""
    from .functions import Tool

    return given if isinstance(given, Tool) else Tool(given)
