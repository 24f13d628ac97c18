"""The body of a SCIM request, before anything of it is understood."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Body
from pydantic import AfterValidator


def _text_only(body: dict[str, Any]) -> dict[str, Any]:
    """Raises ValueError for half a character of UTF-16 anywhere in it: JSON can name one, and no table or answer can hold it."""
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    return body


Sent = Annotated[dict[str, Any], Body(), AfterValidator(_text_only)]
