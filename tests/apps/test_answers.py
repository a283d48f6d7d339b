"""What `--show` answers."""

import json
import re
import shlex

import pytest
from PIL import Image

import neural_style_transfer as nst
from stylize.apps import options
from stylize.apps.answers import command_like, find_result
from stylize.errors import InputError
from stylize.images.writing import save_image
from stylize.vgg.download import MIRROR_NUMBERS_SHA256

RECORD = {
    "recipe": "neighbors",
    "settings": {"strength": 0.3},
    "base": {"name": "photo.png"},
    "styles": [{"name": "painting.png"}],
}
UNFOUND = "Add the folder before {}: a result records names without folders"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(path, **more):
    save_image(Image.new("RGB", (32, 24)), path, description=json.dumps(RECORD | more))


def shown(capsys, *paths, status=0):
    with pytest.raises(SystemExit, match=str(status)):
        nst.main(["--show", *paths])
    return capsys.readouterr().out


def words_like(path, **more):
    """The words of the command for a result, after the program."""
    words = shlex.split(command_like(RECORD | more, path))
    return words[words.index("photo.png") :]


@pytest.mark.parametrize(
    ("there", "settings", "unfound"),
    [
        ([], {}, "photo.png and painting.png"),
        (["photo.png"], {}, "painting.png"),
        (["photo.png", "painting.png"], {}, ""),
        (["photo.png", "painting.png"], {"keep_mask": "my mask.png"}, "'my mask.png'"),
        (["photo.png", "painting.png"], {"keep_mask": "-mask.png"}, "./-mask.png"),
        (["photo.png", "painting.png"], {"init": "noise"}, ""),
    ],
)
def test_pictures_that_are_not_found_as_they_stand_are_named(
    there, settings, unfound, folder, capsys
):
    for name in there:
        (folder / name).touch()
    save("r.jpg", settings=settings)
    _, *lines = shown(capsys, "r.jpg").splitlines()
    assert lines[:-2] == ([UNFOUND.format(unfound)] if unfound else [])


def test_pictures_that_python_gave_are_no_files_to_look_for(folder, capsys):
    """As of `style_transfer` with arrays: a record has only their hashes."""
    unnamed = {"sha256": "0"}
    (folder / "painting.png").touch()
    mask = {"settings": {"strength": 0.3, "keep_mask": "picture"}, "keep_mask": unnamed}
    save("r.png", base=unnamed, **mask)
    command, line, *_ = shown(capsys, "r.png").splitlines()
    assert command.endswith("photo.jpg painting.png r --strength 0.3 --keep_mask picture")
    assert line == (
        "Painted from Python with pictures that are not files: "
        "put yours in place of photo.jpg and picture"
    )


def test_answer_is_short_and_names_where_all_is(folder, capsys):
    more = {"iteration": 1, "losses": {"total": 1234.5, "content": 1.0}}
    about = {"versions": {"python": "3", "jax": "0.9"}, "machine": {"on": "GPU"}}
    save("my r.png", program="neural_style_transfer 1.2", **more, **about)
    *_, summary, rest = shown(capsys, "my r").splitlines()
    assert summary == (
        "Made with: recipe neighbors, strength 0.3, 2 iterations, loss 1234.5, "
        "neural_style_transfer version 1.2, jax 0.9, on a GPU"
    )
    assert rest.endswith(" --show_record 'my r.png'")
    with pytest.raises(SystemExit, match="0"):
        nst.main(["--show_record", "my r"])
    record = json.loads(capsys.readouterr().out)
    assert record.items() >= (RECORD | more | about).items()


@pytest.mark.parametrize(
    ("name", "rate", "words"),
    [
        ("clip.MOV", "25", []),
        ("frames", "25/2", ["--frames", "--fps", "12.5"]),
        ("frames", "30000/1001", ["--frames", "--fps", "29.97002997"]),
    ],
)
def test_film_of_frames_is_made_of_frames_again(name, rate, words):
    command = shlex.split(command_like(RECORD | {"base": {"name": name}, "rate": rate}, "r.mp4"))
    assert command[command.index("r") + 1 :] == [*words, "--strength", "0.3"]


def test_names_that_begin_with_a_dash_are_taken_for_no_options(folder):
    """Those of all pictures, and of the result."""
    settings = {"style_blend": [0.5, 0.5], "keep_mask": "-mask.png"}
    styles = [{"name": "-a.png"}, {"name": "-b.png"}]
    record = RECORD | {"base": {"name": "-cat.png"}, "styles": styles, "settings": settings}
    words = shlex.split(command_like(record, "-out.png"))
    given = options.parse_words(words[words.index("./-cat.png") :])
    assert (given.base, given.style_reference, given.result_prefix, given.keep_mask) == tuple(
        f"./-{name}" for name in ("cat.png", "a.png", "out", "mask.png")
    )
    assert given.styles == ["./-b.png"]


def test_command_of_an_earlier_version_turns_off_what_came_later():
    record = RECORD | {"program": "neural_style_transfer 1.0.0"}
    words = command_like(record, "r.png").split()
    assert {"--similarity_weight", "--style_crop", "none"} <= {*words}
    assert words[words.index("--similarity_weight") + 1] == "0.0"


def test_command_has_the_weights_format_and_bits_that_are_recorded():
    assert words_like("r.png", weights={"sha256": "another"}) == words_like("r.png")
    mirror = words_like("r.png", weights={"sha256": MIRROR_NUMBERS_SHA256})
    assert mirror[-2:] == ["--weights", "mirror"]
    deep = words_like("r.tiff", format="tiff", bits=16)
    assert deep[-4:] == ["--format", "tiff", "--bits", "16"]
    assert words_like("r.mp4", rate="25")[-2:] == ["--strength", "0.3"]


