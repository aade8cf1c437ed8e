"""Errors of servers: which ones blame the request itself, and which ones are temporary."""

from __future__ import annotations

import pytest

from hf_text.protocol.refusals import asks_to_retry, blames_request

FAULTS = {
    "llama.cpp, picture": "image input is not supported - hint: you may need to provide the mmproj",
    "llama.cpp, older": "image input is not supported by this server",
    "llama.cpp, sound": "audio input is not supported - hint: you may need to provide the mmproj",
    "llama.cpp, tools": "tools param requires --jinja flag",
    "llama.cpp, template": "Jinja Exception: Conversation roles must alternate user/assistant",
    "llama.cpp, part": "Failed to parse messages: Unsupported content part type",
    "llama.cpp, schema": "JSON schema conversion failed: Unrecognized schema",
    "llama.cpp, context": "the request exceeds the available context size",
    "LM Studio": 'Error rendering prompt with jinja template: "Unknown test: sequence"',
    "Ollama, tools": "registry.ollama.ai/library/gemma:2b does not support tools",
    "Ollama, picture": "this model is missing data required for image input",
    "vLLM, picture": "At most 0 image(s) may be provided in one prompt.",
    "vLLM, no vision": "acme/x is not a multimodal model",
    "vLLM, bytes": "cannot identify image file <_io.BytesIO object at 0x7f>",
    "vLLM, base64": "Incorrect padding",
    "llama.cpp, batch": "input is too large to process. increase the physical batch size",
    "nginx": "Request Entity Too Large",
    "a gateway, length": "Prompt is too long (200348 tokens > 200000 maximum)",
    "a gateway, context": "input length and max_tokens exceed context limit: 143653 + 64000 > 200000",
    "LiteLLM": "litellm.BadRequestError: OpenAIException - bad. LiteLLM Retried: 2 times, LiteLLM Max Retries: 2",
    "FastAPI": "1 validation error for ChatCompletionRequest: field required",
    "a model that is not there": "model 'acme/x' not found",
    "a field": "messages[0].content must be a string",
}

PATIENCE = [
    "Internal server error",
    "unknown error in the model inference server trace_id: 0123",
    "Unable to process request. Repeat the request later.",
    "An internal error has occurred. Please retry or report it",
    "Too busy",
    "Too many requests",
    "Model acme/x is currently loading",
    "The model is overloaded and does not support more requests, try again later",
    "That model is not supported by a replica with free capacity",
    "The request took too long to process",
    "The upstream server is taking too long to respond",
    "context deadline exceeded",
    "context canceled",
    "Rate limit exceeded: this server takes at most 10 concurrent requests",
    "json: cannot unmarshal array into Go value",
    "ResponseValidationError: 1 validation error",
    "upstream connect error or disconnect/reset before headers",
    "Failed to parse input at pos 5: <tool_call>",
    "",
]


@pytest.mark.parametrize("words", FAULTS.values(), ids=FAULTS)
def test_refusals_that_blame_the_request_are_recognised(words: str) -> None:
    assert blames_request(words)
    assert blames_request(words.upper())


@pytest.mark.parametrize("words", PATIENCE)
def test_transient_errors_do_not_blame_the_request(words: str) -> None:
    assert not blames_request(words)


@pytest.mark.parametrize(
    ("words", "asks"),
    [("Lock timeout", True), ("Please try again in 2 s", True), ("blocked", False), ("Max Retries: 2", False)],
)
def test_requests_to_retry_are_recognised(words: str, asks: bool) -> None:
    assert asks_to_retry(words) is asks


@pytest.mark.timeout(20)  # linear time takes a fiftieth of this
@pytest.mark.parametrize("size", [50_000, 500_000])
@pytest.mark.parametrize(
    "piece",
    ["model ", "exceed ", "context", "exceeding the ", "must ", "too ", "not ", "fail", " ", "at most 1", "try again"],
)
def test_no_text_takes_quadratic_time(piece: str, size: int) -> None:
    assert not blames_request(piece * (size // len(piece)))
