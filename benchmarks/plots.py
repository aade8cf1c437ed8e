"""Plots of the figures, if matplotlib is installed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any


def load_pyplot() -> Any:
    """matplotlib's pyplot with a backend for files; None if it is not installed."""
    try:
        importlib.import_module("matplotlib").use("Agg")
    except ImportError:
        return None
    return importlib.import_module("matplotlib.pyplot")


def plot_bars(figures: dict[str, dict[str, float]], path: Path) -> None:
    """Plot a bar per client for each figure, on a logarithmic scale."""
    pyplot = load_pyplot()
    if pyplot is None or not figures:
        return
    picture, axes = pyplot.subplots(len(figures), 1, figsize=(8, 2.2 * len(figures)), squeeze=False)
    for axis, (title, clients) in zip(axes[:, 0], figures.items(), strict=True):
        colors = ["tab:blue" if "hf_text" in client else "tab:gray" for client in clients]
        axis.barh(list(clients), list(clients.values()), color=colors)
        axis.set_title(title, fontsize=9)
        axis.set_xscale("log")
        axis.set_xlim(left=min(clients.values()) / 2)
        axis.tick_params(labelsize=7)
        axis.tick_params(which="minor", labelbottom=False)
    picture.tight_layout()
    picture.savefig(path, dpi=110)


def plot_growth(
    results: dict[str, dict[int, dict[str, float]]], titles: dict[str, str], costs: dict[str, str], path: Path
) -> None:
    """Plot each cost with one line per kind, relative to the smallest size; the dashed line is linear growth."""
    pyplot = load_pyplot()
    if pyplot is None:
        return
    picture, axes = pyplot.subplots(1, len(costs), figsize=(6 * len(costs), 5), squeeze=False)
    for axis, (cost, title) in zip(axes[0], costs.items(), strict=True):
        for name, points in results.items():
            known = {size: figure[cost] for size, figure in points.items() if figure[cost] > 0}
            if known:
                size, least = next(iter(known.items()))
                times = [value / least for value in known.values()]
                axis.loglog([each / size for each in known], times, marker="o", label=titles[name])
        axis.loglog([1, 100], [1, 100], "k--", linewidth=1, label="linear")
        axis.set_xlabel("times the smallest size")
        axis.set_ylabel(f"{title}, times that of the smallest size")
        axis.legend(fontsize=7)
    picture.tight_layout()
    picture.savefig(path, dpi=110)
