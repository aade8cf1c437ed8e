"""Calls of tools, put together from the fragments in which providers send them.

A fragment belongs to a call by its id, else by its index, else by its place in a list of several, else to the call that
came last. No provider can be taken at its word: Together's index is -1, Nebius leaves the id out, TGI gives every call
the id "0" and repeats the name as null, Fireworks sends ``id: null`` in later fragments, Groq sends whole calls in one
chunk, others number every call 0 or every piece anew, send names in pieces, repeat what they have sent, or send calls
that say nothing.
"""

from __future__ import annotations

import json
from typing import Any

from ..events import ToolCall
from .arguments import GrowingArguments, JsonText, holds
from .surrogates import join_surrogates
from .values import as_bounded, as_text

__all__ = ["ToolCallAssembler"]

_KNOWN = frozenset({"id", "index", "type", "function", "custom"})
_KNOWN_INSIDE = frozenset({"name", "arguments", "parameters", "input", "args"})
_KNOWN_FLAT = _KNOWN | _KNOWN_INSIDE


class _Fragment:
    """What one element of ``tool_calls`` says.

    Attributes:
        place: where it is in the list that it came in.
        alone: whether it stands there alone.
    """

    __slots__ = ("alone", "arguments", "extra", "id", "index", "name", "place")

    def __init__(self, fragment: dict[str, Any], place: int, alone: bool) -> None:
        self.place = place
        self.alone = alone
        id = fragment.get("id")
        self.id = id if isinstance(id, str) else str(id or "")
        self.index = _read_index(fragment.get("index"))
        function = fragment.get("function") or fragment.get("custom")
        if isinstance(function, str):
            function = {"name": function}
        flat = not isinstance(function, dict)  # without an object of its own
        inside = function if isinstance(function, dict) else fragment
        self.name = as_text(inside.get("name")) or ""
        self.arguments = _read_arguments(inside)
        self.extra = _drop_known(fragment, _KNOWN_FLAT if flat else _KNOWN)
        more = {} if flat else _drop_known(inside, _KNOWN_INSIDE)
        if more:
            self.extra = {**self.extra, "function": more}
        if fragment.get("type", "function") not in ("function", None, ""):
            self.extra = {**self.extra, "type": fragment["type"]}

    @property
    def silent(self) -> bool:
        """Whether it says nothing."""
        return not (self.arguments or self.id or self.name or self.extra)


class _GrowingCall:
    __slots__ = ("arguments", "extra", "id", "index", "name", "place", "whole")

    def __init__(self, id: str, index: int | None, place: int) -> None:
        self.id = id
        self.index = index
        self.place = place
        self.name = ""
        self.arguments = GrowingArguments()
        self.extra: dict[str, Any] = {}
        self.whole = False  # it came in one piece

    @property
    def slot(self) -> int:
        """What distinguishes it from others without an id."""
        return self.place if self.index is None else self.index

    def add(self, fragment: _Fragment) -> None:
        if fragment.name:
            again = fragment.name.startswith(self.name)  # the whole name, or more of it
            self.name = fragment.name if again else self.name + fragment.name
        if fragment.arguments and (self.arguments.begun or fragment.arguments.strip() != "null"):
            self.arguments.add(fragment.arguments)
        if fragment.extra:
            inside = {**self.extra.get("function", {}), **fragment.extra.get("function", {})}
            self.extra = {**self.extra, **fragment.extra, **({"function": inside} if inside else {})}

    def grows_with(self, fragment: _Fragment) -> bool:
        """Whether a fragment with another id continues this call: each chunk may bring an id of its own."""
        within = self.arguments.begun and not self.arguments.complete
        return within and fragment.name == self.name and not fragment.arguments.lstrip().startswith("{")

    def is_another(self, fragment: _Fragment) -> bool:
        """Whether this fragment, which names a function, begins another call."""
        if not fragment.name or not self.name:
            return False
        if fragment.name == self.name:
            return self.arguments.complete
        if fragment.index is None and not fragment.id:
            return True
        if self.arguments.begun:
            return self.arguments.complete  # within the arguments it is a piece of the name
        return not self.id and bool(fragment.arguments)


