"""What a test asks the platform's API for as the person who is signed in on a page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit


def ask(page: Any, path: str, body: dict[str, Any] | None = None, *, method: str = "post") -> Any:
    """The answer. Raises AssertionError for one that is not 2xx."""
    address = urlsplit(page.url)
    data = {} if body is None else {"data": body}
    answer = getattr(page.request, method)(
        path, headers={"Origin": f"{address.scheme}://{address.netloc}"}, **data
    )
    assert answer.ok, answer.text()
    return answer.json()
