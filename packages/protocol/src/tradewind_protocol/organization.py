"""Settings of the organization, as the platform's API has them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from tradewind_protocol.messages import Message
from tradewind_protocol.people import Short
from tradewind_protocol.platform import Ask


class OrganizationAllowedNetwork(Ask):
    """A network from which people and their programs may use the platform."""

    network: Annotated[str, StringConstraints(min_length=1, max_length=64)]  # CIDR, or one address
    description: Short = ""


class SetOrganizationAllowedAddresses(Ask):
    """Replace the organization's list of allowed addresses. Refused when the caller's own address is not on it."""

    networks: tuple[OrganizationAllowedNetwork, ...] = Field(max_length=1000)  # none: any address


class OrganizationAllowedAddresses(Message):
    """From where people and their programs may use the platform's pages and its API."""

    networks: tuple[OrganizationAllowedNetwork, ...] = ()  # none: any address
    revision: int = 0  # grows by one with every change; 0: it was never changed
    changed_at: datetime | None = None
    changed_by: str = ""
    your_address: str = ""  # the address of the caller, as the platform sees it
