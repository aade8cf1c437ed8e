"""The arguments of the emulator's command."""

from __future__ import annotations

import argparse

from .faults import FAULT_NOTES

__all__ = ["DESCRIPTION", "EPILOG", "add_arguments"]

_WIDTH = max(map(len, FAULT_NOTES))

DESCRIPTION = "A local Hugging Face emulator for tests and demos. Its answers do not come from a model, and say so."
EPILOG = "faults:\n" + "\n".join(f"  {name:{_WIDTH}}  {note}" for name, note in FAULT_NOTES.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments to a parser."""
    add, names = parser.add_argument, sorted(FAULT_NOTES)
    add("--port", type=int, default=0, metavar="N", help="the port to listen on (default: a free one)")
    add("--pace", type=float, default=0.0, metavar="S", help="seconds between the words of an answer")
    add("--require-key", metavar="K", help="the only key that is accepted (default: any, or none)")
    add("--fault", metavar="NAME", choices=names, help="a fault for every chat completion")
    note = "a fault for the next chat completion; repeatable"
    add("--fault-once", metavar="NAME", choices=names, action="append", default=[], help=note)
    add("--record", metavar="FOLDER", help="forward requests to a server, and record the traffic")
    add("--upstream", metavar="URL", help="with --record: the server (default: Hugging Face)")
    add("--replay", metavar="FOLDER", help="answer from the recordings in this folder")
