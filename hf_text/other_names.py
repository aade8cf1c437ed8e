"""Names from other libraries and servers, and their counterparts here: openai, huggingface_hub, litellm, ollama,
LangChain, requests, httpx, TGI, vLLM.
"""

from __future__ import annotations

__all__ = ["ADVICE", "ARGUMENTS", "ATTRIBUTES", "BODY_FIELDS"]


def _all(advice: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), advice)


# The names here, by the name in another library. A function has at most one of them.
ARGUMENTS: dict[str, tuple[str, ...]] = {
    name: tuple(here.split())
    for here, names in {
        "api_base": "base_url endpoint url api_url server host",
        "api_key": "token key hf_token access_token apikey",
        "approve": "approval on_tool_call require_approval",
        "bill_to": "organization organisation org",
        "connect timeout": "connect_timeout",
        "context min_context": "n_ctx ctx_size context_length num_ctx",
        "extra_headers": "headers",
        "first timeout": "first_token ttft",
        "gap timeout": "read read_timeout idle_timeout",
        "headers extra_headers": "default_headers",
        "max_input_tokens": "max_history max_context",
        "max_output_price": "max_price",
        "max_retries retries": "num_retries retries max_retries",
        "max_rounds": "max_steps max_iterations max_turns max_tool_rounds recursion_limit",
        "max_workers": "concurrency max_concurrency num_workers workers n_jobs",
        "max_tokens": "max_new_tokens max_completion_tokens max_output_tokens max_length num_predict",
        "media": "picture files audio",
        "media vision": "image images pictures",
        "messages": "prompt input inputs message question text history chat_history",
        "model": "model_id model_name repo_id",
        "output_type": "response_model text_format response_format type result_type",
        "output_type response_format structured_output": "schema json_schema",
        "parallel_tool_calls slots": "parallel",
        "provider": "inference_provider",
        "proxies": "proxy",
        "search": "query name",
        "seed": "random_seed",
        "sort": "order_by sort_by",
        "stop": "stop_sequences stop_words",
        "structured_output": "json",
        "system": "system_prompt system_message system_instruction instructions",
        "threads": "n_threads",
        "tool_choice": "function_call",
        "tools": "functions",
        "top_logprobs": "top_n_tokens",
        "total timeout": "timeout overall deadline request_timeout",
        "verify": "ca_bundle ssl_verify verify_ssl",
    }.items()
    for name in names.split()
}

# Body fields that some servers support.
BODY_FIELDS = frozenset(
    (
        *("top_k", "min_p", "typical_p", "repetition_penalty", "logit_bias", "user", "metadata", "store", "modalities"),
        *("service_tier", "verbosity", "prediction", "chat_template_kwargs"),
        *("guided_json", "guided_regex", "guided_choice"),
    )
)

_REASONING = (
    'reasoning_effort="low" sets it. Some servers turn it off with '
    'extra_body={"chat_template_kwargs": {"enable_thinking": False}}'
)

# Advice for arguments without a counterpart, by name, or by the last part of the function's name and the name here.
ADVICE: dict[str, str] = {
    "stream": "generate() returns the whole answer, stream() yields it in pieces: leave it out",
    "ordered": "The output is in the order of the answers; use batch.sort to restore the order of the rows",
    "stream_options": "Request token counts with include_usage=True",
    "options": "Pass each option as an argument of its own: temperature, max_tokens …",
    "models.limit": "Take the first ones from the list: models(…)[:10]",
    "Conversation.messages": "Assign them afterwards: conversation.messages = […]",
    **_all("One call returns one answer: call it once for each", "n best_of num_return_sequences num_completions"),
    **_all(
        'Put {"role": "system", "content": …} in front of the messages, or use Conversation(system=…)',
        "system system_prompt system_message system_instruction instructions",
    ),
    **_all(
        'For JSON pass response_format, "json_object" or a schema; for an object call parse(messages, output_type)',
        "json format json_mode",
    ),
    **_all(_REASONING, "thinking think reasoning enable_thinking thinking_budget reasoning_budget"),
    **_all(
        "There are no callbacks: loop over stream(…), or over stream(…).events()",
        "callback callbacks on_token on_text streamer",
    ),
    **_all('Set the level of the logger "hf_text" instead', "verbose debug log logger"),
    **_all("The server sets the size of the context", "n_ctx ctx_size context_length num_ctx"),
    **_all("Answers are not cached", "cache use_cache caching"),
    **_all("max_tokens limits an answer, and client.cost(answer) computes what it cost", "max_cost budget max_budget"),
    **_all(
        "Connections are configured with proxies, verify, cert, headers and timeout",
        "http_client session transport http_options http_async_client",
    ),
}

