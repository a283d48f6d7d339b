"""What a run leaves with its pictures."""

import importlib.metadata
import json
import re

import pytest
from PIL import Image

import neural_style_transfer as nst
from stylize.apps.folder.pictures import find_pictures
from stylize.errors import InputError
from stylize.images import writing
from stylize.runs import metadata
from stylize.runs.job import prepare
from stylize.runs.recipes import DEFAULT_RECIPE, RECIPES
from stylize.runs.settings import SETTINGS

NOTHING_GIVEN = dict.fromkeys(SETTINGS)


@pytest.fixture
def record(small_vgg19, photo_path, painting_path):
    """Of a run with two pictures beside photo and painting: a mask and a start."""
    pictures_given = {"content_mask": photo_path, "init": painting_path}
    job = prepare(photo_path, painting_path, size=24, **pictures_given)
    return metadata.make_record(job, small_vgg19, photo_path, [painting_path])


def test_record_survives_a_picture_and_names_no_folder(record, photo, tmp_path):
    writing.save_image(photo, tmp_path / "p.jpg", description=metadata.to_text(record, iteration=3))
    read = metadata.read_record(tmp_path / "p.jpg")
    assert read == record | {"iteration": 3}
    assert str(tmp_path) not in str(read)
    assert read["settings"]["content_mask"] == read["base"]["name"] == "photo.png"
    assert read["content_mask"] == read["base"]


def test_recipe_of_ones_own_is_recorded_whole(small_vgg19, photo, painting):
    """Values that are not settings are recorded nowhere else."""
    recipe = RECIPES["pyramid"] | {"formula": "gatys", "bounded": False, "tv_weight": 3}
    job = prepare(photo, painting, recipe, size=24)
    record = metadata.make_record(job, small_vgg19, photo, [painting])
    record = json.loads(metadata.to_text(record))
    recorded = record["own_recipe"] | record["settings"]
    assert record["recipe"] == "custom"
    assert recorded["formula"] == "gatys" and not recorded["bounded"]
    assert recorded["tv_weight"] == 3 and recorded["effort"] == list(recipe["effort"])


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_that_differs_in_settings_alone_is_recorded_by_name(
    name, small_vgg19, photo, painting
):
    job = prepare(photo, painting, RECIPES[name] | {"tv_weight": 3}, size=24)
    record = metadata.make_record(job, small_vgg19, photo, [painting])
    assert record["recipe"] == name and "own_recipe" not in record
    assert record["settings"]["tv_weight"] == 3


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_can_be_changed_and_recorded(name, small_vgg19, photo, painting):
    job = prepare(photo, painting, RECIPES[name] | {"noise": 0.123}, size=24)
    record = metadata.make_record(job, small_vgg19, photo, [painting])
    read = json.loads(metadata.to_text(record))
    assert read["recipe"] == "custom" and read["own_recipe"]["noise"] == 0.123
    longer = RECIPES[name].longer_side
    assert read["own_recipe"]["longer_side"] == (longer and longer.__name__)
    again = metadata.recipe_of(read)
    assert again == job.settings | {"precision": read["settings"]["precision"]}


def test_recipe_of_a_record_names_no_files(small_vgg19, photo, painting):
    """A stranger's record must not choose files and folders; settings keep the record's values."""
    job = prepare(photo, painting, RECIPES["pyramid"] | {"noise": 0.1}, size=24, keep_mask=photo)
    record = json.loads(metadata.to_text(metadata.make_record(job, small_vgg19, photo, [painting])))
    record["own_recipe"] |= {"scratch": "/etc", "init": "/etc/passwd", "memory": 0.01, "size": 32}
    again = metadata.recipe_of(record)
    assert (again.scratch, again.init, again.memory) == ("auto", job.settings.init, "auto")
    assert (again.size, again.keep_mask, again.noise) == (24, None, 0.1)


@pytest.mark.parametrize("record", [None, {}, {"recipe": "keras"}])
def test_what_is_no_record_has_no_recipe(record):
    with pytest.raises(InputError, match="^record must be one, as read_record or make_record ret"):
        metadata.recipe_of(record)


