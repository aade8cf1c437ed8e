"""`Emulator`: the server, its scripted replies, and the built-in answers to requests without one."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .answers import NOTE
from .faults import fault
from .hub import answer_hub
from .recorder import Recorder, hide_request
from .records import Player
from .replies import Response
from .router import answer_router, is_chat_path
from .server import Server
from .world import World

if TYPE_CHECKING:
    from .request import Request

__all__ = ["Emulator", "Scripted"]

Scripted = Response | str | Callable[["Request"], Response | str]
"""A reply, the name of a fault, or a function that returns one of these for the request."""

_E = TypeVar("_E", bound="Emulator")


class Emulator(Server):
    """A local Hugging Face: the Hub and the router at one address, with scripted answers and faults.

    ::

        with Emulator() as hf:
            hf.reply("cut-mid-stream", Response.text("Hello"))
            ...                                  # point the app at hf.url
            assert hf.requests[0].json["stream"] is True

    Args:
        require_key: the only accepted key; other keys get 401. None: any key, or none.
        pace: seconds between the pieces of a built-in answer.
        tls: certificate and key files; with these it serves https.
        port: the port; 0 picks a free one.
        record: a folder: requests are forwarded to ``upstream`` and recorded there with their answers, byte for byte
            and with timing. Keys, cookies and billing names are redacted before anything is written; prompts and
            answers are not. The records of an earlier run are replaced.
        upstream: with ``record``: the base URL of the server, such as ``"http://127.0.0.1:8080"``; None: Hugging Face.
            Proxies are taken from the environment: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``NO_PROXY``.
        verify: with ``record``: a CA bundle, for a server whose certificate the system does not trust.
        replay: a folder of records from which requests are answered. A request that was not recorded gets 400, and an
            error in ``failures``.
        timing: with ``replay``: whether to reproduce the recorded timing; if False, answers are sent at once.
        secrets: with ``record`` and ``replay``: further texts to redact, such as the name of a customer.

    Scripted replies take precedence over forwarding and replay.
    """

    def __init__(
        self,
        *,
        require_key: str | None = None,
        pace: float = 0.0,
        tls: tuple[str, str] | None = None,
        port: int = 0,
        record: str | os.PathLike[str] | None = None,
        upstream: str | None = None,
        verify: str | os.PathLike[str] | None = None,
        replay: str | os.PathLike[str] | None = None,
        timing: bool = False,
        secrets: Iterable[str] = (),
    ) -> None:
        super().__init__(port=port, tls=tls)
        if record is not None and replay is not None:
            raise ValueError("pass record= or replay=, not both")
        if record is None and (upstream is not None or verify is not None):
            raise ValueError("upstream= and verify= are those of the server to record from: pass record= too")
        self._secrets = tuple(secrets)
        bundle = None if verify is None else os.fspath(verify)
        self._recorder = (
            None if record is None else Recorder(Path(record), upstream, self._secrets, self.failures, bundle)
        )
        self._player = None if replay is None else Player(Path(replay), timing)
        self._world = World(require_key=require_key, pace=pace)
        self._scripts: dict[str | None, deque[Scripted]] = {}
        self._standing: dict[str | None, Scripted] = {}

    def start(self: _E) -> _E:
        """Bind to 127.0.0.1 and start serving. Returns the emulator itself."""
        super().start()
        self._world.url = self.url
        return self

    @property
    def api_base(self) -> str:
        """The base URL of the OpenAI-compatible routes: `url` with ``/v1``."""
        return f"{self.url}/v1"

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables that direct a program to the emulator instead of Hugging Face."""
        return {"HF_ENDPOINT": self.url, "HF_TEXT_ROUTER_URL": self.url}

    @property
    def require_key(self) -> str | None:
        """The only accepted key; None: any key, or none. Can be changed at any time."""
        return self._world.require_key

    @require_key.setter
    def require_key(self, key: str | None) -> None:
        self._world.require_key = key

    @property
    def models(self) -> list[dict[str, Any]]:
        """The catalogue; `build_model` makes its entries. Can be changed or replaced at any time."""
        return self._world.models

    @models.setter
    def models(self, models: list[dict[str, Any]]) -> None:
        self._world.models = models

    @property
    def renamed(self) -> dict[str, str]:
        """Old model id to new one: the Hub redirects from the old id. Can be changed or replaced at any time."""
        return self._world.renamed

    @renamed.setter
    def renamed(self, renamed: dict[str, str]) -> None:
        self._world.renamed = renamed

    def reply(self, *replies: Scripted, path: str | None = None) -> None:
        """Answer the next requests with these replies, each used once, in order.

        Later requests get the reply set by `always`, or the built-in answer.

        Args:
            replies: replies, names of faults, or functions of the request that return one of these.
            path: only for requests to this path; with a trailing ``*``, to all paths with that prefix. None: any chat
                completion route.
        """
        with self.changed:
            self._scripts.setdefault(path, deque()).extend(_checked(reply) for reply in replies)

    def always(self, reply: Scripted, path: str | None = None) -> None:
        """Answer every request to this path with this reply, after its scripted replies are used up. ``path`` is as in
        `reply`.
        """
        with self.changed:
            self._standing[path] = _checked(reply)

    def handle(self, request: Request) -> Response:
        """The scripted reply, else the built-in one."""
        scripted = self._take_scripted(request)
        if scripted is None and (self._recorder or self._player):
            return self._answer_recorded(request)
        if scripted is None:
            return answer_router(self._world, request) or answer_hub(self._world, request) or _answer_rest(request)
        return _resolve(scripted(request) if callable(scripted) else scripted)

    def _answer_recorded(self, request: Request) -> Response:
        try:
            if self._recorder is not None:
                return self._recorder.answer(request)
            assert self._player is not None
            with self.changed:
                return self._player.find(request.method, *hide_request(request, self._secrets))
        except (OSError, LookupError) as error:
            self.failures.append(error)
            return Response.error(502 if isinstance(error, OSError) else 400, f"hf_text.emulator: {error}")

    def _take_scripted(self, request: Request) -> Scripted | None:
        with self.changed:
            for path in sorted(self._scripts, key=_breadth):
                if self._scripts[path] and _path_matches(path, request):
                    return self._scripts[path].popleft()
            for path in sorted(self._standing, key=_breadth):
                if _path_matches(path, request):
                    return self._standing[path]
        return None


def _checked(reply: Scripted) -> Scripted:
    if isinstance(reply, str):
        fault(reply)  # an unknown name raises here, not in the connection's thread
    elif not isinstance(reply, Response) and not callable(reply):
        raise TypeError(f"a reply is a Response, the name of a fault or a function, not {reply!r:.80}")
    return reply


def _resolve(reply: Response | str) -> Response:
    return fault(reply) if isinstance(reply, str) else reply


def _breadth(path: str | None) -> int:
    """The sort key of a path: an exact path first, then one with ``*``, then any chat completion route."""
    return 2 if path is None else int(path.endswith("*"))


def _path_matches(path: str | None, request: Request) -> bool:
    if path is None:
        return is_chat_path(request.path)
    return request.path.startswith(path[:-1]) if path.endswith("*") else request.path == path


def _answer_rest(request: Request) -> Response:
    if request.path == "/":
        text = (
            f"{NOTE} It answers like huggingface.co (/api/models) and router.huggingface.co (/v1/chat/completions).\n"
        )
        return Response(headers={"Content-Type": "text/plain; charset=utf-8"}, body=text)
    return Response.error(404, "Not Found", "text")
