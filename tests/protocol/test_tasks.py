"""Which models of a listing can chat: entries as servers write them."""

from __future__ import annotations

from typing import Any

import pytest

from hf_text.protocol.catalog import parse_models
from hf_text.protocol.selection import first_chat_model
from hf_text.protocol.tasks import can_chat, is_named_for_another_task

CHATTING: dict[str, dict[str, Any]] = {
    "Together": {"type": "chat"},
    "LM Studio": {"type": "vlm"},
    "GitHub Models": {"task": "chat-completion"},
    "the Hub": {"pipeline_tag": "image-text-to-text"},
    "Xinference": {"model_type": "LLM"},
    "Mistral": {"capabilities": {"completion_chat": True, "vision": False}, "type": "base"},
    "Fireworks": {"supports_chat": True, "kind": "HF_BASE_MODEL"},
    "LiteLLM": {"mode": "chat"},
    "Cohere": {"endpoints": ["generate", "chat"]},
    "Ollama": {"capabilities": ["completion", "vision"]},
    "OpenRouter": {"architecture": {"output_modalities": ["text"]}, "type": "llm"},
}

OTHERS: dict[str, dict[str, Any]] = {
    "Together": {"type": "embedding"},
    "Together, pictures": {"type": "image"},
    "LM Studio": {"type": "embeddings"},
    "GitHub Models": {"task": "embeddings"},
    "the Hub": {"pipeline_tag": "feature-extraction"},
    "Xinference": {"model_type": "rerank"},
    "Mistral": {"capabilities": {"completion_chat": False}},
    "Fireworks": {"supports_chat": False, "kind": "EMBEDDING_MODEL"},
    "LiteLLM": {"mode": "audio_transcription"},
    "Cohere": {"endpoints": ["embed", "classify"]},
    "Infinity": {"capabilities": ["embed"]},
    "OpenRouter": {"architecture": {"output_modalities": ["image"]}},
    "Groq": {"active": False, "type": "chat"},
}

SILENT: list[dict[str, Any]] = [
    {},
    {"object": "model", "owned_by": "vllm", "max_model_len": 8192},
    {"type": "base"},
    {"type": None, "task": 5, "capabilities": {"vision": True}, "endpoints": "embed", "architecture": []},
    {"active": True, "architecture": {"output_modalities": ["text"]}},
]


@pytest.mark.parametrize("item", CHATTING.values(), ids=CHATTING)
def test_an_entry_declares_chat(item: dict[str, Any]) -> None:
    assert can_chat(item) is True


@pytest.mark.parametrize("item", OTHERS.values(), ids=OTHERS)
def test_an_entry_declares_another_task(item: dict[str, Any]) -> None:
    assert can_chat(item) is False


@pytest.mark.parametrize("item", SILENT)
def test_an_entry_declares_nothing(item: dict[str, Any]) -> None:
    assert can_chat(item) is None


@pytest.mark.parametrize(
    "name",
    [
        *("nomic-embed-text:latest", "text-embedding-3-small", "mxbai-embed-large", "BAAI/bge-m3", "all-minilm:l6-v2"),
        *("intfloat/e5-mistral-7b-instruct", "Qwen/Qwen3-Embedding-0.6B", "text-embedding-nomic-embed-text-v1.5"),
        *("BAAI/bge-reranker-v2-m3", "jina-reranker-v2", "whisper-1", "distil-whisper-large-v3-en", "tts-1-hd"),
        *(
            "gpt-4o-mini-tts",
            "gpt-4o-transcribe",
            "playai-tts",
            "dall-e-3",
            "gpt-image-1",
            "black-forest-labs/FLUX.1-dev",
        ),
        *("omni-moderation-latest", "meta-llama/Llama-Guard-4-12B", "davinci-002", "gpt-4o-realtime-preview", "sora-2"),
    ],
)
def test_a_name_indicates_another_task(name: str) -> None:
    assert is_named_for_another_task(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "openai/gpt-oss-120b",
            "meta-llama/Llama-3.3-70B-Instruct",
            "qwen2.5vl:7b",
            "gemma-3-27b-it",
            "tiny",
            "default",
        ),
        *("deepseek-ai/DeepSeek-R1", "imagine-7b", "guardian-chat", "embedded-coder", "clipper-8b", "phi-4-multimodal"),
    ],
)
def test_a_name_does_not_rule_out_chat(name: str) -> None:
    assert not is_named_for_another_task(name)


@pytest.mark.parametrize(
    ("items", "chosen"),
    [
        ([{"id": "nomic-embed-text"}, {"id": "llama3"}], "llama3"),
        ([{"id": "a", "type": "embedding"}, {"id": "b", "type": "image"}, {"id": "c"}], "c"),
        ([{"id": "whisper-1"}, {"id": "bge-chat", "type": "chat"}, {"id": "llama3"}], "bge-chat"),
        ([{"id": "first"}, {"id": "second", "type": "chat"}], "first"),
        ([{"id": "whisper-1"}, {"id": "bge-m3"}], "whisper-1"),
        ([], None),
    ],
)
def test_the_first_chat_model_is_chosen(items: list[dict[str, Any]], chosen: str | None) -> None:
    model = first_chat_model(parse_models({"data": items}))
    assert (model and model.id) == chosen
