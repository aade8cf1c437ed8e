import codecs
import os
import re
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from hf_text import keys
from hf_text.errors import InvalidRequestError
from hf_text.keys import clean_key, find_key

SECRET = "hf_Secret0123456789"


@pytest.fixture
def home(tmp_path):
    """A home directory without a key."""
    return tmp_path


@pytest.fixture
def environ(home):
    """The environment of a user without a key."""
    return {"HOME": str(home), "USERPROFILE": str(home)}


def write(path, content=SECRET):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def shows_no_secret(error):
    """No part of the key appears in the error, nor in a traceback or crash report of it."""
    texts = []
    while error is not None:
        texts += [str(error), repr(error), repr(vars(error))]
        error = error.__cause__ or error.__context__
    return not any("Secret" in text or "0123" in text for text in texts)


# --- clean_key


@pytest.mark.parametrize("key", [None, "", " ", "\r\n", " \n\t "])
def test_none_and_blanks_are_not_keys(key):
    assert clean_key(key) is None


@pytest.mark.parametrize("key", [SECRET, f" {SECRET} ", f"{SECRET}\n", f"\r\n{SECRET}\r\n", "hf_Secret0123\r\n456789"])
def test_surrounding_whitespace_is_stripped(key):
    assert clean_key(key) == SECRET


@pytest.mark.parametrize("bad", ["ü", "€", "\u200b", "\ud800", "\0", "\x1b", "\t", "\x7f"])
def test_characters_not_allowed_in_headers_are_refused_without_showing_the_key(bad):
    with pytest.raises(InvalidRequestError, match=r"^api_key ") as caught:
        clean_key(f"hf_Secret{bad}0123456789")
    assert "position 10" in str(caught.value)
    assert shows_no_secret(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        f'"{SECRET}"',
        f"'{SECRET}'",
        f"\u201c{SECRET}\u201d",
        f"Bearer {SECRET}",
        f"bearer: {SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"HF_TOKEN={SECRET}",
        f'export HF_TOKEN = "{SECRET}"',
        f"\"Bearer '{SECRET}' \"\n",
        f"\ufeff{SECRET}",
    ],
)
def test_characters_copied_along_with_a_key_are_stripped(key, environ):
    assert clean_key(key) == SECRET
    assert find_key(environ | {"HF_TOKEN": key}) == SECRET


@pytest.mark.parametrize("key", ['""', "''", "Bearer ", '"Bearer "'])
def test_an_empty_rest_is_not_a_key(key, environ):
    assert clean_key(key) is None
    assert find_key(environ | {"HF_TOKEN": key}) is None


@pytest.mark.parametrize(
    "key", ["abcKEY=", "KEY==", "none", "EMPTY", "sk-no-key-required", "xxxx", "bearing", "your-key", "a'b"]
)
def test_another_server_accepts_any_word_as_key(key):
    assert clean_key(key) == key


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("https://router.huggingface.co/v1", "it is a URL. Use api_base= for the address of a server"),
        ("http://localhost:8080/v1", "it is a URL"),
        ("${HF_TOKEN}", "it is an unexpanded variable"),
        ("$HF_TOKEN", "it is an unexpanded variable"),
        ("%HF_TOKEN%", "it is an unexpanded variable"),
        ("$(cat token)", "it is an unexpanded variable"),
        ("${{ secrets.HF_TOKEN }}", "it is an unexpanded variable"),
        ("{{HF_TOKEN}}", "it is an unexpanded variable"),
        ("Bearer ${HF_TOKEN}", "it is an unexpanded variable"),
        ("os.environ['HF_TOKEN']", "it is an unexpanded variable"),
        ("<your_token>", "it is in brackets, like a placeholder"),
        ("[token]", "it is in brackets"),
        ("'hf_0123", "it has a quotation mark at one end only"),
        ('hf_0123"', "it has a quotation mark"),
    ],
)
def test_impossible_keys_are_refused_with_the_reason(key, reason, environ):
    with pytest.raises(InvalidRequestError, match=f"^api_key cannot be a key: {re.escape(reason)}") as caught:
        clean_key(key)
    assert shows_no_secret(caught.value)
    with pytest.raises(InvalidRequestError, match=f"^HF_TOKEN cannot be a key: {re.escape(reason)}"):
        find_key(environ | {"HF_TOKEN": key})


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("None", "it is the text of a missing value"),
        ("null", "it is the text of a missing value"),
        ("undefined", "it is the text of a missing value"),
        ("hf_xxx", "it is a placeholder. Create a key at https://huggingface.co/settings/tokens"),
        ("hf_", "it is a placeholder"),
        ("hf_...", "it is a placeholder"),
        ("hf_XXXXXXXXXXXXXXXXXXXXXXXX", "it is a placeholder"),
        ("hf_your_token", "it is a placeholder"),
        ("hf_****", "it is a placeholder"),
        ("your_token", "it is a placeholder"),
        ("YOUR-HF-TOKEN-HERE", "it is a placeholder"),
        ("your token", "it is a placeholder"),
        ("yourapikey", "it is a placeholder"),
        ("insert_token", "it is a placeholder"),
        ("changeme", "it is a placeholder"),
        ("sk-proj-0123", "it is a key of OpenAI or a server like it, and would go to Hugging Face"),
        ("sk-ant-0123", "it is a key of Anthropic"),
        ("gsk_0123", "it is a key of Groq"),
        ("AIzaSy0123", "it is a key of Google"),
    ],
)
def test_keys_hugging_face_cannot_have_issued_are_refused_with_the_reason(key, reason, home, environ):
    with pytest.raises(InvalidRequestError, match=f"^api_key cannot be a key: {re.escape(reason)}") as caught:
        clean_key(key, hugging_face=True)
    assert shows_no_secret(caught.value)
    with pytest.raises(InvalidRequestError, match=f"^HUGGING_FACE_HUB_TOKEN cannot be a key: {re.escape(reason)}"):
        find_key(environ | {"HUGGING_FACE_HUB_TOKEN": key})
    path = write(home / "key", key)
    with pytest.raises(InvalidRequestError, match=f"^the token file {re.escape(str(path))} cannot be a key: "):
        find_key(environ | {"HF_TOKEN_PATH": str(path)})


