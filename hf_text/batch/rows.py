"""One value of the inputs -> rows: names, and the arguments of ``Client.stream``.

Two forms are read. A request of OpenAI's Batch API says what goes over the wire: fields of its body that are not
arguments of ours are sent as they are, and no default is added. The short form says what ``Client.stream`` is to be
called with. With a template, any columns make a row.

A row without a name is named by its content and by how many rows before it had the same, so that the next run knows it
again. What is asked has a fingerprint, so that a run knows whether the answer in the output answers it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b, sha256
from inspect import signature
from typing import Any, NamedTuple

from ..checks import check_int, check_text, is_filled, refusal, show
from ..client import Client
from ..completion import Completion
from ..errors import InvalidRequestError
from ..events import ToolCall, ToolCalls
from .columns import keepable, plain
from .index import NO_FINGERPRINT, SEEN, Index
from .prompts import Template, build_prompt, check_template

__all__ = ["OPTIONS", "Known", "Row", "RowParser", "Shape", "shard_of"]

OPTIONS = frozenset(signature(Client.stream).parameters) - {"self", "messages"}
"""The fields of a row in the short form other than its prompt."""

# Fields of a request's body that are arguments of Client.stream under the same name.
_BODY_ARGUMENTS = OPTIONS - {"media", "include_usage", "extra_body", "extra_headers", "provider", "timeout"}

# What changes how it is asked, but not what.
_NOT_ASKED = frozenset(("timeout", "include_usage", "provider", "extra_headers"))

_ENVELOPE = ("custom_id", "method", "url", "body")

# Ours to decide: every answer is streamed, and recorded as if it had not been.
_ABOUT_STREAMING = ("stream", "stream_options")

# What cannot be recorded; to ask for it and drop it would be to pay for nothing.
_UNANSWERABLE: dict[str, tuple[object, ...]] = {"n": (None, 1)}

# A line that means what it shows: no escapes in it, and a name in ASCII.
_PLAIN_ROW = re.compile(rb'\{"custom_id": ?"([ !#-\[\]-~]+)", ?"prompt": ?"([^"\\\x00-\x1f]+)"\}\s*')

_FORMS = 'a str, {"prompt": …}, {"messages": …} or a request of the Batch API {"custom_id": …, "body": …}'


class Row(NamedTuple):
    """One question.

    Attributes:
        custom_id: its name in the output; no other row has it.
        own: its own arguments of ``Client.stream``.
        defaults: those of the run.
        asked: the fingerprint of what is asked.
        columns: what is carried over from the inputs to the output.
        place: where it stands in the inputs.
    """

    custom_id: str
    own: Mapping[str, Any]
    defaults: Mapping[str, Any]
    asked: bytes = NO_FINGERPRINT
    columns: Mapping[str, Any] | None = None
    place: str = ""

    @property
    def arguments(self) -> dict[str, Any]:
        """Those of ``Client.stream``."""
        return _merge(self.defaults, self.own)

    @property
    def model(self) -> str | None:
        """The model that is asked; None for the client's default."""
        model = self.own.get("model")
        return self.defaults.get("model") if model is None else model


class Known(NamedTuple):
    """A row, and what the output says about it: see ``Index.see``."""

    row: Row
    known: int
    asked: bytes


@dataclass(frozen=True)
class Shape:
    """How a value of the inputs becomes rows.

    Attributes:
        template: what is asked, from the columns.
        id: the column with the name of the row; None: ``custom_id``.
        keep: the columns that are carried into the output.
        samples: how often each row is asked.
        models: the models of which each row is asked; empty: that of the row or the run.
        table: whether the values may hold columns that are not options.

    Raises InvalidRequestError for a value that cannot be.
    """

    template: Template | None = None
    id: str | None = None
    keep: Sequence[str] = ()
    samples: int = 1
    models: Sequence[str] = ()
    table: bool = False

    def __post_init__(self) -> None:
        check_template(self.template)
        check_int("samples", self.samples, 1)
        if self.id is not None and not is_filled(self.id):
            raise refusal("id", "the name of a column", self.id)
        for name in ("keep", "models"):
            value = getattr(self, name)
            names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Sequence) else ()
            if not all(map(is_filled, names)) or (value and not names):
                raise refusal(name, "a list of names", value)
            object.__setattr__(self, name, names)


