"""The blocking client: what to ask of whom, on top of the protocol and the transport."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from types import TracebackType
from typing import Any

from .catalogue import Catalogue
from .checks import check_int, refusal
from .completion import Completion
from .endpoint import Endpoint
from .errors import MissingAuthError
from .generation.breaker import Breaker
from .generation.failover import check_provider
from .generation.loop import UNNAMED_MODEL, Generation
from .generation.stream import Stream
from .generation.transcript import Transcript
from .keys import clean_key, find_key
from .protocol.catalog import HubModel, Model, ProviderMapping, split_suffix
from .protocol.media import Media, add_media, has_media
from .protocol.messages import Messages, check_messages, trim_messages
from .protocol.names import DEFAULT_MODEL, DEFAULT_VISION_MODEL, MODEL_ALIASES
from .protocol.payload import build_payload, encode_payload
from .protocol.selection import select_models
from .signatures import function_with_arguments_of, method_with_arguments_of
from .transport.call import Call, Timeouts
from .transport.locks import ForkSafeLock
from .transport.session import Http, check_headers, check_proxies

__all__ = ["Client", "default_client", "generate", "models", "stream"]

_MAX_EVENT_BYTES = 64 * 1024 * 1024

_NO_KEY = (
    "no Hugging Face key was found. Make one at https://huggingface.co/settings/tokens and put it into the environment "
    "variable HF_TOKEN, or run 'hf auth login', or pass api_key=…; a server of your own is named with api_base=…"
)


class Client:
    """Text from Hugging Face Inference Providers, or from any server that speaks the OpenAI chat protocol.

    Can be shared among threads, used after a fork, pickled, and used as a context manager.

    Args:
        api_key: the key. None: for Hugging Face the one that huggingface_hub would find (``HF_TOKEN``, the token
            file, Colab), for any other server none.
        api_base: None for Hugging Face; else the base URL of a server, such as ``"http://localhost:8080/v1"``.
        provider: for Hugging Face: ``"auto"``, a policy (``"fastest"``, ``"cheapest"``, ``"preferred"``), the name
            of a provider, or a list of those in the order to try. A suffix of the model's name
            (``"org/model:novita"``) wins over it.
        timeout: ``Timeouts``, or seconds for all clocks but total; None for the defaults.
        max_retries: how often a request that failed before any answer is sent again. With 0 there is no second
            request at all, also not to another provider.
        bill_to: for Hugging Face: the organisation that pays.
        headers: headers to send with each request.
        proxies: proxies by scheme, as in requests, besides those of the environment.
        verify: True, False, or the path of a CA bundle, as in requests.
        hub_url: the Hub; default ``HF_ENDPOINT``, else ``https://huggingface.co``.
        router_url: the router; default ``HF_TEXT_ROUTER_URL``, else ``https://router.huggingface.co``.
        max_event_bytes: the longest single event of a stream that is taken (default 64 MiB).
        provider_mapping: for Hugging Face: who serves a model, ahead of what the Hub says: by model, then by
            provider, in the Hub's form (``{"task": "conversational", "providerId": …}``). A provider that is a path
            (``"hf-inference/models/org/name"``) means that route of the router.

    Raises InvalidRequestError for an argument that is not what it must be. Nothing is sent.
    """

    def __init__(
        self,
        api_key: str | None = None,
        api_base: str | None = None,
        *,
        provider: str | Sequence[str] = "auto",
        timeout: Timeouts | float | None = None,
        max_retries: int = 2,
        bill_to: str | None = None,
        headers: Mapping[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
        verify: bool | str = True,
        hub_url: str | None = None,
        router_url: str | None = None,
        max_event_bytes: int = _MAX_EVENT_BYTES,
        provider_mapping: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None,
    ) -> None:
        self._arguments = {name: value for name, value in locals().items() if name != "self"}
        self._server = Endpoint.at(api_base, hub_url, router_url)
        self._given_key = clean_key(
            api_key, hugging_face=self._server.hugging_face, placeholders=self._server.takes_placeholders
        )
        self._timeouts = Timeouts.of(timeout)
        self._max_retries = check_int("max_retries", max_retries, 0)
        self._max_event_bytes = check_int("max_event_bytes", max_event_bytes, 1)
        self._providers = check_provider(provider)
        self._headers = check_headers(headers)
        payer = _check_bill_to(bill_to)
        if self._server.hugging_face:
            self._headers |= payer
        self._proxies = check_proxies(proxies)
        self._verify = _check_verify(verify)
        self._directory = Catalogue(self._connect, self._server, self._max_retries, provider_mapping or {})
        self._breaker = Breaker()
        self._http: Http | None = None
        self._lock = ForkSafeLock()

    def stream(
        self,
        messages: Messages,
        model: str | None = None,
        *,
        media: Media | None = None,
        max_tokens: int | None = 2048,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        response_format: str | Mapping[str, Any] | None = None,
        reasoning_effort: str | None = None,
        include_usage: bool = False,
        max_input_length: int | None = None,
        extra_body: Mapping[str, Any] | None = None,
        provider: str | Sequence[str] | None = None,
        timeout: Timeouts | float | None = None,
    ) -> Stream:
        """Begin an answer, to be read as it arrives. Nothing is sent before the first read.

        Args:
            messages: a str (one turn of the user), or a list of messages as in the OpenAI chat protocol.
            model: a model's name, or an alias. None: for Hugging Face a default (one that sees, if there is media),
                for another server the first that it lists.
            media: pictures (or sound) for the last turn of the user: URLs, data URIs, paths, bytes, binary files,
                PIL images, ``(any of those, filename)``, or a list of those. A str may be a path: for what other
                people type in see ``media_from_url``.
            max_tokens: the most tokens that the answer may have; None leaves it to the server.
            temperature: 0 to 2; None leaves it to the server, like every option from here on.
            top_p: above 0, at most 1.
            stop: up to four texts that end the answer.
            seed: for answers that can be repeated, where the provider heeds it.
            tools: functions that the model may call, in the form of the protocol.
            tool_choice: ``"auto"``, ``"none"``, ``"required"``, or the name of a tool.
            response_format: ``"json_object"``, or a JSON schema in the form of the protocol.
            reasoning_effort: such as ``"low"``; what is known depends on the model.
            include_usage: ask for the tokens to be counted; some servers do it unasked, some refuse the question.
            max_input_length: messages longer than that (characters, and 16 for each message) are trimmed.
            extra_body: further fields for the body of the request.
            provider: as for the client, for this call.
            timeout: as for the client, for this call.

        Raises InvalidRequestError for an argument that is not what it must be, and MissingAuthError if Hugging Face
        is asked without a key. All other errors are raised while reading.
        """
        checked = add_media(check_messages(messages), media)
        if max_input_length is not None:
            checked = trim_messages(checked, check_int("max_input_length", max_input_length, 1))
        name = self._choose_model(model, checked)
        payload = build_payload(
            model=name or UNNAMED_MODEL,
            messages=checked,
            max_tokens=max_tokens,
            temperature=temperature,
            top_p=top_p,
            stop=stop,
            seed=seed,
            tools=tools,
            tool_choice=tool_choice,
            response_format=response_format,
            reasoning_effort=reasoning_effort,
            include_usage=include_usage,
            extra_body=extra_body,
        )
        body = encode_payload(payload)  # what cannot be sent is refused here, not at the first read
        providers = self._providers if provider is None else check_provider(provider)
        call = Call(self._timeouts if timeout is None else Timeouts.of(timeout))
        if self._server.hugging_face and self._connect().anonymous:
            raise MissingAuthError(_NO_KEY)
        answer = Transcript(call, name or "")
        generation = Generation(
            self._server,
            self._connect,
            self._directory,
            self._breaker,
            call,
            answer,
            payload,
            body,
            name,
            providers,
            self._max_retries,
            self._max_event_bytes,
        )
        return Stream(call, answer, generation.run())

    @method_with_arguments_of(stream)
    def generate(self, *args: Any, **options: Any) -> Completion:
        """The whole answer: the stream of the same arguments (see ``stream``), read to its end.

        It is streamed all the same: a request that is not dies at the gateway after about a minute. Raises what
        ``stream`` and reading it raise.
        """
        with self.stream(*args, **options) as stream:
            while stream.read():
                pass
            return stream.completion

    def models(
        self,
        *,
        search: str | None = None,
        provider: str | None = None,
        vision: bool | None = None,
        tools: bool | None = None,
        structured_output: bool | None = None,
        min_context: int | None = None,
        max_price: float | None = None,
        sort: str | None = None,
        refresh: bool = False,
    ) -> list[Model]:
        """The models of the server (``GET {api_base}/models``) that meet all these conditions; kept for five minutes.

        Args:
            search: a part of the name, in any case.
            provider: a provider that serves them live.
            vision: whether they see pictures.
            tools: whether they call tools.
            structured_output: whether they keep to a JSON schema.
            min_context: tokens that the context must have room for.
            max_price: USD per million tokens of output, at most.
            sort: ``"price"``, ``"throughput"``, ``"latency"``, ``"context"``, ``"name"`` or ``"created"``; None
                keeps the server's order.
            refresh: ask again, whatever is kept.

        Raises TransportError, APIStatusError or InvalidRequestError.
        """
        return self._select_models(
            self._new_call(),
            refresh,
            search=search,
            provider=provider,
            vision=vision,
            tools=tools,
            structured_output=structured_output,
            min_context=min_context,
            max_price=max_price,
            sort=sort,
        )

    def mapping(self, model: str) -> dict[str, ProviderMapping]:
        """Who serves a model, by provider, in the account's order, from the Hub; kept for five minutes.

        Raises ModelNotSupportedError for a model that the Hub does not have, TransportError, APIStatusError, and
        InvalidRequestError where the server is not Hugging Face.
        """
        return self._map(self._new_call(), model)

    def hub_models(
        self, *, search: str | None = None, provider: str = "all", limit: int | None = None
    ) -> Iterator[HubModel]:
        """The models on the Hub that a provider serves, for any task, with their mappings; page after page as they are
        needed.

        Args:
            search: a part of the name.
            provider: ``"all"``, or the name of one.
            limit: how many at most.

        Raises InvalidRequestError for a wrong argument, and where the server is not Hugging Face; while iterating
            TransportError and APIStatusError.
        """
        pages = self._hub_pages(self._new_call, search=search, provider=provider, limit=limit)
        return chain.from_iterable(pages)

    def close(self) -> None:
        """Close the connections that are kept alive. The client can still be used."""
        if self._http is not None:
            self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        key = "given" if self._given_key else "found in the environment" if self._server.hugging_face else "none"
        return f"<Client of {self._server.api_base}, key: {key}>"

    def __getstate__(self) -> dict[str, Any]:
        return self._arguments

    def __setstate__(self, arguments: dict[str, Any]) -> None:
        Client.__init__(self, **arguments)

    # What the async adapter runs in its threads, with a call of its own that it can cancel.

    def _new_call(self) -> Call:
        return Call(self._timeouts)

    def _select_models(self, call: Call, refresh: bool = False, **conditions: Any) -> list[Model]:
        select_models([], **conditions)  # a wrong condition is refused before anything is sent
        return select_models(self._directory.models(call, refresh), **conditions)

    def _map(self, call: Call, model: str) -> dict[str, ProviderMapping]:
        _check_model(model)
        name = split_suffix(_resolve_alias(model))[0]
        return self._directory.override(name) or self._directory.mapping(call, name)

    def _hub_pages(
        self,
        new_call: Callable[[], Call],
        *,
        search: str | None = None,
        provider: str = "all",
        limit: int | None = None,
    ) -> Iterator[list[HubModel]]:
        if limit is not None:
            check_int("limit", limit, 1)
        if search is not None and not isinstance(search, str):
            raise refusal("search", "a part of a name", search)
        if not isinstance(provider, str):
            raise refusal("provider", "'all' or the name of a provider", provider)
        return self._directory.hub_pages(new_call, search, check_provider(provider)[0], limit)

    def _chat_models(self) -> list[str]:
        return self._directory.chat_models(self._new_call)

    def _choose_model(self, model: str | None, messages: Iterable[Mapping[str, Any]]) -> str | None:
        """The name to ask for; None where only the server can tell."""
        if model is not None:
            _check_model(model)
        if not self._server.hugging_face:
            return model
        if model is None:
            return DEFAULT_VISION_MODEL if has_media(messages) else DEFAULT_MODEL
        return _resolve_alias(model)

    def _connect(self) -> Http:
        """What to send with. Without a key of its own it looks for one each time: a notebook may set
        ``HF_TOKEN`` later.
        """
        with self._lock:
            if self._http is None or self._http.anonymous:
                key = self._given_key or self._find_key()
                if self._http is None or key:
                    self._http = Http(key, self._headers, self._proxies, self._verify)
            return self._http

    def _find_key(self) -> str | None:
        """The user's Hugging Face key; it is for Hugging Face alone."""
        given = any(name.lower() == "authorization" for name in self._headers)
        wanted = self._server.hugging_face and not given
        return find_key(placeholders=self._server.takes_placeholders) if wanted else None


