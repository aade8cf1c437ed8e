"""JSON from a server. All requests except for streamed answers use this."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ..errors import APIStatusError, TransportError
from ..protocol.jsons import loads
from ..protocol.pages import decode_text, describe_page
from .body import BodyCut
from .call import Call, Interrupted, Wait, run
from .failures import explain_timeout
from .retries import Retries, retry
from .session import Http

__all__ = ["fetch_json"]

_MAX_BYTES = 256 * 1024 * 1024
_MAX_PAGE = 65536


def fetch_json(
    http: Http, call: Call, url: str, retries: Retries, *, body: bytes | None = None, hugging_face: bool = False
) -> tuple[Any, Mapping[str, str]]:
    """The JSON value at an address, and the response headers. For a call that blocks.

    Args:
        http: sends the request.
        call: the clocks and the cancellation.
        url: the address.
        retries: how often, and after which pauses, a failed request is retried.
        body: JSON to POST; None for a GET request.
        hugging_face: whether the server is Hugging Face, so that errors can link to its pages.

    Raises TransportError, RequestTimeoutError, APIStatusError; Interrupted if the call is cancelled.
    """
    call.blocking = True  # it already is, unless a cache was just cleared; blocking once is then better than failing
    try:
        return run(
            retry(
                call,
                lambda: _attempt(http, call, url, body, hugging_face),
                lambda error: retries.next_pause(error, call.total_left()),
            )
        )
    except Interrupted as interruption:
        if interruption.clock is None:
            raise
        raise explain_timeout(interruption.clock, call, urlsplit(url).netloc) from None


def _attempt(
    http: Http, call: Call, url: str, body: bytes | None, hugging_face: bool
) -> Generator[Wait, None, tuple[Any, Mapping[str, str]]]:
    host = urlsplit(url).netloc
    try:
        with (yield from http.send(call, "GET" if body is None else "POST", url, body)) as response:
            if response.status >= 300:
                raise http.error_of(response, hugging_face=hugging_face)
            received, headers = bytearray(), response.headers
            response.read_into(received, _MAX_BYTES)
    except BodyCut as cut:
        raise TransportError(f"{host} cut the response off ({http.mask(str(cut))})", retryable=True) from None
    try:
        return loads(received), headers
    except (ValueError, RecursionError) as error:
        message = f"{host} did not send JSON ({error})"
    if received.lstrip()[:1] == b"<":
        page = describe_page(http.mask(decode_text(bytes(received[:_MAX_PAGE]), headers)))
        message = f"{host} sent an HTML page instead of JSON: {page}"
    raise APIStatusError(message, status_code=200)  # raised out here: the caught exception holds the whole body