class ToolCallAssembler:
    """The calls of one answer, growing."""

    __slots__ = ("_by_id", "_by_index", "_calls")

    def __init__(self) -> None:
        self._calls: list[_GrowingCall] = []
        self._by_id: dict[str, _GrowingCall] = {}
        self._by_index: dict[int, _GrowingCall] = {}

    def __bool__(self) -> bool:
        return bool(self._calls) and bool(self.calls())

    def has(self, value: Any) -> bool:
        """Whether a whole call only says again what one of these says, whatever its id."""
        told = ToolCallAssembler()
        told.feed([value])
        return not told or any(
            call.name == new.name and holds(JsonText(call.arguments), JsonText(new.arguments or "{}"))
            for new in told.calls()
            for call in self.calls()
        )

    def feed(self, fragments: list[Any]) -> bool:
        """Take the ``tool_calls`` of one delta. Returns whether they say anything."""
        told = False
        for place, value in enumerate(fragments):
            if not isinstance(value, dict):
                continue
            fragment = _Fragment(value, place, len(fragments) == 1)
            if not fragment.silent:
                told = True
                call = self._find(fragment)
                if call is None or call.is_another(fragment):
                    self._begin(fragment)
                else:
                    self._go_on(call, fragment)
        return told

    def _go_on(self, call: _GrowingCall, fragment: _Fragment) -> None:
        call.add(fragment)
        if fragment.id and not call.id:
            call.id = fragment.id
            self._by_id[fragment.id] = call

    def _find(self, fragment: _Fragment) -> _GrowingCall | None:
        id, index = fragment.id, fragment.index
        call = self._by_id.get(id) if id else None
        if call is not None and index is not None and call.index is not None and index != call.index:
            return self._by_index.get(index)
        if call is None and id and fragment.name:  # an id and a name that are both new begin a call
            growing = None if index is None else self._by_index.get(index)
            return growing if growing is not None and growing.grows_with(fragment) else None
        if call is not None:
            return call
        if index is not None:
            return self._by_index.get(index) or self._find_growing(fragment)
        place = -1 if fragment.alone else fragment.place
        return self._calls[place] if place < len(self._calls) and self._calls else None

    def _find_growing(self, fragment: _Fragment) -> _GrowingCall | None:
        """The call that arguments alone go on with, although no call has their index: some gateways count the pieces
        (Nebius, Cerebras), others number the pieces but not the calls.
        """
        if fragment.id or fragment.name or not self._calls:
            return None
        numbered = [call for call in self._calls if call.index is not None]
        if not numbered and fragment.index is not None and fragment.index < len(self._calls):
            return self._calls[fragment.index]
        return None if self._calls[-1].arguments.complete else self._calls[-1]

    def _begin(self, fragment: _Fragment) -> None:
        call = _GrowingCall(fragment.id, fragment.index, fragment.place)
        call.add(fragment)
        call.whole = call.arguments.complete
        self._calls.append(call)
        if fragment.id:
            self._by_id[fragment.id] = call
        if fragment.index is not None:
            self._by_index[fragment.index] = call

    def calls(self) -> tuple[ToolCall, ...]:
        """The calls so far. One without an id of its own gets one: the protocol needs it to give the result back."""
        calls: dict[str, ToolCall] = {}
        for number, (call, told) in enumerate(_drop_repeated(self._calls)):
            id = join_surrogates(call.id) or f"call_{number}"
            while id in calls:
                id = f"{id}_{number}"
            calls[id] = ToolCall(id, join_surrogates(call.name), join_surrogates(told.text), as_bounded(call.extra))
        return tuple(calls.values())


def _drop_repeated(calls: list[_GrowingCall]) -> list[tuple[_GrowingCall, JsonText]]:
    """The calls with their arguments, without those that say nothing and those that only say again what one said."""
    kept: list[tuple[_GrowingCall, JsonText]] = []
    latest: dict[tuple[str, str | int], int] = {}  # by name and id, by name and place: where it is in the list
    for call in calls:
        arguments = JsonText(call.arguments.text())
        if not call.name.strip() and arguments.bare in ("", "{}"):
            continue
        number = latest.get((call.name, call.id), latest.get((call.name, call.slot)))
        best = None if number is None else _join_repeated(kept[number][0], kept[number][1], call, arguments)
        if number is not None and best is not None:
            kept[number] = (kept[number][0], best)
            continue
        latest[call.name, call.slot] = latest[call.name, call.id or call.slot] = len(kept)
        kept.append((call, arguments))
    return kept


def _join_repeated(earlier: _GrowingCall, told: JsonText, call: _GrowingCall, arguments: JsonText) -> JsonText | None:
    """The arguments of a call that only says again what an earlier one of that function said; None for another call."""
    if earlier.index is not None and call.index is not None and earlier.index != call.index:
        return None
    if earlier.id and call.id and earlier.id != call.id:  # by its index it is the call that said nothing so far
        return arguments if earlier.index == call.index is not None and not told.bare else None
    if not arguments.bare:
        return told
    if call.id and call.id == earlier.id != "0":
        return told if holds(told, arguments) else arguments if holds(arguments, told) else None
    return told if call.whole and holds(told, arguments) and holds(arguments, told) else None


def _read_index(index: Any) -> int | None:
    if isinstance(index, str) and index.isascii() and index.isdecimal() and len(index) < 10:
        return int(index)
    return index if isinstance(index, int) and not isinstance(index, bool) and index >= 0 else None


def _drop_known(value: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    if known.issuperset(value):
        return {}
    return {key: item for key, item in value.items() if key not in known and item not in (None, "", [], {})}


def _read_arguments(function: dict[str, Any]) -> str:
    """The text of the arguments; TGI and Ollama send values."""
    value = function.get("arguments")
    if value is None:
        value = function.get("parameters") or function.get("input") or function.get("args")
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
