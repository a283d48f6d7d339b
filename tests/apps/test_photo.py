"""The command line, as people type it, with random weights."""

import contextlib
import csv
import errno
import io
import json
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
from conftest import BAD_PICTURES, SHALLOW, disk_full, foreground, make_bad_picture, named
from PIL import Image

import neural_style_transfer as nst
from stylize.apps import console, options, photo
from stylize.apps.console import underscored
from stylize.backend import files, machine, tensors
from stylize.images.writing import FORMATS, save_image
from stylize.runs import metadata
from stylize.runs.settings import SETTINGS
from stylize.vgg.weights import VGG19Weights

SCRIPT = nst.__file__


@pytest.fixture
def command(photo_path, painting_path, weights_path, tmp_path):
    """A small, valid command line, to be added to."""
    return [
        *(str(photo_path), str(painting_path), str(tmp_path / "results" / "r")),
        *("--weights", str(weights_path), "--size", "24", "--iter", "2"),
    ]


def results(tmp_path):
    """The names of what was saved, but for the table of losses, which is always there."""
    folder = tmp_path / "results"
    names = os.listdir(folder) if folder.exists() else []
    return sorted(name for name in names if name != "r_losses.csv")


def test_prints_the_originals_words_and_saves_each_iteration(command, tmp_path, capsys):
    assert nst.main([*command, "--recipe", "keras"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    number = r"[0-9.e+]+"
    iteration = (
        r"Start of iteration {0}\n{1}"
        rf"Current loss value: {number}\n"
        rf"  content {number}, style {number}, total variation {number}\n"
        r"Image saved as .*/results/r_at_iteration_{0}\.png\n"
        r"Iteration {0} completed in \d+s\n"
    )
    last = r"Image saved as .*/results/r\.png\n"
    before = r"This needs about 0\.\d GiB of memory\nUsing .*small\.h5\n"
    first, second = iteration.format(0, r"About \ds left\n"), iteration.format(1, "")
    assert re.fullmatch(before + first + second + last, out)
    assert results(tmp_path) == ["r.png", "r_at_iteration_0.png", "r_at_iteration_1.png"]
    assert nst.load_image(tmp_path / "results" / "r_at_iteration_1.png").size == (28, 24)


def test_quiet_prints_nothing(simple_loss, command, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(machine, "free_memory", lambda: 1.0)  # there would be a warning
    assert nst.main([*command, "--quiet", "--tile", "off"]) == 0
    assert capsys.readouterr() == ("", "")
    assert len(results(tmp_path)) == 3


def test_pyramid_saves_the_size_asked_for_only(simple_loss, command, tmp_path, capsys):
    assert nst.main([*command, "--size", "40", "--scales", "2"]) == 0
    out = capsys.readouterr().out
    assert len(re.findall(r"On the way, at 24x20 pixels: loss [0-9.e+]+ after \d+s\n", out)) == 2
    assert results(tmp_path) == ["r.png", "r_at_iteration_0.png", "r_at_iteration_1.png"]
    assert nst.load_image(tmp_path / "results" / "r_at_iteration_1.png").size == (48, 40)


def test_margins_left_out_are_printed_unless_they_are_to_stay(
    simple_loss, command, painting_path, capsys
):
    framed = np.pad(nst.load_image(painting_path), [(12, 12), (14, 14), (0, 0)])
    Image.fromarray(framed).save(painting_path)
    assert nst.main([*command, "--iter", "1"]) == 0
    line = f"Leaving out plain margins of {painting_path}; --style_crop none keeps them\n"
    assert line in capsys.readouterr().out
    assert nst.main([*command, "--iter", "1", "--style_crop", "none"]) == 0
    assert "Leaving out" not in capsys.readouterr().out


def test_early_stop_is_printed(simple_loss, command, tmp_path, capsys):
    assert nst.main([*command, "--tolerance", "1"]) == 0
    assert "Stopped at this size: an iteration gained" in capsys.readouterr().out
    assert results(tmp_path) == ["r.png", "r_at_iteration_0.png"]


def test_verbose_prints_peak_memory(simple_loss, command, capsys):
    assert nst.main([*command, "--verbose"]) == 0
    assert re.search(r"Peak memory of the process: \d+ MiB\n$", capsys.readouterr().out)


def test_progress_bar_with_time_left_on_a_terminal(simple_loss, command, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert nst.main(command) == 0
    out, err = capsys.readouterr()
    assert re.search(r" [1-9]\d%\|.*\| 00:\d\d, about \d+s left, loss ", err)
    assert "Start of iteration 1\n" in out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such terminals")
def test_first_line_on_a_terminal_comes_before_the_backend_is_imported(command):
    ours, theirs = os.openpty()
    argv = [sys.executable, SCRIPT, *command, "--weights", "none.h5"]  # which ends it soon
    run = subprocess.run(argv, stdout=theirs, stderr=subprocess.PIPE, text=True, timeout=60)
    with open(theirs, "wb"), open(ours, "rb", buffering=0) as terminal:
        first, second, *_ = terminal.read(1000).decode().splitlines()
    assert first == f"Starting {tensors.framework().name} ..."
    assert second.startswith("This needs about ")
    assert run.returncode == 1 and "none.h5" in run.stderr


def test_bar_made_while_another_thread_writes_a_line(capsys):
    with console.tqdm.external_write_mode():  # as in `say`
        console.progress_bar(quiet=False).close()
    console.say("the next line")
    assert capsys.readouterr().out == "the next line\n"


@pytest.mark.parametrize("format", FORMATS)
def test_format(simple_loss, format, command, tmp_path):
    assert nst.main([*command, "--iter", "1", "--format", format]) == 0
    assert results(tmp_path) == [f"r.{format}", f"r_at_iteration_0.{format}"]


@pytest.mark.parametrize(
    ("prefix", "options", "saved"),
    [
        ("r.png", [], ["r.png", "r_at_iteration_0.png"]),
        ("r.JPEG", [], ["r.jpg", "r_at_iteration_0.jpg"]),
        ("r.jpg", ["--format", "jpg"], ["r.jpg", "r_at_iteration_0.jpg"]),
        ("r.jpg", ["--format", "jpeg"], ["r.jpg", "r_at_iteration_0.jpg"]),
        ("r.1", [], ["r.1.png", "r.1_at_iteration_0.png"]),
        ("v0.5", ["--final_only"], ["v0.5.png"]),
    ],
)
def test_prefix_may_be_the_results_full_name(
    simple_loss, prefix, options, saved, command, tmp_path
):
    command[2] = str(tmp_path / "results" / prefix)
    assert nst.main([*command, "--iter", "1", *options]) == 0
    names = results(tmp_path)
    assert [name for name in names if not name.endswith("_losses.csv")] == saved


def test_sixteen_bits(simple_loss, command, tmp_path, capsys):
    assert nst.main([*command, "--iter", "1", "--bits", "16", "--format", "tiff"]) == 0
    pixels = tifffile.imread(tmp_path / "results" / "r_at_iteration_0.tiff")
    assert pixels.dtype == np.uint16
    assert np.unique(pixels % 257).size > 100  # not 8 bits, stretched
    fails([*command, "--bits", "16", "--format", "jpg"], 2, "needs --format png or tiff", capsys)


def test_results_say_how_they_were_made_and_can_be_made_again(
    simple_loss, command, tmp_path, capsys
):
    """Byte for byte, films and settings that are not the default included."""
    given = ["--strength", "0.6", "--noise_blend", "0.1", "--seed", "7", "--gif", "--plot"]
    assert nst.main([*command, *given]) == 0
    folder = tmp_path / "results"
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert first.keys() == {
        *("r.png", "r.gif", "r_losses.csv", "r_losses.png"),
        *("r_at_iteration_0.png", "r_at_iteration_1.png"),
    }
    earlier = tmp_path / "earlier.png"
    (folder / "r_at_iteration_1.png").rename(earlier)
    folder.rename(tmp_path / "before")
    capsys.readouterr()

    with pytest.raises(SystemExit, match="0"):
        nst.main(["--show", str(earlier)])
    made_by = capsys.readouterr().out.splitlines()[0]
    again = "photo.png painting.png .*/earlier --strength 0.6 --size 24 --noise_blend 0.1"
    assert re.search(f" {again} --seed 7$", made_by)
    with pytest.raises(SystemExit, match="0"):
        nst.main(["--show_record", str(earlier)])
    shown = json.loads(capsys.readouterr().out)
    assert shown["recipe"] == "neighbors"
    assert (shown["settings"]["seed"], shown["base"]["name"]) == (7, "photo.png")
    assert shown["losses"]["total"] == pytest.approx(sum(list(shown["losses"].values())[1:]))

    inputs = command[:3]
    weights = command[command.index("--weights") :][:2]
    assert nst.main([*inputs, *weights, "--like", str(earlier), "--gif"]) == 0
    assert capsys.readouterr().err == ""
    for name in ("r.png", "r.gif", "r_at_iteration_0.png", "r_at_iteration_1.png"):
        assert (folder / name).read_bytes() == first[name]


def test_like_follows_a_recipe_of_ones_own(photo_path, painting_path, weights_path, tmp_path):
    """Only Python can make one, but then its results are recipes for the command."""
    weights = nst.load_weights(str(weights_path))
    own = nst.RECIPES["pyramid"] | {"formula": "gatys", "finest_period": 4.0, "init": "noise"}
    pictures = str(photo_path), str(painting_path)
    job = nst.prepare(*pictures, own, size=24, iterations=1)
    made = nst.paint(job, weights).image
    record = metadata.make_record(job, weights, pictures[0], [pictures[1]])
    nst.save_image(made, tmp_path / "made.png", description=metadata.to_text(record))
    like = "--like", str(tmp_path / "made.png"), "--weights", str(weights_path)
    assert nst.main([*pictures, str(tmp_path / "again"), *like]) == 0
    assert np.array_equal(nst.load_image(tmp_path / "again.png"), made)
    again = metadata.read_record(tmp_path / "again.png")
    assert metadata.recipe_of(again) == metadata.recipe_of(record)


def test_like_warns_of_other_weights(
    simple_loss, command, tmp_path, full_weights_path, monkeypatch, capsys
):
    assert nst.main([*command, "--iter", "1"]) == 0
    result = str(tmp_path / "results" / "r_at_iteration_0.png")
    record = metadata.read_record(result)
    monkeypatch.setattr(VGG19Weights, "digest", property(lambda _: "another"))
    monkeypatch.setattr(metadata.platform, "python_version", lambda: "another")
    weights = command[command.index("--weights") :][:2]
    assert nst.main([*command[:3], *weights, "--like", result]) == 0
    err = capsys.readouterr().err
    assert err == f"warning: the result will differ a little from {result}: other weights\n"
    assert metadata.read_record(result)["settings"] == record["settings"]


def test_like_says_how_to_have_the_threads_of_then(simple_loss, command, tmp_path, capsys):
    """Pictures of a folder are painted by processes with fewer threads each."""
    with machine.threads(1):
        assert nst.main([*command, "--iter", "1"]) == 0
    again, like = str(tmp_path / "again"), ["--like", str(tmp_path / "results" / "r.png")]
    weights = command[command.index("--weights") :][:2]
    like = [*command[:2], again, *weights, *like]
    assert nst.main(like) == 0
    warning = capsys.readouterr().err
    assert "other number of threads (1, now as many as cores; for the same, set " in warning
    assert all(f"{name}=1" in warning for name in machine.THREADS)
    assert nst.main(like) == 0  # nothing is painted
    assert capsys.readouterr().err == ""
    like[2] = str(tmp_path / "with as many")
    with machine.threads(1):
        assert nst.main(like) == 0
    assert capsys.readouterr().err == ""


def test_like_a_picture_of_16_bits_in_a_format_of_8(simple_loss, command, tmp_path):
    assert nst.main([*command, "--iter", "1", "--bits", "16"]) == 0
    like = [*command[:2], str(tmp_path / "b.jpg"), *command[3:5]]
    assert nst.main([*like, "--like", str(tmp_path / "results" / "r.png")]) == 0
    assert metadata.read_record(tmp_path / "b.jpg")["bits"] == 8


def test_cut_out_is_told_of_and_no_warning(simple_loss, command, cut_out_path, capsys):
    assert nst.main([*command, "--iter", "1", "--keep_mask", str(cut_out_path)]) == 0
    out, err = capsys.readouterr()
    said = "a cut-out: opaque parts count as white, transparent ones as black\n"
    assert f"\nMask {cut_out_path}: {said}" in f"\n{out}"
    assert err == ""


def test_mask_with_colours_is_warned_of(simple_loss, command, tmp_path, capsys):
    Image.new("RGB", (48, 40), "red").save(tmp_path / "mask.png")
    assert nst.main([*command, "--iter", "1", "--keep_mask", str(tmp_path / "mask.png")]) == 0
    assert "warning: mask " in capsys.readouterr().err


def test_cut_out_is_the_gray_mask_of_what_is_opaque(simple_loss, command, cut_out_path, tmp_path):
    alpha = tmp_path / "alpha.png"
    Image.open(cut_out_path).getchannel("A").save(alpha)
    painted = []
    for mask in (cut_out_path, alpha):
        assert nst.main([*command, "--iter", "1", "--keep_mask", str(mask)]) == 0
        painted.append(nst.load_image(tmp_path / "results" / "r.png").tobytes())
    assert painted[0] == painted[1]


def test_like_notices_another_mask_of_the_same_name(simple_loss, command, tmp_path, capsys):
    mask = tmp_path / "mask.png"
    Image.new("L", (24, 20), "white").save(mask)
    assert nst.main([*command, "--iter", "1", "--content_mask", str(mask)]) == 0
    result = str(tmp_path / "earlier.png")
    (tmp_path / "results" / "r.png").rename(result)
    like = [*command[:3], *command[command.index("--weights") :][:2], "--like", result]
    fails(like, 2, "with --content_mask mask.png; give it again, or --content_mask none", capsys)
    assert nst.main([*like, "--content_mask", str(mask)]) == 0
    assert capsys.readouterr().err == ""
    Image.linear_gradient("L").save(mask)
    assert nst.main([*like, "--content_mask", str(mask)]) == 0
    assert capsys.readouterr().err.endswith("other content mask\n")
    assert nst.main([*like, "--content_mask", "none"]) == 0
    assert metadata.read_record(tmp_path / "results" / "r.png")["settings"]["content_mask"] is None


QUICK = ["--recipe", "keras", *SHALLOW]


def test_change_one_thing_at_a_time_leaves_every_try(simple_loss, command, tmp_path, capsys):
    """Without an error, whoever made what was there; `--like` and `--resume` do the same."""
    folder, command = tmp_path / "results", [*command, *QUICK]
    assert nst.main([*command, "--plot"]) == 0
    assert "earlier" not in capsys.readouterr().out
    first = {name: (folder / name).read_bytes() for name in os.listdir(folder)}
    assert nst.main([*command, "--iter", "1", "--strength", "0.7"]) == 0
    said = f"The earlier {folder}/r.png is kept as {folder}/r.1.png, with 4 more files\n"
    assert capsys.readouterr().out.count(said) == 1
    for name, content in first.items():
        assert (folder / name.replace("r", "r.1", 1)).read_bytes() == content
    again = {"r.png", "r_at_iteration_0.png", "r_losses.csv"}
    assert {name for name in os.listdir(folder) if not name.startswith("r.1")} == again
    (folder / "r.png").write_bytes(b"mine")
    like = ["--like", str(folder / "r.1.png"), *command[3:5]]
    assert nst.main([*command[:3], *like, "--resume"]) == 0
    assert (folder / "r.2.png").read_bytes() == b"mine"
    assert (folder / "r.png").read_bytes() == first["r.png"]


def test_same_command_again_paints_nothing_unless_it_is_to_overwrite(
    simple_loss, command, tmp_path, monkeypatch, capsys
):
    command += QUICK
    assert nst.main(command) == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "results").iterdir()}
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(nst, "paint", None)  # calling it would be a TypeError
        assert nst.main(command) == 0
    out = capsys.readouterr().out
    assert out.endswith(
        "r.png is finished: nothing is left to paint; --overwrite paints it again\n"
    )
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert nst.main([*command, "--overwrite"]) == 0
    assert "earlier" not in capsys.readouterr().out
    assert all(path.stat().st_mtime_ns > then for path, then in before.items())
    assert {*(tmp_path / "results").iterdir()} == before.keys()


def test_overwriting_leaves_no_step_of_the_earlier_run(simple_loss, command, tmp_path):
    command += QUICK
    assert nst.main(command) == 0
    mine = tmp_path / "results" / "r_at_iteration_9.png"
    mine.write_bytes(b"mine")
    assert nst.main([*command, "--iter", "1", "--overwrite"]) == 0
    assert results(tmp_path) == ["r.png", "r_at_iteration_0.png", mine.name]


def test_run_that_fails_leaves_the_earlier_result_where_it_is(command, tmp_path, capsys):
    command += QUICK
    assert nst.main(command) == 0
    before = results(tmp_path)
    fails([*command, "--style_weight", "1e38"], 1, "style loss became inf", capsys)
    assert results(tmp_path) == before


def test_pictures_that_are_given_do_not_move(simple_loss, command, tmp_path):
    """A step of an earlier run may be what this one starts from."""
    command += QUICK
    assert nst.main([*command, "--iter", "3", "--format", "jpg"]) == 0
    start = tmp_path / "results" / "r_at_iteration_1.jpg"
    given = ["--format", "jpg", "--iter", "1", "--init", str(start)]
    assert nst.main([*command, *given]) == 0
    assert results(tmp_path)[-3:] == ["r.jpg", "r_at_iteration_0.jpg", "r_at_iteration_1.jpg"]
    assert metadata.read_record(tmp_path / "results" / "r.jpg")["init"]["name"] == start.name


STEPS = ("_at_iteration_1", "_at_iteration_0")


def test_last_step_and_result_are_one_file_until_one_is_replaced(simple_loss, command, tmp_path):
    folder = tmp_path / "results"
    assert nst.main([*command, *QUICK]) == 0
    result, step, first = (folder / f"r{end}.png" for end in ("", *STEPS))
    assert result.samefile(step) and not result.samefile(first)
    before = step.read_bytes()
    save_image(np.zeros((24, 28, 3)), result)
    assert step.read_bytes() == before and not result.samefile(step)


def test_disk_without_links_has_the_result_twice(simple_loss, command, tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    assert nst.main([*command, *QUICK]) == 0
    result, step = (tmp_path / "results" / f"r{end}.png" for end in ("", STEPS[0]))
    assert result.read_bytes() == step.read_bytes() and not result.samefile(step)


def test_final_only_saves_the_picture_alone(simple_loss, command, tmp_path, capsys):
    command += QUICK
    assert nst.main([*command, "--final_only"]) == 0
    assert os.listdir(tmp_path / "results") == ["r.png"]
    assert nst.main([*command, "--iter", "1"]) == 0
    assert nst.main([*command, "--final_only"]) == 0
    assert sorted(os.listdir(tmp_path / "results")) == [
        *("r.1.png", "r.2.png", "r.2_at_iteration_0.png", "r.2_losses.csv", "r.png"),
    ]
    message = "--final_only and --every_iteration exclude each other; give one of them"
    fails([*command, "--final_only", "--every_iteration"], 2, message, capsys)


def test_mask_that_keeps_the_photo_is_recorded(simple_loss, command, photo_path, tmp_path, capsys):
    mask, command = tmp_path / "mask.png", [*command, *QUICK]
    pixels = np.zeros((24, 28), np.uint8)
    pixels[:, :14] = 255
    Image.fromarray(pixels).save(mask)
    assert nst.main([*command, "--keep_mask", str(mask)]) == 0
    record = metadata.read_record(tmp_path / "results" / "r.png")
    assert record["keep_mask"] == metadata.describe_file(mask)
    assert record["settings"]["keep_mask"] == "mask.png"
    like = [*command[:2], str(tmp_path / "again"), *command[3:5]]
    like += ["--like", str(tmp_path / "results" / "r.png")]
    fails(like, 2, "with --keep_mask mask.png; give it again, or --keep_mask none", capsys)
    assert nst.main([*like, "--keep_mask", str(mask)]) == 0
    again = (tmp_path / "again.png").read_bytes()
    assert again == (tmp_path / "results" / "r.png").read_bytes()


def test_losses_are_tabled(command, tmp_path):
    assert nst.main([*command, "--size", "40", "--scales", "2"]) == 0
    with open(tmp_path / "results" / "r_losses.csv") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *(
            "iteration",
            "evaluation",
            "seconds",
            "content",
            "style",
            "tv",
            "neighbors",
            "similarity",
            "total",
            "size",
        )
    ]
    assert [int(row["evaluation"]) for row in rows] == list(range(1, len(rows) + 1))
    assert {(row["size"], row["iteration"]) for row in rows} >= {
        *(("20", "0"), ("20", "1"), ("40", "0"), ("40", "1")),
    }
    for row in rows:
        names = "content", "style", "tv", "neighbors", "similarity"
        terms = (float(row[name]) for name in names)
        assert sum(terms) == pytest.approx(float(row["total"]))


def test_memory_that_will_not_do_is_warned_of(simple_loss, command, monkeypatch, capsys):
    monkeypatch.setattr(machine, "free_memory", lambda: 1.0)  # whether a container's or all
    assert nst.main([*command, "--iter", "1", "--tile", "off"]) == 0
    assert re.fullmatch(
        "warning: 28x24 pixels need about 0.. GiB of memory and 0.0 GiB are free; "
        "choose a smaller --size\n",
        capsys.readouterr().err,
    )


def test_memory_that_will_not_do_is_refused(command, capsys):
    message = (
        r"error: 28x24 pixels need about 0.. GiB of memory, and 0.1 may be taken; the program "
        r"alone takes 0.9: free some, or give a larger --memory"
    )
    fails([*command, "--memory", "0.1"], 2, message, capsys)


def test_format_that_cannot_hold_the_result_is_refused_before_the_run(command, monkeypatch, capsys):
    monkeypatch.setitem(photo.LARGEST_SIDES, "webp", 20)  # 16383 in earnest
    message = "28 pixels do not fit in a .webp, whose limit is 20; choose another --format"
    fails([*command, "--format", "webp"], 2, message, capsys)


def test_tiles_are_announced_and_leave_no_trace_in_the_record(
    simple_loss, command, tmp_path, capsys
):
    small = [*command, "--size", "60", "--iter", "1"]
    assert nst.main(small) == 0
    assert nst.main([*small[:2], str(tmp_path / "tiles"), *small[3:], "--tile", "32"]) == 0
    assert "GiB of memory, in tiles of 32 pixels\n" in capsys.readouterr().out
    whole, tiled = (
        metadata.read_record(tmp_path / name) for name in ("results/r.png", "tiles.png")
    )
    assert whole["settings"] == tiled["settings"]
    assert not {"memory", "tile"} & whole["settings"].keys()


def test_help_groups_every_setting(capsys):
    with pytest.raises(SystemExit, match="0"):
        nst.main(["--help", "all"])
    out = capsys.readouterr().out
    assert all(f"\n{group}:\n" in out for group in options.GROUPS)
    assert {setting.group for setting in SETTINGS.values()} <= options.GROUPS.keys()


def test_close_misses_are_suggested(command, capsys):
    fails([*command, "--stile-weight", "2"], 2, "did you mean --style_weight", capsys)
    fails([*command, "--nothing_like_it"], 2, "arguments: --nothing_like_it; see", capsys)


def test_shell_completion(tmp_path):
    """As Bash asks for it through argcomplete: the answer comes on file descriptor 8."""
    line = f"{SCRIPT} --conte"
    answer = tmp_path / "answer"
    environment = os.environ | {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "COMP_TYPE": "9",
    }
    subprocess.run([sys.executable, SCRIPT], env=environment, check=True, timeout=60)
    assert set(re.split(r"[\s\x0b]+", answer.read_text().strip())) >= {
        *("--content_weight", "--content_layers", "--content_mask")
    }


def test_hyphens_are_as_good_as_underscores(simple_loss, command, tmp_path):
    assert nst.main([*command, "--content-weight=0", "--tv-weight", "0"]) == 0
    given = ["--a-b=c-d", "e-f", "--", "--g-h"]
    assert underscored(given) == ["--a_b=c-d", "e-f", "--", "--g-h"]


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        nst.main(["--version"])
    assert nst.__version__ in capsys.readouterr().out


def fails(argv, status, message, capsys):
    """Asserts that the command fails with `status` and one line on stderr."""
    try:
        received = nst.main([str(argument) for argument in argv])
    except SystemExit as exit:
        received = exit.code
    err = capsys.readouterr().err
    assert re.search(message, err), err
    assert err.count("\n") == 1, err
    assert received == status


@pytest.mark.parametrize("position", [0, 1, 2])
def test_empty_name_is_not_the_current_folder(
    position, command, photo_path, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(photo_path.parent)  # all that is in it would be painted
    command[position] = ""
    name = ("base", "style_reference", "result_prefix")[position]
    fails(command, 2, f"error: {name} must not have an empty value, as in ", capsys)
    assert results(tmp_path) == []


@pytest.mark.parametrize(
    "options",
    [
        *(["--like", ""], ["--keep_mask", ""], ["--content_mask", ""], ["--init", ""]),
        *(["--styles", "a.jpg", ""], ["--style_masks", ""], ["--weights", ""], ["--ray", ""]),
        *(["--scratch="], ["--show", "r.png", ""], ["--show_record", ""], ["--size", ""]),
    ],
)
def test_empty_value_is_refused_by_its_option(options, command, capsys):
    option = options[0].rstrip("=")
    fails([*command, *options], 2, f"error: {option} must not have an empty value", capsys)


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("kind", BAD_PICTURES)
def test_bad_picture(kind, position, command, tmp_path, capsys):
    command[position] = make_bad_picture(kind, tmp_path)
    message = "is a folder without pictures" if kind == "a folder" else BAD_PICTURES[kind]
    fails(command, 2, message, capsys)
    assert results(tmp_path) == []


@pytest.mark.parametrize(
    "option", ["--styles", "--style_masks", "--content_mask", "--init", "--like", "--weights"]
)
def test_pipe_that_nobody_writes_to_is_not_waited_for(option, command, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe.png")
    status = 1 if option == "--weights" else 2
    fails(
        [*command, option, str(tmp_path / "pipe.png")], status, "pipe.png: (is a|no such)", capsys
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--iter", "0"], "--iter must be a whole number of at least 1 and at most 100000"),
        (["--iter", "1.5"], "--iter must be a whole number"),
        (["--content_weight", "-1"], "--content_weight must be a finite number of at least 0"),
        (["--style_weight", "nan"], "--style_weight must be a finite number of at least 0"),
        (["--tv_weight", "inf"], "--tv_weight must be a finite number of at least 0"),
        (["--size", "15"], "--size must be a whole number of at least 16"),
        (["--size", "9" * 401], r"must be .* at most 1000000, or own, .*, received '9+\.\.\.$"),
        (["--scales", "2000"], "--scales must be a whole number of at least 1 and at most 100"),
        (
            ["--size", "100", "--scales", "4"],
            "--scales must be smaller: the first of 4 sizes up to",
        ),
        (
            ["--style_scale", "1e308"],
            "--style_scale must be at most 1000, or fit or area, received '1e308'",
        ),
        (["--recipe", "athalye", "--beta1", "1"], "--beta1 must be at least 0 and below 1"),
        (["--recipe", "athalye", "--beta2", "1"], "--beta2 must be at least 0 and below 1"),
        (["--iter", "9" * 20], "--iter must be .* at most 100000, received '9+'"),
        (["--recipe", "magic"], "--recipe: must be one of keras, .*, received 'magic'; see"),
        (["--recipe", "neigbors"], "--recipe: .*, received 'neigbors'; did you mean neighbors"),
        (["--format", "bmp"], "--format: must be one of png, .*, received 'bmp'"),
        (["--magic"], "unrecognized arguments: --magic"),
    ],
)
def test_bad_option(options, message, command, capsys):
    fails([*command, *options], 2, message, capsys)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pairs"], "--pairs is for a folder, and .* is a photo; leave it out"),
        (["--fail_fast"], "--fail_fast is for a folder, and .* is a photo"),
        (["--jobs", "2"], "--jobs is for a folder, a film or a comparison, and .* is a photo"),
        (["--temporal_weight", "0"], "--temporal_weight is for a film, and .* is a photo"),
        (["--learning_rate", "1"], "--learning_rate needs --optimizer adam, or recipe athalye"),
        (["--beta1", "0.5"], "--beta1 needs --optimizer adam"),
        (["--recipe", "crowson", "--beta2", "0.5"], "--beta2 needs --optimizer adam"),
        (["--recipe", "athalye", "--optimizer", "lbfgs", "--epsilon", "1"], "--epsilon needs"),
    ],
)
def test_option_that_would_do_nothing_is_refused(options, message, command, tmp_path, capsys):
    fails([*command, *options], 2, message, capsys)
    assert results(tmp_path) == []


@pytest.mark.parametrize(
    ("folder", "options", "message"),
    [
        (True, ["--resume"], "--resume is for a photo, and .* is a folder; the same command"),
        (True, ["--temporal_weight", "5"], "--temporal_weight is for a film, and .* is a folder"),
        (
            False,
            ["--fps", "12", "--resume"],
            "--resume is for a photo, and .* is a film; the same",
        ),
        (False, ["--fps", "12", "--plot"], "--plot is for a photo or a folder, and .* is a film"),
    ],
)
def test_option_of_photos_is_refused_with_others(
    folder, options, message, command, tmp_path, capsys
):
    command[0] = tmp_path if folder else command[0]
    fails([*command, *options], 2, f"{message}", capsys)


@pytest.mark.parametrize("more", [[], ["--optimizer", "lbfgs"]])
def test_like_a_picture_whose_settings_would_do_nothing_now(simple_loss, more, command, tmp_path):
    """They are those of Adam, or of a film; only what is given is refused."""
    adam = ["--recipe", "athalye", "--size", "24", "--optimizer", "adam", "--beta1", "0.8"]
    assert nst.main([*command, *adam]) == 0
    path = tmp_path / "results" / "r.png"
    record = metadata.read_record(path)
    assert "temporal_weight" not in record["settings"]
    record["settings"]["temporal_weight"] = 7.0  # as records before 1.1 have it
    save_image(nst.load_image(path), tmp_path / "earlier.png", description=metadata.to_text(record))
    like = [*command[:5], "--like", str(tmp_path / "earlier.png")]
    assert nst.main([*like, *more]) == 0
    again = metadata.read_record(path)["settings"]
    assert again["beta1"] == (0.9 if more else 0.8)
    assert "temporal_weight" not in again


def test_the_script_itself_paints_by_the_module_that_apps_import(command, monkeypatch):
    """Run as a program, it is loaded twice; what is kept for the next picture is there once."""
    painted, paint = [], nst.paint
    monkeypatch.setattr(nst, "paint", lambda *given, **more: painted.append(paint(*given, **more)))
    monkeypatch.setattr(sys, "argv", [SCRIPT, *command])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(SCRIPT, run_name="__main__")
    assert len(painted) == 1


def test_names_that_the_output_cannot_show(simple_loss, command, tmp_path, monkeypatch):
    """As on Windows, where output that goes to a file is cp1252."""
    command[2] = str(tmp_path / "results" / "\u732b")
    said = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(said, encoding="cp1252"))
    assert nst.main(command) == 0
    assert rb"\u732b.png" in said.getvalue()
    assert "\u732b.png" in results(tmp_path)


