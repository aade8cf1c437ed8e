"""Drives JupyterLab in Chromium as a user does: runs cells, clicks buttons, takes screenshots.

It needs jupyterlab, ipykernel, playwright and a Chromium. It connects only to 127.0.0.1.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

__all__ = ["Lab", "opening_lab"]

PATIENCE = 200  # seconds; longer than any step takes
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

# Records in the page when each output arrives from the kernel, and when the notebook's DOM last changed.
WATCH = """() => {
  window.seen = {arrived: [], changed: 0, busy: 0};
  const book = window.jupyterapp.shell.currentWidget;
  book.sessionContext.iopubMessage.connect((_, message) => {
    if (/display_data|execute_result/.test(message.header.msg_type)) window.seen.arrived.push(performance.now());
  });
  new MutationObserver(() => { window.seen.changed = performance.now(); })
    .observe(book.content.node, {childList: true, subtree: true, characterData: true});
  new PerformanceObserver(list => list.getEntries().forEach(e => { window.seen.busy += e.duration; }))
    .observe({entryTypes: ['longtask']});
}"""
STATE = """() => {
  const book = window.jupyterapp && window.jupyterapp.shell.currentWidget;
  const session = book && book.sessionContext && book.sessionContext.session;
  if (!session || !session.kernel || !book.content.model) return null;
  const cells = [...book.content.model.cells].filter(c => c.type === 'code');
  return {kernel: session.kernel.status, run: Math.max(...cells.map(c => c.executionCount || 0)),  // the last number
          outputs: cells.map(c => c.outputs ? c.outputs.toJSON() : [])};
}"""


class Lab:
    """An open notebook in JupyterLab.

    Args:
        page: the browser page.
        path: the notebook file.
    """

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.path = path
        self.dialogs: list[str] = []
        self.foreign: list[str] = []
        """URLs of requests to other hosts."""
        page.on("dialog", self._note_dialog)
        page.on("request", self._note_request)

    def state(self) -> Any:
        return self.page.evaluate(STATE)

    def wait_until(self, ready: Any) -> Any:
        """Wait until ``ready`` accepts the notebook's state, and return the state."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            state = self.state()
            if state and ready(state):
                return state
            self.page.wait_for_timeout(50)
        raise TimeoutError(f"not so after {PATIENCE} s: {str(state)[:2000]}")

    def run_cell(self, number: int, *, wait: bool = True) -> None:
        """Run one cell, and wait until it has finished if ``wait`` is true."""
        before = self.state()["run"]
        self.page.evaluate(
            "number => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = number;"
            " window.jupyterapp.commands.execute('notebook:run-cell'); }",
            number,
        )
        if wait:
            self.wait_until(lambda state: state["kernel"] == "idle" and state["run"] > before)

    def run_all(self) -> None:
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
        self.wait_until(lambda s: s["kernel"] == "idle" and s["run"] == len(s["outputs"]))

    def press_stop(self) -> None:
        """Click the toolbar's interrupt button."""
        self.page.click("[data-command='notebook:interrupt-kernel']:visible, [title^='Interrupt']:visible")

    def use_theme(self, name: str) -> None:
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", THEMES[name]
        )
        self.page.wait_for_function(f"() => document.body.dataset.jpThemeLight === '{str(name == 'light').lower()}'")
        self.page.wait_for_timeout(500)

    def watch(self) -> None:
        """Start to record when outputs arrive and change."""
        self.page.evaluate(WATCH)

    def measure(self, number: int) -> dict[str, float]:
        """Run a cell, and return its timings in milliseconds.

        They are the time from its last output message to the page's last change, the sum of the tasks longer than
        50 ms, the CPU time of the page's main thread, and the time spent on layout.
        """
        cdp = self.page.context.new_cdp_session(self.page)
        cdp.send("Performance.enable", {"timeDomain": "threadTicks"})
        self.page.evaluate("() => { Object.assign(window.seen, {arrived: [], changed: 0, busy: 0}); }")
        before = _metrics(cdp)
        self.run_cell(number)
        self.page.wait_for_timeout(1500)
        seen = self.page.evaluate("() => window.seen")
        after = _metrics(cdp)
        cdp.detach()
        return {
            "to_change": round(seen["changed"] - seen["arrived"][-1], 1),
            "long_tasks": round(seen["busy"], 1),
            "cpu": round(1000 * (after["TaskDuration"] - before["TaskDuration"]), 1),
            "layout": round(1000 * (after["LayoutDuration"] - before["LayoutDuration"]), 1),
        }

    def save(self) -> Any:
        """Save the notebook, and return the saved JSON."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")
        return json.loads(self.path.read_text("utf-8"))

    def _note_dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _note_request(self, request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:http://127.0.0.1:")):
            self.foreign.append(request.url)


def _metrics(cdp: Any) -> dict[str, float]:
    return {metric["name"]: metric["value"] for metric in cdp.send("Performance.getMetrics")["metrics"]}


@contextmanager
def opening_lab(
    cells: list[str], *, chromium: str = "/usr/bin/chromium", size: tuple[int, int] = (1100, 1200)
) -> Iterator[Lab]:
    """Open a notebook with these cells in JupyterLab, and wait for its kernel. Leaving the block closes it.

    The kernel inherits this process's environment.
    """
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        home = Path(folder)
        path = _write(home, cells)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = _start(home, port)
        try:
            with sync_playwright() as play:
                context = play.chromium.launch_persistent_context(
                    str(home / "chromium"),
                    executable_path=chromium,
                    headless=True,
                    args=CHROMIUM,
                    viewport={"width": size[0], "height": size[1]},
                )
                lab = Lab(context.new_page(), path)
                lab.page.goto(f"http://127.0.0.1:{port}/lab/tree/{path.name}?reset")
                lab.wait_until(lambda state: state["kernel"] == "idle")
                lab.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
                yield lab
                context.close()
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()


def _write(home: Path, cells: list[str]) -> Path:
    quiet = home / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    path = home / "work" / "answers.ipynb"
    path.parent.mkdir()
    code = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    book = {
        "cells": [{**code, "id": f"cell-{number}", "source": cell} for number, cell in enumerate(cells)],
        "metadata": kernel,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(book), "utf-8")
    return path


def _start(home: Path, port: int) -> subprocess.Popen[bytes]:
    folders = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    folders |= {"IPYTHONDIR": str(home / "ipython"), "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces")}
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"),
            *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
            *("--IdentityProvider.token=", f"--ServerApp.root_dir={home / 'work'}"),
            *("--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.extension_manager=readonly"),
        ],
        env={**os.environ, **folders, "JUPYTERLAB_SETTINGS_DIR": str(home / "settings")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=5):
                return server
        except OSError:
            time.sleep(0.1)
    server.kill()
    raise RuntimeError(f"JupyterLab did not start: status {server.wait()}")
