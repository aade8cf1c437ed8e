"""The operations that ``Client`` and ``AsyncClient`` share. Each takes or creates a ``Call``, which bounds it with
timeouts and can cancel it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from . import protocol
from .catalogue import Catalogue
from .checks import check_int, refusal, show, without_self
from .completion import Completion
from .endpoint import Endpoint
from .errors import HFTextError, InvalidRequestError, MissingAuthError, ModelNotSupportedError
from .generation.breaker import Breaker
from .generation.failover import check_provider
from .generation.loop import Generation
from .generation.plan import UNNAMED_MODEL
from .generation.request import Backend, Request
from .generation.steps import Steps
from .generation.transcript import Transcript
from .keys import clean_key, find_key
from .protocol.media import Media, add_media, has_media
from .protocol.messages import Messages, check_messages
from .protocol.names import DEFAULT_MODEL, DEFAULT_VISION_MODEL, MODEL_ALIASES
from .protocol.payload import build_payload
from .protocol.suffixes import split_suffix
from .tools import describe_tools, name_of_choice
from .transport.call import DEFAULT, Call, Timeouts
from .transport.checks import check_headers, check_proxies
from .transport.locks import ForkSafeLock
from .transport.session import Http
from .transport.tls import check_cert
from .tuning import DEFAULT_TUNING, Tuning

if TYPE_CHECKING:
    from .protocol.catalog import HubModel, Model, ModelProvider, ProviderMapping

__all__ = ["MAX_EVENT_BYTES", "HasCompletions", "Operations", "completions_of", "resolve_alias"]

MAX_EVENT_BYTES = 64 * 1024 * 1024

_NO_KEY = (
    "no Hugging Face key was found. Create one at https://huggingface.co/settings/tokens and set the "
    "environment variable HF_TOKEN, or run 'hf auth login', or pass api_key=…; for your own server pass api_base=…"
)


class HasCompletions(Protocol):
    """An object made from several answers: a conversation, a ``Parsed``."""

    @property
    def completions(self) -> Iterable[Completion]:
        """The answers."""


def completions_of(answers: Completion | HasCompletions) -> list[Completion]:
    """The answers of an object, or a single answer as a list. Raises InvalidRequestError for any other object."""
    if isinstance(answers, Completion):
        return [answers]
    completions = getattr(answers, "completions", None)
    if completions is None:
        raise refusal("answers", "a Completion (of a stream: stream.completion), a Conversation or a Parsed", answers)
    return list(completions)


class Operations:
    """The operations of a client. The arguments are those of ``Client``, the tuning, and ``include_usage``, the default
    of calls that do not set it (None: only for Hugging Face).

    Attributes:
        arguments: the constructor arguments, to create a copy.
        endpoint: the addresses of the server.
    """

    def __init__(
        self,
        # Arguments of Client (.ci/signatures.py)
        api_key: str | None = None,
        *,
        api_base: str | None = None,
        model: str | None = None,
        provider: str | Sequence[str] = "auto",
        timeout: Timeouts | float = DEFAULT,
        max_retries: int = 2,
        bill_to: str | None = None,
        headers: Mapping[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
        verify: bool | str = True,
        cert: str | tuple[str, str] | None = None,
        hub_url: str | None = None,
        router_url: str | None = None,
        max_event_bytes: int = MAX_EVENT_BYTES,
        provider_mapping: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
        # Further arguments
        include_usage: bool | None = None,
        tuning: Tuning = DEFAULT_TUNING,
    ) -> None:
        self.arguments: dict[str, Any] = without_self(locals())
        self.tuning: Tuning = tuning
        self.endpoint: Endpoint = Endpoint.at(api_base, hub_url, router_url)
        self._include_usage = self.endpoint.hugging_face if include_usage is None else include_usage
        self._given_key = clean_key(
            api_key, hugging_face=self.endpoint.hugging_face, placeholders=self.endpoint.takes_placeholders
        )
        self._model = None if model is None else _check_model(model)
        self._timeouts = Timeouts.of(timeout)
        self._providers = check_provider(provider)
        self._headers = check_headers(headers)
        payer = _check_bill_to(bill_to)
        if self.endpoint.hugging_face:
            self._headers |= payer
        self._proxies = check_proxies(proxies)
        self._verify = _check_verify(verify)
        self._cert = check_cert(cert)
        max_retries = check_int("max_retries", max_retries, 0)
        max_event_bytes = check_int("max_event_bytes", max_event_bytes, 1)
        self._catalogue = Catalogue(self.connect, self.endpoint, max_retries, tuning, provider_mapping or {})
        self._backend = Backend(
            self.endpoint, self.connect, self._catalogue, Breaker(tuning), max_retries, tuning, max_event_bytes
        )
        self._closers: set[str] = set()  # models that close a think tag which the chat template opened
        self._http: Http | None = None
        self._lock = ForkSafeLock()

    def counting_tokens(self) -> Operations:
        """A copy for a server that is known to send token counts: every call requests them."""
        return Operations(**{**self.arguments, "include_usage": True})

    def new_call(self, timeout: Timeouts | float = DEFAULT) -> Call:
        """A call with these timeouts, by default the client's."""
        return Call(self._timeouts if timeout is DEFAULT else Timeouts.of(timeout))

    def open(
        self,
        messages: Messages,
        model: str | None = None,
        *,
        media: Media | None = None,
        include_usage: bool | None = None,
        extra_headers: Mapping[str, str] | None = None,
        provider: str | Sequence[str] | None = None,
        timeout: Timeouts | float = DEFAULT,
        fallback_models: Sequence[str] = (),
        **options: Any,
    ) -> Steps:
        """The steps of an answer; nothing is sent before the first step.

        The arguments are those of ``Client.stream``; ``options`` are fields of the body (``build_payload``). If no
        provider serves the model, the ``fallback_models`` are tried in order.
        """
        checked = add_media(check_messages(messages), media)
        options = {option: value for option, value in options.items() if value is not None}
        _describe_functions(options)
        name = self._choose_model(model, checked)
        payload = build_payload(
            model=name or UNNAMED_MODEL,
            messages=checked,
            include_usage=self._include_usage if include_usage is None else include_usage,
            **options,
        )
        del payload["model"]
        providers = self._providers if provider is None else check_provider(provider)
        request = Request(payload, name, providers, check_headers(extra_headers, "extra_headers"), fallback_models)
        call = self.new_call(timeout)
        if self.endpoint.hugging_face and self.connect().anonymous:
            raise MissingAuthError(_NO_KEY)
        transcript = Transcript(call, name or "", self._closers)
        return Steps(call, transcript, Generation(self._backend, call, transcript, request).run())

    def models(self, call: Call, *, refresh: bool = False, **conditions: Any) -> list[Model]:
        """As ``Client.models``."""
        protocol.selection.select_models([], **conditions)  # raises for a wrong condition before anything is sent
        found = protocol.selection.select_models(self._catalogue.models(call, refresh), **conditions)
        return protocol.listings.Models(found)

    def model(self, call: Call, name: str) -> Model:
        """As ``Client.model``."""
        name = split_suffix(resolve_alias(_check_model(name)))[0]
        model = self._catalogue.model(call, name)
        if model is not None:
            return model
        suggestions = tuple(
            protocol.selection.nearest_names(name, [model.id for model in self._catalogue.models(call)])
        )
        message = f"{self.endpoint.host} does not list the model {name!r}."
        if suggestions:
            message += f" Models with a similar name: {', '.join(suggestions)}."
        raise ModelNotSupportedError(message, model=name, suggestions=suggestions)

    def offers(self, call: Call, model: str | None, messages: Iterable[Mapping[str, Any]]) -> tuple[ModelProvider, ...]:
        """The current providers of the model that these messages would be sent to, from the catalogue; empty if they
        are unknown, or if the server is not Hugging Face.
        """
        name = self._choose_model(model, messages)
        if name is None or not self.endpoint.hugging_face:
            return ()
        try:
            with call.at_most(self._backend.tuning.lookup_seconds):
                found = self._catalogue.model(call, split_suffix(name)[0])
        except HFTextError:
            return ()
        return () if found is None else found.offers

    def base_model(self, model: str | None) -> str | None:
        """The model name that would be requested, without its suffix; None if no name was given."""
        name = model or self._model
        return None if name is None else split_suffix(name)[0]

    def providers(self, model: str | None, provider: str | Sequence[str] | None) -> tuple[str, ...]:
        """The providers and policies that a request would use, in order."""
        suffix = split_suffix(model or self._model or "")[1] if self.endpoint.hugging_face else None
        return (suffix,) if suffix else self._providers if provider is None else check_provider(provider)

    def cost(self, call: Call, completions: Iterable[Completion]) -> float | None:
        """As ``Client.cost``."""
        costs = [self._cost_of(call, completion) for completion in completions]
        return None if None in costs else sum((cost for cost in costs if cost is not None), 0.0)

    def _cost_of(self, call: Call, completion: Completion) -> float | None:
        if completion.usage is None:
            return None
        model = self._catalogue.model(call, split_suffix(completion.model)[0])
        offers = protocol.prices.find_offers([model] if model else [], completion.model, completion.provider)
        prices = {protocol.prices.cost_of(completion.usage, offer) for offer in offers}
        return prices.pop() if len(prices) == 1 else None

    def mapping(self, call: Call, model: str) -> dict[str, ProviderMapping]:
        """As ``Client.mapping``."""
        name = split_suffix(resolve_alias(_check_model(model)))[0]
        return protocol.listings.Providers(self._catalogue.override(name) or self._catalogue.mapping(call, name))

    def hub_pages(
        self,
        new_call: Callable[[], Call],
        *,
        search: str | None = None,
        provider: str = "all",
        limit: int | None = None,
    ) -> Iterator[list[HubModel]]:
        """The pages of ``Client.hub_models``, each fetched in a separate call."""
        if limit is not None:
            check_int("limit", limit, 1)
        if search is not None and not isinstance(search, str):
            raise refusal("search", "a substring of the name", search)
        if not isinstance(provider, str):
            raise refusal("provider", "'all' or the name of a provider", provider)
        return self._catalogue.hub_pages(new_call, search, check_provider(provider)[0], limit)

    def chat_models(self) -> list[str]:
        """The names of all models that a provider serves for conversation now, from the Hub."""
        return self._catalogue.chat_models(self.new_call)

    def connect(self) -> Http:
        """What to send with. Without a key of its own it looks for one each time: a notebook may set ``HF_TOKEN``
        later.
        """
        http = self._http
        if http is not None and not (http.anonymous and self.endpoint.hugging_face):
            return http
        with self._lock:
            if self._http is None or self._http.anonymous:
                key = self._given_key or self._find_key()
                if self._http is None or key:
                    self._http = Http(key, self._headers, self._proxies, self._verify, self._cert)
            return self._http

    def close(self) -> None:
        """Close the idle connections. Connections in use are not affected."""
        if self._http is not None:
            self._http.close()

    def __repr__(self) -> str:
        key = "given" if self._given_key else "found in the environment" if self.endpoint.hugging_face else "none"
        return f"{self.endpoint.api_base}, key: {key}"

    def _choose_model(self, model: str | None, messages: Iterable[Mapping[str, Any]]) -> str | None:
        """The model name to request; None if only the server knows it."""
        name = self._model if model is None else _check_model(model)
        if not self.endpoint.hugging_face:
            return name
        if name is None:
            return DEFAULT_VISION_MODEL if has_media(messages) else DEFAULT_MODEL
        return resolve_alias(name)

    def _find_key(self) -> str | None:
        """The user's Hugging Face key; None for other servers, or if an ``Authorization`` header is set."""
        if not self.endpoint.hugging_face or any(name.lower() == "authorization" for name in self._headers):
            return None
        return find_key(placeholders=self.endpoint.takes_placeholders)


