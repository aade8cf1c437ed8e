"""Values of the inputs -> rows."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from hf_text import Completion, InvalidRequestError
from hf_text.batch.inputs import Source
from hf_text.batch.rows import Row, RowParser


def parse(value: object, **defaults: Any) -> Row:
    return RowParser(defaults).parse(value, "line 7")


def refuse(value: object) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        parse(value)
    return str(caught.value)


def read(inputs: Any) -> list[tuple[str, object]]:
    return list(Source(inputs))


class TestForms:
    def test_a_request_of_the_batch_api(self) -> None:
        body = {"model": "org/m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5, "stop": "x"}
        row = parse({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body})
        assert row == Row("a", {"include_usage": True, **body})

    def test_fields_of_a_body_that_are_no_arguments_are_sent_as_they_are(self) -> None:
        body = {"messages": "Hi", "top_k": 1, "provider": {"x": 1}, "n": 1}
        arguments = parse({"custom_id": "a", "body": body}).arguments
        assert arguments["extra_body"] == {"top_k": 1, "provider": {"x": 1}, "n": 1}

    def test_a_body_without_max_tokens_leaves_it_to_the_server(self) -> None:
        assert parse({"body": {"messages": "Hi"}}).arguments["max_tokens"] is None
        assert parse({"body": {"messages": "Hi"}}, max_tokens=7).arguments["max_tokens"] == 7
        assert "max_tokens" not in parse({"prompt": "Hi"}).arguments

    def test_whether_a_body_was_to_be_streamed_does_not_matter(self) -> None:
        row = parse({"body": {"messages": "Hi", "stream": True, "stream_options": {"include_usage": False}}})
        assert row.arguments == {"include_usage": True, "max_tokens": None, "messages": "Hi", "model": None}

    @pytest.mark.parametrize("value", ["Hi", {"prompt": "Hi"}, {"messages": "Hi"}])
    def test_the_short_forms_of_a_prompt_are_the_same_row(self, value: object) -> None:
        assert parse(value) == parse("Hi")
        assert parse(value).arguments["messages"] == "Hi"

    def test_options_stand_beside_the_prompt(self) -> None:
        row = parse({"custom_id": "a", "prompt": "Hi", "seed": 3, "provider": "novita"}, seed=1, temperature=0)
        expected = {"messages": "Hi", "seed": 3, "provider": "novita", "temperature": 0, "include_usage": True}
        assert row == Row("a", {**expected, "model": None})

    def test_the_model_of_the_run_is_for_rows_that_name_none(self) -> None:
        assert parse("Hi", model="org/m").arguments["model"] == "org/m"
        assert parse({"prompt": "Hi", "model": None}, model="org/m").arguments["model"] == "org/m"
        assert parse({"prompt": "Hi", "model": "org/other"}, model="org/m").arguments["model"] == "org/other"

    def test_further_fields_of_run_and_row_come_together(self) -> None:
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
            ({"prompt": "Hi", "max_token": 5}, ["'max_token' is no option", "max_tokens", "extra_body"]),
            ({"custom_id": 5, "prompt": "Hi"}, ["custom_id must be a str", "int: 5"]),
            ({"custom_id": "\ud800", "prompt": "Hi"}, ["custom_id has a lone surrogate"]),
            ({"body": "Hi"}, ['the body must be a mapping with "messages"']),
            ({"body": {"model": "m"}}, ['the body must be a mapping with "messages"']),
            ({"body": {"messages": "Hi"}, "model": "m"}, ["'model' has no place beside the body"]),
            ({"body": {"messages": "Hi"}, "method": "GET"}, ["the method must be POST", "GET"]),
            ({"body": {"messages": "Hi"}, "url": "/v1/embeddings"}, ["the url must be", "/v1/embeddings"]),
            ({"body": {"messages": "Hi", "n": 2}}, ["asks for n=2"]),
            ({"body": {"messages": "Hi", "logprobs": True}}, ["asks for logprobs=True"]),
        ],
    )
    def test_what_is_no_row_is_refused_with_its_place(self, value: object, words: list[str]) -> None:
        message = refuse(value)
        assert message.startswith("line 7")
        for word in words:
            assert word in message


class TestNames:
    def test_names_made_from_content_stay_the_same_between_versions(self) -> None:
        """Else the next version would pay for every row once more."""
        assert parse("Hi").custom_id == "row-427eee8c1ae219c7e8db8048"

    def test_the_same_content_again_is_numbered(self) -> None:
        parser = RowParser({})
        first, other, second, third = (parser.parse(value, "").custom_id for value in ("Hi", "Ho", "Hi", "Hi"))
        assert len({first, other, second, third}) == 4
        assert (second, third) == (f"{first}-2", f"{first}-3")

    def test_the_order_of_the_keys_does_not_matter_but_every_option_does(self) -> None:
        names = [
            parse(value).custom_id
            for value in ({"prompt": "Hi", "seed": 1}, {"seed": 1, "prompt": "Hi"}, {"prompt": "Hi", "seed": 2})
        ]
        assert names[0] == names[1] != names[2]

    def test_options_of_the_run_do_not_change_the_name(self) -> None:
        assert parse("Hi", model="org/m", seed=1).custom_id == parse("Hi").custom_id

    def test_bytes_paths_and_answers_have_a_content_too(self) -> None:
        def name(media: object, text: str = "Ho") -> str:
            messages = [{"role": "user", "content": "Hi"}, Completion(text), {"role": "user", "content": "And?"}]
            return parse({"messages": messages, "media": media}).custom_id

        assert name(b"picture") == name(b"picture") != name(b"other")
        assert name(Path("a.png")) == name("a.png")
        assert name(None) != name(None, text="Hm")

    def test_what_has_no_content_needs_a_name(self) -> None:
        row = {"prompt": "Hi", "media": io.BytesIO(b"picture")}
        assert "needs a custom_id: a BytesIO is among its values" in refuse(row)
        assert parse({"custom_id": "a", **row}).custom_id == "a"

    def test_the_same_custom_id_twice_is_refused(self) -> None:
        parser = RowParser({})
        parser.parse({"custom_id": "a", "prompt": "Hi"}, "line 1")
        with pytest.raises(InvalidRequestError, match="line 2: an earlier row has the same custom_id 'a'"):
            parser.parse({"custom_id": "a", "prompt": "Ho"}, "line 2")


class TestInputs:
    def test_a_file_is_read_line_by_line(self, tmp_path: Path) -> None:
        path = tmp_path / "in.jsonl"
        path.write_bytes('\ufeff"Hi"\r\n\n  \n{"prompt": "a\u2028b\u0085c"}'.encode())
        expected = [("in.jsonl, line 1", "Hi"), ("in.jsonl, line 4", {"prompt": "a\u2028b\u0085c"})]
        assert read(path) == read(str(path)) == expected
        assert Source(path).repeatable

    def test_an_open_file_is_read_once(self, tmp_path: Path) -> None:
        with io.StringIO('"Hi"\n"Ho"') as file:
            assert not Source(file).repeatable
            assert read(file) == [("inputs, line 1", "Hi"), ("inputs, line 2", "Ho")]

    def test_lists_and_generators_hold_rows_as_they_are(self) -> None:
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
        with pytest.raises(InvalidRequestError, match=r"in.jsonl, line 2 is not JSON"):
            read(path)

    @pytest.mark.parametrize("inputs", [None, 5, b"in.jsonl", {"prompt": "Hi"}])
    def test_other_inputs_are_refused(self, inputs: Any) -> None:
        with pytest.raises(InvalidRequestError, match="inputs must be the path of a JSONL file or an iterable of rows"):
            Source(inputs)

    def test_a_path_that_leads_nowhere_is_an_os_error(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="nothing"):
            Source(tmp_path / "nothing.jsonl")
