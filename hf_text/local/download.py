"""Downloads a model from the Hub into the user's cache with huggingface_hub, in a separate process.

A process can be killed in the middle of a download; a thread of huggingface_hub cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from .names import choose_files
from .parent import Parent

__all__ = ["main"]

_LISTING_SECONDS = 30


def main() -> None:
    """Download the model of the first message, and report its path."""
    parent = Parent()
    order = parent.receive()
    answers = parent.end_with_it_from_a_thread()
    try:
        from huggingface_hub import errors
    except ImportError as error:
        parent.finish(failed="import", why=str(error))
    repo = order["repo"]
    try:
        parent.finish(path=_fetch(parent, answers, repo, order["wanted"]))
    except errors.GatedRepoError:
        parent.finish(failed="gated", why="")
    except errors.RepositoryNotFoundError:
        parent.finish(failed="unknown", why="")
    except LookupError as error:
        parent.finish(failed="file", why=str(error))
    except Exception as error:  # any error of huggingface_hub, its HTTP library or the disk
        parent.finish(failed="fetch", why=_in_one_line(error))


def _fetch(parent: Parent, answers: SimpleQueue[Any], repo: str, wanted: str | None) -> str:
    """Return the path of the model, or of its first part."""
    from huggingface_hub import HfApi, errors, hf_hub_download

    try:
        info = HfApi().model_info(repo, files_metadata=True, timeout=_LISTING_SECONDS)
    except errors.RepositoryNotFoundError:
        raise
    except Exception as error:  # offline, on purpose or not
        return _find_in_cache(parent, repo, wanted, error)
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    files = choose_files(sizes, wanted)
    missing = _missing(repo, {file: sizes[file] for file in files}, info.sha)
    if missing:
        parent.send(bytes=sum(missing.values()))
        answers.get()  # permission to download
    first, *_ = [hf_hub_download(repo, file) for file in files]  # without a revision, so that it is found when offline
    return first


def _find_in_cache(parent: Parent, repo: str, wanted: str | None, reason: Exception) -> str:
    from huggingface_hub import errors, snapshot_download

    try:
        folder = Path(snapshot_download(repo, local_files_only=True))
    except errors.LocalEntryNotFoundError:
        parent.finish(failed="offline", why=_in_one_line(reason))
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*.gguf"))
    return str(folder / choose_files(names, wanted)[0])


def _missing(repo: str, sizes: Mapping[str, int], revision: str | None) -> dict[str, int]:
    from huggingface_hub import try_to_load_from_cache

    return {
        file: size
        for file, size in sizes.items()
        if not isinstance(try_to_load_from_cache(repo, file, revision=revision), str)
    }


def _in_one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