class RowParser:
    """Makes the rows of one run, and sees to it that no two have the same name.

    Args:
        defaults: arguments of ``Client.stream`` for rows that do not set them.
        shape: how a value becomes rows.
        index: what is known of rows; that they were seen is noted there.
        skipped: is called for each row that has its answer, which is left out then; None: they come too.
    """

    def __init__(
        self,
        defaults: Mapping[str, Any],
        shape: Shape | None = None,
        index: Index | None = None,
        skipped: Callable[[], object] | None = None,
    ) -> None:
        self._skipped = skipped
        self._short = {"include_usage": True, **defaults}
        self._batch = {"include_usage": True, "max_tokens": None, **defaults}
        self._shape = shape or Shape()
        self._index = Index() if index is None else index
        self._repeats: dict[str, int] = {}  # how often each name was used that was used more than once
        # Of the options alone, for rows that set none; None if they hold a picture, a file.
        self._short_digest, self._batch_digest = _digest_defaults(self._short), _digest_defaults(self._batch)
        plain_shape = self._shape == Shape(table=self._shape.table)
        self._begun = _begin_fingerprint(self._short_digest) if plain_shape and self._short_digest else None

    def parse(self, value: object, place: str) -> Sequence[Known]:
        """The rows for a value; none if it has its answer and may be left out.

        Raises InvalidRequestError that names the place. Arguments are not checked here.
        """
        begun = self._begun  # most long files hold a name and a prompt each
        if begun is not None and type(value) is dict and len(value) == 2:
            name, prompt = value.get("custom_id"), value.get("prompt")
            if type(name) is type(prompt) is str and name and prompt and name.isascii():
                hashed = begun.copy()
                hashed.update(prompt.encode("utf-8", "surrogatepass"))
                fingerprint = hashed.digest()
                if self._skipped is not None and self._index.see_answer(name, fingerprint):
                    self._skipped()
                    return ()
                known, asked = self._index.see(name)
                if known & SEEN:
                    raise _second(name, place)
                return (Known(Row(name, {"messages": prompt}, self._short, fingerprint, None, place), known, asked),)
        if isinstance(value, InvalidRequestError):
            raise value
        return tuple(self._parse(value, place))

    def skip_line(self, line: bytes) -> bool:
        """Whether a line of a file is a row that has its answer and is left out. It need not be parsed, then."""
        if self._skipped is None or self._begun is None or not (found := _PLAIN_ROW.fullmatch(line)):
            return False
        name, prompt = found.groups()
        hashed = self._begun.copy()
        hashed.update(prompt)
        if not self._index.see_answer(name.decode(), hashed.digest()):
            return False
        self._skipped()
        return True

    def _parse(self, value: object, place: str) -> Iterator[Known]:
        shape = self._shape
        columns = value
        if shape.template is not None:
            value = build_prompt(shape.template, value, place)
        if isinstance(value, str):
            own, base, named = _parse_prompt(value, place), self._short, None
        elif shape.template is not None and isinstance(value, list):
            own, base, named = {"messages": value}, self._short, None
        elif not isinstance(value, Mapping):
            raise refusal(place, _FORMS, value)
        elif "body" in value:
            own, base, named = self._parse_batch_request(value, place), self._batch, value.get("custom_id")
        else:
            own, base, named = self._parse_short_form(value, place), self._short, value.get("custom_id")
        if isinstance(columns, Mapping):
            given = self._given_name(columns, place)
            named = named if given is None else given
        kept = self._keep(columns, place) if shape.keep else None
        if shape.samples == 1 and not shape.models:
            name, known, asked = self._name(named, own, place)
            yield Known(Row(name, own, base, self._fingerprint(own, base), kept, place), known, asked)
        else:
            yield from self._multiply(named, own, base, kept, place)

    def _multiply(
        self, named: str | None, own: dict[str, Any], base: Mapping[str, Any], kept: Any, place: str
    ) -> Iterator[Known]:
        shape = self._shape
        name, _, _ = self._name(named, own, place)
        number = 0
        for model in shape.models or (own.get("model"),):
            for sample in range(shape.samples):
                asks = {**own, "model": model} if model is not None else dict(own)
                if sample and isinstance(seed := asks.get("seed", base.get("seed")), int):
                    asks["seed"] = seed + sample  # else all samples were the same
                numbered = f"{name}#{number}"
                known, asked = self._index.see(numbered)
                yield Known(Row(numbered, asks, base, self._fingerprint(asks, base), kept, place), known, asked)
                number += 1

    def _given_name(self, columns: Mapping[str, Any], place: str) -> Any:
        column = self._shape.id
        if column is None:
            return columns.get("custom_id")
        if column not in columns:
            raise InvalidRequestError(f"{place}: no column {show(column)} for the name (id=)")
        if columns[column] is None:
            raise InvalidRequestError(f"{place}: the column {show(column)} with the name (id=) is empty")
        return columns[column]

    def _keep(self, columns: object, place: str) -> dict[str, Any]:
        if not isinstance(columns, Mapping):
            raise InvalidRequestError(f"{place}: a prompt alone has no columns to keep")
        for name in self._shape.keep:
            if name not in columns:
                raise InvalidRequestError(f"{place}: no column {show(name)} to keep")
        return {name: keepable(columns[name], f"{place}: the column {name}") for name in self._shape.keep}

    def keep_what_is_there(self, value: object) -> dict[str, Any]:
        """The columns to keep of a row that cannot be asked, as far as they can be kept."""
        kept: dict[str, Any] = {}
        if isinstance(value, Mapping):
            for name in self._shape.keep:
                with suppress(KeyError, InvalidRequestError):
                    kept[name] = keepable(value[name], name)
        return kept

    def _name(self, name: object, own: Mapping[str, Any], place: str) -> tuple[str, int, bytes]:
        """The name of the row, and what is known of it."""
        if name is None:
            return self._name_by_content(own, place)
        name = plain(name)
        if isinstance(name, float) and name.is_integer():  # pandas makes it of a column with gaps
            name = int(name)
        if isinstance(name, int) and not isinstance(name, bool):
            name = str(name)
        if not isinstance(name, str) or not name:
            raise refusal(f"{place}: {self._shape.id or 'custom_id'}", "a str that is not empty, or an int", name)
        check_text(name, f"{place}: custom_id")
        known, asked = self._index.see(name)
        if known & SEEN:
            raise _second(name, place)
        return name, known, asked

    def _name_by_content(self, own: Mapping[str, Any], place: str) -> tuple[str, int, bytes]:
        name = _hash_content(own, place)
        known, asked = self._index.see(name)
        if known & SEEN:
            count = self._repeats[name] = self._repeats.get(name, 1) + 1
            name = f"{name}-{count}"
            known, asked = self._index.see(name)
        return name, known, asked

    def _fingerprint(self, own: Mapping[str, Any], base: Mapping[str, Any]) -> bytes:
        """That of the options and the messages."""
        messages = own["messages"]
        try:
            if len(own) > 1:
                options: bytes | None = _digest(_options(base, own))
            else:
                options = self._short_digest if base is self._short else self._batch_digest
            if options is None:
                return NO_FINGERPRINT
            if type(messages) is str:
                return _fingerprint_text(options, messages)
            content = options + b"json" + _encode(messages).encode()
        except (TypeError, ValueError, RecursionError):  # a picture, a file: then the name alone counts
            return NO_FINGERPRINT
        return blake2b(content, digest_size=len(NO_FINGERPRINT)).digest()

    def _parse_short_form(self, request: Mapping[str, Any], place: str) -> dict[str, Any]:
        shape = self._shape
        own = {key: value for key, value in request.items() if key != "custom_id"}
        if shape.template is None:
            own = {key: value for key, value in own.items() if key in OPTIONS or key not in (shape.id, *shape.keep)}
        if shape.table:
            own = {key: value for key, value in own.items() if value is not None and key in _ROW_KEYS}
        if ("prompt" in own) == ("messages" in own):
            raise self._no_prompt(request, place)
        if "prompt" in own:
            own["messages"] = own.pop("prompt")
            if not is_filled(own["messages"]):
                raise refusal(f"{place}: the prompt", "a str that is not empty", own["messages"])
        for key in own:
            if key not in _ROW_KEYS:
                raise InvalidRequestError(
                    f"{place}: {show(key)} is not an option. There are "
                    f"{', '.join(sorted(OPTIONS))}; a column of your own "
                    "is named by keep=, id= or a template, and other fields of the request go into extra_body"
                )
        return own if self._shape.table else {key: plain(value) for key, value in own.items()}

    def _parse_batch_request(self, request: Mapping[str, Any], place: str) -> dict[str, Any]:
        _check_envelope(request, place, (*_ENVELOPE, self._shape.id, *self._shape.keep))
        body = request["body"]
        if not isinstance(body, Mapping) or "messages" not in body:
            raise refusal(f"{place}: the body", 'a mapping with "messages"', body)
        for key, allowed in _UNANSWERABLE.items():
            if body.get(key) not in allowed:
                raise InvalidRequestError(
                    f"{place}: the body asks for {key}={show(body[key])}, which a result cannot represent"
                )
        own = {key: value for key, value in body.items() if key in _BODY_ARGUMENTS or key == "messages"}
        rest = {key: value for key, value in body.items() if key not in own and key not in _ABOUT_STREAMING}
        return {**own, "extra_body": rest} if rest else own

    def _no_prompt(self, request: Mapping[str, Any], place: str) -> InvalidRequestError:
        if self._shape.table and "prompt" not in request and "messages" not in request:
            names = list(map(str, request))
            example = f'template="…{{{names[-1] if names else "column"}}}…"'
            columns = f"{place}: none of the columns {', '.join(names)} is named 'prompt' or 'messages'"
            return InvalidRequestError(f"{columns}; say what to ask with {example}")
        error = refusal(place, _FORMS, request)
        if "prompt" not in request and "messages" not in request:
            error.add_advice('For a row of columns pass template="…{column}…"')
        return error


