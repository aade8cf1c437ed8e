"""Resolves the name of a model to a path or a name on the Hub, and a name on the Hub to the files of a repository."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..checks import refusal, show
from ..errors import LocalServerError

__all__ = ["DEFAULT_MODEL", "HubName", "choose_files", "name_of_file", "parse_model"]

# Apache-2.0, 491 MB as the Hub lists it.
DEFAULT_MODEL = "Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M"

# The usual compromises between size and quality, best first.
_PREFERRED = ("Q4_K_M", "Q4_K_S", "Q4_0", "Q4_1", "IQ4_XS", "Q5_K_M", "Q8_0")

_WAYS = f"A model is a GGUF file, a folder that holds one, or a name on the Hub such as {DEFAULT_MODEL}"
_HUB_URLS = re.compile(r"(https?://)?(huggingface\.co|hf\.co)/")
_HUB_NAME = re.compile(r"(?P<repo>\w[\w.-]*/\w[\w.-]*)(:(?P<wanted>[\w./-]+))?", re.ASCII)
_PART = re.compile(r"-(\d{5})-of-\d{5}$")


@dataclass(frozen=True, slots=True)
class HubName:
    """A model on the Hub.

    Attributes:
        repo: ``org/name``.
        wanted: a file of it, or a quantisation; None: the usual one.
    """

    repo: str
    wanted: str | None = None

    def __str__(self) -> str:
        return f"{self.repo}:{self.wanted}" if self.wanted else self.repo


def parse_model(model: str | os.PathLike[str] | None) -> Path | HubName:
    """Resolve the model. A str is a path if that path exists.

    Raises InvalidRequestError for anything that can be neither, and LocalServerError for a path that does not exist.
    """
    if isinstance(model, os.PathLike):
        return _check_path(Path(model), model)
    if model is None:
        model = DEFAULT_MODEL
    if not isinstance(model, str) or not model.strip() or "\0" in model:
        raise refusal("model", "a path, or a name on the Hub", model)
    path = Path(model).expanduser()
    found = _HUB_NAME.fullmatch(_HUB_URLS.sub("", model.strip(), count=1))
    if found is None or (model.lower().endswith(".gguf") and ":" not in model) or _exists(path):
        return _check_path(path, model)
    return HubName(found["repo"], found["wanted"])


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # the name is too long for a path
        return False


def _check_path(path: Path, given: str | os.PathLike[str]) -> Path:
    if not _exists(path):
        raise LocalServerError(f"there is neither a file nor a folder {show(os.fspath(given))}. {_WAYS}")
    return path


def name_of_file(name: str) -> str:
    """Return the name of the model in a file: without the suffix, and without the number of a part."""
    return _PART.sub("", re.sub(r"\.gguf$", "", name, flags=re.IGNORECASE))


def choose_files(names: Iterable[str], wanted: str | None) -> list[str]:
    """Return the files of a model among those of a repository, in order: one, or all of its parts.

    Raises LookupError, which lists the models, if the name selects none.
    """
    models: dict[str, list[str]] = {}
    for name in sorted(names):
        if name.lower().endswith(".gguf") and not name.rpartition("/")[2].lower().startswith("mmproj"):
            models.setdefault(name_of_file(name), []).append(name)
    if not models:
        raise LookupError("it has no .gguf file; look for a repository whose name ends with GGUF")
    chosen = _choose(list(models), wanted)
    if chosen is None:
        raise LookupError(f"it has no such file, but {', '.join(models)}")
    return models[chosen]


def _choose(models: list[str], wanted: str | None) -> str | None:
    if wanted is None:
        usual = (_with_tag(models, tag) for tag in _PREFERRED)
        return next(filter(None, usual), models[0])
    exact = (each for each in models if name_of_file(wanted) in (each, each.rpartition("/")[2]))
    return next(exact, None) or _with_tag(models, wanted)


def _with_tag(models: list[str], tag: str) -> str | None:
    """Return the first model with this quantisation in its name, case-insensitive."""
    pattern = re.compile(rf"(?<![a-z0-9]){re.escape(tag)}(?![a-z0-9_])", re.IGNORECASE)
    return next((each for each in models if pattern.search(each)), None)
