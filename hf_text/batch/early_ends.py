"""Ends a run early if its first rows show that no row can succeed."""

from __future__ import annotations

from ..errors import HFTextError, ModelNotSupportedError, NotFoundError, TransportError
from .lanes import Lane, Lanes

__all__ = ["add_advice_on_model", "model_is_unknown", "nobody_is_there"]

_UNREACHABLE_SECONDS = 1.0  # how long to retry an unreachable address
_UNKNOWN_ROWS = 20  # the run ends if this many first rows all fail in this way


def nobody_is_there(lane: Lane, answered: int, error: HFTextError) -> bool:
    """Whether the address is wrong rather than the server down: no connection has ever succeeded.

    ``answered`` is the number of answered rows of the run.
    """
    unreachable = isinstance(error.underlying, TransportError) and not answered
    return unreachable and lane.pace.outage >= _UNREACHABLE_SECONDS


def model_is_unknown(lanes: Lanes, lane: Lane, answered: int, error: HFTextError) -> bool:
    """Count the failure, and return whether the model is unknown: the first rows of every lane failed like this one,
    and no row has an answer.
    """
    if lane.answers or not isinstance(error.underlying, (ModelNotSupportedError, NotFoundError)):
        lane.unknown = float("-inf")
        return False
    lane.unknown += 1
    return lane.unknown >= _UNKNOWN_ROWS and not answered and all(other.unknown > 0 for other in lanes)


def add_advice_on_model(error: HFTextError) -> HFTextError:
    """Add advice for a run that ends in this way, and return the error."""
    error.add_advice(
        f"The first {_UNKNOWN_ROWS} rows all failed like this, so the run ended: correct the model or the "
        "address, and run it again."
    )
    return error
