"""Typed answers: how each request asks for them, and how the answers are parsed."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from io import BytesIO
from typing import Annotated, Any, Literal, TypedDict

import pydantic
import pytest
import typing_extensions

from hf_text import (
    BadRequestError,
    InvalidRequestError,
    MissingAuthError,
    Parsed,
    StructuredOutputError,
    TruncatedStreamError,
)
from hf_text.emulator import Emulator, Response, build_model
from hf_text.schemas import UnfitError
from hf_text.structured.output import Output

pytestmark = pytest.mark.every_client


@dataclass
class City:
    """A city."""

    name: str
    population: int


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Land(pydantic.BaseModel):
    capital: City
    founded: date | None = None


class Point(typing_extensions.TypedDict):
    x: Annotated[float, pydantic.Field(ge=0)]
    y: typing_extensions.NotRequired[float]


class OldPoint(TypedDict):
    x: float


@dataclass
class Node:
    name: str
    children: list[Node] = field(default_factory=list)


PIXEL = b"\x89PNG\r\n\x1a\n" + bytes(20)
PARIS = '{"name": "Paris", "population": 2}'
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "population": {"type": "integer"}},
    "required": ["name", "population"],
}
ABLE = {"provider": "groq"}
UNKNOWN = {"provider": "together", "supports_structured_output": None, "supports_tools": None}
UNABLE = {"provider": "novita", "supports_structured_output": False}
HELPLESS = {"provider": "novita", "supports_structured_output": False, "supports_tools": False}


def asked(hf: Emulator) -> list[dict[str, Any]]:
    return [request.json for request in hf.requests if request.method == "POST"]


class TestWhatIsMadeOfAnAnswer:
    @pytest.mark.parametrize(
        "answer",
        [
            PARIS,
            f"\n {PARIS}\n",
            f"Sure, here it is:\n\n```json\n{PARIS}\n```\nAnything else?",
            f"```\n{PARIS}\n```",
            f"```json\n{PARIS}",
            f"It is {PARIS}, I think.",
            f"As you know [1]: {PARIS}",
            "Here:\n```json\n" + json.dumps({"name": "Paris", "population": 2}, indent=2) + "\n```",
        ],
    )
    def test_json_is_found_in_prose_with_one_request(self, emulator: Emulator, client: Any, answer: str) -> None:
        emulator.reply(Response.text(answer))
        parsed = client.parse("Which?", City)
        assert parsed.value == City("Paris", 2)
        assert (parsed.method, parsed.completion.text, parsed.rejected) == ("json_schema", answer, ())
        assert len(asked(emulator)) == 1

    @pytest.mark.parametrize(
        ("output_type", "answer", "value"),
        [
            (City, PARIS, City("Paris", 2)),
            (
                Land,
                f'{{"capital": {PARIS}, "founded": "1789-07-14"}}',
                Land(capital=City("Paris", 2), founded=date(1789, 7, 14)),
            ),
            (Point, '{"x": 1}', {"x": 1.0}),
            (Node, '{"name": "a", "children": [{"name": "b"}]}', Node("a", [Node("b")])),
            (SCHEMA, PARIS, {"name": "Paris", "population": 2}),
            (list[int], '{"value": [1, 2]}', [1, 2]),
            (list[int], "[1, 2]", [1, 2]),
            (list[City], f"They are: [{PARIS}]", [City("Paris", 2)]),
            (Literal["yes", "no"], '{"value": "yes"}', "yes"),
            (Literal["yes", "no"], "yes", "yes"),
            (Colour, '{"value": "blue"}', Colour.BLUE),
            (Colour, " blue\n", Colour.BLUE),
            (City | Land, f'{{"value": {PARIS}}}', City("Paris", 2)),
            (int, '{"value": 42}', 42),
            (int, "42", 42),
            (dict[str, int], '{"a": 1}', {"a": 1}),
            (pydantic.TypeAdapter(list[City]), f'{{"value": [{PARIS}]}}', [City("Paris", 2)]),
            ({"type": "array", "items": {"type": "integer"}}, '{"value": [1]}', [1]),
            ({"$schema": "http://json-schema.org/draft-07/schema#", **SCHEMA}, PARIS, json.loads(PARIS)),
        ],
        ids=str,
    )
    def test_types_of_many_kinds(
        self, emulator: Emulator, client: Any, output_type: Any, answer: str, value: Any
    ) -> None:
        emulator.reply(Response.text(answer))
        assert client.parse("Which?", output_type).value == value
        (form,) = (body["response_format"] for body in asked(emulator))
        assert form["json_schema"]["schema"]["type"] == "object"
        assert "$schema" not in form["json_schema"]["schema"]

    @pytest.mark.parametrize(
        ("first", "told"),
        [
            ('{"name": "Paris", "population": "many"}', "population: Input should be a valid integer"),
            ("I do not know.", "not valid JSON"),
            ('{"name": "Paris"}', "population: Field required"),
            ("[1]", "Input should be"),
        ],
    )
    def test_an_invalid_answer_is_requested_once_more_without_a_growing_prompt(
        self, emulator: Emulator, client: Any, first: str, told: str
    ) -> None:
        emulator.reply(Response.text(first), Response.text(PARIS))
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Which?"}]
        parsed = client.parse(messages, City)
        assert parsed.value == City("Paris", 2)
        assert [answer.text for answer in parsed.rejected] == [first]
        assert len(parsed.completion.attempts) == 2
        before, after = (body["messages"] for body in asked(emulator))
        assert [message["role"] for message in after] == ["system", "user"]
        words = after[1]["content"].removeprefix("Which?")
        assert told in words
        assert len(words) < 300
        assert (before, after[0]) == (messages, messages[0])

    def test_the_prompt_does_not_grow_with_further_attempts(self, emulator: Emulator, client: Any) -> None:
        emulator.reply(*[Response.text("no")] * 5, Response.text(PARIS))
        client.parse("Which?", City, retries=5)
        lengths = [len(request.body) for request in emulator.requests if request.method == "POST"]
        assert len(set(lengths[1:])) == 1

    @pytest.mark.parametrize("retries", [0, 1, 2])
    def test_an_answer_that_never_fits_is_an_error_with_all_answers(
        self, emulator: Emulator, client: Any, retries: int
    ) -> None:
        emulator.always(Response.text('{"name": 1, "population": "x"}'))
        with pytest.raises(StructuredOutputError, match=r"do(es)? not fit City: name: .*; population: ") as caught:
            client.parse("Which?", City, retries=retries)
        error = caught.value
        assert len(asked(emulator)) == len(error.attempts) == retries + 1
        assert error.partial.text == '{"name": 1, "population": "x"}'
        assert [problem["loc"] for problem in error.errors] == [("name",), ("population",)]

    @pytest.mark.parametrize("reason", ["length", "content_filter"])
    @pytest.mark.parametrize("text", [PARIS, '{"name": "Par'])
    def test_a_truncated_answer_is_not_parsed_and_not_retried(
        self, emulator: Emulator, client: Any, reason: str, text: str
    ) -> None:
        emulator.reply(Response.text(text, finish=reason))
        with pytest.raises(TruncatedStreamError, match=f"cut off before its end .finish reason {reason}") as caught:
            client.parse("Which?", City)
        assert caught.value.partial.text == text
        assert len(asked(emulator)) == len(caught.value.attempts) == 1

    def test_validator_messages_can_follow_a_last_message_that_is_not_text(
        self, emulator: Emulator, client: Any
    ) -> None:
        emulator.reply(Response.text("no"), Response.text(PARIS))
        client.parse([{"role": "user", "content": [{"type": "text", "text": "Which?"}]}], City)
        emulator.reply(Response.text("no"), Response.text(PARIS))
        client.parse([{"role": "user", "content": "Which?"}, {"role": "assistant", "content": "I say:"}], City)
        second, fourth = asked(emulator)[1::2]
        assert [part["type"] for part in second["messages"][0]["content"]] == ["text", "text"]
        assert [message["role"] for message in fourth["messages"]] == ["user", "assistant", "user"]


class TestWhoIsAsked:
    def serve(self, hf: Emulator, *providers: Any) -> None:
        hf.models = [build_model("a/b", *providers)]
        hf.always(Response.text(PARIS))

    @pytest.mark.parametrize(
        ("providers", "choice", "suffix", "method"),
        [
            ([ABLE], {}, "", "json_schema"),
            ([UNABLE, ABLE], {}, ":groq", "json_schema"),
            ([UNABLE, UNKNOWN, ABLE], {}, ":groq", "json_schema"),
            ([UNABLE, UNKNOWN], {}, ":together", "json_schema"),
            ([UNKNOWN], {}, "", "json_schema"),
            ([UNABLE], {}, "", "tool"),
            ([HELPLESS, UNABLE | {"provider": "nscale"}], {}, ":nscale", "tool"),
            ([HELPLESS], {}, "", "prompt"),
            ([UNABLE, ABLE], {"provider": "novita"}, ":novita", "tool"),
            ([UNABLE, ABLE], {"model": "a/b:novita"}, ":novita", "tool"),
            ([UNABLE, ABLE], {"provider": ["novita", "groq"]}, ":groq", "json_schema"),
            ([UNABLE, ABLE], {"provider": ["novita", "auto"]}, ":groq", "json_schema"),
            ([ABLE, {"provider": "cerebras"}], {"provider": "cheapest"}, ":cheapest", "json_schema"),
            ([ABLE, {"provider": "nscale"}, UNABLE], {"provider": "fastest"}, ":nscale", "json_schema"),
            ([{"provider": "nscale"}, ABLE, UNABLE], {"provider": "cheapest"}, ":nscale", "json_schema"),
        ],
        ids=str,
    )
    def test_providers_with_support_are_tried_first(
        self, emulator: Emulator, client: Any, providers: Any, choice: Any, suffix: str, method: str
    ) -> None:
        self.serve(emulator, *providers)
        if method == "tool":
            emulator.always(Response.text(tool_calls=[("City", PARIS)]))
        parsed = client.parse("Which?", City, **{"model": "a/b", **choice})
        assert (parsed.method, parsed.value) == (method, City("Paris", 2))
        (body,) = asked(emulator)
        assert body["model"] == f"a/b{suffix}"
        assert ("response_format" in body, "tools" in body) == (method == "json_schema", method == "tool")

    def test_a_policy_in_the_model_of_the_client_orders_supporting_providers(
        self, emulator: Emulator, make_client: Callable[..., Any]
    ) -> None:
        self.serve(emulator, UNABLE, ABLE, {"provider": "nscale"})
        make_client(model="a/b:fastest").parse("Which?", City)
        assert asked(emulator)[0]["model"] == "a/b:nscale"

    def test_providers_with_unknown_support_follow_supporting_ones(self, emulator: Emulator, client: Any) -> None:
        self.serve(emulator, UNABLE, UNKNOWN, ABLE)
        emulator.reply("empty-500")
        client.parse("Which?", City, "a/b")
        assert [body["model"] for body in asked(emulator)] == ["a/b:groq", "a/b:together"]

    def test_a_refused_schema_falls_back_to_a_tool_and_then_to_the_prompt(
        self, emulator: Emulator, client: Any
    ) -> None:
        self.serve(emulator, UNKNOWN)
        emulator.reply(
            Response.error(400, "response_format is not supported", provider="together"),
            Response.error(400, "tool calling is not supported", provider="together"),
        )
        parsed = client.parse("Which?", City, "a/b", provider="together")
        assert parsed.method == "prompt"
        assert [attempt.status for attempt in parsed.completion.attempts] == [400, 400, 200]
        first, second, third = asked(emulator)
        assert "response_format" in first
        assert second["tool_choice"] == {"type": "function", "function": {"name": "City"}}
        assert "strict" not in second["tools"][0]["function"]
        prompt = third["messages"][0]["content"]
        assert prompt.startswith("Which?\n\n")
        assert '"population"' in prompt
        assert not {"response_format", "tools", "tool_choice"} & third.keys()

    def test_any_other_refusal_is_an_error_at_once(self, emulator: Emulator, client: Any) -> None:
        self.serve(emulator, ABLE)
        emulator.reply(Response.error(400, "messages: too long", provider="groq"))
        with pytest.raises(BadRequestError, match="too long") as caught:
            client.parse("Which?", City, "a/b", provider="groq")
        assert len(asked(emulator)) == len(caught.value.attempts) == 1

    def test_a_model_named_after_tools_is_not_mistaken_for_a_refusal(self, emulator: Emulator, client: Any) -> None:
        self.serve(emulator, ABLE)
        emulator.models = [build_model("a/tool-use", "groq")]
        emulator.reply(Response.error(400, "The model a/tool-use is tired", provider="groq"))
        with pytest.raises(BadRequestError):
            client.parse("Which?", City, "a/tool-use", provider="groq")
        assert len(asked(emulator)) == 1

    def test_a_provider_that_ignores_the_format_gets_a_second_try(self, emulator: Emulator, client: Any) -> None:
        emulator.models = [build_model("a/b", {"provider": "novita", "ignores_response_format": True})]
        with pytest.raises(StructuredOutputError):
            client.parse("Which?", City, "a/b")
        assert len(asked(emulator)) == 2

    def test_a_provider_that_follows_the_schema_needs_one_request(self, emulator: Emulator, client: Any) -> None:
        parsed = client.parse("Which?", City)
        assert parsed.value == City("emulated", 0)
        assert len(asked(emulator)) == 1

    def test_tool_arguments_follow_the_schema(self, emulator: Emulator, client: Any) -> None:
        emulator.models = [build_model("a/b", UNABLE)]
        parsed = client.parse("Which?", list[City], "a/b")
        assert (parsed.method, parsed.value) == ("tool", [])

    def test_only_one_model_is_looked_up_and_not_the_whole_catalogue(self, emulator: Emulator, client: Any) -> None:
        for _ in range(2):
            client.parse("Which?", City)
        asked_about = [request.path for request in emulator.requests if request.method == "GET"]
        assert asked_about == ["/v1/models/openai/gpt-oss-120b"]

    def test_without_a_catalogue_the_router_chooses(self, emulator: Emulator, client: Any) -> None:
        emulator.always("server-error", path="/v1/models*")
        emulator.reply(Response.text(PARIS))
        assert client.parse("Which?", City).method == "json_schema"

    def test_another_server_gets_the_schema_at_once(self, make_client: Callable[..., Any]) -> None:
        with Emulator() as server:
            server.reply(Response.error(400, "failed to parse grammar"), Response.text(tool_calls=[("City", PARIS)]))
            assert make_client(None, server.api_base).parse("Which?", City, "a/b").method == "tool"
            assert [request.method for request in server.requests] == ["POST", "POST"]


class TestWhatIsSent:
    def test_options_are_sent_with_each_attempt(self, emulator: Emulator, client: Any) -> None:
        emulator.reply(Response.text("no"), Response.text(PARIS))
        client.parse("Which?", City, temperature=0.0, max_tokens=50, extra_body={"top_k": 1})
        for body in asked(emulator):
            assert (body["temperature"], body["max_tokens"], body["top_k"]) == (0.0, 50, 1)

    def test_media_is_sent_with_each_attempt(self, emulator: Emulator, client: Any) -> None:
        emulator.reply(Response.text("no"), Response.text(PARIS))
        client.parse("Which?", City, "google/gemma-4-31B-it", media=BytesIO(PIXEL))
        for body in asked(emulator):
            assert body["messages"][0]["content"][1]["image_url"]["url"].startswith("data:image/png")

    @pytest.mark.parametrize(
        ("output_type", "name"),
        [
            (City, "City"),
            (list[int], "answer"),
            (Literal["a"], "answer"),
            ({"title": "A city, large"} | SCHEMA, "A_city_large"),
        ],
        ids=str,
    )
    def test_the_schema_has_a_valid_name(self, emulator: Emulator, client: Any, output_type: Any, name: str) -> None:
        client.parse("Which?", output_type)
        assert asked(emulator)[0]["response_format"]["json_schema"]["name"] == name

    @pytest.mark.parametrize(
        ("route", "form"),
        [
            ("cohere/compatibility", {"type": "json_object", "schema": ...}),
            ("fireworks-ai/inference", {"type": "json_object", "schema": ...}),
            ("hf-inference/models/a/b", {"type": "json_object", "value": ...}),
        ],
    )
    def test_a_provider_route_gets_its_own_format(
        self, emulator: Emulator, client: Any, route: str, form: dict[str, Any]
    ) -> None:
        provider = route.split("/")[0]
        emulator.models = [build_model("a/b", {"provider": provider, "providerId": "a/b"})]
        parsed = client.parse("Which?", City, "a/b", provider=route)
        assert (parsed.value, parsed.method) == (City("emulated", 0), "json_schema")
        (body,) = asked(emulator)
        assert {
            key: ... if isinstance(value, dict) else value for key, value in body["response_format"].items()
        } == form

    def test_a_provider_server_gets_its_own_format(self, emulator: Emulator, make_client: Callable[..., Any]) -> None:
        emulator.models = [build_model("a/b", {"provider": "together", "providerId": "a/b"})]
        make_client("key", f"{emulator.url}/together/v1").parse("Which?", City, "a/b")
        assert asked(emulator)[0]["response_format"].keys() == {"type", "schema"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("Which?", None), "output_type must be a type"),
        (("Which?", "City"), "output_type must be a type"),
        (("Which?", {"type": "strange"}), r"output_type\['type'\] is not a JSON schema"),
        (("Which?", Callable), "output_type: "),
        (("Which?", Emulator), "output_type: Unable to generate pydantic-core schema .*Use a dataclass"),
        (("", City), "messages must not be empty"),
        (([3], City), r"messages\[0\]"),
        (("Which?", City, 3), "model must be"),
    ],
    ids=str,
)
def test_invalid_arguments_are_refused_and_nothing_is_sent(
    emulator: Emulator, client: Any, arguments: Any, words: str
) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        client.parse(*arguments)
    assert emulator.requests == []


@pytest.mark.parametrize(
    "options", [{"retries": -1}, {"temperature": 9}, {"provider": "a b"}, {"timeout": "x"}], ids=str
)
def test_invalid_options_are_refused_and_nothing_is_sent(emulator: Emulator, client: Any, options: Any) -> None:
    with pytest.raises(InvalidRequestError, match=next(iter(options))):
        client.parse("Which?", City, **options)
    assert emulator.requests == []


def test_without_a_key_nothing_is_sent(emulator: Emulator, make_client: Callable[..., Any]) -> None:
    with pytest.raises(MissingAuthError):
        make_client(None).parse("Which?", City)
    assert emulator.requests == []


@pytest.mark.skipif("sys.version_info >= (3, 12)", reason="from Python 3.12 on it is taken")
def test_a_typing_typed_dict_is_refused_with_the_alternative(client: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"use `typing_extensions.TypedDict` instead"):
        client.parse("Which?", OldPoint)


def test_an_external_schema_reference_is_not_followed(emulator: Emulator, client: Any) -> None:
    emulator.reply(Response.text("{}"))
    schema = {"type": "object", "properties": {"a": {"$ref": f"{emulator.url}/schema.json"}}, "required": ["a"]}
    emulator.reply(Response.text('{"a": 1}'))
    with pytest.raises((InvalidRequestError, StructuredOutputError)):
        client.parse("Which?", schema)
    assert not [request for request in emulator.requests if "schema.json" in request.path]


@pytest.mark.parametrize("form", [City, Land, pydantic.TypeAdapter(City)], ids=["dataclass", "model", "adapter"])
def test_a_type_as_response_format_is_refused_with_a_pointer_to_parse(
    emulator: Emulator, client: Any, form: Any
) -> None:
    with pytest.raises(InvalidRequestError, match=r"takes a JSON schema, such as that of .*; parse\("):
        client.generate("Which?", response_format=form)
    assert emulator.requests == []


def test_a_parsed_value_lists_its_completions(emulator: Emulator, client: Any) -> None:
    emulator.reply(Response.text("no", usage=(10, 5)), Response.text(PARIS, usage=(20, 5)))
    parsed = client.parse("Which?", City)
    assert isinstance(parsed, Parsed)
    assert [answer.usage.prompt_tokens for answer in parsed.completions] == [10, 20]


@pytest.mark.blocking_client
@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", ["```json\n", "{", "}{", "[", "```", '{"a":', "\n"], ids=repr)
@pytest.mark.parametrize("times", [1_000, 1_000_000])
def test_finding_json_takes_linear_time(piece: str, times: int) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Output(City).load(piece * times)


@pytest.mark.blocking_client
@pytest.mark.parametrize("depth", [100, 300, 900, 990, 2000, 100_000])
def test_deeply_nested_json_is_accepted_or_refused(depth: int) -> None:
    text = '{"name": "a", "children": [' * depth + "]}" * depth
    recursive = {"type": "object", "properties": {"children": {"items": {"$ref": "#"}}}}
    for output_type in (Node, recursive):
        with suppress(UnfitError):
            Output(output_type).load(text)
