"""Log probabilities, from the request to the completion, and through its dict."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hf_text import Completion, InvalidRequestError
from hf_text.emulator import Emulator

pytestmark = pytest.mark.every_client


@pytest.mark.parametrize("top", [None, 0, 3])
def test_each_token_has_its_log_probability_and_the_likeliest_others(client: Any, top: int | None) -> None:
    answer = client.generate("Count", logprobs=True, **({} if top is None else {"top_logprobs": top}))
    assert "".join(token.token for token in answer.logprobs) == answer.text
    assert {token.logprob for token in answer.logprobs} == {-0.25}
    assert {len(token.top) for token in answer.logprobs} == {top or 0}
    if top:
        assert answer.logprobs[0].top[:2] == (("one", -0.25), ("other1", -3.5))
    assert Completion.from_dict(json.loads(json.dumps(answer.to_dict()))) == answer


def test_none_come_unasked(client: Any) -> None:
    assert client.generate("Count").logprobs == ()


def test_how_many_others_are_told_only_with_log_probabilities(emulator: Emulator, client: Any) -> None:
    with pytest.raises(InvalidRequestError, match="top_logprobs needs logprobs=True"):
        client.generate("Count", top_logprobs=3)
    assert emulator.requests == []
