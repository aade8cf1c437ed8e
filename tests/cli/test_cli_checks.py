"""``doctor`` and ``compare``."""

from __future__ import annotations

import json
import re
import sys
import threading
import xml.etree.ElementTree as ET
from dataclasses import replace

import PIL.Image
import pytest

from hf_text.cli.pieces import judge_pieces
from hf_text.cli.plots import Bar, write_plot
from hf_text.emulator import Emulator, Gate, Response
from hf_text.transport.issuers import look_at_certificate

MODEL = "openai/gpt-oss-120b"


def findings(out):
    return {line["what"]: line for line in map(json.loads, out.splitlines())}


# --- doctor


def test_the_doctor_reports_success_without_showing_the_key(hf, cli, key):
    result = cli("doctor", "--ask")
    assert result.status == 0, result.out
    assert "FIX" not in result.out
    assert "from HF_TOKEN" in result.out
    assert "may call providers" in result.out
    assert key not in result.out + result.err


def test_the_doctor_calls_a_model_only_on_request(hf, cli):
    cli("doctor")
    assert [request for request in hf.requests if request.path.endswith("/chat/completions")] == []


def test_a_missing_key_shows_where_to_create_one(hf, cli, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    result = cli("doctor", "--json")
    assert result.status == 1
    assert "https://huggingface.co/settings/tokens" in findings(result.out)["key"]["fix"]


def test_a_key_without_inference_rights_is_reported(hf, cli):
    hf.reply(
        Response.json({"name": "jane-doe", "auth": {"accessToken": {"role": "fineGrained"}}}), path="/api/whoami-v2"
    )
    result = cli("doctor", "--json")
    assert result.status == 1
    assert "Make calls to Inference Providers" in findings(result.out)["account"]["fix"]
    assert "jane-doe" not in result.out


def test_a_server_that_is_down_and_missing_certificates_are_reported(cli, unused_url, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "no.pem"))
    monkeypatch.setenv("https_proxy", "http://jane:secret@127.0.0.1:9")
    result = cli("doctor", "--api-base", unused_url)
    assert result.status == 1
    assert "FIX REQUESTS_CA_BUNDLE: ~/no.pem does not exist" in result.out
    assert "proxy for https: 127.0.0.1:9" in result.out
    assert "FIX models of 127.0.0.1" in result.out
    assert not any(word in result.out for word in ("jane", "secret", str(tmp_path)))


def test_an_invalid_key_is_reported_once(cli, monkeypatch):
    monkeypatch.delenv("HF_TEXT_ROUTER_URL", raising=False)
    monkeypatch.delenv("HF_TEXT_HUB_URL", raising=False)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # avoids DNS lookups
    monkeypatch.setenv("HF_TOKEN", "sk-0123456789abcdef")
    result = cli("doctor")
    assert result.status == 1
    assert result.out.count("HF_TOKEN cannot be a key: it is a key of OpenAI or a server like it") == 1
    assert result.out.endswith("Put it in HF_TEXT_API_KEY, and pass the server's address with --api-base\n")


@pytest.fixture
def secured(certificate, key, monkeypatch):
    """An emulator of Hugging Face with a self-signed certificate."""
    with Emulator(tls=certificate) as emulator:
        monkeypatch.setenv("HF_ENDPOINT", emulator.url)
        monkeypatch.setenv("HF_TEXT_ROUTER_URL", emulator.url)
        yield emulator


def test_the_issuer_of_an_untrusted_certificate_is_named(secured, cli):
    found = findings(cli("doctor", "--json").out)[f"TLS with {secured.url.partition('//')[2]}"]
    assert found["found"] == "the certificate is issued by localhost, and is not trusted: self-signed certificate"
    assert "--ca-bundle FILE or REQUESTS_CA_BUNDLE" in found["fix"]


def test_a_private_ca_trusted_by_the_user_is_reported_as_such(secured, cli, certificate):
    found = findings(cli("doctor", "--json", "--ca-bundle", certificate[0]).out)
    line = found[f"TLS with {secured.url.partition('//')[2]}"]
    assert re.match(
        r"TLSv1\.\d, the certificate is issued by localhost, trusted only by your own certificates", line["found"]
    )
    assert {each["fix"] for each in found.values()} == {""}


