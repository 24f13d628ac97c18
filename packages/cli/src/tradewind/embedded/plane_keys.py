"""The keys of an orchestration plane: made once, and kept for as long as its database."""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass, field


@dataclass(frozen=True)
class PlaneKeys:
    """What encrypts a plane's metadata database, and what signs its tokens and cookies. A repr shows none of it."""

    fernet: str = field(repr=False)  # one or several with commas: the first encrypts, each decrypts
    jwt: str = field(repr=False)
    api: str = field(repr=False)


def new_fernet_key() -> str:
    """32 random bytes as URL-safe base64: the form that the Fernet specification asks for."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def new_keys() -> PlaneKeys:
    """Another set with each call. 64 bytes for the tokens' HS512 (RFC 7518 §3.2: no shorter than the hash)."""
    return PlaneKeys(fernet=new_fernet_key(), jwt=secrets.token_urlsafe(64), api=secrets.token_urlsafe(32))


def prepended(fernet: str) -> str:
    """These Fernet keys with a new one in front, which encrypts from now on.

    Raises ValueError, without the key in it, when one of them is none.
    """
    found = [one.strip() for one in fernet.split(",")]
    for at, one in enumerate(found, 1):
        if not _is_fernet_key(one):
            raise ValueError(
                f"the {at}. of {len(found)} Fernet keys is not 32 bytes in URL-safe base64, so Airflow could not use it"
            )
    return ",".join([new_fernet_key(), *found])


def _is_fernet_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, altchars=b"-_", validate=True)) == 32
    except (binascii.Error, ValueError):
        return False