def test_names_do_not_command_the_terminal(simple_loss, command, tmp_path, capsys):
    command[2] = str(tmp_path / "results" / "a\x1b[2J\nb")
    assert nst.main(command) == 0
    assert rf"Image saved as {tmp_path}/results/a\x1b[2J\nb.png" in capsys.readouterr().out
    fails(["\x1b[2J", *command[1:]], 2, r"\\x1b\[2J: no such file", capsys)
    fails([*command, "--\x1b[2J"], 2, r"arguments: --\\x1b\[2J; see --help", capsys)


@pytest.mark.skipif(os.name == "nt", reason="needs bash")
def test_commands_are_printed_so_that_they_can_be_pasted():
    words = [
        "a b",
        "it's",
        "$(id)",
        "a\x1b[2J\n'\\b",
        os.fsdecode(b"caf\xe9"),
        "caf\u00e9",
        "--x=\t1",
        "",
    ]
    text = console.in_shell(words)
    assert text.isprintable()
    printed = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {text}"], stdout=subprocess.PIPE
    ).stdout
    assert printed.split(b"\0")[:-1] == [os.fsencode(word) for word in words]


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_output_that_is_closed(simple_loss, closed, command, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, closed, None)  # as Python has it then
    assert nst.main([*command, "--plot"]) == 0
    getattr(sys, closed).close()
    assert "r_losses.png" in results(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="needs a shell that can close files")
