"""Serves the platform's own certificate anew when its files are others."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from tradewind.gateway import certificates

log = logging.getLogger(__name__)


class RenewedCertificate:
    """Looks at the files whenever a client connects, and never by itself. Connections after that one have the certificate that they
    hold; those before keep theirs. Files that do not belong together are logged once, and the certificate before is served on."""

    def __init__(self, context: ssl.SSLContext, certificate: Path, key: Path) -> None:
        """`context` serves what the files have now."""
        self._context = context
        self._files = (certificate, key)
        self._marks = certificates.marks(self._files)

    def __call__(self, *_: object) -> None:
        """As `SSLContext.sni_callback`, with or without a name."""
        marks = certificates.marks(self._files)
        if marks is None or marks == self._marks:
            return
        self._marks = marks
        try:
            # First elsewhere: a key that does not belong to its certificate would leave the context without one.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._files)
            self._context.load_cert_chain(*self._files)
        except (OSError, ssl.SSLError) as error:
            log.warning(
                "the platform cannot read its new certificate and keeps the old one: %s: %s",
                self._files[0],
                error,
                extra={"action": "certificate_not_read"},
            )
