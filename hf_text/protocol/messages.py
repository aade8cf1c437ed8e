"""The conversation that a caller hands over: checked, measured, trimmed.

Everything is checked once, at the door, and copied on the way in: behind ``check_messages`` a conversation is a list
of dicts of ours with roles and contents that the protocol knows, and whatever else the caller put into a message goes
through unchanged. An error names the place in the caller's own value (``messages[1]["content"][0]["text"]``) and shows
what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from ..checks import check_text, is_filled, plain_mapping, plain_value, refusal, show
from ..completion import Completion
from ..errors import InvalidRequestError
from ..events import ToolCall, ToolCalls

__all__ = [
    "DataclassInstance",
    "Message",
    "Messages",
    "PydanticModel",
    "check_messages",
    "count_length",
    "trim_messages",
]

Message = Mapping[str, Any]


class PydanticModel(Protocol):
    """What is asked of a pydantic model."""

    def model_dump(self) -> dict[str, Any]: ...


class DataclassInstance(Protocol):
    """What every object of a dataclass has."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


Messages = str | Iterable[Message | Completion | PydanticModel | DataclassInstance]

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_SYSTEM_ROLES = ("system", "developer")
_RESULT_ROLES = ("tool", "function")

# What an assistant's message may hold in place of content (OpenAI, "Create chat completion").
_INSTEAD_OF_CONTENT = ("tool_calls", "function_call", "refusal", "audio")

# Reasoning by the names of several servers: a turn that was cut off may hold nothing else.
_REASONING = ("reasoning", "reasoning_content", "reasoning_details", "thinking", "thinking_blocks")

# What a message adds to the length of its text, in the documented measure of length.
_MESSAGE_OVERHEAD = 16


def check_messages(messages: Messages) -> list[dict[str, Any]]:
    """The conversation as a new list of new dicts; nothing of the caller's is changed or shared one level down.

    Args:
        messages: a str, which is one turn of the user; or a list (any iterable; it is read once, here) of messages.
            A message is a mapping with ``role`` and ``content``, a pydantic model or a dataclass with these, or a
            ``Completion``, which stands for its ``to_message()``. ``content`` is a str or a list of typed parts, where
            a plain str stands for a part of text; a turn of the assistant with tool calls or reasoning needs none.
            ``tool_calls`` may hold ``ToolCall`` objects, or be a ``ToolCalls`` event. Part types and keys that are not
            known here are passed on as they are.

    Raises:
        InvalidRequestError: something is not as above; the message names its place and shows it.
    """
    if isinstance(messages, str):
        checked = [{"role": "user", "content": check_text(messages, "messages")}] if messages else []
    else:
        checked = [_check_message(message, place) for message, place in _list_messages(messages)]
    if not checked:
        raise InvalidRequestError(f"messages must not be empty: {show(messages)}")
    return checked


def count_length(messages: Messages) -> int:
    """The length of a conversation: the characters of its texts, and 16 more for each message.

    Of a content list the parts of text count; a content of None counts nothing. The messages need not be checked.
    """
    if isinstance(messages, str):
        return len(messages) + _MESSAGE_OVERHEAD
    contents = (_as_mapping(message, place).get("content") for message, place in _list_messages(messages))
    return sum(_count_content(content) + _MESSAGE_OVERHEAD for content in contents)


def trim_messages(messages: Sequence[dict[str, Any]], max_length: int) -> list[dict[str, Any]]:
    """The conversation made to fit ``max_length``, as well as that can be done without cutting into a message.

    A conversation that fits is kept. One that does not becomes, until it fits:

    1. if there are more than six messages: the first three and the last three. A call of tools is never parted from
       its results: at the end they bring their call along, at the beginning the call goes where its results went. The
       user's last message is kept wherever it stands;
    2. the system messages and the user's last message;
    3. the user's last message alone, however long it is.

    Where the user said nothing, the last message that can stand without others takes that place; if there is none, the
    conversation is kept as it is after the first step.

    Args:
        messages: checked messages; they are not changed.
        max_length: the aim, as ``count_length`` measures.

    Raises:
        InvalidRequestError: ``max_length`` is not an int of at least 1.
    """
    if not isinstance(max_length, int) or isinstance(max_length, bool) or max_length < 1:
        raise refusal("max_input_length", "an int of at least 1", max_length)
    kept = list(messages)
    if len(kept) > 6 and count_length(kept) > max_length:
        kept = _keep_ends(kept)
    last = _find_last_turn(kept)
    if last is None or count_length(kept) <= max_length:
        return kept
    shorter = [m for index, m in enumerate(kept) if index == last or m["role"] in _SYSTEM_ROLES]
    return shorter if count_length(shorter) <= max_length else [kept[last]]


def _list_messages(messages: object) -> Iterator[tuple[object, str]]:
    if isinstance(messages, Completion) or plain_mapping(messages) is not None:
        raise InvalidRequestError(f"messages is a single message; wrap it in a list: {show(messages)}")
    if not isinstance(messages, Iterable) or isinstance(messages, (bytes, bytearray, memoryview)):
        raise refusal("messages", "a str or a list of messages", messages)
    return ((message, f"messages[{index}]") for index, message in enumerate(messages))


def _as_mapping(message: object, place: str) -> Message:
    if isinstance(message, Completion):
        return message.to_message()
    mapping = plain_mapping(message)
    if isinstance(message, str):
        raise InvalidRequestError(
            f'{place} must be a mapping with "role" and "content", not str: {show(message)}. '
            "For many prompts, one request each, use hf_text.batch"
        )
    if mapping is None:
        raise refusal(place, 'a mapping with "role" and "content"', message)
    return mapping


