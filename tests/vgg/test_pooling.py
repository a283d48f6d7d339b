"""Our own max-pooling against the backend's, and where values are equal."""

import numpy as np
import pytest

from stylize.backend import tensors
from stylize.backend.tensors import ValueAndGrad, compiled, keras, to_numpy, with_gradient
from stylize.vgg.layers import vgg19_layers
from stylize.vgg.pooling import max_pooling

SIZES = [(8, 6), (7, 5), (2, 3)]


def gradient(pool, x, upstream):
    """The gradient of <pool(x), upstream>, by the backend."""
    energy = with_gradient(lambda x: keras.ops.reshape(keras.ops.sum(pool(x) * upstream), (1,)))
    function = ValueAndGrad(energy)
    return to_numpy(function(x)[1])


def keras_pooling(x):
    return keras.ops.max_pool(x, 2, 2, padding="valid", data_format="channels_last")


@pytest.mark.parametrize("size", SIZES)
def test_values_and_gradient_are_the_backends(size):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, *size, 3)).astype(np.float32)
    pooled = to_numpy(keras_pooling(x))
    np.testing.assert_array_equal(to_numpy(compiled(max_pooling)(x)), pooled)
    upstream = rng.normal(size=pooled.shape).astype(np.float32)
    own, theirs = (gradient(pool, x, upstream) for pool in (max_pooling, keras_pooling))
    np.testing.assert_array_equal(own, theirs)


def test_equal_values_share_the_gradient():
    x = np.float32([[[[1], [1]], [[1], [0]]]])
    upstream = np.float32([[[[3]]]])
    assert gradient(max_pooling, x, upstream).ravel().tolist() == [1, 1, 1, 0]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="others do it quickly")
@pytest.mark.parametrize(("slowly", "share"), [(True, 0.25), (False, 1)])
def test_it_is_the_networks_where_tensorflow_is_slow(slowly, share, small_vgg19, monkeypatch):
    monkeypatch.setattr(tensors, "convolves_slowly", lambda: slowly)
    pool = dict(vgg19_layers(small_vgg19))["block1_pool"]
    upstream = np.ones((1, 1, 1, 1), np.float32)
    assert gradient(pool, np.ones((1, 2, 2, 1), np.float32), upstream).flat[0] == share
