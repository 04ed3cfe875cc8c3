"""Orders of calls against an exhaustive search."""

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtrans.planning import schedule as module
from vtrans.planning.schedule import Unit, is_acyclic, schedule


@st.composite
def graphs(draw, size, keys=3, free=False):
    units = []
    for i in range(draw(st.integers(1, size))):
        waits = draw(st.frozensets(st.integers(0, i - 1), max_size=3)) if i else frozenset()
        key = draw(st.integers(0, keys - 1))
        units.append(Unit(key, waits, free=free and key == 0))
    return units


def fewest(units):
    """By trying everything: any key next, and any of its units that are ready."""

    @functools.cache
    def left(done):
        if done == frozenset(range(len(units))):
            return 0
        ready = [i for i, unit in enumerate(units) if i not in done and unit.waits <= done]
        best = len(units)
        for key in {units[i].key for i in ready}:
            members = [i for i in ready if units[i].key == key]
            for choice in range(1, 2 ** len(members)):
                taken = {member for bit, member in enumerate(members) if choice >> bit & 1}
                best = min(best, left(done | taken) + (not units[members[0]].free))
        return best

    return left(frozenset())


def by_depth(units):
    """The calls of the simple plan: one for each key at each depth."""
    depths = []
    for unit in units:
        depths.append(1 + max((depths[i] for i in unit.waits), default=0))
    return len({(unit.key, depth) for unit, depth in zip(units, depths, strict=True)})


def assert_runs(units, calls):
    done = set()
    for call in calls:
        assert call == sorted(call)
        assert len({(units[i].key, units[i].free) for i in call}) == 1
        assert all(units[i].waits <= done for i in call)
        done |= {*call}
    assert sorted(i for call in calls for i in call) == list(range(len(units)))


@settings(max_examples=200)
@given(graphs(7))
def test_no_order_has_fewer_calls(units):
    calls = schedule(units)
    assert_runs(units, calls)
    assert len(calls) == fewest(units)


@settings(max_examples=100)
@given(graphs(7, free=True))
def test_free_units_do_not_count(units):
    calls = schedule(units)
    assert_runs(units, calls)
    assert sum(not units[call[0]].free for call in calls) == fewest(units)


@settings(max_examples=100)
@given(graphs(20, keys=5))
def test_never_more_calls_than_one_for_each_key_and_depth(units):
    calls = schedule(units)
    assert_runs(units, calls)
    assert len(calls) <= by_depth(units)
    assert calls == schedule(units)


@settings(max_examples=200)
@given(graphs(25, keys=5), st.integers(0, 6))
def test_a_search_cut_short_still_runs_everything(units, patience):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PATIENCE", patience)
        assert_runs(units, schedule(units))


def test_a_circle_is_refused():
    units = [Unit("f", frozenset({1})), Unit("g", frozenset({0}))]
    assert not is_acyclic(units)
    with pytest.raises(ValueError, match="wait for one another in a circle; no order of calls computes them"):
        schedule(units)


def test_a_call_waits_while_more_of_its_network_is_on_the_way():
    units = [Unit("f", frozenset()), Unit("g", frozenset({0})), Unit("g", frozenset()), Unit("h", frozenset({2}))]
    assert schedule(units) == [[0], [1, 2], [3]]


def test_nothing_to_do():
    assert schedule([]) == []
