"""Which models of a server's list can chat: by the fields that servers add to an entry, else by their names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..patterns import pattern
from .values import as_object, as_strings

__all__ = ["can_chat", "is_named_for_another_task"]

# Where an entry says what its model is for: Together, LM Studio, GitHub Models, Xinference, Novita, Fireworks, LiteLLM,
# GPUStack, the Hub; Cohere, Infinity, Ollama and llama.cpp in lists.
_TASK_KEYS = ("type", "task", "model_type", "kind", "mode", "category", "pipeline_tag")
_TASKS_KEYS = ("categories", "capabilities", "endpoints", "modes")

_CHAT = pattern(r"chat|llm|vlm|language|conversation|text-generation|text-to-text|completion|\bcode\b", re.IGNORECASE)
_OTHER = pattern(
    r"embed|rank|image|audio|speech|transcri|\btts|\bstt|\basr|moderation|video|classif|similarity|feature-extraction",
    re.IGNORECASE,
)

# Names that tell, as whole words: of embeddings and rerankers, of sound, of pictures, of filters, of raw completions.
_NAMES = pattern(
    r"(?<![a-z0-9])(?:embed(?:ding|dings|der)?|e5|bge|gte|minilm|mpnet|colbert|rerank(?:er)?"
    r"|whisper|tts|stt|asr|transcribe|realtime|xtts|kokoro|orpheus|parakeet|wav2vec2?|speech|audio"
    r"|dall-e|dalle|flux|sdxl|diffusion|image|imagen|sora|veo|video|clip|siglip"
    r"|moderation|guard|shieldgemma|davinci|babbage)(?![a-z])",
    re.IGNORECASE,
)


def can_chat(item: dict[str, Any]) -> bool | None:
    """Whether an entry of a server's list says that its model can chat; None if it does not tell."""
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
    """Whether a model's name says that it makes embeddings, sound or pictures, or judges what others made."""
    return _NAMES.search(name) is not None


def _tasks(item: dict[str, Any]) -> Iterator[str]:
    yield from (item[key] for key in _TASK_KEYS if isinstance(item.get(key), str))
    for key in _TASKS_KEYS:
        yield from as_strings(item.get(key))
