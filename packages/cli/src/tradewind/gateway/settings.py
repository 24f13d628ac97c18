"""What the gateway of a cluster serves: a file that an operator or the platform writes."""

from __future__ import annotations

import ipaddress
import re
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from tradewind.errors import BadUsage

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_HOST: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+"
)
_DEPLOYMENT: Final = re.compile(r"d[a-z0-9]{1,30}")


def _host(text: str) -> str:
    if _HOST.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a host name in lower case")
    return text


def _domain(text: str) -> str:
    return _host(f"d.{text}").removeprefix("d.")


def _is_loopback(listen: str) -> bool:
    host = listen.rpartition(":")[0].strip("[]")
    return bool(host) and ipaddress.ip_address(host).is_loopback


def _listen(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is not [ADDRESS]:PORT")
    if host:
        ipaddress.ip_address(host.strip("[]"))
    return text


def _deployment(text: str) -> str:
    if _DEPLOYMENT.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no path of a Deployment: a d, then lower-case letters and digits")
    return text


def _upstream(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.username:
        raise ValueError(f"{text!r} is not http://HOST:PORT or https://HOST:PORT")
    return f"{parts.scheme}://{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _network(text: str) -> str:
    return str(ipaddress.ip_network(text))


Listen = Annotated[str, AfterValidator(_listen)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Certificate(_Part):
    """Files in PEM; Caddy reads them when it loads a document."""

    certificate: Path
    key: Path


class Public(_Part):
    """The way from the internet."""

    listen: Listen = ":443"


class Private(_Part):
    """The way through private endpoints: a load balancer that sends the PROXY protocol, version 2, connects here."""

    listen: Listen
    balancers: Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], Field(min_length=1)]
    """The networks that the load balancer connects from. Nothing else may connect."""


class People(_Part):
    """The way for people: each Deployment has a host name of its own, so that a browser keeps their cookies apart."""

    domain: Annotated[str, AfterValidator(_domain)]
    """A Deployment is `<its path>.<domain>`."""

    listen: Listen = ":443"
    tls: Certificate | None = None
    """For `*.<domain>`. None: that of the agents' host has this name, too."""


class Closed(str, Enum):
    """Why a Deployment is not served. The route is kept, so that agents wait and do not take it for a wrong address."""

    HIBERNATING = "hibernating"
    UPGRADING = "upgrading"


class GatewaySettings(_Part):
    """One cluster."""

    host: Annotated[str, AfterValidator(_host)]
    tls: Certificate | None = None
    """None: plain HTTP, at addresses of the loopback interface only, unless it answers for closed Deployments only."""

    only_closed: bool = False
    """It answers for closed Deployments and passes nothing on: another gateway, which has TLS, leads to it."""

    public: Public | None = None
    people: People | None = None
    private: Private | None = None
    health: Listen | None = None
    """Plain HTTP that only says whether the gateway runs: what a load balancer probes."""

    deployments: dict[
        Annotated[str, AfterValidator(_deployment)], tuple[Annotated[str, AfterValidator(_upstream)], ...]
    ] = Field(default_factory=dict)
    """The API servers of each Deployment, by its path."""

    closed: dict[Annotated[str, AfterValidator(_deployment)], Closed] = Field(default_factory=dict)
    """Deployments that are not served at the moment. Agents wait, and people read why."""

    @model_validator(mode="after")
    def _serves(self) -> GatewaySettings:
        if self.public is None and self.private is None:
            raise ValueError("neither [public] nor [private] is there: the gateway would listen nowhere")
        if self.only_closed and (open_ones := sorted({*self.deployments} - {*self.closed})):
            raise ValueError(f"only_closed is set, and {', '.join(open_ones)} is not in [closed]")
        if self.tls is None and not self.only_closed:
            listens = [one.listen for one in (self.public, self.people, self.private) if one is not None]
            if not all(_is_loopback(one) for one in listens):
                raise ValueError(
                    f"without [tls] the gateway listens on 127.0.0.1 only, not at {', '.join(listens)}"
                )
        if self.people is not None and self.public is not None and self.people.listen == self.public.listen:
            if self.people.tls is not None:
                raise ValueError("[people] listens where [public] does, so [people.tls] would not be used")
        for deployment in self.closed:
            if deployment not in self.deployments:
                raise ValueError(f"{deployment} is closed, and has no API server in [deployments]")
        for deployment, upstreams in self.deployments.items():
            if not upstreams:
                raise ValueError(f"{deployment} has no API server")
            if len({urlsplit(one).scheme for one in upstreams}) > 1:
                raise ValueError(f"{deployment} has API servers with http and with https")
        return self


def read(file: Path) -> GatewaySettings:
    """Raises BadUsage, which names the part of the file that is wrong."""
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadUsage(f"{file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadUsage(f"{file} is not TOML: {error}") from error
    try:
        return GatewaySettings.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadUsage(
            f"{file}: {where + ': ' if where else ''}{first['msg'].removeprefix('Value error, ')}",
            remedy="docs/how-to/cluster-gateway.md has a whole file.",
        ) from error