def test_no_file_of_ours_takes_the_number_of_output_that_is_closed():
    """What a library prints would be written into it."""
    program = "import sys; from stylize.apps.console import make_printable as ready; ready(); "
    program += "sys.exit(open(sys.executable).fileno() <= 2)"
    command = ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", program]
    assert subprocess.run(command, cwd=os.path.dirname(SCRIPT)).returncode == 0


def test_missing_arguments(capsys):
    fails(["base.jpg"], 2, "required: style_reference, result_prefix, as in", capsys)
    example = "neural_style_transfer.py photo.jpg painting.jpg results/name"
    command = ["photo.jpg", "painting.jpg", "--size", "100"]
    fails(command, 2, f"required: result_prefix, as in {example}", capsys)


def test_prefix_that_cannot_be_written_is_found_before_the_network_loads(
    command, photo_path, capsys, monkeypatch
):
    monkeypatch.setattr(photo, "load_weights", None)  # calling it would be a TypeError
    command[2] = photo_path / "r"  # its folder is a file
    fails(command, 2, "photo.png/r: cannot write in .*; choose another folder", capsys)
    command[2] = "/proc/none/r"
    fails(command, 2, "cannot write in /proc/none", capsys)


def test_prefix_whose_longest_name_is_too_long_is_found_before_the_network_loads(
    command, tmp_path, capsys, monkeypatch
):
    """The result alone would fit; the names of pictures on the way do not."""
    monkeypatch.setattr(photo, "load_weights", None)
    command[2] = str(tmp_path / ("r" * 230))
    fails(command, 2, "is too long for names such as r*_at_iteration_1.png; choose a sh", capsys)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
