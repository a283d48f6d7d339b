"""What Keras and its backend are told before they are imported, and what is freed afterwards."""

import contextlib
import functools
import gc
import os
import signal
import sys
import weakref

import pytest

from stylize.backend import tensors
from stylize.backend.signals import stops_raise


def test_tensorflow_takes_no_more_of_a_gpu_than_it_needs():
    tensors.import_keras()
    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"


@pytest.mark.parametrize(
    ("backend", "told"),
    [("tensorflow", ["TensorFlow"]), ("jax", ["JAX"]), ("torch", ["PyTorch"]), ("other", [])],
)
def test_whoever_waits_is_told_before_the_import_begins(backend, told, monkeypatch):
    calls = []
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setattr(tensors, "_import_keras", lambda: calls.append("imported"))
    with tensors.told_of_start(calls.append):
        tensors.import_keras()  # it was imported long ago
        assert calls == []
        monkeypatch.delitem(sys.modules, "keras")
        tensors.import_keras()
    assert calls == [*told, "imported"]
    tensors.import_keras()
    assert calls == [*told, "imported", "imported"]


class Compiled:
    """Something whose parts hold each other."""

    def __init__(self):
        self.itself = self


def test_what_is_compiled_for_a_picture_is_freed_after_it_or_after_the_next():
    def paint(made, error=None):
        compiled = Compiled()
        made.append(weakref.ref(compiled))
        if error:
            raise error

    painted, failed = [], []
    with tensors.freed_afterwards():
        paint(painted)
        assert painted[0]()
    assert painted[0]() is None
    with contextlib.suppress(MemoryError), tensors.freed_afterwards():
        paint(failed, MemoryError())
    with tensors.freed_afterwards():
        pass
    assert failed[0]() is None


def test_stop_while_what_was_compiled_is_freed_is_neither_lost_nor_printed(capfd):
    """Libraries have functions of their own called then, which swallow exceptions."""

    def stop(phase, about):
        gc.callbacks.remove(stop)
        signal.raise_signal(signal.SIGINT)

    gc.disable()  # only `freed_afterwards` is to collect
    try:
        with stops_raise(), pytest.raises(KeyboardInterrupt), tensors.freed_afterwards():
            gc.callbacks.append(stop)
    finally:
        gc.enable()
    assert stop not in gc.callbacks
    assert capfd.readouterr().err == ""


def test_what_was_loaded_before_the_first_picture_is_not_looked_at_after_each(monkeypatch):
    not_yet = functools.cache(tensors._freeze_what_is_loaded.__wrapped__)
    monkeypatch.setattr(tensors, "_freeze_what_is_loaded", not_yet)
    loaded = Compiled()
    with tensors.freed_afterwards():
        pass
    assert not any(each is loaded for each in gc.get_objects())
    for _ in range(2):
        with tensors.freed_afterwards():
            later = Compiled()
    assert any(each is later for each in gc.get_objects())
