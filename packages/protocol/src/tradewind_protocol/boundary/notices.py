"""What stands in the plane's database in place of text that stays at the site, and how it is told apart again."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from typing import Any, Final

NOTICE: Final = "kept at the site (data policy: strict)"
"""What stands in the UI where a rendered template field would be."""

DIGEST_LENGTH: Final = 32
"""Hexadecimal digits: 128 bits, so that two texts of one site never share a digest by accident."""

_WITH_DIGEST: Final = re.compile(re.escape(NOTICE) + rf" [0-9a-f]{{{DIGEST_LENGTH}}}")

Digest = Callable[[str], str]
"""Text to the hexadecimal digits that stand for it."""


def keyed(key: bytes) -> Digest:
    """Digests under a site's key. Nobody without the key can try out what a short text might have been."""

    def digest(text: str) -> str:
        return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[
            :DIGEST_LENGTH
        ]

    return digest


def derived(key: bytes, purpose: str) -> bytes:
    """A key for one purpose, from which the site's key cannot be found."""
    return hmac.new(key, purpose.encode(), hashlib.sha256).digest()


def notice(digest: Digest, *place: str, value: Any) -> str:
    """The notice for `value` at `place`. Equal values at two places have different digests, so that the plane cannot
    see that they are equal."""
    text = json.dumps([place, _order_neutral(value)], sort_keys=True, ensure_ascii=True, default=str)
    return f"{NOTICE} {digest(text)}"


def is_notice(value: Any) -> bool:
    """Whether this is a notice and nothing more, in a text, a list or a map."""
    if isinstance(value, str):
        return value == NOTICE or _WITH_DIGEST.fullmatch(value) is not None
    if isinstance(value, list):
        return len(value) == 1 and isinstance(value[0], str) and is_notice(value[0])
    if isinstance(value, dict):
        return set(value) == {NOTICE_KEY} and is_notice(value[NOTICE_KEY])
    return False


NOTICE_KEY: Final = "notice"
"""The one key of a map that stands for another map."""


def without_notices(conf: Any) -> Any:
    """A run's `conf` as a site may read it: what the plane's form sent back as a notice was never changed there, so that
    the default of the site's own Dag counts."""
    if not isinstance(conf, dict):
        return conf
    return {name: value for name, value in conf.items() if not is_notice(value)}


def _order_neutral(value: Any) -> Any:
    """Lists of text in one order, as in Airflow's own hash of a Dag: some of them were sets."""
    if isinstance(value, dict):
        return {str(key): _order_neutral(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(item, str) for item in value):
            return sorted(value)
        return [_order_neutral(item) for item in value]
    return value
