"""The loss is compiled once for pictures of one shape, and is that of each picture all the same."""

import gc
import types

import numpy as np
import pytest

import neural_style_transfer as nst
from stylize.backend.tensors import keras
from stylize.losses import whole
from stylize.losses.style import Style
from stylize.runs.job import prepare

RECIPES = {name: {"recipe": name} for name in nst.RECIPES} | {
    "laplacian": {"recipe": "pyramid", "laplacian_weight": 3},
}


OF_NO_PICTURE = type, types.ModuleType


def job_of(photo, paintings, recipe="neighbors", **settings):
    return prepare(photo, paintings, recipe, size=40, scales=1, iterations=1, **settings)


def losses_of(job, weights):
    """The losses and the gradient at the start."""
    return nst.stage_objective(job, weights, job.stages[-1])(job.level(job.stages[-1]).start)


@pytest.fixture
def traced(monkeypatch):
    """How often the style's term was made part of a compiled function."""
    calls, value = [], Style.value
    monkeypatch.setattr(Style, "value", lambda *args: calls.append(args) or value(*args))
    return calls


def test_loss_is_compiled_once_for_all_pictures_of_a_shape(photo, painting, small_vgg19, traced):
    whole._compiled_losses.cache_clear()
    for base, style in ((photo, painting), (photo[::-1], painting[:, ::-1])):
        for strength in (0.3, 0.7):
            losses_of(job_of(base, [style], strength=strength), small_vgg19)
    assert len(traced) == 1
    losses_of(job_of(photo[:, :40], [painting]), small_vgg19)
    assert len(traced) == 2


def terms_of(job, weights):
    """The terms of the loss at the last size, as they are before anything is compiled."""
    level = job.level(job.stages[-1])
    network = nst.build_network(weights, job.layers, **level.network_options)
    neighbors = level.find_neighbors(network)
    return nst.loss_terms(level.canvas(network, neighbors), level, neighbors)


def arrays_in(own):
    """The arrays and tensors that something holds, however deep: in closures and objects too."""
    found, seen, left = [], {}, [own]
    while left:
        held = left.pop()
        if id(held) in seen or isinstance(held, OF_NO_PICTURE):
            continue
        seen[id(held)] = held  # which keeps its number from being another's
        if isinstance(held, np.ndarray) or keras.ops.is_tensor(held):
            found.append(held)
        elif isinstance(held, types.FunctionType):  # its module holds everything
            left += [held.__closure__, held.__defaults__, held.__kwdefaults__]
        else:
            left += gc.get_referents(held)
    return found


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.usefixtures("evaluated_once")
def test_terms_hold_nothing_of_the_pictures(recipe, photo, painting, small_vgg19):
    """They are equal for other pictures, and a compiled loss holds no array."""
    first, second = (
        terms_of(job_of(base, paintings, **RECIPES[recipe]), small_vgg19)
        for base, paintings in ((photo, [painting, photo]), (photo[::-1], [photo, photo[:, ::-1]]))
    )
    assert first == second
    assert any(arrays_in(vars(term)) for term in first)
    assert not any(arrays_in(vars(term.kind())) for term in first)
    assert all(term.targets for term in first)  # which are still there


HALF = np.repeat(np.uint8([0, 255]), 24)[np.newaxis].repeat(40, axis=0)  # a mask


@pytest.mark.parametrize(
    ("recipe", "settings", "others"),
    [
        ("athalye", {}, {"formula": "johnson"}),  # squares of differences, or their amounts
        ("keras", {"formula": "crowson"}, {"formula": "mean"}),  # Gaussians, or Gram matrices
        ("pyramid", {}, {"style_masks": [HALF]}),
        ("keras", {}, {"style_layers": "block1_conv1"}),
        ("keras", {}, {"content_layers": "block4_conv1"}),
    ],
)
@pytest.mark.usefixtures("evaluated_once")
def test_terms_that_are_computed_otherwise_are_not_equal(
    recipe, settings, others, photo, painting, small_vgg19
):
    """Else the loss that is compiled for one would be taken for the other, in silence."""
    first, second = (
        terms_of(job_of(photo, [painting], nst.RECIPES[recipe] | own), small_vgg19)
        for own in (settings, others)
    )
    assert first != second


def test_loss_compiled_for_another_picture_is_the_same_to_the_last_bit(
    photo, painting, small_vgg19, monkeypatch
):
    first, second = job_of(photo, [painting]), job_of(photo[::-1], [painting[:, ::-1]])
    losses_of(first, small_vgg19)
    terms, gradient = losses_of(second, small_vgg19)
    monkeypatch.setattr(whole, "_compiled_losses", whole._compiled_losses.__wrapped__)
    alone, alone_gradient = losses_of(second, small_vgg19)
    np.testing.assert_array_equal(terms, alone)
    np.testing.assert_array_equal(gradient, alone_gradient)


def test_float16_scale_of_one_picture_is_not_that_of_the_next(photo, painting, small_vgg19):
    """What an objective has learnt of its own picture's gradients stays with it."""
    job = job_of(photo, [painting], recipe="keras", precision="float16")
    objective, again = (nst.stage_objective(job, small_vgg19, job.stages[-1]) for _ in range(2))
    objective._value_and_grad._scale /= np.float32(256)
    assert again._value_and_grad._scale == 1
