"""Existing outputs: reading, conversion to a table, sorting, merging."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from batch_helpers import answer, encode, failure

from hf_text import Completion, HFTextError, InvalidRequestError, RateLimitError, ServerError, batch
from hf_text.batch.lines import Line
from hf_text.completion import Attempt, Logprob, Timings
from hf_text.events import ToolCall, Usage

ONE, TWO = b"question", b"another!"


def names(path: Path) -> list[str]:
    return [json.loads(line)["custom_id"] for line in path.read_bytes().splitlines()]


class TestRead:
    def test_an_answer_round_trips(self, output: Path) -> None:
        completion = Completion(
            "Hi",
            "hm",
            (ToolCall("1", "f", "{}"),),
            "tool_calls",
            Usage(1, 2, 3, 4, 5),
            "org/m",
            "groq",
            "r",
            Timings(0.25, 1.5),
            (Attempt("novita", 500, 0.5, "broken"), Attempt("groq", 200, 1.0)),
            "fp",
            (Logprob("Hi", -0.5, (("Hi", -0.5), ("Ho", -1.5))),),
            {"citations": ["https://example.org"]},
        )
        output.write_bytes(encode(Line("a", ONE, completion, 0.5, {"label": 3})))
        (outcome,) = batch.read(output)
        assert outcome == batch.Outcome("a", completion, None, {"label": 3}, 0.5, ONE)
        assert (outcome.text, outcome.ok) == ("Hi", True)

    def test_a_failure_round_trips_as_its_error(self, output: Path) -> None:
        output.write_bytes(encode(failure("a", RateLimitError("slow down", status_code=429))))
        (outcome,) = batch.failures(output)
        assert isinstance(outcome.error, RateLimitError)
        assert (str(outcome.error), outcome.error.status_code, outcome.text) == ("slow down", 429, None)

    def test_openai_batch_results_are_read(self, output: Path) -> None:
        body = {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}], "model": "gpt"}
        response = {"status_code": 200, "request_id": "r", "body": body}
        lines = [
            {"id": "1", "custom_id": "a", "response": response, "error": None},
            {"id": "2", "custom_id": "b", "response": {"status_code": 400, "body": {}}, "error": None},
        ]
        output.write_text("".join(json.dumps(line) + "\n" for line in lines))
        first, second = batch.read(output)
        assert (first.text, first.completion and first.completion.model) == ("Hi", "gpt")
        assert type(second.error) is HFTextError
        assert str(second.error) == "the server answered 400"

    def test_the_winning_line_of_a_row_is_returned(self, output: Path) -> None:
        output.write_bytes(
            encode(
                failure("a"),
                answer("b"),
                answer("a", "Yes"),
                failure("b"),
                answer("c", "old", ONE),
                failure("c", asked=TWO),
            )
        )
        assert [(outcome.custom_id, outcome.text) for outcome in batch.read(output)] == [
            ("b", "Hi"),
            ("a", "Yes"),
            ("c", None),
        ]

    def test_a_torn_last_line_is_skipped(self, output: Path) -> None:
        output.write_bytes(encode(answer("a")) + encode(answer("b"))[:50])
        assert [outcome.custom_id for outcome in batch.read(output)] == ["a"]

    def test_a_compressed_output_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "out.jsonl.gz"
        path.write_bytes(gzip.compress(encode(answer("a"))))
        assert [outcome.custom_id for outcome in batch.read(path)] == ["a"]

    def test_a_foreign_file_is_refused_with_its_line_number(self, output: Path) -> None:
        output.write_bytes(encode(answer("a")) + b"rubbish\n")
        with pytest.raises(InvalidRequestError, match="line 2 is not a result of a batch: b'rubbish'"):
            list(batch.read(output))


class TestFrame:
    def test_each_outcome_is_a_row_with_columns(self, output: Path) -> None:
        usage = Completion("Hi", finish_reason="stop", usage=Usage(1, 2, 3), model="org/m", timings=Timings(0.1, 0.5))
        output.write_bytes(encode(Line("a", ONE, usage, 0.5, {"label": "x"}), failure("b", ServerError("broken"))))
        frame = batch.to_frame(output)
        assert list(frame.columns) == [
            "custom_id",
            "label",
            "text",
            "finish_reason",
            "model",
            "provider",
            "prompt_tokens",
            "completion_tokens",
            "cost",
            "seconds",
            "error",
        ]
        assert frame.iloc[0]["text"] == "Hi"
        assert frame.iloc[0]["seconds"] == 0.5
        assert frame.iloc[1]["error"] == "ServerError: broken"

    def test_a_kept_column_with_a_name_of_the_answer_is_not_lost(self, output: Path) -> None:
        output.write_bytes(encode(Line("a", ONE, Completion("Yes"), 0.5, {"text": "Great", "cost": 3})))
        (row,) = batch.to_frame(output).to_dict("records")
        assert (row["text"], row["row_text"], row["cost"], row["row_cost"]) == ("Yes", "Great", 0.5, 3)

    def test_an_empty_output_has_the_columns(self, output: Path) -> None:
        output.write_bytes(b"")
        frame = batch.to_frame(output)
        assert len(frame) == 0
        assert "text" in frame.columns


class TestSort:
    def test_lines_are_sorted_in_input_order(self, output: Path) -> None:
        output.write_bytes(encode(answer("c"), answer("x"), failure("a"), answer("b"), answer("a")))
        batch.sort([{"custom_id": name, "prompt": name} for name in "abcd"], output)
        assert names(output) == ["a", "b", "c", "x"]
        assert [outcome.ok for outcome in batch.read(output)] == [True] * 4


class TestMerge:
    def test_shards_merge_into_one_file(self, output: Path, tmp_path: Path) -> None:
        (tmp_path / "0").write_bytes(encode(answer("a"), failure("b")))
        (tmp_path / "1").write_bytes(encode(answer("c"), answer("b")))
        assert batch.merge([tmp_path / "0", tmp_path / "1"], output) == 3
        assert names(output) == ["a", "c", "b"]
        assert batch.merge([tmp_path / "1"], output) == 3
        assert names(output) == ["a", "c", "b"]

    def test_a_path_alone_is_refused(self, output: Path) -> None:
        with pytest.raises(InvalidRequestError, match="outputs must be a list of paths"):
            batch.merge(str(output), output)

    def test_no_paths_are_refused(self, output: Path) -> None:
        with pytest.raises(InvalidRequestError, match="nothing to merge"):
            batch.merge([], output)
