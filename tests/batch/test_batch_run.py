"""Complete runs: which rows are sent, recorded, and left for the next run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_helpers import chats, wait_for_chats

import hf_text
from hf_text import (
    AuthenticationError,
    Client,
    InvalidRequestError,
    MissingAuthError,
    PaymentRequiredError,
    RateLimitError,
    batch,
)
from hf_text.batch import Progress
from hf_text.batch.journal import Journal
from hf_text.emulator import Emulator, Gate, Request, Response

Recorded = Callable[[], dict[str, dict[str, Any]]]
Asked = Callable[[], list[str]]
MakeClient = Callable[..., Client]

SLOW_DOWN = Response.error(429, "Slow down", headers={"retry-after-ms": "5"})

SCRIPT = """
import sys
from hf_text import Client, batch

inputs, output, url = sys.argv[1:]
client = Client("hf_MadeUpKeyForTests", hub_url=url, router_url=url, timeout=30)
batch.run(inputs, output, client=client, max_workers=4)
"""


def text_of(line: dict[str, Any]) -> str:
    return str(line["response"]["body"]["choices"][0]["message"]["content"])


def rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"custom_id": f"r{number}", "prompt": f"p{number}"} for number in range(start, start + count)]


def write_inputs(path: Path, values: list[Any]) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def prompt_of(request: Request) -> str:
    return str(request.json["messages"][-1]["content"])


def fail_for(*prompts: str) -> Callable[[Request], Response]:
    """Return a handler that answers these prompts with an error specific to the row, and all others with text."""
    return lambda request: Response.error(422, "No") if prompt_of(request) in prompts else Response.text("Yes")


class TestForms:
    def test_all_forms_are_answered(
        self, client: Client, tmp_path: Path, output: Path, recorded: Recorded, asked: Asked
    ) -> None:
        messages = [{"role": "user", "content": "two"}]
        batch_request = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
        values = ["one", {"messages": messages}, {**batch_request, "body": {"messages": messages}}, {"prompt": "three"}]
        inputs = write_inputs(tmp_path / "in.jsonl", values)
        summary = batch.run(inputs, output, client=client)
        assert asked() == ["one", "three", "two", "two"]
        assert (summary.rows, summary.done, summary.failed, summary.resumed) == (4, 4, 0, 0)
        assert len(recorded()) == 4
        assert text_of(recorded()["a"]).endswith("You asked: two")

    @pytest.mark.parametrize("make", [list, iter], ids=["a list", "an iterator"])
    def test_rows_need_no_file(
        self, client: Client, output: Path, recorded: Recorded, make: Callable[[list[Any]], Any]
    ) -> None:
        batch.run(make(rows(3)), str(output), client=client)
        assert set(recorded()) == {"r0", "r1", "r2"}

    def test_no_rows_write_an_empty_output(self, client: Client, output: Path) -> None:
        assert batch.run([], output, client=client).rows == 0
        assert output.read_bytes() == b""

    def test_options_of_the_run_and_of_the_row_are_sent(self, client: Client, emulator: Emulator, output: Path) -> None:
        values: list[Any] = ["one", {"prompt": "two", "max_tokens": 9, "model": "openai/gpt-oss-20b"}]
        batch.run(values, output, client=client, model="openai/gpt-oss-120b", max_tokens=5, temperature=0)
        sent = {prompt_of(request): request.json for request in chats(emulator)}
        assert (sent["one"]["model"], sent["one"]["max_tokens"]) == ("openai/gpt-oss-120b", 5)
        assert (sent["two"]["model"], sent["two"]["max_tokens"]) == ("openai/gpt-oss-20b", 9)
        assert sent["one"]["temperature"] == sent["two"]["temperature"] == 0

    def test_token_counts_are_requested_and_summed(self, client: Client, emulator: Emulator, output: Path) -> None:
        emulator.always(Response.text("Hi", usage=(3, 2)))
        summary = batch.run(["one", "two"], output, client=client)
        assert (summary.prompt_tokens, summary.completion_tokens) == (6, 4)
        assert all(request.json["stream_options"] == {"include_usage": True} for request in chats(emulator))

    def test_without_a_client_the_default_client_is_used(
        self, emulator: Emulator, output: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_TOKEN", "hf_OfTheUser")
        batch.run(["one"], output)
        assert chats(emulator)[0].key == "hf_OfTheUser"


class TestRefusals:
    """No request is sent, and no output file is created."""

    @pytest.fixture(autouse=True)
    def nothing_sent(self, emulator: Emulator, output: Path) -> Iterator[None]:
        yield
        assert not chats(emulator)
        assert not output.exists()

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("{broken", "line 3 is not JSON"),
            ('{"question": "Hi"}', "line 3 must be a str"),
            ('{"custom_id": "r0", "prompt": "Hi"}', "line 3: an earlier row has the same custom_id 'r0'"),
            ('{"prompt": "Hi", "temperature": 5}', "line 3: temperature must be a number from 0 to 2, not int: 5"),
            ('{"messages": [{"role": "me", "content": "Hi"}]}', r'line 3: messages\[0\]\["role"\] must be one of'),
        ],
    )
    def test_a_bad_line_names_its_number(
        self, client: Client, tmp_path: Path, output: Path, line: str, words: str
    ) -> None:
        inputs = write_inputs(tmp_path / "in.jsonl", rows(2))
        with inputs.open("a") as file:
            file.write(line + "\n")
        with pytest.raises(InvalidRequestError, match=words):
            batch.run(inputs, output, client=client)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"max_workers": 0}, "max_workers must be a whole number from 1 up, not int: 0"),
            ({"max_workers": True}, "max_workers must be"),
            ({"executor": "threads"}, "executor must be a concurrent.futures.Executor, not str"),
            ({"client": "hf_key"}, "client must be a Client"),
            ({"max_token": 5}, r"run\(\) has no argument 'max_token'. Did you mean 'max_tokens'"),
            ({"messages": "Hi"}, r"run\(\) has no argument 'messages'"),
            ({"seed": "x"}, r"inputs\[0\]: seed must be an int"),
        ],
    )
    def test_a_bad_argument_is_named(self, client: Client, output: Path, arguments: dict[str, Any], words: str) -> None:
        with pytest.raises(InvalidRequestError, match=words):
            batch.run(["Hi"], output, **{"client": client, **arguments})

    def test_a_missing_key_is_reported(self, make_client: MakeClient, output: Path) -> None:
        with pytest.raises(MissingAuthError):
            batch.run(["Hi"], output, client=make_client(None))

    def test_a_missing_file_is_reported(self, client: Client, tmp_path: Path, output: Path) -> None:
        with pytest.raises(FileNotFoundError):
            batch.run(tmp_path / "in.jsonl", output, client=client)


class TestResume:
    def test_finished_rows_are_not_sent_again(self, client: Client, output: Path, asked: Asked) -> None:
        batch.run(rows(3), output, client=client)
        before = output.read_bytes()
        summary = batch.run(rows(5), output, client=client)
        assert asked() == ["p0", "p1", "p2", "p3", "p4"]
        assert (summary.rows, summary.done, summary.resumed) == (5, 5, 3)
        assert output.read_bytes().startswith(before)

    def test_rows_without_a_custom_id_are_recognised(self, client: Client, output: Path, asked: Asked) -> None:
        batch.run(["one", "two", "one"], output, client=client)
        batch.run(["one", "two", "one", "one", "three"], output, client=client)
        assert asked() == ["one", "one", "one", "three", "two"]

    def test_a_failed_row_is_recorded_and_asked_again(
        self, client: Client, emulator: Emulator, output: Path, recorded: Recorded, asked: Asked
    ) -> None:
        emulator.always(fail_for("p1"))
        summary = batch.run(rows(3), output, client=client)
        assert (summary.done, summary.failed, summary.errors) == (2, 1, {"BadRequestError": 1})
        assert recorded()["r1"]["error"]["code"] == "BadRequestError"
        assert recorded()["r1"]["response"]["status_code"] == 422
        emulator.always(Response.text("Yes"))
        summary = batch.run(rows(3), output, client=client)
        assert (summary.done, summary.failed, summary.resumed) == (3, 0, 2)
        assert asked() == ["p0", "p1", "p1", "p2"]
        assert recorded()["r1"]["error"] is None

    def test_failed_rows_can_be_left_alone(
        self, client: Client, emulator: Emulator, output: Path, recorded: Recorded, asked: Asked
    ) -> None:
        emulator.always(fail_for("p1"))
        batch.run(rows(2), output, client=client)
        summary = batch.run(rows(3), output, client=client, retry_failed=False)
        assert (summary.rows, summary.done, summary.failed, summary.resumed) == (3, 2, 1, 1)
        assert asked() == ["p0", "p1", "p2"]
        assert recorded()["r1"]["error"] is not None

    def test_unreadable_media_fails_only_its_row(
        self, client: Client, output: Path, recorded: Recorded, tmp_path: Path
    ) -> None:
        missing = {"custom_id": "r9", "prompt": "p9", "media": str(tmp_path / "missing.png")}
        summary = batch.run([missing, *rows(1)], output, client=client)
        assert (summary.done, summary.failed) == (1, 1)
        assert recorded()["r9"]["error"]["code"] == "InvalidRequestError"

    def test_a_truncated_answer_is_not_recorded_as_an_answer(
        self, make_client: MakeClient, emulator: Emulator, output: Path, recorded: Recorded
    ) -> None:
        emulator.always("cut-mid-stream")
        batch.run(rows(1), output, client=make_client(max_retries=0))
        assert recorded()["r0"]["response"] is None
        assert recorded()["r0"]["error"]["code"] == "TruncatedStreamError"

    def test_a_bad_row_from_an_iterator_ends_the_run_and_keeps_pending_answers(
        self, client: Client, output: Path, recorded: Recorded
    ) -> None:
        values: list[Any] = [*rows(3), 5, *rows(1, 3)]
        with pytest.raises(InvalidRequestError, match=r"inputs\[3\] must be"):
            batch.run(iter(values), output, client=client)
        assert set(recorded()) == {"r0", "r1", "r2"}

    def test_two_runs_on_one_output_are_refused(self, client: Client, emulator: Emulator, output: Path) -> None:
        with Journal(output), pytest.raises(InvalidRequestError, match="another run is writing"):
            batch.run(rows(1), output, client=client)
        assert not chats(emulator)


class TestAccount:
    @pytest.mark.parametrize(
        ("fault", "error"), [("bad-key", AuthenticationError), ("credits-used-up", PaymentRequiredError)]
    )
    def test_an_account_error_ends_the_run_and_keeps_pending_answers(
        self, client: Client, emulator: Emulator, output: Path, recorded: Recorded, fault: str, error: type[Exception]
    ) -> None:
        gate = Gate()

        def answer(request: Request) -> Response:
            if prompt_of(request) == "p0":
                return Response.text("Yes", delay=gate)
            wait_for_chats(emulator, 2)
            threading.Thread(target=gate.open).start()
            return hf_text.emulator.fault(fault)

        emulator.always(answer)
        with pytest.raises(error):
            batch.run(rows(9), output, client=client, max_workers=2)
        assert len(chats(emulator)) <= 3
        assert list(recorded()) == ["r0"]


class TestPace:
    def test_refused_rows_are_retried_until_answered(
        self, make_client: MakeClient, emulator: Emulator, output: Path, recorded: Recorded
    ) -> None:
        emulator.reply(*[SLOW_DOWN] * 10)
        summary = batch.run(rows(20), output, client=make_client(max_retries=0), max_workers=4)
        assert (summary.done, summary.failed) == (20, 0)
        assert len(chats(emulator)) == 30
        assert all(line["error"] is None for line in recorded().values())

    def test_a_server_that_only_refuses_ends_the_run_and_records_nothing(
        self, make_client: MakeClient, emulator: Emulator, output: Path
    ) -> None:
        emulator.always(SLOW_DOWN)
        with pytest.raises(RateLimitError):
            batch.run(rows(3), output, client=make_client(max_retries=0), max_workers=1, max_outage=0.8)
        assert output.read_bytes() == b""
        assert 5 <= len(chats(emulator)) <= 30

    def test_a_row_that_is_always_refused_is_recorded(
        self, make_client: MakeClient, emulator: Emulator, output: Path, recorded: Recorded
    ) -> None:
        emulator.always(lambda request: SLOW_DOWN if prompt_of(request) == "p0" else Response.text("Yes"))
        summary = batch.run(rows(40), output, client=make_client(max_retries=0), max_workers=2)
        assert (summary.done, summary.failed) == (39, 1)
        assert recorded()["r0"]["error"]["code"] == "RateLimitError"

    def test_a_retry_after_over_an_hour_ends_the_run(
        self, make_client: MakeClient, emulator: Emulator, output: Path
    ) -> None:
        emulator.always(Response.error(429, "Come back tomorrow", headers={"Retry-After": "86400"}))
        with pytest.raises(RateLimitError):
            batch.run(rows(3), output, client=make_client(), max_workers=1)
        assert len(chats(emulator)) == 1

    def test_an_unreachable_server_is_retried(self, make_client: MakeClient, emulator: Emulator, output: Path) -> None:
        emulator.reply("closed-before-headers")
        assert batch.run(rows(1), output, client=make_client(max_retries=0)).done == 1


class TestProgress:
    def test_progress_is_reported_at_the_start_after_each_row_and_at_the_end(
        self, make_client: MakeClient, emulator: Emulator, output: Path
    ) -> None:
        emulator.always(
            lambda request: (
                Response.error(422, "No") if prompt_of(request) == "p1" else Response.text("Yes", usage=(3, 2))
            )
        )
        seen: list[Progress] = []
        client = make_client(max_retries=0)
        batch.run(rows(3), output, client=client, max_workers=1, progress=seen.append)
        counts = [(at.rows, at.done, at.failed, at.tokens) for at in seen]
        assert counts == [(3, 0, 0, 0), (3, 1, 0, 5), (3, 1, 1, 5), (3, 2, 1, 10), (3, 2, 1, 10)]
        assert [at.seconds for at in seen] == sorted(at.seconds for at in seen)

    def test_rows_of_earlier_runs_count_as_done(self, client: Client, output: Path) -> None:
        batch.run(rows(2), output, client=client)
        seen: list[Progress] = []
        batch.run(rows(3), output, client=client, progress=seen.append)
        assert (seen[-1].rows, seen[-1].done) == (3, 3)

    def test_the_length_of_an_iterator_is_known_at_its_end(self, client: Client, output: Path) -> None:
        seen: list[Progress] = []
        batch.run(iter(rows(3)), output, client=client, max_workers=1, progress=seen.append)
        assert [at.rows for at in seen] == [None, None, None, None, 3]

    def test_an_error_in_a_callback_stops_the_run_at_once(
        self, client: Client, emulator: Emulator, output: Path, recorded: Recorded
    ) -> None:
        gate = Gate()
        emulator.always(lambda request: Response.text("Yes", delay=gate if prompt_of(request) == "p1" else 0.0))

        def fail(at: Progress) -> None:
            if at.done:
                wait_for_chats(emulator, 2)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            batch.run(rows(9), output, client=client, max_workers=2, progress=fail)
        emulator.wait_for_disconnect()
        assert list(recorded()) == ["r0"]


class TestScale:
    def test_only_a_few_of_2000_rows_are_in_memory(self, client: Client, emulator: Emulator, output: Path) -> None:
        class Tracked(dict):  # type: ignore[type-arg]
            """A row that can be weakly referenced."""

        emulator.always(Response.text("Yes"))
        alive: weakref.WeakValueDictionary[int, Tracked] = weakref.WeakValueDictionary()
        drawn = 0
        most_alive = most_ahead = 0

        def draw() -> Iterator[Tracked]:
            nonlocal drawn
            for number in range(2000):
                row = Tracked(custom_id=f"r{number}", messages=[Tracked(role="user", content=f"p{number}")])
                alive[number] = row["messages"][0]
                drawn += 1
                yield row

        def watch(at: Progress) -> None:
            nonlocal most_alive, most_ahead
            most_alive = max(most_alive, len(alive))
            most_ahead = max(most_ahead, drawn - at.done)

        summary = batch.run(draw(), output, client=client, max_workers=8, progress=watch)
        assert (summary.rows, summary.done) == (2000, 2000)
        assert most_ahead <= 8
        assert most_alive <= 3 * 8
        assert len({prompt_of(request) for request in chats(emulator)}) == len(chats(emulator)) == 2000


class TestInterrupts:
    def start(
        self, inputs: Path, output: Path, emulator: Emulator, gate: Gate | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a run in another process. The server holds its answers after ten rows."""
        gate = gate or Gate()
        emulator.reply(*[Response.text("Yes")] * 10)
        emulator.always(Response.text("Yes", delay=gate))
        environment = {**os.environ, "PYTHONPATH": str(Path(hf_text.__file__).parent.parent)}
        command = [sys.executable, "-c", SCRIPT, str(inputs), str(output), emulator.url]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
        wait_for_chats(emulator, 14, timeout=20)  # with four in flight, ten must be recorded
        return process

    def test_finished_rows_are_not_asked_again_after_a_kill(
        self, client: Client, emulator: Emulator, tmp_path: Path, output: Path, recorded: Recorded, asked: Asked
    ) -> None:
        inputs = write_inputs(tmp_path / "in.jsonl", rows(30))
        process = self.start(inputs, output, emulator)
        process.kill()
        process.communicate()
        finished = set(recorded())
        assert len(finished) == 10
        with output.open("ab") as file:
            file.write(b'{"id": "batch_req_0", "custom_id": "r29", "respon')  # a partial line, as a kill may leave it
        emulator.always(Response.text("Yes"))
        sent_before = len(chats(emulator))
        summary = batch.run(inputs, output, client=client)
        sent_after = sorted(prompt_of(request) for request in chats(emulator)[sent_before:])
        assert sent_after == sorted(row["prompt"] for row in rows(30) if row["custom_id"] not in finished)
        assert (summary.rows, summary.done, summary.resumed) == (30, 30, 10)
        assert set(recorded()) == {row["custom_id"] for row in rows(30)}

    @pytest.mark.parametrize(
        ("signum", "name", "status"), [(signal.SIGINT, "Ctrl-C", 130), (signal.SIGTERM, "SIGTERM", 143)]
    )
    def test_a_second_signal_ends_the_process_at_once_and_keeps_finished_rows(
        self,
        emulator: Emulator,
        tmp_path: Path,
        output: Path,
        recorded: Recorded,
        signum: signal.Signals,
        name: str,
        status: int,
    ) -> None:
        process = self.start(write_inputs(tmp_path / "in.jsonl", rows(30)), output, emulator)
        process.send_signal(signum)
        assert process.stderr is not None
        first = process.stderr.readline().decode()
        assert first == f"{name}: no more rows are started, 4 are being finished\n"
        process.send_signal(signum)
        _, errors = process.communicate(timeout=20)
        assert errors.decode() == f"stopped by {name}: 10 of 30 rows are done. Run it again to continue\n"
        assert process.returncode == status
        emulator.wait_for_disconnect(4)
        assert len(recorded()) == 10
        assert len(chats(emulator)) == 14

    def test_ctrl_c_leaves_nothing_behind_and_the_next_run_resumes(
        self, client: Client, emulator: Emulator, output: Path, recorded: Recorded
    ) -> None:
        gate = Gate()
        emulator.reply(Response.text("Yes"))
        emulator.always(Response.text("Yes", delay=gate))
        main = threading.main_thread().ident
        assert main is not None

        def interrupt() -> None:
            wait_for_chats(emulator, 3)
            signal.pthread_kill(main, signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(batch.Stopped, match=r"stopped by Ctrl-C: 1 of 9 rows are done") as caught:
            batch.run(rows(9), output, client=client, max_workers=2, drain=0)
        thread.join()
        assert isinstance(caught.value, KeyboardInterrupt)
        assert (caught.value.code, caught.value.summary.stopped_by) == (130, "Ctrl-C")
        emulator.wait_for_disconnect(2)
        assert len(recorded()) == 1
        gate.open()
        assert batch.run(rows(9), output, client=client).resumed == 1

    @pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_a_signal_before_the_first_row_ends_it_in_a_line(
        self, client: Client, emulator: Emulator, output: Path, signum: signal.Signals, status: int
    ) -> None:
        """The signal arrives while rows are checked and the output is read."""

        class Rows(list[dict[str, Any]]):
            def __iter__(self) -> Iterator[dict[str, Any]]:
                os.kill(os.getpid(), signum)
                return super().__iter__()

        name = "Ctrl-C" if signum == signal.SIGINT else "SIGTERM"
        with pytest.raises(batch.Stopped, match=rf"^stopped by {name} before the first row\. Run it again") as caught:
            batch.run(Rows(rows(3)), output, client=client)
        assert caught.value.code == status
        assert not chats(emulator)
        assert batch.run(rows(3), output, client=client).done == 3

    @pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
    def test_pending_requests_finish_after_the_first_signal(
        self, emulator: Emulator, tmp_path: Path, output: Path, recorded: Recorded, signum: signal.Signals
    ) -> None:
        gate = Gate()
        process = self.start(write_inputs(tmp_path / "in.jsonl", rows(30)), output, emulator, gate)
        process.send_signal(signum)
        assert process.stderr is not None
        assert b"4 are being finished" in process.stderr.readline()
        gate.open()
        process.communicate(timeout=20)
        assert len(recorded()) == 14
        assert all(line["error"] is None for line in recorded().values())
        assert len(chats(emulator)) == 14

    def test_a_wait_for_a_refusing_server_can_be_interrupted(
        self, make_client: MakeClient, emulator: Emulator, output: Path
    ) -> None:
        emulator.always(Response.error(429, "Slow down", headers={"Retry-After": "3000"}))
        main = threading.main_thread().ident
        assert main is not None

        def interrupt() -> None:
            wait_for_chats(emulator, 1)
            signal.pthread_kill(main, signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            batch.run(rows(1), output, client=make_client(max_retries=0))
        thread.join()
        assert time.monotonic() - started < 60
