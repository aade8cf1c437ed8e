"""A web page that shows a model's answer as it arrives. If the visitor stops it or leaves, the request is cancelled.

::

    pip install hf_text fastapi uvicorn
    HF_TOKEN=hf_xxx uvicorn fastapi_app:app
    HF_TEXT_API_BASE=http://localhost:8080/v1 uvicorn fastapi_app:app     # your own server

``HF_TEXT_MODEL`` names the model, and ``HF_TEXT_API_KEY`` is the key for your own server.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel

import hf_text
from hf_text.aio import AsyncClient, AsyncStream

client = AsyncClient(
    os.environ.get("HF_TEXT_API_KEY"),
    api_base=os.environ.get("HF_TEXT_API_BASE"),
    model=os.environ.get("HF_TEXT_MODEL"),
    timeout=hf_text.Timeouts(first=30, gap=20),
)
log = logging.getLogger(__name__)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await client.aclose()


app = FastAPI(lifespan=lifespan)

# Messages for visitors, by status. The errors themselves name hosts, models and the account, so they are only logged.
WORDS = {
    400: "The model cannot answer that.",
    429: "Too many questions at once. Try again in a minute.",
    502: "The model cannot be reached.",
    504: "The model took too long.",
}


class Question(BaseModel):
    prompt: str


@app.get("/")
async def page() -> FileResponse:
    return FileResponse(Path(__file__).with_suffix(".html"))


@app.post("/answer")
async def answer(question: Question, request: Request) -> StreamingResponse:
    try:
        stream = client.stream(question.prompt)
        request.state.watcher = asyncio.create_task(cancel_when_gone(request, stream))
        texts = aiter(stream)
        first = await anext(texts, "")
    except hf_text.HFTextError as error:  # the response has not begun, so the error can become a status
        log.warning("no answer: %s", error)
        status = choose_status(error)
        raise HTTPException(status, WORDS[status]) from error
    headers = {"X-Content-Type-Options": "nosniff"}  # without it, browsers buffer 1 KiB to detect the type
    return StreamingResponse(join(first, texts), media_type="text/plain", headers=headers)


async def cancel_when_gone(request: Request, stream: AsyncStream) -> None:
    """Cancel the stream when the client disconnects. After a complete response this has no effect."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    stream.cancel()


async def join(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    """The text of the answer. An error here aborts the response, so that it is not mistaken for a complete one."""
    yield first
    with suppress(hf_text.StreamCancelledError):  # the visitor has left
        async for text in rest:
            yield text


def choose_status(error: hf_text.HFTextError) -> int:
    if isinstance(error, (hf_text.InvalidRequestError, hf_text.BadRequestError)):
        return 400
    if isinstance(error, hf_text.RateLimitError):
        return 429
    return 504 if isinstance(error, hf_text.RequestTimeoutError) else 502
