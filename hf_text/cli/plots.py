"""``hf-text compare --plot``: speed and time to the first token of each provider, as bars."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NamedTuple

from ..columns import columns_of
from ..errors import MissingExtraError
from ..printable import one_line
from .parsing import Fail

__all__ = ["Bar", "check_plot", "write_plot"]

_BLUE, _ORANGE = "#3867d6", "#fa8231"
_WITHOUT = "no answer"


class Bar(NamedTuple):
    """The values drawn for one provider; None where unknown."""

    name: str
    tokens_per_second: float | None
    first_token: float | None


def check_plot(path: str, fail: Fail) -> None:
    """Check that the plot can be drawn, before any request. Raises MissingExtraError for a PNG without the extra."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in (".svg", ".png"):
        fail("--plot writes SVG or PNG: give a name that ends with .svg or .png")
    if not os.path.isdir(os.path.dirname(path) or "."):
        fail(f"--plot: folder not found: {os.path.dirname(path)!r}")
    if suffix == ".png" and find_spec("matplotlib") is None:
        raise MissingExtraError(
            "--plot FILE.png needs matplotlib: pip install 'hf_text[plot]'; FILE.svg needs nothing",
            package="matplotlib",
            extra="plot",
        )


def write_plot(path: str, model: str, bars: Sequence[Bar]) -> None:
    """Draw the bars. Raises OSError."""
    model = one_line(model)
    bars = [bar._replace(name=one_line(bar.name)) for bar in bars]
    if path.lower().endswith(".png"):
        _write_png(path, model, bars)
        return
    with open(path, "w", encoding="utf-8") as file:
        file.write(_draw_svg(model, bars))


def _write_png(path: str, model: str, bars: Sequence[Bar]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.4 + 0.4 * len(bars)), layout="constrained", dpi=150)
    figure.suptitle(model.replace("$", r"\$"))
    sides = (
        ("tokens per second", _BLUE, "{:,.0f}", [bar.tokens_per_second for bar in bars]),
        ("seconds to the first token", _ORANGE, "{:,.2f}", [bar.first_token for bar in bars]),
    )
    for axis, (title, colour, form, values) in zip(figure.subplots(1, 2, sharey=True), sides, strict=True):
        drawn = axis.barh(range(len(bars)), [value or 0 for value in values], color=colour)
        labels = [_WITHOUT if value is None else form.format(value) for value in values]
        axis.bar_label(drawn, labels, padding=3, fontsize=9)
        axis.set_title(title, fontsize=10)
        axis.set_yticks(range(len(bars)), [bar.name.replace("$", r"\$") for bar in bars])
        axis.set_xlim(0, max([value for value in values if value] or [1]) * 1.25)  # with room for the labels
        axis.spines[["top", "right"]].set_visible(False)
    axis.invert_yaxis()  # in the order of the table; both sides share it
    figure.savefig(path)


def _draw_svg(model: str, bars: Sequence[Bar]) -> str:
    """Draw two bars for each provider."""
    fastest = max((bar.tokens_per_second or 0 for bar in bars), default=0) or 1
    slowest = max((bar.first_token or 0 for bar in bars), default=0) or 1
    left = 30 + 9 * max((columns_of(bar.name) for bar in bars), default=0)
    parts = [f'<text x="10" y="24" font-size="16">{html.escape(model)}</text>']
    for place, bar in enumerate(bars):
        y = 50 + 46 * place
        parts.append(f'<text x="10" y="{y + 21}">{html.escape(bar.name)}</text>')
        rows = (
            (bar.tokens_per_second, fastest, _BLUE, "tokens/s", 0),
            (bar.first_token, slowest, _ORANGE, "s to the first", 2),
        )
        for row, (value, most, colour, unit, digits) in enumerate(rows):
            top, width = y + 18 * row, 320 * (value or 0) / most
            label = _WITHOUT if value is None else f"{value:,.{digits}f} {unit}"
            parts.append(f'<rect x="{left}" y="{top}" width="{width:.1f}" height="14" fill="{colour}"/>')
            parts.append(f'<text x="{left + 8 + width:.1f}" y="{top + 12}" font-size="12">{label}</text>')
    size = f'width="{left + 470}" height="{60 + 46 * len(bars)}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>\n"])
