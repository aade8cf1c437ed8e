import copy
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_text.errors import InvalidRequestError
from hf_text.protocol import catalog
from hf_text.protocol.catalog import (
    HubModel,
    Model,
    ModelProvider,
    ProviderMapping,
    chat_providers,
    parse_hub_models,
    parse_mapping,
    parse_models,
)
from hf_text.protocol.names import PROVIDER_MAPPING
from hf_text.protocol.selection import SORT_KEYS, nearest_names, select_models
from hf_text.protocol.suffixes import split_suffix

ROUTER_MODELS = {
    "object": "list",
    "data": [
        {
            "id": "acme/Seer-27B",
            "object": "model",
            "created": 1780000000,
            "owned_by": "acme",
            "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
            "providers": [
                {
                    "provider": "novita",
                    "status": "live",
                    "context_length": 1000000,
                    "pricing": {"input": 0.5, "output": 3},
                    "is_free": False,
                    "supports_tools": True,
                    "supports_structured_output": False,
                    "first_token_latency_ms": 681.2,
                    "throughput": 40.5,
                    "is_model_author": False,
                },
                {"provider": "featherless-ai", "status": "live", "is_model_author": False},
                {
                    "provider": "groq",
                    "status": "error",
                    "context_length": 2000000,
                    "pricing": {"input": 0.01, "output": 0.01},
                    "supports_tools": True,
                    "supports_structured_output": True,
                    "first_token_latency_ms": 1,
                    "throughput": 5000,
                    "is_model_author": False,
                },
                {
                    "provider": "deepinfra",
                    "status": "live",
                    "context_length": 262144,
                    "pricing": {"input": 0.25, "output": 2.5},
                    "supports_tools": False,
                    "supports_structured_output": True,
                    "first_token_latency_ms": 440,
                    "throughput": 44.25,
                    "is_model_author": True,
                },
            ],
        },
        {
            "id": "acme/Scribe-8B",
            "object": "model",
            "created": 1790000000,
            "owned_by": "acme",
            "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
            "providers": [
                {
                    "provider": "novita",
                    "status": "live",
                    "context_length": 131072,
                    "pricing": {"input": 0.05, "output": 0.25},
                    "supports_tools": False,
                    "supports_structured_output": False,
                    "first_token_latency_ms": 500,
                    "throughput": 100,
                    "is_model_author": False,
                },
            ],
        },
        {"id": "zeta/Mute-1B", "object": "model", "providers": [{"provider": "featherless-ai", "status": "live"}]},
        {"id": "beta/Gone-2B", "object": "model", "providers": [{"provider": "novita", "status": "staging"}]},
    ],
}

LIST_ENTRY = {
    "_id": "0123456789",
    "provider": "novita",
    "providerId": "acme/seer-27b-turbo",
    "status": "live",
    "previousStatus": "live",
    "task": "conversational",
    "type": "single-model",
    "isModelAuthor": False,
    "features": {"structuredOutput": False, "toolCalling": True},
    "performance": {"requestLatencyMs": 53556, "firstTokenLatencyMs": 1175.8, "tokensPerSecond": 36.25},
    "providerDetails": {"context_length": 64000, "pricing": {"input": 0.75, "output": 2.5}},
}


def entry(provider="novita", **changes):
    return {"provider": provider, "providerId": f"{provider}-id", "status": "live", "task": "conversational", **changes}


@pytest.fixture
def models():
    return parse_models(copy.deepcopy(ROUTER_MODELS))


def ids(models):
    return [model.id.rpartition("/")[2] for model in models]


# --- the model list


def test_a_router_entry_becomes_a_model_with_converted_units(models):
    seer = models[0]
    assert (seer.id, seer.owned_by, seer.created) == ("acme/Seer-27B", "acme", 1780000000)
    assert seer.input_modalities == ("text", "image")
    assert seer.output_modalities == ("text",)
    assert seer.direct is None
    assert seer.providers[0] == ModelProvider(
        "novita",
        "live",
        1000000,
        0.5,
        3.0,
        True,
        False,
        first_token_latency=0.6812,
        throughput=40.5,
        is_model_author=False,
    )


