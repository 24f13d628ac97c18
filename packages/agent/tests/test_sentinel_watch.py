"""The watch of the Kubernetes API: what it does when the server says no, ends, or is too far ahead."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from tradewind_agent.sentinel.kubernetes import Cache, KubernetesApi, pod_as_kept, watching


def pod(name: str, version: int) -> dict[str, Any]:
    metadata = {"name": name, "uid": name, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {}, "status": {"phase": "Running"}}


class Server:
    """Answers lists with `pods`, and each watch with the lines that a test gives; then it holds the watch."""

    def __init__(self, *watches: list[dict[str, Any]] | int) -> None:
        self.pods: list[dict[str, Any]] = []
        self.then: list[dict[str, Any]] | None = None  # of every list but the first
        self.asked: list[dict[str, str]] = []
        self._watches = list(watches)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        self.asked.append(query)
        if "watch" not in query:
            again = self.then is not None and len(self.asked) > 1
            body = {"metadata": {"resourceVersion": "10"}, "items": self.then if again else self.pods}
            return httpx.Response(200, json=body)
        if not self._watches:
            await asyncio.Event().wait()
        lines = self._watches.pop(0)
        if isinstance(lines, int):
            return httpx.Response(lines, json={"message": f"said {lines}"})
        return httpx.Response(200, text="".join(json.dumps(one) + "\n" for one in lines))


def cache_of(server: Server) -> Cache:
    api = KubernetesApi(
        "http://kubernetes.test",
        namespace="lab",
        token_file=None,
        tls=None,
        transport=httpx.MockTransport(server),
    )
    return Cache(api, "pods", {"labelSelector": "a=b"}, keep=pod_as_kept)


async def held(server: Server, requests: int) -> None:
    while len(server.asked) < requests:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def next_problem(cache: Cache, before: str) -> tuple[str, bool]:
    """The first problem that is another than `before`, and whether it is a refusal."""
    while cache.problem is None or str(cache.problem) == before:  # noqa: ASYNC110 (it is told by no event)
        await asyncio.sleep(0.01)
    return str(cache.problem), cache.problem.denied


def names(cache: Cache) -> list[str]:
    return sorted(one["metadata"]["name"] for one in cache.objects)


async def test_changes_are_applied_and_the_next_watch_goes_on_where_this_one_ended() -> None:
    server = Server(
        [
            {"type": "ADDED", "object": pod("b", 11)},
            {"type": "DELETED", "object": pod("a", 12)},
            {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "20"}}},
        ]
    )
    server.pods = [pod("a", 5)]
    cache = cache_of(server)
    async with watching(cache):
        await held(server, 3)
        assert names(cache) == ["b"]
    assert [one.get("resourceVersion") for one in server.asked] == [None, "10", "20"]
    assert all(one["labelSelector"] == "a=b" for one in server.asked)


async def test_a_server_that_ends_each_watch_at_once_is_asked_once_a_second() -> None:
    server = Server([], [], [])
    begun = asyncio.get_running_loop().time()
    async with watching(cache_of(server)):
        await held(server, 5)  # a list, three watches that end, and the one that is held
    assert asyncio.get_running_loop().time() - begun >= 3.0


async def test_a_version_that_is_too_old_is_listed_again() -> None:
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}
    for first in ([gone], 410):
        server = Server(first)
        server.pods = [pod("a", 5)]
        cache = cache_of(server)
        server.then = [pod("c", 30)]
        async with watching(cache):
            await held(server, 4)
            assert names(cache) == ["c"] and cache.problem is None
        assert ["watch" in one for one in server.asked] == [False, True, False, True]


async def test_a_refusal_is_kept_as_the_problem_and_the_watch_tries_again() -> None:
    server = Server(403, 429)
    cache = cache_of(server)
    async with watching(cache):
        await held(server, 2)
        assert await next_problem(cache, "") == ("said 403", True)
        assert await next_problem(cache, "said 403") == ("said 429", False)
        await held(server, 6)  # list, watch, list, watch, list, and the watch that is held
        assert cache.problem is None
