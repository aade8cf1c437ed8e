"""The names of the commands, and how mistyped ones are recognised."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from ..printable import one_line

__all__ = ["COMMANDS", "find_slip"]

# The description of each command in the help, by name. Each command is a module of this package.
COMMANDS = {
    "ask": "ask once; the default",
    "chat": "talk with a model",
    "models": "the models of a server",
    "providers": "the providers of a model",
    "compare": "compare the providers of a model",
    "doctor": "check your setup",
    "batch": "run a file of prompts",
    "emulate": "run a Hugging Face emulator on this machine, for tests",
}


def find_slip(words: Sequence[str]) -> str | None:
    """Return why a single word is not sent as a prompt: it is a command that is not the first word, or nearly a
    command. None for anything else.
    """
    if len(words) != 1 or not words[0].isalpha():
        return None
    word = words[0]
    if word in COMMANDS:
        return f"the command must come first: hf-text {word} … To send this word as a prompt: hf-text ask {word}"
    if word.lower() == "help":
        return "hf-text --help shows the help. To send this word as a prompt: hf-text ask help"
    near = difflib.get_close_matches(word.lower(), COMMANDS, 1, 0.7)
    if not near:
        return None
    return f"did you mean hf-text {near[0]}? To send this word as a prompt: hf-text ask {one_line(word)}"
