"""Tools: their description for the model, the parsing of arguments from the model, and where tools are accepted."""

from __future__ import annotations

import functools
import inspect
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pydantic
import pytest
import typing_extensions
from tool_signatures import FUNCTIONS, Person, Point, Unit

import hf_text
from hf_text import HFTextError, InvalidRequestError, MissingExtraError, Tool, tool
from hf_text.emulator.samples import sample
from hf_text.tools.telling import tell


def get_weather(city: str, days: int = 3) -> str:
    """Tell the weather.

    Args:
        city: The name of the city.
    """
    return f"{city}, {days} days"


class TestWhatAModelIsTold:
    def test_a_function_is_described(self) -> None:
        assert tool(get_weather).to_dict() == {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "Tell the weather.",
                "parameters": {
                    "type": "object",
                    "properties": {
                        "city": {"type": "string", "description": "The name of the city."},
                        "days": {"type": "integer", "default": 3},
                    },
                    "required": ["city"],
                    "additionalProperties": False,
                },
            },
        }

    def test_a_function_with_another_docstring_style_is_described(self) -> None:
        parameters = {"type": "object", "properties": {"where": {"type": "string"}}}

        @tool(name="weather", description="The weather.", parameters=parameters, strict=True)
        def get_weather(**where: Any) -> None:
            """Not this."""

        expected = {"name": "weather", "description": "The weather.", "parameters": parameters, "strict": True}
        assert get_weather.to_dict()["function"] == expected

    def test_without_a_docstring_there_is_no_description(self) -> None:
        assert "description" not in tool(lambda: None, name="x").to_dict()["function"]

    @pytest.mark.parametrize(
        ("hint", "description"),
        [
            (Annotated[int, "how many"], "how many"),
            (Annotated[int, typing_extensions.Doc("how many")], "how many"),
            (Annotated[int, pydantic.Field(description="how many"), "not this"], "how many"),
            (Annotated[int, pydantic.Field(ge=1)], "as it is documented"),
            (int, "as it is documented"),
        ],
        ids=str,
    )
    def test_the_closest_description_of_a_parameter_counts(self, hint: Any, description: str) -> None:
        def take(n: int) -> None:
            """Take.

            :param n: as it is documented
            """

        take.__annotations__["n"] = hint
        assert tool(take).parameters["properties"]["n"]["description"] == description

    def test_an_unparsable_docstring_is_the_description(self) -> None:
        def take(n: int) -> None: ...

        take.__doc__ = "Take.\n\n:param\n"
        assert "Take." in tool(take).description

    def test_methods_partials_and_callables_are_described(self) -> None:
        class Shop:
            def find(self, article: str) -> None:
                """Find it."""

            def __call__(self, article: str) -> None:
                """Find it."""

        made = [Shop().find, functools.partial(get_weather, days=1), tool(Shop(), name="shop")]
        told = [(tool(one) if not isinstance(one, Tool) else one).to_dict()["function"] for one in made]
        assert [function["name"] for function in told] == ["find", "get_weather", "shop"]
        assert [list(function["parameters"]["properties"]) for function in told] == [
            ["article"],
            ["city", "days"],
            ["article"],
        ]
        assert [function["description"] for function in told] == ["Find it.", "Tell the weather.", "Find it."]

    def test_a_type_without_json_schema_is_refused_with_the_parameter(self) -> None:
        def ask(city: str, client: hf_text.Client) -> None: ...

        with pytest.raises(
            InvalidRequestError, match="the tool ask, parameter client: Unable to generate pydantic-core"
        ):
            tool(ask).to_dict()

    def test_a_missing_annotation_is_refused_by_name(self) -> None:
        def ask(city: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

        with pytest.raises(InvalidRequestError, match=r"the tool ask: name 'Nowhere' is not defined. Types in the"):
            tool(ask).to_dict()

    @pytest.mark.skipif("sys.version_info >= (3, 12)", reason="from Python 3.12 on it is taken")
    def test_a_typing_typed_dict_is_refused_with_the_alternative(self) -> None:
        from typing import TypedDict

        class Options(TypedDict):
            size: int

        def choose(options, more: int = 1): ...  # type: ignore[no-untyped-def]

        choose.__annotations__["options"] = Options
        with pytest.raises(InvalidRequestError, match=r"parameter options: Please use `typing_extensions.TypedDict`"):
            tool(choose).to_dict()

    def test_a_function_without_signature_is_refused(self) -> None:
        with pytest.raises(InvalidRequestError, match="it has no signature that Python can read"):
            tool(dict.fromkeys and type, name="x").to_dict()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (((3,), {}), "tool must be a function"),
            (((tool(get_weather),), {}), "tool must be a function"),
            (((lambda: 1,), {}), "the name of a tool must be"),
            (((get_weather,), {"name": "get weather"}), "the name of a tool must be"),
            (((get_weather,), {"name": "x" * 65}), "the name of a tool must be"),
            (((get_weather,), {"description": 3}), "description of the tool get_weather must be a str"),
            (((get_weather,), {"parameters": []}), "parameters of the tool get_weather must be a mapping"),
            (((get_weather,), {"strict": 1}), "strict of the tool get_weather must be a bool"),
            (((lambda: (yield),), {"name": "x"}), "the tool x is a generator function"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_an_invalid_tool_is_refused(self, arguments: Any, words: str) -> None:
        args, options = arguments
        with pytest.raises(InvalidRequestError, match=words):
            tool(*args, **options)


class TestTheFunctionItself:
    def test_a_tool_can_be_called_like_its_function(self) -> None:
        made = tool(get_weather)
        assert made("Paris", days=1) == "Paris, 1 days"
        assert inspect.signature(made) == inspect.signature(get_weather)
        assert (made.__name__, made.__doc__, repr(made)) == ("get_weather", get_weather.__doc__, "<Tool get_weather>")

    def test_function_attributes_do_not_interfere(self) -> None:
        def work() -> None: ...

        work.name = "not this"  # type: ignore[attr-defined]
        assert tool(work).name == "work"


class TestArguments:
    @pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
    def test_valid_arguments_can_be_called_with(self, function: Callable[..., Any]) -> None:
        made = tool(function)
        args, options = made.load(json.dumps(sample(made.parameters)))
        function(*args, **options)

    @pytest.mark.parametrize(
        ("written", "days"),
        [
            ('{"city": "Paris"}', 3),
            ('{"city": "Paris", "days": 1}', 1),
            ('{"city": "Paris", "days": "1"}', 1),
            (json.dumps('{"city": "Paris"}'), 3),
        ],
    )
    def test_arguments_are_read_leniently(self, written: str, days: int) -> None:
        assert tool(get_weather).load(written) == ([], {"city": "Paris", "days": days})

    @pytest.mark.parametrize("written", ["", " ", "null", "{}", '""'])
    def test_missing_arguments_are_an_empty_object(self, written: str) -> None:
        assert tool(lambda: None, name="x").load(written) == ([], {})

    @pytest.mark.parametrize("written", ['{"name": "Ann", "age": 7}', '{"person": {"name": "Ann", "age": 7}}'])
    def test_a_single_structured_parameter_can_be_wrapped_or_not(self, written: str) -> None:
        def greet(person: Person) -> None: ...

        assert tool(greet).load(written) == ([], {"person": Person(name="Ann", age=7)})

    @pytest.mark.parametrize(
        ("written", "words"),
        [
            ("{", "not valid JSON"),
            ("[" * 100_000, "not valid JSON"),
            ("3", "must be a JSON object, not a number"),
            ("true", "must be a JSON object, not a boolean"),
            ('"x', "not valid JSON"),
            ('"x"', "not valid JSON"),
            ('{"city": null}', "city: Input should be a valid string"),
            ('{"city": "\\ud800"}', "JSON|surrogate|unicode"),
            ('{"town": "Paris"}', "town: is not a parameter"),
            ('{"city": "Paris", "days": 1.5}', "days: Input should be a valid integer"),
        ],
    )
    def test_invalid_arguments_are_refused_with_a_short_message(self, written: str, words: str) -> None:
        with pytest.raises(ValueError, match=words) as caught:
            tool(get_weather).load(written)
        assert len(str(caught.value)) < 300

    def test_many_problems_are_summarized(self) -> None:
        def take(numbers: list[int]) -> None: ...

        with pytest.raises(ValueError, match="and 95 more") as caught:
            tool(take).load(json.dumps({"numbers": ["x"] * 100}))
        assert len(caught.value.errors) == 100  # type: ignore[attr-defined]
        assert len(str(caught.value)) < 800

    def test_a_given_schema_is_enforced(self) -> None:
        parameters = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        made = tool(get_weather, parameters=parameters)
        assert made.load('{"n": 1}') == ([], {"n": 1})
        with pytest.raises(ValueError, match="n: 'x' is not of type 'integer'"):
            made.load('{"n": "x"}')

    def test_a_default_is_the_same_object(self) -> None:
        mark = object()

        def take(a: int = 1, b: Any = mark) -> None: ...

        _, options = tool(take).load("{}")
        assert options["b"] is mark


@dataclass
class Pair:
    left: Point
    right: Any


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("plain é", "plain é"),
        (None, "null"),
        ({"a": [1, True]}, '{"a": [1, true]}'),
        (Pair(Point(1.0), {2}), '{"left": {"x": 1.0, "y": 0.0}, "right": [2]}'),
        (Person(name="Ann", age=7), '{"name": "Ann", "age": 7, "address": null}'),
        ([date(2026, 1, 2), Unit.CELSIUS, Decimal("1.5")], '["2026-01-02", "C", "1.5"]'),
        ({(1, 2): 3}, "{(1, 2): 3}"),
        (Path("/x"), '"/x"'),
    ],
    ids=str,
)
def test_results_are_converted_for_the_model(value: Any, told: str) -> None:
    assert tell(value) == told