def test_a_provider_with_only_a_name_has_none_for_the_rest(models):
    assert models[0].providers[1] == ModelProvider("featherless-ai", "live", is_model_author=False)


def test_model_properties_are_the_best_of_its_live_providers(models):
    seer = models[0]
    assert seer.vision is True
    assert seer.tools is True
    assert seer.structured_output is True
    assert seer.context_length == 1000000
    assert seer.price == 2.5
    assert seer.throughput == 44.25
    assert seer.latency == 0.44


def test_properties_no_live_provider_reports_are_none(models):
    for model in models[2:]:
        assert model.vision is model.tools is model.structured_output is model.context_length is None
        assert model.price is model.throughput is model.latency is None


def test_a_text_only_model_has_no_vision(models):
    assert models[1].vision is False


@pytest.mark.parametrize("status", ["staging", "error", "paused", "", "LIVE"])
def test_every_status_except_live_is_unusable(status):
    assert not ModelProvider("novita", status).live
    assert not ProviderMapping("novita", "id", "conversational", status).live


def test_the_str_of_a_model_is_its_id(models):
    assert str(models[0]) == "acme/Seer-27B"
    assert str(HubModel("acme/Seer-27B")) == "acme/Seer-27B"


def test_the_values_are_frozen_hashable_and_picklable(models):
    hub_models = parse_hub_models([{"id": "acme/Seer-27B", "inferenceProviderMapping": [LIST_ENTRY]}])
    for value in (*models, *hub_models, *hub_models[0].mapping.values()):
        assert pickle.loads(pickle.dumps(value)) == value
        assert hash(value) == hash(copy.copy(value))
        with pytest.raises(FrozenInstanceError):
            setattr(value, fields(value)[0].name, "other")


@pytest.mark.parametrize(
    "shape",
    [
        lambda items: items,
        lambda items: {"data": items},
        lambda items: {"models": items},
        lambda items: {"data": None, "models": items},
        lambda items: {"success": True, "result": items},
        lambda items: {"data": {"models": items}},
        lambda items: {"data": {item["id"]: {"owned_by": "x"} for item in items}},
        lambda items: [item["id"] for item in items],
        lambda items: {"models": [{"name": item["id"], "size": 5} for item in items]},
        lambda items: {"data": [{"id": None, "model": item["id"]} for item in items]},
    ],
)
def test_a_list_is_read_wherever_it_stands_and_however_its_items_are_named(shape):
    assert ids(parse_models(shape([{"id": "a"}, {"id": "b"}]))) == ["a", "b"]


@pytest.mark.parametrize("value", [[{}], {"data": [{"id": 5}, None]}])
def test_a_list_in_which_nothing_has_a_name_is_refused(value):
    with pytest.raises(ValueError, match="no item of the model list has a name"):
        parse_models(value)


def test_numbers_that_are_written_as_strings_are_read():
    item = {"id": "a", "context_length": "8192", "pricing": {"input": "0.5", "output": "1.5"}}
    (direct,) = parse_models([item])
    assert (direct.context_length, direct.price) == (8192, 1.5)
    (routed,) = parse_models([{"id": "a", "providers": [{**item, "provider": "x", "status": "live"}]}])
    assert (routed.context_length, routed.price) == (8192, 1.5)


def test_speeds_that_are_written_as_strings_are_read():
    provider = {"provider": "p", "status": "live", "first_token_latency_ms": "250", "throughput": "81.5"}
    (model,) = parse_models([{"id": "a", "providers": [provider]}])
    assert (model.providers[0].first_token_latency, model.providers[0].throughput) == (0.25, 81.5)


def test_data_takes_precedence_over_models():
    """llama.cpp sends both."""
    assert ids(parse_models({"models": [{"name": "x", "id": "x"}], "data": [{"id": "a"}]})) == ["a"]


def test_an_ollama_server_without_models_lists_none():
    assert parse_models({"object": "list", "data": None}) == []


