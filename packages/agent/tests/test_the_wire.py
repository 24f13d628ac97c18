"""What carries requests to the plane, with real sockets. Both wires keep the same promises: the agent's own, and the one
over httpx that carries the other tests' transports and the rarer proxies."""

from __future__ import annotations

import asyncio
import gzip
import resource
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import certificates
import pytest
from wire_kit import always, hangs_up, never, serving

from tradewind_agent.errors import PlaneUnreachable
from tradewind_agent.plane import direct_transport
from tradewind_agent.plane.direct_transport import DirectTransport
from tradewind_agent.plane.httpx_transport import HttpxTransport
from tradewind_agent.plane.transport import LARGEST_ANSWER, Transport

OK = b"HTTP/1.1 200 OK\r\nTradewind-Protocol: 1.0\r\nContent-Length: 2\r\n\r\nok"

Dial = Callable[..., Transport]


@pytest.fixture(params=["direct", "over httpx"])
async def dial(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Dial]:
    made: list[Transport] = []

    def dialled(port: int, *, host: str = "127.0.0.1", most: int = 20) -> Transport:
        url, said = f"http://{host}:{port}/remote-execution/v1", {"User-Agent": "test"}
        made.append(
            DirectTransport(url, headers=said, tls=None, tunnel=None, most=most, kept=20)
            if request.param == "direct"
            else HttpxTransport(url, headers=said, tls=None, proxy=None, transport=None, most=most, kept=20)
        )
        return made[-1]

    yield dialled
    for wire in made:
        await wire.aclose()


async def asked(
    wire: Transport, method: str = "POST", path: str = "/poll", body: bytes = b"{}", **more: float
):
    return await wire.ask(method, path, {"Authorization": "Bearer x"}, body, timeout=more.get("timeout", 5))


async def test_one_connection_carries_many_requests(dial: Dial):
    async with serving(always(OK)) as server:
        wire = dial(server.port)
        for _ in range(5):
            answer = await asked(wire)
    assert (answer.status_code, answer.content, len(server.connections)) == (200, b"ok", 1)
    assert answer.headers["TRADEWIND-protocol"] == "1.0" and "nothing" not in answer.headers
    assert answer.url == f"http://127.0.0.1:{server.port}/remote-execution/v1/poll"


async def test_requests_at_once_have_a_connection_each(dial: Dial):
    async with serving(always(b"", OK)) as server:
        wire = dial(server.port)
        await asyncio.gather(*[asked(wire) for _ in range(4)])
        await asyncio.gather(*[asked(wire) for _ in range(4)])
    assert (len(server.connections), len(server.requests)) == (4, 8)


async def test_what_is_sent_is_what_was_asked(dial: Dial):
    async with serving(always(OK)) as server:
        await asked(dial(server.port), "PUT", "/variables/a%2Fb%20c?x=1&y=%C3%A4+", b"\x00body")
    line, *headers = server.requests[0].decode().split("\r\n")
    assert line == "PUT /remote-execution/v1/variables/a%2Fb%20c?x=1&y=%C3%A4+ HTTP/1.1"
    named = dict(each.lower().split(": ", 1) for each in headers if each)
    assert named["host"] == f"127.0.0.1:{server.port}" and named["user-agent"] == "test"
    assert named["authorization"] == "bearer x" and named["content-length"] == "5"
    assert "gzip" in named["accept-encoding"] and "cookie" not in named and "content-type" not in named
    assert server.bodies == [b"\x00body"]


async def test_a_path_is_written_so_that_it_stays_one_line(dial: Dial):
    async with serving(always(OK)) as server:
        await asked(dial(server.port), "GET", "/a b/\u00e4", b"")
    assert server.requests[0].startswith(b"GET /remote-execution/v1/a%20b/%C3%A4 HTTP/1.1\r\n")


async def test_a_header_of_two_lines_is_not_sent(dial: Dial):
    async with serving(always(OK)) as server:
        with pytest.raises(PlaneUnreachable):
            await dial(server.port).ask("GET", "/x", {"a": "b\r\nc: d"}, b"", timeout=5)
    assert server.requests == []