_FINGERPRINT_SIZE = len(NO_FINGERPRINT)

_ROW_KEYS = OPTIONS | {"messages", "prompt"}


def _second(name: str, place: str) -> InvalidRequestError:
    return InvalidRequestError(f"{place}: an earlier row has the same custom_id {show(name)}")


def shard_of(name: str, count: int) -> int:
    """The shard that a row belongs to; it must never change between versions."""
    base = name.rpartition("#")[0] or name
    return int.from_bytes(blake2b(base.encode(), digest_size=8).digest(), "big") % count


def _parse_prompt(prompt: str, place: str) -> dict[str, Any]:
    if not prompt:
        raise refusal(f"{place}: the prompt", "a str that is not empty", prompt)
    return {"messages": prompt}


def _check_envelope(request: Mapping[str, Any], place: str, allowed: Sequence[str | None]) -> None:
    for key in request:
        if key not in allowed:
            raise InvalidRequestError(
                f"{place}: {show(key)} has no place beside the body. There are {', '.join(_ENVELOPE)}"
            )
    if request.get("method", "POST") != "POST":
        raise refusal(f"{place}: the method", "POST", request["method"])
    url = request.get("url", "/v1/chat/completions")
    if not isinstance(url, str) or not url.endswith("/chat/completions"):
        raise refusal(f"{place}: the url", "/v1/chat/completions", url)


