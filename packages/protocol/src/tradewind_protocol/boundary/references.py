"""What counts as a reference to a value that stays at the site."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

SCHEMES: Final = frozenset(
    {
        "s3",
        "s3a",
        "gs",
        "gcs",
        "abfs",
        "abfss",
        "az",
        "adl",
        "wasb",
        "wasbs",
        "file",
        "hdfs",
        "webhdfs",
        "oss",
        "oci",
    }
)
"""Storage that needs the site's own credentials to read. http(s) is left out: a signed URL is a key, not a reference."""

LONGEST: Final = 2048
"""Characters. A reference is a place; anything longer is a value in disguise."""


def is_reference(value: Any, schemes: frozenset[str] = SCHEMES) -> bool:
    """True for a URL of one of `schemes` that names a place and carries no password, query or control character."""
    if not isinstance(value, str) or len(value) > LONGEST or not value.isprintable():
        return False
    try:
        url = urlsplit(value)
        password = url.password
    except ValueError:
        return False
    if url.scheme.lower() not in schemes or not value[len(url.scheme) :].startswith("://"):
        return False
    # A query can be a signature that opens the object to anyone who reads the URL.
    return not url.query and password is None and bool(url.path.strip("/"))
