"""Deep, huge or odd JSON ends in a complete answer or a library error, and both can be handled afterwards.

Every error and completion is printed, pickled, copied and written as JSON, as programs and their loggers do.
"""

from __future__ import annotations

import copy
import gc
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from hf_text import Client, Completion, HFTextError
from hf_text.emulator import Emulator, Response

MakeClient = Callable[..., Client]

DIGITS = "9" * 4300  # the longest int that Python parses and prints
VALUES = {
    "deep": "[" * 900 + "]" * 900,
    "deeper": "[" * 100_000 + "]" * 100_000,
    "deep objects": '{"a":' * 900 + "1" + "}" * 900,
    "an int of 4300 digits": DIGITS,
    "an int of 4301 digits": DIGITS + "9",
    "a negative int of 4300 digits": f"-{DIGITS}",
    "a number without end": "1e999",
    "not a number": "NaN",
    "infinity": "-Infinity",
    "half a character": r'"\ud800"',
    "a character that ends a line": r'"a\u2028b\u0000c\u001b[2J"',
    "a long text": json.dumps("x" * 300_000),
    "many items": json.dumps([{}] * 5000),
    "many keys": json.dumps({str(number): number for number in range(5000)}),
    "nothing": "null",
    "a flag": "true",
    "an empty key": '{"":""}',
}

CHUNK = '{"choices":[{"index":0,"delta":{"content":"Hi"%s},"finish_reason":"stop"%s}]%s}'
PLACES: dict[str, Callable[[str], Response]] = {
    "an error": lambda value: Response(500, {"Content-Type": "application/json"}, f'{{"error":{value}}}'.encode()),
    "the message of an error": lambda value: Response(400, body=f'{{"error":{{"message":{value}}}}}'.encode()),
    "the code of an error": lambda value: Response(429, body=f'{{"error":{{"message":"x","code":{value}}}}}'.encode()),
    "beside an error": lambda value: Response(401, body=f'{{"message":"x","detail":{value},"a":{value}}}'.encode()),
    "an error alone": lambda value: Response(404, body=value.encode()),
    "an error in the stream": lambda value: Response.sse(f'{{"error":{{"message":"x","status":{value}}}}}', done=False),
    "an answer in one piece": lambda value: Response(
        200, {"Content-Type": "application/json"}, f'{{"choices":[{{"message":{{"content":{value}}}}}]}}'.encode()
    ),
    "JSON of another kind": lambda value: Response(200, {"Content-Type": "application/json"}, f"[{value}]".encode()),
    "a chunk": lambda value: Response.sse(value),
    "the choices": lambda value: Response.sse(f'{{"choices":{value}}}'),
    "the delta": lambda value: Response.sse(f'{{"choices":[{{"delta":{value},"finish_reason":"stop"}}]}}'),
    "the content": lambda value: Response.sse(
        f'{{"choices":[{{"delta":{{"content":{value}}},"finish_reason":"stop"}}]}}'
    ),
    "beside the content": lambda value: Response.sse(CHUNK % (f',"a":{value}', "", "")),
    "the reasoning": lambda value: Response.sse(CHUNK % (f',"reasoning":{value},"reasoning_details":{value}', "", "")),
    "beside the delta": lambda value: Response.sse(CHUNK % ("", f',"logprobs":{value},"b":{value}', "")),
    "beside the choices": lambda value: Response.sse(CHUNK % ("", "", f',"citations":{value},"c":{value}')),
    "the usage": lambda value: Response.sse(CHUNK % ("", "", f',"usage":{value}')),
    "the counts": lambda value: Response.sse(
        CHUNK % ("", "", f',"usage":{{"prompt_tokens":{value},"completion_tokens":{value},"total_tokens":{value}}}')
    ),
    "the finish reason": lambda value: Response.sse(
        f'{{"choices":[{{"delta":{{"content":"Hi"}},"finish_reason":{value}}}]}}'
    ),
    "the name of the model": lambda value: Response.sse(
        CHUNK % ("", "", f',"model":{value},"system_fingerprint":{value}')
    ),
    "a tool call": lambda value: Response.sse(CHUNK % (f',"tool_calls":{value}', "", "")),
    "the arguments of a tool call": lambda value: Response.sse(
        CHUNK % (f',"tool_calls":[{{"index":0,"id":"a","function":{{"name":"f","arguments":{value}}}}}]', "", "")
    ),
    "beside the arguments": lambda value: Response.sse(
        CHUNK
        % (
            f',"tool_calls":[{{"index":{value},"id":{value},"a":{value},"function":{{"name":"f","b":{value}}}}}]',
            "",
            "",
        )
    ),
}


def handle(value: Any) -> None:
    """What programs do with errors and completions."""
    assert str(value) is not None
    assert repr(value)
    for twin in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
        assert repr(twin) == repr(value)
    if isinstance(value, Completion):
        assert Completion.from_dict(json.loads(json.dumps(value.to_dict()))) is not None
        assert value._repr_markdown_() is not None
        json.dumps(value.to_message(reasoning=True))
    else:
        assert str(value).isprintable() or set(str(value)) & {"\n", "\t"}
        assert len(str(value)) < 5000
        if value.partial is not None:
            handle(value.partial)


@pytest.fixture(autouse=True)
def no_garbage(value: str) -> None:
    """Collect garbage of earlier tests first: no finalizer must run while the parser is at the recursion limit."""
    if value == "deeper":
        gc.collect()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", VALUES)
def test_an_answer_ends_in_text_or_a_library_error(
    emulator: Emulator, make_client: MakeClient, place: str, value: str
) -> None:
    emulator.always(PLACES[place](VALUES[value]))
    client = make_client(max_retries=0, api_base=emulator.api_base)
    stream = client.stream("Hi", "m")
    try:
        for event in stream.events():
            assert repr(event)
            assert repr(pickle.loads(pickle.dumps(event))) == repr(event)
        handle(stream.completion)
    except HFTextError as error:
        handle(error)


@pytest.mark.parametrize("value", VALUES)
def test_a_listing_ends_in_models_or_a_library_error(emulator: Emulator, make_client: MakeClient, value: str) -> None:
    hostile = VALUES[value]
    item = '{"id":"a/b","created":%s,"owned_by":%s,"providers":%s,"context_length":%s,"tags":%s,"likes":%s}'
    listing = item % ((hostile,) * 6)
    for body in (hostile, f'{{"data":{hostile}}}', f'{{"data":[{listing}]}}', f"[{listing}]"):
        emulator.always(Response(200, {"Content-Type": "application/json"}, body.encode()), path="/v1/models")
        emulator.always(Response(200, {"Content-Type": "application/json"}, body.encode()), path="/api/*")
        for ask in (lambda c: c.models(), lambda c: list(c.hub_models()), lambda c: c.mapping("a/b")):
            try:
                found = ask(make_client(max_retries=0))
            except HFTextError as error:
                handle(error)
            else:
                assert repr(found)
                assert repr(pickle.loads(pickle.dumps(found))) == repr(found)
