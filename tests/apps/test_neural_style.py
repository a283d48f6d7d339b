"""The second command line, as the tutorials type it."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import neural_style
import neural_style_transfer as nst
from stylize.apps import neural_style as app
from stylize.errors import InputError
from stylize.runs import metadata
from stylize.vgg.weights import read_weights

pytestmark = pytest.mark.usefixtures("eagerly")  # these runs have few steps


@pytest.fixture
def folder(tmp_path, photo, painting, weights_path, monkeypatch):
    """The tutorials' folder: pictures in examples/, and a network found by default."""
    monkeypatch.chdir(tmp_path)
    Path("examples").mkdir()
    Path("folder.jpg").mkdir()
    Image.fromarray(photo).save("examples/cat.jpg", quality=95)
    Image.fromarray(painting).save("examples/a.jpg")
    Image.fromarray(painting[::-1]).save("examples/b.jpg")
    monkeypatch.setattr(app, "NETWORK", str(weights_path))
    return tmp_path


def run(line):
    return neural_style.main(line.split())


QUICK = "--content examples/cat.jpg --styles examples/a.jpg --output out.jpg --iterations 2"


def test_tutorials_command(folder, capsys):
    line = "--content examples/cat.jpg --styles examples/a.jpg examples/b.jpg --output out.jpg"
    assert run(f"{line} --iterations 3") == 0
    assert nst.load_image("out.jpg").size == (48, 40)
    out, err = capsys.readouterr()
    assert err == ""
    times = r"\(\d:\d\d:\d\d elapsed, \d:\d\d:\d\d remaining\)\n"
    assert re.fullmatch("".join(rf"Iteration +{i}/ +3 {times}" for i in (1, 2, 3)), out)


@pytest.mark.parametrize(
    "options",
    [
        "--width 32",
        "--style-scales 0.5",
        "--initial examples/b.jpg",
        "--initial examples/b.jpg --initial-noiseblend 0.3",
        "--initial-noiseblend 0.5",
        "--preserve-colors",
        "--pooling avg",
        "--content-weight-blend 0.6 --style-layer-weight-exp 0.8",
        "--content-weight 1 --style-weight 2 --tv-weight 3",
        "--learning-rate 1 --beta1 0.8 --beta2 0.99 --eps 1e-3 --seed 7",
        "--style-blend-weights 2",
    ],
)
def test_every_option_runs_and_changes_the_result(options, folder):
    run(QUICK)
    assert run(f"{QUICK} {options} --overwrite --output changed.jpg") == 0
    if "--style-blend-weights" not in options:  # of one style
        assert Path("out.jpg").read_bytes() != Path("changed.jpg").read_bytes()
    assert nst.load_image("changed.jpg").width == (32 if "width" in options else 48)


def test_same_seed_gives_the_same_bytes(folder):
    for name in ("one.png", "two.png"):
        run(f"{QUICK} --output {name} --seed 3")
    assert Path("one.png").read_bytes() == Path("two.png").read_bytes()


def test_picture_says_how_it_was_made_and_can_be_made_again(folder):
    """By the other program, in as many steps."""
    run(f"{QUICK} --output out.png --iterations 3 --seed 5 --width 32")
    record = metadata.read_record("out.png")
    assert (record["recipe"], record["settings"]["seed"]) == ("athalye", 5)
    again = "examples/cat.jpg examples/a.jpg again --like out.png --weights small.h5"
    assert nst.main(again.split()) == 0
    assert metadata.read_record("again.png")["evaluations_per_iteration"] == 1
    np.testing.assert_array_equal(nst.load_image("again.png"), nst.load_image("out.png"))


def test_losses_are_printed_when_the_original_prints_them(folder, capsys):
    """Before the first step, after steps 0, 2 and 4, and after the last, which is step 5."""
    assert run(f"{QUICK} --iterations 6 --print-iterations 2") == 0
    number = r"[-+.e0-9]+"
    block = rf" *content loss: {number}\n *style loss: {number}\n *tv loss: {number}\n"
    block += rf" *total loss: {number}\n"
    printed = re.findall(rf"{block}|Iteration +\d+", capsys.readouterr().out)
    order = ["loss" if "loss" in line else int(line.split()[1]) for line in printed]
    assert order == ["loss", "loss", 1, 2, "loss", 3, 4, "loss", 5, "loss", 6]


