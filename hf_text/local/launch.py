"""One start of a server, from the name of a model to an address that answers requests."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from ..errors import LocalServerError
from ..transport.locks import ForkSafeLock
from .child import Child, ChildEndedError, Message
from .failures import check_package, closed_early, explain_download, explain_end
from .files import ModelFile, check_memory, find_file, show_bytes
from .gguf import cache_bytes, read_header
from .names import HubName

__all__ = ["Launch", "Running", "Settings"]

_NEWS_SECONDS = 2.0  # loading that takes longer is reported, and again after each such interval


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the server; see ``LocalServer``."""

    context: int
    slots: int
    threads: int
    timeout: float


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers requests."""

    child: Child
    file: ModelFile
    api_base: str
    api_key: str = field(repr=False)


class Launch:
    """One start, in the thread that calls ``run()``; ``stop()`` ends it, or the started server, from any thread.

    Args:
        source: the model.
        settings: how to run it.
        confirm: called before a download; None downloads without asking.
        notify: called with a sentence about anything that takes long.
    """

    def __init__(
        self,
        source: Path | HubName,
        settings: Settings,
        confirm: Callable[[str], bool] | None,
        notify: Callable[[str], None],
    ) -> None:
        self._source = source
        self._settings = settings
        self._confirm = confirm
        self._notify = notify
        self._lock = ForkSafeLock()
        self._child: Child | None = None
        self.stopped: bool = False

    def run(self) -> Running:
        """Start the server and wait until it answers. Raises LocalServerError or MissingExtraError."""
        check_package("xllamacpp")
        file = self._download(self._source) if isinstance(self._source, HubName) else find_file(self._source)
        tokens = self._settings.context * self._settings.slots
        check_memory(file.name, file.size, cache_bytes(read_header(file.path), tokens))
        return self._serve(file)

    def stop(self) -> None:
        """End the running process, and start no other."""
        with self._lock:
            self.stopped = True
            child = self._child
        if child is not None:
            child.kill()

    def _download(self, name: HubName) -> ModelFile:
        order = {"repo": name.repo, "wanted": name.wanted}
        check_package("huggingface_hub")
        with self._process(str(name), "hf_text.local.download", order) as child:
            message = child.receive()
            if "bytes" in message:
                check_memory(str(name), message["bytes"])  # before downloading a model that cannot be used
                self._agree(f"{name} is {show_bytes(message['bytes'])} to download from the Hub", name)
                child.send({})
                message = child.receive()
            child.kill()
        if "failed" in message:
            raise explain_download(name, **message)
        return find_file(Path(message["path"]), str(name))

    def _agree(self, sentence: str, name: HubName) -> None:
        if self._confirm is None:
            self._notify(sentence)
        elif not self._confirm(sentence):
            raise LocalServerError(f"{name} was not downloaded. Use a model that you have, or agree to the download")

    def _serve(self, file: ModelFile) -> Running:
        key = secrets.token_urlsafe(32)
        order = {"path": str(file.path), "name": file.name, "key": key, **asdict(self._settings)}
        with TemporaryFile() as log, self._process(file.name, "hf_text.local.serving", order, log) as child:
            message = self._wait(child, file, self._settings.timeout)
            return Running(child, file, f"{message['address']}/v1", key)

    def _wait(self, child: Child, file: ModelFile, timeout: float) -> Message:
        what = f"{file.name} ({show_bytes(file.size)})"
        begun = time.monotonic()
        while (waited := time.monotonic() - begun) < timeout:
            with suppress(TimeoutError):
                return child.receive(min(_NEWS_SECONDS, timeout - waited))
            self._notify(f"{what} is still loading, after {time.monotonic() - begun:.0f} s")
        raise LocalServerError(
            f"{what} was not loaded after {timeout:g} s. Set a longer timeout, or choose a smaller model"
        )

    @contextmanager
    def _process(self, name: str, module: str, order: Message, log: IO[bytes] | None = None) -> Iterator[Child]:
        """Run a process for one step of the start. An exception in the step ends the process."""
        with self._lock:
            if self.stopped:
                raise closed_early(name)
            child = self._child = Child(module, order, log)
        try:
            yield child
        except ChildEndedError as error:
            child.kill()
            raise (closed_early(name) if self.stopped else explain_end(name, error.status, log)) from None
        except BaseException:  # including Ctrl-C and cancellation: leave no process behind
            child.kill()
            raise