@pytest.mark.parametrize("name", ["r.png", "r_state.npz", "r_losses.csv"])
def test_pipe_with_the_name_of_a_result_is_not_waited_for(name, command, tmp_path, capsys):
    (tmp_path / "results").mkdir()
    os.mkfifo(tmp_path / "results" / name)
    fails([*command, "--resume"], 2, f"{name}: is not a file, but a result needs", capsys)


@pytest.mark.parametrize("prefix", ["loop/r", "loop/"])
def test_prefix_in_a_loop_of_links(prefix, command, tmp_path, capsys):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    command[2] = f"{tmp_path}/{prefix}"
    fails(command, 2, "loop", capsys)


def test_folder_that_cannot_be_written_is_named_and_not_an_option(
    command, tmp_path, capsys, monkeypatch
):
    def refuse(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(os, "access", lambda *_: False)  # as root, everything can be written
    monkeypatch.setattr(console, "Unfinished", refuse)
    fails(command, 2, f"cannot write in {tmp_path / 'results'} .Permission denied.; ch", capsys)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
def test_output_on_a_full_disk_is_named(command, capsys, monkeypatch):
    with contextlib.closing(io.FileIO("/dev/full", "w")) as full:
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(full, write_through=True))
        message = "standard output: No space left on device; free some space and try again; no pict"
        fails(command, 1, message, capsys)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
