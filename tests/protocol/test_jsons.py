"""Both JSON parsers give the same result: users must not notice whether orjson is installed."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from types import FunctionType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_text.protocol import jsons

Loads = FunctionType


@pytest.fixture(params=["orjson", "json"])
def loads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Loads:
    """The module's ``loads``, with and without orjson."""
    if request.param == "orjson":
        pytest.importorskip("orjson")
    else:
        monkeypatch.setitem(sys.modules, "orjson", None)
    spec = importlib.util.find_spec("hf_text.protocol.jsons")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.loads


def test_the_expected_json_parser_is_used(loads: Loads, request: pytest.FixtureRequest) -> None:
    assert ("orjson" not in loads.__globals__) is (request.node.callspec.params["loads"] == "json")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", {}),
        (' {"a": [1, 2.5, true, false, null, "b"]} \n', {"a": [1, 2.5, True, False, None, "b"]}),
        ('"aé天😀\u2028"', "aé天😀\u2028"),
        ('"\\ud83d\\ude00\\u2028\\n\\/"', "😀\u2028\n/"),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ("[]", []),
        ("5", 5),
        ("-0.0", -0.0),
        ("9007199254740993", 9007199254740993),
        ("null", None),
        ('"\x7f"', "\x7f"),
    ],
)
@pytest.mark.parametrize("as_bytes", [True, False])
def test_text_and_bytes_are_read(loads: Loads, text: str, value: Any, as_bytes: bool) -> None:
    assert loads(text.encode() if as_bytes else text) == value


@pytest.mark.parametrize("as_bytes", [True, False])
def test_json_only_accepted_by_the_standard_library_is_read(loads: Loads, as_bytes: bool) -> None:
    """Some servers write NaN for a log probability, or split a surrogate pair."""

    def read(text: str) -> Any:
        return loads(text.encode() if as_bytes else text)

    assert math.isnan(read('{"logprob": NaN}')["logprob"])
    assert read("[Infinity, -Infinity, 1e400]") == [math.inf, -math.inf, math.inf]
    assert read('"a\\ud83d"') == "a\ud83d"
    assert read('["\\ude00", "\\ud83d b"]') == ["\ude00", "\ud83d b"]


@pytest.mark.parametrize(
    "text",
    ["", " ", "{", "[1,]", "{'a': 1}", '{"a"}', "[1] 2", "nul", "undefined", '"a', '"a\nb"', "01", "<html>", "\ufeff1"],
)
def test_broken_json_is_a_value_error(loads: Loads, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        loads(text)


def test_invalid_utf8_is_a_value_error(loads: Loads) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        loads(b'"\xff"')


def test_the_error_has_the_position(loads: Loads) -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        loads('{"a": 1, b}')
    assert caught.value.pos == 9


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_any_json_is_read_like_the_standard_library_reads_it(value: Any) -> None:
    text = json.dumps(value)
    assert repr(jsons.loads(text)) == repr(jsons.loads(text.encode())) == repr(json.loads(text))
