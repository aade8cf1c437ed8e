import re

import pytest

from hf_text.protocol import names

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@pytest.mark.parametrize("model", [*names.FALLBACK_MODELS, *names.MODEL_ALIASES.values(), *names.PROVIDER_MAPPING])
def test_every_model_is_named_as_on_the_hub(model):
    assert HUB_ID.fullmatch(model)


def test_the_defaults_are_first_in_their_lists():
    assert names.FALLBACK_MODELS[0] == names.DEFAULT_MODEL
    assert names.VISION_MODELS[0] == names.DEFAULT_VISION_MODEL


def test_fallbacks_contain_every_model_once_including_vision():
    assert len(set(names.FALLBACK_MODELS)) == len(names.FALLBACK_MODELS)
    assert set(names.VISION_MODELS) < set(names.FALLBACK_MODELS)


def test_no_alias_is_chained_or_hides_a_hub_id():
    assert not set(names.MODEL_ALIASES) & set(names.MODEL_ALIASES.values())
    assert not any("/" in alias for alias in names.MODEL_ALIASES)


@pytest.mark.parametrize(
    "model",
    ["meta-llama/Llama-3.2-11B-Vision-Instruct", "Qwen/Qwen2-VL-7B-Instruct", "microsoft/Phi-3.5-mini-instruct"],
)
def test_retired_models_are_not_offered(model):
    assert model not in names.FALLBACK_MODELS
    assert model not in names.MODEL_ALIASES.values()


def test_a_provider_has_a_label():
    assert names.PROVIDER_LABELS["novita"] == "Novita"


def test_the_overrides_match_the_documented_table():
    assert names.PROVIDER_MAPPING == {
        "google/gemma-3-27b-it": {
            "hf-inference/models/google/gemma-3-27b-it": {
                "task": "conversational",
                "providerId": "google/gemma-3-27b-it",
            }
        }
    }


def test_the_list_of_public_names_is_sorted_and_complete():
    assert names.__all__ == sorted(names.__all__)
    assert set(names.__all__) == {name for name in vars(names) if name.isupper()}