@pytest.mark.parametrize(
    ("program", "asked"),
    [
        ("neural_style_transfer.py", "--help"),
        ("neural_style_transfer.py", "help"),
        ("neural_style_transfer.py", "--version"),
        ("neural_style.py", "--help"),
        ("app.py", "--help"),
    ],
)
def test_answer_on_a_full_disk_is_named(program, asked):
    with open("/dev/full", "w") as full:
        command = [sys.executable, os.path.join(os.path.dirname(SCRIPT), program), asked]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    said = f"{program}: error: standard output: No space left on device\n"
    assert (ended.returncode, ended.stderr) == (1, said)


def test_any_number_of_iterations_begins_at_once(command, capsys):
    """The names of their pictures are not listed."""
    fails([*command, "--iter", "100000", "--weights", "none.h5"], 1, "none.h5: no such", capsys)


def test_bad_weights(command, tmp_path, capsys):
    fails([*command, "--weights", tmp_path / "none.h5"], 1, "none.h5: no such file", capsys)
    (tmp_path / "bad.h5").write_bytes(b"bad")
    fails([*command, "--weights", tmp_path / "bad.h5"], 1, "bad.h5: damaged, or not", capsys)
    assert results(tmp_path) == []


@pytest.mark.skipif(not files.fcntl, reason="Windows has no such locks")
def test_two_runs_with_one_prefix_do_not_mix(simple_loss, command, tmp_path, capsys):
    """Of two, the one that ended last would have replaced the other's result."""
    folder = tmp_path / "results"
    folder.mkdir()
    with files.alone(folder / "r"):  # as a run that paints
        fails([*command, "--strength", "0.7"], 2, "results/r: another run is painting it", capsys)
        assert os.listdir(folder) == [".r.lock"]
    assert nst.main(command) == 0


