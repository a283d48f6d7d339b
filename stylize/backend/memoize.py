"""Functions that remember their results."""

import collections
import functools
import hashlib
import inspect
import threading
import weakref
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np

NETWORKS_KEPT = 2  # with what is compiled for each
# For each network, about 17 MiB a shape: all four sizes of pictures of 3:2 and 4:3, upright or not.
SHAPES_KEPT = 16


def kept(function: Callable, shapes: int = SHAPES_KEPT) -> Callable:
    """Makes a function return the same object for equal arguments, as `functools.lru_cache` does.

    Use it for results that hold their first argument, as compiled functions hold their network:
    `remembered` would never forget them. Arguments must be positional and hashable. Of
    `NETWORKS_KEPT` first arguments, `shapes` results each are kept.
    """

    @functools.lru_cache(NETWORKS_KEPT)
    def of_first(first):
        return functools.lru_cache(shapes)(functools.partial(function, first))

    @functools.wraps(function)
    def call(first, *others):
        return of_first(first)(*others)

    call.cache_clear = of_first.cache_clear  # type: ignore[attr-defined]
    return call


def remembered(number: int) -> Callable[[Callable], Callable]:
    """Makes a function return the same object for equal arguments, without computing it again.

    Its first argument is the same only if it is the same object, and does not live longer for being
    remembered. Other arguments are equal if the numbers of arrays are, or the items of lists and
    mappings, in the same order; anything else must have a hash.

    Args:
        number: of results to remember for each first argument; the one that was asked for longest
            ago is forgotten first.
    """

    def decorate(function):
        signature, lock = inspect.signature(function), threading.Lock()
        by_first: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()

        @functools.wraps(function)
        def call(*arguments, **named):
            bound = signature.bind(*arguments, **named)
            bound.apply_defaults()
            first, *others = bound.arguments.values()
            key = tuple(map(_content, others))
            with lock:
                results = by_first.setdefault(first, collections.OrderedDict())
                if key in results:
                    results.move_to_end(key)
                    return results[key]
            result = function(*arguments, **named)
            with lock:
                results[key] = result
                while len(results) > number:
                    results.popitem(last=False)
            return result

        return call

    return decorate


def _content(argument: Any) -> Hashable:
    """What stands for an argument in a key."""
    if isinstance(argument, np.ndarray):
        content = hashlib.sha256(np.ascontiguousarray(argument).data).digest()
        return argument.shape, argument.dtype.str, content
    if isinstance(argument, Mapping):
        return tuple(argument.items())
    return tuple(argument) if isinstance(argument, list) else argument
