"""A local Hugging Face for tests and demos: the Hub, the router, and their failures.

Its answers state that they come from the emulator. It depends only on the standard library, not on the rest of this
package, so that it can test other programs, too (``python -m hf_text.emulator``)::

    from hf_text.emulator import Emulator, Response

    with Emulator() as hf:
        hf.reply("rate-limited", Response.text("Hello", " you", usage=(3, 2), style="groq"))
        ...  # run the program under test against hf.url, or with the environment variables of hf.environ
        assert len(hf.requests) == 2
"""

from __future__ import annotations

from .catalog import build_model
from .emulator import Emulator
from .faults import FAULT_NOTES, FAULTS, fault
from .gate import Gate
from .leaks import assert_nothing_leaked
from .replies import Response
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
    "Request",
    "Response",
    "assert_nothing_leaked",
    "build_model",
    "fault",
]


def __dir__() -> list[str]:
    return sorted(__all__)
