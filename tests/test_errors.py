"""The exception tree matches the documented one, and every error keeps its data when pickled or copied."""

from __future__ import annotations

import copy
import inspect
import multiprocessing
import pickle
import re
from typing import Any

import pytest

import hf_text
from hf_text import errors
from hf_text.completion import Attempt, Completion, Timings
from hf_text.errors import (
    APIStatusError,
    HFTextError,
    InvalidRequestError,
    MissingExtraError,
    ModelNotSupportedError,
    PaymentRequiredError,
    ProviderStreamError,
    RateLimitError,
    RequestTimeoutError,
    StreamError,
    StructuredOutputError,
    TransportError,
)
from hf_text.events import ToolCall, Usage

CLASSES = [getattr(errors, name) for name in errors.__all__ if name != "HFTextWarning"]

ATTEMPTS = (Attempt("novita", 503, 0.5, "busy"), Attempt(None, None, 1.25, "connection refused"))
PARTIAL = Completion(
    "Blue",
    "Sky",
    (ToolCall("call_a", "now", "{}"),),
    None,
    Usage(12, 7, 19, cached_tokens=4),
    "acme/x",
    "novita",
    "Root=1-5",
    Timings(0.25, 1.5),
    ATTEMPTS,
)

STATUS: dict[str, Any] = {
    "status_code": 429,
    "code": "rate_limit_exceeded",
    "provider": "novita",
    "model": "acme/x",
    "request_id": "Root=1-5",
    "body": {"error": ["slow down", {"deep": None}]},
    "retry_after": 1.5,
}
MODEL: dict[str, Any] = {"model": "acme/x", "providers": ("novita", "groq"), "suggestions": ("acme/y",)}
INNER = RateLimitError("slow down", **STATUS)


def data_for(cls: type[HFTextError]) -> dict[str, Any]:
    """A value for every attribute that errors of this class have."""
    data: dict[str, Any] = {"attempts": ATTEMPTS}
    if issubclass(cls, ModelNotSupportedError):
        data |= MODEL | {"status_code": 400, "code": "model_not_found", "provider": "novita", "body": {"error": "no"}}
    if issubclass(cls, APIStatusError):
        data |= STATUS
    if issubclass(cls, PaymentRequiredError):
        data |= {"scope": "provider"}
    if issubclass(cls, TransportError) and not issubclass(cls, RequestTimeoutError):
        data |= {"retryable": True}
    if issubclass(cls, RequestTimeoutError):
        data |= {"clock": "gap", "seconds": 20.0, "partial": PARTIAL}
    if issubclass(cls, StreamError):
        data |= {"partial": PARTIAL}
    if issubclass(cls, StructuredOutputError):
        data |= {"errors": ("city: missing",)}
    if issubclass(cls, MissingExtraError):
        data |= {"package": "pydantic", "extra": "schema"}
    if issubclass(cls, ProviderStreamError):
        data |= {"error": INNER}
    return data


def facts(error: BaseException) -> Any:
    """All data of an error, for comparison: errors define no equality."""
    values = {name: facts(value) if isinstance(value, HFTextError) else value for name, value in vars(error).items()}
    return type(error), str(error), error.args, values


def drawn_tree() -> dict[str, str | None]:
    """Name to parent, from the tree in the module's docstring."""
    assert errors.__doc__ is not None
    tree: dict[str, str | None] = {}
    path: list[str] = []
    for line in errors.__doc__.splitlines():
        found = re.match(r"    ([│├└─ ]*)(\w+Error)\b", line)
        if found:
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            tree[found[2]] = path[depth - 1] if depth else None
    return tree


class TestTheTree:
    def test_every_class_is_drawn_and_exported(self) -> None:
        defined = {
            name
            for name, value in vars(errors).items()
            if inspect.isclass(value) and issubclass(value, BaseException) and value.__module__ == errors.__name__
        }
        assert {*drawn_tree(), "HFTextWarning"} == set(errors.__all__) == defined
        assert errors.__all__ == sorted(errors.__all__)

    @pytest.mark.parametrize("name", drawn_tree())
    def test_every_class_has_the_documented_base(self, name: str) -> None:
        cls, parent = getattr(errors, name), drawn_tree()[name]
        assert cls.__bases__[0] is (Exception if parent is None else getattr(errors, parent))

    def test_notes_in_the_drawing_are_correct(self) -> None:
        assert errors.__doc__ is not None
        assert re.findall(r"(\w+Error)\b.*\(also an? (\w+)( and a TypeError)?\)", errors.__doc__) == [
            ("InvalidRequestError", "ValueError", " and a TypeError"),
            ("MissingExtraError", "ImportError", ""),
            ("RequestTimeoutError", "TimeoutError", ""),
        ]
        assert issubclass(InvalidRequestError, ValueError)
        assert issubclass(InvalidRequestError, TypeError)
        assert issubclass(MissingExtraError, ImportError)
        assert issubclass(RequestTimeoutError, TimeoutError)

    def test_no_other_class_has_a_builtin_base(self) -> None:
        """``except ValueError`` around a call must not hide a server failure."""
        kinds = (ValueError, TypeError, OSError, LookupError, RuntimeError, ImportError)
        own = {cls.__name__ for cls in CLASSES if issubclass(cls, kinds)}
        assert own == {"InvalidRequestError", "MissingExtraError", "RequestTimeoutError"}

    @pytest.mark.parametrize("name", errors.__all__)
    def test_every_class_is_exported_by_the_package(self, name: str) -> None:
        assert getattr(hf_text, name) is getattr(errors, name)

    @pytest.mark.parametrize("cls", CLASSES)
    def test_every_class_says_when_it_is_raised(self, cls: type[HFTextError]) -> None:
        assert cls.__doc__
        assert "__doc__" in vars(cls)