@pytest.mark.parametrize("key", ["hf_YourAbC0123456789", "hf_oauth_0123", "api_0123", "hf_xXxXa", "hereafter", "demo"])
def test_a_key_that_resembles_a_placeholder_is_accepted(key):
    assert clean_key(key, hugging_face=True) == key


@pytest.mark.parametrize("key", [SECRET.encode(), 5, [SECRET], {"key": SECRET}, True])
def test_a_key_of_a_wrong_type_is_refused_showing_only_its_type(key):
    with pytest.raises(InvalidRequestError, match=f"^token must be a str or None, not {type(key).__name__}$") as caught:
        clean_key(key, "token")
    assert shows_no_secret(caught.value)


# --- find_key: variables


def test_without_variables_and_file_there_is_no_key(environ):
    assert find_key(environ) is None


def test_the_process_environment_is_read_by_default(monkeypatch):
    monkeypatch.delenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", raising=False)
    monkeypatch.setenv("HF_TOKEN", SECRET)
    assert find_key() == SECRET


@pytest.mark.parametrize(
    ("variables", "key"),
    [
        ({"HF_TOKEN": "first", "HUGGING_FACE_HUB_TOKEN": "second"}, "first"),
        ({"HUGGING_FACE_HUB_TOKEN": "second"}, "second"),
        ({"HF_TOKEN": "", "HUGGING_FACE_HUB_TOKEN": "second"}, "second"),
        ({"HF_TOKEN": " \n", "HUGGING_FACE_HUB_TOKEN": "second\n"}, "second"),
        ({}, "file"),
        ({"HF_TOKEN": "", "HUGGING_FACE_HUB_TOKEN": " "}, "file"),
        ({"HF_TOKEN": " first\r\n"}, "first"),
    ],
)
def test_the_first_non_blank_variable_overrides_the_file(home, environ, variables, key):
    write(home / ".cache/huggingface/token", "file")
    assert find_key(environ | variables) == key


@pytest.mark.parametrize(
    ("value", "off"), [("1", True), ("on", True), ("Yes", True), ("TRUE", True), ("0", False), ("", False)]
)
def test_implicit_keys_can_be_turned_off(home, environ, value, off):
    write(home / ".cache/huggingface/token")
    environ |= {"HF_TOKEN": SECRET, "HF_HUB_DISABLE_IMPLICIT_TOKEN": value}
    assert find_key(environ) == (None if off else SECRET)


