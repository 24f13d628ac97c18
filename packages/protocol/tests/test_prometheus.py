"""Lines of Prometheus' text format."""

from __future__ import annotations

import pytest

from tradewind_protocol import prometheus


@pytest.mark.parametrize(
    ("value", "written"),
    [(3.0, "3"), (0.25, "0.25"), (1772366400.123456, "1772366400.123456"), (0.0, "0")],
    ids=["whole", "fraction", "moment", "nothing"],
)
def test_a_number_keeps_its_digits(value: float, written: str) -> None:
    assert prometheus.sample("seconds", (), (), value) == f"seconds {written}"


def test_a_value_of_a_label_cannot_end_its_line_or_its_quotes() -> None:
    line = prometheus.sample("up", ("site", "queue"), ('a"b', "c\\d\ne"), 1.0)
    assert line == r'up{site="a\"b",queue="c\\d\ne"} 1'


def test_a_label_without_a_value_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        prometheus.sample("up", ("site", "queue"), ("a",), 1.0)