async def test_no_redirect_is_followed_and_no_cookie_kept(dial: Dial):
    moved = b"HTTP/1.1 302 Found\r\nLocation: /other\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    async with serving(always(moved)) as server:
        wire = dial(server.port)
        answers = [await asked(wire), await asked(wire)]
    assert [(each.status_code, each.headers["location"]) for each in answers] == [(302, "/other")] * 2
    assert len(server.requests) == 2 and not any(b"ookie" in each for each in server.requests)


def compressed(coding: str, body: bytes, chunked: bool) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nX-Kept: yes\r\n".encode()
    if not chunked:
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    pieces = [body[:7], body[7:], b""]
    return (
        head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces)
    )


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", lambda b: zlib.compress(b)[2:-4])],
)
async def test_a_compressed_answer_is_decoded_and_does_not_say_so(
    dial: Dial, coding: str, pack: Callable[[bytes], bytes], chunked: bool
):
    content = b"a large answer " * 10_000
    async with serving(always(compressed(coding, pack(content), chunked))) as server:
        wire = dial(server.port)
        for answer in (await asked(wire), await asked(wire)):
            assert answer.content == content and answer.headers["x-kept"] == "yes"
            assert not {"content-encoding", "content-length", "transfer-encoding"} & set(answer.headers)
    assert len(server.connections) == 1


async def test_what_is_not_compressed_although_it_says_so_is_a_broken_answer(dial: Dial):
    async with serving(always(compressed("gzip", b"not at all", False))) as server:
        with pytest.raises(PlaneUnreachable, match="broke"):
            await asked(dial(server.port))


async def test_the_answer_to_head_has_no_body_whatever_length_it_says(dial: Dial):
    async with serving(
        always(b"HTTP/1.1 200 OK\r\nContent-Range: map_indexes 17\r\nContent-Length: 99\r\n\r\n")
    ) as server:
        wire = dial(server.port)
        for _ in range(2):
            answer = await asked(wire, "HEAD", "/xcoms", b"", timeout=2)
            assert (answer.content, answer.headers["content-range"]) == (b"", "map_indexes 17")


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_an_answer_without_content_needs_no_length(dial: Dial, status: str):
    async with serving(always(f"HTTP/1.1 {status}\r\n\r\n".encode())) as server:
        wire = dial(server.port)
        assert [(await asked(wire, timeout=2)).content for _ in range(2)] == [b"", b""]
    assert len(server.connections) == 1


async def test_an_interim_answer_is_passed_over(dial: Dial):
    async with serving(always(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", OK)) as server:
        answer = await asked(dial(server.port))
    assert (answer.status_code, answer.content) == (200, b"ok") and "link" not in answer.headers


async def test_an_answer_that_ends_with_the_connection_is_whole(dial: Dial):
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        writer.close()

    async with serving(answer) as server:
        wire = dial(server.port)
        assert [(await asked(wire)).content for _ in range(2)] == [b"all of it"] * 2
    assert len(server.connections) == 2


@pytest.mark.parametrize("how", ["Connection: close\r\n", ""])
async def test_a_connection_that_the_server_closed_is_not_used_again(dial: Dial, how: str):
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\n{how}Content-Length: 2\r\n\r\nok".encode())
        writer.close()

    async with serving(answer) as server:
        wire = dial(server.port)
        for _ in range(3):
            assert (await asked(wire)).content == b"ok"
            await asyncio.sleep(0.02)
    assert len(server.connections) == 3


async def test_a_close_that_the_loop_has_not_seen_yet_is_noticed(dial: Dial):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        loop = asyncio.get_running_loop()
        wire = dial(listening.getsockname()[1])
        first = asyncio.create_task(asked(wire))
        served, _ = await loop.sock_accept(listening)
        await loop.sock_recv(served, 65536)
        await loop.sock_sendall(served, OK)
        await first
        served.close()  # and no turn of the loop until the next request looks for a connection
        second = asyncio.create_task(asked(wire))
        served, _ = await loop.sock_accept(listening)
        await loop.sock_recv(served, 65536)
        await loop.sock_sendall(served, OK)
        assert (await second).content == b"ok"
        served.close()


async def test_what_nobody_asked_for_is_never_taken_for_the_next_answer():
    smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    for pieces in ((OK + smuggled,), (OK, smuggled), (OK + b"\r\nHTTP/1.1",), (OK + b"noise",)):
        async with serving(always(*pieces)) as server:
            wire = DirectTransport(
                f"http://127.0.0.1:{server.port}", headers={}, tls=None, tunnel=None, most=9, kept=9
            )
            for _ in range(3):
                assert (await asked(wire)).content == b"ok"
                await asyncio.sleep(0.05)
            await wire.aclose()
        assert len(server.connections) == 3


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_a_request_whose_answer_was_lost_is_not_sent_again(dial: Dial, method: str):
    async with serving(always(OK)) as server:
        wire = dial(server.port)
        await asked(wire)
        server.answer = hangs_up
        with pytest.raises(PlaneUnreachable, match="broke") as caught:
            await asked(wire, method, body=b"" if method in ("GET", "DELETE") else b"{}")
        assert caught.value.may_have_arrived and len(server.requests) == 2
        server.answer = always(OK)
        assert (await asked(wire)).content == b"ok"


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ntoo little",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
    ],
)
async def test_what_is_no_answer_is_a_broken_connection(dial: Dial, said: bytes):
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        writer.close()

    async with serving(answer) as server:
        with pytest.raises(PlaneUnreachable, match="broke") as caught:
            await asked(dial(server.port))
    assert caught.value.may_have_arrived


