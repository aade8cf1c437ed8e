"""The pytest plugin, run by pytest itself on tests of apps that use openai, httpx, requests and this library."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from hf_text.emulator import Emulator, Response

pytest_plugins = ["pytester"]

Needs = Callable[..., None]
LOADED = 'pytest_plugins = ["hf_text.integrations.pytest_plugin"]\n'
KEY = "hf_MadeUpKeyForTests"
Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """Run tests with the plugin; ``alone``: in a subprocess."""

    def run_tests(tests: str, *options: str, conftest: str = LOADED, alone: bool = False) -> pytest.RunResult:
        pytester.makeconftest(conftest)
        pytester.makepyfile(test_app=tests)
        run = pytester.runpytest_subprocess if alone else pytester.runpytest_inprocess
        return run("-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-W", "error", *options)

    return run_tests


@pytest.fixture
def server() -> Iterator[Emulator]:
    """A stand-in for a real server."""
    with Emulator() as running:
        yield running


# Each requests an answer and returns its text, as programs do with this client.
APPS = {
    "openai": """
import openai

def app(timeout=20):
    with openai.OpenAI(timeout=timeout, max_retries=0) as client:
        messages = [{"role": "user", "content": "Hi"}]
        chunks = client.chat.completions.create(model="openai/gpt-oss-120b", messages=messages, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

REFUSED, BROKEN, STALLED, HOSTILE = openai.RateLimitError, openai.APIError, openai.APITimeoutError, Exception
""",
    "httpx": """
import os, json, httpx

def app(timeout=20):
    body = {"model": "openai/gpt-oss-120b", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    url, text = os.environ["OPENAI_BASE_URL"] + "/chat/completions", ""
    with httpx.stream("POST", url, json=body, timeout=timeout) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if line.startswith("data: {"):
                choices = json.loads(line[6:])["choices"]
                text += choices[0]["delta"].get("content") or "" if choices else ""
    return text

REFUSED, BROKEN, STALLED, HOSTILE = httpx.HTTPStatusError, httpx.RemoteProtocolError, httpx.ReadTimeout, ValueError
""",
    "requests": """
import os, json, requests

def app(timeout=20):
    body = {"model": "openai/gpt-oss-120b", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    url, text = os.environ["OPENAI_BASE_URL"] + "/chat/completions", ""
    with requests.post(url, json=body, timeout=timeout, stream=True) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if line.startswith(b"data: {"):
                choices = json.loads(line[6:])["choices"]
                text += choices[0]["delta"].get("content") or "" if choices else ""
    return text

E = requests.exceptions
REFUSED, BROKEN, STALLED, HOSTILE = E.HTTPError, E.ChunkedEncodingError, E.ConnectionError, ValueError
""",
    "hf_text": """
import hf_text

def app(timeout=20):
    with hf_text.Client(timeout=timeout, max_retries=0) as client:
        return client.generate("Hi", "openai/gpt-oss-120b").text

REFUSED, BROKEN, STALLED = hf_text.RateLimitError, hf_text.TruncatedStreamError, hf_text.RequestTimeoutError
HOSTILE = hf_text.StreamError
""",
}

TESTS = """
import pytest
from hf_text.emulator import Response

def test_whole(hf_emulator):
    hf_emulator.reply(Response.text("One", " two"))
    assert app() == "One two"
    (request,) = hf_emulator.requests
    assert request.json["stream"] is True

def test_built_in(hf_emulator):
    assert "emulator" in app()

@pytest.mark.hf_faults("cut-mid-stream")
def test_truncated(hf_emulator):
    with pytest.raises(BROKEN):
        app()

@pytest.mark.hf_faults("stall-mid-stream")
def test_stalled(hf_emulator):
    with pytest.raises(STALLED):
        app(timeout=1)

@pytest.mark.hf_faults("rate-limited", always=Response.text("Later"))
def test_refused(hf_emulator):
    with pytest.raises(REFUSED):
        app()
    assert [app(), app()] == ["Later", "Later"]

@pytest.mark.hf_faults("broken-json")
def test_hostile(hf_emulator):
    with pytest.raises(HOSTILE):
        app()

@pytest.mark.hf_faults("server-error", path="/v1/models")
class TestClass:
    @pytest.mark.hf_faults(Response.text("Mine"))
    def test_of_class_and_test(self, hf_emulator):
        assert app() == "Mine"
"""


@pytest.mark.parametrize("name", APPS)
def test_an_app_can_be_tested_against_failing_streams(needs: Needs, run: Run, name: str) -> None:
    needs(name)
    done = run(APPS[name] + TESTS)
    done.assert_outcomes(passed=7)


@pytest.mark.parametrize("name", ["openai", "hf_text"])
def test_answers_of_a_real_server_are_recorded_and_replayed(
    needs: Needs, run: Run, pytester: pytest.Pytester, server: Emulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    needs(name)
    for variable in ("HF_TOKEN", "OPENAI_API_KEY"):
        monkeypatch.setenv(variable, KEY)
    server.always(Response.text("One", " two", headers={"Set-Cookie": "id=made-up-cookie"}))
    tests = APPS[name] + "\ndef test_one(hf_emulator):\n    assert app() == 'One two'\n"
    run(tests, "--hf-record", "tapes", "--hf-upstream", server.url).assert_outcomes(passed=1)
    assert [request.key for request in server.requests] == [KEY]
    (tape,) = (pytester.path / "tapes").rglob("*.json")
    assert tape.parent.name == "test_app.py-test_one"
    written = tape.read_text("utf-8")
    assert KEY not in written
    assert "made-up-cookie" not in written
    monkeypatch.delenv("HF_TOKEN")
    run(tests, "--hf-replay", "tapes").assert_outcomes(passed=1)
    assert len(server.requests) == 1
    other = tests.replace('"Hi"', '"Ho"')
    done = run(other, "--hf-replay", "tapes")
    assert "its body differs from those recorded" in done.stdout.str()
    done.assert_outcomes(failed=1, errors=1)


WRONG = """
import pytest

@pytest.mark.hf_faults("cut-mid-steam")
def test_misspelt(hf_emulator): pass

@pytest.mark.hf_faults(429)
def test_number(hf_emulator): pass

@pytest.mark.hf_faults(fault="reset")
def test_keyword(hf_emulator): pass
"""


def test_an_invalid_mark_is_reported_on_one_line(run: Run) -> None:
    done = run(WRONG)
    done.assert_outcomes(errors=3)
    for says in ("no fault is named 'cut-mid-steam'", "no fault is named 429", "takes no fault"):
        assert says in done.stdout.str()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--hf-record", "a", "--hf-replay", "b"), "pass --hf-record or --hf-replay, not both"),
        (("--hf-upstream", "http://x"), "pass --hf-record too"),
    ],
)
def test_conflicting_options_are_refused(run: Run, options: tuple[str, ...], says: str) -> None:
    done = run("", *options)
    assert says in done.stderr.str()
    assert done.ret == pytest.ExitCode.USAGE_ERROR


def test_a_test_without_the_fixture_starts_nothing_and_keeps_its_environment(run: Run) -> None:
    tests = """
import os, threading

def test_one():
    assert "HF_ENDPOINT" not in os.environ and "OPENAI_BASE_URL" not in os.environ
    assert not [thread for thread in threading.enumerate() if "emulator" in thread.name]
"""
    run(tests).assert_outcomes(passed=1)


def test_pytest_does_not_load_the_library_unless_used(run: Run) -> None:
    tests = """
import sys

def test_one(request):
    assert not [name for name in sys.modules if name.startswith("hf_text")]
    assert not request.config.pluginmanager.hasplugin("hf_text.integrations.pytest_plugin")
"""
    run(tests, "--strict-markers", conftest="", alone=True).assert_outcomes(passed=1)


def test_library_and_command_do_not_load_the_plugin() -> None:
    imports = "import sys, hf_text, hf_text.aio, hf_text.cli, hf_text.batch"
    program = f"{imports}; print([name for name in sys.modules if name == 'pytest' or 'integrations.' in name])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50)
    assert (done.stdout, done.stderr) == ("[]\n", "")
