"""The requests adapter whose connections belong to a call; ``connections`` documents what it depends on."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Generator
from typing import Any

from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidSchema
from requests.utils import prepend_scheme_if_needed, select_proxy

from .call import Call, Wait
from .connections import POOLS, reach_pools
from .head import RawResponse
from .instruments import find_double, requests_is_wrapped
from .mask import Mask
from .secrets import hide_headers
from .tls import Cert, make_context

__all__ = ["Adapter"]

_MAX_POOLS = 1000
_MAX_DIALLING = 32  # at once in event loops: a handshake blocks its loop for a millisecond or two


class Adapter(HTTPAdapter):
    """The requests adapter that uses these connections. All of them share one TLS context, because reading the CA
    bundle takes 20 ms.

    Args:
        mask: removes the secrets from requests that are printed.
    """

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._contexts: dict[tuple[bool | str, Cert | None], ssl.SSLContext] = {}
        self._making = threading.Lock()
        self._dialling = 0
        self._pools_by_url: dict[str, tuple[Any, str]] = {}
        super().__init__(pool_connections=32, pool_maxsize=64)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        if proxy.lower().startswith("socks"):  # SOCKS connections are urllib3's own and do not belong to a call
            raise InvalidSchema("SOCKS proxies are not supported, only http:// and https:// ones")
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """The headers sent to a proxy. They include its password."""
        return hide_headers(super().proxy_headers(proxy))

    def close(self) -> None:
        """Close the idle connections. Connections in use are not affected."""
        for pool, _ in list(self._pools_by_url.values()):
            pool.retire()
        super().close()

    def _find_pool(self, url: str) -> Any:
        """The pool for this address; None if there is none, or if it was closed: urllib3 limits their number."""
        pool, _ = self._pools_by_url.get(url, (None, ""))
        return None if pool is None or pool.pool is None else pool

    def has_pool(self, url: str) -> bool:
        """Whether there is a pool of connections for this address."""
        return self._find_pool(url) is not None

    def open_pool(self, request: Any, verify: Any, proxies: Any, cert: Any, **_: object) -> None:
        """Create the pool and the TLS context for a request. Takes the arguments of ``send()`` and raises the same."""
        self.get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)

    def has_open_connection(self, url: str) -> bool:
        """Whether there is an idle connection for this address. The connection itself is not tested."""
        pool = self._find_pool(url)
        return pool is not None and pool.has_open_connection()

    def can_dial(self, url: str) -> bool:
        """Whether a connection for this address can be opened without blocking: the address was used before, without a
        proxy, and few other connections are being opened this way. Further ones are opened in threads. A test double
        may have replaced sockets or getaddrinfo(): ``exchange()`` refuses it.
        """
        pool = self._find_pool(url)
        return pool is not None and pool.proxy is None and self._dialling < _MAX_DIALLING and find_double() is None

    def dial(self, call: Call, url: str) -> Generator[Wait, None, Any]:
        """Open a connection for this address; None if there is an idle one or opening would block. Raises what urllib3
        raises.
        """
        if not self.can_dial(url) or self.has_open_connection(url):
            return None
        self._dialling += 1
        try:
            return (yield from self._pools_by_url[url][0].dial(call))
        finally:
            self._dialling -= 1

    def send_again(self, call: Call, url: str, head: bytes, body: bytes, dialled: Any) -> RawResponse | None:
        """Send a short request, with a head that urllib3 wrote for an earlier one, on an open connection without a
        proxy; None without such a connection. Raises what the socket raises.
        """
        pool = self._find_pool(url)
        if pool is None or pool.proxy is not None:
            return None
        response: RawResponse | None = pool.send_again(call, head, body, dialled)
        return response

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        """The pool for a request. It depends only on the address, because an adapter has one set of proxies."""
        reach_pools(self._mask, request.headers)
        pool = self._find_pool(request.url)
        if pool is None:
            proxy = select_proxy(request.url, proxies) or ""
            if proxy.lower().startswith("https:"):  # requests would verify its certificate with the system's bundle
                # The key by which requests looks up the manager.
                address = prepend_scheme_if_needed(proxy, "http")  # type: ignore[no-untyped-call]
                self.proxy_manager_for(address, proxy_ssl_context=self._context(verify))
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            if len(self._pools_by_url) >= _MAX_POOLS:
                self._pools_by_url.clear()
            self._pools_by_url[request.url] = pool, super().request_url(request, proxies)
        return pool

    def request_url(self, request: Any, proxies: Any) -> str:
        """The request target in the request line."""
        way = self._pools_by_url.get(request.url)
        return way[1] if way else super().request_url(request, proxies)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        host, options = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] == "https":
            return host, {"ssl_context": self._context(verify, cert)}
        return host, options

    def build_response(self, request: Any, raw: Any) -> Any:
        """Return urllib3's response unchanged. Building requests' own response object (cookies, history) takes longer
        than sending the request, so it is built only if an instrument may inspect it.
        """
        return super().build_response(request, raw) if requests_is_wrapped() else raw

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Do nothing: the shared context holds all TLS settings."""

    def _context(self, verify: bool | str, cert: Cert | None = None) -> ssl.SSLContext:
        with self._making:
            context = self._contexts.get((verify, cert))
            if context is None:
                context = self._contexts[verify, cert] = make_context(verify, cert)
            return context