def test_recipe_of_an_earlier_record_has_the_present_names(record):
    earlier = record | {"program": "neural_style_transfer 0.9.0"}
    earlier["settings"] = record["settings"] | {"optimizer": "lbfgs", "strength": None}
    again = metadata.recipe_of(earlier)
    assert again.optimizer == "scipy"
    assert again.strength == RECIPES[record["recipe"]].strength


def test_arrays_are_recorded_by_their_pixels(small_vgg19, photo, painting, tmp_path):
    job = prepare(photo, painting, size=24, keep_mask=photo)
    record = metadata.make_record(job, small_vgg19, photo, [Image.fromarray(painting)])
    writing.save_image(photo, tmp_path / "p.png", description=metadata.to_text(record))
    read = metadata.read_record(tmp_path / "p.png")
    assert read == record
    assert read["base"] == read["keep_mask"] != read["styles"][0]
    assert list(read["base"]) == ["sha256"]


def test_versions_are_those_in_use_whatever_package_brought_them(record):
    """`tensorflow-cpu`, say, brings `tensorflow` too, and leaves no metadata of that name."""
    import tensorflow

    assert record["versions"]["tensorflow"] == tensorflow.__version__
    assert record["versions"]["pillow"] == importlib.metadata.version("pillow")


BASIC = '"recipe": "keras", "base": {}'


@pytest.mark.parametrize(
    "text",
    [
        *("", "hello", "{}", "[]", "3"),
        f'{{"settings": [], {BASIC}}}',
        f'{{"settings": {{}}, {BASIC}, "bits": 9}}',
        f'{{"settings": {{}}, {BASIC}, "format": "exe"}}',
        f'{{"settings": {{}}, {BASIC}, "weights": 1}}',
        f'{{"settings": {{}}, {BASIC}, "versions": null}}',
        '{"settings": {}, "recipe": [], "base": {}}',
        pytest.param("[" * 100_000, id="nested deep"),
        pytest.param(f'{{"more": {"[" * 50 + "]" * 50}, "settings": {{}}, {BASIC}}}', id="nested"),
        pytest.param(f'{{"more": {"9" * 5000}, "settings": {{}}, {BASIC}}}', id="5000 digits"),
        *(
            f'{{"settings": {{"{name}": {value}}}, {BASIC}}}'
            for name, value in {
                "size": "[16, 16, 16]",
                "iterations": 10_000_000,
                "scales": 2000,
                "seed": "9" * 400,
                "style_scale": 1e308,
                "content_weight": "1e999",
                "strength": "NaN",
                "style_layers": '{"block1_conv1": [1]}',
                "pooling": "{}",
                "init": 5,
                "style_masks": '[["mask.png"]]',
                "content_mask": "false",
            }.items()
        ),
        *(
            f'{{"settings": {{}}, {BASIC}, "{name}": {value}}}'
            for name, value in {
                "evaluations_per_iteration": -1,
                "tiles": "[0]",
                "styles": '"painting.jpg"',
                "style_masks": '[["mask.png"]]',
                "versions": '{"numpy": {}}',
                "machine": '{"cores": []}',
            }.items()
        ),
        r'{"settings": {}, "recipe": "keras", "base": {"name": "\ud800"}}',
        *(
            f'{{"settings": {{}}, {BASIC}, "rate": {rate}}}'
            for rate in ('"fast"', '"1/0"', "[25]", "Infinity", '"1e400"', '"1e999999999"')
        ),
    ],
)
def test_pictures_without_a_record_are_named(text, photo, tmp_path):
    writing.save_image(photo, tmp_path / "p.png", description=text)
    with pytest.raises(InputError, match=r"p\.png: does not say how it was made"):
        metadata.read_record(tmp_path / "p.png")


def test_record_without_what_later_versions_add_is_read(record, photo, tmp_path):
    old = {name: record[name] for name in ("settings", "recipe", "base")}
    writing.save_image(photo, tmp_path / "p.png", description=metadata.to_text(old))
    read = metadata.read_record(tmp_path / "p.png")
    assert (read["format"], read["bits"]) == ("png", 8)
    assert f"program (unknown, now {record['program']})" in metadata.differences(read, record)


def test_record_says_nothing_of_the_machine_that_it_is_read_on(record, photo, tmp_path):
    """Not where files are written, nor how much memory may be taken."""
    theirs = {"scratch": 5, "memory": 1e6, "tile": 16}
    told = record | {"settings": record["settings"] | theirs}
    writing.save_image(photo, tmp_path / "p.png", description=metadata.to_text(told))
    assert metadata.read_record(tmp_path / "p.png") == record