def resolve_alias(model: str) -> str:
    """The full name of a model or alias, with its suffix."""
    name, suffix = split_suffix(model)
    full = MODEL_ALIASES.get(name, name)
    return f"{full}:{suffix}" if suffix else full


def _check_bill_to(bill_to: Any) -> dict[str, str]:
    """The header with the organisation that pays."""
    if bill_to is None:
        return {}
    if not isinstance(bill_to, str) or not (bill_to.isascii() and bill_to.isprintable() and bill_to.strip()):
        raise refusal("bill_to", "the name of an organisation", bill_to)
    return {"X-HF-Bill-To": bill_to.strip()}


def _describe_functions(options: dict[str, Any]) -> None:
    """Convert tools that are functions into the form of the protocol."""
    form = options.get("response_format")
    if form is not None and (isinstance(form, type) or hasattr(form, "validate_python")):
        name = getattr(form, "__name__", "the type")
        raise InvalidRequestError(
            f"response_format takes a JSON schema, such as that of pydantic.TypeAdapter({name}).json_schema(); "
            f"parse(messages, {name}) takes the type itself, and returns its value"
        )
    if "tools" in options:
        options["tools"] = describe_tools(options["tools"])
    if "tool_choice" in options:
        options["tool_choice"] = name_of_choice(options["tool_choice"])


def _check_model(model: Any) -> str:
    if not isinstance(model, str) or not model.strip() or not model.isprintable():
        raise refusal("model", "the name of a model", model)
    return model


def _check_verify(verify: Any) -> bool | str:
    if isinstance(verify, bool):
        return verify
    try:
        path = os.fspath(verify)
    except TypeError:
        path = None
    if not isinstance(path, str):
        raise refusal("verify", "True, False or the path of a CA bundle", verify)
    if "-----BEGIN" in path:
        raise InvalidRequestError("verify must be the path of a CA bundle, not its contents")
    if not os.path.exists(path):
        raise InvalidRequestError(f"verify: file not found: {show(path)}")
    return path
