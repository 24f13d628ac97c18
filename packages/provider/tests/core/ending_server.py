"""An API server in little, for a test that ends it: uvicorn, a request that is held until the server ends, and one that works on.

Prints its port once it listens. A line on its standard input ends the work.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from tradewind_provider.api.agent import stopping

ending, begun, work_done = asyncio.Event(), asyncio.Event(), asyncio.Event()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    asyncio.get_running_loop().add_reader(sys.stdin, work_done.set)
    with stopping.at_signal(ending.set):
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/held")
async def held() -> str:
    say("held")
    await ending.wait()
    return "nothing new"


@app.get("/work")
async def work() -> str:
    say("works")
    await work_done.wait()
    return "done"


def say(text: str) -> None:
    print(text, flush=True)


class Server(uvicorn.Server):
    async def startup(self, sockets: object = None) -> None:
        await super().startup()
        say(str(self.servers[0].sockets[0].getsockname()[1]))


if __name__ == "__main__":
    Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None)).run()
