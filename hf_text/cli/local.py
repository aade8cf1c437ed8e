"""``--local``: answers from a model on this machine."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequestError
from .consent import can_ask, consents
from .parsing import Fail

if TYPE_CHECKING:
    from ..client import Client
    from .arguments import Options
    from .views import View

__all__ = ["serve", "settle_local"]

_PATIENCE = 600.0  # seconds that loading may take: the user can interrupt it
_CONTEXT = 4096  # tokens, unless the prompt needs more
_SMALL = 2 * 10**9  # bytes

_LIKE_A_MODEL = re.compile(r"[./~\\]\S*|\S+\.gguf(:\S+)?|(https://)?[\w.-]+(/[\w.-]+)+(:\S+)?", re.IGNORECASE)

# The options that choose another server, or a model of one.
_ELSEWHERE = {"demo": "--demo", "api_base": "--api-base", "provider": "--provider", "model": "-m"}


def settle_local(found: dict[str, Any], fail: Fail) -> None:
    """Decide whether the word after ``--local`` is a model, or already the prompt; then move it to the other words.

    Args:
        found: the options by name; modified.
        fail: ends the command with a message.
    """
    word, words = found["local"], found["words"]
    if word is None:
        return
    for name, option in _ELSEWHERE.items():
        if found[name]:
            fail(
                f"--local uses a model on this machine and cannot be combined with {option}; "
                "name the model after --local"
            )
    if not word or _LIKE_A_MODEL.fullmatch(word) or os.path.exists(word):
        return
    if words and not re.search(r"\s", word):
        fail(
            f"there is neither a file nor a folder {word!r} for --local, and a name on the Hub has the form org/name. "
            "For the default model write '--' before the prompt"
        )
    found["local"], found["words"] = "", [word, *words]


@contextmanager
def serve(options: Options, view: View) -> Iterator[Client]:
    """Yield a client of a local server with the model; the server runs for the duration of the block."""
    from ..local import LocalServer  # only --local needs it

    def confirm(sentence: str) -> bool:
        if options.yes or options.local:
            view.note(sentence)
            return True
        return _ask(sentence, view)

    if not sys.stderr.isatty():
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    clocks: dict[str, Any] = {} if options.timeout is None else {"timeout": options.timeout}
    room = len(options.prompt.encode(errors="replace")) // 2 + (options.max_tokens or 0)
    settings: dict[str, Any] = {"timeout": _PATIENCE, **clocks, "context": max(_CONTEXT, room)}
    with LocalServer(options.local or None, confirm=confirm, notify=view.note, **settings) as server:
        small = ". It is small: fluent, but often wrong" if server.size < _SMALL else ""
        view.introduce(f"{server.model} ({server.size / 10**6:,.0f} MB) is running on this machine{small}")
        with server.client(**clocks) as client:
            yield client


def _ask(sentence: str, view: View) -> bool:
    if not can_ask():
        raise InvalidRequestError(f"{sentence}; pass --yes to agree, or --local MODEL for a model that you have")
    return consents(f"{sentence}. Agreed?", view, default=True)
