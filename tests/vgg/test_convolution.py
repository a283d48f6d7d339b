"""Our own convolution against SciPy's correlation in float64, and when it is chosen."""

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.signal

import neural_style_transfer as nst
from stylize.backend import tensors
from stylize.backend.tensors import ValueAndGrad, compiled, keras, with_gradient
from stylize.vgg import convolution as fast
from stylize.vgg import layers as vgg19

TENSORFLOW = keras.backend.backend() == "tensorflow"
# (channels, filters): the backend's own form, and minimal filtering
WIDTHS = [(3, 5), (2, fast.CHANNELS), (fast.CHANNELS, 2)]
SIZES = [(16, 24), (17, 23), (3, 1)]


@pytest.fixture(autouse=True)
def one_tile_is_enough(monkeypatch):
    monkeypatch.setattr(fast, "TILES", 0)


def arrays(rows, cols, channels, filters, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, rows, cols, channels)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, channels, filters)).astype(np.float32)
    return x, kernel, rng.normal(size=(2, rows, cols, filters)).astype(np.float32)


def scipy_convolution(x, kernel):
    """Correlates every channel for itself, in float64."""
    y = np.zeros((*x.shape[:3], kernel.shape[3]))
    for n, channel, out in np.ndindex(len(x), *kernel.shape[2:]):
        picture, taps = x[n, ..., channel].astype(float), kernel[..., channel, out].astype(float)
        y[n, ..., out] += scipy.signal.correlate2d(picture, taps, "same")
    return y


def assert_close(actual, wanted):
    error = np.abs(keras.ops.convert_to_numpy(actual) - wanted).max()
    assert error < 2e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("widths", WIDTHS)
def test_a_convolution_is_scipys(size, widths):
    x, kernel, _ = arrays(*size, *widths)
    turned = fast.turned_kernel(kernel)
    assert_close(compiled(fast.convolution)(x, kernel, turned), scipy_convolution(x, kernel))


@pytest.mark.skipif(not TENSORFLOW, reason="only TensorFlow takes its gradient from us")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("widths", WIDTHS)
def test_its_gradient_is_its_adjoint(size, widths):
    """A linear function's gradient along d is <f(d), upstream>, whatever x is."""
    x, kernel, upstream = arrays(*size, *widths)
    turned = fast.turned_kernel(kernel)

    def product(x):
        return keras.ops.sum(fast.convolution(x, kernel, turned) * upstream, axis=(1, 2, 3))

    _, gradient = ValueAndGrad(with_gradient(product))(x)
    gradient = keras.ops.convert_to_numpy(gradient).astype(float)
    for seed in range(3):
        direction = arrays(*size, *widths, seed=seed)[0]
        wanted = np.sum(scipy_convolution(direction, kernel) * upstream)
        scale = np.linalg.norm(gradient) * np.linalg.norm(direction)
        assert abs(np.sum(gradient * direction) - wanted) < 1e-6 * scale


@pytest.mark.usefixtures("evaluated_once")
@pytest.mark.skipif(not TENSORFLOW, reason="others never use it")
def test_the_network_is_the_plain_one_but_for_rounding(full_vgg19, monkeypatch):
    x = np.random.default_rng(0).normal(0, 60, (1, 33, 47, 3)).astype(np.float32)
    layers, results = ["block1_conv2", "block3_conv2", "block5_conv1"], []
    for ours in (False, True):
        monkeypatch.setattr(tensors, "convolves_slowly", lambda ours=ours: ours)
        network = nst.build_network(full_vgg19, layers)

        def energy(x, network=network):
            features = network(x).values()
            return keras.ops.stack([keras.ops.mean(keras.ops.square(f)) for f in features])

        results.append(
            [keras.ops.convert_to_numpy(t) for t in ValueAndGrad(with_gradient(energy))(x)]
        )
    (values, gradient), (our_values, our_gradient) = results
    np.testing.assert_allclose(our_values, values, rtol=1e-5)
    assert not np.array_equal(our_gradient, gradient)  # it has been used at all
    norms = np.linalg.norm(our_gradient) * np.linalg.norm(gradient)
    assert np.vdot(our_gradient, gradient) / norms > 0.999999


@pytest.mark.skipif(not TENSORFLOW, reason="others never use it")
def test_it_is_the_same_from_call_to_call():
    x, kernel, _ = arrays(57, 64, 64, fast.CHANNELS)
    given = x, kernel, fast.turned_kernel(kernel)
    convolve = compiled(fast.convolution)
    first = keras.ops.convert_to_numpy(convolve(*given))
    assert all(np.array_equal(convolve(*given), first) for _ in range(5))


@pytest.mark.parametrize(
    ("side", "channels", "minimal"),
    [(32, fast.CHANNELS, True), (31, fast.CHANNELS, False), (32, fast.CHANNELS - 1, False)],
)
def test_minimal_filtering_is_for_many_channels_and_tiles(side, channels, minimal, monkeypatch):
    monkeypatch.setattr(fast, "TILES", 64)
    used = []
    monkeypatch.setattr(fast, "minimal_filtering", lambda x, kernel: used.append(x) or x)
    x = keras.ops.zeros((1, side, side, channels))
    kernel = np.zeros((3, 3, channels, 4), np.float32)
    fast.convolution(x, kernel, fast.turned_kernel(kernel))
    assert bool(used) == minimal


@pytest.mark.parametrize(
    ("slowly", "options", "used"),
    [
        (True, {}, range(16)),
        (True, {"edges": "replicate"}, range(1, 16)),  # the first has padding "valid"
        (True, {"precision": "bfloat16"}, ()),
        (False, {}, ()),
    ],
)
def test_it_is_used_in_float32_where_the_backends_own_is_slow(
    slowly, options, used, small_vgg19, monkeypatch
):
    monkeypatch.setattr(tensors, "convolves_slowly", lambda: slowly)
    monkeypatch.setattr(vgg19, "NARROWEST", 1)
    options = {"data_format": "channels_last"} | options
    network = nst.build_network(small_vgg19, list(small_vgg19.layers), **options)
    layers = [layer for layer in network.layers if "_conv" in layer.name]
    ours = ["convolution_op" in vars(layer) for layer in layers]
    assert np.flatnonzero(ours).tolist() == list(used)


@pytest.mark.skipif(not TENSORFLOW or tensors.uses_gpu(), reason="oneDNN under TensorFlow's CPU")
@pytest.mark.parametrize("onednn", ["0", "1"])
def test_onednn_is_left_to_itself(onednn):
    code = "from stylize.backend import tensors; print(tensors.convolves_slowly())"
    environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": onednn}
    output = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    assert output.strip() == str(onednn == "0")
