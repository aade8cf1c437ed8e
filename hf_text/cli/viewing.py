"""Which view an answer gets."""

from __future__ import annotations

import sys

from ..client import Client
from ..errors import MissingExtraError
from .arguments import Options
from .output import Layout, Output, columns_of_terminal, wrapping_for
from .views import CodeView, JsonView, View

__all__ = ["describe_wait", "make_view"]


def make_view(options: Options) -> View:
    """The view that the options ask for. Raises MissingExtraError if --markdown needs more than is installed."""
    if options.json:
        return JsonView(reasoning=options.reasoning)
    if options.extract:
        return CodeView(reasoning=options.reasoning)
    return View(reasoning=options.reasoning, layout=_layout(options))


def _layout(options: Options) -> Layout | None:
    """On a terminal, text is broken between words; else it stays as it is."""
    wrapping = wrapping_for(sys.stdout)
    if wrapping is None or not (options.markdown and Output(sys.stdout, vital=True).is_capable):
        return wrapping
    try:
        from .markdown import Markdown
    except ImportError:
        raise MissingExtraError(
            "--markdown needs rich and markdown-it-py: pip install 'hf_text[cli]'", package="rich", extra="cli"
        ) from None
    return Markdown(lambda: columns_of_terminal(sys.stdout) or 80)


def describe_wait(client: Client, model: str | None) -> str:
    """Who is waited for."""
    return f"waiting for {model or 'an answer'} at {client.operations.endpoint.host} ..."
