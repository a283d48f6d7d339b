"""`--compare`, as people type it, with random weights."""

import os
import re
import shlex
import shutil
import sys
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import disk_full
from PIL import Image

import neural_style_transfer as nst
from stylize.apps import foretold, photo
from stylize.apps.compare import choices, paint_choices
from stylize.apps.compare.paint_choices import without
from stylize.apps.compare.sheet import LINE, Cell, draw_sheet
from stylize.apps.options import parse, split_compared
from stylize.backend import files, tensors
from stylize.runs import forecast, metadata

pytestmark = pytest.mark.usefixtures("one_process")
TWICE = ["strength=0.3,0.7", "recipe=neighbours,pyramid"]


@pytest.fixture
def command(photo_path, painting_path, weights_path, tmp_path):
    """A small, valid command line, to be added to."""
    return [
        *(str(photo_path), str(painting_path), str(tmp_path / "results" / "try")),
        *("--weights", str(weights_path), "--size", "24", "--iter", "1"),
    ]


@pytest.fixture
def painted(monkeypatch):
    """The results that were painted, one after another."""
    paths, run = [], photo.run

    def noting(args, console, weights=None):
        run(args, console, weights)
        paths.extend([console.saved.name] if console.saved else [])

    monkeypatch.setattr(photo, "run", noting)
    return paths


def names(tmp_path):
    return sorted(os.listdir(tmp_path / "results" / "try_compare"))


def commands(tmp_path):
    """The commands on the page, as a shell has them."""
    page = (tmp_path / "results" / "try_compare.html").read_text()
    texts = re.findall(r"<code>(.+?)</code>", page)
    return [shlex.split(unescape(re.sub("</?span>", "", text))) for text in texts]


def fails(argv, message, capsys, status=2):
    assert nst.main(argv) == status
    err = capsys.readouterr().err
    assert re.search(message, err) and err.count("\n") == 1, err


@pytest.mark.skipif(not files.fcntl, reason="Windows has no such locks")
def test_two_comparisons_with_one_name_do_not_mix(simple_loss, command, tmp_path, capsys):
    (tmp_path / "results").mkdir()
    with files.alone(tmp_path / "results" / "try_compare"):  # as a run that paints
        fails([*command, "--compare"], "results/try_compare: another run is painting it", capsys)
        assert os.listdir(tmp_path / "results") == [".try_compare.lock"]