@pytest.mark.parametrize("value", [f"Basic {SECRET}", f"{SECRET}ü", f"{SECRET}\x00"])
@pytest.mark.parametrize("name", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_an_invalid_key_variable_is_refused_by_name(environ, name, value):
    with pytest.raises(InvalidRequestError, match=f"^{name} ") as caught:
        find_key(environ | {name: value})
    assert shows_no_secret(caught.value)


# --- find_key: the file


@pytest.mark.parametrize(
    ("variables", "path"),
    [
        ({}, ".cache/huggingface/token"),
        ({"XDG_CACHE_HOME": "{home}/xdg"}, "xdg/huggingface/token"),
        ({"XDG_CACHE_HOME": ""}, ".cache/huggingface/token"),
        ({"XDG_CACHE_HOME": "{home}/xdg", "HF_HOME": "{home}/hf"}, "hf/token"),
        ({"HF_HOME": "~/hf"}, "hf/token"),
        ({"HF_HOME": ""}, ".cache/huggingface/token"),
        ({"HF_HOME": "$BASE/${SUB}", "BASE": "{home}", "SUB": "s"}, "s/token"),
        ({"HF_HOME": "{home}/hf", "HF_TOKEN_PATH": "~/my token"}, "my token"),
        ({"HF_TOKEN_PATH": "$BASE/key", "BASE": "{home}"}, "key"),
        ({"HF_TOKEN_PATH": "{home}/$UNSET/key"}, "$UNSET/key"),
        ({"HF_TOKEN_PATH": "{home}/~/key"}, "~/key"),
    ],
)
def test_the_file_is_where_huggingface_hub_has_it(home, environ, variables, path):
    write(home / path)
    environ |= {name: value.replace("{home}", str(home)) for name, value in variables.items()}
    assert find_key(environ) == SECRET


def test_without_a_home_variable_the_system_home_is_used():
    assert find_key({"HF_TOKEN_PATH": "~/no such directory/token"}) is None
    assert find_key({"HF_TOKEN_PATH": "~nobody-of-this-name/token"}) is None


def test_a_token_file_in_the_working_directory_is_not_used(tmp_path, environ, monkeypatch):
    write(tmp_path / "cwd/token")
    monkeypatch.chdir(tmp_path / "cwd")
    assert find_key(environ | {"HF_HOME": "", "HF_TOKEN_PATH": "", "XDG_CACHE_HOME": ""}) is None


@pytest.mark.parametrize("content", [f"{SECRET}\n", f"  {SECRET}\r\n\r\n", b"\xef\xbb\xbf" + SECRET.encode()])
def test_the_file_content_is_stripped(home, environ, content):
    write(home / ".cache/huggingface/token", content)
    assert find_key(environ) == SECRET


@pytest.mark.parametrize(
    "content",
    [
        SECRET.encode("utf-16"),
        f"{SECRET}\r\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + SECRET.encode("utf-16-be"),
        f"{SECRET}\n".encode("utf-16-le"),
        f'"{SECRET}"\n'.encode("utf-8-sig"),
        f"HF_TOKEN={SECRET}\n".encode(),
    ],
    ids=["PowerShell", "PowerShell with a line end", "big end first", "without a mark", "Notepad", "variable"],
)
def test_files_written_by_other_programs_are_read(home, environ, content):
    write(home / ".cache/huggingface/token", content)
    assert find_key(environ) == SECRET


@pytest.mark.parametrize("content", ["", "\n", " \r\n ", "\ufeff", "\n".encode("utf-16")])
def test_an_empty_file_has_no_key(home, environ, content):
    write(home / ".cache/huggingface/token", content)
    assert find_key(environ) is None


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n\0\0" + SECRET.encode(),
        b"\xff\xfe\xfd",
        f"[default]\nhf_token = {SECRET}\n",
        f'{{"token": "{SECRET}"}}',
        b"x " * 100000,
    ],
    ids=["png", "bytes", "ini", "json", "long"],
)
def test_a_file_with_other_content_is_refused_by_path(home, environ, content):
    path = write(home / "key", content)
    with pytest.raises(InvalidRequestError) as caught:
        find_key(environ | {"HF_TOKEN_PATH": str(path)})
    assert str(path) in str(caught.value)
    assert shows_no_secret(caught.value)


def test_a_directory_in_place_of_the_file_is_refused_by_path(home, environ):
    with pytest.raises(InvalidRequestError) as caught:
        find_key(environ | {"HF_TOKEN_PATH": str(home)})
    assert str(home) in str(caught.value)


def test_a_path_through_a_file_counts_as_missing(home, environ):
    write(home / "file")
    assert find_key(environ | {"HF_HOME": str(home / "file")}) is None


