"""Schemas and descriptions of functions, compared with those of pydantic-ai and LangChain for the same functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from required import require
from tool_signatures import FUNCTIONS

from hf_text import tool

require("pydantic_ai", "langchain_core", where="extra: frameworks-test", whole_file=True)

import pydantic_ai
from langchain_core import tools as langchain_tools

Function = Callable[..., Any]


def meaning(schema: Any, root: Any = None) -> Any:
    """The schema without irrelevant differences: titles, references instead of their targets, the order of required
    properties.
    """
    root = schema if root is None else root
    if isinstance(schema, list):
        return [meaning(item, root) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/")[-1]
        if name == "Tree" and schema is not root:  # a recursive type
            return {"$ref": name, **{key: value for key, value in schema.items() if key != "$ref"}}
        return meaning({**root["$defs"][name], **{k: v for k, v in schema.items() if k != "$ref"}}, root)
    kept = {key: value for key, value in schema.items() if key not in ("title", "$defs") or isinstance(value, bool)}
    made = {key: meaning(value, root) for key, value in kept.items()}
    if isinstance(made.get("required"), list):
        made["required"] = sorted(made["required"])
    return made


def words(text: str | None) -> str:
    return " ".join((text or "").split())


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_schemas_are_equivalent_to_pydantic_ai(function: Function) -> None:
    theirs = pydantic_ai.Tool(function, takes_ctx=False).function_schema
    assert meaning(tool(function).parameters) == meaning(theirs.json_schema)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_descriptions_match_pydantic_ai_without_the_returns_section(function: Function) -> None:
    theirs = pydantic_ai.Tool(function, takes_ctx=False).description or ""
    summary = theirs.partition("<summary>")[2].partition("</summary>")[0] or theirs
    assert words(tool(function).description) == words(summary)


def langchain_reads(function: Function) -> bool:
    """Whether LangChain can parse the docstring: only Google's style, and only without ** in it. It drops parameters
    that begin with an underscore.
    """
    text, parameters = function.__doc__ or "", inspect.signature(function).parameters.values()
    odd = any(p.kind is p.VAR_KEYWORD or p.name.startswith("_") for p in parameters)
    return bool(text) and not odd and "----" not in text and ":param" not in text


@pytest.mark.parametrize("function", list(filter(langchain_reads, FUNCTIONS)), ids=lambda function: function.__name__)
def test_descriptions_match_langchain(function: Function) -> None:
    theirs = langchain_tools.StructuredTool.from_function(function, parse_docstring=True)
    ours = tool(function)
    assert words(ours.description) == words(theirs.description)
    described = theirs.tool_call_schema.model_json_schema()["properties"]
    if set(described) == set(ours.parameters["properties"]):  # unless the parameter was unwrapped
        for name, schema in described.items():
            if "$ref" not in schema:
                assert words(ours.parameters["properties"][name].get("description")) == words(schema.get("description"))
