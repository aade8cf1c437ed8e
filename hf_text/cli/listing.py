"""Shared code of the commands that show the catalogue."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from ..client import Client
from .arguments import Options
from .connect import connect
from .parsing import Fail, fill_in_environment, refuse_two_servers
from .views import View

__all__ = ["connected"]


@contextmanager
def connected(values: argparse.Namespace, fail: Fail) -> Iterator[Client]:
    """Yield the client for the options, open for the duration of the block."""
    refuse_two_servers(vars(values), fail)
    fill_in_environment(vars(values))
    with connect(Options.of({**vars(values), "provider": ()}), View(reasoning=False)) as client:
        yield client
