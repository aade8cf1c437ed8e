"""Determines which listed models can chat, from the server's extra fields or else from their names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..patterns import pattern
from .values import as_object, as_strings

__all__ = ["can_chat", "is_named_for_another_task"]

# Fields that name a model's task: Together, LM Studio, GitHub Models, Xinference, Novita, Fireworks, LiteLLM,
# GPUStack, the Hub; Cohere, Infinity, Ollama and llama.cpp send lists.
_TASK_KEYS = ("type", "task", "model_type", "kind", "mode", "category", "pipeline_tag")
_TASKS_KEYS = ("categories", "capabilities", "endpoints", "modes")

_CHAT = pattern(r"chat|llm|vlm|language|conversation|text-generation|text-to-text|completion|\bcode\b", re.IGNORECASE)
_OTHER = pattern(
    r"embed|rank|image|audio|speech|transcri|\btts|\bstt|\basr|moderation|video|classif|similarity|feature-extraction",
    re.IGNORECASE,
)

# Whole words in the names of models for embeddings and reranking, sound, pictures, moderation and raw completions.
_NAMES = pattern(
    r"(?<![a-z0-9])(?:embed(?:ding|dings|der)?|e5|bge|gte|minilm|mpnet|colbert|rerank(?:er)?"
    r"|whisper|tts|stt|asr|transcribe|realtime|xtts|kokoro|orpheus|parakeet|wav2vec2?|speech|audio"
    r"|dall-e|dalle|flux|sdxl|diffusion|image|imagen|sora|veo|video|clip|siglip"
    r"|moderation|guard|shieldgemma|davinci|babbage)(?![a-z])",
    re.IGNORECASE,
)


def can_chat(item: dict[str, Any]) -> bool | None:
    """Whether a model can chat, according to its entry in the server's list; None if the entry does not show it."""
    if item.get("active") is False:  # Groq
        return False
    flags = (
        item.get("supports_chat"),
        as_object(item.get("capabilities")).get("completion_chat"),
    )  # Fireworks, Mistral
    for flag in flags:
        if isinstance(flag, bool):
            return flag
    outputs = as_strings(as_object(item.get("architecture")).get("output_modalities"))  # OpenRouter
    if outputs and "text" not in outputs:
        return False
    tasks = list(_tasks(item))
    if any(map(_CHAT.search, tasks)):
        return True
    return False if any(map(_OTHER.search, tasks)) else None


def is_named_for_another_task(name: str) -> bool:
    """Whether a model's name suggests embeddings, reranking, sound, pictures, moderation or raw completions."""
    return _NAMES.search(name) is not None


def _tasks(item: dict[str, Any]) -> Iterator[str]:
    yield from (item[key] for key in _TASK_KEYS if isinstance(item.get(key), str))
    for key in _TASKS_KEYS:
        yield from as_strings(item.get(key))
