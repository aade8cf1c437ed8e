"""The server of a client: Hugging Face, or any other server that speaks the chat protocol."""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from .errors import HFTextError, InvalidRequestError
from .keys import leads_to_hugging_face, whose_key
from .patterns import pattern

__all__ = ["Endpoint"]

_HUB_URL = "https://huggingface.co"
_ROUTER_URL = "https://router.huggingface.co"

_VERSION = pattern(r"/v\d")
_LM_STUDIO = "Unexpected endpoint or method"  # LM Studio answers every unknown path with status 200 and this message

# A word that may be a key: it starts with hf_, or it is long and has no dots, unlike a host name.
_KEY = pattern(r"\bhf_\w+|(?<![\w.-])[\w-]{20,}(?![\w.-])")


class Endpoint(NamedTuple):
    """The base URLs of a server, without a trailing slash.

    Attributes:
        api_base: the base URL of ``/chat/completions`` and ``/models``.
        hub_url: the Hub, for Hugging Face; None for any other server.
        router_url: the base URL of the provider routes, for Hugging Face; None for any other server.
    """

    api_base: str
    hub_url: str | None = None
    router_url: str | None = None

    @classmethod
    def at(cls, api_base: str | None, hub_url: str | None, router_url: str | None) -> Endpoint:
        """The endpoint for a client's arguments. Raises InvalidRequestError for an invalid URL."""
        hub = _find_url("hub_url", hub_url, "HF_ENDPOINT", _HUB_URL)
        router = _find_url("router_url", router_url, "HF_TEXT_ROUTER_URL", _ROUTER_URL)
        base = f"{router}/v1" if api_base is None else _check_url("api_base", api_base)
        return cls(base, hub, router) if base == f"{router}/v1" else cls(base)

    @property
    def hugging_face(self) -> bool:
        """Whether the server is Hugging Face. If so, the client selects providers, queries the Hub and sends the user's
        key.
        """
        return self.hub_url is not None

    @property
    def takes_placeholders(self) -> bool:
        """Whether placeholder keys are accepted: the address is not Hugging Face's own, but an emulator or a proxy."""
        return not leads_to_hugging_face(self.api_base)

    @property
    def host(self) -> str:
        """Host and port, as messages name the server."""
        return urlsplit(self.api_base).netloc

    def advise(self, error: HFTextError, *, anonymous: bool) -> None:
        """Add advice to an error from this server if a wrong address or a missing key may be the cause.

        Args:
            error: the error.
            anonymous: whether the request was sent without a key.
        """
        answered = error.underlying
        advice = ""
        if anonymous and answered.status_code in (401, 403):
            advice = self._advise_key()
        elif answered.status_code in (404, 405) or _LM_STUDIO in str(error):
            # No advice if the path is right and the model is missing.
            known = self.hugging_face or "model" in str(getattr(answered, "body", "")).lower()
            advice = "" if known else self._advise_path()
        if advice and advice not in str(error):
            error.add_advice(advice)

    def _advise_key(self) -> str:
        if self.hugging_face:
            return "No key was found: set HF_TOKEN, or run 'hf auth login', or pass api_key=…"
        key = "hf_text.find_key()" if self.host.endswith(".endpoints.huggingface.cloud") else "…"
        return f"No key was given: pass api_key={key}, or set HF_TEXT_API_KEY for the command."

    def _advise_path(self) -> str:
        if _VERSION.search(urlsplit(self.api_base).path):
            return ""
        return f"The address has no /v1 at its end, which most servers need: try {self.api_base}/v1"

    def completions(self, route: str | None = None) -> str:
        """The URL of the chat completions, or that of a provider's own route on the router."""
        return f"{self.router_url}/{route}/v1/chat/completions" if route else f"{self.api_base}/chat/completions"


def _find_url(name: str, url: object, variable: str, default: str) -> str:
    """The given URL, else the one from the environment, else the default."""
    return _check_url(variable, os.environ.get(variable) or default) if url is None else _check_url(name, url)


def _check_url(name: str, url: object) -> str:
    """The URL, without a trailing slash or ``/chat/completions``, which are often copied with it."""
    if not isinstance(url, str):
        raise InvalidRequestError(f"{name} must be a URL such as http://localhost:8080/v1, not {url!r:.80}")
    url = url.strip()
    whose = whose_key(url)
    if whose is not None:
        raise InvalidRequestError(f"{name} must be a URL, not a key of {whose}. Pass it as api_key=")
    if "@" in url.partition("//")[2].partition("/")[0]:  # the message omits the URL: it may contain a password
        raise InvalidRequestError(f"{name} must not contain a user name or password; pass the key as api_key")
    base, mark, _ = re.split("([?#]|$)", url, maxsplit=1)  # the rest may be a key
    if mark:
        raise InvalidRequestError(f"{name} must end with its path, without {mark!r} and what follows: {base!r:.200}")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url:
        shown = _KEY.sub("***", url.rpartition("@")[2])  # the message must not contain a key or a password
        raise InvalidRequestError(f"{name} must be a URL such as http://localhost:8080/v1, not {shown!r:.200}")
    return url.rstrip("/").removesuffix("/chat/completions").rstrip("/")
