"""Finding the key, and checking it.

The lookup follows huggingface_hub (``utils/_auth.py``), so a login there works here too. The key is checked as soon as
it is read or passed: otherwise an invalid key would only cause a 401, and an invalid header an exception that contains
the key. Quotes, ``Bearer`` and the like, which cannot be part of a key, are stripped; ambiguous values are rejected.
No message here contains a key or a part of one.
"""

from __future__ import annotations

import codecs
import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from .errors import InvalidRequestError
from .patterns import pattern

__all__ = ["clean_key", "find_key", "leads_to_hugging_face", "whose_key"]

_HUB = "https://huggingface.co"

_TRUE = {"1", "ON", "YES", "TRUE"}  # true for huggingface_hub; case-insensitive
_MAX_FILE = 65536  # bytes; a token has 37

# Key prefixes of other companies. A longer prefix precedes a shorter one that it begins with.
_FOREIGN = {
    "sk-ant-": "Anthropic",
    "sk-or-": "OpenRouter",
    "sk-": "OpenAI or a server like it",
    "gsk_": "Groq",
    "csk-": "Cerebras",
    "fw_": "Fireworks",
    "tgp_v1_": "Together",
    "nvapi-": "NVIDIA",
    "pplx-": "Perplexity",
    "r8_": "Replicate",
    "xai-": "xAI",
    "AIza": "Google",
    "AKIA": "AWS",
    "ghp_": "GitHub",
    "github_pat_": "GitHub",
}

# Docker keeps the quotes of an --env-file as part of the value; word processors insert typographic quotes.
_QUOTES = ('""', "''", "``", "\u201c\u201d", "\u2018\u2019")
# Text copied together with a key: a header name, or a variable name from an env file.
_LABEL = pattern(
    r"(?:authorization\s*:\s*)?bearer(?:[\s:]+|\Z)|(?:export\s+)?[A-Z][A-Z0-9_]*(?:TOKEN|KEY)\s*=(?=[^=])",
    re.IGNORECASE,
)

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_UNEXPANDED = pattern(r"\$[({]|\{\{|\$\w+\Z|%\w+%\Z|os\.(?:environ|getenv)|process\.env")
_BRACKETS = pattern(r"<.*>|\[.*\]|\{.*\}")
# hf_xxx, and texts that contain one of these words as a whole word: your_token, hf_your_token_here. A real key has only
# one "_".
_PLACEHOLDER = pattern(
    r"(?:hf_)?[x*._-]{4,}|hf_(?:[x*._-]{3,})?|(?:.*[_\W])?(?:your(?:hf|api|access)?(?:token|key)?|insert|replace|change(?:me)?|todo"
    r"|placeholder|here)(?:[_\W].*)?",
    re.IGNORECASE,
)
_NOTHING = {"none", "null", "nil", "undefined", "nan", "false"}  # a missing value, converted to text


def find_key(environ: Mapping[str, str] | None = None, *, placeholders: bool | None = None) -> str | None:
    """The user's Hugging Face key, or None if there is none. The first of these sources that is set and not blank:

    1. the variables ``HF_TOKEN``, then ``HUGGING_FACE_HUB_TOKEN``;
    2. the file ``HF_TOKEN_PATH``, by default ``$HF_HOME/token``, with ``HF_HOME`` by default
       ``${XDG_CACHE_HOME:-~/.cache}/huggingface``; ``~`` and ``$NAME`` are expanded in all three;
    3. in Google Colab, the secret ``HF_TOKEN``; Colab asks the user once, and a refusal counts as no key.

    ``HF_HUB_DISABLE_IMPLICIT_TOKEN=1`` (ON, YES, TRUE) turns all of them off. The exchange of an OpenID token for a key
    (``HF_OIDC_RESOURCE``) and the file ``stored_tokens`` are not supported.

    Args:
        environ: the environment variables; by default those of the process.
        placeholders: whether a placeholder (``hf_xxx``) is accepted, as by an emulator; by default if
            ``HF_TEXT_ROUTER_URL`` does not point to Hugging Face.

    Raises InvalidRequestError if a source contains an invalid key, or if the file exists and cannot be read: a user who
    is logged in should see an error rather than be treated as anonymous. A missing file, or one in a directory without
    read permission, is not an error.
    """
    environ = os.environ if environ is None else environ
    if environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").upper() in _TRUE:
        return None
    if placeholders is None:
        placeholders = not leads_to_hugging_face(environ.get("HF_TEXT_ROUTER_URL") or _HUB)
    return next((key for key in _find_all(environ, placeholders) if key), None)


