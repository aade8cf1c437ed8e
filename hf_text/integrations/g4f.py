"""``HuggingFaceAPI`` for g4f's own client, API server and GUI: it yields g4f's events and raises g4f's errors.

::

    from g4f.client import Client
    from hf_text.integrations.g4f import HuggingFaceAPI

    print(Client(provider=HuggingFaceAPI).chat.completions.create("Hi", "openai/gpt-oss-120b"))

Needs the package g4f, which is under the GNU General Public License, version 3; this module is not derived from it.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

from .. import errors
from ..checks import refusal
from ..errors import HFTextError
from ..events import Event, FinishReason, ProviderInfo, Reasoning, ToolCalls, Usage
from ..generation.steps import Steps
from ..huggingface import HuggingFaceAPI as _HuggingFaceAPI
from . import importing

with importing("g4f", "g4f"):
    import g4f.errors
    import g4f.Provider
    from g4f.providers import response
    from g4f.providers.base_provider import AsyncGeneratorProvider, ProviderModelMixin

__all__ = ["HuggingFaceAPI", "install"]

# g4f's names for the errors; the first that the installed version has is used. g4f does not distinguish a wrong key
# from a missing one.
_G4F_ERRORS: dict[type[HFTextError], tuple[str, ...]] = {
    errors.MissingAuthError: ("MissingAuthError",),
    errors.AuthenticationError: ("MissingAuthError",),
    errors.PaymentRequiredError: ("PaymentRequiredError",),
    errors.ModelNotSupportedError: ("ModelNotSupportedError", "ModelNotFoundError"),
    errors.RateLimitError: ("RateLimitError",),
    errors.RequestTimeoutError: ("TimeoutError",),
    errors.APIStatusError: ("ResponseStatusError",),
    errors.TransportError: ("ResponseError",),
    errors.StreamError: ("ResponseError",),
}


class HuggingFaceAPI(_HuggingFaceAPI, AsyncGeneratorProvider, ProviderModelMixin):
    """``hf_text.HuggingFaceAPI`` as a provider of g4f.

    Its events are g4f's. Its errors are instances of both this library's classes, with all their data, and g4f's; a key
    that the server rejects (401) is g4f's MissingAuthError.
    """

    @classmethod
    def get_models(cls, api_key: str | None = None, api_base: str | None = None, **kwargs: Any) -> list[str]:
        """As ``hf_text.HuggingFaceAPI.get_models``."""
        with _raising_both():
            return super().get_models(api_key, api_base, **kwargs)

    @classmethod
    async def get_mapping(cls, model: str, api_key: str | None = None) -> dict[str, dict[str, Any]]:
        """As ``hf_text.HuggingFaceAPI.get_mapping``."""
        with _raising_both():
            return await super().get_mapping(model, api_key)

    @classmethod
    def get_mapping_sync(cls, model: str, api_key: str | None = None) -> dict[str, dict[str, Any]]:
        """As ``hf_text.HuggingFaceAPI.get_mapping_sync``."""
        with _raising_both():
            return super().get_mapping_sync(model, api_key)

    @classmethod
    def _open(cls, **arguments: Any) -> Steps:
        for name, media in {**arguments, **arguments.get("kwargs", {})}.items():
            if name in ("media", "images", "image"):
                _refuse_paths(name, media)
        with _raising_both():
            return super()._open(**arguments)

    @classmethod
    def _deliver(cls, steps: Steps) -> Iterator[Any]:
        with _raising_both():
            for event in super()._deliver(steps):
                yield cls._translate(event)

    @classmethod
    async def _deliver_async(cls, steps: Steps) -> AsyncGenerator[Any, None]:
        with _raising_both():
            async with aclosing(super()._deliver_async(steps)) as events:
                async for event in events:
                    yield cls._translate(event)

    @classmethod
    def _translate(cls, event: Event) -> Any:
        """Convert an event to g4f's."""
        if isinstance(event, ProviderInfo):
            label = f"HuggingFace ({event.provider})" if event.provider else cls.label
            return response.ProviderInfo(**{**cls.get_dict(), "label": label, "model": event.model})
        if isinstance(event, Reasoning):
            return response.Reasoning(event.text)
        if isinstance(event, ToolCalls):
            return response.ToolCalls([{"index": index, **call} for index, call in enumerate(event.get_list())])
        if isinstance(event, Usage):
            return response.Usage(**event.get_dict())
        if isinstance(event, FinishReason):
            return response.FinishReason(event.reason)
        return event


def install() -> None:
    """Replace g4f's own ``HuggingFaceAPI`` with this one: by name, in its API server and GUI, and behind
    ``g4f.Provider.HuggingFace`` if that delegates to it (g4f 0.5).
    """
    loader = getattr(g4f.Provider, "ProviderLoader", None)
    if loader is not None:
        loader.loaded |= dict.fromkeys(("HuggingFaceAPI", "huggingfaceapi"), HuggingFaceAPI)
        return
    delegating = importlib.import_module(g4f.Provider.HuggingFace.__module__)
    for module in (g4f.Provider, delegating):
        vars(module)["HuggingFaceAPI"] = HuggingFaceAPI
    g4f.Provider.ProviderUtils.convert["HuggingFaceAPI"] = HuggingFaceAPI


def _refuse_paths(name: str, media: Any) -> None:
    """Reject a str that is a path: g4f's servers forward their clients' input, which must not name local files."""
    for item in media if isinstance(media, (list, tuple)) else [media]:
        content = item[0] if isinstance(item, (list, tuple)) and item else item
        if isinstance(content, str) and not content.lower().startswith(("http://", "https://", "data:")):
            raise refusal(name, "a URL or a data URI where it is a str; pass a file as a Path", content)


@contextmanager
def _raising_both() -> Iterator[None]:
    """Make raised errors instances of g4f's error classes, too."""
    try:
        yield
    except HFTextError as error:
        error.__class__ = _both(type(error), type(error.underlying))
        raise


def _both(cls: Any, meaning: Any) -> Any:
    """A subclass of an error class and of g4f's counterpart for ``meaning``; the class itself if g4f has none."""
    names = next((names for kind, names in _G4F_ERRORS.items() if issubclass(meaning, kind)), ())
    theirs = [getattr(g4f.errors, name) for name in names if hasattr(g4f.errors, name)]
    if not theirs or issubclass(cls, theirs[0]):
        return cls  # nothing to add

    def reduce(self: HFTextError) -> Any:
        return cls, self.args, self.__dict__

    return type(cls.__name__, (cls, *theirs), {"__module__": cls.__module__, "__reduce__": reduce})
