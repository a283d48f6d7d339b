"""Functions that remember their results."""

import numpy as np

from stylize.remember import remembered


def counted(number):
    """A remembered function, and the list of the arguments that it was really called with."""
    calls = []

    @remembered(number)
    def function(*arguments):
        calls.append(arguments)
        return object()

    return function, calls


def test_equal_content_is_computed_once():
    function, calls = counted(2)
    first = function("network", np.arange(4.0), {"a": (1, 2)}, None)
    assert function("network", np.arange(4.0), {"a": (1, 2)}, None) is first
    assert len(calls) == 1


def test_whatever_differs_is_computed():
    function, calls = counted(9)
    x = np.arange(4.0)
    variants = [x, x + 1e-12, x.reshape(2, 2), x.astype(np.float32), {"a": 1}, {"a": 2}, "a", None]
    assert len({id(function(variant)) for variant in variants}) == len(calls) == len(variants)


def test_a_picture_that_was_changed_in_place_is_computed_again():
    function, calls = counted(2)
    x = np.zeros((2, 3))
    function(x)
    x[0, 0] = 1
    function(x)
    assert len(calls) == 2


def test_the_one_asked_for_longest_ago_is_forgotten():
    function, calls = counted(2)
    for argument in "abaca":  # b goes when c comes
        function(argument)
    assert [argument for (argument,) in calls] == ["a", "b", "c"]
    function("b")
    assert len(calls) == 4
