"""``show()``: shows an answer in a cell, as it arrives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ..checks import refusal, without_self
from ..client import Client, default_client
from ..completion import Completion
from ..conversation import ConversationStream
from ..errors import HFTextError, InvalidRequestError
from ..generation.stream import Stream
from ..protocol.media import Media
from ..protocol.messages import Messages
from ..tools import Tools
from ..tracebacks import render, shorten
from ..transport.call import DEFAULT, Timeouts
from ..wrong_names import explain_wrong_names_of
from .pages import FindCost, Page, open_page

__all__ = ["follow", "prices_of", "show"]

_PRICES = Timeouts(connect=5, first=5, gap=5, total=5)  # seconds; the answer is complete, only its cost is missing


@explain_wrong_names_of("notebook.show")
def show(
    messages: Messages | Stream | ConversationStream,
    model: str | None = None,
    *,
    client: Client | None = None,
    # Arguments of Client.stream (.ci/signatures.py)
    media: Media | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    stop: str | Sequence[str] | None = None,
    seed: int | None = None,
    tools: Tools | None = None,
    tool_choice: str | Mapping[str, Any] | Callable[..., Any] | None = None,
    response_format: str | Mapping[str, Any] | None = None,
    reasoning_effort: str | None = None,
    frequency_penalty: float | None = None,
    presence_penalty: float | None = None,
    parallel_tool_calls: bool | None = None,
    logprobs: bool | None = None,
    top_logprobs: int | None = None,
    include_usage: bool | None = None,
    extra_body: Mapping[str, Any] | None = None,
    extra_headers: Mapping[str, str] | None = None,
    provider: str | Sequence[str] | None = None,
    timeout: Timeouts | float = DEFAULT,
) -> Completion:
    """Show an answer in this cell as it arrives, as Markdown, and return it.

    One output, updated at most ten times a second: the text, in which nothing is active, whatever the model wrote; the
    reasoning, folded away; below it the model and provider, tokens, time and cost. After the stop button or an error
    the partial answer remains, labelled as such. In a terminal the text is printed.

    Args:
        messages: a str (one user turn), or messages, as for ``Client.stream``; or a stream that something else
            has opened: ``show(client.stream(…))``, ``show(chat.stream("And tomorrow?"))``.
        model: a model's name, or an alias; None as for ``Client.stream``.
        client: the client to use; None: the one behind the module-level functions. For a stream: the client that looks
            up its prices; None: its cost is not shown.
        media: pictures (or sound) for the last user turn: URLs, data URIs, paths, bytes, binary files, PIL images,
            ``(any of those, filename)``, or a list of those. A str may be a path: for untrusted input see
            ``media_from_url``.
        max_tokens: the maximum number of tokens in the answer. None leaves it to the server, as for every option below.
        temperature: 0 to 2.
        top_p: above 0, at most 1.
        stop: sequences that end the answer.
        seed: makes answers reproducible, if the provider supports it.
        tools: what the model may call: functions, described by their signature and docstring (see ``tool``; needs the
            extra ``schema``), or mappings as in the protocol. They are not run here; a ``Conversation`` runs them.
        tool_choice: ``"auto"``, ``"none"``, ``"required"``, or a tool or its name.
        response_format: ``"json_object"``, or a JSON schema. For a type see ``parse``.
        reasoning_effort: such as ``"low"``; which values are known depends on the model.
        frequency_penalty: -2 to 2; positive values make tokens less likely the more often they have occurred.
        presence_penalty: -2 to 2; positive values make tokens that have occurred less likely.
        parallel_tool_calls: whether the model may call several tools at once.
        logprobs: whether to return the log-probability of each token (``Completion.logprobs``).
        top_logprobs: 0 to 20: how many likely tokens to return for each position; needs ``logprobs``.
        include_usage: whether to request token counts. None requests them from Hugging Face, but not from other
            servers: some reject the option, and many send counts anyway.
        extra_body: additional fields for the body of the request.
        extra_headers: additional headers for this request.
        provider: as for the client, for this call.
        timeout: as for the client, for this call.

    Raises KeyboardInterrupt for the stop button, and HFTextError.
    """
    arguments = without_self(locals())
    del extra_headers, arguments["client"]  # a traceback that shows variables would reveal them
    if not isinstance(client, (Client, type(None))):
        raise refusal("client", "a Client", client)
    if isinstance(messages, (Stream, ConversationStream)):
        _refuse_options(arguments)
        return follow(messages, open_page(), prices_of(client))
    if hasattr(messages, "__aiter__"):
        raise refusal("messages", "a prompt, or a stream of a blocking Client or Conversation", messages)
    client = client or default_client()
    return follow(client.stream(**arguments), open_page(), prices_of(client))


def follow(stream: Stream | ConversationStream, page: Page, find_cost: FindCost) -> Completion:
    """Read a stream to its end, and show it on a page."""
    try:
        with stream:
            page.begin()
            while events := stream.read():
                page.grow(stream.partial, "".join(event for event in events if isinstance(event, str)))
            completion = stream.completion
    except BaseException as error:
        stopped = isinstance(error, KeyboardInterrupt)
        page.fail(stream.partial, "stopped" if stopped else f"not complete: {type(error).__name__}")
        if stopped:
            shorten(error)
            vars(error)["_render_traceback_"] = partial(render, error)  # as for an HFTextError
        raise
    page.end(completion, find_cost)
    return completion


def _refuse_options(arguments: Mapping[str, Any]) -> None:
    for name, value in arguments.items():
        if name != "messages" and value is not None and value is not DEFAULT:
            raise InvalidRequestError(f"{name} is an option of the stream: pass it where the stream is created")


def prices_of(client: Client | None) -> FindCost:
    """Return a function that finds the cost of an answer; None if it is unknown."""

    def find(completion: Completion) -> float | None:
        if client is None or completion.usage is None:
            return None
        try:
            return client.operations.cost(client.operations.new_call(_PRICES), [completion])
        except HFTextError:
            return None

    return find
