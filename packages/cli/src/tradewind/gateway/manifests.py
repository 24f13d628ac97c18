"""The same gateway for other proxies: Gateway API, nginx, HAProxy."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlsplit

from tradewind.errors import BadUsage
from tradewind.gateway.caddy import METHODS, NOT_FOUND
from tradewind.gateway.settings import Certificate, GatewaySettings
from tradewind_protocol import paths

_MOST_RULES: Final = 16
"""Of an HTTPRoute, as its schema has it."""


def as_json(document: Any) -> str:
    return json.dumps(document, indent=2)


def http_route(settings: GatewaySettings) -> str:
    """HTTPRoutes of Gateway API for the public way: one, or a List of several, each with as many rules as a route may have.

    The first two labels of an API server's name are Service and namespace.
    """
    name = settings.host.partition(".")[0]
    rules = [_rule(path, upstreams) for path, upstreams in sorted(settings.deployments.items())]
    parts = [rules[first : first + _MOST_RULES] for first in range(0, len(rules), _MOST_RULES)]
    routes = [
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": name if number == 1 else f"{name}-{number}"},
            "spec": {
                "parentRefs": [{"name": "agents", "sectionName": "https"}],
                "hostnames": [settings.host],
                "rules": part,
            },
        }
        for number, part in enumerate(parts, start=1)
    ]
    whole = routes[0] if len(routes) == 1 else {"apiVersion": "v1", "kind": "List", "items": routes}
    return as_json(whole) + "\n"


def _rule(path: str, upstreams: tuple[str, ...]) -> dict[str, Any]:
    match = {"path": {"type": "PathPrefix", "value": f"/{path}{paths.PREFIX}"}}
    rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": paths.PREFIX}}
    header = {"set": [{"name": paths.ENDPOINT_HEADER, "value": "public"}]}
    return {
        # A rule that replaces a prefix has one match, so that none names the methods: the plane refuses those that it does not know.
        "matches": [match],
        "filters": [
            {"type": "URLRewrite", "urlRewrite": rewrite},
            {"type": "RequestHeaderModifier", "requestHeaderModifier": header},
        ],
        "timeouts": {"request": "60s"},
        "backendRefs": [_service(one) for one in upstreams],
    }


def _service(upstream: str) -> dict[str, Any]:
    parts = urlsplit(upstream)
    name, _, rest = (parts.hostname or "").partition(".")
    namespace = rest.partition(".")[0]
    return {"name": name, "port": parts.port, **({"namespace": namespace} if namespace else {})}


def nginx(settings: GatewaySettings) -> str:
    """For `http { … }` of an nginx, 1.23.2 or later; the private way needs njs and the endpoint.js of
    docs/how-to/behind-a-proxy.md."""
    _refuse_what_only_caddy_serves(settings)
    lines = []
    for path, upstreams in sorted(settings.deployments.items()):
        servers = "".join(f"    server {urlsplit(one).netloc};\n" for one in upstreams)
        lines.append(f"upstream {path} {{\n{servers}    keepalive 32;\n    keepalive_timeout 3s;\n}}\n")
    if settings.private is not None:
        lines.append(
            "js_import endpoint from /etc/nginx/endpoint.js;\njs_set $tradewind_endpoint endpoint.of;\n"
        )
        allowed = "".join(f"    allow {one};\n" for one in settings.private.balancers) + "    deny all;\n"
        lines.append(
            _nginx_server(
                settings,
                f"{settings.private.listen.removeprefix(':')} ssl proxy_protocol",
                "$proxy_protocol_addr",
                "$tradewind_endpoint",
                allowed,
            )
        )
    if settings.public is not None:
        listen = f"{settings.public.listen.removeprefix(':')} ssl"
        lines.append(_nginx_server(settings, listen, "$remote_addr", "public", ""))
    return "\n".join(lines)


def _nginx_server(settings: GatewaySettings, listen: str, source: str, endpoint: str, more: str) -> str:
    escaped = settings.host.replace(".", "\\.")
    locations = "".join(
        f"""
    location = /{path}{paths.PREFIX} {{ return 404 "{NOT_FOUND}"; }}
    location ^~ /{path}{paths.PREFIX}/ {{
        if ($refused) {{ return 404 "{NOT_FOUND}"; }}
        proxy_pass {urlsplit(upstreams[0]).scheme}://{path}{paths.PREFIX}/;
    }}
