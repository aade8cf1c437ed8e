"""Conversion of input values to rows."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hf_text import Completion, InvalidRequestError
from hf_text.batch.columns import plain
from hf_text.batch.index import NO_FINGERPRINT
from hf_text.batch.inputs import Source
from hf_text.batch.rows import Row, RowParser, Shape, shard_of


def parse(value: object, **defaults: Any) -> Row:
    return first(RowParser(defaults), value)


def first(parser: RowParser, value: object, place: str = "line 7") -> Row:
    return next(iter(parser.parse(value, place))).row


def shaped(value: object, **shape: Any) -> list[Row]:
    return [known.row for known in RowParser({}, Shape(**shape)).parse(value, "row 7")]


def content(row: Row) -> tuple[str, dict[str, Any]]:
    return row.custom_id, row.arguments


def refuse(value: object) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        parse(value)
    return str(caught.value)


def read(inputs: Any) -> list[tuple[str, object]]:
    return list(Source(inputs))


class TestForms:
    def test_an_openai_batch_request_is_read(self) -> None:
        body = {"model": "org/m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5, "stop": "x"}
        row = parse({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body})
        assert content(row) == ("a", {"include_usage": True, **body})

    def test_unknown_body_fields_are_sent_unchanged(self) -> None:
        body = {"messages": "Hi", "top_k": 1, "provider": {"x": 1}, "n": 1}
        arguments = parse({"custom_id": "a", "body": body}).arguments
        assert arguments["extra_body"] == {"top_k": 1, "provider": {"x": 1}, "n": 1}

    def test_a_body_without_max_tokens_uses_the_server_default(self) -> None:
        assert parse({"body": {"messages": "Hi"}}).arguments["max_tokens"] is None
        assert parse({"body": {"messages": "Hi"}}, max_tokens=7).arguments["max_tokens"] == 7
        assert "max_tokens" not in parse({"prompt": "Hi"}).arguments

    def test_the_stream_field_of_a_body_is_ignored(self) -> None:
        row = parse({"body": {"messages": "Hi", "stream": True, "stream_options": {"include_usage": False}}})
        assert row.arguments == {"include_usage": True, "max_tokens": None, "messages": "Hi", "model": None}

    @pytest.mark.parametrize("value", ["Hi", {"prompt": "Hi"}, {"messages": "Hi"}])
    def test_all_short_forms_of_a_prompt_are_the_same_row(self, value: object) -> None:
        assert content(parse(value)) == content(parse("Hi"))
        assert parse(value).arguments["messages"] == "Hi"

    def test_options_are_read_next_to_the_prompt(self) -> None:
        row = parse({"custom_id": "a", "prompt": "Hi", "seed": 3, "provider": "novita"}, seed=1, temperature=0)
        expected = {"messages": "Hi", "seed": 3, "provider": "novita", "temperature": 0, "include_usage": True}
        assert content(row) == ("a", {**expected, "model": None})

    def test_the_model_of_the_run_is_the_default_of_its_rows(self) -> None:
        assert parse("Hi", model="org/m").arguments["model"] == "org/m"
        assert parse({"prompt": "Hi", "model": None}, model="org/m").arguments["model"] == "org/m"
        assert parse({"prompt": "Hi", "model": "org/other"}, model="org/m").arguments["model"] == "org/other"

    def test_extra_fields_of_run_and_row_are_merged(self) -> None:
        row = parse({"body": {"messages": "Hi", "top_k": 1}}, extra_body={"min_p": 0.1, "top_k": 9})
        assert row.arguments["extra_body"] == {"min_p": 0.1, "top_k": 1}

    @pytest.mark.parametrize(
        ("value", "words"),
        [
            (5, ["must be a str, {", "int: 5"]),
            (None, ["must be a str, {", "None"]),
            ("", ["the prompt must be a str that is not empty"]),
            ({"prompt": ["Hi"]}, ["the prompt must be"]),
            ({"question": "Hi"}, ["must be a str, {", "question"]),
            ({"prompt": "Hi", "messages": "Hi"}, ["must be a str, {"]),
            ({"prompt": "Hi", "max_token": 5}, ["'max_token' is not an option", "max_tokens", "extra_body"]),
            (
                {"custom_id": 5.5, "prompt": "Hi"},
                ["custom_id must be a str that is not empty, or an int", "float: 5.5"],
            ),
            ({"custom_id": True, "prompt": "Hi"}, ["custom_id must be a str", "bool: True"]),
            ({"custom_id": "\ud800", "prompt": "Hi"}, ["custom_id has a lone surrogate"]),
            ({"body": "Hi"}, ['the body must be a mapping with "messages"']),
            ({"body": {"model": "m"}}, ['the body must be a mapping with "messages"']),
            ({"body": {"messages": "Hi"}, "model": "m"}, ["'model' has no place beside the body"]),
            ({"body": {"messages": "Hi"}, "method": "GET"}, ["the method must be POST", "GET"]),
            ({"body": {"messages": "Hi"}, "url": "/v1/embeddings"}, ["the url must be", "/v1/embeddings"]),
            ({"body": {"messages": "Hi", "n": 2}}, ["asks for n=2"]),
        ],
    )
    def test_an_invalid_row_is_refused_with_its_position(self, value: object, words: list[str]) -> None:
        message = refuse(value)
        assert message.startswith("line 7")
        for word in words:
            assert word in message


class TestTemplates:
    ROW: ClassVar[dict[str, Any]] = {"id": 7, "text": "Great {product}", "stars": 4.5, "label": "x"}

    @pytest.mark.parametrize(
        ("template", "messages"),
        [
            ("Label: {text}", "Label: Great {product}"),
            ("{{{stars:.2f}}} {text!r}", "{4.50} 'Great {product}'"),
            (lambda row: f"{row['stars']} stars", "4.5 stars"),
            (
                [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "{text}"}],
                [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Great {product}"}],
            ),
        ],
    )
    def test_columns_make_a_prompt(self, template: Any, messages: Any) -> None:
        (row,) = shaped(self.ROW, template=template, id="id", keep=["label", "stars"])
        assert (row.custom_id, row.arguments["messages"]) == ("7", messages)
        assert row.columns == {"label": "x", "stars": 4.5}

    def test_a_function_may_return_a_complete_row(self) -> None:
        (row,) = shaped(self.ROW, template=lambda row: {"prompt": row["text"], "seed": row["id"]})
        assert (row.arguments["messages"], row.arguments["seed"]) == ("Great {product}", 7)

    def test_a_plain_prompt_fills_a_single_column(self) -> None:
        assert shaped("rain", template="A poem on {topic}")[0].arguments["messages"] == "A poem on rain"

    @pytest.mark.parametrize(
        ("shape", "words"),
        [
            (
                {"template": "Label: {txt}"},
                "row 7: the template names 'txt', but the columns are id, text, stars, label",
            ),
            (
                {"template": 'Return {"label": 1} for {text}'},
                "row 7: the template names '\"label\"', but the columns are .*; write a literal brace twice",
            ),
            ({"template": "{empty}"}, "row 7: the column 'empty' of the template is empty"),
            ({"template": "{text}", "id": "name"}, "row 7: no column 'name' for the name"),
            ({"template": "{text}", "id": "empty"}, "row 7: the column 'empty' with the name .id=. is empty"),
            ({"template": "{text}", "keep": ["lable"]}, "row 7: no column 'lable' to keep"),
            ({"template": "{text}", "keep": ["odd"]}, "row 7: the column odd must be a value that JSON can hold"),
        ],
    )
    def test_a_missing_or_empty_column_is_refused(self, shape: dict[str, Any], words: str) -> None:
        row = {**self.ROW, "empty": float("nan"), "odd": object()}
        if "names" in words:
            row = self.ROW
        with pytest.raises(InvalidRequestError, match=words):
            shaped({name: plain(value) for name, value in row.items()}, **shape)

    @pytest.mark.parametrize(
        ("shape", "words"),
        [
            ({"template": "Label: {text"}, "template: expected '}' before end of string; write a literal brace twice"),
            ({"template": 5}, "template must be a text"),
            ({"template": ""}, "template must be a text"),
            ({"samples": 0}, "samples must be a whole number from 1 up"),
            ({"keep": 5}, "keep must be a list of names"),
            ({"models": [""]}, "models must be a list of names"),
            ({"id": ""}, "id must be the name of a column"),
        ],
    )
    def test_an_invalid_template_is_refused(self, shape: dict[str, Any], words: str) -> None:
        with pytest.raises(InvalidRequestError, match=words):
            Shape(**shape)

    def test_extra_columns_must_be_named_to_be_kept(self) -> None:
        (row,) = shaped({"id": 3, "prompt": "Hi", "label": "x"}, id="id", keep=["label"])
        assert (row.custom_id, row.columns, "label" in row.arguments) == ("3", {"label": "x"}, False)

    def test_table_columns_are_not_mistaken_for_options(self) -> None:
        (row,) = shaped({"prompt": "Hi", "seed": None, "anything": 5}, table=True)
        assert set(row.own) == {"messages"}

    def test_a_table_without_a_prompt_is_refused_with_a_template(self) -> None:
        with pytest.raises(InvalidRequestError, match=r"none of the columns id, text is named 'prompt' .*{text}"):
            shaped({"id": 1, "text": "Hi"}, table=True)


class TestSamples:
    def test_each_sample_has_its_own_id_and_seed(self) -> None:
        rows = shaped({"custom_id": "a", "prompt": "Hi", "seed": 5}, samples=3)
        assert [(row.custom_id, row.arguments["seed"]) for row in rows] == [("a#0", 5), ("a#1", 6), ("a#2", 7)]

    def test_each_sample_asks_each_model(self) -> None:
        rows = shaped({"custom_id": "a", "prompt": "Hi"}, samples=2, models=["org/m", "org/n"])
        assert [(row.custom_id, row.model) for row in rows] == [
            ("a#0", "org/m"),
            ("a#1", "org/m"),
            ("a#2", "org/n"),
            ("a#3", "org/n"),
        ]

    def test_the_samples_of_a_row_are_in_one_shard(self) -> None:
        assert len({shard_of(f"row-{number}", 4) for number in range(50)}) == 4
        assert shard_of("row-3#0", 4) == shard_of("row-3#17", 4) == shard_of("row-3", 4)


class TestFingerprints:
    def test_the_fingerprint_covers_the_question_and_its_options(self) -> None:
        same = [parse("Hi").asked, parse({"prompt": "Hi"}).asked, parse({"custom_id": "a", "messages": "Hi"}).asked]
        assert len(set(same)) == 1
        others = [parse("Ho"), parse("Hi", seed=1), parse("Hi", model="org/m"), parse("Hi", max_tokens=5)]
        assert len({row.asked for row in others} | set(same)) == 5

    def test_options_of_run_and_row_give_the_same_fingerprint(self) -> None:
        assert parse({"prompt": "Hi", "seed": 1}).asked == parse("Hi", seed=1).asked

    def test_transport_options_do_not_change_the_fingerprint(self) -> None:
        assert parse("Hi", timeout=5, provider="groq", include_usage=False).asked == parse("Hi").asked

    def test_a_value_without_content_has_no_fingerprint(self) -> None:
        row = {"custom_id": "a", "prompt": "Hi", "media": io.BytesIO(b"picture")}
        assert parse(row).asked == NO_FINGERPRINT

    @pytest.mark.parametrize("row", ["Hi", {"custom_id": "a", "prompt": "Hi"}])
    def test_a_run_option_without_content_gives_no_fingerprint(self, row: Any) -> None:
        assert parse(row, media=io.BytesIO(b"picture")).asked == NO_FINGERPRINT


class TestNames:
    @pytest.mark.parametrize("name", [7, 7.0, "7"])
    def test_a_number_can_be_an_id(self, name: Any) -> None:
        assert parse({"custom_id": name, "prompt": "Hi"}).custom_id == "7"

    def test_content_ids_are_stable_across_versions(self) -> None:
        """Otherwise the next version would send, and pay for, every row again."""
        assert parse("Hi").custom_id == "row-427eee8c1ae219c7e8db8048"

    def test_repeated_content_is_numbered(self) -> None:
        parser = RowParser({})
        one, other, second, third = (first(parser, value).custom_id for value in ("Hi", "Ho", "Hi", "Hi"))
        assert len({one, other, second, third}) == 4
        assert (second, third) == (f"{one}-2", f"{one}-3")

    def test_every_option_changes_the_id_but_not_key_order(self) -> None:
        names = [
            parse(value).custom_id
            for value in ({"prompt": "Hi", "seed": 1}, {"seed": 1, "prompt": "Hi"}, {"prompt": "Hi", "seed": 2})
        ]
        assert names[0] == names[1] != names[2]

    def test_run_options_do_not_change_the_id(self) -> None:
        assert parse("Hi", model="org/m", seed=1).custom_id == parse("Hi").custom_id

    def test_bytes_paths_and_completions_have_content_ids(self) -> None:
        def name(media: object, text: str = "Ho") -> str:
            messages = [{"role": "user", "content": "Hi"}, Completion(text), {"role": "user", "content": "And?"}]
            return parse({"messages": messages, "media": media}).custom_id

        assert name(b"picture") == name(b"picture") != name(b"other")
        assert name(Path("a.png")) == name("a.png")
        assert name(None) != name(None, text="Hm")

    def test_a_value_without_content_needs_an_id(self) -> None:
        row = {"prompt": "Hi", "media": io.BytesIO(b"picture")}
        assert "needs a custom_id: a BytesIO is among its values" in refuse(row)
        assert parse({"custom_id": "a", **row}).custom_id == "a"

    def test_a_duplicate_custom_id_is_refused(self) -> None:
        parser = RowParser({})
        first(parser, {"custom_id": "a", "prompt": "Hi"}, "line 1")
        with pytest.raises(InvalidRequestError, match="line 2: an earlier row has the same custom_id 'a'"):
            first(parser, {"custom_id": "a", "prompt": "Ho"}, "line 2")


class TestInputs:
    def test_a_file_is_read_line_by_line(self, tmp_path: Path) -> None:
        path = tmp_path / "in.jsonl"
        path.write_bytes('\ufeff"Hi"\r\n\n  \n{"prompt": "a\u2028b\u0085c"}'.encode())
        expected = [("in.jsonl, line 1", "Hi"), ("in.jsonl, line 4", {"prompt": "a\u2028b\u0085c"})]
        assert read(path) == read(str(path)) == expected
        assert Source(path).repeatable

    def test_an_open_file_is_read_only_once(self, tmp_path: Path) -> None:
        with io.StringIO('"Hi"\n"Ho"') as file:
            assert not Source(file).repeatable
            assert read(file) == [("inputs, line 1", "Hi"), ("inputs, line 2", "Ho")]

    def test_lists_and_generators_yield_rows_unchanged(self) -> None:
        assert read(["Hi", {"prompt": "Ho"}]) == [("inputs[0]", "Hi"), ("inputs[1]", {"prompt": "Ho"})]
        assert read(value for value in ["Hi"]) == [("inputs[0]", "Hi")]
        assert Source(["Hi"]).repeatable
        assert not Source(iter(["Hi"])).repeatable

    @pytest.mark.parametrize(
        "line",
        [b"Why?", b'{"prompt": ', b"\xff\xfe", b"[" * 100_000],
        ids=["a text", "torn", "not UTF-8", "nested without end"],
    )
    def test_a_line_that_is_not_json_is_refused_with_its_number(self, tmp_path: Path, line: bytes) -> None:
        path = tmp_path / "in.jsonl"
        path.write_bytes(b'"Hi"\n' + line + b"\n")
        (_, (place, value)) = read(path)
        assert place == "in.jsonl, line 2"
        with pytest.raises(InvalidRequestError, match=r"in.jsonl, line 2 is not JSON"):
            first(RowParser({}), value)

    @pytest.mark.parametrize("inputs", [None, 5, b"in.jsonl"])
    def test_other_inputs_are_refused(self, inputs: Any) -> None:
        with pytest.raises(
            InvalidRequestError, match="must be the path of a JSONL file, a table or an iterable of rows"
        ):
            Source(inputs)

    def test_a_single_row_is_not_iterated_by_its_keys(self) -> None:
        with pytest.raises(InvalidRequestError, match="must be rows, not a mapping: pass a list of rows"):
            Source({"prompt": "Hi"})

    @pytest.mark.parametrize(("name", "reader"), [("a.csv", "pandas.read_csv"), ("a.parquet", "pandas.read_parquet")])
    def test_other_files_are_refused_with_a_way_to_read_them(self, name: str, reader: str) -> None:
        with pytest.raises(InvalidRequestError, match=f"read it with {reader}, and pass the result"):
            Source(name)

    def test_a_compressed_file_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "in.jsonl.gz"
        path.write_bytes(gzip.compress(b'"one"\n"two"\n'))
        assert [value for _, value in read(path)] == ["one", "two"]
        assert Source(path).count() == 2

    def test_standard_input_is_a_dash(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'"one"\n')))
        assert read("-") == [("standard input, line 1", "one")]

    def test_a_missing_path_is_an_os_error(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="nothing"):
            Source(tmp_path / "nothing.jsonl")