def test_little_room_is_told_of_in_figures_that_say_so(simple_loss, command, monkeypatch, capsys):
    monkeypatch.setattr(photo, "free_disk", lambda folder: 0.1)
    assert nst.main([*command, "--size", "64"]) == 0
    assert re.search(
        r": 0\.1 MiB of disk are free and .* take [1-9]\.\d MiB;", capsys.readouterr().err
    )


def test_disk_full_keeps_what_is_there(simple_loss, command, tmp_path, capsys, monkeypatch):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "r_at_iteration_0.png").write_bytes(b"precious")
    monkeypatch.setattr(Image.Image, "save", disk_full)
    fails(
        command,
        1,
        "r_at_iteration_0.png: No space left on device; free some space .*; no picture was",
        capsys,
    )
    assert results(tmp_path) == ["r.1_at_iteration_0.png", "r_state.npz"]  # to resume from
    assert (tmp_path / "results" / "r.1_at_iteration_0.png").read_bytes() == b"precious"


def test_infinite_loss_names_the_term(command, tmp_path, capsys):
    fails([*command, "--style_weight", "1e38"], 1, "style loss became inf at .*lower", capsys)
    assert results(tmp_path) == []


def test_infinite_loss_keeps_the_last_good_picture(command, tmp_path, capsys, monkeypatch):
    losses = nst.Evaluator.losses

    def fails_in_iteration_1(self, x):
        if self.evaluations == 25:
            self._loss_and_grads = named(lambda x: (np.array([0, np.nan, 0]), x))
        return losses(self, x)

    monkeypatch.setattr(nst.Evaluator, "losses", fails_in_iteration_1)
    message = r"style loss became nan.*the last picture is .*_at_iteration_0.png\n"
    fails([*command, "--recipe", "keras"], 1, message, capsys)
    nst.load_image(tmp_path / "results" / "r_at_iteration_0.png")
    assert "r_state.npz" not in results(tmp_path)  # it would be the same again


