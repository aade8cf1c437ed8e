"""A pytest plugin to test an app, with any client, against streams that break, stall, fail or are malformed.

It is loaded only on request, in the root ``conftest.py``::

    pytest_plugins = ["hf_text.integrations.pytest_plugin"]

* The fixture ``hf_emulator`` is a local Hugging Face and OpenAI-compatible server; during the test, environment
  variables point to it: ``HF_ENDPOINT``, ``HF_TEXT_ROUTER_URL``, ``HF_TOKEN``, ``OPENAI_BASE_URL``,
  ``OPENAI_API_KEY``.
* ``@pytest.mark.hf_faults("cut-mid-stream", ...)`` sets the faults.
* ``--hf-record FOLDER`` records the answers of a real server, ``--hf-replay FOLDER`` replays them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..emulator import Emulator, Response, fault

__all__ = ["hf_emulator", "pytest_addoption", "pytest_configure"]

_PLACEHOLDER = "hf_emulator"  # any key will do
_MAX_NAME = 100
_MARK = "hf_faults(*replies, always=None, path=None)"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the command-line options."""
    group = parser.getgroup("hf_text", "hf_text: answers of language models")
    group.addoption(
        "--hf-record",
        metavar="FOLDER",
        help="hand the requests of hf_emulator on to a real server, and record what passes, a folder for each test",
    )
    group.addoption(
        "--hf-upstream", metavar="URL", help="with --hf-record: the server (default: Hugging Face)", default=None
    )
    group.addoption("--hf-replay", metavar="FOLDER", help="answer the requests of hf_emulator from records")


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark, and reject incompatible options."""
    config.addinivalue_line(
        "markers",
        f"{_MARK}: what hf_emulator answers: names of faults and hf_text.emulator.Response objects, each once and in "
        "order; always: what it answers from then on",
    )
    if config.getoption("hf_record") and config.getoption("hf_replay"):
        raise pytest.UsageError("pass --hf-record or --hf-replay, not both")
    if config.getoption("hf_upstream") and not config.getoption("hf_record"):
        raise pytest.UsageError("--hf-upstream is the server to record from: pass --hf-record too")


@pytest.fixture
def hf_emulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A running `hf_text.emulator.Emulator`; environment variables point to it during the test."""
    with Emulator(**_recording(request)) as emulator:
        for mark in reversed(list(request.node.iter_markers("hf_faults"))):  # the class's marks before the test's
            _script(emulator, mark)
        for name, value in _environ(request.config, emulator).items():
            monkeypatch.setenv(name, value)
        yield emulator


def _environ(config: pytest.Config, emulator: Emulator) -> dict[str, str]:
    """The variables with the URLs, and with placeholder keys unless recording needs the real keys."""
    addresses = {**emulator.environ, "OPENAI_BASE_URL": emulator.api_base, "OPENAI_API_BASE": emulator.api_base}
    if config.getoption("hf_record"):
        return addresses
    return {**addresses, "HF_TOKEN": _PLACEHOLDER, "OPENAI_API_KEY": _PLACEHOLDER}


def _recording(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The emulator's arguments for recording or replaying this test."""
    config, name = request.config, _folder_name(request.node.nodeid)
    if folder := config.getoption("hf_record"):
        return {"record": Path(folder, name), "upstream": config.getoption("hf_upstream")}
    if folder := config.getoption("hf_replay"):
        return {"replay": Path(folder, name)}
    return {}


def _folder_name(nodeid: str) -> str:
    """The folder name for the records of a test. A hash distinguishes parameters that are long or differ only in
    characters that file names cannot contain.
    """
    name = re.sub(r"[^\w.-]+", "-", nodeid).strip("-")
    if "[" not in nodeid and len(name) <= _MAX_NAME:
        return name
    return f"{name[:_MAX_NAME]}-{hashlib.sha256(nodeid.encode()).hexdigest()[:8]}"


def _script(emulator: Emulator, mark: pytest.Mark) -> None:
    unknown = mark.kwargs.keys() - {"always", "path"}
    if unknown:
        raise pytest.UsageError(f"{_MARK} takes no {', '.join(sorted(unknown))}")
    path = mark.kwargs.get("path")
    emulator.reply(*map(_checked, mark.args), path=path)
    if (always := mark.kwargs.get("always")) is not None:
        emulator.always(_checked(always), path)


def _checked(reply: Any) -> Response:
    """The response for the name of a fault, or the response itself. Raises UsageError for anything else."""
    if isinstance(reply, Response):
        return reply
    try:
        return fault(reply)
    except (ValueError, TypeError) as error:
        raise pytest.UsageError(f"{_MARK}: {error}") from None
