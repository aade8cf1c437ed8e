"""What the commands that show the catalogue share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..client import Client
from ..errors import HFTextError, InvalidRequestError
from .advice import explain
from .arguments import Options
from .connect import connect
from .output import Output
from .parsing import Parser, fill_in_environment
from .views import View

__all__ = ["answered_by", "connected"]


@contextmanager
def connected(values: argparse.Namespace, parser: Parser) -> Iterator[Client]:
    """The client that the options mean, while the block lasts."""
    if values.demo and values.api_base is not None:
        parser.error("--demo asks the built-in emulator, so there can be no --api-base")
    fill_in_environment(vars(values))
    with connect(Options.of({**vars(values), "provider": ()}), View(reasoning=False)) as client:
        yield client


def answered_by(work: Callable[[], int]) -> int:
    """The exit status of the work; an error is shown in one line."""
    try:
        return work()
    except HFTextError as error:
        Output(sys.stderr, vital=False).write_line(f"hf-text: error: {explain(error)}")
        return 2 if isinstance(error, InvalidRequestError) else 1
