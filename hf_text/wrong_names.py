"""The doors: public functions. A wrong name of an argument is refused there in one line that says what is meant, and an
error leaves them with a short traceback.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from types import FunctionType
from typing import Any, TypeVar

from .attributes import advise_attributes
from .errors import HFTextError, InvalidRequestError
from .tracebacks import shorten

__all__ = ["OTHER_METHODS", "OTHER_NAMES", "explain_wrong_names", "explain_wrong_names_of", "wrong_name"]

_CO_VARKEYWORDS, _CO_COROUTINE = 0x08, 0x80  # as in inspect, which is large

T = TypeVar("T", bound=Callable[..., Any])

# What other libraries and the servers call it: openai, huggingface_hub, litellm, requests, httpx, TGI.
OTHER_NAMES = {
    **dict.fromkeys(("base_url", "endpoint", "url", "api_url", "server"), "api_base"),
    **dict.fromkeys(("token", "key", "hf_token", "access_token", "apikey"), "api_key"),
    **dict.fromkeys(("max_new_tokens", "max_completion_tokens", "max_output_tokens", "max_length"), "max_tokens"),
    **dict.fromkeys(("prompt", "input", "inputs", "message", "question", "text"), "messages"),
    **dict.fromkeys(("model_id", "model_name", "repo_id"), "model"),
    **dict.fromkeys(("n_ctx", "ctx_size", "context_length"), "context"),
    **dict.fromkeys(("image", "images", "picture", "pictures", "files", "audio"), "media"),
    **dict.fromkeys(("stop_sequences", "stop_words"), "stop"),
    **dict.fromkeys(("organization", "organisation", "org"), "bill_to"),
    **dict.fromkeys(("retries", "num_retries"), "max_retries"),
    **dict.fromkeys(("default_headers",), "headers"),
    **dict.fromkeys(("proxy",), "proxies"),
    **dict.fromkeys(("ca_bundle", "ssl_verify", "verify_ssl"), "verify"),
    **dict.fromkeys(("response_model", "response_format", "text_format", "schema"), "output_type"),
    "functions": "tools",
    "function_call": "tool_choice",
    "random_seed": "seed",
    "top_n_tokens": "top_logprobs",
    "n_threads": "threads",
}

# Fields of the body that some servers know.
_BODY_FIELDS = (
    *("top_k", "min_p", "typical_p", "repetition_penalty", "logit_bias", "user", "metadata", "store", "modalities"),
    *(
        "service_tier",
        "verbosity",
        "prediction",
        "chat_template_kwargs",
        "guided_json",
        "guided_regex",
        "guided_choice",
    ),
)

_ADVICE = {
    "n": "One call returns one answer: call it once for each",
    "stream": "generate() returns the whole answer, stream() yields it in pieces: leave it out",
    "ordered": "The output is in the order of the answers; use batch.sort to restore the order of the rows",
    "stream_options": "Request token counts with include_usage=True",
    **dict.fromkeys(
        ("system", "system_prompt"),
        'Put {"role": "system", "content": …} in front of the messages',
    ),
}

_ASK = "Here generate(messages, model) gives an answer, and stream(messages, model) its pieces"
OTHER_METHODS = {
    **dict.fromkeys(("chat", "completions", "responses", "messages", "chat_completion", "text_generation"), _ASK),
    **dict.fromkeys(("create", "complete", "invoke", "ask", "completion", "acompletion", "ChatCompletion"), _ASK),
    **dict.fromkeys(("InferenceClient", "OpenAI", "HfApi"), "Here it is called Client"),
    **dict.fromkeys(("AsyncInferenceClient", "AsyncOpenAI"), "Here it is called hf_text.aio.AsyncClient"),
}

_names: dict[str, Collection[str]] = {}
"""The arguments of the functions that were decorated, by the name of the function, or of the class for ``__init__``."""


def explain_wrong_names_of(door: str) -> Callable[[T], T]:
    """``explain_wrong_names`` for a function that users know by a longer name."""
    return lambda function: _explain(function, door)


def explain_wrong_names(target: T) -> T:
    """Have a wrong keyword argument refused with what is meant, and tracebacks shortened: of a function, or of the
    constructor and the public methods of a class. Signatures stay as they are.
    """
    if not isinstance(target, type):
        explained: T = _explain(target)
        return explained
    for name, value in list(vars(target).items()):
        if isinstance(value, FunctionType) and (name == "__init__" or not name.startswith("_")):
            setattr(target, name, _explain(value))
    return advise_attributes(OTHER_METHODS)(target) if "stream" in vars(target) else target


def _explain(function: Any, door: str | None = None) -> Any:
    door = door or function.__qualname__.removesuffix(".__init__")
    code = function.__code__
    names = frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    takes_any = bool(code.co_flags & _CO_VARKEYWORDS)
    if not takes_any:
        _names[door] = names

    @wraps(function)
    def checked(*args: Any, **arguments: Any) -> Any:
        known = takes_any or arguments.keys() <= names
        wrong = None if known else next(name for name in arguments if name not in names)
        given: list[Any] = [args, arguments]
        del args, arguments  # a traceback that shows variables would show a key among them
        if wrong is not None:
            given.clear()
            raise wrong_name(f"{door}()", wrong, names)
        try:
            return function(*given.pop(0), **given.pop())
        except HFTextError as error:
            shorten(error)
            raise

    @wraps(function)
    async def checked_coroutine(*args: Any, **arguments: Any) -> Any:
        given: list[Any] = [args, arguments]
        del args, arguments
        try:
            return await checked(*given.pop(0), **given.pop())
        except HFTextError as error:
            shorten(error)
            raise

    return checked_coroutine if code.co_flags & _CO_COROUTINE else checked


def wrong_name(door: str, name: str, names: Collection[str]) -> InvalidRequestError:
    """The error for an argument that there is not.

    Args:
        door: what was called.
        name: the name that was given.
        names: the arguments that there are.
    """
    return InvalidRequestError(f"{door} has no argument {name!r:.80}. {_advise(door, name, names)}")


def _advise(door: str, name: str, names: Collection[str]) -> str:
    meant = OTHER_NAMES.get(name, name)
    if meant in names:
        return f"It is called {meant!r} here"
    if name in _ADVICE:
        return _ADVICE[name]
    into_body = f"Pass other fields of the request with extra_body={{{name!r:.80}: …}}"
    if name in _BODY_FIELDS and "extra_body" in names:
        return into_body
    others = _others(door)
    for other, has in others.items():
        if meant in has:
            return f"{meant!r} is an argument of {other}()"
    from difflib import get_close_matches  # only for the suggestion of an error

    for other, has in {"": names, **others}.items():
        if near := get_close_matches(name, sorted(set(has) - {"self"}), n=1, cutoff=0.75):
            return f"Did you mean {near[0]!r}{other and f', an argument of {other}()'}?"
    if "extra_body" in names:
        return into_body
    return f"There are {', '.join(sorted(set(names) - {'self'}))}"


def _others(door: str) -> dict[str, Collection[str]]:
    """The other functions of the same client, by name. The functions of the module are those of a ``Client``."""
    family = door.removesuffix("()").partition(".")[0]
    if f"{family}.stream" not in _names:
        if family[:1].isupper() and family in _names:  # a class beside the clients, such as LocalServer
            return {}
        family = "Client"
    families = (family, "AsyncClient" if family.startswith("Async") else "Client")  # a conversation has a client
    return {
        other: names
        for each in families
        for other, names in _names.items()
        if other.partition(".")[0] == each and f"{other}()" != door
    }
