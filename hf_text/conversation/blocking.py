"""`Conversation`, and the stream of one of its turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from ..checks import refusal, without_self
from ..client import Client, default_client
from ..completion import Completion
from ..events import ToolCall
from ..procedures.reader import Reader
from ..protocol.media import Media
from ..protocol.messages import Messages
from ..tools import Tools
from ..transport.call import DEFAULT, Timeouts
from ..wrong_names import explain_wrong_names
from .base import BaseConversation
from .stream import ConversationStream

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..options import ConversationOptions

__all__ = ["Conversation", "ConversationStream"]


@explain_wrong_names
class Conversation(BaseConversation):
    """A conversation with a model: it keeps the messages, runs the tools that the model calls, and gives them their
    results, until the model answers.

    ::

        chat = hf_text.Conversation(system="Be brief.", tools=[get_weather])
        print(chat.generate("What is the weather in Paris?"))
        for text in chat.stream("And tomorrow?"):
            print(text, end="", flush=True)

    A turn that fails leaves nothing behind: a truncated answer is never sent back. Only rounds in which tools ran are
    kept, with all their results, so that nothing is done twice; ``retry()`` continues from there.
    Only one turn can run at a time.

    Args:
        client: the client to use; None: the one behind the module-level functions.
        model: the model. None: the client's.
        system: the system message.
        tools: what the model may call: functions (see ``tool``), or mappings as in the protocol for tools that are run
            elsewhere. A call to one of those ends the turn: it is in ``Completion.tool_calls``, and its result is
            passed as the next turn, ``{"role": "tool", "tool_call_id": …, "content": …}``.
        max_rounds: the maximum number of tool rounds in one turn.
        approve: called before each tool call. True allows it; a str rejects it and is sent to the model; anything else
            rejects it. It must not be an async function.
        max_input_tokens: the maximum number of tokens to send. Whole turns are left out, the oldest first, but never
            the system message; a call is never separated from its result. None sends everything.
        count_tokens: returns how many tokens a list of messages has; needed with ``max_input_tokens``.
        tool_choice: ``"auto"``, ``"none"``, ``"required"``, or a tool or its name; for the first request of a turn.
        max_tokens: the maximum number of tokens in the answer. None leaves it to the server, as for every option below.
        temperature: 0 to 2.
        top_p: above 0, at most 1.
        stop: sequences that end the answer.
        seed: makes answers reproducible, if the provider supports it.
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

    Raises InvalidRequestError for a wrong argument, and MissingExtraError for a function in ``tools`` without the extra
    ``schema``. Nothing is sent.
    """

    def __init__(
        self,
        client: Client | None = None,
        *,
        model: str | None = None,
        system: str | None = None,
        tools: Tools = (),
        max_rounds: int = 8,
        approve: Callable[[ToolCall], bool | str] | None = None,
        max_input_tokens: int | None = None,
        count_tokens: Callable[[list[dict[str, Any]]], int] | None = None,
        tool_choice: str | Mapping[str, Any] | Callable[..., Any] | None = None,
        # Arguments of Client.stream but messages, media (.ci/signatures.py)
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] | None = None,
        seed: int | None = None,
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
    ) -> None:
        arguments = without_self(locals())
        del arguments["client"]
        if not isinstance(client, (Client, type(None))):
            raise refusal("client", "a Client (for an AsyncClient there is hf_text.aio.AsyncConversation)", client)
        self.client: Client = default_client() if client is None else client
        self._set_up(awaits=False, **arguments)

    @classmethod
    def load(
        cls, path: str | PathLike[str], client: Client | None = None, **settings: Unpack[ConversationOptions]
    ) -> Conversation:
        """A conversation saved by ``save()``, with these settings; the model is the saved one unless another is given.

        Raises OSError, and InvalidRequestError for any other file and for wrong arguments.
        """
        return cls._loaded(path, client, dict(settings))

    def stream(self, messages: Messages | None = None, media: Media | None = None) -> ConversationStream:
        """Stream the answer to a user turn. Nothing is sent before the first read.

        Args:
            messages: a str, or messages: user turns, or results of tools that are run elsewhere. None answers the last
                turn again, as ``retry()``.
            media: as for ``Client.stream``.

        Raises InvalidRequestError for a wrong argument. All other errors are raised while reading: those of
        ``Client.stream``; TruncatedStreamError for an answer that was cut off within a call; StreamError after
        ``max_rounds``.
        """
        return ConversationStream(Reader(self._turn(messages, media), self.client.stream))

    def generate(self, messages: Messages | None = None, media: Media | None = None) -> Completion:
        """The complete answer to a user turn; arguments and errors as for ``stream``."""
        with self.stream(messages, media) as stream:
            while stream.read():
                pass
            return stream.completion

    def retry(self) -> Completion:
        """Answer the last turn again: one that failed, or one that you want another answer to. It continues after the
        last finished round, so tools that ran are not run again. If it fails, the conversation is unchanged.

        Raises what ``generate`` raises, and InvalidRequestError if there is nothing to answer.
        """
        return self.generate()
