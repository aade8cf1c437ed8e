"""The key of a chat model, and serialisation with LangChain's ``dumps`` and ``loads`` and with pickle."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from typing import Any, TypeVar

from ..keys import find_key
from ..transport.call import Timeouts
from . import importing

with importing("langchain_core", "langchain"):
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.load import Serializable
    from pydantic import ConfigDict, Field, PrivateAttr, SecretStr, model_validator

__all__ = ["SavedChatModel", "loadable"]

_Class = TypeVar("_Class", bound=type[Serializable])


def loadable(cls: _Class) -> _Class:
    """Register the class for ``loads(…, allowed_objects="all")``, like the classes of LangChain's partner packages.

    This alone allows nothing: LangChain creates no objects of hf_text unless ``valid_namespaces=["hf_text"]`` is also
    passed. LangChain reads the registry once, on its first use of "all". A program that imports this module later, or
    uses a LangChain without the registry, has to pass ``allowed_objects=[ChatHFText]``.
    """
    path = tuple(cls.lc_id())
    getattr(import_module("langchain_core.load.load"), "ALL_SERIALIZABLE_MAPPINGS", {}).setdefault(path, path)
    return cls


class SavedChatModel(BaseChatModel):
    """The serialisation of ``ChatHFText``. The key itself is never written, only the variable to read it from."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, arbitrary_types_allowed=True)

    api_key: SecretStr | None = None
    """The key; None: for Hugging Face the user's login (``HF_TOKEN`` or the token file)."""
    api_base: str | None = Field(None, alias="base_url")
    """The base URL of another server, such as ``"http://localhost:8080/v1"``."""
    timeout: float | Timeouts | None = None
    """Seconds to connect, to the first token and between tokens; None: those of ``hf_text.Timeouts``."""
    _found: bool = PrivateAttr(False)

    @model_validator(mode="after")
    def _complete(self) -> SavedChatModel:
        self._find_key()
        return self

    def _find_key(self) -> None:
        if self.api_key is None and self.api_base is None:
            found = find_key()
            self.api_key, self._found = (None, False) if found is None else (SecretStr(found), True)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        return True  # without the key

    @property
    def lc_secrets(self) -> dict[str, str]:
        """The environment variable of the key for loading. Other servers never receive the Hugging Face key."""
        return {"api_key": "HF_TOKEN" if self.api_base is None else "HF_TEXT_API_KEY"}

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """JSON forms of attributes that JSON cannot represent directly."""
        if not isinstance(self.timeout, Timeouts):
            return {}
        return {"timeout": {field.name: getattr(self.timeout, field.name) for field in fields(self.timeout)}}

    def __getstate__(self) -> dict[Any, Any]:
        """The pickled state. As in a client, it contains a key that was passed, but not one that was found, which is
        looked up again.
        """
        state = super().__getstate__()
        return {**state, "__dict__": {**state["__dict__"], "api_key": None}} if self._found else state

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        self._find_key()