def _check_message(message: object, place: str) -> dict[str, Any]:
    checked = dict(_as_mapping(message, place))
    role = checked["role"] = plain_value(checked.get("role"))
    if role is None:
        raise InvalidRequestError(f'{place} has no "role": {show(message)}')
    if role not in _ROLES:
        raise refusal(f'{place}["role"]', f"one of {', '.join(_ROLES)}", role)
    if checked.get("tool_calls") is not None:
        checked["tool_calls"] = _check_tool_calls(checked["tool_calls"], f'{place}["tool_calls"]')
    if role == "assistant":
        _allow_no_content(checked)
    if checked.get("content") is not None:
        checked["content"] = _check_content(checked["content"], f'{place}["content"]')
    elif role != "assistant" or not any(checked.get(key) for key in _INSTEAD_OF_CONTENT):
        raise InvalidRequestError(f'{place} has no "content", which must be a str or a list of parts: {show(message)}')
    if role == "tool" and not is_filled(checked.get("tool_call_id")):
        raise InvalidRequestError(
            f"{place} is a tool's result and needs the call's id as \"tool_call_id\": {show(message)}"
        )
    return checked


def _allow_no_content(message: dict[str, Any]) -> None:
    """Put what every server reads where the assistant said nothing: null beside tool calls, ``""`` beside reasoning."""
    content = message.get("content")
    if content is not None and not (isinstance(content, (list, tuple)) and not content):
        return
    if any(message.get(key) for key in _INSTEAD_OF_CONTENT):
        if "content" in message:
            message["content"] = None
    elif any(message.get(key) for key in _REASONING):
        message["content"] = ""


def _check_tool_calls(calls: object, place: str) -> list[dict[str, Any]]:
    if isinstance(calls, ToolCalls):
        calls = calls.calls
    if not isinstance(calls, (list, tuple)):
        raise refusal(place, "a list of tool calls", calls)
    return [_check_tool_call(call, f"{place}[{index}]") for index, call in enumerate(calls)]


def _check_tool_call(call: object, place: str) -> dict[str, Any]:
    if isinstance(call, ToolCall):
        return call.to_dict()
    mapping = plain_mapping(call)
    if mapping is None:
        raise refusal(place, "a mapping or a ToolCall", call)
    return dict(mapping)


def _check_content(content: object, place: str) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return check_text(content, place)
    if not isinstance(content, (list, tuple)):
        raise refusal(place, "a str or a list of parts", content)
    if not content:
        raise InvalidRequestError(f"{place} must not be an empty list of parts")
    return [_check_part(part, f"{place}[{index}]") for index, part in enumerate(content)]


def _check_part(given: object, place: str) -> dict[str, Any]:
    if isinstance(given, str):
        return {"type": "text", "text": check_text(given, place)}
    mapping = plain_mapping(given)
    if mapping is None:
        raise refusal(place, 'a str or a mapping with "type"', given)
    part = dict(mapping)
    kind = part["type"] = plain_value(part.get("type"))
    if not is_filled(kind):
        raise InvalidRequestError(f'{place} has no "type": {show(given)}')
    if kind == "text":
        _check_part_text(part.get("text"), f'{place}["text"]')
    elif kind == "image_url":
        _check_image_url(part.get("image_url"), f'{place}["image_url"]')
    return part


def _check_part_text(text: object, place: str) -> None:
    if not isinstance(text, str):
        raise refusal(place, "a str", text)
    check_text(text, place)


def _check_image_url(image: object, place: str) -> None:
    # Some servers take the bare URL in place of {"url": …}; which of the two was meant is left to the caller.
    mapping = plain_mapping(image)
    url = image if mapping is None else mapping.get("url")
    if not isinstance(url, str) or not url:
        raise refusal(place, 'a mapping with "url"', image)
    check_text(url, place)


def _count_content(content: object) -> int:
    if isinstance(content, str):
        return len(content)
    if isinstance(content, (list, tuple)):
        return sum(len(_get_text(part)) for part in content)
    return 0


def _get_text(part: object) -> str:
    mapping = plain_mapping(part)
    text = mapping.get("text") if mapping is not None and mapping.get("type") == "text" else part
    return text if isinstance(text, str) else ""


def _keep_ends(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    head = _find_cut(messages, 3)
    tail = _find_cut(messages, len(messages) - 3)
    last = _find_last_turn(messages)
    return [m for index, m in enumerate(messages) if index < head or index >= tail or index == last]


def _find_cut(messages: Sequence[Message], index: int) -> int:
    """The last place, not after ``index``, where a cut does not part a call from its results."""
    while index > 0 and messages[index]["role"] in _RESULT_ROLES:
        index -= 1
    return index


def _find_last_turn(messages: Sequence[Message]) -> int | None:
    """The index of the user's last message, or else of the last that is not part of a call."""
    indexes = range(len(messages) - 1, -1, -1)
    users = (index for index in indexes if messages[index]["role"] == "user")
    alone = (index for index in indexes if not _belongs_to_a_call(messages[index]))
    return next(users, next(alone, None))


def _belongs_to_a_call(message: Message) -> bool:
    return message["role"] in _RESULT_ROLES or bool(message.get("tool_calls") or message.get("function_call"))
