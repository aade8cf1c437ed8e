import re

import pytest

from hf_text.protocol import names

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@pytest.mark.parametrize("model", [*names.FALLBACK_MODELS, *names.MODEL_ALIASES.values(), *names.PROVIDER_MAPPING])
def test_every_model_is_named_as_on_the_hub(model):
    assert HUB_ID.fullmatch(model)


def test_the_defaults_lead_their_lists():
    assert names.FALLBACK_MODELS[0] == names.DEFAULT_MODEL
    assert names.VISION_MODELS[0] == names.DEFAULT_VISION_MODEL


def test_the_fallbacks_name_every_model_once_and_the_vision_models_too():
    assert len(set(names.FALLBACK_MODELS)) == len(names.FALLBACK_MODELS)
    assert set(names.VISION_MODELS) < set(names.FALLBACK_MODELS)


def test_no_alias_is_an_alias_again_or_hides_a_hub_id():
    assert not set(names.MODEL_ALIASES) & set(names.MODEL_ALIASES.values())
    assert not any("/" in alias for alias in names.MODEL_ALIASES)


@pytest.mark.parametrize(
    "model",
    ["meta-llama/Llama-3.2-11B-Vision-Instruct", "Qwen/Qwen2-VL-7B-Instruct", "microsoft/Phi-3.5-mini-instruct"],
)
def test_models_that_nobody_serves_any_more_are_not_offered(model):
    assert model not in names.FALLBACK_MODELS
    assert model not in names.MODEL_ALIASES.values()


@pytest.mark.parametrize(
    ("provider", "route"),
    [
        ("cohere", "cohere/compatibility/v1"),
        ("deepinfra", "deepinfra/v1/openai"),
        ("fireworks-ai", "fireworks-ai/inference/v1"),
        ("groq", "groq/openai/v1"),
        ("hf-inference", "hf-inference/models/{model}/v1"),
        ("novita", "novita/v3/openai"),
        ("together", "together/v1"),
        ("zai-org", "zai-org/api/paas/v4"),
    ],
)
def test_the_route_of_a_provider_is_its_own(provider, route):
    assert names.PROVIDER_ROUTES[provider] == route


def test_every_route_starts_with_its_provider_and_needs_no_slash():
    for provider, route in names.PROVIDER_ROUTES.items():
        assert route.startswith(f"{provider}/")
        assert not route.endswith("/")


def test_no_route_leads_to_a_provider_without_chat_or_to_one_that_takes_no_hugging_face_key():
    assert not {*names.PROVIDERS_WITHOUT_CHAT, "openai"} & set(names.PROVIDER_ROUTES)


def test_every_provider_has_a_label():
    assert {*names.PROVIDER_ROUTES, *names.PROVIDERS_WITHOUT_CHAT} <= set(names.PROVIDER_LABELS)
    assert names.PROVIDER_LABELS["novita"] == "Novita"


def test_the_overrides_are_the_documented_table():
    assert names.PROVIDER_MAPPING == {
        "google/gemma-3-27b-it": {
            "hf-inference/models/google/gemma-3-27b-it": {
                "task": "conversational",
                "providerId": "google/gemma-3-27b-it",
            }
        }
    }


def test_the_list_of_public_names_is_sorted_and_whole():
    assert names.__all__ == sorted(names.__all__)
    assert set(names.__all__) == {name for name in vars(names) if name.isupper()}
