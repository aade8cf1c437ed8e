"""Checks before anything is started: which model is meant, which file it is, and whether it fits into memory."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import pytest

from hf_text import InvalidRequestError, LocalServerError
from hf_text.local import LocalServer
from hf_text.local.files import find_file, show_bytes
from hf_text.local.gguf import cache_bytes, read_header
from hf_text.local.memory import free_memory
from hf_text.local.names import DEFAULT_MODEL, HubName, choose_files, name_of_file, parse_model

REPO = [
    "README.md",
    "model-IQ4_XS.gguf",
    "model-Q4_K_M.gguf",
    "model-Q4_K_S.gguf",
    "model-Q8_0.gguf",
    "mmproj-model-Q4_K_M.gguf",
    "BF16/model-BF16-00002-of-00002.gguf",
    "BF16/model-BF16-00001-of-00002.gguf",
]


# Names


@pytest.mark.parametrize(
    ("model", "repo", "wanted"),
    [
        ("org/name", "org/name", None),
        ("org/name:Q4_K_M", "org/name", "Q4_K_M"),
        ("org/name:sub/file.gguf", "org/name", "sub/file.gguf"),
        ("https://huggingface.co/org/na.me-1", "org/na.me-1", None),
        ("huggingface.co/org/name:Q8_0", "org/name", "Q8_0"),
        ("hf.co/org/name", "org/name", None),
        (" org/name ", "org/name", None),
        (None, *DEFAULT_MODEL.split(":")),
    ],
)
def test_common_forms_of_hub_names_are_read(model: str | None, repo: str, wanted: str | None) -> None:
    assert parse_model(model) == HubName(repo, wanted)


def test_an_existing_path_is_a_path_whatever_it_looks_like(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "org" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_model("org/name") == Path("org/name")
    assert parse_model("~/org") == tmp_path / "org"
    assert parse_model(Path("org")) == Path("org")


@pytest.mark.parametrize(
    "model", ["models/missing.gguf", "missing", "./org/name", "/org/name", "a/b/c", Path("org/name"), "x" * 5000]
)
def test_a_missing_path_is_refused_at_once_with_the_alternatives(model: Any) -> None:
    with pytest.raises(LocalServerError, match=r"neither a file nor a folder .* a name on the Hub such as"):
        LocalServer(model)


@pytest.mark.parametrize("model", ["", "  ", 5, b"path", "a\0b"])
def test_an_invalid_name_is_refused_as_an_argument(model: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"^model must be a path, or a name on the Hub, not"):
        parse_model(model)


@pytest.mark.parametrize(
    ("wanted", "files"),
    [
        (None, ["model-Q4_K_M.gguf"]),
        ("q8_0", ["model-Q8_0.gguf"]),
        ("Q4_K_S", ["model-Q4_K_S.gguf"]),
        ("model-IQ4_XS.gguf", ["model-IQ4_XS.gguf"]),
        ("BF16", ["BF16/model-BF16-00001-of-00002.gguf", "BF16/model-BF16-00002-of-00002.gguf"]),
        (
            "BF16/model-BF16-00002-of-00002.gguf",
            ["BF16/model-BF16-00001-of-00002.gguf", "BF16/model-BF16-00002-of-00002.gguf"],
        ),
    ],
)
def test_the_files_of_a_repository_are_chosen_by_name_or_quantisation(wanted: str | None, files: list[str]) -> None:
    assert choose_files(REPO, wanted) == files


def test_without_a_common_quantisation_the_first_file_is_used() -> None:
    assert choose_files(["b-F32.gguf", "a-F16.gguf"], None) == ["a-F16.gguf"]


@pytest.mark.parametrize("wanted", ["Q4_K", "Q4", "other.gguf", "mmproj-model-Q4_K_M.gguf"])
def test_a_similar_name_chooses_nothing(wanted: str) -> None:
    with pytest.raises(LookupError, match=r"no such file, but BF16/model-BF16, model-IQ4_XS, model-Q4_K_M"):
        choose_files(REPO, wanted)


# Files


def write(path: Path, data: bytes = b"GGUF") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_the_model_in_a_folder_is_found(tmp_path: Path) -> None:
    file = write(tmp_path / "package" / "Small.Q4_1.GGUF", b"GGUF12345")
    write(tmp_path / "package" / "mmproj-Small.gguf")
    found = find_file(tmp_path)
    assert (found.path, found.name, found.size) == (file, "Small.Q4_1", 9)


@pytest.mark.parametrize("named", ["big-00001-of-00002.gguf", "big-00002-of-00002.gguf", "."])
def test_a_split_model_is_one_model(tmp_path: Path, named: str) -> None:
    for number in (1, 2):
        write(tmp_path / f"big-0000{number}-of-00002.gguf", b"GGUF.")
    found = find_file(tmp_path / named)
    assert (found.path.name, found.name, found.size) == ("big-00001-of-00002.gguf", "big", 10)
    assert name_of_file("big-1.gguf") == "big-1"


def test_a_folder_with_none_or_several_models_says_so(tmp_path: Path) -> None:
    with pytest.raises(LocalServerError, match=r"contains no \.gguf file"):
        find_file(tmp_path)
    write(tmp_path / "a.gguf")
    write(tmp_path / "sub" / "b.gguf")
    with pytest.raises(LocalServerError, match=r"holds 2 models: name the file \(a\.gguf, sub/b\.gguf"):
        find_file(tmp_path)


@pytest.mark.parametrize(
    ("start", "hint"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS"),
        (b"PK\x03\x04secret", "it is a PyTorch archive"),
        (b"<!DOCTYPE html>", "web page"),
        (b'\x40\0\0\0\0\0\0\0{"__metadata__"', "looks like safetensors"),
        (b"a secret of the user", "is not a GGUF file. Models"),
        (b"", "is not a GGUF file. Models"),
    ],
)
def test_a_file_of_another_type_is_named_by_type_and_not_shown(tmp_path: Path, start: bytes, hint: str) -> None:
    with pytest.raises(LocalServerError, match=f"is not a GGUF file.*{hint}|{hint}") as caught:
        find_file(write(tmp_path / "model.gguf", start))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["cat.png", "Llama-3.2-1B", "a-00001-of-00002.bin", "no suffix"])
def test_a_file_with_another_suffix_is_told_by_its_start_too(tmp_path: Path, name: str) -> None:
    with pytest.raises(LocalServerError, match="is not a GGUF file"):
        find_file(write(tmp_path / name, b"something else"))
    assert find_file(write(tmp_path / name, b"GGUF")).path == tmp_path / name


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a folder that is none")
def test_an_unreadable_file_says_why(tmp_path: Path) -> None:
    loop = tmp_path / "loop.gguf"
    loop.symlink_to(loop)
    with pytest.raises(LocalServerError, match=r"loop\.gguf cannot be read: "):
        find_file(loop)


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "1 MB"), (98362432, "98 MB"), (1_060_000_000, "1.1 GB"), (5 * 10**12, "5.0 TB")]
)
def test_sizes_are_human_readable(size: int, shown: str) -> None:
    assert show_bytes(size) == shown


# Memory


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def header(**keys: Any) -> bytes:
    """The header of a file of the family ``f``."""
    pairs = [text("general.architecture") + struct.pack("<I", 8) + text("f")]
    for name, value in keys.items():
        key = text(f"f.{name.replace('__', '.')}")
        if isinstance(value, list):
            pairs.append(key + struct.pack(f"<IIQ{len(value)}I", 9, 4, len(value), *value))
        else:
            pairs.append(key + struct.pack("<II", 4, value))
    return struct.pack("<4sIQQ", b"GGUF", 3, 0, len(pairs)) + b"".join(pairs)


LLAMA = {"block_count": 2, "attention__head_count": 8, "embedding_length": 64}


@pytest.mark.parametrize(
    ("keys", "size"),
    [
        (LLAMA, 2 * 8 * (8 + 8) * 100 * 2),
        ({**LLAMA, "attention__head_count_kv": 2}, 2 * 2 * (8 + 8) * 100 * 2),
        ({**LLAMA, "attention__head_count_kv": [2, 0]}, 2 * (8 + 8) * 100 * 2),
        ({**LLAMA, "attention__key_length": 16, "attention__value_length": 4}, 2 * 8 * (16 + 4) * 100 * 2),
        ({"block_count": 2}, 0),
        ({**LLAMA, "attention__head_count": 0}, 0),
    ],
)
def test_context_memory_is_computed_from_the_file_header(tmp_path: Path, keys: dict[str, Any], size: int) -> None:
    assert cache_bytes(read_header(write(tmp_path / "m.gguf", header(**keys))), 100) == size


def test_the_header_of_a_real_file_is_read(model: Path) -> None:
    found = read_header(model)
    assert found["general.architecture"] == "llama"
    assert cache_bytes(found, 4096) == 30 * 3 * (64 + 64) * 4096 * 2


def test_a_broken_header_is_read_up_to_the_break(tmp_path: Path) -> None:
    whole = header(**LLAMA)
    for end in range(len(whole)):
        read_header(write(tmp_path / "m.gguf", whole[:end]))
    huge = struct.pack("<4sIQQ", b"GGUF", 3, 0, 2**64 - 1)
    for rest in (
        b"\xff" * 99,
        text("x") + struct.pack("<IIQ", 9, 4, 2**63),
        text("x") + struct.pack("<I", 99),
        bytes(10**6),
    ):
        read_header(write(tmp_path / "m.gguf", huge + rest))


def test_a_model_larger_than_memory_is_refused_with_the_numbers(tmp_path: Path) -> None:
    free = free_memory()
    assert free is not None
    file = write(tmp_path / "huge.gguf")
    os.truncate(file, 10**13)  # sparse: takes no disk space
    with pytest.raises(LocalServerError, match=r"huge needs about 10\.0 TB of memory, .* are free\. Close other"):
        LocalServer(file).start()


def test_a_context_larger_than_memory_is_refused_with_its_share(model: Path) -> None:
    with pytest.raises(LocalServerError, match=r"needs about 23\.\d TB of memory, 23\.\d TB of it for its context"):
        LocalServer(model, context=10**9).start()
