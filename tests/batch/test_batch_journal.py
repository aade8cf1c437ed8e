"""The output as journal: what is kept, what is cut off, what is refused."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hf_text.batch.results import build_failure, build_result, encode_line, parse_line

from hf_text import Completion, InvalidRequestError, RateLimitError, ServerError, TransportError
from hf_text.batch.journal import Journal
from hf_text.events import ToolCall, Usage

Recorded = Callable[[], dict[str, dict[str, Any]]]


def answer(custom_id: str, text: str = "Hi") -> dict[str, Any]:
    return build_result(custom_id, Completion(text, finish_reason="stop"))


def failure(custom_id: str) -> dict[str, Any]:
    return build_failure(custom_id, ServerError("broken", status_code=500))


def write(path: Path, *lines: dict[str, Any], tail: bytes = b"") -> None:
    path.write_bytes(b"".join(map(encode_line, lines)) + tail)


class TestLines:
    def test_an_answer_is_a_result_of_the_batch_api(self) -> None:
        completion = Completion(
            "Hi", "hm", finish_reason="stop", usage=Usage(1, 2, 3, 4, 5), model="org/m", provider="groq", request_id="r"
        )
        line = build_result("a", completion)
        body = line["response"]["body"]
        assert list(line) == ["id", "custom_id", "response", "error"]
        assert (line["custom_id"], line["error"]) == ("a", None)
        assert (line["response"]["status_code"], line["response"]["request_id"]) == (200, "r")
        assert (body["object"], body["model"], body["provider"]) == ("chat.completion", "org/m", "groq")
        assert body["choices"] == [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi", "reasoning": "hm"},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ]
        assert body["usage"] == {
            "prompt_tokens": 1,
            "completion_tokens": 2,
            "total_tokens": 3,
            "completion_tokens_details": {"reasoning_tokens": 4},
            "prompt_tokens_details": {"cached_tokens": 5},
        }

    def test_calls_of_tools_stand_in_the_message(self) -> None:
        body = build_result("a", Completion(tool_calls=(ToolCall("1", "f", "{}"),)))["response"]["body"]
        call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        assert body["choices"][0]["message"] == {"role": "assistant", "content": None, "tool_calls": [call]}
        assert body["usage"] is None

    def test_a_failure_holds_what_the_server_said(self) -> None:
        error = RateLimitError("slow down", status_code=429, request_id="r", body={"error": "slow down"})
        line = build_failure("a", error)
        assert line["response"] == {"status_code": 429, "request_id": "r", "body": {"error": "slow down"}}
        assert line["error"] == {"code": "RateLimitError", "message": "slow down"}

    def test_a_failure_without_an_answer_has_no_response(self) -> None:
        assert build_failure("a", TransportError("no route"))["response"] is None

    @pytest.mark.parametrize("text", ["é\u2028\u2029\x85\x1c\r\n", "\ud83d", "日本"])
    def test_a_line_is_one_line_and_loses_nothing(self, text: str) -> None:
        data = encode_line(answer("a", text))
        assert len(data.decode().splitlines()) == 1
        assert json.loads(data)["response"]["body"]["choices"][0]["message"]["content"] == text

    def test_an_answer_and_a_failure_are_told_apart(self) -> None:
        assert parse_line(encode_line(answer("a"))) == ("a", True)
        assert parse_line(encode_line(failure("b"))) == ("b", False)
        assert parse_line(b'{"custom_id": "c", "response": {"status_code": 400, "body": {}}, "error": null}') == (
            "c",
            False,
        )


class TestOpening:
    def test_what_stands_in_it_is_known(self, output: Path) -> None:
        write(output, answer("a"), failure("b"), answer("c"))
        with Journal(output) as journal:
            assert journal.done == {"a", "c"}
            assert set(journal.failed) == {"b"}

    @pytest.mark.parametrize("length", [1, 10, 30, -2])
    def test_a_torn_last_line_is_cut_off(self, output: Path, length: int) -> None:
        write(output, answer("a"), tail=encode_line(answer("b"))[:length])
        with Journal(output) as journal:
            assert journal.done == {"a"}
            journal.append("c", answer("c"))
        assert [json.loads(line)["custom_id"] for line in output.read_bytes().splitlines()] == ["a", "c"]

    def test_a_whole_last_line_without_its_newline_is_kept(self, output: Path, recorded: Recorded) -> None:
        write(output, tail=encode_line(answer("a"))[:-1])
        with Journal(output) as journal:
            assert journal.done == {"a"}
            journal.append("b", answer("b"))
        assert set(recorded()) == {"a", "b"}

    def test_the_zeros_of_a_power_cut_are_cut_off(self, output: Path, recorded: Recorded) -> None:
        write(output, answer("a"), tail=bytes(100))
        with Journal(output) as journal:
            journal.append("b", answer("b"))
        assert set(recorded()) == {"a", "b"}

    @pytest.mark.parametrize(
        "content",
        [b"My notes", b"My notes\n", b'{"prompt": "Hi"}\n', b'{"prompt": "Hi"}', b"[" * 99_999 + b"\n"],
        ids=["a text", "a line of text", "a line of inputs", "inputs without newline", "nested without end"],
    )
    def test_a_file_of_something_else_is_refused_and_not_changed(self, output: Path, content: bytes) -> None:
        output.write_bytes(content)
        with pytest.raises(InvalidRequestError, match=r"output: .* is no result of a batch"):
            Journal(output)
        assert output.read_bytes() == content

    def test_the_inputs_are_refused_as_output(self, output: Path) -> None:
        output.write_text('"Hi"\n')
        with pytest.raises(InvalidRequestError, match="another file than the inputs"):
            Journal(output.parent / ".." / output.parent.name / output.name, str(output))

    def test_what_is_no_regular_file_is_refused(self) -> None:
        with pytest.raises(InvalidRequestError, match="regular file"):
            Journal(os.devnull)

    @pytest.mark.parametrize("path", [None, 5, ""])
    def test_what_is_no_path_is_refused(self, path: Any) -> None:
        with pytest.raises(InvalidRequestError, match="output must be the path of a file"):
            Journal(path)


class TestLock:
    def test_a_second_run_is_refused_until_the_first_ends(self, output: Path) -> None:
        with Journal(output), pytest.raises(InvalidRequestError, match="another run is writing to"):
            Journal(output)
        Journal(output).close()

    def test_a_run_that_opened_the_file_before_it_was_replaced_is_refused(
        self, output: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(output, failure("a"), answer("a"))
        first, lock = Journal(output), fcntl.flock

        def lock_late(descriptor: int, operation: int) -> None:
            first.drop_replaced()
            first.close()
            lock(descriptor, operation)

        monkeypatch.setattr(fcntl, "flock", lock_late)
        with pytest.raises(InvalidRequestError, match="another run is writing to"):
            Journal(output)

    def test_a_forked_process_does_not_hold_the_lock(self, output: Path) -> None:
        """Worker processes may outlive a run that was killed."""
        journal = Journal(output)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            child = os.fork()
            if not child:
                ours.close()
                theirs.send(b"!")
                theirs.recv(1)
                os._exit(0)
            theirs.close()
            ours.recv(1)
            journal.close()
            Journal(output).close()
        os.waitpid(child, 0)

    def test_where_files_cannot_be_locked_a_warning_is_given(
        self, output: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(descriptor: int, operation: int) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", refuse)
        with pytest.warns(UserWarning, match="cannot be locked"):
            Journal(output).close()


class TestReplacing:
    def test_the_line_of_a_failure_goes_when_the_row_has_another(self, output: Path, recorded: Recorded) -> None:
        write(output, failure("a"), answer("b"), failure("c"))
        output.chmod(0o640)
        with Journal(output) as journal:
            journal.append("a", answer("a"))
            journal.drop_replaced()
        assert {name: line["error"] is None for name, line in recorded().items()} == {"a": True, "b": True, "c": False}
        assert output.stat().st_mode & 0o777 == 0o640
        assert os.listdir(output.parent) == [output.name]

    def test_what_a_run_that_was_killed_left_double_is_put_right(self, output: Path, recorded: Recorded) -> None:
        write(output, failure("a"), failure("b"), answer("a"), failure("b"))
        with Journal(output) as journal:
            assert journal.done == {"a"}
            assert set(journal.failed) == {"b"}
            journal.drop_replaced()
        assert set(recorded()) == {"a", "b"}

    def test_an_answer_is_never_replaced_by_a_failure(self, output: Path, recorded: Recorded) -> None:
        write(output, answer("a"), failure("a"))
        with Journal(output) as journal:
            journal.drop_replaced()
        assert recorded()["a"]["error"] is None

    def test_where_the_file_cannot_be_replaced_both_lines_stay(self, output: Path) -> None:
        write(output, failure("a"), answer("a"))
        (output.parent / f"{output.name}.tmp").mkdir()
        with Journal(output) as journal:
            journal.drop_replaced()
        assert len(output.read_bytes().splitlines()) == 2
