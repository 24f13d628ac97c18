"""A company's TLS inspection: ends TLS with a certificate of its own authority, and speaks TLS to the real name behind it."""

from __future__ import annotations

import argparse
import asyncio
import ssl


async def serve(
    listen: tuple[str, int], to: tuple[str, int], certificate: str, key: str, ca: str, name: str
) -> None:
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(certificate, key)
    real = ssl.create_default_context(cafile=ca)

    async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = None
        try:
            from_there, there = await asyncio.open_connection(*to, ssl=real, server_hostname=name)
            await asyncio.gather(carry(reader, there), carry(from_there, writer))
        except OSError:
            pass
        finally:
            for one in (writer, there):
                if one is not None:
                    one.transport.abort()

    async with await asyncio.start_server(taken, *listen, ssl=own) as server:
        await server.serve_forever()


async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while piece := await source.read(65536):
        sink.write(piece)
        await sink.drain()
    sink.transport.abort()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for option in ("--listen", "--to"):
        parser.add_argument(option, type=_address)
    for option in ("--certificate", "--key", "--ca", "--name"):
        parser.add_argument(option)
    given = parser.parse_args()
    asyncio.run(serve(given.listen, given.to, given.certificate, given.key, given.ca, given.name))
