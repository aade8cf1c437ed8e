"""Refusals in words: what a server says is wrong with the request, whatever status it says it with.

Several servers answer 500 to a request that will never do: llama.cpp to a picture that its model cannot see, to roles
that a chat template refuses and to tools without ``--jinja``; vLLM to a picture that cannot be decoded; gateways to
whatever their provider refused with 400. To send the same again costs the upload and gives the same.
"""

from __future__ import annotations

import re

from ..patterns import pattern

__all__ = ["asks_to_retry", "blames_request"]

# Each phrase as some server writes it. What comes between two words is bounded, so that a text is read in linear time.
_FAULT = pattern(
    r"not[ _]support|unsupported|not a multimodal model|missing data required for"  # llama.cpp, Ollama, vLLM
    r"|requires --|\bat most \d{1,9} (?:image|audio|video|file)"  # llama.cpp (--jinja), vLLM
    r"|jinja|chat template|template ?error|raise_exception|roles must alternate"  # llama.cpp, LM Studio, transformers
    r"|fail(?:ed|ure) to parse (?:messages|tools?|tool_choice|grammar|json|response_format)|schema conversion failed"
    r"|(?:prompt|input|request|message|payload|body|image|file|entity|context|content|text|sequence|conversation)s?"
    r"(?: is| are)? too (?:long|large|big)\b|maximum context"
    r"|exceed\w{0,4} .{0,60}(?:context|length)|context (?:size|length|window|limit)\w? .{0,30}exceed"
    r"|cannot identify image|(?:invalid|unknown|corrupt\w{0,3}) (?:image|audio|base64)|decode image|incorrect padding"
    r"|(?:badrequest|unsupportedparams|contextwindowexceeded)error"  # LiteLLM
    r"|validation errors? for \w{0,40}request"  # pydantic
    r"|invalid[ _](?:request|parameter|argument|value|type|role|message)|not[ _](?:permitted|allowed)"
    r"|(?:missing|field) required|must (?:be an?\b|alternate|contain|start|end|not)"
    r"|(?:unknown|invalid|no such) model|\bmodel.{0,100}(?:not found|does not exist)",
    re.IGNORECASE | re.DOTALL,
)

# But a server that asks for patience is believed.
_PATIENCE = pattern(
    r"try again (?:later|in|after|shortly|soon)|please (?:try again|retry)|\bretry\b|temporar|overload|capacity"
    r"|\bloading\b|deadline|\btimed?[ -]?out\b|\block(?:ed)?\b|unavailable",
    re.IGNORECASE,
)


def blames_request(words: str) -> bool:
    """Whether these words of a server say that the request itself is at fault, so that it would be refused again."""
    return _FAULT.search(words) is not None and not asks_to_retry(words)


def asks_to_retry(words: str) -> bool:
    """Whether these words of a server say that the same request may do later."""
    return _PATIENCE.search(words) is not None
