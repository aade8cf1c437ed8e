"""Ending a run early: the first rows show that no row can be answered."""

from __future__ import annotations

from ..errors import HFTextError, ModelNotSupportedError, NotFoundError, TransportError
from .lanes import Lane, Lanes

__all__ = ["add_advice_on_model", "model_is_unknown", "nobody_is_there"]

_UNREACHABLE_SECONDS = 1.0  # how long an unreachable address is tried
_UNKNOWN_ROWS = 20  # a run whose first rows all fail like this ends


def nobody_is_there(lane: Lane, answered: int, error: HFTextError) -> bool:
    """Whether the address is wrong, rather than the server down: no connection ever succeeded.

    ``answered`` is how many rows of the run were answered.
    """
    unreachable = isinstance(error.underlying, TransportError) and not answered
    return unreachable and lane.pace.outage >= _UNREACHABLE_SECONDS


def model_is_unknown(lanes: Lanes, lane: Lane, answered: int, error: HFTextError) -> bool:
    """Whether no server knows the model: the first rows of a lane all failed like this one, and no lane has an answer.

    Counts the failure.
    """
    if lane.answers or not isinstance(error.underlying, (ModelNotSupportedError, NotFoundError)):
        lane.unknown = float("-inf")
        return False
    lane.unknown += 1
    return lane.unknown >= _UNKNOWN_ROWS and not answered and all(other.unknown > 0 for other in lanes)


def add_advice_on_model(error: HFTextError) -> HFTextError:
    """Add the advice for a run that ends so, and return the error."""
    error.add_advice(
        f"The first {_UNKNOWN_ROWS} rows all failed like this, so the run ended: correct the model or the "
        "address, and run it again."
    )
    return error
