"""The certificate that a gateway serves, as a request that is made anyway sees it."""

from __future__ import annotations

import httpx
from cryptography import x509

from tradewind_platform.domain.certificates import Validity


class ServedCertificates:
    """Reads how long a certificate is good. One that is seen again is not read again."""

    def __init__(self) -> None:
        self._last: tuple[bytes, Validity | None] | None = None

    def of(self, answer: httpx.Response) -> Validity | None:
        """Of an answer that is still open. None for plain HTTP, and for a certificate that cannot be read."""
        stream = answer.extensions.get("network_stream")
        tls = None if stream is None else stream.get_extra_info("ssl_object")
        shown = None if tls is None else tls.getpeercert(True)  # in DER; httpcore's object takes no keyword
        if shown is None:
            return None
        if self._last is None or self._last[0] != shown:
            self._last = (shown, _validity(shown))
        return self._last[1]


def _validity(shown: bytes) -> Validity | None:
    try:
        found = x509.load_der_x509_certificate(shown)
    except ValueError:
        return None
    return Validity(found.not_valid_before_utc, found.not_valid_after_utc)