def _find_all(environ: Mapping[str, str], placeholders: bool) -> Iterator[str | None]:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        yield _clean_token(environ.get(name), name, placeholders)
    path = _token_path(environ)
    yield _clean_token(_read_file(path), f"the token file {path}", placeholders)
    yield _clean_token(_find_in_colab(environ), "the Colab secret HF_TOKEN", placeholders)


def clean_key(key: Any, name: str = "api_key", *, hugging_face: bool = False, placeholders: bool = False) -> str | None:
    """The key without surrounding blanks and quotes, line ends, a byte order mark, and a leading ``Bearer`` or
    ``HF_TOKEN=``. None if nothing is left.

    Args:
        key: the key, or None.
        name: where the key comes from, for the error: the argument, the variable, the file.
        hugging_face: whether it is for Hugging Face. For self-hosted servers, words such as "none" are common keys.
        placeholders: whether ``hf_xxx`` and similar placeholders are accepted, as by an emulator.

    Raises InvalidRequestError, which names ``name`` and contains no part of the key: for anything but a str or None, a
    character that is not allowed in an HTTP header (not ASCII, or a control character), a URL, an unexpanded variable
    and a placeholder in brackets; for Hugging Face also for other placeholders, ``None`` and the like, and keys of
    other companies.
    """
    if key is None:
        return None
    if not isinstance(key, str):
        raise InvalidRequestError(f"{name} must be a str or None, not {type(key).__name__}")
    cleaned = _unwrap(key.replace("\r", "").replace("\n", ""))
    reason = _why_not_sendable(cleaned) or (_why_not_hugging_face(cleaned, placeholders) if hugging_face else "")
    if reason:
        raise InvalidRequestError(f"{name} cannot be a key: {reason}")
    return cleaned or None


