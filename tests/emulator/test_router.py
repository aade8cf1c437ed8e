"""The router's built-in answers: chat completions, refusals, and the model list."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hf_text.emulator import Emulator, build_model

Ask = Callable[..., Any]
CHAT = "/v1/chat/completions"
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}

LOOK_UP = {
    "type": "function",
    "function": {
        "name": "look_up",
        "parameters": {
            "type": "object",
            "properties": {
                "what": {"type": "string"},
                "how": {"$ref": "#/$defs/How"},
                "limit": {"type": "integer", "minimum": 3},
                "more": {"type": "boolean"},
            },
            "required": ["what", "how", "limit"],
            "$defs": {"How": {"enum": ["fast", "slow"]}},
        },
    },
}
CALL = {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}


def body(content: Any = "Hi", model: str = "emulator/small", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": content}], **more}


def text_of(answer: Any) -> str:
    return str(answer.json["choices"][0]["message"]["content"])


class TestAnswers:
    def test_an_answer_says_that_no_model_wrote_it_and_echoes_the_question(self, ask: Ask) -> None:
        answer = ask(CHAT, body("What is 1+1?"))
        assert text_of(answer) == "This is the hf_text emulator, not a real model. You asked: What is 1+1?"

    def test_a_stream_has_the_same_text_in_pieces(self, ask: Ask) -> None:
        streamed = ask(CHAT, body("Tell me  a\njoke\n", stream=True))
        assert streamed.headers["content-type"] == "text/event-stream"
        assert streamed.text == text_of(ask(CHAT, body("Tell me  a\njoke\n")))
        assert streamed.events[-1] == "[DONE]"
        assert len(streamed.events) > 10

    def test_the_last_user_message_is_echoed(self, ask: Ask) -> None:
        messages = [
            {"role": "system", "content": "Be kind"},
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": ""},
            {"role": "user", "content": [{"type": "text", "text": "second"}, {"type": "text", "text": "third"}]},
        ]
        assert text_of(ask(CHAT, {**body(), "messages": messages})).endswith("You asked: second third")

    def test_tool_results_are_echoed(self, ask: Ask) -> None:
        messages = [
            {"role": "user", "content": "Weather?"},
            CALLED,
            {"role": "tool", "content": "sunny", "tool_call_id": "1"},
        ]
        assert text_of(ask(CHAT, {**body(), "messages": messages})).endswith("Weather? The tools said: sunny")

    def test_a_count_is_answered_with_numbers(self, ask: Ask) -> None:
        assert ask(CHAT, body("Count", stream=True)).text == "one two three four five six seven eight nine ten"

    @pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
    def test_max_tokens_ends_the_answer(self, ask: Ask, name: str) -> None:
        answer = ask(CHAT, body("Count") | {name: 3})
        assert text_of(answer) == "one two three"
        assert answer.json["choices"][0]["finish_reason"] == "length"
        assert answer.json["usage"]["completion_tokens"] == 3

    def test_max_tokens_equal_to_the_length_is_a_stop(self, ask: Ask) -> None:
        assert ask(CHAT, body("Count", max_tokens=10)).json["choices"][0]["finish_reason"] == "stop"

    def test_stream_usage_is_sent_only_on_request(self, ask: Ask) -> None:
        def find_usage(**more: Any) -> list[Any]:
            events = ask(CHAT, body("Count", stream=True, **more)).events[:-1]
            return [event["usage"] for event in events if event.get("usage")]

        assert find_usage() == find_usage(stream_options={"include_usage": False}) == []
        asked = find_usage(stream_options={"include_usage": True})
        assert asked == [{"prompt_tokens": 1, "completion_tokens": 10, "total_tokens": 11}]

    def test_reasoning_is_sent_when_an_effort_is_requested(self, ask: Ask) -> None:
        message = ask(CHAT, body(reasoning_effort="low")).json["choices"][0]["message"]
        assert message["reasoning_content"].startswith("The emulator does not think")
        assert "reasoning_content" not in ask(CHAT, body(reasoning_effort="none")).json["choices"][0]["message"]

    def test_reasoning_counts_towards_max_tokens(self, ask: Ask) -> None:
        choice = ask(CHAT, body(reasoning_effort="low", max_tokens=2)).json["choices"][0]
        assert choice["message"] == {"role": "assistant", "content": "", "reasoning_content": "The emulator"}
        assert choice["finish_reason"] == "length"

    @pytest.mark.parametrize(
        ("choice", "name"),
        [("required", "get_weather"), ({"type": "function", "function": {"name": "other"}}, "other")],
    )
    def test_a_required_tool_is_called(self, ask: Ask, choice: Any, name: str) -> None:
        other = {"type": "function", "function": {"name": "other"}}
        answer = ask(CHAT, body(tools=[TOOL, other], tool_choice=choice)).json["choices"][0]
        assert answer["message"]["tool_calls"][0]["function"] == {"name": name, "arguments": "{}"}
        assert answer["finish_reason"] == "tool_calls"

    def test_a_tool_named_by_the_user_is_called_with_valid_arguments(self, ask: Ask) -> None:
        answer = ask(CHAT, body("Use look_up now", tools=[TOOL, LOOK_UP])).json["choices"][0]
        (call,) = answer["message"]["tool_calls"]
        assert call["function"]["name"] == "look_up"
        assert json.loads(call["function"]["arguments"]) == {"what": "emulated", "how": "fast", "limit": 3}

    def test_both_named_tools_are_called_unless_parallel_calls_are_off(self, ask: Ask) -> None:
        named = {"tools": [TOOL, LOOK_UP]}
        both = ask(CHAT, body("look_up and get_weather", **named)).json["choices"][0]["message"]
        one = ask(CHAT, body("look_up and get_weather", parallel_tool_calls=False, **named)).json["choices"][0][
            "message"
        ]
        assert (len(both["tool_calls"]), len(one["tool_calls"])) == (2, 1)

    @pytest.mark.parametrize("choice", [None, "auto", "none"])
    def test_an_optional_tool_is_not_called(self, ask: Ask, choice: Any) -> None:
        assert "tool_calls" not in ask(CHAT, body(tools=[TOOL], tool_choice=choice)).json["choices"][0]["message"]

    @pytest.mark.parametrize(("count", "words"), [(1, "You sent 1 picture."), (2, "You sent 2 pictures.")])
    def test_pictures_are_acknowledged(self, ask: Ask, count: int, words: str) -> None:
        content = [{"type": "text", "text": "What is it?"}, *[PICTURE] * count]
        assert words in text_of(ask(CHAT, body(content, "google/gemma-4-31B-it")))

    def test_json_is_answered_with_json(self, ask: Ask) -> None:
        assert '"asked": "Hi"' in text_of(ask(CHAT, body(response_format={"type": "json_object"})))

    def test_a_schema_is_followed(self, ask: Ask) -> None:
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": LOOK_UP["function"]["parameters"]}}
        answer = text_of(ask(CHAT, body(response_format=form)))
        assert json.loads(answer) == {"what": "emulated", "how": "fast", "limit": 3}

    def test_a_provider_may_ignore_the_schema(self, hf: Emulator, ask: Ask) -> None:
        hf.models = [build_model("a/b", {"provider": "novita", "ignores_response_format": True})]
        assert "You asked: Hi" in text_of(ask(CHAT, body(model="a/b", response_format=SCHEMA)))

    def test_each_piece_has_log_probabilities(self, ask: Ask) -> None:
        told = ask(CHAT, body("Count", logprobs=True, top_logprobs=2)).json["choices"][0]["logprobs"]["content"]
        assert [len(token["top_logprobs"]) for token in told] == [2]
        streamed = ask(CHAT, body("Count", logprobs=True, top_logprobs=2, stream=True)).body
        assert streamed.count(b'"top_logprobs"') == 10


class TestProviders:
    @pytest.mark.parametrize(
        ("suffix", "provider"),
        [
            ("", "novita"),
            (":preferred", "novita"),
            (":fastest", "together"),
            (":cheapest", "novita"),
            (":groq", "groq"),
        ],
    )
    def test_a_suffix_chooses_the_provider(self, ask: Ask, suffix: str, provider: str) -> None:
        answer = ask(CHAT, body(model=f"openai/gpt-oss-120b{suffix}"))
        assert answer.headers["x-inference-provider"] == provider
        assert answer.json["model"] == "openai/gpt-oss-120b"
        assert answer.headers["x-request-id"].startswith("Root=1-")

    def test_a_provider_that_is_not_live_is_skipped(self, hf: Emulator, ask: Ask) -> None:
        hf.models = [build_model("a/b", {"provider": "novita", "status": "error"}, {"provider": "groq"})]
        assert ask(CHAT, body(model="a/b")).headers["x-inference-provider"] == "groq"

    def test_a_provider_streams_in_its_own_style(self, ask: Ask) -> None:
        answer = ask(CHAT, body(model="openai/gpt-oss-120b:groq", stream=True))
        assert answer.events[-2]["x_groq"] == {"id": "req_emulator"}

    def test_a_provider_without_a_known_style_streams_like_openai(self, ask: Ask) -> None:
        answer = ask(CHAT, body(model="meta-llama/Llama-3.1-8B-Instruct:nscale", stream=True))
        assert answer.events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}

    @pytest.mark.parametrize(
        ("path", "model"),
        [
            ("/novita/v3/openai/chat/completions", "meta-llama/llama-3.1-8b-instruct"),
            ("/groq/openai/v1/chat/completions", "openai/gpt-oss-120b"),
            ("/fireworks-ai/inference/v1/chat/completions", "accounts/fireworks/models/gpt-oss-120b"),
            ("/cerebras/v1/chat/completions", "gpt-oss-120b"),
            ("/together/v1/chat/completions", "openai/gpt-oss-120b"),
            ("/zai-org/api/paas/v4/chat/completions", "zai-org/GLM-5.2"),
            ("/cohere/compatibility/v1/chat/completions", "CohereLabs/command-a"),
            ("/baseten/v1/chat/completions", "zai-org/GLM-5.2"),
            ("/nscale/v1/chat/completions", "meta-llama/Llama-3.1-8B-Instruct"),
        ],
    )
    def test_each_provider_has_its_route_and_model_names(self, ask: Ask, path: str, model: str) -> None:
        answer = ask(path, body(model=model))
        assert answer.status == 200
        assert answer.headers["x-inference-provider"] == path.split("/")[1]
        assert answer.json["model"] == model

    def test_a_provider_in_the_catalogue_has_a_route(self, hf: Emulator, ask: Ask) -> None:
        hf.models = [build_model("a/b", "invented")]
        assert ask("/invented/v1/chat/completions", body(model="a/b")).status == 200

    @pytest.mark.parametrize("model", ["meta-llama/Llama-3.1-8B-Instruct", "nobody/knows"])
    def test_a_model_name_of_another_provider_is_refused(self, ask: Ask, model: str) -> None:
        answer = ask("/novita/v3/openai/chat/completions", body(model=model))
        assert (answer.status, answer.json) == (400, {"error": "Model not supported by provider novita"})

    def test_hf_inference_serves_no_chat_model(self, ask: Ask) -> None:
        answer = ask(
            "/hf-inference/models/google/gemma-3-27b-it/v1/chat/completions", body(model="google/gemma-3-27b-it")
        )
        assert (answer.status, answer.json) == (400, {"error": "Model not supported by provider hf-inference"})

    def test_hf_inference_serves_what_the_catalogue_says(self, hf: Emulator, ask: Ask) -> None:
        hf.models = [build_model("a/b", "hf-inference")]
        assert ask("/hf-inference/models/a%2Fb/v1/chat/completions", body(model="a/b")).status == 200

    @pytest.mark.parametrize(
        "path", ["/novita/v1/chat/completions", "/nobody/v1/chat/completions", "/x/chat/completions"]
    )
    def test_a_wrong_route_is_not_found(self, ask: Ask, path: str) -> None:
        answer = ask(path, body())
        assert (answer.status, answer.body) == (404, b"Not Found")


class TestRefusals:
    @pytest.mark.parametrize(
        ("model", "code", "message"),
        [
            ("no-such/model", "model_not_found", "The requested model 'no-such/model' does not exist."),
            ("no-such/model:groq", "model_not_found", "The requested model 'no-such/model' does not exist."),
            *(
                (
                    f"emulator/{name}",
                    "model_not_supported",
                    f"The requested model 'emulator/{name}' is not supported by any provider you have enabled.",
                )
                for name in ("nobody", "error-only", "staging-only", "painter")
            ),
            (
                "emulator/small:groq",
                "model_not_supported",
                "The requested model 'emulator/small' is not supported by provider 'groq'.",
            ),
        ],
    )
    def test_an_unavailable_model_is_400(self, ask: Ask, model: str, code: str, message: str) -> None:
        answer = ask(CHAT, body(model=model, stream=True))
        assert answer.status == 400
        assert answer.json == {
            "error": {"message": message, "type": "invalid_request_error", "param": "model", "code": code}
        }
        assert "x-inference-provider" not in answer.headers

    def test_a_picture_for_a_text_model_is_400(self, ask: Ask) -> None:
        answer = ask(CHAT, body([PICTURE]))
        assert (answer.status, answer.json["message"]) == (400, "model features vision not support")
        assert answer.headers["x-inference-provider"] == "novita"

    def test_tools_for_a_provider_without_tool_support_are_400(self, ask: Ask) -> None:
        answer = ask(CHAT, body(model="emulator/no-tools", tools=[TOOL]))
        assert (answer.status, answer.json["message"]) == (400, "model features function calling not support")

    def test_a_schema_for_a_provider_without_schema_support_is_400(self, hf: Emulator, ask: Ask) -> None:
        hf.models = [build_model("a/b", {"provider": "novita", "supports_structured_output": False})]
        answer = ask(CHAT, body(model="a/b", response_format=SCHEMA))
        assert (answer.status, answer.json["message"]) == (400, "model features structured outputs not support")

    @pytest.mark.parametrize(
        ("form", "words"),
        [
            ({"type": "object", "properties": {}}, "response_format.type"),
            ({"type": "json_schema"}, "json_schema.name: Field required"),
            ({"type": "json_schema", "json_schema": {"name": "x"}}, "json_schema.schema: Field required"),
            ({**SCHEMA, "schema": {}}, "not permitted, field: 'response_format.schema'"),
            (
                {"type": "json_schema", "json_schema": {**SCHEMA["json_schema"], "x": 1}},
                "response_format.json_schema.x",
            ),
        ],
        ids=str,
    )
    def test_a_response_format_in_another_form_is_400(self, ask: Ask, form: Any, words: str) -> None:
        answer = ask(CHAT, body(response_format=form))
        assert answer.status == 400
        assert words in answer.json["error"]["message"]

    @pytest.mark.parametrize(
        ("provider", "route", "form"),
        [
            ("cohere", "compatibility/v1", {"type": "json_object", "schema": {"type": "object"}}),
            ("fireworks-ai", "inference/v1", {"type": "json_object", "schema": {"type": "object"}}),
            ("together", "v1", {"type": "json_schema", "schema": {"type": "object"}}),
            ("hf-inference", "models/a/b/v1", {"type": "json_object", "value": {"type": "object"}}),
            ("groq", "openai/v1", SCHEMA),
        ],
    )
    def test_a_provider_route_requires_its_own_response_format(
        self, hf: Emulator, ask: Ask, provider: str, route: str, form: Any
    ) -> None:
        hf.models = [build_model("a/b", {"provider": provider, "providerId": "a/b"})]
        path = f"/{provider}/{route}/chat/completions"
        assert text_of(ask(path, body(model="a/b", response_format=form))) == "{}"
        assert ask(path, body(model="a/b", response_format=SCHEMA)).status == (200 if form is SCHEMA else 400)

    @pytest.mark.parametrize(
        "sent",
        [{"best_of": 2}, {"response_format": {**SCHEMA, "json_schema": {"name": "x", "schema": {"$schema": "x"}}}}],
        ids=str,
    )
    def test_fireworks_refuses_unknown_fields(self, hf: Emulator, ask: Ask, sent: Any) -> None:
        hf.models = [build_model("a/b", "fireworks-ai", "novita")]
        assert ask(CHAT, body(model="a/b", **sent)).status == 400
        assert ask(CHAT, body(model="a/b:novita", **sent)).status == 200

    @pytest.mark.parametrize(
        ("messages", "words"),
        [
            ([CALLED], "did not have response messages: 1"),
            ([CALLED, {"role": "user", "content": "Hi"}], "messages[1]: tool_call_ids did not have response"),
            ([{"role": "tool", "tool_call_id": "1", "content": "x"}], "no call with the id '1'"),
            ([{"role": "assistant", "tool_calls": [CALL]}], "missing field `content`"),
            ([{"role": "assistant", "content": None}], "content should be"),
        ],
        ids=str,
    )
    def test_unmatched_calls_and_results_are_refused(self, ask: Ask, messages: Any, words: str) -> None:
        answer = ask(CHAT, {"model": "emulator/small", "messages": messages})
        assert answer.status == 422
        assert words in answer.json["detail"][0]["msg"]

    @pytest.mark.parametrize(
        ("sent", "status", "words"),
        [
            (
                body(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "other"}}),
                422,
                "unknown tool 'other'",
            ),
            (body(tool_choice="auto"), 422, "tools must not be empty"),
            (body(tools=[TOOL], tool_choice="sometimes"), 422, "unknown value"),
            (body(tools=[{"type": "function", "function": {"name": "a b"}}]), 422, "should match pattern"),
            (body(tools=[{"type": "function", "function": {"name": "a", "parameters": {}}}]), 422, "type 'object'"),
            (body(top_logprobs=2), 422, "logprobs must be true"),
            ([], 422, "valid dictionary"),
            ({}, 400, "model parameter"),
            ({"model": 3}, 400, "model parameter"),
            ({"model": "emulator/small"}, 400, "'messages'"),
            ({"model": "emulator/small", "messages": []}, 400, "'messages'"),
            ({"model": "emulator/small", "messages": "Hi"}, 400, "'messages'"),
            ({"model": "emulator/small", "messages": ["Hi"]}, 422, "messages[0]"),
            ({"model": "emulator/small", "messages": [{"role": "wizard", "content": "x"}]}, 422, "role should be"),
            (body(None), 422, "content should be"),
            (body([{"text": "x"}]), 422, "content should be"),
            (body(7), 422, "content should be"),
            (body(max_tokens="many"), 422, "max_tokens: Input should be a valid integer"),
            (body(max_tokens=0), 422, "greater than or equal to 1"),
            (body(max_completion_tokens=-1), 422, "greater than or equal to 1"),
            (body(temperature="hot"), 422, "temperature"),
            (body(stream="yes"), 422, "stream"),
            (body(stream_options=True), 422, "stream_options"),
            (body(tools={}), 422, "tools"),
            (body(tools=[{"name": "x"}]), 422, "tools[0].function.name"),
            (body(tools=[TOOL], tool_choice={"type": "function"}), 422, "tool_choice.function.name"),
            (body(response_format="json"), 422, "response_format"),
        ],
        ids=lambda value: str(value)[:60],
    )
    def test_an_invalid_request_body_is_refused(self, ask: Ask, sent: Any, status: int, words: str) -> None:
        answer = ask(CHAT, sent)
        assert answer.status == status
        assert words in answer.body.decode()

    def test_a_body_that_is_not_json_is_400(self, ask: Ask) -> None:
        answer = ask(CHAT, method="POST")
        assert answer.status == 400
        assert "JSON" in answer.json["error"]["message"]

    @pytest.mark.parametrize(("path", "allowed"), [(CHAT, "POST"), ("/v1/models", "GET, HEAD")])
    def test_an_unsupported_method_is_405(self, ask: Ask, path: str, allowed: str) -> None:
        answer = ask(path, method="DELETE")
        assert (answer.status, answer.headers["allow"]) == (405, allowed)

    def test_an_unknown_path_is_404(self, ask: Ask) -> None:
        answer = ask("/v1/completions", body())
        assert (answer.status, answer.body) == (404, b"Not Found")

    def test_the_front_page_identifies_the_emulator(self, ask: Ask) -> None:
        assert ask("/").body.startswith(b"This is the hf_text emulator, not a real model.")


class TestModels:
    def test_the_list_has_the_router_s_shape(self, ask: Ask) -> None:
        answer = ask("/v1/models").json
        assert answer["object"] == "list"
        model = next(model for model in answer["data"] if model["id"] == "google/gemma-4-31B-it")
        assert model.keys() == {"id", "object", "created", "owned_by", "architecture", "providers"}
        assert model["architecture"] == {"input_modalities": ["text", "image"], "output_modalities": ["text"]}
        assert model["providers"][0].keys() == {
            "provider",
            "status",
            "context_length",
            "pricing",
            "is_free",
            "supports_tools",
            "supports_structured_output",
            "first_token_latency_ms",
            "throughput",
            "is_model_author",
        }

    def test_a_provider_may_list_only_required_fields(self, ask: Ask) -> None:
        model = ask("/v1/models/openai/gpt-oss-120b").json
        assert model["providers"][-1] == {
            "provider": "featherless-ai",
            "status": "live",
            "is_free": False,
            "is_model_author": False,
        }

    def test_the_list_contains_only_chat_models(self, ask: Ask) -> None:
        ids = {model["id"] for model in ask("/v1/models").json["data"]}
        assert ids >= {"openai/gpt-oss-120b", "meta-llama/Llama-3.1-8B-Instruct", "emulator/error-only"}
        assert not ids & {"emulator/nobody", "emulator/painter", "emulator/embedder", "emulator/staging-only"}

    def test_a_missing_model_is_404(self, ask: Ask) -> None:
        assert ask("/v1/models/no-such/model").status == 404

    def test_a_provider_lists_its_own_model_names(self, ask: Ask) -> None:
        ids = [model["id"] for model in ask("/fireworks-ai/inference/v1/models").json["data"]]
        assert ids == ["accounts/fireworks/models/gpt-oss-120b"]

    def test_the_catalogue_can_be_replaced(self, hf: Emulator, ask: Ask) -> None:
        hf.models = [build_model("a/b", {"provider": "novita", "pricing": None, "throughput": 7.0}, created=5)]
        (model,) = ask("/v1/models").json["data"]
        assert (model["id"], model["created"], model["owned_by"]) == ("a/b", 5, "a")
        assert "pricing" not in model["providers"][0]
        assert model["providers"][0]["throughput"] == 7.0


class TestKeys:
    @pytest.fixture
    def hf(self, hf: Emulator) -> Emulator:
        hf.require_key = "hf_right"
        return hf

    @pytest.mark.parametrize("path", [CHAT, "/novita/v3/openai/chat/completions"])
    def test_a_request_without_a_key_gets_an_html_page(self, ask: Ask, path: str) -> None:
        answer = ask(path, body())
        assert answer.status == 401
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["www-authenticate"].startswith("Bearer realm=")

    @pytest.mark.parametrize(
        ("path", "sent"), [(CHAT, body()), ("/together/v1/chat/completions", body()), ("/v1/models", None)]
    )
    def test_a_wrong_key_is_401(self, ask: Ask, path: str, sent: Any) -> None:
        answer = ask(path, sent, key="hf_wrong")
        assert (answer.status, answer.json) == (401, {"error": "Invalid credentials in Authorization header"})
        assert answer.headers["x-error-message"] == "Invalid credentials in Authorization header"

    def test_the_key_is_checked_before_the_model(self, ask: Ask) -> None:
        assert ask(CHAT, body(model="no-such/model"), key="hf_wrong").status == 401

    def test_the_right_key_is_accepted(self, ask: Ask) -> None:
        assert ask(CHAT, body(), key="hf_right").status == 200

    def test_the_model_list_needs_no_key(self, ask: Ask) -> None:
        assert ask("/v1/models").status == 200
