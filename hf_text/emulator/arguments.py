"""The arguments of the emulator's command."""

from __future__ import annotations

import argparse

from .faults import FAULT_NOTES

__all__ = ["DESCRIPTION", "EPILOG", "add_arguments"]

_WIDTH = max(map(len, FAULT_NOTES))

DESCRIPTION = "A loopback Hugging Face for tests and demos. Its answers are not those of a model, and say so."
EPILOG = "faults:\n" + "\n".join(f"  {name:{_WIDTH}}  {note}" for name, note in FAULT_NOTES.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them to a parser."""
    add, names = parser.add_argument, sorted(FAULT_NOTES)
    add("--port", type=int, default=0, metavar="N", help="the port to listen on (default: a free one)")
    add("--pace", type=float, default=0.0, metavar="S", help="seconds between the words of an answer")
    add("--require-key", metavar="K", help="the only key that is accepted (default: any, or none)")
    add("--fault", metavar="NAME", choices=names, help="what goes wrong with every chat completion")
    note = "what goes wrong with the next one; may be repeated"
    add("--fault-once", metavar="NAME", choices=names, action="append", default=[], help=note)
    add("--record", metavar="FOLDER", help="hand requests on to a server, and record what passes there")
    add("--upstream", metavar="URL", help="with --record: the server (default: Hugging Face)")
    add("--replay", metavar="FOLDER", help="answer from the records of that folder")
