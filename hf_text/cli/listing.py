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
from .parsing import Fail, fill_in_environment, refuse_two_servers
from .views import View

__all__ = ["answered_by", "connected", "yes_or_no"]


@contextmanager
def connected(values: argparse.Namespace, fail: Fail) -> Iterator[Client]:
    """The client that the options mean, while the block lasts."""
    refuse_two_servers(vars(values), fail)
    fill_in_environment(vars(values))
    with connect(Options.of({**vars(values), "provider": ()}), View(reasoning=False)) as client:
        yield client


def answered_by(work: Callable[[], int]) -> int:
    """The exit status of the work; an error is told in one line."""
    try:
        return work()
    except HFTextError as error:
        Output(sys.stderr, vital=False).write_line(f"hf-text: error: {explain(error)}")
        return 2 if isinstance(error, InvalidRequestError) else 1


def yes_or_no(value: bool | None) -> str:
    """For a cell of a table."""
    return "" if value is None else "yes" if value else "no"
