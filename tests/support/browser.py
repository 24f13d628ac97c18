"""A browser for hosts that exist on this machine only: one jar of cookies a host, redirects followed by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx


@dataclass
class Browser:
    """Reaches each `http://NAME:PORT` at the loopback interface, under its name. Cookies are the host's, as a browser keeps them."""

    jars: dict[str, dict[str, str]] = field(default_factory=dict)
    visited: list[str] = field(default_factory=list)

    def request(self, method: str, url: str, **more: Any) -> httpx.Response:
        """One request; a redirect is not followed."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        jar = self.jars.setdefault(host, {})
        headers = {"Host": parts.netloc, **more.pop("headers", {})}
        if jar:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        where = parts._replace(netloc=f"127.0.0.1:{parts.port}").geturl()
        self.visited.append(url)
        answer = httpx.request(method, where, headers=headers, timeout=60, trust_env=False, **more)
        for line in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0" or morsel.value == "":
                    jar.pop(name, None)
                else:
                    jar[name] = morsel.value
        return answer

    def get(self, url: str, **more: Any) -> httpx.Response:
        return self.request("GET", url, **more)

    def open(self, url: str) -> tuple[str, httpx.Response]:
        """Follow redirects. Returns where they end, and the answer there."""
        for _ in range(12):
            answer = self.get(url)
            if answer.status_code not in (302, 303, 307):
                return url, answer
            url = urljoin(url, answer.headers["location"])
        raise AssertionError(f"too many redirects: {self.visited[-12:]}")

    def copy(self) -> Browser:
        """Another one with the same cookies."""
        return Browser({host: dict(jar) for host, jar in self.jars.items()})
