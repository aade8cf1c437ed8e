"""The server that a client talks to: Hugging Face, or any other that speaks the chat protocol."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from .errors import InvalidRequestError

__all__ = ["Server"]

_HUB_URL = "https://huggingface.co"
_ROUTER_URL = "https://router.huggingface.co"


@dataclass(frozen=True, slots=True)
class Server:
    """Addresses, without a slash at the end.

    Attributes:
        api_base: what ``/chat/completions`` and ``/models`` are below.
        hub_url: the Hub, for Hugging Face; None for any other server.
        router_url: what the routes of the single providers are below, for Hugging Face; None for any other server.
    """

    api_base: str
    hub_url: str | None = None
    router_url: str | None = None

    @classmethod
    def at(cls, api_base: str | None, hub_url: str | None, router_url: str | None) -> Server:
        """The server for a client's arguments. Raises InvalidRequestError for what is no URL."""
        hub = _check_url("hub_url", hub_url or os.environ.get("HF_ENDPOINT") or _HUB_URL)
        router = _check_url("router_url", router_url or os.environ.get("HF_TEXT_ROUTER_URL") or _ROUTER_URL)
        base = f"{router}/v1" if api_base is None else _check_url("api_base", api_base)
        return cls(base, hub, router) if base == f"{router}/v1" else cls(base)

    @property
    def hugging_face(self) -> bool:
        """Whether it is Hugging Face: then providers are chosen, the Hub is asked, and the user's key belongs there."""
        return self.hub_url is not None

    @property
    def host(self) -> str:
        """Its name in messages."""
        return urlsplit(self.api_base).netloc

    def completions(self, route: str | None = None) -> str:
        """The address of the chat completions, or those of a single provider's route below the router."""
        return f"{self.router_url}/{route}/v1/chat/completions" if route else f"{self.api_base}/chat/completions"


def _check_url(name: str, url: object) -> str:
    """The URL without what people copy along: a slash at the end, or the path of the chat completions itself."""
    if not isinstance(url, str):
        raise InvalidRequestError(f"{name} must be a URL such as http://localhost:8080/v1, not {url!r:.80}")
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.strip().isprintable() or " " in url.strip():
        raise InvalidRequestError(f"{name} must be a URL such as http://localhost:8080/v1, not {url!r:.200}")
    if parts.username or parts.password:
        raise InvalidRequestError(f"{name} must hold no user name or password; give the key as api_key")
    if parts.query or parts.fragment:
        raise InvalidRequestError(f"{name} must end with its path, without '?' or '#': {url!r:.200}")
    return url.strip().rstrip("/").removesuffix("/chat/completions").rstrip("/")
