"""Finds the model's file on this machine, and checks it before a server is started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import LocalServerError
from .memory import free_memory
from .names import choose_files, name_of_file

__all__ = ["ModelFile", "check_memory", "find_file", "show_bytes"]

_OVERHEAD = 100 << 20  # the program itself, and memory to compute in

# Files that users have instead of a GGUF file, by their first bytes.
_OTHERS = {
    b"version https://git-lfs": "it is the pointer of Git LFS to one. Run git lfs pull in its folder",
    b"PK\x03\x04": "it is a PyTorch archive. llama.cpp needs the GGUF version of the model",
    b"<!DOCTYPE": "it is a web page. Download the file itself",
    b"<html": "it is a web page. Download the file itself",
}
_WHERE = "Models in this format: https://huggingface.co/models?library=gguf"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model on this machine.

    Attributes:
        path: its file, or the first of its parts.
        name: its name.
        size: its size in bytes, all parts together.
    """

    path: Path
    name: str
    size: int


def find_file(path: Path, name: str | None = None) -> ModelFile:
    """Find the model in a file, or in a folder or its subfolders.

    Args:
        path: the file, any of its parts, or the folder.
        name: the model's name; None: the name of its file.

    Raises LocalServerError if a folder contains none or several, or if the file is not a GGUF file.
    """
    try:
        parts = _parts_in(path) if path.is_dir() else _parts_of(path)
        _check_magic(parts[0])
        size = sum(part.stat().st_size for part in parts)
    except OSError as error:
        raise LocalServerError(f"{error.filename or path} cannot be read: {error.strerror or error}") from None
    return ModelFile(parts[0].absolute(), name or name_of_file(parts[0].name), size)


def _parts_in(folder: Path) -> list[Path]:
    found = sorted(_walk(folder))
    models = {file.with_name(name_of_file(file.name)) for file in found}
    if len(models) > 1:
        some = ", ".join(str(each.relative_to(folder)) for each in found[:5])
        raise LocalServerError(f"the folder {folder} holds {len(models)} models: name the file ({some} …)")
    if not found:
        raise LocalServerError(f"the folder {folder} contains no .gguf file. {_WHERE}")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        for name in names:
            if name.lower().endswith(".gguf") and not name.lower().startswith("mmproj"):
                yield Path(place, name)


def _parts_of(file: Path) -> list[Path]:
    name = name_of_file(file.name)
    if name == file.stem or file.suffix.lower() != ".gguf":  # only numbered .gguf files have other parts
        return [file]
    return [file.with_name(each) for each in choose_files(os.listdir(file.parent), name)]


def _check_magic(file: Path) -> None:
    with open(file, "rb") as stream:
        start = stream.read(32)
    if start.startswith(b"GGUF"):
        return
    what = next((what for magic, what in _OTHERS.items() if start.startswith(magic)), None)
    if what is None and start[8:10] == b'{"':
        what = "it looks like safetensors. llama.cpp needs the GGUF version of the model"
    raise LocalServerError(f"{file} is not a GGUF file{f': {what}' if what else ''}. {_WHERE}")


def check_memory(name: str, size: int, context: int = 0) -> None:
    """Raise LocalServerError if this machine has too little free memory.

    Args:
        name: the name of the model.
        size: the size of its files, in bytes.
        context: the memory for the keys and values of its context, in bytes.
    """
    need, free = size + context + _OVERHEAD, free_memory()
    if free is not None and need > free:
        share = f", {show_bytes(context)} of it for its context" if context else ""
        raise LocalServerError(
            f"{name} needs about {show_bytes(need)} of memory{share}, and {show_bytes(free)} are free. Close other "
            "programs, or choose a smaller model or context"
        )


def show_bytes(size: int) -> str:
    """Format a size for users, such as ``"98 MB"``."""
    for unit, bytes_ in (("TB", 10**12), ("GB", 10**9)):
        if size >= bytes_:
            return f"{size / bytes_:.1f} {unit}"
    return f"{max(1, round(size / 10**6))} MB"