@pytest.mark.parametrize(
    ("path", "there", "prefix"),
    [
        ("me.png", [], "me"),
        ("me.2.png", ["me.png"], "me"),
        ("me.2_at_iteration_1.png", ["me.png"], "me"),
        ("v0.5.png", ["me.png"], "v0.5.png"),  # a name that somebody gave
        ("me.2.png", ["me.jpg"], "me.2.png"),
        ("cat.jpeg.png", [], "cat.jpeg.png"),  # `cat.jpeg` would be another file
    ],
)
def test_prefix_of_an_earlier_result_is_what_it_was_painted_with(path, there, prefix, folder):
    for name in there:
        (folder / name).touch()
    assert words_like(path)[2] == prefix


def test_several_results_are_shown_by_name(folder, capsys):
    for number in range(3):
        save(f"{number}.png", settings={"strength": number / 10})
    found = re.findall(r"^(.\.png):\n.* --strength (.*)$", shown(capsys, *map(str, range(3))), re.M)
    assert found == [("0.png", "0.0"), ("1.png", "0.1"), ("2.png", "0.2")]
    assert "\n2.png:\n" in shown(capsys, "0.png", "none.png", "2.png", status=2)


@pytest.mark.parametrize("value", [1, None, float("nan")])
def test_setting_that_is_not_ours_is_left_out(value, folder, capsys):
    """A stranger's record may have it, and of other results all is told."""
    save("strange.png", settings={"strength": 0.3, "bogus": value})
    save("r.png")
    command, *_ = re.findall(
        "^.*photo.png painting.png strange .*$", shown(capsys, "strange"), re.M
    )
    assert command.endswith("photo.png painting.png strange --strength 0.3")
    assert "\nr.png:\n" in shown(capsys, "strange", "r")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff", "mp4"])
def test_result_may_be_named_by_its_prefix(suffix, folder):
    (folder / "me").mkdir()  # of another run
    (folder / f"me.{suffix}").touch()
    assert find_result("me") == f"me.{suffix}"
    assert find_result("you") == "you"


def test_like_takes_a_prefix_too(folder):
    save("me.png")
    args = options.parse(["photo.png", "painting.png", "r", "--like", "me"])
    assert options.follow_record(args.like, args)["settings"] == {"strength": 0.3}


def test_what_no_command_can_say_is_said(folder, capsys):
    """Python takes recipes of one's own, and another number of evaluations."""
    save("mine.png", recipe="custom")
    assert shown(capsys, "mine.png").startswith(
        "It was made from Python with a custom recipe, which no command can repeat\n"
        "It is photo.png in the style of painting.png\n"
    )
    args = options.parse(["photo.png", "painting.png", "r", "--like", "mine.png"])
    with pytest.raises(InputError, match="mine.png: made with a custom recipe, but its values"):
        options.follow_record(args.like, args)
    save("mine.png", recipe="custom", own_recipe={"longer_side": "own_rounding"})
    assert "which no command can repeat\n" in shown(capsys, "mine.png")
    save("mine.png", recipe="custom", own_recipe={"noise": 0.1})
    command, _, line, *_ = shown(capsys, "mine.png").splitlines()
    assert command.endswith(" photo.png painting.png mine --like mine.png")
    assert line == "It had a custom recipe: only --like can repeat that"
    save("five.png", evaluations_per_iteration=5, settings={"size": [95, 144], "tv_weight": 2.0})
    command, _, line, *_ = shown(capsys, "five.png").splitlines()
    assert command.endswith("photo.png painting.png five --tv_weight 2.0")
    assert line == (
        "It had 5 evaluations per iteration instead of 20 and exactly 144x95 pixels: "
        "only --like can repeat that"
    )


def test_earlier_result_that_moved_aside_says_so(folder, capsys):
    save("me.png")
    save("me.2.png")
    line = "This result has moved aside: the command paints me.png, and moves a different one there"
    assert line in shown(capsys, "me.2.png")
    assert "moves aside" not in shown(capsys, "me.png")


def test_threads_that_variables_set_are_named(folder, capsys):
    """A folder paints several pictures at once, each with its part of the cores."""
    save("one.png", machine={"OMP_NUM_THREADS": "1", "NPROC": "1", "cores": 2})
    variables = "use the same number of threads: set OMP_NUM_THREADS=1 NPROC=1"
    assert variables in shown(capsys, "one.png")
    save("odd.png", machine={"OMP_NUM_THREADS": "1; rm"})
    assert "threads" not in shown(capsys, "odd.png")


def test_sheet_says_which_pictures_it_has_and_where_to_choose(folder, capsys):
    pictures = {"a b.png": "strength 0.3", "c.png": "strength 0.7"}
    save("try_compare.png", recipe="comparison", pictures=pictures)
    (folder / "try_compare").mkdir()
    (folder / "try_compare.html").touch()
    for named in ("try", "try_compare"):
        assert shown(capsys, named).splitlines()[:-1] == [
            "A comparison of several pictures; give --show one of them: "
            "'try_compare/a b.png', try_compare/c.png",
            "To choose, open try_compare.html: it has the command for each",
        ]


def test_several_records_are_a_list_that_names_their_results(folder, capsys):
    for number in range(2):
        save(f"{number}.png", settings={"strength": number})
    with pytest.raises(SystemExit, match="2"):
        nst.main(["--show_record", "0", "none.png", "1"])
    records = json.loads(capsys.readouterr().out)
    assert [record["result"] for record in records] == ["0.png", "1.png"]
    assert [record["settings"] for record in records] == [{"strength": 0}, {"strength": 1}]