def _merge(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The row's own arguments before the defaults; their ``extra_body`` field by field."""
    merged = {**defaults, **own}
    if merged.get("model") is None:
        merged["model"] = defaults.get("model")
    extras = [arguments.get("extra_body") for arguments in (defaults, own)]
    if all(isinstance(extra, Mapping) for extra in extras):
        merged["extra_body"] = {**extras[0], **extras[1]}  # type: ignore[dict-item]
    return merged


def _options(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the request, without its messages."""
    merged = _merge(base, own)
    return {
        key: merged[key] for key in merged if key not in _NOT_ASKED and key != "messages" and merged[key] is not None
    }


def _fingerprint_text(options: bytes, prompt: str) -> bytes:
    hashed = _begin_fingerprint(options)
    hashed.update(prompt.encode("utf-8", "surrogatepass"))
    return hashed.digest()


def _begin_fingerprint(options: bytes) -> blake2b:
    """What the fingerprint of a text begins with: the same for all rows that set no options."""
    return blake2b(options + b"text", digest_size=_FINGERPRINT_SIZE)


def _digest_defaults(defaults: Mapping[str, Any]) -> bytes | None:
    try:
        return _digest(_options(defaults, {}))
    except (TypeError, ValueError, RecursionError):
        return None


def _digest(options: Mapping[str, Any]) -> bytes:
    return blake2b(_encode(options).encode(), digest_size=16).digest()


def _hash_content(own: Mapping[str, Any], place: str) -> str:
    """A name for what the row asks; it must never change between versions."""
    try:
        content = _encode(own)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequestError(f"{place} cannot be identified and needs a custom_id: {error}") from None
    return f"row-{sha256(content.encode()).hexdigest()[:24]}"


def _to_json(value: object) -> object:
    """The values in a row that JSON lacks, so that the same content gives the same name."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return sha256(value).hexdigest()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Completion):
        return value.to_message()
    if isinstance(value, ToolCall):
        return value.to_dict()
    if isinstance(value, ToolCalls):
        return value.calls
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is among its values")


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_to_json).encode
