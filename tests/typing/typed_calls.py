"""Calls whose types are known to type checkers, and calls that they reject: those marked ``# refused``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter
from typing_extensions import assert_type

import hf_text
from hf_text.aio import AsyncClient, AsyncConversation


@dataclass
class City:
    name: str


class Land(BaseModel):
    name: str


@hf_text.tool
def look(a: int) -> str:
    return str(a)


@hf_text.tool(name="x")
def named(a: int) -> str:
    return str(a)


def blocking(client: hf_text.Client) -> None:
    assert_type(client.parse("x", City), hf_text.Parsed[City])
    assert_type(client.parse("x", Land).value, Land)
    assert_type(client.parse("x", list[int]).value, list[int])
    assert_type(client.parse("x", TypeAdapter(list[City]), retries=2).value, list[City])
    assert_type(client.parse("x", {"type": "object"}).value, Any)
    assert_type(client.parse("x", Literal["a"]).value, Any)
    assert_type(client.parse("x", City | Land).value, Any)
    assert_type(hf_text.parse("x", City, "m", temperature=0.5).value, City)
    client.parse("x", City, temprature=0.5)  # refused
    client.parse("x", City, tools=[])  # refused
    client.generate("x", tools=[look, blocking, {"type": "function"}])
    assert_type(client.cost(client.parse("x", City)), float | None)
    chat = hf_text.Conversation(client, tools=[look])
    assert_type(client.cost(chat), float | None)
    hf_text.Conversation(client, tols=[])  # refused
    hf_text.Conversation.load("x", client, tools=[look])
    hf_text.Conversation.load("x", client, tols=[look])  # refused


async def awaiting(client: AsyncClient) -> None:
    assert_type((await client.parse("x", City)).value, City)
    assert_type((await client.parse("x", TypeAdapter(int))).value, int)
    client.parse("x", City, temprature=0.5)  # refused
    chat = AsyncConversation(client, tools=[look], max_rounds=3)
    assert_type(await chat.generate("x"), hf_text.Completion)
    AsyncConversation(client, max_round=3)  # refused


def tools() -> None:
    assert_type(look(1), str)
    assert_type(named(1), str)
    look("x")  # refused
