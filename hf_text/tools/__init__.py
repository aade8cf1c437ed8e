"""Tools: functions that a model may call, what it is told of them, and what came of a call."""

from __future__ import annotations

from .tool import Tool, tool
from .toolbox import Toolbox, Tools, describe_tools, name_of_choice

__all__ = ["Tool", "Toolbox", "Tools", "describe_tools", "name_of_choice", "tool"]