def test_every_combination_is_painted_and_shown(simple_loss, command, tmp_path, capsys):
    assert nst.main([*command, "--compare", *TWICE]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert re.search(r"2 of 4: strength 0.7, recipe neighbors painted, about \d+s left\n", out)
    expected = [
        f"strength-{s}_recipe-{r}.png" for s in (0.3, 0.7) for r in ("neighbors", "pyramid")
    ]
    assert names(tmp_path) == sorted(expected)
    for name in expected:
        record = metadata.read_record(tmp_path / "results" / "try_compare" / name)
        assert f"strength-{record['settings']['strength']}_recipe-{record['recipe']}.png" == name
    sheet = nst.load_image(tmp_path / "results" / "try_compare.png")
    assert sheet.width < 2 * sheet.height  # two by two: one setting across, the other down


def test_a_command_of_the_page_paints_its_picture(command, tmp_path):
    del command[5:7]  # --size
    assert nst.main([*command, "--compare", "size=24", *TWICE[1:]]) == 0
    argv = commands(tmp_path)[1]
    assert argv[-4:] == ["--size", "24", "--recipe", "pyramid"]
    assert nst.main(argv[2:] if argv[1].endswith(".py") else argv[1:]) == 0
    again = nst.load_image(tmp_path / "results" / "try.png")
    small = tmp_path / "results" / "try_compare" / "size-24_recipe-pyramid.png"
    assert np.array_equal(again, nst.load_image(small))
    assert "it paints that picture." in (tmp_path / "results" / "try_compare.html").read_text()


def test_a_size_that_was_for_the_small_pictures_is_left_out(simple_loss, command, tmp_path):
    assert nst.main([*command, "--jobs=1", "--compare", "strength=0.3"]) == 0
    assert commands(tmp_path)[0][-4:] == ["--iter", "1", "--strength", "0.3"]  # nor --jobs
    page = tmp_path / "results" / "try_compare.html"
    assert "it paints at 400 rows. For another size, add for example --size" in page.read_text()
    assert (
        nst.main([*command, "--height=420", "--recipe", "keras", "--compare", "tv_weight=1"]) == 0
    )
    assert "--height=420" in commands(tmp_path)[0]  # more than keras paints without it
    assert "it paints at 420 rows. For" in page.read_text()


@pytest.mark.parametrize("size", [["--size", "24"], ["--siz=24"], ["--width", "9"], ["--rows=9"]])
def test_a_size_is_found_however_it_is_spelled(size):
    assert without(["a", *size, "b", "--iter", "1", "--", "--size"], "--size") == [
        *("a", "b", "--iter", "1", "--", "--size")
    ]


@pytest.mark.parametrize("jobs", [["--jobs", "2"], ["--j=2"], ["--j", "2"]])
def test_jobs_are_of_no_single_command(jobs):
    assert without(["a", *jobs, "b"], "--jobs") == ["a", "b"]


def test_without_values_six_choices_that_matter(simple_loss, command, tmp_path, painted):
    del command[5:7]  # --size
    assert nst.main([*command, "--compare"]) == 0
    assert len(painted) == len(names(tmp_path)) == 6
    record = metadata.read_record(tmp_path / "results" / "try_compare" / "as_typed.png")
    assert record["settings"]["size"] == 200
    assert "--size" not in commands(tmp_path)[0]  # at the recipe's size


def test_other_paintings_are_shown_in_the_corner(
    simple_loss, command, tmp_path, photo_path, painted
):
    other = tmp_path / "a, b's.png"
    photo_path.rename(other)
    os.link(other, photo_path)
    assert nst.main([*command, "--compare", f'style="{other}",{command[1]}']) == 0
    assert painted == ["style-a-b-s.png.png", "style-painting.png.png"]
    assert [argv[argv.index(command[2]) - 1] for argv in commands(tmp_path)] == [
        str(other),
        command[1],
    ]


def test_numbers_make_no_name_that_another_choice_has(
    simple_loss, command, tmp_path, monkeypatch, painted
):
    """Paintings of one name, and one that is called like the second of these would be."""
    styles = ["x/a", "y/a", "z/A", "a_2"]
    monkeypatch.chdir(tmp_path)
    for style in styles:
        Path(style).parent.mkdir(exist_ok=True)
        shutil.copy(command[1], style)
    compare = [*command, "--compare", f"style={','.join(styles)}"]
    assert nst.main(compare) == 0
    assert painted == [f"style-{name}.png" for name in ("a", "a_2", "A_3", "a_2_2")]
    for name, style in zip(painted, styles, strict=True):
        record = metadata.read_record(tmp_path / "results" / "try_compare" / name)
        assert record["styles"][0]["name"] == Path(style).name
    painted.clear()
    assert nst.main(compare) == 0
    assert painted == []


def test_same_command_again_paints_only_what_is_left(
    simple_loss, command, tmp_path, painted, capsys
):
    assert nst.main([*command, "--compare", "strength=0.3,0.7"]) == 0
    painted.clear()
    assert nst.main([*command, "--compare", "strength=0.3,0.5,0.7"]) == 0
    assert painted == ["strength-0.5.png"]
    assert "1 of 3: strength 0.3 was painted before" in capsys.readouterr().out


def test_goes_on_in_the_picture_where_it_was_stopped(
    simple_loss, command, tmp_path, monkeypatch, capsys
):
    compare = [*command, "--iter", "3", "--compare", "strength=0.3,0.7"]
    assert nst.main(compare) == 0
    whole = {
        name: (tmp_path / "results/try_compare" / name).read_bytes() for name in names(tmp_path)
    }
    paint, runs = nst.paint, []
    for path in (tmp_path / "results" / "try_compare").iterdir():
        path.unlink()

    def stopping(job, weights, progress, **more):
        runs.append(more.get("checkpoint"))
        if len(runs) == 2:
            on_iterate = progress.on_iterate

            def stop(iterate):
                on_iterate(iterate)
                if iterate.iteration == 1:
                    raise KeyboardInterrupt

            progress.on_iterate = stop
        return paint(job, weights, progress, **more)

    monkeypatch.setattr(nst, "paint", stopping)
    capsys.readouterr()
    assert nst.main(compare) == 130
    assert "interrupted; resume with: " in capsys.readouterr().err
    assert nst.main(compare) == 0
    assert len(runs) == 3 and runs[2].evaluations > 0
    assert whole == {
        name: (tmp_path / "results/try_compare" / name).read_bytes() for name in names(tmp_path)
    }


def test_a_state_of_another_run_is_not_gone_on_with(simple_loss, command, tmp_path):
    folder = tmp_path / "results" / "try_compare"
    folder.mkdir(parents=True)
    np.savez(folder / "strength-0.3_state.npz", about='{"format": 1}')
    assert nst.main([*command, "--compare", "strength=0.3"]) == 0
    assert names(tmp_path) == ["strength-0.3.png"]


def test_a_comparison_of_something_else_moves_aside(simple_loss, command, tmp_path, capsys):
    """Its sheet, its page, which still shows its pictures, and the folder of these."""
    results = tmp_path / "results"
    assert nst.main([*command, "--compare", "strength=0.3"]) == 0
    sheet, picture = results / "try_compare.png", results / "try_compare" / "strength-0.3.png"
    before = sheet.read_bytes(), picture.read_bytes()
    capsys.readouterr()
    assert nst.main([*command, "--compare", "tv_weight=1"]) == 0
    assert capsys.readouterr().out.startswith(
        f"The earlier {sheet} is kept as {results}/try_compare.1.png, with its page and its "
        "pictures\n1 picture to choose from\n"
    )
    assert names(tmp_path) == ["tv_weight-1.png"]
    moved = results / "try_compare.1.png", results / "try_compare.1" / "strength-0.3.png"
    assert tuple(path.read_bytes() for path in moved) == before
    for name, pictures in (
        ("try_compare.1", "strength-0.3.png"),
        ("try_compare", "tv_weight-1.png"),
    ):
        links = re.findall(r'(?:src|href)="(.+?)"', (results / f"{name}.html").read_text())
        assert {f"{name}.png", f"{name}/{pictures}"} <= {*links}
        assert all((results / link).exists() for link in links)
    assert nst.main([*command, "--iter", "2", "--compare", "tv_weight=1"]) == 0
    assert os.listdir(results / "try_compare.2") == ["tv_weight-1.png"]


def test_a_sheet_that_another_program_has_saved_is_kept(
    simple_loss, command, tmp_path, painted, capsys
):
    """The pictures stay: they are the same ones, and need not be painted again."""
    results = tmp_path / "results"
    assert nst.main([*command, "--compare", "strength=0.3,0.7"]) == 0
    sheet = results / "try_compare.png"
    Image.new("RGB", (90, 30), "red").save(sheet)
    mine = sheet.read_bytes()
    painted.clear()
    capsys.readouterr()
    for _ in range(2):  # the second time, the sheet is ours again
        assert nst.main([*command, "--compare", "strength=0.3,0.5,0.7"]) == 0
    assert painted == ["strength-0.5.png"]
    assert capsys.readouterr().out.count("is kept as") == 1
    assert (results / "try_compare.1.png").read_bytes() == mine
    assert {p.name for p in results.iterdir()} >= {"try_compare", "try_compare.html", sheet.name}
    assert metadata.read_record(sheet)["pictures"]
    sheet.write_bytes(mine)  # an edited one of another comparison moves with its pictures
    assert nst.main([*command, "--compare", "tv_weight=1"]) == 0
    assert f"{sheet} is kept as {results}/try_compare.2.png, with" in capsys.readouterr().out


def test_a_comparison_stays_where_it_is_used(simple_loss, command, tmp_path, capsys):
    assert nst.main([*command, "--compare", "strength=0.3"]) == 0
    picture = tmp_path / "results" / "try_compare" / "strength-0.3.png"
    like = [*command, "--like", str(picture), "--compare", "tv_weight=1"]
    capsys.readouterr()
    fails(like, f"{picture}: is a picture of an earlier comparison, and .*; choose ano", capsys)
    assert picture.exists()


def test_overwriting_leaves_nothing_of_the_earlier_comparison(simple_loss, command, tmp_path):
    assert nst.main([*command, "--compare", "strength=0.3"]) == 0
    mine = tmp_path / "results" / "try_compare" / "mine.png"
    Image.new("RGB", (20, 20)).save(mine)
    assert nst.main([*command, "--overwrite", "--compare", "tv_weight=1"]) == 0
    assert names(tmp_path) == ["mine.png", "tv_weight-1.png"]
    assert sorted(os.listdir(tmp_path / "results")) == [
        *("try_compare", "try_compare.html", "try_compare.png")
    ]


def test_what_is_painted_is_shown_when_it_is_stopped(
    simple_loss, command, tmp_path, monkeypatch, capsys
):
    paint = paint_choices.paint_photo

    def stopping(options):
        if "0.5" in options.result_prefix:
            raise KeyboardInterrupt
        return paint(options)

    monkeypatch.setattr(paint_choices, "paint_photo", stopping)
    compare = [*command, "--jobs", "1", "--compare", "strength=0.3,0.5"]
    assert nst.main(compare) == 130
    page = tmp_path / "results" / "try_compare.html"
    assert f"What is painted so far is shown on {page}\n" in capsys.readouterr().out
    text = page.read_text()
    assert "strength-0.3.png" in text and "not painted yet" in text and "not finished" in text
    monkeypatch.setattr(paint_choices, "paint_photo", paint)
    assert nst.main(compare) == 0
    assert "not finished" not in page.read_text() and "not painted yet" not in page.read_text()


def test_the_time_is_told_before_where_there_is_much_to_paint(
    simple_loss, command, monkeypatch, capsys
):
    monkeypatch.setattr(foretold, "MUCH", 0)
    monkeypatch.setattr(forecast, "measure", lambda *_: forecast.Pace(0, 1200, 1200))
    compare = [*command, "--jobs", "1", "--compare", "tv_weight=1,2"]
    assert nst.main(compare) == 0
    assert "2 pictures to choose from, about 40 min\n" in capsys.readouterr().out
    assert nst.main(compare) == 0
    assert "2 pictures to choose from\n" in capsys.readouterr().out  # nothing is left to paint


def test_first_line_comes_before_the_processes_on_a_terminal(
    simple_loss, command, monkeypatch, capsys
):
    compare = [*command, "--compare", "tv_weight=1"]
    assert nst.main(compare) == 0
    assert capsys.readouterr().out.startswith("1 picture to choose from\n")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert nst.main([*compare, "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert nst.main(compare) == 0
    start = f"Starting {tensors.framework().name} ...\n1 picture to choose from\n"
    assert capsys.readouterr().out.startswith(start)


def test_page_shows_what_the_pictures_are_made_of(simple_loss, command, tmp_path):
    assert nst.main([*command, "--compare", "strength=0.3"]) == 0
    page = (tmp_path / "results" / "try_compare.html").read_text()
    photo, painting = (os.path.basename(path) for path in command[:2])
    assert f"<h1>{photo} in the style of {painting}</h1>" in page
    assert f'src="../{photo}"' in page and f'src="../{painting}"' in page
    assert "<span>--strength</span> 0.3" in page  # no line ends between the hyphens


def test_result_in_the_format_of_another(simple_loss, command, tmp_path):
    assert nst.main([*command, "--format", "jpg"]) == 0
    like = ["--like", str(tmp_path / "results" / "try.jpg"), "--compare", "tv_weight=1"]
    assert nst.main([*command, *like]) == 0
    assert names(tmp_path) == ["tv_weight-1.jpg"]


def test_masks_that_are_read_otherwise_than_they_look_are_told_of(simple_loss, command, capsys):
    assert nst.main([*command, "--content_mask", command[0], "--compare", "tv_weight=1,2"]) == 0
    assert re.fullmatch("warning: mask .* its colours count .*\n", capsys.readouterr().err)


def test_choice_that_cannot_be_painted_does_not_stop_the_others(command, tmp_path, capsys):
    compare = [*command, "--compare", "style_weight=1e38,1"]
    fails(compare, "error: style_weight 1e38: .*style loss became inf", capsys, status=1)
    assert names(tmp_path) == ["style_weight-1.png"]
    assert "style loss became" in (tmp_path / "results" / "try_compare.html").read_text()


def test_full_disk_stops_a_comparison_which_goes_on_later(
    simple_loss, command, tmp_path, monkeypatch, capsys
):
    tried, compare = [], [*command, "--compare", "strength=0.3,0.5,0.7", "--jobs", "1"]
    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", lambda *own, **_: [tried.append(own), disk_full(*own)])
        assert nst.main(compare) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "strength-0.3.png: No space left, on the disk or of your share of it; free some" in line
    assert len(tried) == 1  # the others would have failed, too
    assert nst.main(compare) == 0
    assert len(names(tmp_path)) == 3


def test_sheet_says_what_it_shows_and_is_no_photo(simple_loss, command, tmp_path, capsys):
    assert nst.main([*command, "--compare", "strength=0.3,0.7"]) == 0
    sheet = str(tmp_path / "results" / "try_compare.png")
    record = metadata.read_record(sheet)
    assert record["pictures"] == {
        "strength-0.3.png": "strength 0.3",
        "strength-0.7.png": "strength 0.7",
    }
    capsys.readouterr()
    fails([*command, "--like", sheet], "is a sheet of several pictures; give one of them", capsys)
    folder = [str(tmp_path / "results"), *command[1:2], str(tmp_path / "out"), *command[3:]]
    fails(folder, "is a folder without pictures", capsys)  # but ours


def test_labels_and_commands_are_escaped(simple_loss, command, tmp_path):
    prefix = tmp_path / "results" / "<b> & $(touch x) 'q'"
    argv = [*command[:2], str(prefix), *command[3:], "--compare", "strength=0.3"]
    assert nst.main(argv) == 0
    page = (prefix.parent / f"{prefix.name}_compare.html").read_text()
    assert "<b> &" not in page
    (text,) = re.findall(r"<code>(.+?)</code>", page)
    assert str(prefix) in shlex.split(unescape(re.sub("</?span>", "", text)))


@pytest.mark.parametrize("name", ["a\nb.png", "caf\udce9.png", "猫.png", "\x1b[2J", ""])
def test_any_name_is_drawn(name):
    image = Image.new("RGB", (300, 40), "gray")
    sheet = draw_sheet([Cell(image, ["photo", name])], [Cell(image, [name])], 1)
    unnamed = draw_sheet([Cell(image, ["photo", ""])], [Cell(image, [""])], 1)
    assert sheet.size == unnamed.size
    assert (sheet == unnamed) == (not name)


def test_labels_have_as_many_lines_as_they_need():
    """What comes first may be the same in all; what matters may be the end."""
    image = Image.new("RGB", (300, 40), "gray")
    label = "style_layers block1_conv1:4,block2_conv1:2,block3_conv1"

    def drawn(label):
        return draw_sheet([Cell(image, ["photo"])], [Cell(image, [label])], 1)

    assert drawn(label).height == drawn("style_layers").height + LINE
    assert drawn(f"{label}:1") != drawn(f"{label}:2")
    assert drawn("long " * 1000).height < 40 * LINE


@pytest.mark.parametrize(
    ("compare", "message"),
    [
        (["strenght=1,2"], "--compare strenght: no setting .*; did you mean strength"),
        (["intensity=0.3,0.7"], "--compare intensity: no .*; did you mean strength$"),
        (["colours=luma,none"], "--compare colours: no .*; did you mean preserve_colors$"),
        (["memory=1,2"], "--compare memory: no setting of this name can vary"),
        (["strength=0.3,70"], r"--strength must be from 0 to 1, received '70'; did you mean 0\.7"),
        (["strength="], "--compare strength: needs values, such as strength=A,B"),
        (
            ["strength=0.3\n0.5"],
            "--compare strength: quotes must .* with a line break needs them, as in",
        ),
        (["style=a\rb.jpg"], "--compare style: quotes must .* as in style="),
        (['strength="0.3'], "--compare strength: quotes must enclose a whole value"),
        (["recipe=magic"], "--recipe must be one of keras, .*, received 'magic'"),
        (["iter=1,2"], "--iter is given, and --compare iter too; leave one of them out"),
        (["style=none.jpg"], "none.jpg: no such file"),
        ([f"seed={','.join(map(str, range(65)))}"], "asks for 65 pictures, and at most 64"),
    ],
)
def test_bad_choice(compare, message, command, tmp_path, capsys):
    fails([*command, "--compare", *compare], message, capsys)


def test_options_that_do_nothing_are_refused(command, tmp_path, capsys):
    fails([*command, "--compare", "--gif"], "--gif is for a photo or a folder, and --comp", capsys)
    command[0] = str(tmp_path)
    fails(
        [*command, "--compare"],
        "--compare is for a photo, and .* is a folder; leave",
        capsys,
    )


def test_page_of_others_is_kept(command, tmp_path, capsys):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "try_compare.html").write_text("mine")
    fails([*command, "--compare"], "try_compare.html: was not written by this program", capsys)


def test_values_may_come_before_the_pictures():
    given = ["--compare", "strength=0.3", "a.jpg", "b.jpg", "c", "--iter", "2"]
    assert split_compared(given) == (["strength=0.3"], ["a.jpg", "b.jpg", "c", "--iter", "2"])
    assert split_compared(["a", "--compare"]) == ([], ["a"])
    assert split_compared(["--", "--compare"]) == (None, ["--", "--compare"])
    assert parse(given).compare == ["strength=0.3"]


def test_settings_of_several_values_are_joined_by_plus():
    args = SimpleNamespace(compare=["style_blend=3+1,1+1"], like=None, style_blend=None)
    (first, second), columns = choices.plan_choices(args)
    assert first.options == ["--style_blend", "3", "1"] and second.label == ["style_blend 1 1"]
    assert columns == 2


def test_more_pictures_than_a_row_has_room_for():
    args = SimpleNamespace(compare=["seed=1,2,3,4,5,6,7"], like=None, seed=None)
    assert choices.plan_choices(args)[1] == 3