_ASK = "Here generate(messages, model) gives an answer, and stream(messages, model) its pieces"
_OTHER_TASKS = "This library is for text from chat models. For other tasks use huggingface_hub.InferenceClient"
_TEXT = "completion.text is the answer, and so is str(completion)"

_CLIENT = {
    **_all(_ASK, "chat completions responses messages chat_completion text_generation"),
    **_all(_ASK, "create complete invoke ask completion acompletion ChatCompletion"),
    **_all(_OTHER_TASKS, "embed embeddings feature_extraction images image_to_text text_to_image text_to_speech audio"),
    **_all("client.model(name).offers and client.mapping(name) list a model's providers", "providers list_providers"),
    **_all("Count with the model's tokenizer; completion.usage has the counts of an answer", "count_tokens tokenize"),
    **_all("stream.cancel() stops an answer, from any thread", "cancel abort stop"),
    **_all("hf_text.Conversation(client) keeps the messages", "conversation history"),
}

_MODULE = {
    **_CLIENT,
    **_all("Here it is called Client", "InferenceClient OpenAI HfApi Ollama"),
    **_all("Here it is called hf_text.aio.AsyncClient", "AsyncInferenceClient AsyncOpenAI"),
    **_all(
        "AsyncClient has the awaited methods: from hf_text.aio import AsyncClient", "agenerate astream async_generate"
    ),
    **_all("Here it is called HFTextError", "Error APIError HfError HFError OpenAIError"),
    **_all("Here it is called RequestTimeoutError", "APITimeoutError TimeoutError InferenceTimeoutError"),
    **_all("Here it is called TransportError", "APIConnectionError ConnectionError"),
    **_all(
        "Set the variable HF_TOKEN, run 'hf auth login', or pass Client(api_key)", "login set_key api_key set_api_key"
    ),
    **_all("It is in hf_text.notebook", "show"),
    **_all("It is in hf_text.local", "LocalServer"),
    **_all("It is in hf_text.emulator", "Emulator"),
    **_all("It is a method of Client", "cost model mapping hub_models"),
}

_COMPLETION = {
    **dict.fromkeys((name for name in dir(str) if not name.startswith("_")), _TEXT),
    **_all(_TEXT, "choices content message output_text generated_text delta answer output result"),
    **_all("completion.to_dict() gives a dict", "dict json model_dump model_dump_json to_json"),
    **_all("It is called request_id", "id"),
    **_all("parse(messages, output_type) gives an object", "parsed value"),
    **_all("client.cost(completion) computes it", "cost price"),
    **_all("completion.usage has the token counts", "tokens total_tokens prompt_tokens completion_tokens"),
    **_all("completion.timings has the seconds", "latency duration elapsed time seconds"),
    **_all("It is called reasoning", "reasoning_content thinking thoughts"),
    **_all("It is called finish_reason", "stop_reason finish"),
    **_all("It is called tool_calls", "function_call function_calls calls"),
    **_all("completion.extra has what the provider sent beyond the protocol", "raw response headers"),
    **_all("completion.to_message() gives a message", "role"),
}

_SEND = "conversation.generate(prompt) gives the next answer, and conversation.stream(prompt) its pieces"

_CONVERSATION = {
    **_all(
        _SEND,
        "chat chat_completion text_generation responses ask send say run invoke complete create completion prompt",
    ),
    **_all("It is called messages", "history chat_history"),
    **_all(
        "Pass the message to conversation.generate(), or assign to conversation.messages",
        "add append add_message add_user_message extend",
    ),
    **_all("Assign to conversation.messages what is to stay, the system message included", "clear reset"),
    **_all("It is called system", "system_prompt instructions"),
    **_all("client.cost(conversation) computes it", "cost price"),
    **_all("conversation.usage has the token counts", "tokens total_tokens"),
    **_all("conversation.stream(…).cancel() stops a turn, from any thread", "cancel stop abort"),
}

# Attributes that an answer has but a stream does not.
_STREAM = {
    **_all(
        "Once the stream was read to its end, stream.completion has the answer; until then, stream.partial",
        "text content message choices output_text usage finish_reason tool_calls reasoning timings tokens",
    ),
    **_all("stream.completion has the answer", "parse to_dict get_final_completion final"),
    **_all("stream.info has the provider and the model, once the answer has begun", "provider model"),
    **_all("client.cost(stream.completion) computes it", "cost price"),
    **_all("It is called cancel()", "stop abort interrupt"),
}

# Advice on attributes, by the kind of the object.
ATTRIBUTES: dict[str, dict[str, str]] = {
    "client": _CLIENT,
    "completion": _COMPLETION,
    "conversation": _CONVERSATION,
    "module": _MODULE,
    "stream": _STREAM,
}
