"""The output file as a journal: which lines are kept, cut off or refused."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from batch_helpers import answer, encode, failure
from thorough import THOROUGH

import hf_text
from hf_text import Completion, HFTextWarning, InvalidRequestError, RateLimitError, TransportError
from hf_text.batch.index import ANSWERED, FAILED, NO_FINGERPRINT
from hf_text.batch.journal import Journal
from hf_text.batch.lines import Line, build_line, parse_head
from hf_text.completion import Attempt, Timings
from hf_text.events import ToolCall, Usage

Recorded = Callable[[], dict[str, dict[str, Any]]]

ONE, TWO = b"question", b"another!"


def line_of(completion: Completion, **fields: Any) -> dict[str, Any]:
    return json.loads(build_line(Line("a", ONE, completion, **fields)))  # type: ignore[no-any-return]


def write(path: Path, *lines: Line, tail: bytes = b"") -> None:
    path.write_bytes(encode(*lines) + tail)


def known(journal: Journal, *names: str) -> list[int]:
    return [journal.index.get(name)[0] & (ANSWERED | FAILED) for name in names]


def names(path: Path) -> list[str]:
    return [json.loads(line)["custom_id"] for line in path.read_bytes().splitlines() if line]


class TestLines:
    def test_an_answer_is_a_result_of_the_batch_api(self) -> None:
        completion = Completion(
            "Hi",
            "hm",
            finish_reason="stop",
            usage=Usage(1, 2, 3, 4, 5),
            model="org/m",
            provider="groq",
            request_id="r",
            timings=Timings(0.25, 1.5),
        )
        line = line_of(completion, cost=0.5, columns={"label": 3})
        body = line["response"]["body"]
        assert set(line) >= {"id", "custom_id", "response", "error"}
        assert (line["custom_id"], line["error"], line["cost"]) == ("a", None, 0.5)
        assert (line["columns"], line["timings"]) == ({"label": 3}, {"first_token": 0.25, "total": 1.5})
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

    def test_tool_calls_are_in_the_message(self) -> None:
        body = line_of(Completion(tool_calls=(ToolCall("1", "f", "{}"),)))["response"]["body"]
        call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        assert body["choices"][0]["message"] == {"role": "assistant", "content": None, "tool_calls": [call]}
        assert body["usage"] is None

    def test_all_attempts_are_recorded(self) -> None:
        attempts = (Attempt("groq", 500, 0.5, "broken"), Attempt("novita", 200, 1.0))
        assert [attempt["provider"] for attempt in line_of(Completion("Hi", attempts=attempts))["attempts"]] == [
            "groq",
            "novita",
        ]

    def test_a_failure_holds_the_server_message(self) -> None:
        error = RateLimitError("slow down", status_code=429, request_id="r", body={"error": "slow down"})
        line = json.loads(build_line(failure("a", error)))
        assert line["response"] == {"status_code": 429, "request_id": "r", "body": {"error": "slow down"}}
        assert line["error"] == {"code": "RateLimitError", "message": "slow down"}

    def test_a_failure_without_a_response_has_none(self) -> None:
        assert json.loads(build_line(failure("a", TransportError("no route"))))["response"] is None

    @pytest.mark.parametrize("text", ["é\u2028\u2029\x85\x1c\r\n", "\ud83d", "日本"])
    def test_a_line_is_one_line_and_loses_nothing(self, text: str) -> None:
        data = build_line(answer("a", text))
        assert len(data.decode().splitlines()) == 1
        assert json.loads(data)["response"]["body"]["choices"][0]["message"]["content"] == text

    @pytest.mark.parametrize("name", ["a", 'quo"te', "back\\slash", "é日本", "line\u2028"])
    def test_the_head_holds_the_row_id_and_fingerprint(self, name: str) -> None:
        head = parse_head(build_line(answer(name, asked=ONE, cost=0.25)).rstrip(b"\n"))
        assert head == (name, True, ONE, 0.25)
        head = parse_head(build_line(failure(name, asked=ONE)).rstrip(b"\n"))
        assert head == (name, False, ONE, None)

    def test_lines_written_by_other_tools_are_read(self) -> None:
        body = b'{"custom_id": "c", "response": {"status_code": %d, "body": {}}, "error": null}'
        assert parse_head(body % 200) == ("c", True, NO_FINGERPRINT, None)
        assert parse_head(body % 400) == ("c", False, NO_FINGERPRINT, None)

    def test_an_edited_line_still_counts(self) -> None:
        assert parse_head(build_line(answer("a", "Yes")).rstrip(b"\n").replace(b"Yes", b"No!"))[1]

    def test_a_lost_byte_is_detected(self) -> None:
        data = build_line(answer("a", "Yes")).rstrip(b"\n")
        for at in range(len(data)):
            with pytest.raises(ValueError, match=r".+"):
                parse_head(data[:at] + b"\0" + data[at + 1 :])


class TestOpening:
    def test_an_existing_journal_is_read(self, output: Path) -> None:
        write(output, answer("a"), failure("b"), answer("c"))
        with Journal(output) as journal:
            assert known(journal, "a", "b", "c", "d") == [ANSWERED, FAILED, ANSWERED, 0]
            assert (journal.answered, journal.failed) == (2, 1)

    @pytest.mark.parametrize("length", [1, 10, 30, -2])
    def test_a_torn_last_line_is_truncated(self, output: Path, length: int) -> None:
        write(output, answer("a"), tail=encode(answer("b"))[:length])
        with Journal(output) as journal:
            assert known(journal, "a", "b") == [ANSWERED, 0]
            journal.append(answer("c"))
        assert [json.loads(line)["custom_id"] for line in output.read_bytes().splitlines()] == ["a", "c"]

    def test_a_complete_last_line_without_newline_is_kept(self, output: Path, recorded: Recorded) -> None:
        write(output, tail=encode(answer("a"))[:-1])
        with Journal(output) as journal:
            assert known(journal, "a") == [ANSWERED]
            journal.append(answer("b"))
        assert set(recorded()) == {"a", "b"}

    def test_trailing_zeros_from_a_power_cut_are_truncated(self, output: Path, recorded: Recorded) -> None:
        write(output, answer("a"), tail=bytes(100))
        with Journal(output) as journal:
            journal.append(answer("b"))
        assert set(recorded()) == {"a", "b"}

    @pytest.mark.parametrize(
        "content",
        [b"My notes", b"My notes\n", b'{"prompt": "Hi"}\n', b'{"prompt": "Hi"}', b"[" * 99_999 + b"\n"],
        ids=["a text", "a line of text", "a line of inputs", "inputs without newline", "nested without end"],
    )
    def test_a_foreign_file_is_refused_and_unchanged(self, output: Path, content: bytes) -> None:
        output.write_bytes(content)
        with pytest.raises(InvalidRequestError, match=r"output: .* does not hold results of a batch"):
            Journal(output)
        assert output.read_bytes() == content

    def test_the_input_file_is_refused_as_output(self, output: Path) -> None:
        output.write_text('"Hi"\n')
        with pytest.raises(InvalidRequestError, match="a file other than the inputs"):
            Journal(output.parent / ".." / output.parent.name / output.name, str(output))

    def test_a_special_file_is_refused(self) -> None:
        with pytest.raises(InvalidRequestError, match="regular file"):
            Journal(os.devnull)

    @pytest.mark.parametrize("path", [None, 5, ""])
    def test_a_value_that_is_not_a_path_is_refused(self, path: Any) -> None:
        with pytest.raises(InvalidRequestError, match="output must be the path of a file"):
            Journal(path)


class TestLock:
    def test_a_second_run_is_refused_while_the_first_runs(self, output: Path) -> None:
        with Journal(output), pytest.raises(InvalidRequestError, match="another run is writing to"):
            Journal(output)
        Journal(output).close()

    def test_a_run_that_opened_the_file_before_its_replacement_is_refused(
        self, output: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(output, failure("a"), answer("a"))
        first, lock = Journal(output), fcntl.flock

        def lock_late(descriptor: int, operation: int) -> None:
            monkeypatch.undo()
            first.compact()
            first.close()
            lock(descriptor, operation)

        monkeypatch.setattr(fcntl, "flock", lock_late)
        with pytest.raises(InvalidRequestError, match="another run is writing to"):
            Journal(output)

    def test_a_forked_process_does_not_hold_the_lock(self, output: Path) -> None:
        """Worker processes may outlive a killed run."""
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

    def test_a_file_system_without_locks_gives_a_warning(self, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(descriptor: int, operation: int) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", refuse)
        with pytest.warns(UserWarning, match="cannot be locked"):
            Journal(output).close()


class TestReplacing:
    def test_a_newer_line_replaces_a_failure(self, output: Path, recorded: Recorded) -> None:
        write(output, failure("a"), answer("b"), failure("c"))
        output.chmod(0o640)
        with Journal(output) as journal:
            journal.append(answer("a"))
            journal.compact()
        assert {name: line["error"] is None for name, line in recorded().items()} == {"a": True, "b": True, "c": False}
        assert output.stat().st_mode & 0o777 == 0o640
        assert os.listdir(output.parent) == [output.name]

    def test_duplicates_left_by_a_killed_run_are_removed(self, output: Path, recorded: Recorded) -> None:
        write(output, failure("a"), failure("b"), answer("a"), failure("b"))
        with Journal(output) as journal:
            assert known(journal, "a", "b") == [ANSWERED, FAILED]
            journal.compact()
        assert set(recorded()) == {"a", "b"}

    def test_an_answer_is_never_replaced_by_a_failure(self, output: Path, recorded: Recorded) -> None:
        write(output, answer("a"), failure("a"))
        with Journal(output) as journal:
            journal.compact()
        assert recorded()["a"]["error"] is None

    def test_a_few_replaced_lines_are_not_compacted(self, output: Path) -> None:
        write(output, failure("a"), *(answer(f"r{number}") for number in range(30)), answer("a"))
        with Journal(output) as journal:
            journal.compact()
        assert names(output).count("a") == 2

    def test_an_answer_to_a_changed_question_replaces_the_old_answer(self, output: Path) -> None:
        write(output, answer("a", "old", ONE))
        with Journal(output) as journal:
            assert not journal.append(answer("a", "again", ONE))
            assert journal.append(answer("a", "new", TWO))
            journal.compact()
        assert names(output) == ["a"]
        assert b"new" in output.read_bytes()

    def test_a_failure_for_a_changed_question_replaces_the_old_answer(self, output: Path) -> None:
        write(output, answer("a", "old", ONE), failure("a", asked=TWO))
        with Journal(output) as journal:
            assert (journal.answered, journal.failed) == (0, 1)
            journal.compact()
        assert b"old" not in output.read_bytes()

    def test_a_compacted_journal_can_be_continued(self, output: Path) -> None:
        write(output, failure("a"), answer("a"))
        with Journal(output) as journal:
            journal.compact()
            journal.append(answer("b"))
            with pytest.raises(InvalidRequestError, match="another run"):
                Journal(output)
        assert names(output) == ["a", "b"]

    def test_both_lines_stay_where_the_folder_is_not_writable(
        self, output: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(output, failure("a"), answer("a"))

        def refuse(*arguments: Any, **options: Any) -> None:
            raise PermissionError

        with Journal(output) as journal:
            monkeypatch.setattr(os, "replace", refuse)
            journal.compact()
        assert names(output) == ["a", "a"]
        assert os.listdir(output.parent) == [output.name]


class TestInterruptedWrites:
    """The exception of a signal handler may be raised before, during or after the write."""

    @pytest.mark.parametrize(
        "written", [0, 1, 40, -1, None], ids=["nothing", "a byte", "a part", "all but a byte", "all"]
    )
    def test_a_line_is_recorded_once(
        self, output: Path, recorded: Recorded, monkeypatch: pytest.MonkeyPatch, written: int | None
    ) -> None:
        write_really = os.write

        def write_and_raise(descriptor: int, data: Any) -> int:
            monkeypatch.undo()
            write_really(descriptor, bytes(data)[:written])
            raise KeyboardInterrupt

        with Journal(output) as journal:
            journal.append(answer("a"))
            monkeypatch.setattr(os, "write", write_and_raise)
            with pytest.raises(KeyboardInterrupt):
                journal.append(answer("b"))
            assert journal.append(answer("b")) is (written is not None)
            journal.append(answer("c"))
        assert set(recorded()) == {"a", "b", "c"}

    def test_closing_the_journal_leaves_no_partial_line(
        self, output: Path, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_really = os.write

        def write_and_raise(descriptor: int, data: Any) -> int:
            write_really(descriptor, bytes(data)[:40])
            raise KeyboardInterrupt

        journal = Journal(output)
        journal.append(answer("a"))
        with monkeypatch.context() as context:
            context.setattr(os, "write", write_and_raise)
            with pytest.raises(KeyboardInterrupt):
                journal.append(answer("b"))
        journal.close()
        assert set(recorded()) == {"a"}


class TestFullDisk:
    """A file size limit simulates a full disk: the write that reaches it is partial, and the next one fails."""

    def test_a_full_disk_is_waited_out_and_nothing_is_lost(self, output: Path) -> None:
        script = f"""