def test_items_without_a_name_are_skipped():
    items = [{"id": "a"}, {}, {"id": None}, {"id": 5}, {"id": ""}, None, "", [], {"id": "c"}]
    assert ids(parse_models(items)) == ["a", "c"]


@pytest.mark.parametrize("value", [None, "<html>", 5, {"error": "no"}, {"data": {"id": "a"}}, {"data": "a"}])
def test_an_invalid_model_list_is_refused(value):
    with pytest.raises(ValueError, match="a model list must be an array"):
        parse_models(value)


@pytest.mark.parametrize("junk", [None, True, -1, "x", [], {}, [None], float("nan"), float("inf"), 10**400])
@pytest.mark.parametrize("key", list(ROUTER_MODELS["data"][0]["providers"][0])[2:])
def test_an_invalid_optional_provider_field_is_unknown(key, junk):
    item = {"provider": "novita", "status": "live", key: junk}
    (offer,) = parse_models([{"id": "a", "providers": [item]}])[0].providers
    assert offer.provider == "novita"
    for value in (offer.context_length, offer.output_price, offer.first_token_latency, offer.throughput):
        assert value is None


@pytest.mark.parametrize("junk", [None, True, -1, "x", {}, [None], [[]], [{"provider": 3}]])
@pytest.mark.parametrize("key", ["owned_by", "created", "architecture", "providers"])
def test_an_invalid_optional_model_field_is_harmless(key, junk):
    (model,) = parse_models([{"id": "a", key: junk}])
    assert model.id == "a"
    assert model.providers == ()


def test_a_context_of_zero_is_unknown_but_a_price_of_zero_is_a_price():
    item = {"provider": "novita", "status": "live", "context_length": 0, "pricing": {"input": 0, "output": 0}}
    (model,) = parse_models([{"id": "a", "providers": [item]}])
    assert model.context_length is None
    assert model.price == 0


@pytest.mark.parametrize(
    ("item", "context"),
    [
        ({"id": "m", "object": "model", "owned_by": "vllm", "root": "m", "max_model_len": 32768}, 32768),
        ({"id": "m.gguf", "owned_by": "llamacpp", "meta": {"n_ctx_train": 131072, "n_params": 8030261248}}, 131072),
        ({"id": "m.gguf", "owned_by": "llamacpp", "meta": {"n_ctx": 4096, "n_ctx_train": 131072}}, 4096),
        ({"id": "m.gguf", "owned_by": "llamacpp", "meta": None}, None),
        ({"id": "llama3.2:3b", "object": "model", "created": 1780000000, "owned_by": "library"}, None),
        ({"id": "m", "object": "model", "created": 1780000000, "owned_by": "openai"}, None),
        ({"id": "m", "context_window": 131072, "active": True}, 131072),
        ({"id": "m", "max_context_length": 32768, "type": "llm"}, 32768),
        ({"id": "m", "context_length": 65536.0}, 65536),
    ],
    ids=[
        "vllm",
        "llama.cpp",
        "llama.cpp with n_ctx",
        "llama.cpp loading",
        "ollama",
        "tgi",
        "groq",
        "lm studio",
        "float",
    ],
)
def test_a_server_without_providers_reports_its_own_context(item, context):
    (model,) = parse_models({"object": "list", "data": [item]})
    assert model.id == item["id"]
    assert model.owned_by == item.get("owned_by")
    assert model.providers == ()
    assert model.context_length == context
    assert model.vision is None


def test_openrouter_prices_per_token_are_converted():
    item = {
        "id": "acme/seer",
        "name": "Acme: Seer",
        "context_length": 262144,
        "architecture": {"modality": "text+image->text", "input_modalities": ["text", "image"], "tokenizer": "x"},
        "pricing": {"prompt": "0.0000002", "completion": "0.0000012", "request": "0"},
        "top_provider": {"context_length": 262144, "is_moderated": False},
        "supported_parameters": ["max_tokens", "tools"],
    }
    (model,) = parse_models({"data": [item]})
    assert model.vision is True
    assert model.tools is True
    assert model.structured_output is False
    assert model.price == 1.2
    assert model.direct.input_price == 0.2


