"""One question, asked and answered."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..client import Client
from ..endpoint import Endpoint
from ..errors import HFTextError, InvalidRequestError
from ..generation.stream import Stream
from ..keys import clean_key
from .advice import explain
from .arguments import Options
from .local import serve
from .views import JsonView, View

__all__ = ["run"]

_PACE = 0.02  # seconds between the demo's words

_DEMO_NOTE = "--demo: these are made-up answers from the built-in emulator, not from a model"


def run(options: Options) -> int:
    """Ask, and show the answer. Returns the exit status: 0, 1 after an error, 2 if the arguments are at fault.

    Raises KeyboardInterrupt and OutputError, with what had arrived shown and the connection closed.
    """
    view = (JsonView if options.json else View)(reasoning=options.reasoning)
    try:
        with _connect(options, view) as client, _ask(client, options) as stream:
            _show(stream, view)
    except HFTextError as error:
        partial = error.partial
        view.fail(type(error).__name__, explain(error), partial)
        return 2 if isinstance(error, InvalidRequestError) else 1
    return 0


@contextmanager
def _connect(options: Options, view: View) -> Iterator[Client]:
    if options.local is not None:
        with serve(options, view) as client:
            yield client
        return
    settings: dict[str, Any] = {"provider": options.provider or "auto"}
    if options.timeout is not None:
        settings["timeout"] = options.timeout
    if not options.demo:
        with Client(_choose_key(options), api_base=options.api_base, **settings) as client:
            yield client
        return
    from ..emulator import Emulator  # only the demo needs a server

    view.note(_DEMO_NOTE)
    with Emulator(pace=_PACE) as emulator:
        # The user's key stays out of it, and a proxy could not reach this machine.
        settings |= {"hub_url": emulator.url, "router_url": emulator.url, "proxies": {"no_proxy": "127.0.0.1"}}
        with Client("demo", **settings) as client:
            yield client


def _choose_key(options: Options) -> str | None:
    """The key for another server; None for Hugging Face, whose key the client finds. Neither is sent to the other."""
    if Endpoint.at(options.api_base, None, None).hugging_face:
        return None
    if options.provider:
        raise InvalidRequestError("--provider chooses among those of Hugging Face; the server of --api-base has none")
    return clean_key(os.environ.get("HF_TEXT_API_KEY"), "HF_TEXT_API_KEY")


def _ask(client: Client, options: Options) -> Stream:
    messages = [{"role": "user", "content": options.prompt}]
    if options.system:
        messages.insert(0, {"role": "system", "content": options.system})
    return client.stream(
        messages,
        options.model,
        media=list(options.media) or None,
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        # Documented for Hugging Face; some other servers refuse the question.
        include_usage=options.json and options.api_base is None,
    )


def _show(stream: Stream, view: View) -> None:
    try:
        for event in stream.events():
            view.show(event)
    except KeyboardInterrupt:
        view.interrupt(stream.partial)
        raise
    view.finish(stream.completion)
