"""The key: where it is found, and that it is one.

It is looked for as huggingface_hub does (``utils/_auth.py``), so a login there is a login here. It is checked where
it comes in: what is not a key would only come back as a 401, and a broken header shows up late, in a message that
contains it. What surely does not belong to a key (quotes, ``Bearer``) is taken away; what may be anything is refused.
No message here shows a key or a part of one.
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

_TRUE = {"1", "ON", "YES", "TRUE"}  # what huggingface_hub takes for true; case-insensitive
_MAX_FILE = 65536  # bytes; a token has 37

# How the keys of others begin, the longer ones first.
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

# Docker takes the quotes of an --env-file for a part of the value; word processors make them round.
_QUOTES = ('""', "''", "``", "\u201c\u201d", "\u2018\u2019")
# What is copied along with a key: a line of a header, or of a file of variables.
_LABEL = pattern(
    r"(?:authorization\s*:\s*)?bearer(?:[\s:]+|\Z)|(?:export\s+)?[A-Z][A-Z0-9_]*(?:TOKEN|KEY)\s*=(?=[^=])",
    re.IGNORECASE,
)

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_UNEXPANDED = pattern(r"\$[({]|\{\{|\$\w+\Z|%\w+%\Z|os\.(?:environ|getenv)|process\.env")
_BRACKETS = pattern(r"<.*>|\[.*\]|\{.*\}")
# hf_xxx, and what has one of these words for itself: your_token, hf_your_token_here. A real key has one "_".
_PLACEHOLDER = pattern(
    r"(?:hf_)?[x*._-]{4,}|hf_(?:[x*._-]{3,})?|(?:.*[_\W])?(?:your(?:hf|api|access)?(?:token|key)?|insert|replace|change(?:me)?|todo"
    r"|placeholder|here)(?:[_\W].*)?",
    re.IGNORECASE,
)
_NOTHING = {"none", "null", "nil", "undefined", "nan", "false"}  # how programs write a value that is missing


def find_key(environ: Mapping[str, str] | None = None, *, placeholders: bool | None = None) -> str | None:
    """The user's Hugging Face key, or None if there is none. The first of these that is set and not blank:

    1. the variables ``HF_TOKEN``, then ``HUGGING_FACE_HUB_TOKEN``;
    2. the file ``HF_TOKEN_PATH``, by default ``$HF_HOME/token``, with ``HF_HOME`` by default
       ``${XDG_CACHE_HOME:-~/.cache}/huggingface``; ``~`` and ``$NAME`` are expanded in all three;
    3. in Google Colab, the secret ``HF_TOKEN``; Colab asks the user once, and a refusal counts as no key.

    ``HF_HUB_DISABLE_IMPLICIT_TOKEN=1`` (ON, YES, TRUE) turns all of them off. The exchange of an OpenID token for a key
    (``HF_OIDC_RESOURCE``) and the file ``stored_tokens`` are not supported.

    Args:
        environ: the variables; by default those of the process.
        placeholders: whether a placeholder (``hf_xxx``) will do, as it does for an emulator; by default if
            ``HF_TEXT_ROUTER_URL`` leads elsewhere than to Hugging Face.

    Raises InvalidRequestError if one of them holds what cannot be a key, or if the file is there and cannot be read:
    someone who is logged in should hear of it rather than be treated as anonymous. A file that is not there, or stands
    in a directory that may not be read, is not an error.
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
    """The key without what surely is not a part of it: blanks and quotes around it, line ends, a byte order mark,
    ``Bearer`` or ``HF_TOKEN=`` before it. None if nothing is left.

    Args:
        key: the key, or None.
        name: how the user knows it: the argument, the variable, the file.
        hugging_face: whether it is for Hugging Face. Servers of one's own are given words such as "none" as keys.
        placeholders: whether ``hf_xxx`` and the like will do all the same, as for an emulator.

    Raises InvalidRequestError, which names ``name`` and shows nothing of the key: for anything but a str or None, for a
    character that cannot stand in an HTTP header (not ASCII, or a control character), for a URL, a variable that was
    not expanded and a placeholder in brackets; and for Hugging Face also for other placeholders, ``None`` and the like,
    and for the keys of others.
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
    """Whether the address is one of Hugging Face itself, not of an emulator or a proxy in its place."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host == "huggingface.co" or host.endswith(".huggingface.co")


