"""Recognises error messages that blame the request, whatever the response status.

Several servers respond with 500 to a request that can never succeed: llama.cpp to a picture that its model does not
support, to roles that a chat template rejects and to tools without ``--jinja``; vLLM to a picture that cannot be
decoded; gateways to any request that their provider rejected with 400. A retry repeats the upload and fails again.
"""

from __future__ import annotations

import re

from ..patterns import pattern

__all__ = ["asks_to_retry", "blames_request"]

# Phrases used by actual servers. Gaps between two words are bounded, so matching takes linear time.
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

# A message that asks for a retry takes precedence.
_PATIENCE = pattern(
    r"try again (?:later|in|after|shortly|soon)|please (?:try again|retry)|\bretry\b|temporar|overload|capacity"
    r"|\bloading\b|deadline|\btimed?[ -]?out\b|\block(?:ed)?\b|unavailable",
    re.IGNORECASE,
)


def blames_request(words: str) -> bool:
    """Whether a server's message blames the request itself, so that a retry would be rejected again."""
    return _FAULT.search(words) is not None and not asks_to_retry(words)


def asks_to_retry(words: str) -> bool:
    """Whether a server's message says that the same request may succeed later."""
    return _PATIENCE.search(words) is not None
