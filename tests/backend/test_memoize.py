"""Functions that remember their results."""

import gc
import weakref

import numpy as np
import pytest

from stylize.backend import memoize
from stylize.backend.memoize import remembered


class Network:
    """Anything that the results belong to."""


def counted(number):
    """A remembered function, and the list of the arguments that it was really called with."""
    calls = []

    @remembered(number)
    def function(network, picture, options=None):
        calls.append(picture)
        return object()

    return function, calls


def test_equal_content_is_computed_once():
    function, calls = counted(2)
    network = Network()
    first = function(network, np.arange(4.0), {"a": (1, 2)})
    assert function(network, np.arange(4.0), {"a": (1, 2)}) is first
    assert function(network, options={"a": (1, 2)}, picture=np.arange(4.0)) is first
    assert len(calls) == 1


def test_whatever_differs_is_computed():
    function, calls = counted(9)
    network, x = Network(), np.arange(4.0)
    variants = [x, x + 1e-12, x.reshape(2, 2), x.astype(np.float32), {"a": 1}, {"a": 2}, [1], "a"]
    results = {id(function(network, variant)) for variant in variants}
    assert len(results) == len(calls) == len(variants)
    function(Network(), x)
    assert len(calls) == len(variants) + 1


def test_a_picture_that_was_changed_in_place_is_computed_again():
    function, calls = counted(2)
    network, x = Network(), np.zeros((2, 3))
    function(network, x)
    x[0, 0] = 1
    function(network, x)
    assert len(calls) == 2


def test_the_one_asked_for_longest_ago_is_forgotten():
    function, calls = counted(2)
    network = Network()
    for argument in "abaca":  # b goes when c comes
        function(network, argument)
    assert calls == ["a", "b", "c"]
    function(network, "b")
    assert len(calls) == 4


def test_a_network_does_not_live_longer_for_being_remembered():
    function, _ = counted(2)
    network = Network()
    function(network, "a")
    reference = weakref.ref(network)
    del network
    gc.collect()
    assert reference() is None


@pytest.fixture
def counted_and_kept(monkeypatch):
    """A function of which two results are kept for two networks each, and the list of its calls."""
    monkeypatch.setattr(memoize, "NETWORKS_KEPT", 2)
    monkeypatch.setattr(memoize, "SHAPES_KEPT", 2)
    calls = []

    @memoize.kept
    def function(network, shape):
        calls.append((network, shape))
        return network, object()

    return function, calls


def test_results_that_hold_their_network_are_kept_by_equality(counted_and_kept):
    function, calls = counted_and_kept
    first = function("a network", (4, 5))
    assert (
        function("".join(["a ", "network"]), tuple(map(int, "45"))) is first
    )  # not the same objects
    function("a network", (5, 4))
    assert len(calls) == 2


def test_what_was_asked_for_longest_ago_is_no_longer_kept(counted_and_kept):
    """Of the shapes of a network, and of networks with all of theirs."""
    function, calls = counted_and_kept
    for shape in (1, 2, 1, 3, 1):
        function("first", shape)
    assert calls == [("first", 1), ("first", 2), ("first", 3)]
    for network in ("second", "first", "third", "first"):
        function(network, 1)
    assert calls[3:] == [("second", 1), ("third", 1)]
    function("second", 1)
    assert calls[5:] == [("second", 1)]


def test_results_that_are_kept_can_be_let_go(counted_and_kept):
    function, calls = counted_and_kept
    function("a network", 1)
    function.cache_clear()
    function("a network", 1)
    assert len(calls) == 2
