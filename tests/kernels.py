"""A Jupyter kernel, driven as a frontend drives it."""

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

PATIENCE = 50  # seconds; exceeded only if something hangs


class Kernel:
    """A kernel and the output of its cells."""

    def __init__(self, manager: Any, client: Any) -> None:
        self._manager = manager
        self._client = client

    def _wait_for(self, get_message: Callable[..., Any]) -> Any:
        """Return the next message. Waits as long as the kernel runs; the test's own timeout ends a hang."""
        while self._manager.is_alive():
            with suppress(Empty):
                return get_message(timeout=1)
        raise RuntimeError("the kernel has ended")

    def begin(self, cell: str) -> str:
        """Start executing a cell. Returns the message id to wait for."""
        return str(self._client.execute(cell, stop_on_error=False))

    def wait_for_output(self, number: str, words: str) -> list[Any]:
        """Wait until the cell has printed or displayed these words. Returns its messages so far."""
        printed, sent = "", []
        while words not in printed:
            message = self._wait_for(self._client.get_iopub_msg)
            if message["parent_header"].get("msg_id") == number and message["msg_type"] not in _ABOUT_THE_KERNEL:
                content = message["content"]
                printed += content.get("text", "") + content.get("data", {}).get("text/plain", "")
                sent.append(message)
        return sent

    def wait_for_end(self, number: str) -> str:
        """Wait until the cell ends. Returns ``"ok"``, or the name of the error."""
        while True:
            message = self._wait_for(self._client.get_shell_msg)
            if message["parent_header"].get("msg_id") == number:
                return str(message["content"].get("ename", message["content"]["status"]))

    def messages(self, cell: str) -> list[Any]:
        """Execute a cell. Returns its messages: displays, updates, results, printed text, errors."""
        return self.rest_of(self.begin(cell))

    def rest_of(self, number: str) -> list[Any]:
        """The remaining messages of a cell."""
        sent: list[Any] = []
        while True:
            message = self._wait_for(self._client.get_iopub_msg)
            if message["parent_header"].get("msg_id") == number:
                if message["content"].get("execution_state") == "idle":
                    return sent
                if message["msg_type"] not in _ABOUT_THE_KERNEL:
                    sent.append(message)

    def run(self, cell: str) -> str:
        """Execute a cell. Returns what it printed."""
        sent = [message for message in self.messages(cell) if message["msg_type"] in ("stream", "error")]
        return "".join(message["content"].get("text") or str(message["content"]) for message in sent)

    def press_stop(self) -> None:
        """Interrupt the kernel as the stop button does."""
        self._manager.interrupt_kernel()

    def send_interrupt(self) -> None:
        """Interrupt the kernel with a message, as frontends do that cannot send it a signal."""
        self._client.control_channel.send(self._client.session.msg("interrupt_request"))


@contextmanager
def starting_kernel() -> Iterator[Kernel]:
    """Start a kernel for the duration of the block."""
    manager, client = jupyter_client.manager.start_new_kernel(startup_timeout=PATIENCE)
    try:
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@contextmanager
def leaving_no_loop() -> Iterator[None]:
    """Close the event loop that Jupyter keeps for reuse."""
    try:
        yield
    finally:
        jupyter_core.utils.ensure_event_loop().close()
        asyncio.set_event_loop(None)


def run_notebook(text: str, folder: str | PathLike[str] = "") -> Any:
    """Run a notebook in a folder from top to bottom. Returns it as it would be saved."""
    notebook = nbformat.reads(text, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    # Printed chunks form one output, as in a frontend. On a busy machine output may be delayed: after
    # iopub_timeout, it would be dropped.
    nbclient.NotebookClient(
        notebook, timeout=None, iopub_timeout=PATIENCE, resources=resources, coalesce_streams=True
    ).execute()
    return notebook


def plain(traceback: list[str]) -> str:
    """The text of a traceback without ANSI colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(traceback))