# The functions of the module: those of a client with the default settings, made when it is first needed.


@lru_cache(maxsize=1)
def default_client() -> Client:
    """The client behind the functions of the module, with the default settings; made when it is first needed."""
    return Client()


@function_with_arguments_of(Client.generate)
def generate(*args: Any, **options: Any) -> Completion:
    """The whole answer, from Hugging Face with the default settings; arguments and errors as for
    ``Client.generate``.
    """
    return default_client().generate(*args, **options)


@function_with_arguments_of(Client.stream)
def stream(*args: Any, **options: Any) -> Stream:
    """An answer to be read as it arrives, from Hugging Face with the default settings; as ``Client.stream``."""
    return default_client().stream(*args, **options)


@function_with_arguments_of(Client.models)
def models(**options: Any) -> list[Model]:
    """The models that Hugging Face serves now; arguments and errors as for ``Client.models``."""
    return default_client().models(**options)


def _resolve_alias(model: str) -> str:
    """The full name, with the suffix that the short one had."""
    name, suffix = split_suffix(model)
    full = MODEL_ALIASES.get(name, name)
    return f"{full}:{suffix}" if suffix else full


def _check_bill_to(bill_to: Any) -> dict[str, str]:
    """The header that names who pays."""
    if bill_to is None:
        return {}
    if not isinstance(bill_to, str) or not (bill_to.isascii() and bill_to.isprintable() and bill_to.strip()):
        raise refusal("bill_to", "the name of an organisation", bill_to)
    return {"X-HF-Bill-To": bill_to.strip()}


def _check_model(model: Any) -> None:
    if not isinstance(model, str) or not model.strip() or not model.isprintable():
        raise refusal("model", "the name of a model", model)


def _check_verify(verify: Any) -> bool | str:
    if isinstance(verify, bool):
        return verify
    try:
        path = os.fspath(verify)
    except TypeError:
        path = None
    if not isinstance(path, str) or not os.path.exists(path):
        raise refusal("verify", "True, False or the path of a CA bundle", verify)
    return path
