"""``hf-text ask``, also the default without a command: send one prompt and show the answer."""

from __future__ import annotations

import argparse

from ..client import Client
from ..errors import HFTextError, InvalidRequestError
from ..generation.stream import Stream
from .advice import explain
from .arguments import Options, read_arguments
from .connect import connect
from .output import INTERRUPTED
from .parsing import Fail
from .usage import describe_usage
from .viewing import describe_wait, make_view
from .views import View

__all__ = ["main"]


def main(values: argparse.Namespace, fail: Fail) -> int:
    """Send the prompt and show the answer.

    Returns the exit status: 0, 1 after an error, 2 for invalid arguments, 130 after Ctrl-C during the answer. Raises
    OutputError after closing the connection.
    """
    options = read_arguments(vars(values), fail)
    view = make_view(options)
    try:
        with connect(options, view) as client, _ask(client, options) as stream:
            if not _show(stream, view, describe_wait(client, options.model)):
                return INTERRUPTED
            if options.usage:
                view.note(describe_usage(client, stream.completion))
    except HFTextError as error:
        view.fail(type(error).__name__, explain(error), error.partial)
        return 2 if isinstance(error, InvalidRequestError) else 1
    return 0


def _ask(client: Client, options: Options) -> Stream:
    messages = [{"role": "user", "content": options.prompt}]
    if options.system:
        messages.insert(0, {"role": "system", "content": options.system})
    call = dict(options.call or {})
    # Documented for Hugging Face; some other servers reject requests with this option.
    call.setdefault("include_usage", options.usage or (options.json and options.api_base is None))
    return client.stream(
        messages, options.model, media=list(options.media) or None, max_tokens=options.max_tokens, **call
    )


def _show(stream: Stream, view: View, waiting: str) -> bool:
    """Show the answer as it arrives. Returns whether it is complete: the user did not interrupt it."""
    try:
        view.wait(waiting)
        for event in stream.events():
            view.show(event)
    except KeyboardInterrupt:
        view.interrupt(stream.partial)
        return False
    view.finish(stream.completion)
    return True
