"""A backup reads back as it was written, with its own key, whole and in order, or not at all."""

from __future__ import annotations

import io
import os

import pytest

from tradewind_platform.security.streams import Damaged, decrypt, encrypt, new_key

MIB = 1 << 20


def written(key: bytes, data: bytes) -> bytearray:
    target = io.BytesIO()
    assert encrypt(key, [data[:5], data[5:]], target) == len(data)
    return bytearray(target.getvalue())


def read(key: bytes, stored: bytes) -> bytes:
    return b"".join(decrypt(key, io.BytesIO(stored)))


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB])
def test_it_reads_back_whatever_its_size(size: int) -> None:
    key, data = new_key(), os.urandom(size)
    assert read(key, written(key, data)) == data


def test_nothing_of_it_is_in_clear() -> None:
    assert b"canary" not in written(new_key(), b"canary" * 1000)


def test_another_key_opens_nothing() -> None:
    with pytest.raises(Damaged):
        read(new_key(), written(new_key(), b"data"))


@pytest.mark.parametrize("cut", [1, 4, MIB // 2, MIB + 60])
def test_one_that_is_cut_off_is_damaged(cut: int) -> None:
    key = new_key()
    with pytest.raises(Damaged):
        read(key, written(key, os.urandom(2 * MIB))[:-cut])


def test_one_without_its_last_piece_is_damaged() -> None:
    key = new_key()
    stored = written(key, os.urandom(2 * MIB + 10))
    last = 4 + 10 + 16
    with pytest.raises(Damaged, match="cut off"):
        read(key, stored[:-last])


def test_a_changed_byte_and_pieces_in_another_order_are_found() -> None:
    key = new_key()
    stored = written(key, os.urandom(3 * MIB))
    changed = bytearray(stored)
    changed[200] ^= 1
    with pytest.raises(Damaged):
        read(key, changed)
    head, piece = len(b"tradewind-backup-1\n") + 7, 4 + MIB + 16
    first, second = stored[head : head + piece], stored[head + piece : head + 2 * piece]
    with pytest.raises(Damaged):
        read(key, stored[:head] + second + first + stored[head + 2 * piece :])
