"""hf_text: text from Hugging Face models, and from every server that speaks their protocol."""

from __future__ import annotations

from ._version import __version__
from .client import Client
from .completion import Attempt, Completion, Timings
from .default import generate, models, stream
from .errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    HFTextError,
    InvalidRequestError,
    MalformedStreamError,
    MissingAuthError,
    ModelNotSupportedError,
    ModelRefusedError,
    NotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    ProviderStreamError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    StreamCancelledError,
    StreamError,
    TransportError,
    TruncatedStreamError,
)
from .events import Event, FinishReason, ProviderInfo, Reasoning, ToolCall, ToolCalls, Usage
from .huggingface import HuggingFaceAPI, calculate_lenght
from .protocol.catalog import HubModel, Model, ModelProvider, ProviderMapping
from .template import OpenaiTemplate
from .transport.call import Timeouts
from .transport.stream import Stream

__all__ = [
    "APIStatusError",
    "Attempt",
    "AuthenticationError",
    "BadRequestError",
    "Client",
    "Completion",
    "Event",
    "FinishReason",
    "HFTextError",
    "HubModel",
    "HuggingFaceAPI",
    "InvalidRequestError",
    "MalformedStreamError",
    "MissingAuthError",
    "Model",
    "ModelNotSupportedError",
    "ModelProvider",
    "ModelRefusedError",
    "NotFoundError",
    "OpenaiTemplate",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "ProviderInfo",
    "ProviderMapping",
    "ProviderStreamError",
    "RateLimitError",
    "Reasoning",
    "RequestTimeoutError",
    "ServerError",
    "Stream",
    "StreamCancelledError",
    "StreamError",
    "Timeouts",
    "Timings",
    "ToolCall",
    "ToolCalls",
    "TransportError",
    "TruncatedStreamError",
    "Usage",
    "__version__",
    "calculate_lenght",
    "generate",
    "models",
    "stream",
]