def test_texts_of_a_record_cannot_command_a_terminal(record, photo, tmp_path):
    told = record | {"program": "\x1b[2J\nerror", "settings": {"init": "\x1b]0;hello\x07.png"}}
    writing.save_image(photo, tmp_path / "p.png", description=metadata.to_text(told))
    read = metadata.read_record(tmp_path / "p.png")
    assert all(line.isprintable() for line in metadata.differences(read, record))
    with pytest.raises(InputError, match="was made with --init") as caught:
        metadata.settings_like(read, NOTHING_GIVEN, "p.png")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({}, "p.jpg painting.jpg"),
        ({"base": {}}, "photo.jpg painting.jpg"),
        ({"styles": []}, "p.jpg painting.jpg"),
        ({"styles": [{}, {"name": "s.jpg"}]}, r"p.jpg painting.jpg \S+/r --styles s.jpg"),
        ({"base": {"name": "\x1b[2J\udcff"}}, r"\$'\\x1b\[2J\\xff' painting.jpg"),
        ({"losses": [], "iteration": {}, "machine": {"on": None}}, "p.jpg painting.jpg"),
        ({"keep_mask": {}, "settings": {"keep_mask": ["a", "b"]}}, "p.jpg painting.jpg"),
    ],
)
def test_any_record_that_is_read_is_shown(more, named, photo, tmp_path, capsys):
    told = {"settings": {}, "recipe": "pyramid", "base": {"name": "p.jpg"}} | more
    writing.save_image(photo, tmp_path / "r.png", description=json.dumps(told))
    with pytest.raises(SystemExit, match="0"):
        nst.main(["--show", str(tmp_path / "r.png")])
    made_by, *_, unfound, summary, _ = capsys.readouterr().out.splitlines()
    assert re.search(f" {named} ", f"{made_by} ")
    assert unfound.startswith(("Add the folder before ", "Painted from Python with pictures"))
    assert summary.startswith("Made with: recipe pyramid")


def test_picture_with_a_hostile_record_is_one_of_the_folders_photos(photo, tmp_path):
    writing.save_image(photo, tmp_path / "p.png", description="[" * 100_000)
    assert find_pictures(tmp_path, tmp_path / "results") == [tmp_path / "p.png"]


def test_what_is_given_wins_over_the_record(record):
    given = NOTHING_GIVEN | {"size": 99, "init": "base", "content_mask": "mask.png"}
    settings = metadata.settings_like(record, given, "r.png")
    assert (settings["size"], settings["content_mask"]) == (99, "mask.png")
    assert settings["tv_weight"] == RECIPES[DEFAULT_RECIPE]["tv_weight"]


def test_pictures_that_a_record_only_names_must_be_given_again(record):
    message = "r.png: was made with --init painting.png; give it again, or --init base to go"
    with pytest.raises(InputError, match=message):
        metadata.settings_like(record, NOTHING_GIVEN, "r.png")


def test_what_was_called_lbfgs_before_1_0_is_scipys(record):
    old = record | {"program": "neural_style_transfer 0.1.0"}
    old["settings"] = record["settings"] | {"optimizer": "lbfgs", "init": "base"}
    given = NOTHING_GIVEN | {"content_mask": "none"}
    assert metadata.settings_like(old, given, "r.png")["optimizer"] == "scipy"
    new = old | {"program": record["program"]}
    assert metadata.settings_like(new, given, "r.png")["optimizer"] == "lbfgs"


def test_record_says_what_part_of_a_style_was_used(record, painting):
    rows, cols, _ = painting.shape
    assert record["style_boxes"] == [[0, 0, cols, rows]]


@pytest.mark.parametrize(
    ("name", "now", "before"), [("style_crop", "auto", "none"), ("similarity_weight", 7000, 0)]
)
def test_what_earlier_versions_did_not_have_is_off_in_their_pictures(record, name, now, before):
    given = NOTHING_GIVEN | {"init": "base", "content_mask": "none"}
    record["settings"][name] = now
    assert metadata.settings_of(record)[name] == now
    assert metadata.settings_like(record, given, "r.png")[name] == now
    del record["settings"][name]
    assert metadata.settings_of(record)[name] == before
    assert metadata.settings_like(record, given, "r.png")[name] == before


