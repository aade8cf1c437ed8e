"""`tool`: a function with its description for the model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property, partial, update_wrapper
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from ..checks import refusal
from ..errors import InvalidRequestError, MissingExtraError
from ..patterns import pattern
from ..schemas import load_object, schema_as_given, schema_of_parameters
from ..schemas.written import written_function

if TYPE_CHECKING:
    from ..schemas.mapped import Mapped
    from ..schemas.parameters import Parameters

__all__ = ["Tool", "tool"]

P = ParamSpec("P")
R = TypeVar("R")

_NAME = pattern(r"[a-zA-Z0-9_-]{1,64}")  # OpenAI, "Create chat completion", tools[].function.name


class Tool(Generic[P, R]):
    """A function that a model may call. It can be called like the function itself; ``tool`` makes one.

    The schema is derived from the signature and the docstring, by pydantic and docstring_parser, on first
    use; a tool with an explicit schema needs neither.

    Args:
        function: the function; it may be async, for async conversations.
        name: its name for the model. None: the function's.
        description: what it does. None: from the docstring.
        parameters: the JSON schema of its arguments. None: from the signature.
        strict: sent with the tool if given: the server makes the model follow the schema. Some servers reject it.

    Attributes:
        function, name: as above.

    Raises InvalidRequestError for anything that cannot be a tool.
    """

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        description: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        strict: bool | None = None,
    ) -> None:
        if not callable(function) or isinstance(function, Tool):
            raise refusal("tool", "a function", function)
        update_wrapper(self, function)
        self.function = function
        self.name: str = _check_name(_name_of(function) if name is None else name)
        self._description = self._check("description", description, str)
        self._parameters = self._check("parameters", parameters, Mapping)
        self._strict = self._check("strict", strict, bool)
        if any(test(written_function(function)) for test in (inspect.isgeneratorfunction, inspect.isasyncgenfunction)):
            raise InvalidRequestError(f"the tool {self.name} is a generator function; a tool returns its result")

    def __call__(self, *args: P.args, **options: P.kwargs) -> R:
        """Call the function itself."""
        return self.function(*args, **options)

    def __get__(self, instance: Any, owner: Any = None) -> Tool[..., R]:
        """Bind a method: return the tool of that instance."""
        if instance is None:
            return self
        bound = self.function.__get__(instance, owner)
        given = {"description": self._description, "parameters": self._parameters, "strict": self._strict}
        return Tool(bound, name=self.name, **given)

    @property
    def is_async(self) -> bool:
        """Whether the function is async, so that an async conversation is needed."""
        return inspect.iscoroutinefunction(written_function(self.function))

    @property
    def description(self) -> str:
        """The description of its purpose for the model; empty if unknown."""
        if self._description is not None:
            return str(self._description)
        if self._parameters is not None:
            return inspect.getdoc(written_function(self.function)) or ""
        return self._derived.description

    @property
    def parameters(self) -> dict[str, Any]:
        """The JSON schema of its arguments. Raises MissingExtraError, and InvalidRequestError for a parameter that
        cannot be described to a model.
        """
        return dict(self._derived.schema if self._parameters is None else self._parameters)

    def to_dict(self) -> dict[str, Any]:
        """The tool in the form of the chat protocol. Raises what ``parameters`` raises."""
        function: dict[str, Any] = {"name": self.name}
        if self.description:
            function["description"] = self.description
        function["parameters"] = self.parameters
        if self._strict is not None:
            function["strict"] = self._strict
        return {"type": "function", "function": function}

    def load(self, arguments: str) -> tuple[list[Any], dict[str, Any]]:
        """The positional and keyword arguments for the function, from the JSON that a model wrote.

        An explicit schema is checked only if jsonschema is installed. Raises ValueError for arguments that
        do not fit.
        """
        if self._parameters is None:
            return self._derived.load(arguments)
        value = load_object(arguments)
        return [], value if self._mapped is None else self._mapped.load(value)

    @cached_property
    def _derived(self) -> Parameters:
        return schema_of_parameters(self.function, f"the tool {self.name}")

    @cached_property
    def _mapped(self) -> Mapped | None:
        try:
            return schema_as_given(self.parameters, f"parameters of the tool {self.name}")
        except MissingExtraError:
            return None

    def _check(self, argument: str, value: Any, kind: type) -> Any:
        if value is not None and not isinstance(value, kind):
            raise refusal(f"{argument} of the tool {self.name}", f"a {kind.__name__.lower()} or None", value)
        return value

    def __repr__(self) -> str:
        return f"<Tool {self.name}>"


@overload
def tool(function: Callable[P, R]) -> Tool[P, R]: ...


@overload
def tool(
    function: Callable[P, R],
    *,
    name: str | None = None,
    description: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    strict: bool | None = None,
) -> Tool[P, R]: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    strict: bool | None = None,
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...


def tool(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    strict: bool | None = None,
) -> Any:
    """Make a function a tool that a model may call; also as a decorator, with or without arguments.

    ::

        @hf_text.tool
        def get_weather(city: str, unit: Literal["C", "F"] = "C") -> str:
            \"\"\"The weather now.

            Args:
                city: the name of the city.
            \"\"\"

    The arguments and errors are those of ``Tool``.
    """
    options = {"name": name, "description": description, "parameters": parameters, "strict": strict}
    return partial(Tool, **options) if function is None else Tool(function, **options)  # type: ignore[arg-type]


def _name_of(function: Callable[..., Any]) -> Any:
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__name__", type(function).__name__)


def _check_name(name: Any) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        rule = "1 to 64 of the letters a-z, A-Z, digits, _ and - (pass name=…)"
        raise refusal("the name of a tool", rule, name)
    return name
