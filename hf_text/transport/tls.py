"""TLS settings: the trusted certificates and the client certificate."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Generator
from typing import Any

from requests.adapters import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import ALPN_PROTOCOLS, create_urllib3_context

from ..checks import show
from ..errors import InvalidRequestError
from .call import Call, Interrupted, Wait
from .sockets import TLSSocket

__all__ = ["Cert", "check_cert", "make_context", "shake_hands"]

Cert = str | tuple[str, str]
"""The path of a PEM file with a certificate and its key, or the paths of two files."""


def check_cert(cert: Any) -> Cert | None:
    """A client certificate as in requests: a path, or the paths of a certificate and its key. Raises
    InvalidRequestError for any other value or a missing file.
    """
    if cert is None:
        return None
    paths = [cert] if isinstance(cert, (str, os.PathLike)) else cert
    if not isinstance(paths, (list, tuple)) or not 1 <= len(paths) <= 2:
        raise InvalidRequestError(f"cert must be the path of a PEM file, or (certificate, key), not {_kind(cert)}")
    checked = [_check_path(path) for path in paths]
    return checked[0] if len(checked) == 1 else (checked[0], checked[1])


def _check_path(path: Any) -> str:
    if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str):
        raise InvalidRequestError(f"cert: a path must be a str or a path, not {_kind(path)}")
    name = str(os.fspath(path))
    if "-----BEGIN" in name:
        raise InvalidRequestError("cert must be the path of a PEM file, not its contents")
    if not os.path.isfile(name):
        raise InvalidRequestError(f"cert: file not found: {show(name)}")
    return name


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeio" else f"a {name}"


def make_context(verify: bool | str, cert: Cert | None = None) -> ssl.SSLContext:
    """A context for connections to servers.

    Args:
        verify: True, False, or the path of a CA bundle (a file or a folder).
        cert: the client certificate, for servers that request one.

    Raises InvalidRequestError if a file cannot be used.
    """
    context = create_urllib3_context()
    context.sslsocket_class = TLSSocket
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.verify_mode = ssl.CERT_REQUIRED
        _load_bundle(context, DEFAULT_CA_BUNDLE_PATH if verify is True else verify)
    if cert is not None:
        _load_cert(context, cert)
    return context


def shake_hands(
    call: Call, sock: socket.socket, context: ssl.SSLContext, host: str
) -> Generator[Wait, None, ssl.SSLSocket]:
    """Do the TLS handshake on a connected non-blocking socket. The server name is verified as in urllib3."""
    name = host.rstrip(".").strip("[]").partition("%")[0]
    try:
        context.set_alpn_protocols(ALPN_PROTOCOLS)
        tls = context.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
    except BaseException:  # Ctrl-C too: nothing else holds the socket
        sock.close()
        raise
    try:
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                wait = Wait.SOCKET
            except ssl.SSLWantWriteError:
                wait = Wait.WRITE
            else:
                return tls
            yield wait
            call.time_left()
    except Interrupted as interruption:
        tls.close()
        if interruption.clock is None:
            raise
        raise TimeoutError("The handshake operation timed out") from None  # Python's words
    except BaseException:  # Ctrl-C, or the reader abandoned the stream: nothing else holds the socket
        tls.close()
        raise


def _load_bundle(context: ssl.SSLContext, bundle: str) -> None:
    where = "capath" if os.path.isdir(bundle) else "cafile"
    try:
        context.load_verify_locations(**{where: bundle})
    except OSError as error:
        raise InvalidRequestError(f"verify: the CA bundle {bundle!r} cannot be used ({error})") from error


def _load_cert(context: ssl.SSLContext, cert: Cert) -> None:
    certificate, key = (cert, None) if isinstance(cert, str) else cert
    try:
        context.load_cert_chain(certificate, key, password=_refuse_password)
    except _Encrypted:
        failure = f"the key in {key or certificate!r} is encrypted: remove its password with openssl pkey"
    except ssl.SSLError as error:
        failure = _explain_cert(error, certificate, key)
    except OSError as error:
        failure = f"{_find_unreadable(certificate, key)!r} cannot be read ({error.strerror})"
    else:
        return
    raise InvalidRequestError(f"cert: {failure}")


def _find_unreadable(certificate: str, key: str | None) -> str:
    return certificate if key is None or not os.access(certificate, os.R_OK) else key


def _explain_cert(error: ssl.SSLError, certificate: str, key: str | None) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"the key in {key or certificate!r} does not belong to the certificate in {certificate!r}"
    if key is None:
        return f"{certificate!r} must hold a certificate and its key, both in PEM; else pass (certificate, key)"
    return f"{certificate!r} and {key!r} are not a certificate and its key in PEM"


class _Encrypted(Exception):
    """OpenSSL needs a password. By default it would prompt on the terminal and wait."""


def _refuse_password() -> str:
    raise _Encrypted
