"""A Jupyter kernel, as a frontend sees it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from queue import Empty
from typing import Any

import jupyter_client.manager
import jupyter_core.utils
import nbclient
import nbformat

__all__ = ["PATIENCE", "Kernel", "leaving_no_loop", "plain", "run_notebook", "starting_kernel"]

_ABOUT_THE_KERNEL = ("status", "execute_input")

PATIENCE = 50  # seconds; a sign that something hangs: the test would end soon


class Kernel:
    """A kernel, and what its cells put out."""

    def __init__(self, manager: Any, client: Any) -> None:
        self._manager = manager
        self._client = client

    def _wait_for(self, get_message: Callable[..., Any]) -> Any:
        """The next message, however long a busy machine takes. A kernel that hangs meets the limit of the test."""
        while self._manager.is_alive():
            with suppress(Empty):
                return get_message(timeout=1)
        raise RuntimeError("the kernel has ended")

    def begin(self, cell: str) -> str:
        """Begin to execute a cell, as one of its own. Returns the number to wait for."""
        return str(self._client.execute(cell, stop_on_error=False))

    def wait_for_output(self, number: str, words: str) -> list[Any]:
        """Wait until the cell has printed or displayed these words. Returns what it has sent."""
        printed, sent = "", []
        while words not in printed:
            message = self._wait_for(self._client.get_iopub_msg)
            if message["parent_header"].get("msg_id") == number and message["msg_type"] not in _ABOUT_THE_KERNEL:
                content = message["content"]
                printed += content.get("text", "") + content.get("data", {}).get("text/plain", "")
                sent.append(message)
        return sent

    def wait_for_end(self, number: str) -> str:
        """Wait until the cell has ended. Returns ``"ok"``, or the name of the error that ended it."""
        while True:
            message = self._wait_for(self._client.get_shell_msg)
            if message["parent_header"].get("msg_id") == number:
                return str(message["content"].get("ename", message["content"]["status"]))

    def messages(self, cell: str) -> list[Any]:
        """Execute a cell. Returns what it sends: displays, updates, results, printed text, errors."""
        return self.rest_of(self.begin(cell))

    def rest_of(self, number: str) -> list[Any]:
        """What a cell still sends, up to its end."""
        sent: list[Any] = []
        while True:
            message = self._wait_for(self._client.get_iopub_msg)
            if message["parent_header"].get("msg_id") == number:
                if message["content"].get("execution_state") == "idle":
                    return sent
                if message["msg_type"] not in _ABOUT_THE_KERNEL:
                    sent.append(message)

    def run(self, cell: str) -> str:
        """Execute a cell that prints something. Returns what it printed."""
        sent = [message for message in self.messages(cell) if message["msg_type"] in ("stream", "error")]
        return "".join(message["content"].get("text") or str(message["content"]) for message in sent)

    def press_stop(self) -> None:
        """What the stop button does."""
        self._manager.interrupt_kernel()

    def send_interrupt(self) -> None:
        """What it does where the frontend cannot send the kernel a signal."""
        self._client.control_channel.send(self._client.session.msg("interrupt_request"))


@contextmanager
def starting_kernel() -> Iterator[Kernel]:
    """A kernel, for as long as the block lasts."""
    manager, client = jupyter_client.manager.start_new_kernel(startup_timeout=PATIENCE)
    try:
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@contextmanager
def leaving_no_loop() -> Iterator[None]:
    """Close, after the block, what Jupyter keeps for the next time."""
    try:
        yield
    finally:
        jupyter_core.utils.ensure_event_loop().close()
        asyncio.set_event_loop(None)


def run_notebook(text: str, folder: str | PathLike[str] = "") -> Any:
    """A notebook, run in a folder from top to bottom, as it is saved then."""
    notebook = nbformat.reads(text, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    # Text that is printed in pieces is one output, as a frontend has it. On a busy machine output may come late: after
    # iopub_timeout, it would be left out.
    nbclient.NotebookClient(
        notebook, timeout=None, iopub_timeout=PATIENCE, resources=resources, coalesce_streams=True
    ).execute()
    return notebook


def plain(traceback: list[str]) -> str:
    """The text of a traceback without its colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(traceback))