@pytest.mark.parametrize("price", ["-1", "free", "", "nan", "inf", None, -1, [], True])
def test_a_null_price_is_unknown(price):
    assert parse_models([{"id": "m", "pricing": {"completion": price}}])[0].price is None


def test_together_prices_are_per_million():
    assert parse_models([{"id": "m", "pricing": {"input": 0.88, "output": 0.9}}])[0].price == 0.9


# --- select


def test_without_criteria_all_models_keep_the_server_order(models):
    assert select_models(iter(models)) == models


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        ({"search": "8b"}, ["Scribe-8B"]),
        ({"search": "ACME 27b"}, ["Seer-27B"]),
        ({"search": "acme zeta"}, []),
        ({"search": " "}, ["Seer-27B", "Scribe-8B", "Mute-1B", "Gone-2B"]),
        ({"provider": "novita"}, ["Seer-27B", "Scribe-8B"]),
        ({"provider": "groq"}, []),
        ({"provider": "nobody-knows"}, []),
        ({"vision": True}, ["Seer-27B"]),
        ({"vision": False}, ["Scribe-8B"]),
        ({"tools": True}, ["Seer-27B"]),
        ({"tools": False}, ["Scribe-8B"]),
        ({"structured_output": True}, ["Seer-27B"]),
        ({"structured_output": False}, ["Scribe-8B"]),
        ({"min_context": 200000}, ["Seer-27B"]),
        ({"min_context": 1000001}, []),
        ({"min_context": 0}, ["Seer-27B", "Scribe-8B"]),
        ({"max_output_price": 0.25}, ["Scribe-8B"]),
        ({"max_output_price": 2.5}, ["Seer-27B", "Scribe-8B"]),
        ({"max_output_price": 0}, []),
    ],
)
def test_each_criterion_keeps_matching_models(models, criteria, found):
    assert ids(select_models(models, **criteria)) == found


@pytest.mark.parametrize(
    ("criteria", "fits"),
    [
        ({"provider": "novita", "tools": True}, True),
        ({"provider": "deepinfra", "tools": True}, False),
        ({"provider": "deepinfra", "tools": False}, True),
        ({"provider": "deepinfra", "min_context": 500000}, False),
        ({"provider": "novita", "max_output_price": 2.75}, False),
        ({"min_context": 500000, "max_output_price": 2.75}, False),
        ({"min_context": 500000, "max_output_price": 3}, True),
        ({"tools": True, "structured_output": True}, False),
        ({"tools": True, "structured_output": False}, True),
        ({"provider": "featherless-ai", "tools": False}, False),
    ],
)
def test_one_live_provider_must_meet_all_criteria_at_once(models, criteria, fits):
    """Each criterion alone is met by some provider of the model."""
    assert bool(select_models(models[:1], **criteria)) is fits


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("price", ["Scribe-8B", "Seer-27B", "Mute-1B", "Gone-2B"]),
        ("throughput", ["Scribe-8B", "Seer-27B", "Mute-1B", "Gone-2B"]),
        ("latency", ["Seer-27B", "Scribe-8B", "Mute-1B", "Gone-2B"]),
        ("context", ["Seer-27B", "Scribe-8B", "Mute-1B", "Gone-2B"]),
        ("name", ["Scribe-8B", "Seer-27B", "Gone-2B", "Mute-1B"]),
        ("created", ["Scribe-8B", "Seer-27B", "Mute-1B", "Gone-2B"]),
    ],
)
def test_the_best_sort_first_and_unknown_values_last(models, sort, order):
    assert ids(select_models(models, sort=sort)) == order
    unknown_first = [*models[2:], *models[:2]]
    assert ids(select_models(unknown_first, sort=sort)) == order


def test_sorting_uses_matching_providers():
    def model(name, **prices):
        offers = [ModelProvider(provider, "live", output_price=price) for provider, price in prices.items()]
        return Model(name, providers=tuple(offers))

    models = [model("a", novita=9, groq=1), model("b", novita=3, groq=5)]
    assert ids(select_models(models, sort="price")) == ["a", "b"]
    assert ids(select_models(models, sort="price", provider="novita")) == ["b", "a"]


