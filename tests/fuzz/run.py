"""Fuzz one target for five minutes with atheris (libFuzzer for Python)::

    pip install atheris && python tests/fuzz/run.py chunks

``chunks`` is one of the targets in ``targets.py``. Further arguments are passed to libFuzzer, such as
``-max_total_time=60``. The run starts from the corpus, prints each failure, writes the failing input to a new temporary
folder, and prints its path. After a fix, add the minimized input to ``corpus/TARGET/`` under a descriptive name:
``test_corpus.py`` runs the whole corpus with the tests, without atheris.
"""

from __future__ import annotations

import copy
import json
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

with atheris.instrument_imports(include=["hf_text", "sseclient"], exclude=["hf_text.emulator"]):
    from targets import TARGETS

# Words from server responses, from which the fuzzer builds its inputs.
WORDS = [
    *("choices", "delta", "message", "content", "role", "index", "id", "function", "name", "arguments", "tool_calls"),
    *("finish_reason", "usage", "prompt_tokens", "completion_tokens", "total_tokens", "completion_tokens_details"),
    *("reasoning", "reasoning_content", "reasoning_text", "reasoning_tokens", "refusal", "function_call", "thinking"),
    *("reasoning_details", "thinking_blocks", "audio", "images", "citations", "logprobs", "x_groq", "input_tokens"),
    *("base_resp", "status_msg", "error_message", "metadata", "raw", "success", "abort", "error:", "custom", "STOP"),
    *("type", "text", "error", "errors", "detail", "msg", "loc", "code", "status", "error_type", "http_status_code"),
    *(
        "data",
        "models",
        "providers",
        "provider",
        "pricing",
        "input",
        "output",
        "context_length",
        "max_model_len",
        "meta",
    ),
    *("n_ctx", "architecture", "input_modalities", "image", "supported_parameters", "tools", "live", "conversational"),
    *("inferenceProviderMapping", "providerId", "task", "features", "toolCalling", "performance", "providerDetails"),
    *(
        "object",
        "<think>",
        "</think>",
        "stop",
        "eos_token",
        "</s>",
        "\ud83d",
        "\ude00",
        "-1",
        "402",
        "created",
        "gated",
    ),
]
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    1e15,
    1 << 70,
    0.5,
    float("nan"),
    float("inf"),
    "",
    [],
    {},
    [{}],
    [[]],
]
JSON_TARGETS = ("chunks", "catalog")

DICTIONARY = [
    *(
        "data: ",
        "event: error",
        "\\x0a\\x0a",
        "\\x0d\\x0a",
        "\\x0d",
        "[DONE]",
        "\\xef\\xbb\\xbf",
        ": ping",
        "<html>",
        "<h1>",
    ),
    *("HTTP/1.1 200 OK", "HTTP/1.1 103 X", "HTTP/1.0 ", "Content-Length: ", "Transfer-Encoding: chunked"),
    *("Content-Encoding: gzip", "Content-Encoding: deflate", "Location: /v1/chat/completions", "Retry-After: "),
    *("retry-after-ms: ", "RateLimit: \\x22a\\x22;r=0;t=1", "x-inference-provider: novita", "Link: <a>; rel=next"),
    *(
        '{\\"error\\":',
        '{\\"choices\\":[{\\"delta\\":{\\"content\\":\\"',
        "\\x1f\\x8b\\x08",
        "0\\x0d\\x0a\\x0d\\x0a",
        ";a=b",
    ),
]


def change_json(data: bytes, most: int, seed: int) -> bytes:
    """Mutate one of the lines of JSON, or with probability 1/4 the raw bytes."""
    source = random.Random(seed)
    lines = data.split(b"\n")
    number = source.randrange(len(lines))
    try:
        value = json.loads(lines[number])
    except (ValueError, RecursionError):
        value = {}
    if source.random() < 0.25:
        return bytes(atheris.Mutate(data, most))
    for _ in range(source.randint(1, 3)):
        value = change(value, source)
    try:
        lines[number] = json.dumps(value).encode()
    except RecursionError:
        return data
    if source.random() < 0.2:
        lines.insert(number, source.choice(lines))
    return b"\n".join(lines)[:most]


def change(value: Any, source: random.Random) -> Any:
    """Return a JSON value with one random change."""
    if isinstance(value, (dict, list)) and value and source.random() < 0.8:
        key = source.choice(list(value)) if isinstance(value, dict) else source.randrange(len(value))
        act = source.random()
        if act < 0.1:
            del value[key]
        elif act < 0.2 and isinstance(value, dict):
            value[source.choice(WORDS)] = value[key]
        elif act < 0.2:
            value.append(value[key])
        else:
            value[key] = change(value[key], source)
        return value
    if isinstance(value, dict):
        return {**value, source.choice(WORDS): any_value(source)}
    if isinstance(value, list):
        return [*value, any_value(source)]
    if isinstance(value, str) and source.random() < 0.3:
        return value + source.choice(WORDS)
    wrap: list[Callable[[Any], Any]] = [lambda v: [v], lambda v: {source.choice(WORDS): v}, str]
    return source.choice(wrap)(value) if source.random() < 0.3 else any_value(source)


def any_value(source: random.Random) -> Any:
    return copy.deepcopy(source.choice([*VALUES, *WORDS]))


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"say which: {', '.join(TARGETS)}")
    name, *options = sys.argv[1:]
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    (folder / "inputs").mkdir()
    words = folder / "dictionary"
    words.write_text("".join(f'"{word}"\n' for word in DICTIONARY), "utf-8")
    print(f"what it finds is written to {folder}", file=sys.stderr)
    arguments = ["-max_total_time=300", "-timeout=10", "-rss_limit_mb=2000", "-max_len=4096", f"-dict={words}"]
    arguments += [f"-artifact_prefix={folder}/", *options, str(folder / "inputs"), str(HERE / "corpus" / name)]
    mutator = {"custom_mutator": change_json} if name in JSON_TARGETS else {}
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name], **mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
