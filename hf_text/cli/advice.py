"""Error messages for the terminal: one line that ends with the next step."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

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
    "no Hugging Face key was found. Create one at https://huggingface.co/settings/tokens and set the environment "
    'variable HF_TOKEN; or try it without a key: hf-text --demo "Hello!"'
)

_KEY_OF_SERVER = "put a key in the environment variable HF_TEXT_API_KEY"

_OPTIONS = (
    *("api_base", "bill_to", "max_tokens", "media", "model", "provider", "reasoning_effort", "seed", "stop"),
    *("temperature", "timeout", "top_p"),
)
_TYPED = {name: f"--{name.replace('_', '-')}" for name in _OPTIONS}
_TYPED |= {"verify": "--ca-bundle", "response_format": "--schema"}

_OTHER_PROVIDER = " another provider (--provider) or model (-m)"

# The first matching class decides.
_ADVICE: tuple[tuple[type[HFTextError], str], ...] = (
    (ModelNotSupportedError, "Choose another model with -m; hf-text models lists them."),
    (NotFoundError, "Check the model (-m) and the address (--api-base)."),
    (RateLimitError, f"Wait a while, or choose{_OTHER_PROVIDER}."),
    (ServerError, f"Try again, or choose{_OTHER_PROVIDER}."),
    (RequestTimeoutError, "Try again, or allow more time with --timeout."),
    (TransportError, "Try again."),
)


def explain(error: HFTextError) -> str:
    """Return the error in one line, with the next step unless the message already contains it."""
    if isinstance(error, MissingAuthError):
        return _NO_KEY
    text = _name_options(" ".join(str(error).split()), error)
    advice = _advise(error)
    if not advice:
        return text
    return f"{text} {advice}" if text.endswith((".", "!", "?")) else f"{text}. {advice}"


def _name_options(text: str, error: HFTextError) -> str:
    """Replace the library's names of arguments and types with the command line's."""
    text = text.replace("bill_to='its-name'", "--bill-to NAME").replace("pass the key as api_key", _KEY_OF_SERVER)
    if not isinstance(error, InvalidRequestError):
        return text
    text = re.sub(r"^Client\.stream\(\) has no argument", "-o: a call has no option", text)
    text = text.replace("'api_key' is an argument of Client()", f"A{_KEY_OF_SERVER.removeprefix('a')}")
    text = text.replace("'api_base' is an argument of Client()", "It is called --api-base")
    text = text.replace(
        "generate() returns the whole answer, stream() yields it in pieces", "Answers are written as they arrive"
    )
    text = text.replace(
        "Pass the server's address as api_base=",
        "Put it in HF_TEXT_API_KEY, and pass the server's address with --api-base",
    )
    text = text.replace("Use api_base= for the address of a server", "Use --api-base for the address of a server")
    text = re.sub(r", or Timeouts\(.*?\)", "", text)
    text = re.sub(r"^(\w+)\b(\[\d+\])?", lambda found: _TYPED.get(found[1], found[0]), text)
    text = re.sub(r"\bextra_body=\{'(\w+)': …\}", r"""-o extra_body '{"\1": …}'""", text)
    return re.sub(r"\bnot (?:float|int|str): ", "not ", text).replace("an int of", "a whole number of")


def _advise(error: HFTextError) -> str:
    text = str(error)
    if "HF_TEXT_API_KEY" in text or text.endswith("?"):  # it contains the advice, or asks the user to check something
        return ""
    if "begins with http://" in text:
        return "Check the beginning of --api-base."
    if "does not speak HTTP" in text:
        return "Check the address and the port (--api-base)."
    if "HTML page" in text:
        return (
            "It may come from a network that requires you to sign in, or from a proxy: open any page in a browser. "
            "If not, check --api-base, which often ends with /v1."
        )
    if isinstance(error, AuthenticationError) and "https://" not in text:  # Hugging Face's message links the page
        return "Put the key for this server in the environment variable HF_TEXT_API_KEY."
    if "does not list the model" in text:  # the model may be a positional argument or the value of -m
        return "hf-text models lists the available ones."
    if isinstance(error, PaymentRequiredError) and error.scope == "provider":
        return "Choose another provider with --provider."
    if isinstance(error, ModelNotSupportedError) and error.providers:
        return _suggest_provider(text, error.providers)
    if isinstance(error, StreamError):
        return "The answer is not complete: try again." if error.partial and error.partial.text else "Ask again."
    advice = next((advice for kind, advice in _ADVICE if isinstance(error, kind)), "")
    return advice if error.provider else advice.replace(_OTHER_PROVIDER, " another model (-m)")


def _suggest_provider(text: str, providers: Sequence[str]) -> str:
    """Suggest a provider: the requested one may be a misspelling of one that serves the model."""
    asked = re.search(r"by provider '([^']+)'", text)
    near = difflib.get_close_matches(asked[1], providers, 1) if asked else []
    meant = f"Did you mean --provider {near[0]}? " if near and asked and near[0] != asked[1] else ""
    return f"{meant}Choose one of these with --provider, or another model with -m."
