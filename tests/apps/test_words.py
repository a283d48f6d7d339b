"""Words that people type: other programs' names, other spellings, slips."""

import os
import re
import subprocess
import sys

import pytest
from PIL import Image

import neural_style_transfer as nst
from stylize.apps import answers, options
from stylize.apps.words import OPTION_NAMES, VALUE_NAMES, suggestion
from stylize.images.resize import working_size
from stylize.runs.settings import SETTINGS

THREE = ["photo.jpg", "painting.jpg", "results/x"]
DECLARED = options.build_parser()._option_string_actions


@pytest.mark.parametrize(
    ("typed", "name", "value"),
    [
        (["--iterations", "5"], "iterations", "5"),
        (["--num-iterations=5"], "iterations", "5"),
        (["--neighbours", "2"], "neighbor_weight", "2"),
        (["--preserve-colours", "linear"], "preserve_colors", "linear"),
        (["--preserve_colors", "Luminance"], "preserve_colors", "luma"),
        (["--original_colors", "1"], "preserve_colors", "luma"),
        (["--recipe", "neighbours"], "recipe", "neighbors"),
        (["--recipe", "Gatys"], "recipe", "gatys"),
        (["--width", "800"], "size", "800x"),
        (["--width=800"], "size", "800x"),
        (["--height", "600"], "size", "600"),
        (["--width", "800", "--size", "600"], "size", "600"),
        (["--size", "original"], "size", "own"),
        (["--pooling", "average"], "pooling", "avg"),
        (["--init", "random"], "init", "noise"),
        (["--optimiser", "L-BFGS"], "optimizer", "lbfgs"),
        (["--format", ".JPEG"], "format", "jpg"),
        (["--total-variation-weight", "1"], "tv_weight", "1"),
    ],
)
def test_other_names_are_taken(typed, name, value):
    assert getattr(options.parse([*THREE, *typed]), name) == value


@pytest.mark.parametrize(
    "typed",
    [
        ["photo.jpg", "painting.jpg", "-o", "results/x"],
        ["photo.jpg", "painting.jpg", "--output=results/x", "--styles", "a.jpg", "b.jpg"],
        ["--output", "results/x", "--styles", "a.jpg", "--", "photo.jpg", "painting.jpg"],
        ["--out", "results/x", "photo.jpg", "painting.jpg"],
    ],
)
def test_the_result_may_be_named_by_an_option(typed):
    args = options.parse(typed)
    assert [args.base, args.style_reference, args.result_prefix] == THREE


def test_other_names_lead_to_options_that_there_are():
    assert set(OPTION_NAMES.values()) <= DECLARED.keys()
    assert not OPTION_NAMES.keys() & DECLARED.keys()
    for flag, names in VALUE_NAMES.items():
        check = next((s.check for s in SETTINGS.values() if s.flag == flag), None)
        words = getattr(check, "names", DECLARED[flag].choices)
        assert words is None or set(names.values()) <= set(words), flag


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--colour", "--preserve_colors"),
        ("--steps", "--iter"),
        ("--resolution", "--size"),
        ("--intensity", "--strength"),
        ("--noise-level", "--noise_blend"),
        ("--mix", "--styles with --style_blend"),
        ("--stile_weight", "--style_weight"),  # a slip of the finger
        ("--itterations", "--iter"),  # one in another program's name
        ("--ouput", "--output"),
        ("--style_layer_weights", "--style_layers"),
        ("--bounded", "a recipe of your own, made in Python (docs/api.md)"),
        ("--nothing_like_it", ""),
        ("--bogus", ""),
    ],
)
def test_meaning_is_suggested(typed, meant):
    assert suggestion(typed, [name for name in DECLARED if name.startswith("--")]) == meant


def test_masks_are_suggested_with_what_each_does():
    said = re.findall(r"--(\w+) \(white [^)]+\)", suggestion("--mask", DECLARED))
    assert said == ["keep_mask", "content_mask", "style_masks"]


