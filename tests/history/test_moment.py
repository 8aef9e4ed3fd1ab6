"""How people write a moment, and what belongs to it."""

from __future__ import annotations

import pytest

from proof.history.moment import Moment, last_text, parse
from tables.outcome import place_of


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("17", Moment(place=place_of(18))),
        ("17.3", Moment(place=place_of(17, 3) + 1)),
        ("1795621802323.17.3", Moment(place=place_of(17, 3) + 1, log_id=1_795_621_802_323)),
        ("1970-01-01T00:00:01.250Z", Moment(ms=1_250)),
        ("1970-01-01T01:00:01.250+01:00", Moment(ms=1_250)),
        ("1970-01-01t00:00:01.250z", Moment(ms=1_250)),
    ],
)
def test_the_record_that_is_named_is_part_of_the_moment(text, moment):
    assert parse(text) == moment


@pytest.mark.parametrize("text", ["17", "17.3", "0", "0.0"])
def test_the_last_position_before_a_moment_is_written_as_it_is_read(text):
    assert last_text(parse(text).place) == text


@pytest.mark.parametrize("text", ["", "yesterday", "1.2.3.4", "17.1000", "-1", "2026-03-01", "2026-03-01T10:00:00",
                                  "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])  # fmt: skip
def test_what_is_no_moment_is_refused_with_what_may_stand_there(text):
    with pytest.raises(ValueError, match=r"give a position .* or a time with its zone"):
        parse(text)
