"""Models, mappings and summaries as tables, and as one line each in a list."""

from __future__ import annotations

import copy
import pickle
from html.parser import HTMLParser
from typing import Any

import pandas
import pytest
from IPython.lib.pretty import pretty

from hf_text import Client, Model, ModelProvider, ProviderMapping
from hf_text.batch import Percentiles, ProviderSummary, Summary
from hf_text.emulator import Emulator
from hf_text.protocol.catalog import HubModel
from hf_text.protocol.listings import Models, Providers
from hf_text.tables import price

OFFER = ModelProvider(
    "novita", "live", 131_072, 0.05, 0.25, True, None, first_token_latency=0.31, throughput=182.4, is_model_author=False
)
MODEL = Model(
    "openai/gpt-oss-120b", input_modalities=("text", "image"), providers=(OFFER, ModelProvider("groq", "error"))
)
HOSTILE = "</td><script>alert(1)</script>\x1b[2J\n&amp;"
SUMMARY = Summary(
    rows=10,
    done=8,
    failed=2,
    resumed=3,
    prompt_tokens=1200,
    completion_tokens=3400,
    seconds=12.34,
    errors={"RateLimitError": 2},
    cost=0.0123,
    providers={"novita": ProviderSummary(8, 1200, 3400, 0.0123, Percentiles(0.5, 1.0, 2.0))},
    stopped_by="deadline",
)


class Cells(HTMLParser):
    """The cell texts and the tags of a table."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data)


def test_models_in_a_list_are_one_line_each() -> None:
    assert repr(MODEL) == "<Model openai/gpt-oss-120b: 1 live provider, 131,072 tokens, from $0.25, sees>"
    assert repr(OFFER) == "<ModelProvider novita: live, 131,072 tokens, $0.050 + $0.25>"
    mapping = ProviderMapping("groq", "openai/gpt-oss-120b", "conversational", "live")
    assert repr(mapping) == "<ProviderMapping groq: live, conversational>"
    assert (
        repr(HubModel("a/b", "text-generation", mapping={"groq": mapping}))
        == "<HubModel a/b: text-generation, 1 provider>"
    )
    assert repr(Model("phi", direct=ModelProvider(""))) == "<Model phi>"
    assert repr(SUMMARY).startswith(
        "<Summary: 8 of 10 rows done, 2 failed (2 RateLimitError), 3 of them before, 12.3 s,"
    )
    assert "\n" not in pretty([MODEL, SUMMARY], max_width=1000)
    assert repr(Model(HOSTILE)).isprintable()


def test_single_models_are_tables() -> None:
    assert pretty(Models([MODEL])).splitlines() == [
        "1 model",
        "model                providers  context  $/M in  $/M out  tokens/s  first token  sees  tools",
        "openai/gpt-oss-120b          1  131,072  $0.050    $0.25       182       0.31 s  yes   yes",
    ]
    assert pretty(MODEL).splitlines()[2:] == [
        "novita    live    131,072  $0.050    $0.25       182       0.31 s  yes",
        "groq      error",
    ]
    assert pretty(SUMMARY).splitlines()[1:] == [
        "provider  answers  tokens in  tokens out    cost  median  90 %  99 %",
        "novita          8      1,200       3,400  $0.012   0.5 s   1 s   2 s",
    ]
    assert Cells(SUMMARY._repr_html_()).texts[-8:] == ["novita", "8", "1,200", "3,400", "$0.012", "0.5 s", "1 s", "2 s"]


def test_a_long_list_shows_its_start_and_slices_are_tables() -> None:
    models = Models(Model(f"a/{number}") for number in range(1000))
    assert pretty(models).splitlines()[-1] == "… and 960 more"
    assert "<p>… and 960 more</p>" in models._repr_html_()
    assert pretty(models[:2]).splitlines() == ["2 models", "model  providers", "a/0            0", "a/1            0"]
    assert models[0] == Model("a/0")


@pytest.mark.parametrize(
    "table", [Models([Model(HOSTILE)]), Model(HOSTILE), Providers({HOSTILE: ProviderMapping(HOSTILE, HOSTILE)})]
)
def test_names_are_escaped(table: Any) -> None:
    cells = Cells(table._repr_html_())
    assert cells.tags <= {"table", "caption", "thead", "tbody", "tr", "th", "td", "p"}
    assert any("<script>" in text for text in cells.texts)
    assert "\x1b" not in table._repr_html_() + pretty(table)


def test_a_client_returns_tabular_lists_and_dicts(emulator: Emulator, client: Client) -> None:
    models, mapping = client.models(), client.mapping("openai/gpt-oss-120b")
    assert isinstance(models, list)
    assert isinstance(mapping, dict)
    assert "<table>" in models._repr_html_()  # type: ignore[attr-defined]
    assert pretty(mapping).startswith("6 providers\nprovider ")
    for value in (models, mapping):
        for twin in (copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
            assert (type(twin), twin) == (type(value), value)


def test_a_data_frame_of_models_has_a_column_for_each_attribute() -> None:
    frame = pandas.DataFrame(Models([MODEL]))
    columns = ["id", "price", "throughput", "latency", "context_length", "vision", "tools", "structured_output"]
    assert frame.loc[0, columns].tolist() == ["openai/gpt-oss-120b", 0.25, 182.4, 0.31, 131_072, True, True, None]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (0, "$0.00"),
        (0.1, "$0.10"),
        (12.345, "$12.35"),
        (1234.5, "$1,234.50"),
        (0.05, "$0.050"),
        (4.9e-06, "$0.0000049"),
    ],
)
def test_prices_have_two_significant_digits(value: float | None, shown: str) -> None:
    assert price(value) == shown
