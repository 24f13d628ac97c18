"""The gateway as one document of Caddy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tradewind.gateway import closed
from tradewind.gateway.settings import Certificate, GatewaySettings, People
from tradewind_protocol import paths

NOT_FOUND: Final = "404 page not found"
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
MOST_BYTES: Final = 32 * 1024 * 1024
"""Of a request's body."""
_THE_CERTIFICATE: Final = "gateway"
_FOR_PEOPLE: Final = "people"

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
            **_secured(settings.tls, _THE_CERTIFICATE),
            "routes": _routes(settings, endpoint="public"),
        }
    if settings.people is not None:
        if settings.public is not None and settings.people.listen == settings.public.listen:
            servers["public"]["routes"][:0] = _people(settings, settings.people)
        else:
            certificate = _FOR_PEOPLE if settings.people.tls is not None else _THE_CERTIFICATE
            servers["people"] = {
                "listen": [at.get("people", settings.people.listen)],
                **_secured(settings.people.tls or settings.tls, certificate),
                "routes": [*_people(settings, settings.people), _not_found()],
            }
    if settings.private is not None:
        servers["private"] = {
            "listen": [f"unix/{private_socket(state)}|0600"],
            # The front says of each connection where it comes from and by which endpoint.
            "listener_wrappers": [{"wrapper": "proxy_protocol"}, {"wrapper": "tls"}],
            **_secured(settings.tls, _THE_CERTIFICATE),
            "routes": _routes(settings, endpoint="{http.request.local}"),
        }
    if settings.health is not None:
        servers["health"] = {
            "listen": [at.get("health", settings.health)],
            "automatic_https": {"disable": True},
            "protocols": ["h1"],
            "routes": [_health("/healthz", "/readyz"), _not_found()],
        }
    certificates = [(settings.tls, _THE_CERTIFICATE)]
    if settings.people is not None:
        certificates.append((settings.people.tls, _FOR_PEOPLE))
    files = [
        {"certificate": str(one.certificate), "key": str(one.key), "tags": [tag]}
        for one, tag in certificates
        if one is not None
    ]
    return {
        "admin": {"listen": f"unix/{admin_socket(state)}|0600", "config": {"persist": False}},
        "storage": {"module": "file_system", "root": str(state / "caddy")},
        "apps": {
            # A request that is held when a new document comes has its answer under the old one.
            "http": {"grace_period": "60s", "servers": servers},
            **({"tls": {"certificates": {"load_files": files}}} if files else {}),
        },
    }


def admin_socket(state: Path) -> Path:
    return state / "admin.sock"


def private_socket(state: Path) -> Path:
    return state / "private.sock"


def _secured(certificate: Certificate | None, tag: str) -> Json:
    common = {
        "automatic_https": {"disable": True},
        "read_header_timeout": "10s",
        "idle_timeout": "10m",  # longer than any private link keeps an idle connection
        "max_header_bytes": 65536,
    }
    if certificate is None:
        return {**common, "protocols": ["h1"]}
    return {
        **common,
        # The one certificate for every client, whatever name it asks for and whatever name the certificate has: a client that is
        # shown another name's certificate can say so, and one that is sent an alert cannot.
        "tls_connection_policies": [{"certificate_selection": {"any_tag": [tag]}}],
        "protocols": ["h1", "h2"],
    }


def _routes(settings: GatewaySettings, *, endpoint: str) -> list[Json]:
    other_names = {"match": [{"not": [{"host": [settings.host]}]}], **_not_found()}
    deployments = [
        _deployment(path, _handled(settings, path, upstreams, endpoint=endpoint))
        for path, upstreams in sorted(settings.deployments.items())
    ]
    return [other_names, _health("/healthz"), *deployments, _not_found()]


def _people(settings: GatewaySettings, people: People) -> list[Json]:
    """The whole Airflow of each Deployment under its own name, without what agents and tasks ask for."""
    found = []
    for path, upstreams in sorted(settings.deployments.items()):
        refused = {
            "match": [{"path": [f"{paths.PREFIX}/*", "/execution/*"]}],
            "handle": _not_found()["handle"],
        }
        passed: Json = {"handle": [{"handler": "request_body", "max_size": MOST_BYTES}]}
        if path in settings.closed:
            passed = closed.for_people(settings.closed[path])
        else:
            passed["handle"].append(_proxy(upstreams, endpoint="public"))
        found.append(
            {
                "match": [{"host": [f"{path}.{people.domain}"]}],
                "handle": [{"handler": "subroute", "routes": [{**refused, "terminal": True}, passed]}],
                "terminal": True,
            }
        )
    return found


def _handled(
    settings: GatewaySettings, path: str, upstreams: tuple[str, ...], *, endpoint: str
) -> list[Json]:
    if path in settings.closed:
        return list(closed.for_agents(settings.closed[path])["handle"])
    return [
        {"handler": "request_body", "max_size": MOST_BYTES},
        {"handler": "rewrite", "strip_path_prefix": f"/{path}"},
        _proxy(upstreams, endpoint=endpoint),
    ]


def _deployment(path: str, handled: list[Json]) -> Json:
    served = f"/{path}{paths.PREFIX}/"
    return {
        # Both the path as it was sent and the path that it means, with dots and doubled slashes resolved.
        "match": [
            {
                "path": [served + "*"],
                "method": list(METHODS),
                "vars_regexp": {"{http.request.uri}": {"pattern": "^" + re.escape(served)}},
            }
        ],
        "handle": handled,
        "terminal": True,
    }


def _proxy(upstreams: tuple[str, ...], *, endpoint: str) -> Json:
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
    return proxy


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
