"""The models of a server and the providers that serve them, fetched from the router and the Hub, and cached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from . import protocol
from .checks import is_plain_path, refusal
from .endpoint import Endpoint
from .errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    HFTextError,
    InvalidRequestError,
    ModelNotSupportedError,
    NotFoundError,
)
from .protocol.jsons import begin_json
from .protocol.replies import next_link
from .transport.call import Call
from .transport.fetch import fetch_json
from .transport.locks import ForkSafeLock
from .transport.redirects import follow_link
from .transport.retries import Retries
from .transport.session import Http
from .tuning import Tuning

if TYPE_CHECKING:
    from .protocol.catalog import HubModel, Model, ProviderMapping

__all__ = ["Catalogue"]

T = TypeVar("T")

_PAGE_MODELS = 1000
_MAX_PAGES = 10_000  # a listing may link to next pages endlessly
_SHOWN = 200  # characters of an invalid document that an error message quotes
_LISTED_FIELDS = ("inferenceProviderMapping", "pipeline_tag", "tags", "likes", "downloads", "gated", "createdAt")


class Catalogue:
    """The catalogue of a server and, for Hugging Face, the provider mappings of the Hub.

    Args:
        connect: returns the HTTP session.
        endpoint: the server.
        max_retries: how often a failed request is retried.
        tuning: pauses between retries, expiry and size of the cache.
        overrides: provider mappings in the Hub's form, by model; they take precedence over the Hub's.
    """

    def __init__(
        self,
        connect: Callable[[], Http],
        endpoint: Endpoint,
        max_retries: int,
        tuning: Tuning,
        overrides: Mapping[str, Mapping[str, Mapping[str, Any]]],
    ) -> None:
        self._connect = connect
        self._endpoint = endpoint
        self._models_url = f"{endpoint.api_base}/models"
        self._max_retries = max_retries
        self._tuning = tuning
        self._overrides = {
            model: protocol.catalog.parse_mapping(_plain(mapping), default_status="live")
            for model, mapping in overrides.items()
        }
        self._cache: dict[str, tuple[float, Any]] = {}
        self._lock = ForkSafeLock()

    def models(self, call: Call, refresh: bool = False) -> list[Model]:
        """The server's models."""
        url = self._models_url
        return self._cached(url, lambda: self._ask(protocol.catalog.parse_models, call, url), refresh)

    def model(self, call: Call, name: str) -> Model | None:
        """One of the server's models, fetched individually unless the list is cached; None if it is unknown."""
        if not self.has_models():
            url = f"{self._models_url}/{quote(name, safe='/')}"
            try:
                return self._cached(url, lambda: self._ask(protocol.catalog.parse_model, call, url))
            except (BadRequestError, NotFoundError, ModelNotSupportedError):
                pass  # unknown model, or the server has no route for single models
            except APIStatusError as error:
                if error.status_code != 200:  # status 200: the server returned some other document
                    raise
        return next((model for model in self.models(call) if model.id == name), None)

    def override(self, model: str) -> dict[str, ProviderMapping]:
        """The providers that override the Hub's for a model; empty for most models."""
        return self._overrides.get(model, {})

    def mapping(self, call: Call, model: str) -> dict[str, ProviderMapping]:
        """The providers of a model, in the account's order.

        Raises ModelNotSupportedError for a model that is not on the Hub.
        """
        if not {".", ".."}.isdisjoint(model.split("/")):
            raise refusal("model", "the name of a model on the Hub", model)
        url = f"{self._hub()}/api/models/{quote(model, safe='/')}?expand[]=inferenceProviderMapping"
        return self._cached(
            url, lambda: self._parse(protocol.catalog.parse_mapping, url, self._ask_about(call, model, url))
        )

    def hub_pages(
        self, new_call: Callable[[], Call], search: str | None, provider: str, limit: int | None
    ) -> Iterator[list[HubModel]]:
        """The Hub's listing of served models; pages are fetched as needed."""
        query = {
            "inference": "warm",
            "inference_provider": provider,
            **({"search": search} if search else {}),
            "expand[]": _LISTED_FIELDS,
            "limit": min(limit or _PAGE_MODELS, _PAGE_MODELS),
        }
        return self._pages(new_call, f"{self._hub()}/api/models?{urlencode(query, doseq=True, safe='[]')}", limit)

    def chat_models(self, new_call: Callable[[], Call]) -> list[str]:
        """The names of all models that a provider serves for chat now."""
        pages = self.hub_pages(new_call, None, "all", None)
        return self._cached("chat", lambda: [model.id for page in pages for model in page if model.chat])

    def _pages(self, new_call: Callable[[], Call], url: str | None, left: int | None) -> Iterator[list[HubModel]]:
        seen: set[str] = set()
        while url and left != 0 and url not in seen and len(seen) < _MAX_PAGES:
            seen.add(url)
            value, headers = self._fetch(new_call(), url)
            page = self._parse(protocol.catalog.parse_hub_models, url, value)[:left]
            left = None if left is None else left - len(page)
            yield page
            url = self._next_page(url, headers)

    def _hub(self) -> str:
        if self._endpoint.hub_url is None:
            raise InvalidRequestError(f"api_base: {self._endpoint.host} is not Hugging Face, so the Hub cannot be used")
        return self._endpoint.hub_url

    def _ask_about(self, call: Call, model: str, url: str) -> Any:
        try:
            return self._fetch(call, url)[0]
        except (NotFoundError, AuthenticationError) as error:
            # Without a valid key, the Hub answers 401 instead of 404 for a missing model. Only this message means
            # that the key itself is invalid (huggingface_hub, utils/_http.py).
            if isinstance(error, AuthenticationError) and "Invalid credentials" in str(error):
                raise
            why = "no key was found; set HF_TOKEN" if self._connect().anonymous else "the key has no access to it"
            message = f"the Hub has no model {model!r}, or it is private and {why}"
            raise ModelNotSupportedError(
                message, model=model, status_code=error.status_code, request_id=error.request_id, body=error.body
            ) from error

    def _next_page(self, url: str, headers: Mapping[str, str]) -> str | None:
        following = next_link(headers.get("link", ""))
        return None if following is None else follow_link(url, following, self._connect().mask)

    def _fetch(self, call: Call, url: str) -> tuple[Any, Mapping[str, str]]:
        http, retries = self._connect(), Retries(self._max_retries, self._tuning)
        known = self._endpoint.hugging_face and not http.anonymous
        try:
            return fetch_json(http, call, url, retries, hugging_face=known)
        except HFTextError as error:
            self._endpoint.advise(error, anonymous=http.anonymous)
            raise

    def _ask(self, parse: Callable[[Any], T], call: Call, url: str) -> T:
        return self._parse(parse, url, self._fetch(call, url)[0])

    def _parse(self, parse: Callable[[Any], T], url: str, value: Any) -> T:
        try:
            return parse(value)
        except ValueError as error:
            shown = self._connect().mask.beginning(begin_json(value, _SHOWN), _SHOWN)
            message = f"{urlsplit(url).netloc}: {error}, but it sent {shown}"
        raise APIStatusError(message, status_code=200, body=shown)

    def has_models(self) -> bool:
        """Whether the cache can answer ``models()`` for at least another second."""
        expiry, _ = self._cache.get(self._models_url, (0.0, None))
        return expiry > self._tuning.clock() + 1.0

    def _cached(self, key: str, make: Callable[[], T], refresh: bool = False) -> T:
        """The cached value of the key, or a new one if there is none, it has expired, or ``refresh`` is set."""
        with self._lock:
            expiry, value = self._cache.get(key, (0.0, None))
        if refresh or expiry < self._tuning.clock():
            value = make()
            with self._lock:
                if len(self._cache) >= self._tuning.max_cached:
                    self._cache.clear()
                self._cache[key] = (self._tuning.clock() + self._tuning.cache_seconds, value)
        return value  # type: ignore[no-any-return]


def _plain(mapping: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    for provider in mapping:
        if not isinstance(provider, str) or not is_plain_path(provider):
            raise refusal("provider_mapping", "a mapping with names of providers", provider)
    return {provider: dict(entry) for provider, entry in mapping.items()}
