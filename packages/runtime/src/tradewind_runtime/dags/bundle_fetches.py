"""Fetching bundles: what went wrong, in the words of what failed, and when to try again."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

FIRST, MOST = 2.0, 300.0
"""Seconds before a bundle that could not be fetched is tried again: the first time, and at most."""

JITTER: Final = 0.2

_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_OUTPUT = re.compile(r"^\s*(?:stderr|stdout):\s*'?|'\s*$", re.MULTILINE)
_WORDS_MOST = 1000

_REMEDIES: Final = (
    (
        r"dubious ownership|safe\.directory",
        (
            "The clone or the repository is another user's: chown it to the agent's, or: git config --global --add "
            "safe.directory <path>"
        ),
    ),
    (
        r"host key verification failed|no .* host key is known|remote host identification has changed",
        (
            "The host key of the repository's server is not known here, or is another one: add it to the agent user's "
            "known_hosts, or give the bundle's connection known_hosts_file"
        ),
    ),
    (
        r"permission denied \(publickey|could not read from remote repository",
        "Give the bundle's connection (git_conn_id) a key that may read the repository",
    ),
    (
        r"authentication failed|could not read (username|password)|403|401",
        "Give the bundle's connection (git_conn_id) a user and token that may read the repository",
    ),
    (
        r"could not resolve host|unable to access|connection (refused|timed out)|network is unreachable|failed to connect",
        "Look at the way from here to the repository's server: its name, the proxy, a firewall",
    ),
    (
        r"repository .*not (found|exist)|does not appear to be a git repository|not found: did you run",
        "Correct repo_url, or give the bundle's connection (git_conn_id) the right to see the repository",
    ),
    (
        r"pathspec|remote branch .* not found|unknown revision|did not match any",
        "Correct tracking_ref: the repository has no such branch, tag or commit",
    ),
    (
        r"no space left|disk quota",
        "Free disk space where clones lie ([dag_processor] dag_bundle_storage_path)",
    ),
    (r"no such file or directory|is not a directory", "Correct the path in the bundle's kwargs"),
)


def words(error: BaseException) -> str:
    """What failed, in its own words: Git's output where there is any; without credentials of a URL."""
    for one in _chain(error):
        for output in (getattr(one, "stderr", None), getattr(one, "stdout", None)):
            text = output.decode(errors="replace") if isinstance(output, bytes) else output
            if isinstance(text, str) and (said := _OUTPUT.sub("", text).strip()):
                return _clean(said)
    return _clean("; ".join(dict.fromkeys(str(one) or type(one).__name__ for one in _chain(error))))


def remedy(said: str) -> str:
    """What to do about it."""
    for pattern, text in _REMEDIES:
        if re.search(pattern, said, re.IGNORECASE):
            return text
    return "Check its kwargs, its connection, and the way from here to where it is kept"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, the first cause last."""
    seen: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in seen:
        seen.append(one)
        one = one.__cause__ or one.__context__
    yield from seen


def _clean(text: str) -> str:
    kept = " ".join(_CREDENTIALS.sub("***", text).split())
    return kept if len(kept) <= _WORDS_MOST else kept[: _WORDS_MOST - 1] + "…"


class NotFetched(Exception):
    """A bundle could not be fetched; says why and nothing secret."""


@dataclass
class _Failing:
    times: int
    until: float  # of the clock
    why: str


class Fetches:
    """Which bundles could not be fetched, why, and which of them are not to be tried yet."""

    def __init__(
        self, *, clock: Callable[[], float], jitter: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self._failing: dict[str, _Failing] = {}

    def failed(self, name: str, why: str) -> float:
        """Note it, and return in how many seconds it is tried again."""
        times = self._failing[name].times + 1 if name in self._failing else 1
        wait = min(FIRST * 2.0 ** min(times - 1, 30), MOST) * self._jitter(1 - JITTER, 1 + JITTER)
        self._failing[name] = _Failing(times, self._clock() + wait, why)
        return wait

    def worked(self, name: str) -> None:
        """It is as it should be. Idempotent."""
        self._failing.pop(name, None)

    def noting(
        self, name: str, fetch: Callable[[], None], *, masked: Callable[[str], str]
    ) -> Callable[[], None]:
        """`fetch`, with a note of how it went. What it raises becomes NotFetched, `masked`."""

        def fetch_and_note() -> None:
            try:
                fetch()
            except Exception as error:  # a bundle's class is a provider's or the site's own
                said = masked(words(error))
                wait = self.failed(name, said)
                raise NotFetched(f"{said} (tried again in {wait:.0f} s)") from None
            self.worked(name)

        return fetch_and_note

    def resting(self) -> set[str]:
        """Bundles whose time has not come."""
        now = self._clock()
        return {name for name, one in self._failing.items() if one.until > now}

    def troubles(self) -> dict[str, str]:
        """Bundle → why it could not be fetched."""
        return {name: one.why for name, one in self._failing.items()}