@pytest.mark.parametrize("pattern", ["mid_%s.jpg", "mid_%d.jpg", "mid_{}.jpg"])
def test_checkpoints(pattern, folder):
    assert (
        run(f"{QUICK} --iterations 4 --checkpoint-output {pattern} --checkpoint-iterations 2") == 0
    )
    assert sorted(Path().glob("mid_*")) == [Path(f"mid_{i}.jpg") for i in (0, 2, 3)]


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("c%05d.jpg", "c00012.jpg"),
        ("c{:05}.jpg", "c00012.jpg"),
        ("c{:05d}.jpg", "c00012.jpg"),
        ("100%/c{}.jpg", "100%/c12.jpg"),
        ("{a}/c%s.jpg", "{a}/c12.jpg"),
        ("c{0}.jpg", "c12.jpg"),
        ("c{:d}.jpg", "c12.jpg"),
        ("c%4d.jpg", "c  12.jpg"),
        ("c%i.jpg", "c12.jpg"),
        ("100%%_%s.jpg", "100%_12.jpg"),
    ],
)
def test_step_may_have_zeros_before_it_and_signs_around_it(pattern, path):
    assert app.checkpoint_path(pattern, 12) == path


@pytest.mark.parametrize(
    "pattern",
    [
        *("{0.foo}.png", "{0.__class__}.png", "{!r}.png", "{x}.png", "{1}.png", "{{}}.png"),
        *("{:5000000000}.png", "{:05000000000}.png", "{:{}}.png", "{}{}.png", "{.png", "}{}.png"),
        *("%c.png", "%99999999999d.png", "%099999999999d.png", "%.9999999999d.png", "%*d.png"),
        *("%%s.png", "%s%s.png", "%(a)s.png", "%x.png", "%", ".png"),
    ],
)
def test_pattern_with_anything_else_than_one_step_is_refused(pattern):
    with pytest.raises(InputError, match="must contain %s once, where the step goes"):
        app.checkpoint_path(pattern, 12)


def test_best_of_all_steps_is_written(folder, monkeypatch):
    """With a learning rate that leaps, the best step is the start itself."""
    given = "--initial examples/cat.jpg --style-weight 0 --tv-weight 0 --learning-rate 1000"
    assert run(f"{QUICK} {given} --output best.png") == 0
    np.testing.assert_array_equal(nst.load_image("best.png"), nst.load_image("examples/cat.jpg"))


def test_jpeg_quality_is_95(folder):
    run(QUICK)
    result = Image.open("out.jpg")
    expected = folder / "expected.jpg"
    Image.new("RGB", (16, 16)).save(expected, quality=95)
    with result, Image.open(expected) as reference:
        assert result.quantization == reference.quantization


def test_network_of_the_folder_else_imagenet(folder, monkeypatch):
    asked = []

    def load_weights(source):
        asked.append(source)
        return read_weights(folder / "small.h5")

    monkeypatch.setattr(app, "load_weights", load_weights)
    run(QUICK)
    monkeypatch.setattr(app, "NETWORK", "none.mat")
    run(f"{QUICK} --overwrite")
    run(f"{QUICK} --overwrite --network mirror")
    assert asked == [str(folder / "small.h5"), "imagenet", "mirror"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--content none.jpg", "picture none.jpg: no such file"),
        ("--styles none.jpg", "picture none.jpg: no such file"),
        (
            "--style-scales 1 2",
            "--style-scales must have one value for each style: 1 in all, not 2",
        ),
        ("--style-scales 0", "--style-scales must be a finite number above 0"),
        (
            "--style-blend-weights 1 2",
            "--style-blend-weights must have one value for each style: 1 in all, not 2",
        ),
        ("--style-blend-weights 0", "--style-blend-weights must not add up to 0"),
        ("--content-weight -1", "--content-weight must be a finite number of at least 0"),
        ("--content-weight-blend 2", "--content-weight-blend must be from 0 to 1, received 2.0"),
        (
            "--style-layer-weight-exp 0",
            "--style-layer-weight-exp must be a finite number above 0",
        ),
        ("--eps 0", "--eps must be a finite number above 0"),
        ("--initial-noiseblend 2", "--initial-noiseblend must be from 0 to 1, received 2.0"),
        ("--width 5", "--width must be a whole number of at least 16"),
        (
            f"--width {'9' * 401}",
            "--width must be a whole number of at least 16 and at most 1000000",
        ),
        ("--style-layer-weight-exp 1e308", "--style-layer-weight-exp must be at most 1000"),
        (
            f"--iterations {10**20}",
            "--iterations must be a whole number of at least 1 and at most 10",
        ),
        ("--beta1 1", "--beta1 must be at least 0 and below 1"),
        ("--iterations 0", "--iterations must be at least 1, received 0"),
        ("--iterations x", "--iterations: invalid int value"),
        ("--checkpoint-output a.jpg --checkpoint-iterations 1", "a.jpg: must contain %s"),
        ("--checkpoint-output a%z.jpg --checkpoint-iterations 1", "a%z.jpg: must contain %s"),
        (
            f"--checkpoint-output {'c' * 250}%s.jpg --checkpoint-iterations 1",
            "c2.jpg: is too long for names",
        ),
        (
            "--checkpoint-output examples/a.jpg/%s.jpg --checkpoint-iterations 1",
            "cannot write in examples/a.jpg",
        ),
        ("--checkpoint-output %s.xyz --checkpoint-iterations 1", "2.xyz: no format for"),
        (
            "--checkpoint-iterations 1",
            "--checkpoint-output and --checkpoint-iterations go together",
        ),
        ("--output out.xyz", "out.xyz: no format for"),
        ("--output examples/b.jpg", "examples/b.jpg already exists; give --overwrite"),
        ("--output folder.jpg --overwrite", "folder.jpg: is not a file, but a result needs"),
        ("--output examples/a.jpg/b.jpg", "cannot write in examples/a.jpg"),
        ("--pooling min", "--pooling: must be one of max, avg, received 'min'"),
    ],
)
def test_errors_are_one_line_and_cost_nothing(options, message, folder, capsys):
    before = Path("examples/a.jpg").read_bytes()
    try:
        status = run(f"{QUICK} {options}")
    except SystemExit as exit:
        status = exit.code
    out, err = capsys.readouterr()
    assert re.search(re.escape(message), err), err
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("neural_style.py: error: ")
    assert sorted(os.listdir("examples")) == ["a.jpg", "b.jpg", "cat.jpg"]
    assert Path("examples/a.jpg").read_bytes() == before
    assert not Path("out.jpg").exists()


