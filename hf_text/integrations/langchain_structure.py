"""Structured output for LangChain."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import hf_text

from ..errors import InvalidRequestError, StructuredOutputError, TruncatedStreamError
from ..schemas import UnfitError
from ..structured.output import Output
from . import importing
from .langchain_messages import build_message

with importing("langchain_core", "langchain"):
    from langchain_core.exceptions import OutputParserException
    from langchain_core.messages import AIMessage
    from langchain_core.runnables import RunnableLambda
    from langchain_core.utils.function_calling import convert_to_json_schema
    from pydantic import BaseModel
    from pydantic.v1 import BaseModel as BaseModelV1

__all__ = ["build_parsed", "build_unfit", "structure"]


def structure(
    model: Any, schema: Any, method: str, include_raw: bool, strict: bool | None, options: dict[str, Any]
) -> Any:
    """As ``ChatHFText.with_structured_output``."""
    json_schema = convert_to_json_schema(schema)
    typed = isinstance(schema, type) and issubclass(schema, BaseModel)
    output_type = schema if typed else json_schema
    told = {"ls_structured_output_format": {"kwargs": {"method": method}, "schema": json_schema}}
    if method == "auto":
        asked = model.bind(output_type=output_type, lenient=include_raw, **told, **options)
    elif method == "function_calling":
        choice = Output(output_type).name
        tool = {"name": choice, "description": json_schema.get("description", ""), "parameters": json_schema}
        bound = {"tool_choice": choice, "strict": strict, **told, **options}
        asked = model.bind_tools([{"type": "function", "function": tool}], **bound)
    else:
        asked = model.bind(response_format=_build_format(output_type, method, strict), **told, **options)
    read = _reader(schema, output_type, checked=method != "json_mode" or typed)
    if not include_raw:
        return asked | RunnableLambda(read)

    def read_into(raw: AIMessage) -> dict[str, Any]:
        try:
            return {"raw": raw, "parsed": read(raw), "parsing_error": None}
        except OutputParserException as error:
            return {"raw": raw, "parsed": None, "parsing_error": error}

    return asked | RunnableLambda(read_into)


def build_parsed(parsed: hf_text.Parsed[Any]) -> AIMessage:
    """The message of an answer that matches the schema."""
    answer = parsed.completion
    text = answer.tool_calls[0].arguments if parsed.method == "tool" and answer.tool_calls else answer.text
    return build_message(answer, text, parsed.completions)


def build_unfit(error: StructuredOutputError, lenient: bool) -> AIMessage:
    """The message of an answer that does not match, if ``lenient``; otherwise raises the error."""
    if not lenient or error.partial is None:
        raise error
    return build_message(error.partial)


def _build_format(output_type: Any, method: str, strict: bool | None) -> dict[str, Any]:
    if method == "json_mode":
        return {"type": "json_object"}
    if method != "json_schema":
        raise InvalidRequestError(
            f"method must be 'auto', 'json_schema', 'function_calling' or 'json_mode', not {method!r}"
        )
    output = Output(output_type)
    named = {"name": output.name, "schema": output.schema, "strict": strict}
    return {"type": method, "json_schema": {key: value for key, value in named.items() if value is not None}}


def _reader(schema: Any, output_type: Any, checked: bool) -> Callable[[AIMessage], Any]:
    """A function that parses the value of a message. It raises OutputParserException, and TruncatedStreamError for a
    truncated answer.
    """
    output = Output(output_type if checked else {})
    of_pydantic_1 = isinstance(schema, type) and issubclass(schema, BaseModelV1)

    def read(message: AIMessage) -> Any:
        reason = message.response_metadata.get("finish_reason")
        if reason in ("length", "content_filter"):
            raise TruncatedStreamError(f"the answer was cut off before its end (finish reason {reason})")
        text = json.dumps(message.tool_calls[0]["args"]) if message.tool_calls else message.text
        try:
            value = output.load(text)
        except UnfitError as error:
            problem = "; ".join(str(error).splitlines())
        else:
            return schema.parse_obj(value) if of_pydantic_1 else value
        raise OutputParserException(f"the answer does not match: {problem}", llm_output=text)

    return read
