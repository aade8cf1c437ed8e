"""Names of models and providers: data that cannot be fetched at run time.

Models come and go within months. The live catalogue (``GET {router}/v1/models``) is authoritative; these names are used
when no model is named, when the catalogue is unreachable, and for aliases.
As of November 2026.
"""

from __future__ import annotations

__all__ = [
    "DEFAULT_LLAMA_MODEL",
    "DEFAULT_MODEL",
    "DEFAULT_VISION_MODEL",
    "FALLBACK_MODELS",
    "MODEL_ALIASES",
    "PROVIDER_LABELS",
    "PROVIDER_MAPPING",
    "RETIRED_ALIASES",
    "VISION_MODELS",
]

# 11 live providers on 2026-09-24 (the Hub's mapping).
DEFAULT_MODEL = "openai/gpt-oss-120b"

# The default of the documented class interface; had several live providers on the same day.
DEFAULT_LLAMA_MODEL = "meta-llama/Llama-3.3-70B-Instruct"

# Had three live providers on the same day, and does not reason by default.
DEFAULT_VISION_MODEL = "google/gemma-4-31B-it"

# Read pictures and had a live provider on 2026-09-24 (the Hub's mappings).
VISION_MODELS = (
    DEFAULT_VISION_MODEL,
    "Qwen/Qwen3.8-27B",
    "moonshotai/Kimi-K3",
    "Qwen/Qwen2.5-VL-72B-Instruct",
    "google/gemma-3-27b-it",
    "google/gemma-4-26B-A4B-it",
    "MiniMaxAI/MiniMax-M3",
    "Qwen/Qwen3-VL-235B-A22B-Instruct",
    "Qwen/Qwen3-VL-30B-A3B-Instruct",
    "zai-org/GLM-4.5V",
    "zai-org/GLM-5.3-Flash",
)

# Models to offer when the catalogue is unavailable, text models first.
FALLBACK_MODELS = (
    DEFAULT_MODEL,
    "openai/gpt-oss-20b",
    "zai-org/GLM-5.2",
    "deepseek-ai/DeepSeek-V4-Flash",
    DEFAULT_LLAMA_MODEL,
    "meta-llama/Llama-3.1-8B-Instruct",
    "deepseek-ai/DeepSeek-V4-Pro",
    "deepseek-ai/DeepSeek-R1",
    "Qwen/Qwen2.5-72B-Instruct",
    "Qwen/Qwen2.5-Coder-32B-Instruct",
    *VISION_MODELS,
)

# Short names in the style of g4f, without those of models that are no longer served: answering with another model
# would mislead, and without an alias the server reports the unknown model itself.
MODEL_ALIASES: dict[str, str] = {
    "deepseek-r1": "deepseek-ai/DeepSeek-R1",
    "deepseek-v4-flash": "deepseek-ai/DeepSeek-V4-Flash",
    "deepseek-v4-pro": "deepseek-ai/DeepSeek-V4-Pro",
    "deepseek-v4.1-flash": "deepseek-ai/DeepSeek-V4.1-Flash",
    "gemma-3-12b": "google/gemma-3-12b-it",
    "gemma-3-27b": "google/gemma-3-27b-it",
    "gemma-3-4b": "google/gemma-3-4b-it",
    "gemma-4-26b": "google/gemma-4-26B-A4B-it",
    "gemma-4-31b": "google/gemma-4-31B-it",
    "glm-4.5v": "zai-org/GLM-4.5V",
    "glm-5.2": "zai-org/GLM-5.2",
    "glm-5.3": "zai-org/GLM-5.3",
    "glm-5.3-flash": "zai-org/GLM-5.3-Flash",
    "gpt-oss-120b": "openai/gpt-oss-120b",
    "gpt-oss-20b": "openai/gpt-oss-20b",
    "kimi-k2": "moonshotai/Kimi-K2-Instruct-0905",
    "kimi-k2.5": "moonshotai/Kimi-K2.5",
    "kimi-k3": "moonshotai/Kimi-K3",
    "llama-3": "meta-llama/Llama-3.3-70B-Instruct",
    "llama-3.1-8b": "meta-llama/Llama-3.1-8B-Instruct",
    "llama-3.3-70b": "meta-llama/Llama-3.3-70B-Instruct",
    "llama-4-scout": "meta-llama/Llama-4-Scout-17B-16E-Instruct",
    "minimax-m3": "MiniMaxAI/MiniMax-M3",
    "qwen-2.5-72b": "Qwen/Qwen2.5-72B-Instruct",
    "qwen-2.5-coder-32b": "Qwen/Qwen2.5-Coder-32B-Instruct",
    "qwen-2.5-vl-72b": "Qwen/Qwen2.5-VL-72B-Instruct",
    "qwen-3-coder": "Qwen/Qwen3-Coder-480B-A35B-Instruct",
    "qwen-3-vl-235b": "Qwen/Qwen3-VL-235B-A22B-Instruct",
    "qwen-3-vl-30b": "Qwen/Qwen3-VL-30B-A3B-Instruct",
    "qwen-3.5-397b": "Qwen/Qwen3.5-397B-A17B",
    "qwen-3.6-27b": "Qwen/Qwen3.6-27B",
    "qwen-3.8-27b": "Qwen/Qwen3.8-27B",
}

