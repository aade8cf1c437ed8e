"""Calls of tools, put together from the fragments in which providers send them.

A fragment belongs to a call by its id, else by its index, else by the order in which it came. No provider can be
taken at its word: Together's index is -1, Nebius leaves the id out, TGI gives every call the id "0" and repeats the
name as null, Fireworks sends ``id: null`` in later fragments, Groq sends whole calls in one chunk, others number
every call 0.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ..events import ToolCall
from .surrogates import join_surrogates

__all__ = ["ToolCallAssembler"]

_MARKS = re.compile(r'\\(?:.|\Z)|["{}\[\]]', re.DOTALL)


class _GrowingCall:
    __slots__ = ("_begun", "_depth", "_quoted", "_unread", "arguments", "id", "index", "name")

    def __init__(self, id: str, index: int | None) -> None:
        self.id = id
        self.index = index
        self.name = ""
        self.arguments: list[str] = []
        self._begun = False  # something but white space came
        self._depth = 0  # of the brackets that are open
        self._quoted = False  # inside a JSON string
        self._unread = ""  # a backslash that came without what it escapes

    def add(self, text: str) -> None:
        """Take more of the arguments. Only their brackets are followed: to parse all each time takes quadratic time."""
        self.arguments.append(text)
        self._begun = self._begun or bool(text.strip())
        mark = ""
        for mark in _MARKS.findall(self._unread + text):
            if mark == '"':
                self._quoted = not self._quoted
            elif not self._quoted:
                self._depth += (mark in "{[") - (mark in "}]")
        self._unread = mark if mark == "\\" else ""

    def is_complete(self) -> bool:
        """Whether the arguments so far are a whole JSON value, so that more of them can only be another call."""
        return self._begun and self._depth <= 0 and not self._quoted


class ToolCallAssembler:
    """The calls of one answer, growing."""

    __slots__ = ("_by_id", "_by_index", "_calls")

    def __init__(self) -> None:
        self._calls: list[_GrowingCall] = []
        self._by_id: dict[str, _GrowingCall] = {}
        self._by_index: dict[int, _GrowingCall] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def feed(self, fragments: Any) -> None:
        """Take the ``tool_calls`` of one delta. Raises ValueError for a shape that cannot be read."""
        if not isinstance(fragments, list):
            raise ValueError(f"tool_calls is no list: {fragments!r:.80}")
        for fragment in fragments:
            self._feed_one(fragment)

    def _feed_one(self, fragment: Any) -> None:
        function = fragment.get("function") if isinstance(fragment, dict) else None
        if not isinstance(function, dict):
            raise ValueError(f"a tool call without a function: {fragment!r:.80}")
        name, arguments = function.get("name") or "", function.get("arguments")
        if not isinstance(name, str):
            raise ValueError(f"a tool call whose name is no text: {fragment!r:.80}")
        call = self._find(fragment, name)
        call.name = call.name or name
        if arguments is not None:  # TGI and Ollama send values, not text
            call.add(arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False))

    def _find(self, fragment: dict[str, Any], name: str) -> _GrowingCall:
        id = str(fragment.get("id") or "")
        index = fragment.get("index")
        if not isinstance(index, int) or index < 0:
            index = None
        call = self._by_id.get(id) if id else None
        if call is not None and index is not None and call.index is not None and index != call.index:
            call = self._by_index.get(index)
        elif call is None and not (id and name):  # an id and a name that are both new begin a call
            if index is not None:
                call = self._by_index.get(index)
            elif self._calls:
                call = self._calls[-1]
        if call is None or (name and call.name and (name != call.name or call.is_complete())):
            return self._begin(id, index)
        if id and not call.id:
            call.id = id
            self._by_id[id] = call
        return call

    def _begin(self, id: str, index: int | None) -> _GrowingCall:
        call = _GrowingCall(id, index)
        self._calls.append(call)
        if id:
            self._by_id[id] = call
        if index is not None:
            self._by_index[index] = call
        return call

    def calls(self) -> tuple[ToolCall, ...]:
        """The calls so far. One without an id of its own gets one: the protocol needs it to give the result back."""
        calls: dict[str, ToolCall] = {}
        for number, call in enumerate(self._calls):
            id = join_surrogates(call.id) or f"call_{number}"
            while id in calls:
                id = f"{id}_{number}"
            calls[id] = ToolCall(id, join_surrogates(call.name), join_surrogates("".join(call.arguments)))
        return tuple(calls.values())
