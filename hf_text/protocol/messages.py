"""Validates, measures and trims the caller's conversation.

``check_messages`` validates and copies everything once, at the entry point. After it, a conversation is a list of new
dicts whose roles and contents the protocol knows; other fields of a message pass through unchanged. An error names the
place in the caller's own value (``messages[1]["content"][0]["text"]``) and shows the value there.
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
    """The required interface of a pydantic model."""

    def model_dump(self) -> dict[str, Any]: ...


class DataclassInstance(Protocol):
    """The attribute that every dataclass instance has."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


Messages = str | Iterable[Message | Completion | PydanticModel | DataclassInstance]

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_SYSTEM_ROLES = ("system", "developer")
_RESULT_ROLES = ("tool", "function")

# Fields that an assistant's message may hold instead of content (OpenAI, "Create chat completion").
_INSTEAD_OF_CONTENT = ("tool_calls", "function_call", "refusal", "audio")

# Reasoning fields of several servers: a turn that was cut off may hold only reasoning.
_REASONING = ("reasoning", "reasoning_content", "reasoning_details", "thinking", "thinking_blocks")

# Added per message to the length of its text, as documented for the length measure.
_MESSAGE_OVERHEAD = 16


def check_messages(messages: Messages) -> list[dict[str, Any]]:
    """Validate a conversation and return it as a new list of new dicts; the caller's messages are not modified.

    Args:
        messages: a str, which is one user turn; or a list (or any iterable, which is consumed once) of messages.
            A message is a mapping with ``role`` and ``content``, a pydantic model or a dataclass with these, or a
            ``Completion``, which is replaced by its ``to_message()``. ``content`` is a str or a list of typed parts,
            where a plain str is a text part; an assistant turn with tool calls or reasoning needs none.
            ``tool_calls`` may hold ``ToolCall`` objects, or be a ``ToolCalls`` event. Unknown part types and keys are
            passed on unchanged.

    Raises:
        InvalidRequestError: the messages do not match the above; the error names the place and shows the value.
    """
    if isinstance(messages, str):
        checked = [{"role": "user", "content": check_text(messages, "messages")}] if messages else []
    else:
        checked = [_check_message(message, place) for message, place in _list_messages(messages)]
    if not checked:
        raise InvalidRequestError(f"messages must not be empty: {show(messages)}")
    return checked


def count_length(messages: Messages) -> int:
    """Return the length of a conversation: the characters of its texts, plus 16 per message.

    In a content list only text parts count; None counts as 0. The messages need not be checked.
    """
    if isinstance(messages, str):
        return len(messages) + _MESSAGE_OVERHEAD
    contents = (_as_mapping(message, place).get("content") for message, place in _list_messages(messages))
    return sum(_count_content(content) + _MESSAGE_OVERHEAD for content in contents)


def trim_messages(messages: Sequence[dict[str, Any]], max_length: int) -> list[dict[str, Any]]:
    """Trim the conversation to ``max_length`` as far as possible without cutting a message.

    A conversation that fits is kept. Otherwise these steps apply in order until it fits:

    1. with more than six messages: keep the first three and the last three. Tool calls are never separated from their
       results: results at the end keep their call, and a call at the beginning is dropped if its results are. The
       user's last message is always kept;
    2. keep the system messages and the user's last message;
    3. keep only the user's last message, however long it is.

    Without a user message, the last message that is not part of a tool call takes its place; if there is none, the
    conversation is returned as it is after the first step.

    Args:
        messages: checked messages; they are not modified.
        max_length: the target, as measured by ``count_length``.

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
    """Replace an empty assistant content by a form that every server accepts: null if there are tool calls, ``""`` if
    there is reasoning.
    """
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
    # Some servers accept a bare URL instead of {"url": …}; the caller's form is kept.
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
    """Return the last position up to ``index`` where a cut does not separate a call from its results."""
    while index > 0 and messages[index]["role"] in _RESULT_ROLES:
        index -= 1
    return index


def _find_last_turn(messages: Sequence[Message]) -> int | None:
    """Return the index of the user's last message, or else of the last message that is not part of a tool call."""
    indexes = range(len(messages) - 1, -1, -1)
    users = (index for index in indexes if messages[index]["role"] == "user")
    alone = (index for index in indexes if not _belongs_to_a_call(messages[index]))
    return next(users, next(alone, None))


def _belongs_to_a_call(message: Message) -> bool:
    return message["role"] in _RESULT_ROLES or bool(message.get("tool_calls") or message.get("function_call"))
