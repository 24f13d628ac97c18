"""How many failures of one kind are suffered from one address."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

_MOST: Final = 10_000  # addresses remembered


class TokenBuckets:
    """A token bucket for each address: `burst` failures at once, and `per_second` more with time. Times are of any clock
    that only goes forward. Addresses of one IPv6 /64 share a bucket: one machine has all of them. 0 per second: no limit."""

    def __init__(self, *, burst: float, per_second: float) -> None:
        self._burst, self._per_second = burst, per_second
        self._levels: dict[str, tuple[float, float]] = {}

    def wait(self, address: str, moment: float) -> float:
        """Seconds until another try from there is listened to; 0 for now."""
        if self._per_second <= 0:
            return 0.0
        level = self._level(_group(address), moment)
        return 0.0 if level >= 1 else (1 - level) / self._per_second

    def failed(self, address: str, moment: float) -> None:
        """Count a failure."""
        if self._per_second <= 0:
            return
        group = _group(address)
        level = self._level(group, moment)
        if len(self._levels) >= _MOST and group not in self._levels:
            self._levels = {
                one: known for one, known in self._levels.items() if not self._full(known, moment)
            }
            if len(self._levels) >= _MOST:
                self._levels.clear()
        self._levels[group] = (max(0.0, level - 1), moment)

    def _level(self, group: str, moment: float) -> float:
        level, at = self._levels.get(group, (self._burst, moment))
        return min(self._burst, level + (moment - at) * self._per_second)

    def _full(self, known: tuple[float, float], moment: float) -> bool:
        return known[0] + (moment - known[1]) * self._per_second >= self._burst


def _group(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(ip_network((int(found), 64), strict=False))
    return address
