"""The engine of a run: lanes, rows that fail alone, what ends a run, what is retried."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from batch_helpers import chats, wait_for_chats

from hf_text import (
    Client,
    InvalidRequestError,
    ModelNotSupportedError,
    RateLimitError,
    ServerError,
    TransportError,
    batch,
)
from hf_text.emulator import Emulator, Gate, Request, Response, build_model
from hf_text.tuning import Tuning

Recorded = Callable[[], dict[str, dict[str, Any]]]
MakeClient = Callable[..., Client]

PRICED = build_model("org/m", {"provider": "novita", "pricing": {"input": 1.0, "output": 2.0}})
SLOW_DOWN = Response.error(429, "Slow down", headers={"retry-after-ms": "5"})


def rows(count: int, start: int = 0, **fields: Any) -> list[dict[str, Any]]:
    return [{"custom_id": f"r{number}", "prompt": f"p{number}", **fields} for number in range(start, start + count)]


def prompt_of(request: Request) -> str:
    return str(request.json["messages"][-1]["content"])


def yes(**fields: Any) -> Response:
    return Response.text("Yes", usage=(100, 50), provider="novita", **fields)


class TestGenerate:
    def test_outcomes_arrive_as_they_are_answered(self, client: Client, emulator: Emulator) -> None:
        gate = Gate()
        emulator.always(lambda request: yes(delay=gate if prompt_of(request) == "p0" else 0.0))
        with batch.generate(rows(3), client=client) as outcomes:
            first, second = next(outcomes), next(outcomes)
            gate.open()
            third = next(outcomes)
        assert {first.custom_id, second.custom_id} == {"r1", "r2"}
        assert (third.custom_id, third.text, third.ok) == ("r0", "Yes", True)

    def test_ordered_outcomes_follow_the_rows(self, client: Client, emulator: Emulator) -> None:
        gate = Gate()
        emulator.always(lambda request: yes(delay=gate if prompt_of(request) == "p0" else 0.0))

        def open_late() -> None:
            wait_for_chats(emulator, 5)
            gate.open()

        thread = threading.Thread(target=open_late)
        thread.start()
        found = [outcome.custom_id for outcome in batch.generate(rows(5), client=client, ordered=True)]
        thread.join()
        assert found == ["r0", "r1", "r2", "r3", "r4"]

    def test_a_bad_row_can_be_an_outcome(self, client: Client) -> None:
        values: list[Any] = [
            *rows(1),
            {"custom_id": "bad", "prompt": 5},
            7,
            {"custom_id": "hot", "prompt": "x", "temperature": 9},
        ]
        found = {o.custom_id: o for o in batch.generate(values, client=client, on_bad_row="record")}
        assert set(found) == {"r0", "bad", "inputs[2]", "hot"}
        assert isinstance(found["bad"].error, InvalidRequestError)
        assert "temperature" in str(found["hot"].error)

    def test_a_bad_row_keeps_the_columns_that_can_be_kept(self, client: Client) -> None:
        values = [{"n": 7, "text": None, "odd": object()}, {"n": 8, "text": "x"}]
        outcomes = batch.generate(
            values, client=client, template="{text}", keep=["n", "odd", "text"], on_bad_row="record", ordered=True
        )
        assert [dict(outcome.columns) for outcome in outcomes] == [{"n": 7, "text": None}, {"n": 8, "text": "x"}]

    def test_closing_stops_pending_requests(self, client: Client, emulator: Emulator) -> None:
        emulator.always(yes(delay=Gate()))
        outcomes = batch.generate(rows(9), client=client, max_workers=3)
        thread = threading.Thread(target=lambda: list(outcomes))
        thread.start()
        wait_for_chats(emulator, 3)
        outcomes.drain(0.0)
        thread.join()
        emulator.wait_for_disconnect(3)
        assert outcomes.stopped_by == "drain"
        assert outcomes.progress.in_flight == 0

    def test_runs_of_one_client_share_the_learned_pace(self, client: Client, emulator: Emulator) -> None:
        emulator.reply(Response.error(429, "Slow down", headers={"retry-after-ms": "200"}))
        emulator.always(yes())
        started = time.monotonic()
        assert len(list(batch.generate(rows(1), client=client))) == 1
        assert time.monotonic() - started >= 0.2
        assert len(list(batch.generate(rows(5), client=client))) == 5

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"pace": 5}, "pace must be a Pace"),
            ({"rate": 0}, "rate must be a positive number"),
            ({"max_cost": -1}, "max_cost must be a number from 0 up"),
            ({"max_failures": 1.5}, "max_failures must be a whole number"),
            ({"deadline": "1h"}, "deadline must be a number"),
            ({"on_bad_row": "skip"}, "on_bad_row must be 'raise' or 'record'"),
            ({"samples": "2"}, "samples must be a whole number"),
        ],
    )
    def test_a_bad_argument_is_named(self, client: Client, arguments: dict[str, Any], words: str) -> None:
        with pytest.raises(InvalidRequestError, match=words):
            batch.generate(["Hi"], client=client, **arguments)


class TestLanes:
    def test_a_slow_model_does_not_delay_another(self, client: Client, emulator: Emulator) -> None:
        gate = Gate()
        emulator.always(lambda request: yes(delay=gate if "oss-20b" in request.json["model"] else 0.0))
        values = rows(80)
        for number, row in enumerate(values):
            row["model"] = f"openai/gpt-oss-{'20b' if number % 2 else '120b'}"
        with batch.generate(values, client=client, max_workers=2) as outcomes:
            quick = [next(outcomes) for _ in range(40)]
            assert {int(outcome.custom_id[1:]) % 2 for outcome in quick} == {0}
            gate.open()
            assert len(list(outcomes)) == 40

    def test_each_row_is_sent_to_each_model(self, client: Client, emulator: Emulator, output: Path) -> None:
        models = ["openai/gpt-oss-20b", "openai/gpt-oss-120b"]
        summary = batch.run(rows(3), output, client=client, models=models, samples=2)
        assert (summary.rows, summary.done) == (12, 12)
        assert sorted(request.json["model"] for request in chats(emulator)) == sorted(models * 6)


class TestRowsThatFail:
    def test_a_broken_stream_is_retried(self, client: Client, emulator: Emulator) -> None:
        emulator.reply("cut-mid-stream")
        emulator.always(yes())
        assert [outcome.ok for outcome in batch.generate(rows(3), client=client)] == [True] * 3

    def test_a_row_that_is_always_refused_does_not_slow_the_others(
        self, make_client: MakeClient, emulator: Emulator, output: Path, recorded: Recorded
    ) -> None:
        """Not at the end of the run either. Example: a gateway that times out on one long answer every time."""
        emulator.always(lambda request: Response.error(504, "Late") if prompt_of(request) == "p3" else yes())
        summary = batch.run(rows(40), output, client=make_client(max_retries=0))
        assert (summary.done, summary.failed) == (39, 1)
        assert recorded()["r3"]["error"]["code"] == "ServerError"
        assert summary.refused["504"] <= 20  # five times alone, plus each time it was the probe
        assert len(chats(emulator)) == 39 + summary.refused["504"]

    def test_a_refusal_is_retried_by_the_pace_and_not_by_the_client(
        self, make_client: MakeClient, emulator: Emulator
    ) -> None:
        emulator.reply(SLOW_DOWN)
        emulator.always(yes())
        client = make_client(api_base=f"{emulator.url}/other/v1", max_retries=5)
        (outcome,) = batch.generate(["Hi"], client=client, model="m")
        assert outcome.completion is not None
        assert len(outcome.completion.attempts) == 1


class TestOutages:
    def test_an_outage_is_waited_out(self, make_client: MakeClient, emulator: Emulator, output: Path) -> None:
        emulator.always(Response.error(503, "Away"))
        seen: list[str] = []

        def watch(at: batch.Progress) -> None:
            seen.append(at.waiting)
            if at.waiting:
                emulator.always(yes())

        summary = batch.run(rows(20), output, client=make_client(max_retries=0), progress=watch)
        assert (summary.done, summary.failed) == (20, 0)
        assert summary.refused["503"] <= 20
        assert any(waiting.endswith("s for the server (503)") for waiting in seen)

    def test_a_long_outage_ends_the_run(self, make_client: MakeClient, emulator: Emulator, output: Path) -> None:
        emulator.reply(yes())
        emulator.always(Response.error(503, "Away"))
        with pytest.raises(ServerError):
            batch.run(rows(50), output, client=make_client(max_retries=0), max_outage=1.0, max_workers=4)
        assert len(list(batch.read(output))) == 1

    def test_an_unreachable_address_ends_the_run_at_once(self, output: Path) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            port = bound.getsockname()[1]
        started = time.monotonic()
        with Client(api_base=f"http://127.0.0.1:{port}/v1") as client, pytest.raises(TransportError, match="refused"):
            batch.run(rows(50), output, client=client, model="m")
        assert time.monotonic() - started < 10

    def test_a_refused_last_row_does_not_hold_up_the_run(
        self, make_client: MakeClient, emulator: Emulator, output: Path
    ) -> None:
        emulator.always(SLOW_DOWN)
        client = make_client(max_retries=0, tuning=Tuning(last_rows_seconds=0.1))
        summary = batch.run(rows(1), output, client=client)
        assert (summary.done, summary.failed, summary.errors) == (0, 1, {"RateLimitError": 1})


class TestBounds:
    def test_max_cost_applies_across_runs(self, client: Client, emulator: Emulator, output: Path) -> None:
        emulator.models = [PRICED]
        emulator.always(yes())  # 100 tokens at 1 USD and 50 at 2 USD per million
        first = batch.run(rows(100), output, client=client, model="org/m", max_cost=0.002, max_workers=4)
        assert first.stopped_by == "max_cost"
        assert first.cost == pytest.approx(0.0002 * first.done)
        assert first.done == 10
        again = batch.run(rows(100), output, client=client, model="org/m", max_cost=0.002)
        assert (again.done, again.stopped_by) == (10, "max_cost")
        more = batch.run(rows(100), output, client=client, model="org/m", max_cost=1.0)
        assert (more.done, more.stopped_by, more.resumed) == (100, None, 10)

    def test_a_model_without_a_price_is_refused_before_the_first_row(
        self, client: Client, emulator: Emulator, output: Path
    ) -> None:
        emulator.models = [build_model("org/m", {"provider": "novita", "pricing": None})]
        with pytest.raises(InvalidRequestError, match="max_cost: the server lists no price for org/m"):
            batch.run(rows(3), output, client=client, model="org/m", max_cost=1.0)
        assert not chats(emulator)

    def test_an_unpriced_answer_ends_the_run(self, client: Client, emulator: Emulator, output: Path) -> None:
        emulator.models = [PRICED]
        emulator.always(Response.text("Yes", provider="novita"))  # no usage
        summary = batch.run(rows(50), output, client=client, model="org/m", max_cost=1.0)
        assert summary.stopped_by == "unknown price"
        assert summary.done <= 5

    def test_an_unpriced_last_row_is_not_a_stop(self, client: Client, emulator: Emulator, output: Path) -> None:
        emulator.models = [PRICED]
        emulator.reply(yes(), yes(), Response.text("Yes", provider="novita"))  # the last one without usage
        summary = batch.run(rows(3), output, client=client, model="org/m", max_cost=1.0, max_workers=1)
        assert (summary.done, summary.stopped_by) == (3, None)

    def test_unpriced_rows_pending_at_the_end_are_not_a_stop(
        self, client: Client, emulator: Emulator, output: Path
    ) -> None:
        """All rows were read before the first answer arrived."""
        emulator.models = [PRICED]
        emulator.always(Response.text("Yes", provider="novita"))
        summary = batch.run(rows(3), output, client=client, model="org/m", max_cost=1.0)
        assert (summary.done, summary.stopped_by) == (3, None)

    def test_a_deadline_during_the_last_rows_is_not_a_stop(
        self, client: Client, emulator: Emulator, output: Path
    ) -> None:
        gate = Gate()
        emulator.always(yes(delay=gate))

        def watch(at: batch.Progress) -> None:
            if at.stopping:
                gate.open()

        summary = batch.run(rows(3), output, client=client, deadline=0.3, progress=watch)
        assert (summary.done, summary.stopped_by) == (3, None)

    def test_a_limit_reached_by_the_last_row_is_not_a_stop(
        self, client: Client, emulator: Emulator, output: Path
    ) -> None:
        emulator.models = [PRICED]
        emulator.always(yes())
        summary = batch.run(rows(10), output, client=client, model="org/m", max_cost=0.002, max_workers=1)
        assert (summary.done, summary.stopped_by) == (10, None)

    @pytest.mark.parametrize("status", [400, 404])
    def test_an_unknown_model_ends_the_run(self, client: Client, emulator: Emulator, output: Path, status: int) -> None:
        emulator.always(Response.error(status, "The model 'org/typo' does not exist", code="model_not_found"))
        with pytest.raises(ModelNotSupportedError, match=r"The first 20 rows all failed like this, so the run ended"):
            batch.run(rows(1000), output, client=client, model="org/typo", max_workers=4)
        assert len(chats(emulator)) <= 24
        emulator.always(yes())
        assert batch.run(rows(1000)[:50], output, client=client, model="org/m", stale="redo").done == 50

    def test_an_unknown_model_next_to_a_working_one_fails_only_its_own_rows(
        self, client: Client, emulator: Emulator, output: Path
    ) -> None:
        def answer(request: Request) -> Response:
            if request.json["model"] == "org/m":
                return yes()
            return Response.error(404, "The model does not exist", code="model_not_found")

        emulator.always(answer)
        mixed = [*rows(1, model="org/m"), *rows(40, start=1, model="org/typo")]
        summary = batch.run(mixed, output, client=client, max_workers=1)
        assert (summary.done, summary.failed) == (1, 40)

    def test_max_failures_ends_the_run(self, client: Client, emulator: Emulator, output: Path) -> None:
        emulator.always(Response.error(422, "No"))
        summary = batch.run(rows(50), output, client=client, max_failures=3, max_workers=2)
        assert summary.stopped_by == "max_failures"
        assert 4 <= summary.failed <= 6

    def test_a_deadline_lets_pending_requests_finish(self, client: Client, emulator: Emulator, output: Path) -> None:
        gate = Gate()
        emulator.always(yes(delay=gate))
        seen: list[str] = []

        def watch(at: batch.Progress) -> None:
            seen.append(at.stopping)
            if at.stopping:
                gate.open()

        summary = batch.run(rows(50), output, client=client, deadline=0.5, max_workers=4, progress=watch)
        assert (summary.stopped_by, summary.done) == ("deadline", 4)

    def test_requests_that_outlast_the_grace_period_are_cancelled(
        self, client: Client, emulator: Emulator, output: Path
    ) -> None:
        emulator.always(yes(delay=Gate()))
        summary = batch.run(rows(50), output, client=client, deadline=0.3, drain=0.3, max_workers=4)
        assert (summary.stopped_by, summary.done, summary.failed) == ("deadline", 0, 0)
        emulator.wait_for_disconnect(4)


class TestStale:
    @pytest.fixture
    def old(self, client: Client, emulator: Emulator, output: Path) -> None:
        emulator.always(yes())
        batch.run(rows(3), output, client=client, max_tokens=5)

    @pytest.mark.parametrize(
        "change",
        [
            {"inputs": [{"custom_id": "r1", "prompt": "other"}]},
            {"max_tokens": 6},
            {"temperature": 0.5},
            {"model": "org/m"},
        ],
        ids=["question", "option", "new option", "model"],
    )
    def test_a_stale_answer_is_refused(
        self, old: None, client: Client, emulator: Emulator, output: Path, change: dict[str, Any]
    ) -> None:
        asked = len(chats(emulator))
        arguments = {"inputs": rows(3), "max_tokens": 5, **change}
        with pytest.raises(
            InvalidRequestError, match=r"has an answer for 'r[01]', but to another question or with other"
        ):
            batch.run(arguments.pop("inputs"), output, client=client, **arguments)
        assert len(chats(emulator)) == asked

    def test_a_stale_answer_can_be_asked_again(
        self, old: None, client: Client, emulator: Emulator, output: Path, recorded: Recorded
    ) -> None:
        emulator.always(Response.text("New"))
        summary = batch.run(rows(3), output, client=client, max_tokens=6, stale="redo")
        assert (summary.done, summary.resumed) == (3, 0)
        assert [outcome.text for outcome in batch.read(output)] == ["New"] * 3
        assert len(recorded()) == 3

    def test_a_stale_answer_can_be_kept(self, old: None, client: Client, output: Path) -> None:
        assert batch.run(rows(4), output, client=client, max_tokens=6, stale="keep").resumed == 3

    def test_transport_options_do_not_make_an_answer_stale(self, old: None, client: Client, output: Path) -> None:
        summary = batch.run(rows(3), output, client=client, max_tokens=5, timeout=9, provider="novita", max_workers=3)
        assert summary.resumed == 3


class TestChoice:
    def test_only_failed_rows_are_asked(self, client: Client, emulator: Emulator, output: Path) -> None:
        emulator.always(lambda request: Response.error(422, "No") if prompt_of(request) == "p1" else yes())
        batch.run(rows(3), output, client=client)
        emulator.always(yes())
        summary = batch.run(rows(9), output, client=client, only="failed")
        assert (summary.done, summary.resumed) == (3, 2)
        assert len(chats(emulator)) == 4

    def test_shards_are_disjoint_and_cover_all_rows(self, client: Client, output: Path, tmp_path: Path) -> None:
        paths = [tmp_path / f"{number}.jsonl" for number in range(3)]
        done = [batch.run(rows(60), path, client=client, shard=(number, 3)).done for number, path in enumerate(paths)]
        assert sum(done) == 60
        assert min(done) > 5
        assert batch.merge(paths, output) == 60
        batch.sort(rows(60), output)
        assert [outcome.custom_id for outcome in batch.read(output)] == [f"r{number}" for number in range(60)]
        assert batch.run(rows(60), output, client=client).resumed == 60

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"shard": (3, 3)}, r"shard must be a pair \(i, n\)"),
            ({"shard": 1}, "shard must be a pair"),
            ({"only": "new"}, "only must be 'failed'"),
            ({"stale": "ask"}, "stale must be 'raise', 'redo' or 'keep'"),
            ({"ordered": True}, r"'ordered'.* batch\.sort"),
        ],
    )
    def test_a_bad_argument_is_named(self, client: Client, output: Path, arguments: dict[str, Any], words: str) -> None:
        with pytest.raises(InvalidRequestError, match=words):
            batch.run(["Hi"], output, client=client, **arguments)


class TestSummary:
    def test_the_summary_shows_times_providers_and_truncated_answers(
        self, client: Client, emulator: Emulator, output: Path
    ) -> None:
        emulator.models = [PRICED]
        emulator.reply(yes(finish="length"))
        emulator.always(yes())
        summary = batch.run(rows(3), output, client=client, model="org/m")
        assert summary.truncated == 1
        assert summary.latency.p50 is not None
        assert summary.first_token.p99 is not None
        provider = summary.providers["novita"]
        assert (provider.answers, provider.prompt_tokens, provider.completion_tokens) == (3, 300, 150)
        assert provider.cost == summary.cost == pytest.approx(0.0006)

    def test_the_state_file_is_next_to_the_output(self, client: Client, output: Path) -> None:
        batch.run(rows(3), output, client=client)
        progress, state = batch.read_state(output)
        assert (progress.rows, progress.done, state["ended"]) == (3, 3, "finished")

    def test_there_is_no_state_without_a_run(self, output: Path) -> None:
        with pytest.raises(InvalidRequestError, match="no run has stored its state"):
            batch.read_state(output)
        Path(f"{output}.state").write_text("rubbish")
        with pytest.raises(InvalidRequestError, match="does not hold the state of a run"):
            batch.read_state(output)


class TestRateLimit:
    def test_a_limit_of_requests_a_second_is_used(
        self, make_client: MakeClient, emulator: Emulator, output: Path
    ) -> None:
        """Uses a real socket. test_batch_pace.py simulates longer runs."""
        lock, level, at = threading.Lock(), [20.0], [time.monotonic()]

        def limited(request: Request) -> Response:
            with lock:
                now = time.monotonic()
                level[0] = min(20.0, level[0] + (now - at[0]) * 40)
                at[0] = now
                if level[0] < 1:
                    return Response.error(429, "Slow down")
                level[0] -= 1
            return yes()

        emulator.always(limited)
        summary = batch.run(rows(120), output, client=make_client(max_retries=0))
        assert summary.done == 120
        assert sum(summary.refused.values()) < 50

    def test_server_errors_reach_the_caller(self, make_client: MakeClient, emulator: Emulator) -> None:
        emulator.always(Response.error(429, "Come back tomorrow", headers={"Retry-After": "86400"}))
        with pytest.raises(RateLimitError):
            list(batch.generate(rows(3), client=make_client()))