def fails(argv, message, capsys, status=2):
    try:
        received = nst.main([str(word) for word in argv])
    except SystemExit as end:
        received = end.code
    err = capsys.readouterr().err
    assert re.search(message, err) and err.count("\n") == 1, err
    assert received == status


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            [*THREE[:2], "b.jpg", "out"],
            r"painting.jpg out --styles b.jpg; .* their folder: \. b.jpg",
        ),
        (["s/1.jpg", "s/2.jpg", "p.jpg", "out/"], "several photos, give their folder: s p.jpg out"),
        (
            ["--content", "a.jpg", "--style", "b.jpg"],
            "--content: pictures are given without an option: .*photo",
        ),
        (
            [*THREE, "--compare", "strength", "1"],
            "give --compare its values without spaces, as in strength=0.3",
        ),
        (["a.jpg", "https://a.org/b.jpg", "x"], "is an address, not a file; download it and give"),
        (["https://a.org/b.mp4", *THREE[1:]], "is an address, not a file|OpenCV"),
        ([*THREE[:2], "x.gif"], "x.gif: no result can be a .gif; name it x.png, with --gif or"),
        ([*THREE[:2], "x.bmp"], "x.bmp: no result can be a .bmp; name it x.png$"),
        ([*THREE[:2], "x.PDF"], "x.PDF: no result can be a .pdf; name it x.png$"),
        ([*THREE, "-o", "y.png"], "the result is named twice, results/x and y.png; leave one out"),
        ([*THREE, "-o", "y.png", "--size", "64"], "named twice, results/x and y.png; leave"),
        ([*THREE[:2], "x.jpg", "--format", "png"], "x.jpg: is the name of a .jpg, but --format"),
        ([*THREE, "--format", "bmp"], "--format: must be one of png, .*, received 'bmp'"),
    ],
)
def test_slips_with_names_are_answered(typed, message, capsys):
    fails(typed, message, capsys)


@pytest.mark.parametrize(
    ("typed", "quoted"),
    [
        ("my cat.jpg sea waves.jpg results/cat", '"my cat.jpg" and "sea waves.jpg"'),
        ("a.jpg sea waves.jpg results/cat --compare", '"sea waves.jpg"'),
        (
            "a.jpg a.jpg out --compare style=my cat.jpg,a.jpg strength=0.3",
            '"style=my cat.jpg,a.jpg"',
        ),
        (
            "my cat.jpg a.jpg out --compare=style=sea waves.jpg",
            '"my cat.jpg" and "style=sea waves.jpg"',
        ),
        (
            "--compare style=a.jpg,my cat.jpg,sea waves.jpg a.jpg a.jpg out",
            '"style=a.jpg,my cat.jpg,sea waves.jpg"',
        ),
        ("a.jpg all my photos -o results/cat", '"all my photos"'),
        ("a.jpg a.jpg out --keep_mask my cat.jpg", '"my cat.jpg"'),
        ("a.jpg --size 99 my cat.jpg out --init=sea waves.jpg", '"my cat.jpg" and "sea waves.jpg"'),
    ],
)
def test_names_with_spaces_need_quotes(typed, quoted, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "my cat.jpg", "sea waves.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "all my photos").mkdir()
    fails(typed.split(), f"error: a name with spaces needs quotes: {quoted}; see", capsys)


@pytest.mark.parametrize(
    ("typed", "needed"),
    [
        ("--keep-colours", "--keep-colours needs one of none, luma, linear, linear_cholesky, hist"),
        ("--preserve_colors --quiet", "--preserve_colors needs one of none, luma"),
        ("--size", r"--size needs a value: ROWS\|COLSx\|own"),
        ("--format", "--format needs one of png, jpg"),
        ("--height", r"--height needs a value: ROWS\|"),
        ("--width --quiet", r"--width needs a value: ROWS\|"),
    ],
)
def test_option_without_a_value_is_named_as_typed(typed, needed, capsys):
    fails([*THREE, *typed.split()], needed, capsys)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["--size", "50%"], "--size must be a number of rows, such as 400, or own for the"),
        (["--size", "800x600"], "one side, .*: 600 for rows, 800x for columns"),
        (["--size", "400px"], "--size must be a number of rows: "),
        (["--size", "4K"], "--size must be a number of rows, such as 2160; received '4K'"),
        (["--width", "200", "--height", "300"], "error: --width 200 and --height 300: leave one"),
        (["--rows=300", "--width=200"], "error: --rows 300 and --width 200: leave one of them"),
        (["--width", "wide"], "--size must be a whole number"),
        (["--strength", "70"], r"--strength must be from 0 to 1, .*; did you mean 0\.7"),
        (["--strength", "70%"], r"must be from 0 to 1, received '70%'; did you mean 0\.7$"),
        (["--strength", "0,7"], r"must be from 0 to 1, received '0,7'; did you mean 0\.7$"),
        (["--strength", "7"], "--strength must be from 0 to 1, received '7'$"),
        (["--strength", "150%"], "--strength must be from 0 to 1, received '150%'$"),
        (["--strength", "nan"], "--strength must be from 0 to 1, received 'nan'$"),
        (["--strength", "50%"], r"did you mean 0\.5"),
        (["--tv-weight", "0,5"], r"did you mean 0\.5"),
        (
            ["--size", "large"],
            "of at least 16.*, or own, or a number of columns such as 800x, received 'large'",
        ),
        (["--memory", "all"], "--memory must be a finite number above 0, or auto, received 'all'"),
        (["--tile", "none"], "--tile must be a whole number of .*, or auto or off, received 'no"),
        (["--scales", "0"], "--scales must be a whole number of .*, or auto, received '0'"),
        (["--style_scale", "own"], "a finite number above 0, or fit or area, received 'own'"),
    ],
)
def test_slips_with_numbers_are_answered(typed, message, photo_path, painting_path, capsys):
    fails([photo_path, painting_path, "results/x", *typed], message, capsys)


