"""``hf-text doctor``: what may stand between the user and an answer, each with its fix; safe to paste."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import socket
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

from .._version import __version__
from ..client import Client
from ..errors import HFTextError
from ..keys import find_key
from ..transport.fetch import fetch_json
from ..transport.retries import Retries
from ..tuning import Tuning
from .advice import explain
from .arguments import Options
from .connect import connect
from .output import Output, wrapping_for
from .parsing import Fail, fill_in_environment, refuse_two_servers
from .views import View

__all__ = ["Finding", "main"]

_TOKENS_PAGE = "https://huggingface.co/settings/tokens"
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_SECONDS = 15.0
_UNUSABLE = "unusable"


class Finding(NamedTuple):
    """One line: what was looked at, what was found, and what to do; no fix means that it is well."""

    what: str
    found: str
    fix: str = ""


def main(values: argparse.Namespace, fail: Fail) -> int:
    """Report. Returns the exit status: 0 if all is well, else 1."""
    found = vars(values)
    refuse_two_servers(found, fail)
    fill_in_environment(found)
    options = Options.of({**found, "timeout": found["timeout"] or _SECONDS})
    out = Output(sys.stdout, vital=True, layout=wrapping_for(sys.stdout))
    well = True
    for finding in _examine(options, found["ask"]):
        well = well and not finding.fix
        if found["json"]:
            out.write_line(json.dumps({name: _safe(text) for name, text in finding._asdict().items()}))
            continue
        out.write_line(f"{'FIX ' if finding.fix else 'ok  '}{finding.what}: {_safe(finding.found)}")
        if finding.fix:
            out.write_line(f"->  {_safe(finding.fix)}")
    return 0 if well else 1


def _examine(options: Options, ask: bool) -> Iterator[Finding]:
    yield Finding("versions", f"hf_text {__version__}, Python {platform.python_version()}, {platform.system()}")
    yield from _look_at_proxies()
    yield from _look_at_certificates()
    try:
        with connect(options, View(reasoning=False)) as client:
            usable = True
            if client.operations.endpoint.hugging_face and not options.demo:
                yield (key := _look_at_key())
                usable = key.found != _UNUSABLE
            yield from _look_at_names(client)
            if usable:  # else each would tell of the key again
                yield from _look_at_servers(client)
            if ask and usable:
                yield _attempt("an answer", lambda: _ask(client, options))
    except HFTextError as error:
        yield Finding("settings", "unusable", explain(error))


def _look_at_key() -> Finding:
    try:
        key = find_key()
    except HFTextError as error:
        return Finding("key", _UNUSABLE, explain(error))
    if key is None:
        return Finding("key", "none was found", f"create one at {_TOKENS_PAGE} and set HF_TOKEN")
    names = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
    place = next((name for name in names if os.environ.get(name, "").strip()), "the file of 'hf auth login', or Colab")
    return Finding("key", f"found, from {place}")


def _look_at_proxies() -> Iterator[Finding]:
    for scheme, url in getproxies().items():
        if scheme in ("http", "https", "all"):
            try:
                parts = urlsplit(url if "://" in url else f"//{url}")
                place = f"{parts.hostname}:{parts.port}" if parts.port else f"{parts.hostname}"
            except ValueError:
                yield Finding(f"proxy for {scheme}", "not a URL", f"set {scheme.upper()}_PROXY to http://host:port")
                continue
            yield Finding(f"proxy for {scheme}", place)


def _look_at_certificates() -> Iterator[Finding]:
    for name in _CERTIFICATES:
        path = os.environ.get(name)
        if path and not os.path.exists(path):
            yield Finding(name, f"{path} is not there", f"unset {name}, or set it to the path of a PEM file")
        elif path:
            yield Finding(name, path)


def _look_at_names(client: Client) -> Iterator[Finding]:
    endpoint = client.operations.endpoint
    if not getproxies():  # else the proxy looks names up
        urls = filter(None, (endpoint.hub_url, endpoint.api_base))
        yield from map(_resolve, dict.fromkeys(urlsplit(url).hostname or "" for url in urls))


def _look_at_servers(client: Client) -> Iterator[Finding]:
    endpoint = client.operations.endpoint
    if endpoint.hub_url is not None:
        yield _attempt("account", lambda: _ask_who(client, f"{endpoint.hub_url}/api/whoami-v2"))
    yield _attempt(f"models of {endpoint.host}", lambda: f"{len(client.models(refresh=True)):,}")


def _resolve(host: str) -> Finding:
    try:
        socket.getaddrinfo(host, 443)
    except (OSError, UnicodeError):
        return Finding(
            f"name {host}", "cannot be resolved", "check the network and DNS; behind a proxy, set HTTPS_PROXY"
        )
    return Finding(f"name {host}", "resolved")


def _attempt(what: str, work: Callable[[], str]) -> Finding:
    try:
        found = work()
    except HFTextError as error:
        return Finding(what, "failed", explain(error))
    if found.startswith("not allowed"):
        return Finding(
            what, found, f"give the key the permission 'Make calls to Inference Providers' at {_TOKENS_PAGE}"
        )
    return Finding(what, found)


def _ask_who(client: Client, url: str) -> str:
    """What the key may do. Who its owner is stays out of the report."""
    operations = client.operations
    value, _ = fetch_json(operations.connect(), operations.new_call(), url, Retries(0, Tuning()), hugging_face=True)
    try:
        token = value["auth"]["accessToken"]
        role = str(token["role"])
        allowed = role in ("read", "write") or "inference.serverless.write" in json.dumps(token)
    except (KeyError, TypeError):
        return "the Hub accepts the key"
    return f"{'may' if allowed else 'not allowed to'} call providers (a key of the kind {role})"


def _ask(client: Client, options: Options) -> str:
    answer = client.generate("Hi", options.model, max_tokens=1)
    return f"{answer.model}, {answer.timings.total:.1f} s" if answer.timings else answer.model


def _safe(text: str) -> str:
    """Without the home folder, and what a URL or a message may tell of the user."""
    home = os.path.expanduser("~")
    text = text.replace(home, "~") if len(home) > 1 else text
    text = re.sub(r"//[^/@\s]+@", "//***@", text)
    return re.sub(r"\bhf_\w{8,}", "hf_***", " ".join(text.split()))