def test_the_doctor_connects_through_an_authenticated_proxy(secured, certificate, raw_server, monkeypatch):
    asked = []

    def refuse(sock):
        asked.append(sock.recv(4096))
        sock.sendall(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")

    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("https_proxy", f"http://jane:s%20cret@127.0.0.1:{raw_server(refuse)}")
    assert look_at_certificate(secured.url, certificate[0], 5) is None
    assert asked[0].startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic amFuZTpzIGNyZXQ=" in asked[0]


def test_other_proxies_and_plain_servers_skip_the_tls_check(hf, secured, monkeypatch):
    assert look_at_certificate(hf.url.replace("http:", "https:"), None, 5) is None
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:9")
    assert look_at_certificate(secured.url, None, 5) is None


@pytest.mark.parametrize(
    ("arrivals", "found", "well"),
    [
        ([0.1] * 5, "5 pieces: too few to tell", True),
        ([0.3 + 0.02 * at for at in range(50)], "50 pieces, spread over 1.0 s: not buffered", True),
        ([0.3] * 40, "40 pieces in 0.3 s: too fast to tell", True),
        ([2.0 + 0.00001 * at for at in range(40)], "40 pieces arrived all at once, after 2.0 s", False),
        ([1.0] * 20 + [2.0] * 20, "40 pieces arrived in 2 bursts, after 2.0 s", False),
    ],
)
def test_a_buffered_stream_is_distinguished_from_a_live_one(arrivals, found, well):
    finding = judge_pieces(arrivals)
    assert finding.found.startswith(found)
    assert ("proxy" in finding.fix) is not well


def test_an_answer_that_arrives_all_at_once_is_reported(hf, cli):
    gate = Gate()
    hf.reply(replace(Response.text(*"A late answer."), delay=gate))
    threading.Timer(0.6, gate.open).start()
    found = findings(cli("doctor", "--json", "--ask").out)
    assert "arrived all at once" in found["stream"]["found"]
    assert "proxy_buffering off" in found["stream"]["fix"]


def test_credits_are_those_of_the_account_that_pays(hf, cli):
    assert "free account" in findings(cli("doctor", "--json").out)["credits"]["found"]
    who = {"isPro": True, "orgs": [{"name": "acme"}], "auth": {"accessToken": {"role": "write"}}}
    hf.always(Response.json(who), path="/api/whoami-v2")
    assert "PRO account" in findings(cli("doctor", "--json").out)["credits"]["found"]
    assert "--bill-to pays" in findings(cli("doctor", "--json", "--bill-to", "acme").out)["credits"]["found"]
    result = cli("doctor", "--json", "--bill-to", "acne")
    assert "omit --bill-to" in findings(result.out)["credits"]["fix"]
    assert not {"acme", "acne"} & {*re.findall(r"\w+", result.out)}


def test_exhausted_credits_are_reported_when_a_model_is_called(hf, cli):
    hf.reply(Response.error(402, "You have depleted your monthly included credits.", "string"))
    found = findings(cli("doctor", "--json", "--ask").out)
    assert "https://huggingface.co/settings/billing" in found["an answer"]["fix"]


def test_ignored_sources_of_keys_and_certificates_are_reported(hf, cli, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login jane password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ca.pem")
    result = cli("doctor", "--json")
    assert findings(result.out)["netrc"]["found"].endswith("has an entry for 127.0.0.1, which is not used")
    assert findings(result.out)["SSL_CERT_FILE"]["found"] == "/etc/ca.pem is not used; set REQUESTS_CA_BUNDLE instead"
    assert not {"jane", "secret"} & {*re.findall(r"\w+", result.out)}


# --- compare


def test_compare_calls_each_live_provider_once_and_shows_a_table_and_a_plot(hf, cli, tmp_path):
    plot = tmp_path / "speed.svg"
    result = cli("compare", MODEL, "Hello", "there", "--yes", "--max-tokens", "9", "--plot", str(plot))
    asked = [request.json for request in hf.requests if request.path.endswith("/chat/completions")]
    providers = [body["model"].partition(":")[2] for body in asked]
    assert result.status == 0
    assert {(body["messages"][0]["content"], body["max_tokens"]) for body in asked} == {("Hello there", 9)}
    assert len(set(providers)) == len(providers) > 1
    assert [line.split()[0] for line in result.out.splitlines()[1:]] == providers
    assert all(name in result.err for name in providers)
    assert "may cost up to $" in result.err
    assert ET.parse(plot).getroot().tag.endswith("svg")


def test_compare_sends_nothing_without_consent(hf, cli):
    result = cli("compare", MODEL)
    assert (result.status, result.out) == (2, "")
    assert "--yes" in result.err
    assert [request for request in hf.requests if request.path.endswith("/chat/completions")] == []


def test_a_custom_server_has_no_providers_to_compare(emulator, cli):
    result = cli("compare", MODEL, "--yes", "--api-base", emulator.api_base.replace("127.0.0.1", "localhost"))
    assert (result.status, result.out, emulator.requests) == (2, "", [])
    assert "has no providers to compare; hf-text ask --usage " in result.err


def test_a_failing_provider_is_a_row_and_not_the_end(hf, cli):
    hf.reply(Response.error(402, "out of\x1b[2J credits", "string"))
    results = [json.loads(line) for line in cli("compare", MODEL, "Hi", "--yes", "--json").out.splitlines()]
    assert "credits" in results[0]["error"]
    assert {result["error"] for result in results[1:]} == {None}


@pytest.mark.parametrize(
    "argv",
    [[MODEL, "--yes", "--plot", "x.gif"], [MODEL, "--yes", "--plot", "no/x.svg"], [], ["no/such", "--yes"]],
    ids=str,
)
def test_an_impossible_comparison_is_an_error_and_nothing_is_sent(hf, cli, argv):
    result = cli("compare", *argv)
    assert result.status in (1, 2)
    assert "error: " in result.err
    assert [request for request in hf.requests if request.path.endswith("/chat/completions")] == []


def test_a_png_plot_without_its_extra_is_refused_before_anything_is_sent(hf, cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # simulates a missing package
    result = cli("compare", MODEL, "--yes", "--plot", "x.png")
    assert (result.status, result.out, hf.requests) == (1, "", [])
    assert "pip install 'hf_text[plot]'; FILE.svg needs nothing" in result.err


BARS = [Bar("groq<&$x$", 512.4, 0.21), Bar("日本", 88.0, 1.5), Bar("down", None, None)]


def test_a_plot_shows_every_provider(tmp_path):
    write_plot(str(tmp_path / "speed.svg"), "a/b<", BARS)
    texts = [text.text for text in ET.parse(tmp_path / "speed.svg").getroot().iter("{http://www.w3.org/2000/svg}text")]
    assert {"a/b<", "groq<&$x$", "512 tokens/s", "1.50 s to the first", "down", "no answer"} <= {*texts}
    write_plot(str(tmp_path / "speed.PNG"), "a/b<", [BARS[0], BARS[2]])
    with PIL.Image.open(tmp_path / "speed.PNG") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 20)}
    assert {(0x38, 0x67, 0xD6), (0xFA, 0x82, 0x31)} <= colours
