"""Prices answers by the price list of the server."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from ..client import Client
from ..completion import Completion
from ..errors import HFTextError, InvalidRequestError
from ..protocol.catalog import Model, ModelProvider
from ..protocol.names import DEFAULT_MODEL, MODEL_ALIASES
from ..protocol.prices import cost_of, find_offers

__all__ = ["Costs"]


class Costs:
    """The prices of a server, fetched once in a separate thread, so that requests do not wait for them.

    Args:
        client: the client of the server.
    """

    def __init__(self, client: Client) -> None:
        self._models: list[Model] = []
        self._offers: dict[tuple[str, str | None], ModelProvider | None] = {}
        self._thread = threading.Thread(target=self._ask, args=(client,), name="hf_text-prices", daemon=True)
        self._thread.start()

    def of(self, completion: Completion) -> float | None:
        """Return the cost in USD; None if the server gives no price or no token counts. Waits for the price list."""
        if self._thread.is_alive():
            self._thread.join()
        key = completion.model, completion.provider
        if key not in self._offers:
            offers = find_offers(self._models, *key)
            self._offers[key] = offers[0] if len(offers) == 1 else None
        return cost_of(completion.usage, self._offers[key])

    def require(self, models: Iterable[str | None]) -> None:
        """Raises InvalidRequestError if the answers of one of these models cannot be priced."""
        self._thread.join()
        for name in models:
            name = MODEL_ALIASES.get(name or DEFAULT_MODEL, name or DEFAULT_MODEL)
            if not any(
                offer.input_price is not None and offer.output_price is not None
                for offer in find_offers(self._models, name)
            ):
                raise InvalidRequestError(
                    f"max_cost: the server lists no price for {name}, so the limit cannot be enforced. "
                    "Leave out max_cost to run it"
                )

    def close(self) -> None:
        """Wait briefly for the price list if it is still being fetched."""
        self._thread.join(1.0)

    def _ask(self, client: Client) -> None:
        try:
            self._models = client.models()
        except HFTextError:  # no list, no prices
            self._models = []
