"""Reads the header of a GGUF file, as far as it shows how much memory the model needs.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. What cannot be read here is left to llama.cpp.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["cache_bytes", "read_header"]

_NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9

# Larger than anything read here, so that a broken file takes neither time nor memory.
_MAX_KEYS = 10_000
_MAX_ITEMS = 4096
_MAX_TEXT = 1 << 20

_CACHE_ITEM = 2  # bytes of a number in the cache of keys and values: f16, llama.cpp's default


def read_header(path: Path) -> dict[str, Any]:
    """Return the keys of a file up to those of its tokenizer, which are long and come last; of a broken file, the keys
    before the damage.
    """
    header: dict[str, Any] = {}
    with suppress(OSError, struct.error, ValueError, KeyError), open(path, "rb") as file:
        _, _, _, keys = struct.unpack("<4sIQQ", file.read(24))
        for _ in range(min(keys, _MAX_KEYS)):
            name = _read_text(file)
            if name.startswith("tokenizer."):
                break
            header[name] = _read_value(file, _read_number(file, "<I"))
    return header


def _read_number(file: BinaryIO, form: str) -> Any:
    return struct.unpack(form, file.read(struct.calcsize(form)))[0]


def _read_text(file: BinaryIO) -> str:
    length = _read_number(file, "<Q")
    if length > _MAX_TEXT:
        raise ValueError(length)
    return file.read(length).decode()


def _read_value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _read_text(file)
    if kind != _ARRAY:
        return _read_number(file, _NUMBERS[kind])
    item, length = _read_number(file, "<I"), _read_number(file, "<Q")
    if length > _MAX_ITEMS or item == _ARRAY:
        raise ValueError(length)
    return [_read_value(file, item) for _ in range(length)]


def cache_bytes(header: Mapping[str, Any], context: int) -> int:
    """Return the memory for the keys and values of ``context`` tokens; 0 if the header does not determine it. A model
    whose layers attend only to a window of the context needs less.
    """
    family = header.get("general.architecture")

    def look_up(key: str) -> Any:
        return header.get(f"{family}.{key}")

    try:
        layers, heads = int(look_up("block_count")), look_up("attention.head_count")
        keyed = look_up("attention.head_count_kv") or heads
        head = look_up("attention.key_length") or look_up("embedding_length") // _most(heads)
        both = head + (look_up("attention.value_length") or head)
        total = sum(keyed) if isinstance(keyed, list) else keyed * layers
        return int(total * both * context * _CACHE_ITEM)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0


def _most(heads: Any) -> int:
    return int(max(heads) if isinstance(heads, list) else heads)
