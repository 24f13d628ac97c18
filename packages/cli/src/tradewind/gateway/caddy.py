"""The gateway as one document of Caddy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tradewind.gateway.settings import GatewaySettings
from tradewind_protocol import paths

NOT_FOUND: Final = "404 page not found"
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
MOST_BYTES: Final = 32 * 1024 * 1024
"""Of a request's body."""
_THE_CERTIFICATE: Final = "gateway"

Json = dict[str, Any]


def document(settings: GatewaySettings, state: Path, inherited: Mapping[str, int] | None = None) -> Json:
    """What Caddy serves. `state` has its sockets: of its administration, and of the private way.

    `inherited`: the descriptors of sockets that Caddy was started with, by server. It accepts from such a one under every document; one
    that it opened itself it would open anew, and reset what waits there.
    """
    at = {name: f"fd/{number}" for name, number in (inherited or {}).items()}
    servers: dict[str, Json] = {}
    if settings.public is not None:
        servers["public"] = {
            "listen": [at.get("public", settings.public.listen)],
            **_secured(settings),
            "routes": _routes(settings, endpoint="public"),
        }
    if settings.private is not None:
        servers["private"] = {
            "listen": [f"unix/{private_socket(state)}|0600"],
            # The front says of each connection where it comes from and by which endpoint.
            "listener_wrappers": [{"wrapper": "proxy_protocol"}, {"wrapper": "tls"}],
            **_secured(settings),
            "routes": _routes(settings, endpoint="{http.request.local}"),
        }
    if settings.health is not None:
        servers["health"] = {
            "listen": [at.get("health", settings.health)],
            "automatic_https": {"disable": True},
            "protocols": ["h1"],
            "routes": [_health("/healthz", "/readyz"), _not_found()],
        }
    files = {
        "certificate": str(settings.tls.certificate),
        "key": str(settings.tls.key),
        "tags": [_THE_CERTIFICATE],
    }
    return {
        "admin": {"listen": f"unix/{admin_socket(state)}|0600", "config": {"persist": False}},
        "storage": {"module": "file_system", "root": str(state / "caddy")},
        "apps": {
            # A request that is held when a new document comes has its answer under the old one.
            "http": {"grace_period": "60s", "servers": servers},
            "tls": {"certificates": {"load_files": [files]}},
        },
    }


def admin_socket(state: Path) -> Path:
    return state / "admin.sock"


def private_socket(state: Path) -> Path:
    return state / "private.sock"


def _secured(settings: GatewaySettings) -> Json:
    return {
        "automatic_https": {"disable": True},
        # The one certificate for every client, whatever name it asks for and whatever name the certificate has: a client that is
        # shown another name's certificate can say so, and one that is sent an alert cannot.
        "tls_connection_policies": [{"certificate_selection": {"any_tag": [_THE_CERTIFICATE]}}],
        "protocols": ["h1", "h2"],
        "read_header_timeout": "10s",
        "idle_timeout": "10m",  # longer than any private link keeps an idle connection
        "max_header_bytes": 65536,
    }


def _routes(settings: GatewaySettings, *, endpoint: str) -> list[Json]:
    other_names = {"match": [{"not": [{"host": [settings.host]}]}], **_not_found()}
    deployments = [
        _deployment(path, upstreams, endpoint=endpoint)
        for path, upstreams in sorted(settings.deployments.items())
    ]
    return [other_names, _health("/healthz"), *deployments, _not_found()]


def _deployment(path: str, upstreams: tuple[str, ...], *, endpoint: str) -> Json:
    served = f"/{path}{paths.PREFIX}/"
    transport: Json = {
        "protocol": "http",
        "dial_timeout": "5s",
        # shorter than an API server keeps it, so that no request meets a connection that is being closed
        "keep_alive": {"idle_timeout": "3s", "max_idle_conns_per_host": 256},
    }
    if urlsplit(upstreams[0]).scheme == "https":
        transport["tls"] = {}
    proxy: Json = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": urlsplit(one).netloc} for one in upstreams],
        "transport": transport,
        "flush_interval": -1,
        "load_balancing": {"selection_policy": {"policy": "least_conn"}, "try_duration": "5s"},
        # Set, and not added: what a client wrote is gone. So are its X-Forwarded-For and X-Forwarded-Host.
        "headers": {"request": {"set": {paths.ENDPOINT_HEADER: [endpoint]}}},
    }
    if len(upstreams) > 1:
        proxy["health_checks"] = {"passive": {"fail_duration": "10s"}}
    return {
        # Both the path as it was sent and the path that it means, with dots and doubled slashes resolved.
        "match": [
            {
                "path": [served + "*"],
                "method": list(METHODS),
                "vars_regexp": {"{http.request.uri}": {"pattern": "^" + re.escape(served)}},
            }
        ],
        "handle": [
            {"handler": "request_body", "max_size": MOST_BYTES},
            {"handler": "rewrite", "strip_path_prefix": f"/{path}"},
            proxy,
        ],
        "terminal": True,
    }


def _health(*at: str) -> Json:
    return {"match": [{"path": list(at), "method": ["GET", "HEAD"]}], **_says(200, "ok")}


def _not_found() -> Json:
    return _says(404, NOT_FOUND)


def _says(status: int, text: str) -> Json:
    return {
        "handle": [
            {
                "handler": "static_response",
                "status_code": status,
                "headers": {"Content-Type": ["text/plain; charset=utf-8"]},
                "body": text,
            }
        ],
        "terminal": True,
    }
