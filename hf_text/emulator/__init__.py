"""A loopback Hugging Face for tests and demos: the Hub, the router, and everything that goes wrong with them."""

from __future__ import annotations

from .catalog import build_model
from .emulator import Emulator
from .faults import FAULT_NOTES, FAULTS, fault
from .gate import Gate
from .leaks import assert_nothing_leaked
from .replies import Reply
from .request import Request
from .shapes import ERROR_SHAPES
from .styles import STYLES

__all__ = [
    "ERROR_SHAPES",
    "FAULTS",
    "FAULT_NOTES",
    "STYLES",
    "Emulator",
    "Gate",
    "Reply",
    "Request",
    "assert_nothing_leaked",
    "build_model",
    "fault",
]