def test_models_of_a_server_without_providers_can_be_selected():
    models = parse_models([{"id": "a", "max_model_len": 4096}, {"id": "b", "max_model_len": 32768}, {"id": "c"}])
    assert ids(select_models(models, min_context=8000)) == ["b"]
    assert ids(select_models(models, sort="context")) == ["b", "a", "c"]
    assert select_models(models, provider="novita") == []


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("search", 5),
        ("provider", ["novita"]),
        ("vision", "yes"),
        ("tools", 1),
        ("structured_output", 0),
        ("min_context", "8k"),
        ("min_context", True),
        ("min_context", -1),
        ("max_output_price", float("nan")),
        ("max_output_price", [1]),
        ("sort", "speed"),
        ("sort", ["price"]),
    ],
)
def test_an_invalid_criterion_is_refused_with_name_and_value(argument, value):
    with pytest.raises(InvalidRequestError, match=f"^{argument} must be ") as caught:
        select_models([], **{argument: value})
    assert repr(value) in str(caught.value)


def test_an_invalid_sort_key_lists_the_valid_ones():
    with pytest.raises(InvalidRequestError) as caught:
        select_models([], sort="speed")
    assert all(key in str(caught.value) for key in SORT_KEYS)


# --- the mapping


def test_the_dict_form_and_the_list_form_give_the_same_mapping():
    as_dict = {key: value for key, value in LIST_ENTRY.items() if key != "provider"}
    expected = {
        "novita": ProviderMapping(
            "novita",
            "acme/seer-27b-turbo",
            "conversational",
            "live",
            is_model_author=False,
            context_length=64000,
            input_price=0.75,
            output_price=2.5,
            supports_tools=True,
            supports_structured_output=False,
            first_token_latency=1.1758,
            throughput=36.25,
        )
    }
    for mapping in ([LIST_ENTRY], {"novita": as_dict}):
        assert parse_mapping(mapping) == expected
        assert parse_mapping({"_id": "1", "id": "acme/Seer-27B", "inferenceProviderMapping": mapping}) == expected


def test_the_order_of_the_hub_is_kept():
    names = ["novita", "cerebras", "zai-org", "groq"]
    assert list(parse_mapping([entry(name) for name in names])) == names
    assert list(parse_mapping({name: entry(name) for name in names})) == names


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [],
        {"_id": "1", "id": "acme/Seer-27B"},
        {"id": "acme/Seer-27B", "inferenceProviderMapping": None},
        {"id": "acme/Seer-27B", "inferenceProviderMapping": {}},
        {"id": "acme/Seer-27B", "inferenceProviderMapping": []},
        {"id": "acme/Seer-27B", "inferenceProviderMapping": "warm"},
        {"id": "acme/Seer-27B", "config": {"architectures": ["X"]}, "tags": ["a"], "gated": "manual"},
    ],
)
def test_absent_null_and_empty_mappings_mean_unserved(value):
    assert parse_mapping(value) == {}


@pytest.mark.parametrize("value", ["<html>", 5, True])
def test_an_invalid_mapping_is_refused(value):
    with pytest.raises(ValueError, match="a provider mapping must be an object or an array"):
        parse_mapping(value)


def test_malformed_entries_are_skipped():
    good = entry("groq")
    assert list(parse_mapping([None, 5, {}, {"provider": "novita"}, {"providerId": "x"}, entry(7), good])) == ["groq"]
    assert list(parse_mapping({"a": None, "b": {"providerId": 5}, "c": [], "": good, "groq": good})) == ["groq"]


@pytest.mark.parametrize("name", ["../x", "a/../../b", "https://elsewhere", "a b", "/a", "a//b", "..", "a?b"])
def test_a_name_that_points_to_another_url_is_skipped(name):
    assert list(parse_mapping({name: entry("novita"), "a/b": entry("groq")})) == ["a/b"]


