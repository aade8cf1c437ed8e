"""requests and sseclient-py as their documentation shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import requests
import sseclient

MODE = "sync"


class Driver:
    def __init__(self, base_url: str, verify: str | None) -> None:
        self._url = f"{base_url}/chat/completions"
        self._session = requests.Session()
        self._verify = verify or True

    def stream(self) -> Iterator[str]:
        body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
        response = self._session.post(self._url, json=body, stream=True, verify=self._verify)
        for event in sseclient.SSEClient(response).events():  # type: ignore[arg-type]  # as documented
            if event.data != "[DONE]":  # after it the answer is read to its end: the connection can serve again
                text = json.loads(event.data)["choices"][0]["delta"].get("content")
                if text:
                    yield text
