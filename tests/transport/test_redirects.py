"""Whether the key and the conversation may be sent to the target of a redirect."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hf_text import Client, TransportError
from hf_text.emulator import Emulator, Request, Response
from hf_text.transport.mask import Mask
from hf_text.transport.redirects import follow_link, follow_redirect

MASK = Mask("hf_Zw9Kq3Vt7Rb5Xn1Jm8", {}, ())
BASE = "https://model.example/v1/chat"


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        (BASE, "/v2/chat", "https://model.example/v2/chat"),
        (BASE, "other?a=b#c", "https://model.example/v1/other?a=b#c"),
        (BASE, "//model.example/x", "https://model.example/x"),
        (BASE, "https://MODEL.example:443/x", "https://MODEL.example:443/x"),
        ("http://model.example/x", "http://model.example:80/y", "http://model.example:80/y"),
        ("http://model.example/x", "https://model.example/x", "https://model.example/x"),
        ("http://model.example:8080/x", "https://model.example:8080/x", "https://model.example:8080/x"),
        ("http://[::1]:8080/x", "/y", "http://[::1]:8080/y"),
        ("http://bücher.example/x", "http://xn--bcher-kva.example/y", "http://xn--bcher-kva.example/y"),
        (BASE, "https://model.example/hf_Zw9Kq3Vt7Rb5Xn1Jm8", "https://model.example/hf_Zw9Kq3Vt7Rb5Xn1Jm8"),
    ],
)
def test_redirects_are_followed_within_the_origin_and_to_tls(url: str, location: str, target: str) -> None:
    assert follow_redirect(url, location, MASK) == target


ELSEWHERE = [
    "https://other.example/",
    "https://model.example.other.example/",
    "https://model.example:8443/",
    "https://model.example:80/",
    "http://model.example/",
    "http://model.example:443/",
    "https://user@model.example/",
    "https://model.example:443@other.example/",
    "https://model.example\\@other.example/",
    "https:\\\\other.example/",
    "//other.example/",
    "/\\other.example/",
    "https://model.example%2eother.example/",
    "https://model.example%00.other.example/",
    "https://model.exampl\uff45.other.example/",
    "https://other.example?@model.example/",
    "https://other.example#@model.example/",
    "ftp://model.example/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://[model.example/",
    "https://model.example:99999/",
    "https://model.example:port/",
]


@pytest.mark.parametrize("location", ELSEWHERE)
def test_a_redirect_elsewhere_is_not_followed(location: str) -> None:
    with pytest.raises(TransportError, match=r"model\.example redirects to "):
        follow_redirect(BASE, location, MASK)


@pytest.mark.parametrize("location", ELSEWHERE)
def test_a_next_page_on_another_origin_is_not_requested(location: str) -> None:
    with pytest.raises(TransportError, match=r"model\.example links to a next page on another host"):
        follow_link(BASE, location, MASK)


@pytest.mark.parametrize(
    "location", ["https://model.example:8443/", "https://model.example:8080/", "https://model.example:444/"]
)
def test_an_upgrade_to_tls_does_not_change_the_port(location: str) -> None:
    with pytest.raises(TransportError, match="another host"):
        follow_redirect("http://model.example/", location, MASK)


def test_a_next_page_keeps_the_scheme() -> None:
    assert follow_link(BASE, "/models?cursor=2", MASK) == "https://model.example/models?cursor=2"
    with pytest.raises(TransportError, match="another host"):
        follow_link("http://model.example/models", "https://model.example/models?cursor=2", MASK)


def test_a_shown_location_contains_no_secret() -> None:
    for location in (
        "https://hf_Zw9Kq3Vt7Rb5Xn1Jm8.example/",
        f"https://{'x' * 190}hf_Zw9Kq3Vt7Rb5Xn1Jm8",
        "//[hf_Zw9Kq3Vt7Rb5Xn1Jm8",
    ):
        with pytest.raises(TransportError) as caught:
            follow_redirect(BASE, location, MASK)
        assert "hf_zw9" not in str(caught.value).lower()


def test_a_location_that_contains_the_key_is_used_unchanged(
    emulator: Emulator, make_client: Callable[..., Client]
) -> None:
    """Masking applies to displayed text only. A key may be a word of an address."""
    emulator.reply(Response.redirect("/v1/mistralai/chat/completions"), path="/v1/chat/completions")
    emulator.reply(lambda request: Response.text("Hello"), path="/v1/mistralai/chat/completions")
    client = make_client("mistralai", max_retries=0)
    assert client.generate("Hi", "m").text == "Hello"
    assert [request.path for request in emulator.requests] == [
        "/v1/chat/completions",
        "/v1/mistralai/chat/completions",
    ]


def test_a_listing_that_contains_the_key_is_unchanged(emulator: Emulator, make_client: Callable[..., Client]) -> None:
    pages = ["/api/models", "/api/models?mistralai=2"]

    def reply(request: Request) -> Response:
        more = {"Link": f'<{pages[1]}>; rel="next"'} if "mistralai" not in request.target else {}
        return Response.json([{"id": f"mistralai/{len(request.target)}"}], headers=more)

    emulator.always(reply, path="/api/models")
    emulator.always(Response.json({"data": [{"id": "mistralai/a", "owned_by": "mistralai"}]}), path="/v1/models")
    client = make_client("mistralai")
    assert [(model.id, model.owned_by) for model in client.models()] == [("mistralai/a", "mistralai")]
    assert [model.id.partition("/")[0] for model in client.hub_models()] == ["mistralai", "mistralai"]


@pytest.mark.parametrize("link", ["<{same}>", "</api/models?a>", "<{other}>"])
def test_pages_that_link_to_each_other_end(emulator: Emulator, make_client: Callable[..., Client], link: str) -> None:
    def reply(request: Request) -> Response:
        url = f"{emulator.url}{request.target}"
        other = f"{emulator.url}/api/models?b" if request.target.endswith("a") else f"{emulator.url}/api/models?a"
        return Response.json([{"id": "a/b"}], headers={"Link": link.format(same=url, other=other) + '; rel="next"'})

    emulator.always(reply, path="/api/models")
    assert 1 <= len(list(make_client().hub_models())) <= 3