async def test_nobody_there_is_known_not_to_have_heard_and_says_why(dial: Dial):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(PlaneUnreachable, match=r"cannot connect.*: Connection refused") as caught:
                await asked(dial(closed.getsockname()[1], host=host))
            assert not caught.value.may_have_arrived


async def test_a_name_nobody_has_is_told(dial: Dial):
    with pytest.raises(PlaneUnreachable, match="cannot connect to http://nobody.invalid") as caught:
        await asked(dial(1, host="nobody.invalid"))
    assert not caught.value.may_have_arrived


async def test_silence_is_given_up_and_a_slow_answer_is_not(dial: Dial):
    async with serving(never) as server:
        wire = dial(server.port)
        with pytest.raises(PlaneUnreachable, match="in time") as caught:
            await asked(wire, timeout=0.1)
        assert caught.value.may_have_arrived
    slowly = [bytes([one]) for one in OK]  # 10 ms each
    async with serving(always(*slowly)) as server:
        assert (await asked(dial(server.port), timeout=0.3)).content == b"ok"


async def test_a_large_body_arrives_whole(dial: Dial):
    body = bytes(range(256)) * 32 * 1024  # 8 MB
    async with serving(always(OK)) as server:
        wire = dial(server.port)
        for _ in range(2):
            assert (await asked(wire, body=body)).content == b"ok"
    assert server.bodies == [body, body] and len(server.connections) == 1


def _said(body: bytes, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"gzip, gzip"])
async def test_a_small_answer_that_inflates_without_end_is_given_up_before_it_is_there(
    dial: Dial, coding: bytes
):
    body = b"\0" * (LARGEST_ANSWER + 1)
    for each in coding.split(b", "):
        body = zlib.compress(body) if each == b"deflate" else gzip.compress(body, 1)
    async with serving(always(_said(body, b"Content-Encoding: " + coding))) as server:
        wire = dial(server.port)
        before = _peak()
        with pytest.raises(PlaneUnreachable, match="larger than 64 MiB"):
            await asked(wire, timeout=30)
    assert _peak() - before < 4 * LARGEST_ANSWER


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def test_an_answer_that_never_ends_is_given_up_by_its_size(dial: Dial):
    async def pours(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"100000\r\n" + b"x" * 2**20 + b"\r\n")
            await writer.drain()

    async with serving(pours) as server:
        with pytest.raises(PlaneUnreachable, match="larger than 64 MiB"):
            await asked(dial(server.port), timeout=30)