import resource, signal, threading, warnings
from batch_helpers import answer
from hf_text.batch.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
with Journal({str(output)!r}) as journal:
    journal.append(answer("a"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        resource.setrlimit(resource.RLIMIT_FSIZE, (700, hard))
        thread = threading.Thread(target=journal.append, args=(answer("b", "x" * 500),))
        thread.start()
        while not caught: pass
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        thread.join()
    assert "waiting up to 60 s for free space" in str(caught[0].message)
    journal.append(answer("c"))
"""
        run_script(script)
        assert names(output) == ["a", "b", "c"]

    def test_a_write_error_leaves_no_partial_line(self, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_really = os.write

        def fail(descriptor: int, data: Any) -> int:
            if len(data) > 40:
                return write_really(descriptor, bytes(data)[:40])
            raise OSError(errno.EIO, "Input/output error")

        with Journal(output) as journal:
            journal.append(answer("a"))
            with monkeypatch.context() as context:
                context.setattr(os, "write", lambda descriptor, data: fail(descriptor, bytes(data)[:50]))
                with pytest.raises(OSError, match="Input/output"):
                    journal.append(answer("b"))
            journal.append(answer("c"))
        assert names(output) == ["a", "c"]


class TestLostFile:
    @pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
    def test_a_deleted_output_is_detected_and_its_content_saved(self, output: Path, replaced: bool) -> None:
        journal = Journal(output)
        journal.append(answer("a"))
        output.unlink()
        if replaced:
            output.write_text("")
        journal.append(answer("b"))
        with pytest.raises(FileNotFoundError, match="deleted or replaced during the run; its contents"):
            journal.close()
        (saved,) = output.parent.glob("out.jsonl.recovered-*")
        assert names(saved) == ["a", "b"]

    def test_what_finished_after_it_was_noticed_is_saved_in_the_same_file(self, output: Path) -> None:
        journal = Journal(output)
        journal.append(answer("a"))
        output.unlink()
        with pytest.raises(FileNotFoundError):
            list(iter(journal.sync_if_due, True))  # the check runs once a second
        journal.append(answer("b"))
        with pytest.raises(FileNotFoundError):
            journal.close()
        (saved,) = output.parent.glob("out.jsonl.recovered-*")
        assert names(saved) == ["a", "b"]

    def test_a_file_that_was_cut_short_is_noticed_and_what_follows_is_kept(self, output: Path) -> None:
        with Journal(output) as journal:
            journal.append(answer("a"))
            journal.append(answer("b"))
            os.truncate(output, 20)
            with pytest.raises(OSError, match="the output was cut short during the run"):
                journal.append(answer("c"))
            journal.append(answer("d"))
        with pytest.warns(HFTextWarning, match="1 damaged lines"), Journal(output) as journal:
            assert journal.answered == 2
        assert names(output) == ["c", "d"]


class TestDamage:
    def damage(self, output: Path, damaged: bytes) -> Journal:
        output.write_bytes(encode(answer("a")) + damaged + b"\n" + encode(answer("z")))
        with pytest.warns(HFTextWarning, match=r"1 damaged lines were moved to .*out\.jsonl\.damaged"):
            return Journal(output)

    @pytest.mark.parametrize(
        "damaged",
        [b"\0" * 100, b"rubbish", b'{"id": "batch_req_0123', b'{"custom_id": 5, "response": null}', b"\xff\xfe{"],
        ids=["zeros", "text", "a torn line", "not a result", "bytes"],
    )
    def test_a_damaged_line_is_set_aside_and_the_rest_is_kept(self, output: Path, damaged: bytes) -> None:
        with self.damage(output, damaged) as journal:
            assert known(journal, "a", "z") == [ANSWERED, ANSWERED]
            journal.append(answer("b"))
        assert names(output) == ["a", "z", "b"]
        assert (output.parent / "out.jsonl.damaged").read_bytes() == damaged + b"\n"

    def test_a_line_glued_to_a_partial_line_is_recovered(self, output: Path) -> None:
        with self.damage(output, encode(answer("lost"))[:60] + encode(answer("b")).rstrip()) as journal:
            assert known(journal, "a", "b", "lost") == [ANSWERED, ANSWERED, 0]
        assert names(output) == ["a", "b", "z"]

    def test_the_next_run_finds_no_damage(self, output: Path) -> None:
        self.damage(output, b"rubbish").close()
        Journal(output).close()

    @pytest.mark.parametrize("tail", [b"", b"\0" * 9, b"\n"], ids=["nothing", "zeros", "a newline"])
    @pytest.mark.filterwarnings("ignore:.*damaged lines:hf_text.HFTextWarning")
    def test_a_file_cut_at_any_byte_can_be_continued(self, output: Path, tail: bytes) -> None:
        whole = encode(answer("a"), failure("b"), answer("c", "é"))
        ends = [end for end in range(len(whole) + 1) if whole[:end].endswith(b"\n")]
        step = 1 if THOROUGH else 7
        for cut in sorted({*range(0, len(whole) + 1, step), *ends, *(end - 1 for end in ends), len(whole)}):
            output.write_bytes(whole[:cut] + tail)
            with Journal(output) as journal:
                for name in "abc":
                    if not known(journal, name)[0]:
                        journal.append(answer(name))
            assert sorted(names(output)) == ["a", "b", "c"], cut
            kept = sum(end <= cut for end in ends)
            assert output.read_bytes().startswith(whole[: [0, *ends][kept]])


def run_script(script: str) -> None:
    """Run a script in its own process."""
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(hf_text.__file__).parent.parent)])
    result = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path}, capture_output=True)
    assert result.returncode == 0, result.stderr.decode()
