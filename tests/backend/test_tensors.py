"""What Keras and its backend are told before they are imported."""

import os
import sys

import pytest

from stylize.backend import tensors


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
