"""Tables as input and output, with the real packages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import polars
import pyarrow
import pytest

from hf_text import Client, InvalidRequestError, batch
from hf_text.emulator import Emulator, Request, Response

Recorded = Callable[[], dict[str, dict[str, Any]]]

COLUMNS: dict[str, list[Any]] = {"id": [1, 2, 3], "text": ["good", "bad", "fine"], "stars": [5, 1, 3]}


def echo(request: Request) -> Response:
    prompt = request.json["messages"][-1]["content"]
    return Response.error(422, "No") if "bad" in prompt else Response.text(prompt.upper())


MAKERS = {
    "pandas": pandas.DataFrame,
    "polars": polars.DataFrame,
    "arrow": pyarrow.table,
    "batch": pyarrow.RecordBatch.from_pydict,
}
tables = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


class TestInputs:
    @tables
    def test_a_table_is_asked_row_by_row(
        self, client: Client, emulator: Emulator, output: Path, recorded: Recorded, make: Callable[[Any], Any]
    ) -> None:
        emulator.always(echo)
        summary = batch.run(
            make(COLUMNS), output, client=client, template="Label: {text}", id="id", keep=["stars", "text"]
        )
        assert (summary.rows, summary.done, summary.failed) == (3, 2, 1)
        assert {name: line["columns"] for name, line in recorded().items()} == {
            "1": {"stars": 5, "text": "good"},
            "2": {"stars": 1, "text": "bad"},
            "3": {"stars": 3, "text": "fine"},
        }
        frame = batch.to_frame(output).set_index("custom_id")
        assert frame.loc["1", "text"] is not None
        assert batch.run(make(COLUMNS), output, client=client, template="Label: {text}", id="id").resumed == 2

    @tables
    def test_a_table_without_a_template_is_not_asked_by_its_columns(
        self, client: Client, emulator: Emulator, output: Path, make: Callable[[Any], Any]
    ) -> None:
        with pytest.raises(InvalidRequestError, match="none of the columns id, text, stars is named 'prompt'"):
            batch.run(make(COLUMNS), output, client=client)
        assert not emulator.requests
        assert not output.exists()

    def test_missing_values_stay_missing(self, client: Client, output: Path, recorded: Recorded) -> None:
        frame = pandas.DataFrame({"prompt": ["one", "two"], "seed": [1.0, None], "temperature": [0.5, float("nan")]})
        frame["when"] = pandas.to_datetime(["2026-01-01", None])
        frame["seed"] = frame["seed"].astype("Int64")
        batch.run(frame, output, client=client, keep=["when", "seed"])
        kept = sorted(json.dumps(line["columns"]) for line in recorded().values())
        assert kept == ['{"when": "2026-01-01T00:00:00", "seed": 1}', '{"when": null, "seed": null}']

    def test_a_series_is_read_as_prompts(self, client: Client, output: Path) -> None:
        assert batch.run(pandas.Series(["one", "two"]), output, client=client).done == 2
        with pytest.raises(InvalidRequestError, match=r"inputs\[1\] must be a str"):
            batch.run(pandas.Series(["one", None]), output, client=client)

    def test_numpy_values_are_converted(self, client: Client, output: Path, recorded: Recorded) -> None:
        ids = pandas.Series([7, 8]).to_numpy()
        rows = [{"custom_id": ids[0], "prompt": "one", "seed": ids[1]}]
        batch.run(rows, output, client=client)
        assert set(recorded()) == {"7"}

    @pytest.mark.parametrize(
        ("inputs", "words"),
        [
            (polars.DataFrame(COLUMNS).lazy(), r"a lazy frame: pass its \.collect\(\)"),
            (pandas.DataFrame(COLUMNS).to_numpy(), "an array: pass a list of prompts"),
            (COLUMNS, "must be rows, not a mapping"),
        ],
        ids=["lazy", "array", "columns"],
    )
    def test_unsupported_inputs_are_refused_with_advice(self, inputs: Any, words: str, output: Path) -> None:
        with pytest.raises(InvalidRequestError, match=words):
            batch.run(inputs, output)


class TestFrames:
    def check(self, answers: list[Any], errors: list[Any]) -> None:
        assert answers == ["LABEL: GOOD", None, "LABEL: FINE"]
        assert errors[0] is None
        assert errors[1].startswith("BadRequestError: ")

    @tables
    def test_a_block_comes_back_with_answers(
        self, client: Client, emulator: Emulator, make: Callable[[Any], Any]
    ) -> None:
        emulator.always(echo)
        block = make(COLUMNS)
        result = batch.generate_frame(block, "Label: {text}", client=client)
        assert type(result) is type(block)
        rows = result.to_pylist() if hasattr(result, "to_pylist") else list(batch_rows(result))
        self.check([row["answer"] for row in rows], [row["answer_error"] for row in rows])
        assert [row["id"] for row in rows] == [1, 2, 3]

    def test_columns_and_lists_round_trip(self, client: Client, emulator: Emulator) -> None:
        emulator.always(echo)
        columns = batch.generate_frame(COLUMNS, "Label: {text}", client=client)
        self.check(columns["answer"], columns["answer_error"])
        arrays = {name: pandas.Series(values).to_numpy() for name, values in COLUMNS.items()}
        self.check(batch.generate_frame(arrays, "Label: {text}", client=client)["answer"], columns["answer_error"])
        rows = [dict(zip(COLUMNS, values, strict=True)) for values in zip(*COLUMNS.values(), strict=True)]
        rows = batch.generate_frame(rows, "Label: {text}", into="label", client=client)
        self.check([row["label"] for row in rows], [row["label_error"] for row in rows])

    def test_an_empty_block_is_returned_empty(self, client: Client) -> None:
        assert list(batch.generate_frame(pandas.DataFrame({"text": []}), "{text}", client=client).columns) == [
            "text",
            "answer",
            "answer_error",
        ]

    def test_an_invalid_block_is_refused(self) -> None:
        with pytest.raises(InvalidRequestError, match="frame must be a DataFrame"):
            batch.generate_frame("Hi")


def batch_rows(frame: Any) -> Any:
    """Return the rows of a pandas or polars DataFrame, with missing values as None."""
    if isinstance(frame, polars.DataFrame):
        return frame.iter_rows(named=True)
    return frame.astype(object).where(frame.notna(), None).to_dict("records")