def test_a_recursive_result_is_converted() -> None:
    value: list[Any] = []
    value.append(value)
    assert tell(value) == "[[...]]"


@pytest.mark.every_client
class TestInRequests:
    @pytest.mark.parametrize(
        "choice", ["get_weather", get_weather, tool(get_weather)], ids=["name", "function", "tool"]
    )
    def test_functions_tools_and_mappings_can_be_mixed(self, emulator: Any, client: Any, choice: Any) -> None:
        mapping = {"type": "function", "function": {"name": "other", "parameters": {"type": "object"}}}

        @tool
        def third() -> None: ...

        answer = client.generate("Go", tools=[get_weather, mapping, third], tool_choice=choice)
        sent = emulator.requests[-1].json
        assert [one["function"]["name"] for one in sent["tools"]] == ["get_weather", "other", "third"]
        assert sent["tool_choice"] == {"type": "function", "function": {"name": "get_weather"}}
        assert [call.name for call in answer.tool_calls] == ["get_weather"]

    def test_an_undescribable_function_is_refused_before_anything_is_sent(self, emulator: Any, client: Any) -> None:
        def ask(client: hf_text.Client) -> None: ...

        with pytest.raises(InvalidRequestError, match="the tool ask, parameter client"):
            client.stream("Go", tools=[ask])
        assert emulator.requests == []


