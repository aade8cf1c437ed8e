"""Tools: functions that a model may call, their descriptions for the model, and the results of calls.

``functions`` and ``toolbox`` are imported on first use: most calls pass no functions.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .given import Tools, describe_tools, name_of_choice

if TYPE_CHECKING:
    from .functions import Tool, tool
    from .toolbox import Toolbox

__all__ = ["Tool", "Toolbox", "Tools", "describe_tools", "name_of_choice", "tool"]

_HOMES = {"Tool": ".functions", "Toolbox": ".toolbox", "tool": ".functions"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(_HOMES[name], __name__)
    value = globals()[name] = getattr(home, name)
    return value
