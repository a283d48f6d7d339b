"""The settings and the recipes."""

import math
import pickle

import numpy as np
import pytest
from PIL import Image

from stylize.errors import InputError, SettingError
from stylize.runs import metadata, recipes, settings, validators


def test_every_recipe_has_a_valid_value_for_every_setting():
    for name, recipe in recipes.RECIPES.items():
        given = {setting: recipe[setting] for setting in settings.SETTINGS}
        assert recipes.choose_settings(name, **given) == recipe


def test_what_is_given_wins_over_the_recipe_and_none_does_not():
    chosen = recipes.choose_settings("keras", tv_weight=3, size=None)
    assert (chosen["tv_weight"], chosen["size"]) == (3.0, 400)


@pytest.mark.parametrize("value", [0, -1, 2.5, "x", None, "nan", math.inf, "1" * 5000])
def test_whole_number_refuses(value):
    with pytest.raises(InputError, match="whole number of at least 1, received"):
        validators.whole_number(value)


@pytest.mark.parametrize("value", [-1, "nan", "inf", "x", None, True])
def test_weight_refuses(value):
    with pytest.raises(InputError, match="finite number of at least 0, received"):
        validators.weight(value)


def test_recipe_is_called_as_the_nearest_of_those_that_differ_in_settings_alone(monkeypatch):
    monkeypatch.setitem(recipes.RECIPES, "soft", recipes.RECIPES["pyramid"] | {"tv_weight": 0.5})
    masks = {"keep_mask": np.zeros((40, 50)), "content_mask": np.zeros((50, 40))}
    for name in ("pyramid", "soft"):
        changed = recipes.RECIPES[name] | {"content_weight": 3.0} | masks
        assert recipes.name_of(changed) == name
    assert recipes.name_of(changed | {"bounded": False}) == recipes.OWN_RECIPE


def test_unknown_settings_and_recipes_list_the_known():
    with pytest.raises(InputError, match="there are strength, iterations, content_weight"):
        recipes.choose_settings("keras", magic=1)
    with pytest.raises(InputError, match="unknown setting 'sise'; did you mean size"):
        recipes.choose_settings("keras", sise=3)
    with pytest.raises(InputError, match=r"part of a recipe, .*RECIPES\['keras'\] \| {'formula'"):
        recipes.choose_settings("keras", formula="gatys")
    with pytest.raises(InputError, match=r"part of a recipe, .*give recipe=your_recipe \| {'fo"):
        recipes.choose_settings(recipes.RECIPES["keras"], formula="gatys")
    with pytest.raises(InputError, match="no recipe .magic.; there are keras, pyramid"):
        recipes.choose_settings("magic")


def test_layers_get_shares_that_add_up_to_one():
    assert validators.layer_weights(["block4_conv2:3", "block5_conv2"]) == {
        "block4_conv2": 0.75,
        "block5_conv2": 0.25,
    }
    assert validators.layer_weights({"block1_conv1": 0.2}) == {"block1_conv1": 1}


@pytest.mark.parametrize("value", [["conv4_2"], [], ["block4_conv2:-1"], ["block4_conv2:0"]])
def test_layers_that_make_no_sense_are_refused(value):
    words = "block1_conv1, block1_conv2|has a bad share for block4_conv2: it must be .*|add up to 0"
    with pytest.raises(InputError, match=words):
        validators.layer_weights(value)


@pytest.mark.parametrize("theirs", ["conv4_1", "relu4_1", "conv4_1:0.5"])
def test_layers_that_papers_name_are_answered_by_ours(theirs):
    with pytest.raises(InputError, match=r"received \['....4_1'\]; did you mean block4_conv1$"):
        validators.layer_weights([theirs, "block1_conv1"])
    with pytest.raises(InputError, match=r"received \['conv1_3'\]$"):  # there is none
        validators.layer_weights(["conv1_3"])


@pytest.mark.parametrize("value", [-0.1, 1.1, "x", True])
def test_strength_is_from_zero_to_one(value):
    with pytest.raises(InputError, match="^strength must be"):
        recipes.choose_settings("keras", strength=value)


def test_percent_is_meant_from_ten_on():
    with pytest.raises(InputError, match=r"received 70; did you mean 0\.7$"):
        recipes.choose_settings(strength=70)
    with pytest.raises(InputError, match="must be from 0 to 1, received 2$"):
        recipes.choose_settings(strength=2)


def test_names_of_the_command_line_and_slips_are_answered():
    with pytest.raises(InputError, match="unknown setting 'iter'; did you mean iterations"):
        recipes.choose_settings(iter=1)
    with pytest.raises(InputError, match="no recipe 'neighbor'; did you mean neighbors"):
        recipes.choose_settings("neighbor")
    with pytest.raises(InputError, match="no recipe 5; there are keras, "):
        recipes.choose_settings(5)


@pytest.mark.parametrize("value", ["x", 0, -1, "inf"])
def test_memory_is_above_zero_whatever_is_wrong(value):
    with pytest.raises(
        InputError, match="memory must be a finite number above 0, or auto, received"
    ):
        recipes.choose_settings(memory=value)


