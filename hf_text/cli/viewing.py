"""Chooses the view that shows an answer."""

from __future__ import annotations

import sys

from ..client import Client
from ..errors import MissingExtraError
from .arguments import Options
from .output import Layout, Output, columns_of_terminal, wrapping_for
from .views import CodeView, JsonView, View

__all__ = ["describe_wait", "make_view"]


def make_view(options: Options) -> View:
    """Return the view for the options. Raises MissingExtraError if --markdown needs an extra that is missing."""
    if options.json:
        return JsonView(reasoning=options.reasoning)
    if options.extract:
        return CodeView(reasoning=options.reasoning)
    return View(reasoning=options.reasoning, layout=_layout(options))


def _layout(options: Options) -> Layout | None:
    """On a terminal, render Markdown if requested, or break lines between words; elsewhere leave text unchanged."""
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
    """Name the model and the server that the command waits for."""
    return f"waiting for {model or 'an answer'} at {client.operations.endpoint.host} ..."