def test_width_has_its_height():
    assert working_size(Image.new("RGB", (1000, 667)), "800x") == (534, 800)


@pytest.mark.parametrize(("argv", "status"), [([], 2), (["help"], 0)])
def test_five_lines_to_begin_with(argv, status, capsys):
    with pytest.raises(SystemExit) as end:
        nst.main(argv)
    out = capsys.readouterr().out
    assert (end.value.code, out.count("\n")) == (status, 5)
    assert out.count(" photo.jpg painting.jpg results/") == 2 and "app" in out


def test_help_fits_a_screen(capsys):
    with pytest.raises(SystemExit, match="0"):
        nst.main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 24 and max(map(len, lines)) <= 80
    assert all(typed.split()[0] in DECLARED for typed, _ in answers.MOST_USED)


def test_show_is_quiet_where_nobody_reads_on(tmp_path):
    program = "import sys; from stylize.apps.console import print_and_end as show; "
    program += "sys.stdin.read(); show('program', 'x' * 10**6)"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=os.path.dirname(nst.__file__),
    ) as process:
        process.stdout.close()  # as `head` does
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("--preserve_colors l", {"luma", "linear", "linear_cholesky"}),
        ("--recipe n", {"neighbors"}),
        ("--init re", {"recolored"}),
        ("--weights m", {"mirror"}),
        ("--size o", {"own"}),
        ("--optimizer ", {"lbfgs", "torch", "scipy", "adam"}),
    ],
)
def test_tab_completes_values(line, completed):
    argcomplete = pytest.importorskip("argcomplete")
    finder = argcomplete.CompletionFinder(options.build_parser())
    words = ["neural-style-transfer", *line.split(" ")]
    found = finder._get_completions(words[:-1], words[-1], "", None)
    assert {word.strip() for word in found} == completed


@pytest.mark.parametrize(
    ("size", "given", "message"),
    [
        ((20, 16), ["--size", "60"], "and the result 75x60 pixels, 3.8 times"),
        ((90, 18), ["--size", "18"], "has 90x18 pixels and takes long; --width 70"),
        ((18, 90), ["--size", "90"], "--size 70 takes less time"),
        ((48, 40), ["--size", "60"], ""),
    ],
)
def test_sizes_that_may_surprise_are_warned_of(
    simple_loss, size, given, message, painting_path, weights_path, tmp_path, monkeypatch, capsys
):
    from stylize.apps import photo

    monkeypatch.setattr(photo, "LARGE", 1000)  # 640,000 pixels in earnest
    Image.effect_noise(size, 80).save(tmp_path / "base.png")
    argv = [tmp_path / "base.png", painting_path, tmp_path / "r", "--iter", "1", *given]
    assert nst.main([*map(str, argv), "--weights", str(weights_path)]) == 0
    err = capsys.readouterr().err
    assert message in err and bool(message) == bool(err)