def test_recipe_may_be_settings_or_a_mapping_with_all_keys():
    own = recipes.RECIPES["pyramid"] | {"bounded": False}
    assert recipes.choose_settings(own, size=99) == own | {"size": 99}
    assert own["size"] == 400  # left as it was
    assert recipes.choose_settings(dict(own)) == own
    with pytest.raises(InputError, match="missing: bounded"):
        recipes.choose_settings({k: v for k, v in dict(own).items() if k != "bounded"})
    with pytest.raises(InputError, match="no recipe has a value 'magic'; there are"):
        recipes.choose_settings(dict(own) | {"magic": 1})
    with pytest.raises(InputError, match="no recipe has a value 'magic'; there are"):
        own | {"magic": 1}
    with pytest.raises(InputError, match="'preconditoner'; did you mean preconditioner"):
        own | {"preconditoner": 1}
    with pytest.raises(KeyError):
        own["magic"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"formula": "kears"}, "formula must be one of .*, received 'kears'; did you mean keras"),
        ({"tv_exponent": "x"}, "tv_exponent must be a finite number, received 'x'"),
        ({"size_step": 0}, "size_step must be a finite number above 0, received 0"),
        ({"size_step": 1}, "size_step must be above 1, received 1"),
        ({"resample": "nearest"}, "resample must be a PIL.Image.Resampling: NEAREST, "),
        ({"longer_side": "ceil"}, "longer_side must be a function, such as int or round"),
        ({"effort": 1.0}, "effort must be two values, received 1.0"),
        ({"effort": (1.0, 0)}, "effort must be a finite number above 0, received 0"),
        ({"reference_rows": "first"}, "reference_rows must be a whole number .*, or last, rec"),
        ({"bounded": "no"}, "bounded must be True or False, received 'no'"),
        ({"size": "huge"}, "size must be a whole number"),  # what options set, too
        ({"pairs": None}, "pairs must be a whole number"),
    ],
)
def test_values_of_a_recipe_of_ones_own_are_checked_by_name(values, said):
    own = recipes.RECIPES["pyramid"] | values
    for recipe in (own, dict(own)):
        with pytest.raises(InputError, match=f"^{said}"):
            recipes.choose_settings(recipe)


@pytest.mark.parametrize("name", sorted(settings.CHECKS.keys() - {*metadata.PICTURE_SETTINGS}))
def test_an_array_in_a_recipe_of_ones_own_is_refused_by_name(name):
    with pytest.raises(InputError, match=f"^{name} must"):
        recipes.choose_settings(recipes.RECIPES["pyramid"] | {name: np.zeros((3, 2))})


def test_values_of_every_recipe_pass_and_stay_as_they_are():
    for recipe in recipes.RECIPES.values():
        assert recipes.choose_settings(dict(recipe)) == recipe


def test_a_single_value_stands_for_a_list_of_one():
    mask = Image.new("L", (20, 20))
    assert recipes.choose_settings("keras", style_masks=mask)["style_masks"] == [mask]
    assert recipes.choose_settings("keras", style_blend=2.0)["style_blend"] == [1]
    layers = recipes.choose_settings("keras", style_layers="block1_conv1")["style_layers"]
    assert layers == {"block1_conv1": 1}


def test_shares_that_add_up_to_infinity_are_refused():
    with pytest.raises(InputError, match="add up to a finite number"):
        recipes.choose_settings("keras", style_blend=[1e308, 1e308])


def test_error_of_a_setting_survives_the_way_from_another_process():
    with pytest.raises(SettingError) as caught:
        recipes.choose_settings(epsilon=0)
    sent = pickle.loads(pickle.dumps(caught.value))
    assert str(sent) == "epsilon must be a finite number above 0, received 0"
    assert sent.option == f"--{sent}"


@pytest.mark.parametrize("name", sorted(settings.SETTINGS.keys() - {*metadata.PICTURE_SETTINGS}))
def test_an_array_in_place_of_a_word_or_a_number_is_refused_by_name(name):
    with pytest.raises(InputError, match=f"^{name} must"):
        recipes.choose_settings(**{name: np.zeros((2, 2))})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"recipe": "neighbor"}, "no recipe 'neighbor'; did you mean neighbors"),
        ({"recipe": ["neighbors"]}, r"no recipe \['neighbors'\]; did you mean neighbors"),
        ({"recipe": {"size": 24}}, r"as RECIPES\['neighbors'\] \| {...}; missing: average_decay"),
        (
            {"optimizer": "lbgfs"},
            "^optimizer must be one of .*, received 'lbgfs'; did you mean lbfgs",
        ),
        ({"preserve_colors": "Lumma"}, "did you mean luma"),
        ({"precision": "flaot32"}, "received 'flaot32'; did you mean float32"),
        ({"precision": "float64"}, "received 'float64'$"),  # another number is no slip
    ],
)
def test_slips_in_names_are_told_with_what_may_be_meant(given, said):
    with pytest.raises(InputError, match=said) as caught:
        recipes.choose_settings(**given)
    assert len(str(caught.value)) < 700