@pytest.mark.parametrize("cls", CLASSES)
class TestEveryError:
    def test_str_is_the_message(self, cls: type[HFTextError]) -> None:
        assert str(cls("no: 'x'", **data_for(cls))) == "no: 'x'"
        assert str(cls()) == ""
        assert cls("no").args == ("no",)

    def test_its_data_are_attributes(self, cls: type[HFTextError]) -> None:
        data = data_for(cls)
        error = cls("no", **data)
        for name, value in data.items():
            assert getattr(error, name) == value

    def test_data_is_keyword_only(self, cls: type[HFTextError]) -> None:
        with pytest.raises(TypeError):
            cls("no", 429)  # type: ignore[misc]

    def test_unknown_data_is_refused(self, cls: type[HFTextError]) -> None:
        with pytest.raises(TypeError):
            cls("no", colour="red")

    def test_every_attribute_exists_without_data(self, cls: type[HFTextError]) -> None:
        error = cls("no")
        assert error.attempts == ()
        for name in data_for(cls):
            assert getattr(error, name) in (None, (), False, "account")

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_it_pickles_with_all_its_data(self, cls: type[HFTextError], protocol: int) -> None:
        error = cls("no", **data_for(cls))
        assert facts(pickle.loads(pickle.dumps(error, protocol))) == facts(error)

    def test_it_copies_with_all_its_data(self, cls: type[HFTextError]) -> None:
        error = cls("no", **data_for(cls))
        assert facts(copy.copy(error)) == facts(error)
        assert facts(copy.deepcopy(error)) == facts(error)

    def test_it_pickles_and_copies_without_data(self, cls: type[HFTextError]) -> None:
        for error in (cls("no"), cls()):
            assert facts(pickle.loads(pickle.dumps(error))) == facts(error)
            assert facts(copy.copy(error)) == facts(error)

    def test_later_additions_to_the_message_are_pickled(self, cls: type[HFTextError]) -> None:
        error = cls("no", **data_for(cls))
        error.args = (f"{error} Not tried again.",)
        assert str(error) == "no Not tried again."
        assert facts(pickle.loads(pickle.dumps(error))) == facts(error)

    def test_attributes_set_later_are_pickled(self, cls: type[HFTextError]) -> None:
        error = cls("no")
        error.attempts = ATTEMPTS
        assert pickle.loads(pickle.dumps(error)).attempts == ATTEMPTS


def test_sequences_become_tuples() -> None:
    error = ModelNotSupportedError("no", providers=["a"], suggestions=["b"], attempts=list(ATTEMPTS))
    assert (error.providers, error.suggestions, error.attempts) == (("a",), ("b",), ATTEMPTS)


def test_a_timeout_is_a_builtin_timeout_error() -> None:
    error = RequestTimeoutError("nothing came for 20 s", clock="gap", seconds=20.0)
    assert isinstance(error, (TimeoutError, OSError))
    assert str(error) == "nothing came for 20 s"
    assert error.errno is None
    assert error.retryable is False


def test_a_stream_error_has_its_status() -> None:
    assert ProviderStreamError("no", error=INNER).status_code == 429
    assert ProviderStreamError("no").status_code is None


def test_a_402_concerns_the_account_by_default() -> None:
    assert PaymentRequiredError("no").scope == "account"


def raise_in_worker() -> None:
    raise RequestTimeoutError("no", clock="first", seconds=5.0, partial=PARTIAL, attempts=ATTEMPTS)


def test_an_error_round_trips_through_another_process() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        with pytest.raises(RequestTimeoutError) as caught:
            pool.apply(raise_in_worker)
        pool.close()
        pool.join()
    assert (caught.value.clock, caught.value.partial, caught.value.attempts) == ("first", PARTIAL, ATTEMPTS)
