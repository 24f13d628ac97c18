"""What of Kubernetes' texts stays at a site: credentials always, and under a strict data boundary names of its machines and images."""

from __future__ import annotations

import re
from typing import Final

from tradewind_agent.monitoring.masking import shortened_credentials
from tradewind_agent.sentinel.objects import Object, images, nodes, repository

_REGISTRY_URL: Final = re.compile(r'https?://[^\s"]+/v2/[^\s"]*')
_URL_CREDENTIAL: Final = re.compile(r"(?<=://)[^\s/@]+@")
_QUOTED_IMAGE: Final = re.compile(r'(?i)(image|tag) "[^"]*"')
_ADDRESS: Final = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b")


def redacted(text: str, pod: Object, *, strict: bool) -> str:
    """`text` without credentials; when `strict` without node names, node addresses and image references, too. `pod` names
    them; it is empty for a text that is of no pod."""
    text = shortened_credentials(_URL_CREDENTIAL.sub("***@", text))
    if not strict:
        return text
    for image in sorted(images(pod), key=len, reverse=True):
        text = text.replace(image, "<image>").replace(repository(image), "<image>")
    text = _REGISTRY_URL.sub("<image>", text)
    for node in nodes(pod):
        text = text.replace(node, "<node>")
    return _ADDRESS.sub("<address>", _QUOTED_IMAGE.sub(r'\1 "<image>"', text))
