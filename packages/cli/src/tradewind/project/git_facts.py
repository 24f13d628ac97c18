"""Which commit a project is at, for the history of what was deployed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from tradewind_protocol.deploys import GitFacts

_MOST = 500


def of(root: Path) -> GitFacts | None:
    """None where there is no Git, no repository, or no commit yet."""
    commit = _said(root, "rev-parse", "HEAD")
    if re.fullmatch(r"[0-9a-f]{40,64}", commit) is None:
        return None
    return GitFacts(
        commit=commit,
        branch=_said(root, "rev-parse", "--abbrev-ref", "HEAD")[:_MOST],
        repository=without_credentials(_said(root, "config", "--get", "remote.origin.url"))[:_MOST],
        is_dirty=bool(_said(root, "status", "--porcelain", "--", ".")),
    )


def without_credentials(url: str) -> str:
    """The address of a repository; a name and password in it are left out."""
    parts = urlsplit(url)
    if not parts.scheme or "@" not in parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _said(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return re.sub(r"[\x00-\x1f\x7f]", " ", done.stdout).strip() if done.returncode == 0 else ""
