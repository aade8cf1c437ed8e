"""`AsyncConversation`, and the stream of one of its turns."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..checks import refusal, without_self
from ..completion import Completion
from ..conversation.base import BaseConversation
from ..conversation.stream import completion_of, info_of, partial_of
from ..errors import HFTextError
from ..events import ConversationEvent, ProviderInfo, ToolCall
from ..protocol.media import Media
from ..protocol.messages import Messages
from ..tools import Tools
from ..tracebacks import shorten
from ..transport.call import DEFAULT, Timeouts
from ..wrong_names import explain_wrong_names
from .client import AsyncClient
from .items import AsyncItems
from .reader import AsyncReader

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..options import AsyncConversationOptions

__all__ = ["AsyncConversation", "AsyncConversationStream"]


@explain_wrong_names
class AsyncConversation(BaseConversation):
    """``Conversation`` for async code: the same names, arguments and errors; ``generate`` and ``retry`` are awaited.

    Tools and ``approve`` may be async functions, which are awaited. Others run in worker threads; a cancelled task
    waits for a tool that is running there.

    Args:
        client: an ``AsyncClient``; None: one with the default settings.
        approve: called before each tool call, and awaited if it is an async function. True allows the call; a str
            rejects it and is sent to the model; anything else rejects it.
        model: the model. None: the client's.
        system: the system message.
        tools: what the model may call: functions (see ``tool``), or mappings as in the protocol for tools that are run
            elsewhere. A call to one of those ends the turn: it is in ``Completion.tool_calls``, and its result is
            passed as the next turn, ``{"role": "tool", "tool_call_id": …, "content": …}``.
        max_rounds: the maximum number of tool rounds in one turn.
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
        client: AsyncClient | None = None,
        *,
        approve: Callable[[ToolCall], bool | str | Awaitable[bool | str]] | None = None,
        # Arguments of Conversation (.ci/signatures.py)
        model: str | None = None,
        system: str | None = None,
        tools: Tools = (),
        max_rounds: int = 8,
        max_input_tokens: int | None = None,
        count_tokens: Callable[[list[dict[str, Any]]], int] | None = None,
        tool_choice: str | Mapping[str, Any] | Callable[..., Any] | None = None,
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
        if not isinstance(client, (AsyncClient, type(None))):
            raise refusal("client", "an AsyncClient (for a Client there is hf_text.Conversation)", client)
        self.client: AsyncClient = AsyncClient() if client is None else client
        self._set_up(awaits=True, **arguments)

    @classmethod
    def load(
        cls, path: str | PathLike[str], client: AsyncClient | None = None, **settings: Unpack[AsyncConversationOptions]
    ) -> AsyncConversation:
        """A conversation saved by ``save()``, here or in ``Conversation``; as ``Conversation.load``. The file is read
        at once, in this thread.
        """
        return cls._loaded(path, client, dict(settings))

    def stream(self, messages: Messages | None = None, media: Media | None = None) -> AsyncConversationStream:
        """Stream the answer to a user turn; arguments and errors as for ``Conversation.stream``. It is not awaited."""
        client = self.client
        return AsyncConversationStream(AsyncReader(self._turn(messages, media), client.stream, client.threads))

    async def generate(self, messages: Messages | None = None, media: Media | None = None) -> Completion:
        """The complete answer to a user turn; arguments and errors as for ``stream``."""
        async with self.stream(messages, media) as stream:
            while await stream.read():
                pass
            return stream.completion

    async def retry(self) -> Completion:
        """Answer the last turn again; as ``Conversation.retry``."""
        return await self.generate()


class AsyncConversationStream:
    """The answer to one turn, for async code; as ``ConversationStream``.

    ``cancel()`` and ``close()`` are not awaited; a cancelled task stops its stream.
    """

    def __init__(self, reader: AsyncReader[Completion]) -> None:
        self._reader = reader
        self._ahead: Sequence[ConversationEvent] = ()

    def __aiter__(self) -> AsyncIterator[str]:
        """The pieces of the text, as they arrive."""
        self._reader.driver.claim()
        return AsyncItems(self, str)

    def events(self) -> AsyncGenerator[ConversationEvent, None]:
        """Everything that happens, as ``ConversationStream.events()``."""
        self._reader.driver.claim()
        return AsyncItems(self)

    async def start(self) -> AsyncConversationStream:
        """Send the first request now, and wait until an answer begins; as ``Stream.start()``."""
        if self.info is None:
            self._ahead = await self.read()
        return self

    @property
    def info(self) -> ProviderInfo | None:
        """The provider that answers the last request; None before its answer begins."""
        return info_of(self._reader.driver)

    @property
    def partial(self) -> Completion:
        """The last answer, as far as it has arrived."""
        return partial_of(self._reader.driver)

    @property
    def completion(self) -> Completion:
        """The complete answer, once the turn has ended. Raises StreamError before that, and after an error."""
        return completion_of(self._reader.driver)

    @property
    def stopped(self) -> bool:
        """Whether it was closed or cancelled before its end."""
        return self._reader.driver.stopped

    async def read(self) -> Sequence[ConversationEvent]:
        """Wait for the next events; an empty list at the end."""
        if self._ahead:
            ahead, self._ahead = self._ahead, ()
            return ahead
        try:
            return await self._reader.read()
        except HFTextError as error:
            shorten(error)
            raise

    def cancel(self) -> None:
        """Stop at once; a reader gets ``StreamCancelledError``."""
        self._reader.driver.stop(cancelled=True)

    def close(self) -> None:
        """Stop at once, and end the iteration. Another task that is reading gets ``StreamCancelledError``."""
        self._reader.driver.stop()

    async def aclose(self) -> None:
        """As ``close()``, for ``contextlib.aclosing``."""
        self.close()

    async def __aenter__(self) -> AsyncConversationStream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_reader"):
            self.close()

    def __repr__(self) -> str:
        return f"<AsyncConversationStream, {self._reader.driver.state}>"

    def __reduce__(self) -> Any:
        raise TypeError("an AsyncConversationStream cannot be pickled; its completion can")
