"""The Hub's built-in answers: the listing, one model, and the check of a key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hf_text.emulator import Emulator, build_model

Ask = Callable[..., Any]
MAPPING = "expand[]=inferenceProviderMapping"


def ids(answer: Any) -> list[str]:
    return [model["id"] for model in answer.json]


class TestListing:
    def test_an_item_has_the_usual_keys(self, ask: Ask) -> None:
        answer = ask("/api/models")
        assert answer.json[0] == {
            "_id": answer.json[0]["_id"],
            "id": "openai/gpt-oss-120b",
            "likes": 100,
            "trendingScore": 10,
            "private": False,
            "downloads": 1000,
            "tags": ["transformers", "safetensors", "conversational"],
            "pipeline_tag": "text-generation",
            "library_name": "transformers",
            "createdAt": "2026-06-01T00:00:00.000Z",
            "modelId": "openai/gpt-oss-120b",
        }
        assert len(answer.json[0]["_id"]) == 24
        assert "link" not in answer.headers

    @pytest.mark.parametrize(
        ("query", "with_", "without"),
        [
            ("inference=warm", ["emulator/painter", "emulator/small"], ["emulator/nobody", "emulator/error-only"]),
            ("inference_provider=all", ["emulator/painter"], ["emulator/nobody", "emulator/staging-only"]),
            ("inference_provider=groq", ["openai/gpt-oss-20b"], ["emulator/small"]),
            ("inference_provider=groq,fal-ai", ["openai/gpt-oss-20b", "emulator/painter"], ["emulator/small"]),
            ("inference_provider=groq&inference_provider=fal-ai", ["openai/gpt-oss-20b", "emulator/painter"], []),
            ("pipeline_tag=image-text-to-text", ["google/gemma-4-31B-it"], ["openai/gpt-oss-120b"]),
            ("filter=conversational", ["emulator/small"], ["emulator/painter"]),
            ("filter=diffusers&filter=text-to-image", ["emulator/painter"], ["emulator/small"]),
            ("other=conversational", ["emulator/small"], ["emulator/painter"]),
            ("search=GPT-OSS", ["openai/gpt-oss-120b", "openai/gpt-oss-20b"], ["emulator/small"]),
            ("author=openai", ["openai/gpt-oss-120b"], ["emulator/small"]),
        ],
    )
    def test_parameters_filter_the_listing(self, ask: Ask, query: str, with_: list[str], without: list[str]) -> None:
        found = set(ids(ask(f"/api/models?{query}")))
        assert found >= set(with_)
        assert not found & set(without)

    def test_pages_follow_each_other(self, hf: Emulator, ask: Ask) -> None:
        hf.models = [build_model(f"a/{number}", "novita") for number in range(7)]
        found, path = [], "/api/models?inference=warm&limit=3"
        pages = 0
        while path:
            answer = ask(path)
            found += ids(answer)
            pages += 1
            link = answer.headers.get("link", "")
            assert not link or (
                link.startswith(f"<{hf.url}/api/models?inference=warm&") and link.endswith('>; rel="next"')
            )
            path = link[1:].partition(">")[0].removeprefix(hf.url)
        assert found == [f"a/{number}" for number in range(7)]
        assert pages == 3

    def test_a_page_has_a_thousand_items(self, hf: Emulator, ask: Ask) -> None:
        hf.models = [build_model(f"a/{number}", "novita") for number in range(1001)]
        answer = ask("/api/models")
        assert len(answer.json) == len(ask("/api/models?limit=5000").json) == 1000
        assert "link" in answer.headers

    @pytest.mark.parametrize(("limit", "count"), [(7, 7), (8, 7), (0, 0)])
    def test_the_last_page_has_no_next_link(self, hf: Emulator, ask: Ask, limit: int, count: int) -> None:
        hf.models = [build_model(f"a/{number}", "novita") for number in range(7)]
        answer = ask(f"/api/models?limit={limit}")
        assert len(answer.json) == count
        assert "link" not in answer.headers

    @pytest.mark.parametrize("query", ["cursor=nonsense", "cursor=e30%3D", "limit=many"])
    def test_an_invalid_parameter_is_400(self, ask: Ask, query: str) -> None:
        answer = ask(f"/api/models?{query}")
        assert answer.status == 400
        assert answer.json.keys() == {"error"}

    def test_the_listing_can_be_sorted(self, hf: Emulator, ask: Ask) -> None:
        hf.models = [build_model(f"a/{number}", likes=number) for number in (1, 3, 2)]
        assert ids(ask("/api/models?sort=likes&direction=-1")) == ["a/3", "a/2", "a/1"]
        assert ids(ask("/api/models")) == ["a/1", "a/3", "a/2"]

    @pytest.mark.parametrize("parameter", ["expand[]", "expand", "expand%5B%5D"])
    def test_only_expanded_fields_are_sent(self, ask: Ask, parameter: str) -> None:
        item = ask(f"/api/models?{parameter}=likes&{parameter}=gated&search=Llama-3.1").json[0]
        assert item == {"_id": item["_id"], "id": "meta-llama/Llama-3.1-8B-Instruct", "likes": 100, "gated": "manual"}

    def test_the_mapping_is_a_list_sent_only_on_request(self, ask: Ask) -> None:
        query = "/api/models?search=gpt-oss-20b"
        assert "inferenceProviderMapping" not in ask(query).json[0]
        first = ask(f"{query}&{MAPPING}").json[0]["inferenceProviderMapping"][0]
        assert first == {
            "_id": first["_id"],
            "provider": "groq",
            "providerId": "openai/gpt-oss-20b",
            "status": "live",
            "task": "conversational",
            "type": "single-model",
            "isModelAuthor": False,
            "features": {"toolCalling": True, "structuredOutput": True},
            "performance": {"firstTokenLatencyMs": 300.0, "tokensPerSecond": 100.0},
            "providerDetails": {"context_length": 131072, "pricing": {"input": 0.1, "output": 0.4}},
        }

    def test_a_mapping_entry_may_lack_unmeasured_fields(self, ask: Ask) -> None:
        entry = ask(f"/api/models?search=gpt-oss-120b&{MAPPING}").json[0]["inferenceProviderMapping"][-1]
        assert entry["provider"] == "featherless-ai"
        assert not entry.keys() & {"features", "performance", "providerDetails"}

    def test_an_unserved_model_has_no_mapping(self, ask: Ask) -> None:
        item = ask(f"/api/models?search=nobody&{MAPPING}&expand[]=inference").json[0]
        assert item.keys() == {"_id", "id"}

    def test_a_model_that_failed_its_test_is_mapped_but_not_warm(self, ask: Ask) -> None:
        item = ask(f"/api/models?search=error-only&{MAPPING}&expand[]=inference").json[0]
        assert "inference" not in item
        assert item["inferenceProviderMapping"][0]["status"] == "error"


class TestOneModel:
    def test_the_mapping_is_a_dict(self, ask: Ask) -> None:
        answer = ask(f"/api/models/google/gemma-4-31B-it?{MAPPING}").json
        assert answer.keys() == {"_id", "id", "inferenceProviderMapping"}
        assert list(answer["inferenceProviderMapping"]) == ["novita", "cerebras", "featherless-ai"]
        assert answer["inferenceProviderMapping"]["novita"] == {
            "status": "live",
            "providerId": "google/gemma-4-31b-it",
            "task": "conversational",
            "isModelAuthor": False,
        }

    def test_without_expand_a_model_has_more_fields_but_no_mapping(self, ask: Ask) -> None:
        answer = ask("/api/models/meta-llama/Llama-3.1-8B-Instruct").json
        assert (answer["author"], answer["gated"]) == ("meta-llama", "manual")
        assert "inferenceProviderMapping" not in answer

    def test_inference_is_warm_or_absent(self, ask: Ask) -> None:
        assert ask("/api/models/emulator/small?expand[]=inference").json["inference"] == "warm"
        assert "inference" not in ask("/api/models/emulator/nobody?expand[]=inference").json

    def test_a_renamed_model_is_a_relative_redirect_with_the_query(self, hf: Emulator, ask: Ask) -> None:
        hf.renamed = {"old/name": "emulator/small"}
        answer = ask(f"/api/models/old/name?{MAPPING}")
        assert answer.status == 307
        assert answer.headers["location"] == f"/api/models/emulator/small?{MAPPING}"
        assert ask("/api/models/old/name").headers["location"] == "/api/models/emulator/small"

    def test_a_name_in_another_case_is_a_redirect(self, ask: Ask) -> None:
        assert ask("/api/models/OpenAI/GPT-OSS-20B").headers["location"] == "/api/models/openai/gpt-oss-20b"

    def test_a_missing_model_is_401_without_a_key(self, ask: Ask) -> None:
        answer = ask("/api/models/no-such/model")
        assert (answer.status, answer.json) == (401, {"error": "Invalid username or password."})
        assert answer.headers["x-error-message"] == "Invalid username or password."
        assert "x-error-code" not in answer.headers

    def test_a_missing_model_is_404_with_one(self, ask: Ask) -> None:
        answer = ask("/api/models/no-such/model", key="hf_x")
        assert (answer.status, answer.headers["x-error-code"]) == (404, "RepoNotFound")


class TestRest:
    def test_whoami_returns_the_user_of_a_key(self, ask: Ask) -> None:
        answer = ask("/api/whoami-v2", key="hf_x").json
        assert (answer["type"], answer["name"], answer["orgs"]) == ("user", "emulator", [])
        scope = answer["auth"]["accessToken"]["fineGrained"]["scoped"][0]
        assert scope["permissions"] == ["inference.serverless.write"]

    def test_whoami_without_a_key_is_401(self, ask: Ask) -> None:
        assert ask("/api/whoami-v2").status == 401

    @pytest.mark.parametrize("path", ["/api/models", "/api/models/emulator/small", "/api/whoami-v2"])
    def test_a_wrong_key_is_401_everywhere(self, hf: Emulator, ask: Ask, path: str) -> None:
        hf.require_key = "hf_right"
        answer = ask(path, key="hf_wrong")
        assert (answer.status, answer.json) == (401, {"error": "Invalid credentials in Authorization header"})
        assert ask(path, key="hf_right").status == 200

    def test_public_resources_need_no_key(self, hf: Emulator, ask: Ask) -> None:
        hf.require_key = "hf_right"
        assert ask("/api/models").status == 200

    def test_every_answer_has_rate_limit_headers(self, ask: Ask) -> None:
        first, second = ask("/api/models/emulator/small").headers, ask("/api/nothing").headers
        assert first["ratelimit"] == '"api";r=499;t=300'
        assert second["ratelimit"] == '"api";r=498;t=300'
        assert first["ratelimit-policy"] == '"fixed window";"api";q=500;w=300'

    def test_a_key_raises_the_rate_limit(self, ask: Ask) -> None:
        assert "q=1000" in ask("/api/models", key="hf_x").headers["ratelimit-policy"]

    def test_an_unknown_path_is_404(self, ask: Ask) -> None:
        answer = ask("/api/nothing")
        assert (answer.status, answer.json.keys()) == (404, {"error"})

    def test_an_unsupported_method_is_405(self, ask: Ask) -> None:
        answer = ask("/api/models", method="POST")
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
