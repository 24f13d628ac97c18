"""Clones of a repository that a bundle does not name any more.

Airflow's GitDagBundle keeps one clone by the bundle's name. When the bundle's `repo_url` changes it goes on fetching from
where the clone came from.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from uuid import uuid4

from airflow.configuration import conf

from tradewind_runtime.airflow import site_settings

_ORIGIN = re.compile(r'\[remote "origin"\][^\[]*?^\s*url\s*=\s*(\S+)', re.MULTILINE)
_REMOTE = re.compile(r"^\w+://|^[\w.-]+@[\w.-]+:")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")


def drop() -> list[str]:
    """Remove clones whose origin is another repository than their bundle's `repo_url`; returns the bundles' names. Call it
    before anything uses bundles. Safe to call in several processes at once."""
    dropped = []
    for name, url in _wanted().items():
        folder = Path(str(conf.get(*site_settings.STORAGE, fallback=""))) / name
        if (origin := origin_of(folder)) is None or same(origin, url):
            continue
        for clone in (folder / "bare", folder / "tracking_repo"):
            _remove(clone)
        dropped.append(name)
    return dropped


def origin_of(folder: Path) -> str | None:
    """From where the clone of a bundle came; None when there is none, or it does not say."""
    try:
        found = _ORIGIN.search((folder / "bare" / "config").read_text(errors="replace"))
    except OSError:
        return None
    return found[1] if found is not None else None


def same(origin: str, url: str) -> bool:
    """Whether both name one repository. Credentials play no part, and nothing is said of paths: Git makes them absolute."""
    if not _REMOTE.search(url) or not _REMOTE.search(origin):
        return bool(_REMOTE.search(url)) == bool(_REMOTE.search(origin))
    return _plain(origin) == _plain(url)


def _plain(url: str) -> str:
    return _CREDENTIALS.sub("", url).rstrip("/").removesuffix(".git")


def _wanted() -> dict[str, str]:
    listed = conf.getjson(*site_settings.BUNDLES)
    if not isinstance(listed, list) or not conf.get(*site_settings.STORAGE, fallback=""):
        return {}
    found = {}
    for one in listed:
        kwargs = one.get("kwargs") if isinstance(one, dict) else None
        if isinstance(kwargs, dict) and isinstance(url := kwargs.get("repo_url"), str) and "name" in one:
            found[str(one["name"])] = url
    return found


def _remove(clone: Path) -> None:
    aside = clone.with_name(f"{clone.name}.{uuid4().hex}")
    try:
        clone.rename(aside)
    except OSError:
        return
    shutil.rmtree(aside, ignore_errors=True)