def whose_key(text: str) -> str | None:
    """The company whose keys begin as this text does; None if unknown."""
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
    """Why no server can have given out this key; ``""`` if one can."""
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
    """Why Hugging Face cannot have given out this key; ``""`` if it can."""
    if key.lower() in _NOTHING:
        return "it is the text of a missing value"
    if _PLACEHOLDER.fullmatch(key) and not placeholders:
        return "it is a placeholder. Create a key at https://huggingface.co/settings/tokens"
    whose = whose_key(key)
    if whose not in (None, "Hugging Face"):
        return f"it is a key of {whose}, and would go to Hugging Face. Pass the server's address as api_base="
    return ""


def _clean_token(token: Any, name: str, placeholders: bool) -> str | None:
    """A key that was found rather than given. A blank in it means that it is some other text, which must not be
    sent.
    """
    key = clean_key(token, name, hugging_face=True, placeholders=placeholders)
    if key and " " in key:
        raise InvalidRequestError(f"{name} cannot be a key: it contains spaces")
    return key


def _token_path(environ: Mapping[str, str]) -> str:
    # huggingface_hub takes an empty variable for the working directory. Here it counts as unset: a key should not be
    # taken from a file "token" that happens to lie there.
    cache = environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = environ.get("HF_HOME") or f"{cache}/huggingface"
    return _expand(environ.get("HF_TOKEN_PATH") or f"{home}/token", environ)


def _expand(path: str, environ: Mapping[str, str]) -> str:
    """``expanduser`` and ``expandvars``, from the given variables instead of those of the process."""

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
    # "replace" instead of an exception, which would carry the content; a replaced character is refused by clean_key.
    return content.decode(_guess_encoding(content), "replace")


def _guess_encoding(content: bytes) -> str:
    """UTF-16 where PowerShell's ``echo … > token`` wrote it, with a byte order mark or without; else UTF-8."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if content[1::2] and not content[1::2].strip(b"\0"):
        return "utf-16-le"
    return "utf-8"


_colab_lock = threading.Lock()
_colab_answer: tuple[object, Any] | None = None


def _find_in_colab(environ: Mapping[str, str]) -> Any:
    global _colab_answer
    # Colab loads this module itself, before the first cell. Colab Enterprise has it too, but no secrets.
    colab = sys.modules.get("google.colab")
    if colab is None or environ.get("VERTEX_PRODUCT") == "COLAB_ENTERPRISE":
        return None
    # Asked once in a process: each time may open a dialogue, and huggingface_hub does not ask again either.
    with _colab_lock:
        if _colab_answer is None or _colab_answer[0] is not colab:
            _colab_answer = (colab, _ask_colab())
        return _colab_answer[1]


def _ask_colab() -> Any:
    try:
        from google.colab import userdata  # type: ignore[import-not-found, unused-ignore]  # only there, only in Colab
    except ImportError:
        return None
    # SecretNotFoundError and TimeoutException stand below Colab's root of errors, NotebookAccessError beside it
    # (googlecolab/colabtools, google/colab/userdata.py); older versions lack one or the other.
    root = getattr(getattr(userdata, "errors", None), "Error", None)
    names = ("NotebookAccessError", "SecretNotFoundError", "TimeoutException")
    known = tuple(error for error in (root, *(getattr(userdata, name, None) for name in names)) if error)
    try:
        return userdata.get("HF_TOKEN")
    except known:
        return None