"""
        for path, upstreams in sorted(settings.deployments.items())
    )
    methods = "|".join(METHODS)
    return f"""server {{
    listen {listen};
    server_name {settings.host};
    ssl_certificate     {_certificate(settings).certificate};
    ssl_certificate_key {_certificate(settings).key};
{more}    default_type text/plain;
    server_tokens off;
    client_max_body_size 32m;
    proxy_buffering off;
    proxy_read_timeout 60s;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-For {source};
    proxy_set_header {paths.ENDPOINT_HEADER} {endpoint};

    set $refused "";                                     # the path as it was sent, before nginx resolves dots
    if ($host !~ "^{escaped}$") {{ return 404 "{NOT_FOUND}"; }}
    if ($request_method !~ "^({methods})$") {{ return 404 "{NOT_FOUND}"; }}
    if ($request_uri !~ "^/d[a-z0-9]+{paths.PREFIX}/") {{ set $refused 1; }}

    location = /healthz {{ return 200 "ok"; }}
{locations}
    location / {{ return 404 "{NOT_FOUND}"; }}
}}
"""


def haproxy(settings: GatewaySettings) -> str:
    """Two sections of a HAProxy, 2.6 or later, for the public way. Raises BadUsage for a private one: no HAProxy reads the number of
    an Azure endpoint, which is little endian."""
    if settings.private is not None:
        raise BadUsage(
            "HAProxy cannot read the endpoints of [private]",
            remedy="Use `tradewind gateway run` or nginx for it, and a file without [private] for HAProxy.",
        )
    _refuse_what_only_caddy_serves(settings)
    assert settings.public is not None
    rules, backends = [], []
    for path, upstreams in sorted(settings.deployments.items()):
        rules.append(f"    use_backend {path} if host method !odd {{ path_beg /{path}{paths.PREFIX}/ }}")
        tls = " ssl verify required ca-file @system-ca" if upstreams[0].startswith("https:") else ""
        servers = "".join(
            f"    server {path}-{number} {urlsplit(one).netloc}{tls}\n"
            for number, one in enumerate(upstreams, start=1)
        )
        backends.append(
            f"backend {path}\n    balance leastconn\n    timeout server 60s\n    retry-on conn-failure\n"
            f"    http-request replace-path /{path}(/.*) \\1\n{servers}"
        )
    return f"""frontend agents
    mode http
    timeout client 60s
    timeout http-request 10s
    # the certificate, and beside it the key as {_certificate(settings).certificate}.key
    bind {settings.public.listen} ssl crt {_certificate(settings).certificate} alpn h2,http/1.1
    acl host hdr(host),field(1,:) -i {settings.host}
    acl method method {" ".join(METHODS)}
    acl odd path_reg (\\.\\.|//|%2[eE])
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto https
    http-request del-header X-Forwarded-Host
    http-request set-header {paths.ENDPOINT_HEADER} public
    http-request return status 200 content-type text/plain string ok if host method {{ path /healthz }}
{chr(10).join(rules)}
    default_backend nothing

{chr(10).join(backends)}
backend nothing
    mode http
    http-request return status 404 content-type text/plain string "{NOT_FOUND}"
"""


def _refuse_what_only_caddy_serves(settings: GatewaySettings) -> None:
    if settings.people is not None:
        raise BadUsage(
            "[people] is served by Caddy only", remedy="Show it with --as caddy, or leave [people] out."
        )
    _certificate(settings)


def _certificate(settings: GatewaySettings) -> Certificate:
    if settings.tls is None:
        raise BadUsage("this form needs [tls]", remedy="Name a certificate and its key.")
    return settings.tls
