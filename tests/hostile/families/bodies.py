"""Bodies that cost more than they are worth: large, deep, compressed, lying about their length, no JSON at all."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from typing import Final

import httpx

from tradewind_protocol import paths

from ..attempts import Act, Attempt, Held, not_failed
from ..sites import headers
from ..world import World
from .verbs import CALLS, Call

FAMILY: Final = "bodies"

MIB: Final = 1024 * 1024


def _whole(call: Call, world: World) -> bytes:
    return json.dumps(call.body(world.attacker) or {}, default=str).encode()


Made = Callable[[bytes], bytes]

MALFORMED: Final[dict[str, Made]] = {
    "no JSON": lambda good: b"<xml/>",
    "nothing": lambda good: b"",
    "half of it": lambda good: good[: len(good) // 2],
    "a list": lambda good: b"[" + good + b"]",
    "a number": lambda good: b"7",
    "null": lambda good: b"null",
    "text": lambda good: b'"x"',
    "UTF-16": lambda good: good.decode().encode("utf-16"),
    "no UTF-8": lambda good: good[:-1] + b', "x": "\xff\xfe"}',
    "half a surrogate": lambda good: good[:-1] + rb', "x": "\ud800"}',
    "100,000 lists in each other": lambda good: (
        good[:-1] + b', "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    ),
    "100,000 objects in each other": lambda good: b'{"x":' * 100_000 + b"1" + b"}" * 100_000,
    "a number of 100,000 digits": lambda good: good[:-1] + b', "x": ' + b"9" * 100_000 + b"}",
    "an endless number": lambda good: good[:-1] + b', "x": Infinity, "y": NaN, "z": 1e999}',
    "20,000 fields that it does not know": lambda good: (
        good[:-1] + b"".join(b', "f%d": 1' % n for n in range(20_000)) + b"}"
    ),
    "the same field 1,000 times": lambda good: b"{" + b'"hold": 0,' * 1000 + good[1:],
    "a NUL after it": lambda good: good + b"\0",
    "two of it": lambda good: good + good,
    "gzip": lambda good: gzip.compress(good),
}
_NO_MESSAGE: Final = frozenset(MALFORMED) - {
    "half a surrogate", "an endless number", "20,000 fields that it does not know", "the same field 1,000 times",
    "UTF-16", "no UTF-8", "100,000 lists in each other", "a number of 100,000 digits",
}  # fmt: skip
"""Those of which nothing can be read. What only holds odd fields beside a message may pass."""


def _sends(call: Call, made: Made, **more: str) -> Act:
    async def act(world: World) -> httpx.Response:
        bearer = world.attacker.token if call.token else world.attacker.session
        given = headers(bearer, **more)
        return await world.ask(call.method, call.at(), given=given, content=made(_whole(call, world)))

    return act


def _streams(call: Call, total: int, *, bearer: bool) -> Act:
    """In pieces, without a length; sends until the plane has had enough."""

    async def act(world: World) -> httpx.Response:
        credential = (world.attacker.token if call.token else world.attacker.session) if bearer else ""
        read = 0

        async def pieces() -> AsyncIterator[bytes]:
            nonlocal read
            yield b'{"x": "'
            for _ in range(total // MIB):
                read += MIB
                yield b"x" * MIB
            yield b'"}'

        answer = await world.ask(call.method, call.at(), given=headers(credential), content=pieces())
        answer.extensions["read"] = read
        return answer

    return act


LARGEST_READ: Final = {"POST /dags/report": 33 * MIB}


def _unread(call: Call, *, bearer: bool) -> Held:
    def held(world: World, answer: httpx.Response) -> str:
        if answer.status_code not in ((413, 422) if bearer else (401,)):
            return f"it was answered with {answer.status_code}"
        most = LARGEST_READ.get(call.name, 9 * MIB) if bearer else 0
        read = answer.extensions["read"]
        return f"{read} bytes of the body were taken" if read > most else ""

    return held


def _says(call: Call, length: str) -> Act:
    """A length that is not the body's."""

    async def act(world: World) -> httpx.Response:
        bearer = world.attacker.token if call.token else world.attacker.session
        pairs = [*headers(bearer).items(), ("content-length", length)]
        return await world.raw(call.method, call.at(), pairs, body=_whole(call, world))

    return act


def _bomb(call: Call, encoding: str) -> Act:
    """100 MB in 100 kB, for a server that inflates what it is sent."""

    async def act(world: World) -> httpx.Response:
        bearer = world.attacker.token if call.token else world.attacker.session
        given = headers(bearer, **{"content-encoding": encoding})
        return await world.ask(
            call.method,
            call.at(),
            given=given,
            content=_hundred_megabytes("deflate" if encoding == "deflate" else "gzip"),
        )

    return act


@cache
def _hundred_megabytes(encoding: str) -> bytes:
    """Made when they are sent: every process that collects tests makes the attempts."""
    packed = zlib.compress if encoding == "deflate" else gzip.compress
    return packed(b" " * 100_000_000, 9)


def _malformed(name: str) -> Held:
    def held(world: World, answer: httpx.Response) -> str:
        return "" if 400 <= answer.status_code < 500 else f"it was answered with {answer.status_code}"

    return held if name in _NO_MESSAGE else not_failed


EXECUTION: Final = Call("POST", paths.EXECUTION + "/dag-runs/us_dag/new")


def _all() -> Iterator[Attempt]:
    posts = [call for call in CALLS if call.method == "POST"]
    for call in posts:
        for name, made in MALFORMED.items():
            yield Attempt(FAMILY, f"{call.name} with a body of {name}", _sends(call, made), _malformed(name))
        for length in ("-1", "1e3", "0x10", "99999999999999999999", "٣", "3, 3"):
            if length.isascii():
                yield Attempt(FAMILY, f"{call.name} that says its length is {length}", _says(call, length))
        for bearer in (True, False):
            name = f"{call.name} of 64 MiB without a length, {'with' if bearer else 'without'} a credential"
            yield Attempt(FAMILY, name, _streams(call, 64 * MIB, bearer=bearer), _unread(call, bearer=bearer))
    for call in (*posts[:3], EXECUTION):
        for encoding in ("gzip", "deflate", "br", "gzip, gzip"):
            yield Attempt(FAMILY, f"{call.name} with 100 MB as {encoding}", _bomb(call, encoding))


ATTEMPTS: Final = tuple(_all())
