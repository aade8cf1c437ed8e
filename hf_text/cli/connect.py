"""The client for the options of a command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..client import Client
from ..endpoint import Endpoint
from ..errors import InvalidRequestError
from ..keys import clean_key
from .arguments import Options
from .local import serve
from .views import View

__all__ = ["connect"]

_PACE = 0.02  # seconds between the demo's words

_DEMO_NOTE = "--demo: these are made-up answers from the built-in emulator, not from a model"


@contextmanager
def connect(options: Options, view: View) -> Iterator[Client]:
    """Yield a client of the selected server, open for the duration of the block."""
    if options.local is not None:
        with serve(options, view) as client:
            yield client
        return
    settings: dict[str, Any] = {"provider": options.provider or "auto"}
    if options.timeout is not None:
        settings["timeout"] = options.timeout
    if options.bill_to is not None:
        settings["bill_to"] = options.bill_to
    if options.ca_bundle is not None:
        settings["verify"] = options.ca_bundle
    if not options.demo:
        with Client(_choose_key(options), api_base=options.api_base, **settings) as client:
            yield client
        return
    from ..emulator import Emulator  # only the demo needs it

    view.note(_DEMO_NOTE)
    with Emulator(pace=_PACE) as emulator:
        # The emulator does not get the user's key, and a proxy could not reach this machine.
        settings |= {"hub_url": emulator.url, "router_url": emulator.url, "proxies": {"no_proxy": "127.0.0.1"}}
        with Client("demo", **settings) as client:
            yield client


def _choose_key(options: Options) -> str | None:
    """Return the key for another server, or None for Hugging Face: the client finds that one. Each key is sent only
    to its own server.
    """
    if Endpoint.at(options.api_base, None, None).hugging_face:
        return None
    if options.provider:
        raise InvalidRequestError("--provider chooses among those of Hugging Face; the server at --api-base has none")
    return clean_key(os.environ.get("HF_TEXT_API_KEY"), "HF_TEXT_API_KEY")