def test_the_first_entry_live_for_chat_is_used():
    lora = entry("replicate", task="text-to-image", adapter="lora", adapterWeightsPath="x.safetensors")
    entries = [
        lora,
        entry("novita"),
        entry("replicate", status="error"),
        entry("replicate", providerId="right"),
        entry("replicate", providerId="late"),
    ]
    mapping = parse_mapping(entries)
    assert list(mapping) == ["replicate", "novita"]
    assert mapping["replicate"].provider_id == "right"


def test_without_an_entry_live_for_chat_the_first_is_used():
    entries = [entry(task="text-to-image", adapterWeightsPath="x.safetensors"), entry(status="error")]
    assert parse_mapping(entries)["novita"].adapter_weights_path == "x.safetensors"


def test_only_live_conversational_entries_serve_chat():
    mapping = parse_mapping(
        [
            entry("groq", status="error"),
            entry("novita"),
            entry("fal-ai", task="text-to-image"),
            entry("nscale", status="staging"),
            entry("cohere", status=None),
            entry("scaleway", task=None),
            entry("together"),
        ]
    )
    assert [found.provider for found in chat_providers(mapping)] == ["novita", "together"]


def test_an_override_without_a_status_is_live_only_if_the_caller_says_so():
    table = PROVIDER_MAPPING["google/gemma-3-27b-it"]
    assert chat_providers(parse_mapping(table)) == []
    (override,) = chat_providers(parse_mapping(table, default_status="live"))
    assert override.provider == "hf-inference/models/google/gemma-3-27b-it"
    assert override.provider_id == "google/gemma-3-27b-it"


@pytest.mark.parametrize("status", [None, "", 5, "error"])
def test_the_default_status_does_not_replace_a_given_status(status):
    assert chat_providers(parse_mapping([entry(status=status)], default_status="live")) == []


def test_to_dict_uses_hub_spelling_and_units():
    mapping = parse_mapping([LIST_ENTRY])["novita"]
    assert mapping.to_dict() == {
        "task": "conversational",
        "providerId": "acme/seer-27b-turbo",
        "status": "live",
        "isModelAuthor": False,
        "features": {"structuredOutput": False, "toolCalling": True},
        "performance": {"firstTokenLatencyMs": 1175.8, "tokensPerSecond": 36.25},
        "providerDetails": {"context_length": 64000, "pricing": {"input": 0.75, "output": 2.5}},
    }
    assert parse_mapping({"novita": mapping.to_dict()})["novita"] == mapping


def test_to_dict_omits_unknown_values():
    mapping = ProviderMapping("novita", "id", "conversational", "live")
    assert mapping.to_dict() == {"task": "conversational", "providerId": "id", "status": "live"}


# --- the Hub's listing


def test_a_listing_becomes_hub_models():
    first = {
        "_id": "0123",
        "id": "acme/Seer-27B",
        "likes": 10,
        "trendingScore": 7,
        "private": False,
        "downloads": 2000,
        "gated": "manual",
        "tags": ["transformers", "conversational"],
        "pipeline_tag": "image-text-to-text",
        "library_name": "transformers",
        "createdAt": "2026-08-05T08:22:59.000Z",
        "modelId": "acme/Seer-27B",
        "inferenceProviderMapping": [LIST_ENTRY],
    }
    seer, bare = parse_hub_models([first, {"_id": "1", "id": "acme/Bare"}])
    assert seer == HubModel(
        "acme/Seer-27B",
        "image-text-to-text",
        ("transformers", "conversational"),
        likes=10,
        downloads=2000,
        gated="manual",
        private=False,
        created_at="2026-08-05T08:22:59.000Z",
        mapping=parse_mapping([LIST_ENTRY]),
    )
    assert seer.chat
    assert bare == HubModel("acme/Bare")
    assert not bare.chat


@pytest.mark.parametrize("changes", [{"status": "error"}, {"task": "text-generation"}])
def test_a_model_not_served_for_chat_is_not_a_chat_model(changes):
    (model,) = parse_hub_models([{"id": "a/b", "inferenceProviderMapping": [entry(**changes)]}])
    assert model.mapping
    assert not model.chat