UNPRIVILEGED = """
import os, sys
from hf_text.keys import find_key
if os.geteuid() == 0:
    os.setgroups([])
    os.setuid(65534)
try:
    print(find_key({"HF_TOKEN_PATH": sys.argv[1]}))
except ValueError as error:
    print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
@pytest.mark.parametrize(
    ("file_mode", "directory_mode", "answer"), [(0o000, 0o755, "Permission denied"), (0o644, 0o000, "None")]
)
def test_an_unreadable_file_is_an_error_and_an_inaccessible_one_is_absent(file_mode, directory_mode, answer):
    """Runs in a subprocess, because root can read everything, and outside tmp_path, which is private."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        path = write(Path(directory, "inner/token"))
        path.chmod(file_mode)
        path.parent.chmod(directory_mode)
        run = [sys.executable, "-c", UNPRIVILEGED, str(path)]
        output = subprocess.run(run, capture_output=True, text=True, check=True, timeout=60).stdout
        path.parent.chmod(0o755)
    assert answer in output
    assert SECRET not in output


# --- find_key: Google Colab


class Colab:
    """A stand-in for Colab's modules, with their exception tree."""

    def __init__(self, monkeypatch):
        self.asked = 0
        self.answer = SECRET
        self.module = ModuleType("google.colab")
        self.module.errors = ModuleType("google.colab.errors")
        self.module.errors.Error = type("Error", (Exception,), {})
        self.module.userdata = userdata = ModuleType("google.colab.userdata")
        userdata.errors = self.module.errors
        userdata.NotebookAccessError = type("NotebookAccessError", (Exception,), {})
        userdata.SecretNotFoundError = type("SecretNotFoundError", (userdata.errors.Error,), {})
        userdata.TimeoutException = type("TimeoutException", (userdata.errors.Error,), {})
        userdata.get = self.get
        monkeypatch.setitem(sys.modules, "google.colab", self.module)

    def get(self, name):
        assert name == "HF_TOKEN"
        self.asked += 1
        if isinstance(self.answer, type):
            raise self.answer(name)
        return self.answer


@pytest.fixture
def colab(monkeypatch):
    return Colab(monkeypatch)


def test_in_colab_the_secret_is_used(environ, colab):
    assert find_key(environ) == SECRET


def test_colab_is_not_queried_if_there_is_a_variable_or_file(home, environ, colab):
    assert find_key(environ | {"HF_TOKEN": "variable"}) == "variable"
    write(home / ".cache/huggingface/token", "file")
    assert find_key(environ) == "file"
    assert colab.asked == 0


def test_colab_enterprise_has_no_secrets(environ, colab):
    assert find_key(environ | {"VERTEX_PRODUCT": "COLAB_ENTERPRISE"}) is None
    assert colab.asked == 0


@pytest.mark.parametrize("name", ["NotebookAccessError", "SecretNotFoundError", "TimeoutException"])
def test_a_denied_colab_secret_is_not_requested_again(environ, colab, name):
    colab.answer = getattr(colab.module.userdata, name)
    assert find_key(environ) is None
    assert find_key(environ) is None
    assert colab.asked == 1


def test_other_colab_errors_mean_no_key(environ, colab):
    colab.answer = colab.module.errors.Error
    assert find_key(environ) is None


def test_foreign_errors_in_colab_are_not_swallowed(environ, colab):
    colab.answer = ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        find_key(environ)


@pytest.mark.parametrize("missing", ["errors", "NotebookAccessError", "TimeoutException"])
def test_an_older_colab_works(environ, colab, missing):
    delattr(colab.module.userdata, missing)
    colab.answer = colab.module.userdata.SecretNotFoundError
    assert find_key(environ) is None


def test_a_colab_without_secrets_has_no_key(environ, colab):
    del colab.module.userdata
    assert find_key(environ) is None


@pytest.mark.parametrize(("answer", "key"), [(None, None), ("", None), (f"{SECRET}\n", SECRET)])
def test_the_colab_secret_is_stripped(environ, colab, answer, key):
    colab.answer = answer
    assert find_key(environ) == key


def test_concurrent_threads_open_one_colab_dialog(environ, colab):
    threads = 8
    together = threading.Barrier(threads)

    second = threading.Event()

    def get(name):
        if colab.asked:
            second.set()
        answer = colab.get(name)
        second.wait(0.2)  # give another thread time to enter, which it must not
        return answer

    def look(_):
        together.wait(10)
        return find_key(environ)

    colab.module.userdata.get = get

    with ThreadPoolExecutor(threads) as pool:
        assert set(pool.map(look, range(threads))) == {SECRET}
    assert colab.asked == 1


def test_colab_modules_are_not_imported_elsewhere(environ):
    assert find_key(environ) is None
    assert "google.colab" not in sys.modules


def test_the_list_of_public_names_is_sorted_and_complete():
    defined = {name for name, value in vars(keys).items() if getattr(value, "__module__", None) == keys.__name__}
    assert keys.__all__ == sorted(name for name in defined if not name.startswith("_"))