def leads_to_hugging_face(url: str) -> bool:
    """Whether the URL points to Hugging Face itself, not to an emulator or a proxy."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host == "huggingface.co" or host.endswith(".huggingface.co")


def whose_key(text: str) -> str | None:
    """The company whose key prefix the text has; None if unknown."""
    if text.startswith("hf_"):
        return "Hugging Face"
    return next((whose for prefix, whose in _FOREIGN.items() if text.startswith(prefix)), None)


def _unwrap(text: str) -> str:
    while True:
        inner = text.lstrip("\ufeff").strip()
        if len(inner) > 1 and inner[0] + inner[-1] in _QUOTES:
            inner = inner[1:-1]
        label = _LABEL.match(inner)
        if label:
            inner = inner[label.end() :]
        if inner == text:
            return text
        text = inner


def _why_not_sendable(key: str) -> str:
    """Why the text cannot be a key of any server; ``""`` if it can."""
    bad = re.search(r"[^\x20-\x7e]", key)
    if bad:
        kind = "a control character" if bad[0].isascii() else "a character that is not ASCII"
        return f"it has {kind} at position {bad.start() + 1}"
    if _URL.match(key):
        return "it is a URL. Use api_base= for the address of a server"
    if _UNEXPANDED.match(key):
        return "it is an unexpanded variable"
    if _BRACKETS.fullmatch(key):
        return "it is in brackets, like a placeholder"
    if key and any(key[0] == quotes[0] or key[-1] == quotes[1] for quotes in _QUOTES):
        return "it has a quotation mark at one end only"
    return ""


def _why_not_hugging_face(key: str, placeholders: bool) -> str:
    """Why the text cannot be a Hugging Face key; ``""`` if it can."""
    if key.lower() in _NOTHING:
        return "it is the text of a missing value"
    if _PLACEHOLDER.fullmatch(key) and not placeholders:
        return "it is a placeholder. Create a key at https://huggingface.co/settings/tokens"
    whose = whose_key(key)
    if whose not in (None, "Hugging Face"):
        return f"it is a key of {whose}, and would go to Hugging Face. Pass the server's address as api_base="
    return ""


def _clean_token(token: Any, name: str, placeholders: bool) -> str | None:
    """Clean a key that was found, not passed by the caller. Text with a space is not a key and must not be sent."""
    key = clean_key(token, name, hugging_face=True, placeholders=placeholders)
    if key and " " in key:
        raise InvalidRequestError(f"{name} cannot be a key: it contains spaces")
    return key


def _token_path(environ: Mapping[str, str]) -> str:
    # huggingface_hub treats an empty variable as the working directory. Here it counts as unset, so that no unrelated
    # file named "token" in the working directory is read as a key.
    cache = environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = environ.get("HF_HOME") or f"{cache}/huggingface"
    return _expand(environ.get("HF_TOKEN_PATH") or f"{home}/token", environ)


def _expand(path: str, environ: Mapping[str, str]) -> str:
    """``expanduser`` and ``expandvars`` with the given variables instead of ``os.environ``."""

    def value_of(variable: re.Match[str]) -> str:
        return environ.get(variable[1] or variable[2], variable[0])

    home = environ.get("USERPROFILE" if os.name == "nt" else "HOME")
    if home and re.match(r"~(?=[/\\]|$)", path):
        path = home + path[1:]
    return re.sub(r"\$(?:(\w+)|\{([^}]*)\})", value_of, os.path.expanduser(path))


def _read_file(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_FILE)
    except OSError as error:
        if not os.path.exists(path):
            return None
        raise InvalidRequestError(f"the token file {path} cannot be read: {error.strerror}") from error
    # "replace", because an exception would contain the file's content; clean_key rejects the replacement character.
    return content.decode(_guess_encoding(content), "replace")


def _guess_encoding(content: bytes) -> str:
    """UTF-16 with or without a byte order mark, as PowerShell's ``echo … > token`` writes it; else UTF-8."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if content[1::2] and not content[1::2].strip(b"\0"):
        return "utf-16-le"
    return "utf-8"


_colab_lock = threading.Lock()
_colab_answer: tuple[object, Any] | None = None


def _find_in_colab(environ: Mapping[str, str]) -> Any:
    global _colab_answer
    # Colab imports this module before the first cell runs. Colab Enterprise has it too, but has no secrets.
    colab = sys.modules.get("google.colab")
    if colab is None or environ.get("VERTEX_PRODUCT") == "COLAB_ENTERPRISE":
        return None
    # Once per process: each call may open a dialogue, and huggingface_hub asks only once, too.
    with _colab_lock:
        if _colab_answer is None or _colab_answer[0] is not colab:
            _colab_answer = (colab, _ask_colab())
        return _colab_answer[1]


def _ask_colab() -> Any:
    try:
        from google.colab import userdata  # type: ignore[import-not-found, unused-ignore]  # only there, only in Colab
    except ImportError:
        return None
    # SecretNotFoundError and TimeoutException are subclasses of Colab's base error, NotebookAccessError is not
    # (googlecolab/colabtools, google/colab/userdata.py); older versions lack some of them.
    root = getattr(getattr(userdata, "errors", None), "Error", None)
    names = ("NotebookAccessError", "SecretNotFoundError", "TimeoutException")
    known = tuple(error for error in (root, *(getattr(userdata, name, None) for name in names)) if error)
    try:
        return userdata.get("HF_TOKEN")
    except known:
        return None