@pytest.mark.parametrize(("now", "alike"), [(0.0, True), (5.0, False)])
def test_picture_without_a_later_term_is_finished_where_that_is_off(record, now, alike):
    """Else every picture would be painted again for a term that nobody asked for."""
    settings = {n: v for n, v in record["settings"].items() if n != "similarity_weight"}
    later = record | {"settings": settings | {"similarity_weight": now}}
    assert metadata.made_alike(record | {"settings": settings}, later) == alike


def test_differences_name_another_machine_but_not_in_records_that_do_not_say(record):
    record["machine"].pop("TF_ENABLE_ONEDNN_OPTS", None)  # where the tests are run with it
    cores = record["machine"]["cores"]
    other = record | {"machine": record["machine"] | {"cores": 99, "TF_ENABLE_ONEDNN_OPTS": "7"}}
    assert metadata.differences(other, record) == [
        "TF_ENABLE_ONEDNN_OPTS (7, now none)",
        f"cores (99, now {cores})",
    ]
    del other["machine"]
    assert metadata.differences(other, record) == []


def test_recorded_mask_can_be_dropped(record):
    given = NOTHING_GIVEN | {"init": "base", "content_mask": "none"}
    assert metadata.settings_like(record, given, "r.png")["content_mask"] == "none"


def test_differences_name_what_may_change_the_picture(record):
    assert metadata.differences(record, record) == []
    other = record | {
        "program": "neural_style_transfer 0.1.0",
        "weights": {"sha256": "other"},
        "content_mask": {"name": "photo.png", "sha256": "other"},
        "versions": record["versions"] | {"numpy": "0.1", "python": "2"},
    }
    numpy_version = record["versions"]["numpy"]
    assert metadata.differences(other, record) == [
        "weights",
        "content mask",
        f"numpy (0.1, now {numpy_version})",
        f"program (neural_style_transfer 0.1.0, now {record['program']})",
    ]


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ([None, 512], [None, 384], ["tiles (512, now 384)"]),
        ([None, 512], [None, None], ["tiles (512, now none)"]),
        ([None, None], [None], []),  # another number of sizes
    ],
)
def test_differences_name_tiles_where_there_are_any(before, now, said, record):
    found = metadata.differences(record | {"tiles": before}, record | {"tiles": now})
    assert found == said


def test_what_is_not_of_the_run_is_not_recorded(small_vgg19, photo, painting):
    job = prepare(photo, painting, size=24)
    for given, said in [
        (("job", small_vgg19, photo, [painting]), "job must be a Job, from prepare, received str"),
        ((job, "mirror", photo, [painting]), "weights must be a VGG19Weights"),
        ((job, small_vgg19, None, [painting]), "base must be a path, a Pillow image or a uint8"),
        ((job, small_vgg19, photo / 255, [painting]), "base as an array must be uint8"),
        ((job, small_vgg19, "nix.png", [painting]), "nix.png: no such file"),
        ((job, small_vgg19, photo, ["nix.png"]), "nix.png: no such file"),
        ((job, small_vgg19, photo, "nix.png"), "styles must be a list of pictures, received str"),
        ((job, small_vgg19, photo, [painting, photo]), "styles must be .* job: 1, received 2"),
        ((job, small_vgg19, photo, [painting], "gif"), "suffix must be one of png"),
        ((job, small_vgg19, photo, [painting], "png", 12), "bits must be one of 8, 16"),
        ((job, small_vgg19, photo, [painting], "jpg", 16), "bits 16 needs format png or tiff"),
    ]:
        with pytest.raises(InputError, match=f"^{said}"):
            metadata.make_record(*given)


def test_what_is_no_text_and_no_path_is_refused_by_name(photo):
    with pytest.raises(InputError, match="a record must be what JSON can hold; .* ndarray"):
        metadata.to_text({}, pixels=photo)
    with pytest.raises(InputError, match="a record must be what JSON can hold; "):
        metadata.to_text({}, loss=float("nan"))  # strict parsers do not read it
    with pytest.raises(InputError, match="^path must be the path of a result, received ndarray"):
        metadata.read_record(photo)