WITHOUT = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
import hf_text
def get_weather(city: str) -> str:
    "The weather."
    return "sunny"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
"""


def run_without(hidden: str, program: str) -> str:
    source = f"HIDDEN = {hidden.split()!r}\n{WITHOUT}\n{textwrap.dedent(program)}"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=50, check=False)
    assert done.stderr == ""
    return done.stdout.strip()


class TestWithoutTheExtra:
    @pytest.mark.parametrize("missing", ["pydantic", "docstring_parser"])
    def test_a_plain_function_names_what_to_install(self, missing: str) -> None:
        program = """
            try:
                hf_text.Conversation(hf_text.Client("hf_x"), tools=[get_weather])
            except hf_text.MissingExtraError as error:
                print(error)
        """
        assert run_without(missing, program) == (f"schemas need the package {missing}: pip install 'hf_text[schema]'")

    def test_parse_names_what_to_install(self) -> None:
        program = """
            for kind in (int, SCHEMA):
                try:
                    hf_text.Client("hf_x").parse("Hi", kind)
                except hf_text.MissingExtraError as error:
                    print(str(error).split(":")[0])
        """
        told = run_without("pydantic jsonschema referencing", program)
        assert told == "schemas need the package pydantic\nschemas need the package jsonschema"

    def test_a_tool_with_its_own_schema_needs_no_extra(self) -> None:
        program = """
            made = hf_text.tool(get_weather, parameters=SCHEMA)
            mapping = {"type": "function", "function": {"name": "x"}}
            hf_text.Conversation(hf_text.Client("hf_x"), tools=[made, mapping])
            print(made.description, made.load('{"city": "Paris"}'))
        """
        assert run_without("pydantic docstring_parser jsonschema referencing", program) == (
            "The weather. ([], {'city': 'Paris'})"
        )

    def test_the_extra_is_not_imported_before_use(self) -> None:
        program = """
            client = hf_text.Client("hf_x")
            client.stream("Hi", tools=[hf_text.tool(get_weather, parameters=SCHEMA).to_dict()])
            made = hf_text.tool(get_weather)
            hf_text.Conversation(client)
            print(sorted({"pydantic", "docstring_parser", "jsonschema", "anyio"} & sys.modules.keys()))
            made.to_dict()
            print("pydantic" in sys.modules)
        """
        assert run_without("", program) == "[]\nTrue"


def test_errors_are_library_errors() -> None:
    assert issubclass(MissingExtraError, (HFTextError, ImportError))
