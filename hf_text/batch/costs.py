"""What answers cost, by the prices of the server that answers."""

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
    """The prices of a server, asked for once, in a thread of their own: no row waits for them.

    Args:
        client: whose server.
    """

    def __init__(self, client: Client) -> None:
        self._models: list[Model] = []
        self._offers: dict[tuple[str, str | None], ModelProvider | None] = {}
        self._thread = threading.Thread(target=self._ask, args=(client,), name="hf_text-prices", daemon=True)
        self._thread.start()

    def of(self, completion: Completion) -> float | None:
        """USD; None if the server gives no price or no token counts. Waits until the prices are there."""
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
        """Wait for the answer about prices, if it is still under way."""
        self._thread.join(1.0)

    def _ask(self, client: Client) -> None:
        try:
            self._models = client.models()
        except HFTextError:  # no list, no prices
            self._models = []
