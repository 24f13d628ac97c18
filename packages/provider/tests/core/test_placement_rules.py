"""The rules of placement: which agent is given which work."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind_provider.domain import placement
from tradewind_provider.domain.placement import Candidate, CandidateIndex, EnvironmentSlots, PendingWork
from tradewind_provider.domain.routes import Route, addressed

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)

ME, YOU = uuid4(), uuid4()


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def waiting(
    queue: str | Route, *, priority: int = 1, age: float = 0, avoid: UUID | None = None
) -> PendingWork:
    route = Route(queue) if isinstance(queue, str) else queue
    return PendingWork(uuid4(), route, priority, at(-age), avoid)


def test_work_is_spread_over_those_with_the_most_room() -> None:
    places = [
        Candidate(ME, (EnvironmentSlots(frozenset({"q"}), 2),)),
        Candidate(YOU, (EnvironmentSlots(frozenset({"q"}), 2),)),
    ]
    placed = placement.place([waiting("q", age=age) for age in (4, 3, 2, 1)], places)
    assert list(placed.values()) == [ME, YOU, ME, YOU]


def test_an_answer_is_filled_no_further_than_it_may_be() -> None:
    places = [
        Candidate(ME, (EnvironmentSlots(frozenset({"q"}), 9),), most=1),
        Candidate(YOU, (EnvironmentSlots(frozenset({"q"}), 1),)),
    ]
    placed = placement.place([waiting("q", age=age) for age in (3, 2, 1)], places)
    assert list(placed.values()) == [ME, YOU]


def test_room_several_queues_share_is_used_once() -> None:
    places = [Candidate(ME, (EnvironmentSlots(frozenset({"a", "b"}), 1),))]
    old, new = waiting("a", age=5), waiting("b", age=1)
    assert placement.place([new, old], places) == {old.attempt_id: ME}


def test_an_environment_that_serves_one_queue_is_filled_before_one_that_serves_several() -> None:
    place = Candidate(ME, (EnvironmentSlots(frozenset({"a", "b"}), 1), EnvironmentSlots(frozenset({"a"}), 1)))
    first, second = waiting("a", age=9), waiting("b", age=1)
    assert placement.place([first, second], [place]) == {first.attempt_id: ME, second.attempt_id: ME}


def test_who_handed_work_back_is_passed_over() -> None:
    places = [
        Candidate(ME, (EnvironmentSlots(frozenset({"q"}), 9),)),
        Candidate(YOU, (EnvironmentSlots(frozenset({"q"}), 1),)),
    ]
    one = waiting("q", avoid=ME)
    assert placement.place([one], places) == {one.attempt_id: YOU}
    assert placement.place([waiting("q", avoid=ME)], places[:1]) == {}


def test_who_is_passed_over_for_one_is_given_the_next() -> None:
    places = [
        Candidate(ME, (EnvironmentSlots(frozenset({"q"}), 9),)),
        Candidate(YOU, (EnvironmentSlots(frozenset({"q"}), 1),)),
    ]
    first, second = waiting("q", age=2, avoid=ME), waiting("q", age=1)
    assert placement.place([first, second], places) == {first.attempt_id: YOU, second.attempt_id: ME}


_SERVED = st.frozensets(st.sampled_from("abc"))
_BUNDLES = st.frozensets(st.sampled_from(["one", "two"]))
_SITES = st.sampled_from(["eu", "us"])
_PLACES = st.lists(
    st.tuples(
        st.lists(st.builds(EnvironmentSlots, _SERVED, st.integers(0, 3), _BUNDLES), max_size=3),
        st.integers(0, 4),
        _SITES,
    ),
    max_size=5,
)
_ROUTES = st.builds(
    Route,
    st.sampled_from("abcd"),
    st.sampled_from(["eu", "us", None]),
    st.sampled_from(["one", "two", "three", None]),
)


@given(
    _PLACES,
    st.lists(st.tuples(_ROUTES, st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=12),
)
def test_each_piece_of_work_goes_where_there_is_most_room_at_its_turn(
    drawn: list[tuple[list[EnvironmentSlots], int, str]], work: list[tuple[Route, int, int]]
) -> None:
    places = [Candidate(uuid4(), tuple(slots), most, site) for slots, most, site in drawn]
    ids = [one.session_id for one in places] + [YOU]
    candidates = [
        waiting(queue, priority=priority, avoid=ids[min(avoid, len(ids) - 1)])
        for queue, priority, avoid in work
    ]
    placed = placement.place(candidates, places)
    assert placed == plainly_placed(candidates, places)
    routes = {one.attempt_id: one.route for one in candidates}
    for attempt, session in placed.items():
        route = routes[attempt]
        assert any(
            candidate.session_id == session
            and candidate.site == route.site
            and any(
                route.queue in slot.queues and (route.bundle is None or route.bundle in slot.bundles)
                for slot in candidate.environments
            )
            for candidate in places
        )


def plainly_placed(candidates: list[PendingWork], places: list[Candidate]) -> dict[UUID, UUID]:
    """As `placement.place` says, and every place looked at for each piece of work."""
    left, placed = list(places), {}
    for one in sorted(candidates, key=lambda each: (-each.priority, each.created_at)):
        open_ = [
            at
            for at, candidate in enumerate(left)
            if candidate.session_id != one.avoid and candidate.free_slots(one.route)
        ]
        if open_:
            at = max(open_, key=lambda each: left[each].free_slots(one.route))
            left[at] = left[at].take(one.route)
            placed[one.attempt_id] = left[at].session_id
    return placed


def test_room_is_counted_no_further_than_there_is_work() -> None:
    places = [
        Candidate(ME, (EnvironmentSlots(frozenset({"q"}), 9),), most=4),
        Candidate(YOU, (EnvironmentSlots(frozenset({"q"}), 2),)),
    ]
    for count, most in ((3, 3), (5, 5), (100, 6)):
        assert [one.most for one in placement.batches({Route("q"): count}, places)] == [most]
    assert placement.batches({Route("other"): 3}, places) == []


def slots(free: int, *bundles: str) -> tuple[EnvironmentSlots, ...]:
    return (EnvironmentSlots(frozenset({"q"}), free, frozenset(bundles)),)


def test_work_that_the_same_slots_can_run_is_asked_for_together() -> None:
    places = [
        Candidate(ME, slots(2, "one", "two"), site="eu"),
        Candidate(YOU, slots(3, "one", "two"), site="eu"),
    ]
    work = {
        Route("q", "eu", "one"): 2,
        Route("q", "eu", "two"): 9,
        Route("q", "eu"): 1,
        Route("q", "us", "one"): 7,
    }
    (batch,) = placement.batches(work, places)
    assert (batch.site, batch.queue, batch.bundles, batch.most) == ("eu", "q", {"one", "two", None}, 5)


def test_much_work_of_one_bundle_does_not_hide_that_of_another_from_the_agents_that_have_it() -> None:
    places = [Candidate(ME, slots(1, "one"), site="eu"), Candidate(YOU, slots(4, "two"), site="eu")]
    work = {Route("q", "eu", "one"): 1000, Route("q", "eu", "two"): 2}
    found = {one.bundles: one.most for one in placement.batches(work, places)}
    assert found == {frozenset({"one"}): 1, frozenset({"two"}): 2}


def test_work_goes_to_no_other_site_and_to_no_agent_without_its_bundle() -> None:
    places = [Candidate(ME, slots(9, "one"), site="us"), Candidate(YOU, slots(1, "two"), site="eu")]
    there, nowhere = waiting(Route("q", "eu", "two")), waiting(Route("q", "eu", "one"))
    nobodys = waiting(Route("q", None, "one"))
    assert placement.place([there, nowhere, nobodys], places) == {there.attempt_id: YOU}


@pytest.mark.parametrize(
    ("queue", "known", "found"),
    [
        ("etl", {"default", "eu"}, ("default", "etl")),
        ("eu:etl", {"default", "eu"}, ("eu", "etl")),
        ("us:etl", {"default", "eu"}, ("default", "us:etl")),
        ("etl", {"eu"}, ("eu", "etl")),
        ("etl", {"eu", "us"}, ("default", "etl")),
        ("etl", set(), ("default", "etl")),
        ("eu:", {"eu"}, ("eu", "eu:")),
    ],
)
def test_a_queue_may_name_the_site_of_work_that_is_no_sites(
    queue: str, known: set[str], found: tuple[str, str]
) -> None:
    assert addressed(queue, known) == found


def candidate(free: int, *queues: str) -> Candidate:
    return Candidate(uuid4(), (EnvironmentSlots(frozenset(queues), free),))


def test_the_most_free_places_come_first_and_of_those_alike_whoever_came_first() -> None:
    waiting_places = CandidateIndex()
    little, first, second, elsewhere = (
        candidate(1, "q"),
        candidate(3, "q"),
        candidate(3, "q"),
        candidate(2, "other"),
    )
    for one in (little, first, second, elsewhere):
        waiting_places.add(one)
    assert waiting_places.most_free(2) == [first, second, elsewhere]
    assert waiting_places.most_free(None) == [first, second, little, elsewhere]


def test_a_place_that_serves_two_queues_is_found_once() -> None:
    waiting_places = CandidateIndex()
    waiting_places.add(both := candidate(1, "a", "b"))
    assert waiting_places.most_free(5) == [both]


def test_whoever_leaves_is_not_found_any_more() -> None:
    waiting_places = CandidateIndex()
    stays, leaves = candidate(1, "a", "b"), candidate(1, "b", "c")
    for one in (stays, leaves):
        waiting_places.add(one)
    for _ in range(2):
        waiting_places.remove(leaves)
    assert waiting_places.most_free(None) == [stays]
    assert [Route(queue) in waiting_places for queue in "abc"] == [True, True, False]
    waiting_places.remove(stays)
    assert waiting_places.most_free(None) == []
    assert Route("a") not in waiting_places
