"""Airflow's metadata database and its Fernet key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow import settings as airflow_settings
from airflow.models.crypto import get_fernet
from airflow.utils.session import create_session as airflow_create_session
from sqlalchemy.orm import Session


@contextmanager
def create_session() -> Iterator[Session]:
    """One transaction of Airflow's database: commits at the end, rolls back when the body raises. Blocks; call it
    from a thread, not from the event loop."""
    with airflow_create_session(scoped=False) as session:
        yield session


def dialect(session: Session) -> str:
    """`"sqlite"`, `"postgresql"` or `"mysql"`."""
    return session.get_bind().dialect.name


def url() -> str:
    """SQLAlchemy's URL of the database. Holds a password: never log it."""
    return str(airflow_settings.SQL_ALCHEMY_CONN)


def airflow_home() -> Path:
    """Airflow's home directory: what processes of one machine share."""
    return Path(os.path.expanduser(airflow_settings.AIRFLOW_HOME))


def encrypt(text: str) -> str:
    """`text` under the plane's Fernet key."""
    return str(get_fernet().encrypt(text.encode()).decode())


def decrypt(text: str) -> str:
    """Undo `encrypt`. Raises `cryptography.fernet.InvalidToken` when the key is another one."""
    return str(get_fernet().decrypt(text.encode()).decode())
