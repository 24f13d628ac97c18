"""TLS as the site wants it: its own authorities, its client certificate."""

from __future__ import annotations

import ssl

from tradewind_agent.errors import SettingsWrong
from tradewind_agent.settings import Settings


def context(settings: Settings, url: str = "") -> ssl.SSLContext | None:
    """What to speak TLS with to the plane, or to `url`; None for plain http. Raises SettingsWrong, which names the file
    that is wrong.

    Without ca_file the system's authorities are trusted (SSL_CERT_FILE and SSL_CERT_DIR are honoured).
    """
    if not (url or settings.plane_url).startswith("https:"):
        return None
    try:
        made = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsWrong(f"ca_file {settings.ca_file} cannot be used: {error}") from error
    if settings.client_cert is not None:
        try:
            made.load_cert_chain(settings.client_cert, settings.client_key)
        except (OSError, ssl.SSLError) as error:
            raise SettingsWrong(
                f"client_cert {settings.client_cert} cannot be used: {error}",
                remedy="It has to be PEM, with its key in it or in client_key, and readable for the agent",
            ) from error
    return made
