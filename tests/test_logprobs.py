"""Log probabilities, from the request to the completion and through its dict."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hf_text import Completion, InvalidRequestError
from hf_text.emulator import Emulator

pytestmark = pytest.mark.every_client


@pytest.mark.parametrize("top", [None, 0, 3])
def test_each_token_has_its_log_probability_and_alternatives(client: Any, top: int | None) -> None:
    answer = client.generate("Count", logprobs=True, **({} if top is None else {"top_logprobs": top}))
    assert "".join(token.token for token in answer.logprobs) == answer.text
    assert {token.logprob for token in answer.logprobs} == {-0.25}
    assert {len(token.top) for token in answer.logprobs} == {top or 0}
    if top:
        assert answer.logprobs[0].top[:2] == (("one", -0.25), ("other1", -3.5))
    assert Completion.from_dict(json.loads(json.dumps(answer.to_dict()))) == answer


def test_log_probabilities_are_not_sent_by_default(client: Any) -> None:
    assert client.generate("Count").logprobs == ()


def test_top_logprobs_is_only_sent_with_logprobs(emulator: Emulator, client: Any) -> None:
    with pytest.raises(InvalidRequestError, match="top_logprobs needs logprobs=True"):
        client.generate("Count", top_logprobs=3)
    assert emulator.requests == []
