"""Where a client sends its requests: the addresses from its arguments and from the environment."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from hf_text import Client
from hf_text.emulator import Emulator, Response
from hf_text.endpoint import Endpoint
from hf_text.errors import (
    AuthenticationError,
    HFTextError,
    InvalidRequestError,
    ModelNotSupportedError,
    NotFoundError,
)

MakeClient = Callable[..., Client]

HUB = "https://huggingface.co"
ROUTER = "https://router.huggingface.co"
LOCAL = "http://localhost:8080/v1"

ARGUMENTS = ("api_base", "hub_url", "router_url")


def server_with(name: str, url: Any) -> Endpoint:
    arguments = {**dict.fromkeys(ARGUMENTS), name: url}
    return Endpoint.at(arguments["api_base"], arguments["hub_url"], arguments["router_url"])


class TestHuggingFace:
    def test_hugging_face_is_the_default(self) -> None:
        server = Endpoint.at(None, None, None)
        assert server == Endpoint(f"{ROUTER}/v1", HUB, ROUTER)
        assert server.hugging_face
        assert server.host == "router.huggingface.co"

    def test_its_urls_can_be_given(self) -> None:
        server = Endpoint.at(None, "http://127.0.0.1:1/hub", "http://127.0.0.1:2/router")
        assert server == Endpoint("http://127.0.0.1:2/router/v1", "http://127.0.0.1:1/hub", "http://127.0.0.1:2/router")
        assert server.host == "127.0.0.1:2"

    def test_its_urls_are_read_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_ENDPOINT", "https://hub.example.com/")
        monkeypatch.setenv("HF_TEXT_ROUTER_URL", "https://router.example.com/")
        assert Endpoint.at(None, None, None) == Endpoint(
            "https://router.example.com/v1", "https://hub.example.com", "https://router.example.com"
        )

    def test_arguments_take_precedence_over_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_ENDPOINT", "https://hub.example.com")
        monkeypatch.setenv("HF_TEXT_ROUTER_URL", "https://router.example.com")
        assert Endpoint.at(None, HUB, ROUTER) == Endpoint(f"{ROUTER}/v1", HUB, ROUTER)

    def test_empty_variables_count_as_unset(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_ENDPOINT", "")
        monkeypatch.setenv("HF_TEXT_ROUTER_URL", "")
        assert Endpoint.at(None, None, None) == Endpoint(f"{ROUTER}/v1", HUB, ROUTER)

    @pytest.mark.parametrize("variable", ["HF_ENDPOINT", "HF_TEXT_ROUTER_URL"])
    def test_a_variable_that_is_not_a_url_is_refused_by_name(
        self, variable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(variable, "huggingface.co")
        with pytest.raises(InvalidRequestError, match=f"^{variable} must be a URL .*'huggingface.co'"):
            Endpoint.at(None, None, None)

    @pytest.mark.parametrize("url", [f"{ROUTER}/v1", f"{ROUTER}/v1/", f"{ROUTER}/v1/chat/completions"])
    def test_its_router_as_a_base_url_is_hugging_face(self, url: str) -> None:
        assert Endpoint.at(url, None, None) == Endpoint.at(None, None, None)

    def test_provider_routes_are_below_the_router(self) -> None:
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
    def test_any_other_base_url_is_another_server(self, url: str) -> None:
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
    def test_copied_path_suffixes_are_stripped(self, url: str) -> None:
        assert Endpoint.at(url, None, None) == Endpoint(LOCAL)

    def test_its_host_includes_the_port(self) -> None:
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
    def test_an_invalid_url_is_refused_and_shown(self, name: str, url: str) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            server_with(name, url)
        message = str(caught.value)
        assert message == f"{name} must be a URL such as http://localhost:8080/v1, not {url.strip()!r}"

    @pytest.mark.parametrize("url", [5, b"http://localhost", ["http://localhost"], object(), True])
    def test_a_value_that_is_not_text_is_refused_and_shown(self, name: str, url: Any) -> None:
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
    def test_a_key_is_distinguished_from_a_url(self, name: str, key: str, whose: str) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            server_with(name, key)
        assert str(caught.value) == f"{name} must be a URL, not a key of {whose}. Pass it as api_key="

    @pytest.mark.parametrize("key", ["0a1b2c3d4e5f60718293a4b5c6d7e8f9", "localhost:0a1b2c3d4e5f60718293a4b5c6d7e8f9"])
    def test_a_possible_key_is_not_shown(self, name: str, key: str) -> None:
        with pytest.raises(InvalidRequestError, match="must be a URL such as") as caught:
            server_with(name, key)
        assert "2c3d4e5f" not in str(caught.value)

    def test_only_the_start_is_shown(self, name: str) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            server_with(name, "x" * 10_000)
        assert len(str(caught.value)) < 300


class TestAdvice:
    """Advice in errors about the address or a missing key, from real answers."""

    NOT_FOUND = Response.error(404, "Not Found", "text")

    @pytest.fixture
    def bare(self, emulator: Emulator, make_client: MakeClient) -> MakeClient:
        """Create clients whose address lacks /v1; the router is elsewhere."""

        def make(api_key: str | None = "key", **options: Any) -> Client:
            return make_client(api_key, emulator.url, router_url="http://localhost:9", **options)

        return make

    @pytest.mark.parametrize(
        "reply",
        [
            Response.error(404, "Not Found", "text"),
            Response.error(404, "Not Found", "detail"),
            Response(404),
            Response(405, body=b"<h1>405 Not Allowed</h1>"),
            Response.json({"error": "Unexpected endpoint or method. (POST /chat/completions)"}),  # LM Studio
        ],
        ids=["text", "FastAPI", "nothing", "nginx", "LM Studio"],
    )
    def test_a_missing_v1_is_suggested_after_a_404(self, emulator: Emulator, bare: MakeClient, reply: Response) -> None:
        emulator.always(reply, path="/chat/completions")
        advice = f"The address has no /v1 at its end, which most servers need: try {emulator.url}/v1"
        client = bare(max_retries=0)
        with pytest.raises(HFTextError) as caught:
            client.generate("Hi", "m")
        assert str(caught.value).endswith(advice)
        with pytest.raises(NotFoundError) as listed:
            client.models()
        assert str(listed.value).endswith(advice)

    def test_a_missing_v1_is_suggested_once_if_the_listing_is_missing(self, bare: MakeClient) -> None:
        with pytest.raises(NotFoundError) as caught:
            bare().generate("Hi")
        assert str(caught.value).count("has no /v1 at its end") == 1

    def test_v1_is_not_suggested_for_a_missing_model(self, emulator: Emulator, bare: MakeClient) -> None:
        emulator.always(Response.error(404, "model 'm' not found, try pulling it first"), path="/chat/completions")
        with pytest.raises(HFTextError, match="not found, try pulling it first") as caught:
            bare().generate("Hi", "m")
        assert "/v1" not in str(caught.value)

    @pytest.mark.parametrize("path", ["/v1", "/api/v3", "/v1beta/openai", "/compatibility/v1"])
    def test_v1_is_not_suggested_for_a_versioned_url(
        self, emulator: Emulator, make_client: MakeClient, path: str
    ) -> None:
        emulator.always(self.NOT_FOUND, path=f"{path}/*")
        client = make_client("key", emulator.url + path, router_url="http://localhost:9")
        with pytest.raises(NotFoundError) as caught:
            client.generate("Hi", "m")
        assert "api_base" not in str(caught.value)

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_missing_key_is_mentioned(self, emulator: Emulator, bare: MakeClient, status: int) -> None:
        emulator.always(Response.error(status, "Unauthorized"), path="/*")
        advice = "No key was given: pass api_key=…, or set HF_TEXT_API_KEY for the command."
        for ask in (lambda client: client.generate("Hi", "m"), lambda client: client.models()):
            with pytest.raises(HFTextError) as caught:
                ask(bare(None))
            assert str(caught.value).endswith(f"). {advice}")
            for client in (bare("key"), bare(None, headers={"Authorization": "Token key"})):
                with pytest.raises(HFTextError) as caught:
                    ask(client)
                assert "No key" not in str(caught.value)

    def test_an_inference_endpoint_gets_advice_on_the_hugging_face_key(self) -> None:
        error = AuthenticationError("Unauthorized", status_code=401)
        Endpoint.at("https://x.eu.aws.endpoints.huggingface.cloud/v1", None, None).advise(error, anonymous=True)
        assert "pass api_key=hf_text.find_key()" in str(error)

    def test_advice_for_hugging_face_names_the_variable(self, emulator: Emulator, make_client: MakeClient) -> None:
        emulator.always(Response.error(401, "Invalid username or password.", "string"), path="/*")
        with pytest.raises(AuthenticationError) as caught:
            make_client(None).models()
        assert str(caught.value).endswith(
            "). No key was found: set HF_TOKEN, or run 'hf auth login', or pass api_key=…"
        )
        assert "Check the key" not in str(caught.value)
        with pytest.raises(ModelNotSupportedError, match="it is private and no key was found; set HF_TOKEN"):
            make_client(None).mapping("a/b")
        with pytest.raises(ModelNotSupportedError, match="it is private and the key has no access to it"):
            make_client().mapping("a/b")


def test_an_endpoint_is_immutable() -> None:
    server = Endpoint.at(LOCAL, None, None)
    with pytest.raises(AttributeError):
        server.api_base = HUB  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(server)) == server
    assert len({server, Endpoint(LOCAL)}) == 1
    assert not hasattr(server, "__dict__")