STOPPED = r".*: {}; the last picture is (.*\.png); resume with: .* --resume\n"


@pytest.mark.parametrize(
    ("signal_sent", "status", "words"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGHUP, 143, "terminated")],
)
def test_stop_keeps_the_last_picture(
    signal_sent, status, words, simple_loss, command, tmp_path, monkeypatch, capsys
):
    losses = nst.Evaluator.losses

    def stopped_in_iteration_1(self, x):
        if self.evaluations == 25:
            os.kill(os.getpid(), signal_sent)
        return losses(self, x)

    monkeypatch.setattr(nst.Evaluator, "losses", stopped_in_iteration_1)
    assert nst.main([*command, "--recipe", "keras", "--iter", "3"]) == status
    picture = re.fullmatch(STOPPED.format(words), capsys.readouterr().err)[1]
    assert picture.endswith("r_at_iteration_0.png")
    nst.load_image(picture)
    assert "r_state.npz" in results(tmp_path)


def test_ctrl_c_keeps_the_last_picture(photo_path, painting_path, full_weights_path, tmp_path):
    """As a user does it: the real command in a process of its own, stopped while it paints."""
    process = subprocess.Popen(
        [
            *(sys.executable, SCRIPT, photo_path, painting_path, tmp_path / "r", "--size", "24"),
            *("--weights", full_weights_path, "--iter", "100000", "--recipe", "keras", *SHALLOW),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=foreground,
    )
    with process:
        try:
            while process.poll() is None and not (tmp_path / "r_at_iteration_1.png").exists():
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130
    nst.load_image(re.fullmatch(STOPPED.format("interrupted"), err)[1])
    assert re.search(r"resume with: \S*python\S* ", err)
    assert (tmp_path / "r_state.npz").exists()
    assert not list(tmp_path.glob(".*"))


def test_backend_that_is_not_installed_is_named(command):
    program = "import os, sys\nif os.environ['KERAS_BACKEND'] == 'jax': sys.modules['jax'] = None\n"
    program += "import neural_style_transfer as nst; sys.exit(nst.main(sys.argv[1:]))"
    for backend, message in [
        ("jax", "the backend jax needs the package jax, which is not installed: pip install jax"),
        ("numpy", "KERAS_BACKEND=numpy: must be one of tensorflow, jax, torch"),
    ]:
        result = subprocess.run(
            [sys.executable, "-c", program, *command],
            env=os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": os.path.dirname(SCRIPT)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.returncode == 2
        assert message in result.stderr and result.stderr.count("\n") == 1


KERAS_PROGRAM = """
import os, sys
os.environ.pop("KERAS_BACKEND", None)
sys.modules["jax"] = None
import neural_style_transfer as nst
from stylize.errors import InputError
try:
    print(nst.keras.Input((1,)).dtype, nst.keras.optimizers.Adam().learning_rate.dtype)
except InputError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"backend": "numpy"}', "backend numpy: must be one of tensorflow, jax, torch"),
        ('{"backend": "jax"}', "the backend jax needs the package jax, which is not installed"),
        ('{"floatx": "float8"}', "cannot be used (Invalid `floatx` configuration."),
        ("[]", "cannot be used ("),
        ('{"floatx": "float16"}', "float32 float32"),
    ],
)
def test_file_of_keras_says_what_can_be_used_or_is_named(text, said, keras_home):
    keras_home.mkdir()
    (keras_home / "keras.json").write_text(text)
    result = subprocess.run(
        [sys.executable, "-c", KERAS_PROGRAM],
        env=os.environ | {"PYTHONPATH": os.path.dirname(SCRIPT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert said in result.stdout and result.stdout.count("\n") == 1
    assert result.stderr == ""


HOMELESS = """
import os, pwd, sys
def nobody(number):
    raise KeyError(number)
pwd.getpwuid = nobody
import neural_style_transfer as nst
sys.exit(nst.main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="users have no entries there")
def test_user_without_a_home_paints_with_weights_of_their_own(command, full_weights_path, tmp_path):
    """As in a container whose user has no entry."""
    (tmp_path / "~").mkdir()  # else Keras would leave its file in /tmp
    told = {name: os.environ[name] for name in os.environ if name not in ("HOME", "KERAS_HOME")}
    result = subprocess.run(
        [sys.executable, "-c", HOMELESS, *command, "--weights", full_weights_path, *QUICK],
        env=told | {"PYTHONPATH": os.path.dirname(SCRIPT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert "r.png" in results(tmp_path)


class ResourceExhaustedError(Exception):
    """As TensorFlow has it."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        ResourceExhaustedError("OOM when allocating tensor with shape[1,64,9999,9999]"),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 99 bytes"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        ResourceExhaustedError("failed to allocate memory [Op:AddV2]"),
        RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_too_little_memory_is_one_line(error, command, capsys, monkeypatch):
    def raise_it(*_):
        raise error

    monkeypatch.setattr(nst, "stage_objective", raise_it)
    fails(command, 1, "not enough memory; choose a smaller --size; no picture was", capsys)


def test_other_faults_are_not_hidden(command, monkeypatch):
    monkeypatch.setattr(nst, "stage_objective", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        nst.main(command)


@pytest.mark.parametrize(("there", "end"), [(False, os.sep), (True, os.sep), (True, "")])
@pytest.mark.parametrize("compare", [[], ["--compare"]])
def test_prefix_that_is_a_folder_is_refused_before_anything_is_painted(
    there, end, compare, command, tmp_path, capsys
):
    folder = tmp_path / "results"
    if there:
        folder.mkdir()
    prefix = f"{folder}{end}"
    message = f"is a folder; add a name for the result: {folder / 'NAME'}"
    fails([*command[:2], prefix, *command[3:], *compare], 2, re.escape(message), capsys)
    assert folder.exists() == there and results(tmp_path) == []


@pytest.mark.parametrize("prefix", ["-", os.devnull])
def test_results_are_not_piped(prefix, command, capsys):
    message = f"{prefix}: a result is a file; name one, such as results/painted"
    fails([*command[:2], prefix, *command[3:]], 2, re.escape(message), capsys)


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="there is no such name here")
def test_results_are_not_put_beside_a_redirected_output(command, tmp_path):
    given = [sys.executable, nst.__file__, *command[:2], "/dev/stdout", *command[3:]]
    with open(tmp_path / "out.txt", "wb") as out:  # a file, to which /dev/stdout leads then
        run = subprocess.run(given, stdout=out, stderr=subprocess.PIPE, text=True, timeout=60)
    assert run.returncode == 2
    assert "/dev/stdout: a result is a file; name one, such as results/painted\n" in run.stderr


@pytest.mark.parametrize("name", ["-lead.jpg", "-1.jpg", "--lead.jpg"])
def test_name_that_is_taken_for_an_option_is_told_how_to_write(
    name, command, photo_path, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(photo_path, name)
    fails([name, *command[1:]], 2, f"error: {name}: is taken .*, write ./{name};", capsys)
    assert nst.main([f"./{name}", *command[1:]]) == 0


def test_name_with_a_space_and_a_dash_is_no_option(
    command, photo_path, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(photo_path, "-my lead.jpg")
    assert nst.main(["-my lead.jpg", *command[1:]]) == 0
    given = [*command, "--", "-lead.jpg"]  # a fourth picture, whatever it is called
    fails(given, 2, "several photos", capsys)


@pytest.mark.parametrize("which", ["base", "style", "mask", "on the way"])
def test_pictures_that_are_given_are_never_replaced(
    which, command, photo_path, painting_path, tmp_path, capsys
):
    prefix, options = tmp_path / "mine", []
    mine = tmp_path / ("mine_at_iteration_0.png" if which == "on the way" else "mine.png")
    shutil.copyfile(painting_path if which == "style" else photo_path, mine)
    base, style = photo_path, painting_path
    if which == "mask":
        options = ["--content_mask", str(mine)]
    elif which == "style":
        style = mine
    else:
        base = mine
    before = mine.read_bytes()
    assert nst.main([str(base), str(style), str(prefix), *command[3:], *options]) == 2
    assert f"{mine}: would be overwritten by a result; choose" in capsys.readouterr().err
    assert mine.read_bytes() == before


@pytest.mark.parametrize(
    ("given", "again"),
    [
        (["--", "-x.jpg", "S", "P"], ["--resume", "--", "-x.jpg", "S", "P"]),
        (["B", "S", "P", "--styles", "T"], ["B", "S", "P", "--styles", "T", "--resume"]),
        (["--res", "B", "S", "P"], ["--res", "B", "S", "P"]),
    ],
)
def test_command_that_resumes_is_one_that_works(given, again):
    command = shlex.split(options.parse(given).resume_command)
    assert command[-len(again) :] == again and "--resume" not in command[: -len(again)]
    assert options.parse(again).resume


@pytest.mark.parametrize("option", ["--style_masks", "--style_blend", "--style_scale"])
def test_values_for_styles_that_are_not_named_are_refused(option, command, capsys):
    message = f"{option} must have one value for each style: 1 in all, not 2; name further"
    fails([*command, option, "1", "2"], 2, f"{message} paintings with --styles$", capsys)


@pytest.mark.parametrize(("step", "warned"), [(0, 1), (3, 1), (4, 0)])
def test_painting_of_one_plain_colour_is_warned_of(
    simple_loss, step, warned, command, tmp_path, capsys
):
    sheet = np.full((40, 40, 3), 250, np.uint8)
    sheet[20:, :, 1] += step  # the softest of pictures
    Image.fromarray(sheet).save(tmp_path / "sheet.png")
    command[1] = str(tmp_path / "sheet.png")
    assert nst.main(command) == 0
    line = f"warning: {command[1]}: is one plain colour; there is nothing to paint with\n"
    assert capsys.readouterr().err.count(line) == warned