# Short names of older g4f versions and their models. No provider serves these models any more, or they make pictures.
RETIRED_ALIASES: dict[str, str] = {
    "command-r-plus": "CohereForAI/c4ai-command-r-plus-08-2024",
    "flux": "black-forest-labs/FLUX.1-dev",
    "flux-dev": "black-forest-labs/FLUX.1-dev",
    "flux-schnell": "black-forest-labs/FLUX.1-schnell",
    "gemma-2-27b": "google/gemma-2-27b-it",
    "llama-3.2-11b": "meta-llama/Llama-3.2-11B-Vision-Instruct",
    "mistral-nemo": "mistralai/Mistral-Nemo-Instruct-2407",
    "nemotron-70b": "nvidia/Llama-3.1-Nemotron-70B-Instruct-HF",
    "phi-3.5-mini": "microsoft/Phi-3.5-mini-instruct",
    "qvq-72b": "Qwen/QVQ-72B-Preview",
    "qwen-2-72b": "Qwen/Qwen2-72B-Instruct",
    "qwen-2-vl-7b": "Qwen/Qwen2-VL-7B-Instruct",
    "qwq-32b": "Qwen/QwQ-32B",
    "sd-3.5": "stabilityai/stable-diffusion-3.5-large",
}

# Display names, from the titles of the pages under https://huggingface.co/docs/inference-providers/providers.
# Providers removed in July 2026 are kept: older mappings still name them.
PROVIDER_LABELS: dict[str, str] = {
    "baseten": "Baseten",
    "black-forest-labs": "Black Forest Labs",
    "cerebras": "Cerebras",
    "cohere": "Cohere",
    "deepinfra": "DeepInfra",
    "fal-ai": "Fal AI",
    "featherless-ai": "Featherless AI",
    "fireworks-ai": "Fireworks",
    "groq": "Groq",
    "hf-inference": "HF Inference",
    "hyperbolic": "Hyperbolic",
    "nebius": "Nebius",
    "novita": "Novita",
    "nscale": "Nscale",
    "openai": "OpenAI",
    "ovhcloud": "OVHcloud AI Endpoints",
    "publicai": "Public AI",
    "replicate": "Replicate",
    "sambanova": "SambaNova",
    "scaleway": "Scaleway",
    "together": "Together",
    "wavespeed": "WaveSpeedAI",
    "zai-org": "Z.ai",
}

# Overrides, checked before the Hub's mapping: model -> provider -> entry, in the Hub's form but without a status.
# A provider that contains a path means https://router.huggingface.co/{provider}/v1. The one entry is a documented
# value; hf-inference has served no chat since July 2025, so the Hub's own mapping has to follow it.
PROVIDER_MAPPING: dict[str, dict[str, dict[str, str]]] = {
    "google/gemma-3-27b-it": {
        "hf-inference/models/google/gemma-3-27b-it": {
            "task": "conversational",
            "providerId": "google/gemma-3-27b-it",
        }
    }
}
