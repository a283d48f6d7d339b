"""The loss is compiled once for pictures of one shape, and is that of each picture all the same."""

import numpy as np
import pytest

import neural_style_transfer as nst
from stylize.losses import whole
from stylize.losses.style import Style
from stylize.runs.job import prepare

RECIPES = {name: {"recipe": name} for name in nst.RECIPES} | {
    "laplacian": {"recipe": "pyramid", "laplacian_weight": 3},
}


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
    for base, style in ((photo, painting), (photo[::-1], painting[:, ::-1])):
        for strength in (0.3, 0.7):
            losses_of(job_of(base, [style], strength=strength), small_vgg19)
    assert len(traced) == 1
    losses_of(job_of(photo[:, :40], [painting]), small_vgg19)
    assert len(traced) == 2


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.usefixtures("evaluated_once")
def test_terms_hold_nothing_of_the_pictures(recipe, photo, painting, small_vgg19):
    """They are equal for other pictures, and a compiled loss holds no array."""
    every = []
    for base, paintings in ((photo, [painting, photo]), (photo[::-1], [photo, photo[:, ::-1]])):
        job = job_of(base, paintings, **RECIPES[recipe])
        level = job.level(job.stages[-1])
        network = nst.build_network(small_vgg19, job.layers, **level.network_options)
        neighbors = level.find_neighbors(network)
        every.append(nst.loss_terms(level.canvas(network, neighbors), level, neighbors))
    assert every[0] == every[1]
    assert len(set(every[0])) == len(every[0])  # and are told apart


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
