"""Where a client's requests go: the addresses that its arguments and the environment name."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from hf_text.endpoint import Endpoint
from hf_text.errors import InvalidRequestError

HUB = "https://huggingface.co"
ROUTER = "https://router.huggingface.co"
LOCAL = "http://localhost:8080/v1"

ARGUMENTS = ("api_base", "hub_url", "router_url")


def server_with(name: str, url: Any) -> Endpoint:
    arguments = {**dict.fromkeys(ARGUMENTS), name: url}
    return Endpoint.at(arguments["api_base"], arguments["hub_url"], arguments["router_url"])


class TestHuggingFace:
    def test_it_is_the_server_where_none_is_named(self) -> None:
        server = Endpoint.at(None, None, None)
        assert server == Endpoint(f"{ROUTER}/v1", HUB, ROUTER)
        assert server.hugging_face
        assert server.host == "router.huggingface.co"

    def test_its_addresses_can_be_given(self) -> None:
        server = Endpoint.at(None, "http://127.0.0.1:1/hub", "http://127.0.0.1:2/router")
        assert server == Endpoint("http://127.0.0.1:2/router/v1", "http://127.0.0.1:1/hub", "http://127.0.0.1:2/router")
        assert server.host == "127.0.0.1:2"

    def test_its_addresses_come_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_ENDPOINT", "https://hub.example.com/")
        monkeypatch.setenv("HF_TEXT_ROUTER_URL", "https://router.example.com/")
        assert Endpoint.at(None, None, None) == Endpoint(
            "https://router.example.com/v1", "https://hub.example.com", "https://router.example.com"
        )

    def test_what_is_given_counts_more_than_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_ENDPOINT", "https://hub.example.com")
        monkeypatch.setenv("HF_TEXT_ROUTER_URL", "https://router.example.com")
        assert Endpoint.at(None, HUB, ROUTER) == Endpoint(f"{ROUTER}/v1", HUB, ROUTER)

    def test_empty_variables_count_as_unset(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_ENDPOINT", "")
        monkeypatch.setenv("HF_TEXT_ROUTER_URL", "")
        assert Endpoint.at(None, None, None) == Endpoint(f"{ROUTER}/v1", HUB, ROUTER)

    @pytest.mark.parametrize("variable", ["HF_ENDPOINT", "HF_TEXT_ROUTER_URL"])
    def test_a_variable_that_is_no_url_is_refused_by_its_name(
        self, variable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(variable, "huggingface.co")
        with pytest.raises(InvalidRequestError, match=f"^{variable} must be a URL .*'huggingface.co'"):
            Endpoint.at(None, None, None)

    @pytest.mark.parametrize("url", [f"{ROUTER}/v1", f"{ROUTER}/v1/", f"{ROUTER}/v1/chat/completions"])
    def test_its_own_router_as_a_base_url_is_hugging_face_too(self, url: str) -> None:
        assert Endpoint.at(url, None, None) == Endpoint.at(None, None, None)

    def test_the_routes_of_single_providers_are_below_the_router(self) -> None:
        server = Endpoint.at(None, None, None)
        assert server.completions() == f"{ROUTER}/v1/chat/completions"
        assert server.completions("novita/v3/openai") == f"{ROUTER}/novita/v3/openai/v1/chat/completions"


class TestOtherServers:
    @pytest.mark.parametrize(
        "url",
        [
            LOCAL,
            "http://127.0.0.1:1",
            "http://[::1]:8080/v1",
            "https://abc.eu-west-1.aws.endpoints.huggingface.cloud/v1",
            "https://inference.example.com/compatibility/v1",
            "HTTP://Example.COM/V1",
            "http://example.com/X",
            "http://example.com:65535/a/b/c",
            "https://router.huggingface.co/novita/v3/openai",
            "https://example.com/@acme/v1",
            "http://münchen.example/v1",
        ],
    )
    def test_any_other_base_url_is_a_server_of_its_own(self, url: str) -> None:
        server = Endpoint.at(url, None, None)
        assert server == Endpoint(url)
        assert not server.hugging_face
        assert server.completions() == f"{url}/chat/completions"

    @pytest.mark.parametrize(
        "url",
        [
            f"{LOCAL}/",
            f"{LOCAL}///",
            f"{LOCAL}/chat/completions",
            f"{LOCAL}/chat/completions/",
            f"  {LOCAL}\n",
        ],
    )
    def test_what_people_copy_along_is_dropped(self, url: str) -> None:
        assert Endpoint.at(url, None, None) == Endpoint(LOCAL)

    def test_its_host_is_told_with_its_port(self) -> None:
        assert Endpoint.at(LOCAL, None, None).host == "localhost:8080"


BAD_URLS = [
    "",
    " ",
    "localhost",
    "localhost:8080",
    "localhost:8080/v1",
    "huggingface.co",
    "/v1",
    "//example.com/v1",
    "ftp://example.com",
    "file:///etc/passwd",
    "unix:/run/llama.sock",
    "http://",
    "http:///v1",
    "http:example.com",
    "http://:8080",
    "http://example.com:0",
    "http://example.com:65536",
    "http://example.com:port",
    "http://[::1",
    "http://exa mple.com",
    "http://example.com/v 1",
    "http://example.com/\nv1",
    "http://example.com/\x00",
    "http://example.com/\u202e",
]


@pytest.mark.parametrize("name", ARGUMENTS)
class TestRefusals:
    @pytest.mark.parametrize("url", BAD_URLS)
    def test_what_is_no_url_is_refused_and_shown(self, name: str, url: str) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            server_with(name, url)
        message = str(caught.value)
        assert message == f"{name} must be a URL such as http://localhost:8080/v1, not {url.strip()!r}"

    @pytest.mark.parametrize("url", [5, b"http://localhost", ["http://localhost"], object(), True])
    def test_what_is_no_text_is_refused_and_shown(self, name: str, url: Any) -> None:
        with pytest.raises(InvalidRequestError, match=f"^{name} must be a URL such as .*, not ") as caught:
            server_with(name, url)
        assert repr(url)[:80] in str(caught.value)

    @pytest.mark.parametrize("end", ["?api-version=1", "?", "#", "#top", "/?a=b#c", "/chat/completions?a=b"])
    def test_a_query_or_a_fragment_is_refused(self, name: str, end: str) -> None:
        with pytest.raises(
            InvalidRequestError, match=f"^{name} must end with its path, without '[?#]' and what follows"
        ):
            server_with(name, f"http://localhost{end}")

    @pytest.mark.parametrize(
        "url",
        [
            "http://user:pa55word@localhost/v1",
            "http://pa55word@localhost/v1",
            "http://user:pa55word@localhost:port/v1",
            "ftp://user:pa55word@localhost",
            "user:pa55word@localhost/v1",
            "http:/user:pa55word@localhost",
            "http://user:pa55word@local host",
            "http://localhost/v1?api-key=pa55word",
            "http://localhost/v1#pa55word",
            "http://local host/v1?api-key=pa55word",
            "localhost?api-key=pa55word",
        ],
    )
    def test_a_password_in_it_is_refused_and_not_shown(self, name: str, url: str) -> None:
        with pytest.raises(InvalidRequestError, match=f"^{name} must ") as caught:
            server_with(name, url)
        assert "pa55word" not in str(caught.value)

    def test_a_key_in_its_place_is_not_shown(self, name: str) -> None:
        with pytest.raises(InvalidRequestError, match=f"^{name} must be a URL") as caught:
            server_with(name, "hf_MadeUpKeyForTests")
        assert "MadeUp" not in str(caught.value)

    @pytest.mark.parametrize(
        ("key", "whose"),
        [("sk-MadeUp", "OpenAI or a server like it"), ("gsk_MadeUp", "Groq"), ("hf_MadeUp", "Hugging Face")],
    )
    def test_a_key_is_told_from_a_url(self, name: str, key: str, whose: str) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            server_with(name, key)
        assert str(caught.value) == f"{name} must be a URL, not a key of {whose}. Pass that as api_key="

    @pytest.mark.parametrize("key", ["0a1b2c3d4e5f60718293a4b5c6d7e8f9", "localhost:0a1b2c3d4e5f60718293a4b5c6d7e8f9"])
    def test_what_may_be_a_key_is_not_shown(self, name: str, key: str) -> None:
        with pytest.raises(InvalidRequestError, match="must be a URL such as") as caught:
            server_with(name, key)
        assert "2c3d4e5f" not in str(caught.value)

    def test_only_the_beginning_is_shown(self, name: str) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            server_with(name, "x" * 10_000)
        assert len(str(caught.value)) < 300


def test_a_server_is_a_frozen_value() -> None:
    server = Endpoint.at(LOCAL, None, None)
    with pytest.raises(FrozenInstanceError):
        server.api_base = HUB  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(server)) == server
    assert len({server, Endpoint(LOCAL)}) == 1
    assert not hasattr(server, "__dict__")
