"""What an error means for someone at a terminal: one line that ends with what to do next."""

from __future__ import annotations

import re

from ..errors import (
    AuthenticationError,
    HFTextError,
    InvalidRequestError,
    MissingAuthError,
    ModelNotSupportedError,
    NotFoundError,
    PaymentRequiredError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    StreamError,
    TransportError,
)

__all__ = ["explain"]

_NO_KEY = (
    "no Hugging Face key was found. Make one at https://huggingface.co/settings/tokens and put it into the environment "
    'variable HF_TOKEN; or see how it works without one: hf-text --demo "Hello!"'
)

_OPTIONS = (
    *("api_base", "bill_to", "max_tokens", "media", "model", "provider", "reasoning_effort", "seed", "stop"),
    *("temperature", "timeout", "top_p"),
)
_TYPED = {name: f"--{name.replace('_', '-')}" for name in _OPTIONS}
_TYPED |= {"verify": "--ca-bundle", "response_format": "--schema"}

# The first class that fits.
_ADVICE: tuple[tuple[type[HFTextError], str], ...] = (
    (ModelNotSupportedError, "Choose another model with -m."),
    (NotFoundError, "Check the model (-m) and the address (--api-base)."),
    (RateLimitError, "Wait a while, or choose another provider (--provider) or model (-m)."),
    (ServerError, "Try again, or choose another provider (--provider) or model (-m)."),
    (RequestTimeoutError, "Try again; --timeout gives it longer."),
    (TransportError, "Try again."),
    (StreamError, "The answer is not whole: ask again."),
)


def explain(error: HFTextError) -> str:
    """The error in one line, with what to do next where the error itself does not tell."""
    if isinstance(error, MissingAuthError):
        return _NO_KEY
    text = _name_options(" ".join(str(error).split()), error)
    advice = _advise(error)
    if not advice:
        return text
    return f"{text} {advice}" if text.endswith((".", "!")) else f"{text}. {advice}"


def _name_options(text: str, error: HFTextError) -> str:
    """The library's names of arguments as they are typed here."""
    text = text.replace("bill_to='its-name'", "--bill-to NAME")
    if not isinstance(error, InvalidRequestError):
        return text
    text = re.sub(r"^timeout: (connect|first|gap)\b", "--timeout", text)
    return re.sub(r"^(\w+)\b", lambda found: _TYPED.get(found[1], found[1]), text)


def _advise(error: HFTextError) -> str:
    if "HF_TEXT_API_KEY" in str(error):
        return ""
    if isinstance(error, AuthenticationError) and "https://" not in str(error):  # Hugging Face's names the page
        return "The key of this server goes into the environment variable HF_TEXT_API_KEY."
    if isinstance(error, PaymentRequiredError) and error.scope == "provider":
        return "Choose another provider with --provider."
    if isinstance(error, ModelNotSupportedError) and error.providers:
        return "Choose one of these with --provider, or another model with -m."
    if str(error).endswith("?"):  # it asks what to look after
        return ""
    return next((advice for kind, advice in _ADVICE if isinstance(error, kind)), "")