@pytest.mark.parametrize("junk", [True, -1, "", "x", [], {}, [[]], {"a": {}}, 10**400])
def test_invalid_listing_entries_are_harmless(junk):
    keys = ("pipeline_tag", "tags", "likes", "downloads", "gated", "createdAt", "inferenceProviderMapping")
    (model,) = parse_hub_models([dict.fromkeys(keys, junk) | {"id": "a/b"}])
    assert model.likes is None
    assert model.mapping == {}


@pytest.mark.parametrize("value", [None, {}, {"error": "no"}, "<html>", 5])
def test_an_invalid_listing_is_refused(value):
    with pytest.raises(ValueError, match="a Hub listing must be an array"):
        parse_hub_models(value)


ENTRY_KEYS = [*LIST_ENTRY, *LIST_ENTRY["providerDetails"], *LIST_ENTRY["performance"], "input", "output"]
MODEL_KEYS = ["id", "created", "architecture", "input_modalities", "providers", "pricing", "inferenceProviderMapping"]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*ENTRY_KEYS, *MODEL_KEYS]), inner),
    max_leaves=20,
)


@settings(database=None, derandomize=True, max_examples=30)
@given(st.lists(JSON))
def test_no_list_of_any_json_raises(value):
    parse_mapping(value)
    parse_hub_models(value)
    parsed = parse_models([{"id": "a"}, *value])
    for sort in SORT_KEYS:
        select_models(parsed, sort=sort, tools=True, max_output_price=1)


# --- names

SERVED = [
    "openai/gpt-oss-120b",
    "openai/gpt-oss-20b",
    "meta-llama/Llama-3.3-70B-Instruct",
    "Qwen/Qwen2.5-72B-Instruct",
    "deepseek-ai/DeepSeek-R1",
]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("openai/gpt-oss-12b", "openai/gpt-oss-120b"),
        ("GPT-OSS-20B", "openai/gpt-oss-20b"),
        ("meta/llama-3.3-70b-instruct", "meta-llama/Llama-3.3-70B-Instruct"),
        ("llama", "meta-llama/Llama-3.3-70B-Instruct"),
        ("deepseek_r1", "deepseek-ai/DeepSeek-R1"),
        ("qwen2.5-72b", "Qwen/Qwen2.5-72B-Instruct"),
    ],
)
def test_the_nearest_name_comes_first(name, first):
    assert nearest_names(name, SERVED)[0] == first


@pytest.mark.parametrize("name", ["", "/", "a", "stable-diffusion", "ü"])
def test_a_dissimilar_name_has_no_nearest_names(name):
    assert nearest_names(name, SERVED) == []


def test_nearest_names_are_limited_and_unique():
    names = [f"org/model-{number}" for number in range(9)] * 2
    assert len(nearest_names("model", names)) == 3
    assert len(nearest_names("model", iter(names), limit=20)) == 9


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        ("org/name:novita", ("org/name", "novita")),
        ("org/name:cheapest", ("org/name", "cheapest")),
        ("org/name", ("org/name", None)),
        ("llama3.2:3b", ("llama3.2", "3b")),
        ("org/name:a:b", ("org/name:a", "b")),
        ("org/name:", ("org/name:", None)),
        (":novita", (":novita", None)),
        ("http://localhost:8080/v1", ("http://localhost:8080/v1", None)),
        ("", ("", None)),
    ],
)
def test_the_suffix_follows_the_last_colon(model, parts):
    assert split_suffix(model) == parts


def test_the_list_of_public_names_is_complete():
    defined = {name for name, value in vars(catalog).items() if getattr(value, "__module__", None) == catalog.__name__}
    public = {name for name in defined if not name.startswith("_")} - {"T"}
    assert sorted(catalog.__all__) == sorted(public)


def test_difflib_is_loaded_only_when_needed():
    code = "import sys, hf_text.protocol.selection; sys.exit('difflib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
