"""Which two sides can talk, and what to say when they cannot."""

from __future__ import annotations

from typing import NamedTuple


class Version(NamedTuple):
    """A protocol version. A major is a break; minors only add."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read `"1.0"`. Raises ValueError naming the text when it is not two numbers joined by a dot."""
        major, dot, minor = text.strip().partition(".")
        if not (dot and major.isdecimal() and minor.isdecimal()):
            raise ValueError(f"{text!r} is not a protocol version such as '1.0'")
        return cls(int(major), int(minor))


PROTOCOL = Version(1, 0)
"""The version this code speaks."""

HEADER = "Tradewind-Protocol"
"""Sent on every request and every answer."""

SKEW = 1
"""How many minors apart two sides may be (capabilities.md row 7)."""


def compatible(ours: Version, theirs: Version) -> bool:
    """True when the two sides can work together: same major, at most `SKEW` minors apart."""
    return ours.major == theirs.major and abs(ours.minor - theirs.minor) <= SKEW


def refusal(*, agent: Version, plane: Version) -> str:
    """The sentence for a skew that cannot work: both versions, and which side to upgrade."""
    older = "the agent" if agent < plane else "the orchestration plane"
    return f"agent speaks protocol {agent}, plane speaks {plane}; they are too far apart: upgrade {older}"
