"""A cloud's private endpoint with the load balancer behind it: a program of the standard library alone.

Takes connections at the endpoint's address in the customer's network. Connects to the gateway from a NAT address of the plane's
network, says in a header of the PROXY protocol where the connection came from and by which endpoint, and passes bytes on.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import struct

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")


def header(endpoint: str, source: tuple[str, int], to: tuple[str, int]) -> bytes:
    cloud, _, named = endpoint.partition(":")
    value = {
        "aws": lambda: (0xEA, b"\x01" + named.encode()),
        "azure": lambda: (0xEE, b"\x01" + struct.pack("<I", int(named))),
        "gcp": lambda: (0xE0, struct.pack("!Q", int(named))),
    }[cloud]()
    more = struct.pack("!BH", value[0], len(value[1])) + value[1]
    ends = socket.inet_aton(source[0]) + socket.inet_aton(to[0]) + struct.pack("!HH", source[1], to[1])
    return SIGNATURE + b"\x21\x11" + struct.pack("!H", len(ends + more)) + ends + more


async def serve(listen: tuple[str, int], nat: str, to: tuple[str, int], endpoint: str) -> None:
    async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = None
        try:
            from_there, there = await asyncio.open_connection(*to, local_addr=(nat, 0))
            there.write(header(endpoint, writer.get_extra_info("peername")[:2], to))
            await asyncio.gather(carry(reader, there), carry(from_there, writer))
        except OSError:
            pass
        finally:
            for one in (writer, there):
                if one is not None:
                    one.transport.abort()

    server = await asyncio.start_server(taken, *listen, backlog=256)
    async with server:
        await server.serve_forever()


async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while piece := await source.read(65536):
        sink.write(piece)
        await sink.drain()
    sink.write_eof()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", type=_address)
    parser.add_argument("--nat")
    parser.add_argument("--to", type=_address)
    parser.add_argument("--endpoint")
    given = parser.parse_args()
    asyncio.run(serve(given.listen, given.nat, given.to, given.endpoint))