async def test_an_answer_that_comes_byte_by_byte_is_given_up(dial: Dial):
    async def trickles(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(trickles) as server:
        with pytest.raises(PlaneUnreachable, match="in time"):
            await asked(dial(server.port), timeout=0.2)


async def test_a_peer_that_does_not_read_a_large_body_is_given_up(dial: Dial):
    async def reads_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    listening = await asyncio.start_server(reads_nothing, "127.0.0.1", 0, limit=1024)
    try:
        with pytest.raises(PlaneUnreachable, match="in time"):
            await asked(dial(listening.sockets[0].getsockname()[1]), body=b"x" * 32_000_000, timeout=0.2)
    finally:
        listening.close()
        for each in asyncio.all_tasks() - {asyncio.current_task()}:
            each.cancel()


async def test_a_refusal_that_comes_before_the_body_is_out_is_heard(dial: Dial):
    """A proxy that finds a body too large says so and reads on only to throw away."""
    said = b"HTTP/1.1 413 Too Large\r\nServer: nginx\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        while await reader.read(65536):
            pass
        writer.close()

    listening = await asyncio.start_server(early, "127.0.0.1", 0)
    try:
        answer = await asked(dial(listening.sockets[0].getsockname()[1]), body=b"x" * 8_000_000)
        assert (answer.status_code, answer.headers["server"], answer.content) == (413, "nginx", b"big")
    finally:
        listening.close()


async def test_no_more_connections_than_allowed_and_who_waits_too_long_was_not_heard(dial: Dial):
    async with serving(always(b"", OK)) as server:
        wire = dial(server.port, most=2)
        await asyncio.gather(*[asked(wire) for _ in range(6)])
        assert len(server.connections) == 2
        server.answer = never
        held = [asyncio.create_task(asked(wire)) for _ in range(2)]
        await asyncio.sleep(0.02)
        with pytest.raises(PlaneUnreachable, match="too many requests") as caught:
            await asked(wire, timeout=0.05)
        assert not caught.value.may_have_arrived
        for each in held:
            each.cancel()
        await asyncio.gather(*held, return_exceptions=True)


async def test_a_request_that_is_given_up_takes_its_connection_with_it(dial: Dial):
    async with serving(never) as server:
        wire = dial(server.port, most=1)
        held = asyncio.create_task(asked(wire))
        await asyncio.sleep(0.1)
        assert len(server.requests) == 1
        held.cancel()
        await asyncio.gather(held, return_exceptions=True)
        server.answer = always(OK)
        assert (await asked(wire)).content == b"ok"
    assert len(server.connections) == 2


async def test_a_connection_nobody_used_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch):
    async with serving(always(OK)) as server:
        url = f"http://127.0.0.1:{server.port}"
        wire = DirectTransport(url, headers={}, tls=None, tunnel=None, most=20, kept=1)
        await asyncio.gather(*[asked(wire) for _ in range(3)])
        await asked(wire)  # one was kept
        assert len(server.connections) == 3
        monkeypatch.setattr(direct_transport, "KEPT_FOR", 0.01)
        await asyncio.sleep(0.05)
        await asked(wire)
        assert len(server.connections) == 4
        await wire.aclose()
        await wire.aclose()


@certificates.needs_openssl
async def test_tls_carries_many_requests_and_large_bodies_and_a_close_is_noticed_in_it(tmp_path: Path):
    certificates.of_localhost(tmp_path)
    serves = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serves.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    trusts = ssl.create_default_context(cafile=str(tmp_path / "server.pem"))
    body, large = bytes(range(256)) * 16 * 1024, b"x" * 3_000_000
    async with serving(always(OK), serves) as server:
        wire = DirectTransport(
            f"https://localhost:{server.port}", headers={}, tls=trusts, tunnel=None, most=20, kept=20
        )
        for _ in range(5):
            assert (await asked(wire)).content == b"ok"
        assert (await asked(wire, body=body)).content == b"ok"
        server.answer = always(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(large) + large)
        assert (await asked(wire)).content == large
        assert server.bodies[5] == body and len(server.connections) == 1
        server.connections[0].close()
        await asyncio.sleep(0.1)
        server.answer = always(OK)
        assert (await asked(wire)).content == b"ok"
        assert len(server.connections) == 2
        server.answer = never
        with pytest.raises(PlaneUnreachable, match="in time"):
            await asked(wire, timeout=0.1)
        await wire.aclose()
