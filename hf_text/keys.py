"""The key: where it is found, that it can be sent, how it is sent, and that it is not shown.

It is looked for as huggingface_hub does (``utils/_auth.py``), so whoever is logged in there is logged in here. It is
checked where it comes in, because a broken header shows up late and in a message that contains it. No message and no
``repr`` here shows a key or a part of one.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Mapping
from typing import Any

from .errors import InvalidRequestError

__all__ = ["clean_key", "find_key"]

_TRUE = {"1", "ON", "YES", "TRUE"}  # what huggingface_hub takes for true, in any case
_MAX_FILE = 65536  # bytes; a token has 37


def find_key(environ: Mapping[str, str] | None = None) -> str | None:
    """The user's Hugging Face key, or None if there is none. The first of these that is set and not blank:

    1. the variables ``HF_TOKEN``, then ``HUGGING_FACE_HUB_TOKEN``;
    2. the file ``HF_TOKEN_PATH``, by default ``$HF_HOME/token``, with ``HF_HOME`` by default
       ``${XDG_CACHE_HOME:-~/.cache}/huggingface``; ``~`` and ``$NAME`` are expanded in all three;
    3. in Google Colab, the secret ``HF_TOKEN``; Colab asks the user once, and a refusal counts as no key.

    ``HF_HUB_DISABLE_IMPLICIT_TOKEN=1`` (ON, YES, TRUE) turns all of them off. The exchange of an OpenID token for a key
    (``HF_OIDC_RESOURCE``) and the file ``stored_tokens`` are not supported.

    Args:
        environ: the variables; by default those of the process.

    Raises InvalidRequestError if one of them holds what cannot be a key, or if the file is there and cannot be read:
    someone who is logged in should hear of it rather than be treated as anonymous. A file that is not there, or stands
    in a directory that may not be looked into, is no error.
    """
    environ = os.environ if environ is None else environ
    if environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").upper() in _TRUE:
        return None
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        key = _clean_token(environ.get(name), name)
        if key:
            return key
    return _key_from_file(_token_path(environ)) or _key_from_colab(environ)


def clean_key(key: Any, name: str = "api_key") -> str | None:
    """The key without line ends and without blanks around it, as huggingface_hub cleans it; None if nothing is left.

    Raises InvalidRequestError, which names ``name`` and shows nothing of the key, for anything but a str or None, and
    for a key with a character that cannot stand in an HTTP header: not ASCII, or a control character.
    """
    if key is None:
        return None
    if not isinstance(key, str):
        raise InvalidRequestError(f"{name} must be a str or None, not {type(key).__name__}")
    cleaned = key.replace("\r", "").replace("\n", "").strip()
    bad = re.search(r"[^\x20-\x7e]", cleaned)
    if bad:
        kind = "a control character" if bad[0].isascii() else "a character that is not ASCII"
        raise InvalidRequestError(f"{name} cannot be a key: it has {kind} at position {bad.start() + 1}")
    return cleaned or None


def _clean_token(token: Any, name: str) -> str | None:
    """A key that was found rather than given. A blank in it tells that this is some other text, not to be sent out."""
    key = clean_key(token, name)
    if key and " " in key:
        raise InvalidRequestError(f"{name} does not hold a key: there are blanks in it")
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


def _key_from_file(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_FILE)
    except OSError as error:
        if not os.path.exists(path):
            return None
        raise InvalidRequestError(f"the token file {path} cannot be read: {error.strerror}") from error
    # "replace" instead of an exception, which would carry the content; a replaced character is refused by clean_key.
    # Editors on Windows put a byte order mark before it, which "utf-8-sig" takes away.
    return _clean_token(content.decode("utf-8-sig", "replace"), f"the token file {path}")


_colab_lock = threading.Lock()
_colab_answer: tuple[object, Any] | None = None


def _key_from_colab(environ: Mapping[str, str]) -> str | None:
    global _colab_answer
    # Colab loads this module itself, before the first cell. Colab Enterprise has it too, but no secrets.
    colab = sys.modules.get("google.colab")
    if colab is None or environ.get("VERTEX_PRODUCT") == "COLAB_ENTERPRISE":
        return None
    # Asked once in a process: each time may open a dialogue, and huggingface_hub does not ask again either.
    with _colab_lock:
        if _colab_answer is None or _colab_answer[0] is not colab:
            _colab_answer = (colab, _ask_colab())
        return _clean_token(_colab_answer[1], "the Colab secret HF_TOKEN")


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
