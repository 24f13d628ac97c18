"""People and groups as SCIM 2.0 has them (RFC 7643): the attributes that the platform uses, and what it says of itself.

An identity provider may send any attribute. Those that are not here are dropped: the platform keeps no telephone number,
no address and no password of a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Final, TypeVar

from pydantic import Field, ValidationError
from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    Context,
    Error,
    ETag,
    Filter,
    Mutability,
    Patch,
    Reference,
    Required,
    Resource,
    SCIMException,
    ScimPolicy,
    ScimProvider,
    SearchRequest,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)

from tradewind_protocol.errors import Code, Refused

LARGEST_PAGE: Final = 1000
LONGEST_TEXT: Final = 250
MOST_ENTRIES: Final = 100
"""Of an attribute that has several, as addresses."""


class Name(ComplexAttribute):
    """A person's name."""

    formatted: str | None = None
    given_name: str | None = None
    family_name: str | None = None


class Email(ComplexAttribute):
    """An e-mail address. Any text is taken: an address of an internal domain is one, too."""

    value: str | None = None
    type: str | None = None
    primary: bool | None = None


class Membership(ComplexAttribute):
    """A group that a person is in. It is changed at the group."""

    value: Annotated[str | None, Mutability.read_only, CaseExact.true] = None
    display: Annotated[str | None, Mutability.read_only] = None


class User(Resource[Any]):
    """A person whom an identity provider has sent."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    name: Name | None = None
    display_name: str | None = None
    active: bool | None = None
    emails: list[Email] | None = None
    groups: Annotated[list[Membership] | None, Mutability.read_only] = None


class Member(ComplexAttribute):
    """A person in a group, by the id of the person's resource."""

    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    ref: Annotated[Reference[User] | None, Mutability.immutable] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )


class Group(Resource[Any]):
    """A group of the identity provider."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:Group")

    display_name: Annotated[str | None, Required.true] = None
    members: list[Member] | None = None


AnyResource = TypeVar("AnyResource", User, Group)

POLICY: Final = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore, remove_value_as_filter=ScimPolicy.RemoveValue.apply
)
"""Attributes that are not kept are no error, and a removal may name values as Entra does."""

SERVICE: Final = ScimProvider(
    models=[User, Group],
    policy=POLICY,
    config=ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
        filter=Filter(supported=True, max_results=LARGEST_PAGE),
        change_password=ChangePassword(supported=False),
        sort=Sort(supported=False),
        etag=ETag(supported=False),
        authentication_schemes=[
            AuthenticationScheme(
                type=AuthenticationScheme.Type.oauthbearertoken,
                name="SCIM token",
                description="Authorization: Bearer tw_scim_…, made by an owner of the organization",
                primary=True,
            )
        ],
    ),
)
"""What the platform answers at `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas`."""


@contextmanager
def refusals() -> Iterator[None]:
    """What the library finds wrong in a request becomes Refused MALFORMED, with SCIM's own word in `scim_type`.

    The message has nothing of the request's values.
    """
    try:
        yield
    except SCIMException as error:
        raise _refused(error.to_error()) from None
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False, include_context=True)
        raise _refused(Error.from_validation_error(wrong[0])) from None


def read(model: type[AnyResource], body: Mapping[str, Any]) -> AnyResource:
    """The resource that a request holds, without what only the platform sets. Raises Refused MALFORMED."""
    with refusals():
        return model.model_validate(
            {**body, "schemas": [str(model.__schema__)]},
            scim_ctx=Context.RESOURCE_CREATION_REQUEST,
            scim_policy=POLICY,
        )


def short(text: str, attribute: str) -> str:
    """The text of an attribute that a column holds. Raises Refused MALFORMED for one that is too long."""
    if len(text) > LONGEST_TEXT or "\x00" in text:
        raise Refused(
            Code.MALFORMED,
            f"{attribute} is longer than {LONGEST_TEXT} characters, or has one that is no text",
            scim_type="invalidValue",
        )
    return text


def require_short(value: Any, attribute: str) -> None:
    """Raises Refused MALFORMED for a text anywhere in the value of an attribute that `short` refuses, or too many entries."""
    if isinstance(value, str):
        short(value, attribute)
    elif isinstance(value, Mapping):
        for part in value.values():
            require_short(part, attribute)
    elif isinstance(value, list):
        if len(value) > MOST_ENTRIES:
            raise Refused(
                Code.MALFORMED, f"{attribute} has more than {MOST_ENTRIES} entries", scim_type="invalidValue"
            )
        for one in value:
            require_short(one, attribute)


def query(model: type[AnyResource], parameters: Mapping[str, Any]) -> SearchRequest[AnyResource]:
    """What a request asks to be listed or shown. Raises Refused MALFORMED for a filter that cannot be read."""
    made: SearchRequest[AnyResource] = _query(model, parameters)
    return made


def query_of_all(parameters: Mapping[str, Any]) -> SearchRequest[Any]:
    """As `query`, over people and groups at once."""
    made: SearchRequest[Any] = _query(User | Group, parameters)
    return made


def _query(of: Any, parameters: Mapping[str, Any]) -> Any:
    kind: Any = SearchRequest.__class_getitem__(of)
    with refusals():
        return kind.model_validate(
            {**parameters, "schemas": [str(SearchRequest.__schema__)]}, scim_policy=POLICY
        )


def _refused(error: Error) -> Refused:
    return Refused(
        Code.MALFORMED,
        error.detail or "the request is not valid",
        scim_type=error.scim_type or "invalidValue",
    )