@pytest.mark.parametrize("given", ["--content", "--styles examples/a.jpg", "--initial"])
@pytest.mark.parametrize(
    ("name", "options", "other"),
    [
        ("c1.jpg", "--output c1.jpg", "--output"),
        ("c1.jpg", "--output ./examples/../c1.jpg --overwrite", "--output"),
        ("c1.jpg", "--checkpoint-output c%s.jpg", "--checkpoint-output"),
        ("c1.jpg", "--iterations 900000000 --checkpoint-output c{}.jpg", "--checkpoint-output"),
        ("12/c.jpg", "--iterations 13 --checkpoint-output {}/c.jpg", "--checkpoint-output"),
        ("c2019.jpg", "--iterations 20 --checkpoint-output c20%02d.jpg", "--checkpoint-output"),
    ],
)
def test_picture_that_is_given_is_never_overwritten(given, name, options, other, folder, capsys):
    Path("12").mkdir()
    before = Path("examples/b.jpg").read_bytes()
    Path(name).write_bytes(before)
    line = f"{QUICK} {given} {name} {options}"
    assert run(line + " --checkpoint-iterations 1" * ("%" in line or "{" in line)) == 2
    message = f"{name}: would be overwritten by a result; choose another {other}\n"
    assert capsys.readouterr() == ("", f"neural_style.py: error: {message}")
    assert Path(name).read_bytes() == before


@pytest.mark.parametrize("option", ["--content", "--styles", "--output", "--initial", "--network"])
def test_empty_name_is_refused_by_its_option(option, folder, capsys):
    with pytest.raises(SystemExit, match="2"):
        neural_style.main([*QUICK.split(), option, ""])
    said = f"neural_style.py: error: {option} must not have an empty value; see --help\n"
    assert capsys.readouterr() == ("", said)


def test_picture_named_like_a_checkpoint_that_is_not_due_may_be_given(folder):
    Path("examples/cat.jpg").rename("c1.jpg")
    line = f"{QUICK} --content c1.jpg --iterations 3 --checkpoint-output c%s.jpg"
    assert run(f"{line} --checkpoint-iterations 2") == 0
    assert sorted(Path().glob("c?.jpg")) == [Path(f"c{i}.jpg") for i in (0, 1, 2)]


def test_wrong_network_is_named(folder, capsys):
    Path("bad.mat").write_bytes(b"bad")
    assert run(f"{QUICK} --network bad.mat") == 1
    assert "weights bad.mat: damaged, or not a .mat weight file" in capsys.readouterr().err


def readme_commands():
    """Every `neural_style.py` command line of the README."""
    text = (Path(__file__).parents[2] / "README.md").read_text()
    return re.findall(r"^ +python neural_style\.py (.+)$", text, re.MULTILINE)


@pytest.mark.parametrize("line", readme_commands())
def test_readme_command(line, folder):
    Path("img").symlink_to(Path(__file__).parents[2] / "img")
    assert run(f"{line} --iterations 1 --width 32") == 0
