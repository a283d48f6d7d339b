"""Those benchmarks that are to be run on machines of all kinds, at a tiny size."""

import argparse
import dataclasses
import hashlib
import json
import re
import sys
import tarfile
import time
from collections import Counter

import cluster
import gpu
import neighbor_search
import numpy as np
import optimizers
import panel
import peers
import pytest
import sizes
import startup
import weave
from conftest import numpy_cosines
from held_out import pictures as held_out
from PIL import Image

import neural_style_transfer as nst
from stylize.losses import search
from stylize.losses.tiled import TilePasses
from stylize.vgg.preprocess import preprocess_image


def test_gpu_prints_a_row_for_each_size_and_goes_on_where_one_fails(full_weights_path, capfd):
    tensorflow = ["--backends", "tensorflow", "--weights", str(full_weights_path)]
    assert gpu.main(["--rows", "5", "32", "--evaluations", "1", *tensorflow]) == 0
    *_, failed, row = capfd.readouterr().out.splitlines()
    assert "at least 16" in failed
    assert re.match(r" *tensorflow [\d.]+ +[CG]PU +32 +[\d.]+ +2 +[\d.]+%  \w+, \d+ MiB", row)


def test_optimizers_are_compared_in_turns(full_weights_path, tmp_path, capfd):
    path = tmp_path / "optimizers.json"
    arguments = ["--pairs", "cat+ink", "--rows", "32", "--weights", str(full_weights_path)]
    assert optimizers.main([*arguments, "--json", str(path)]) == 0
    (row,) = json.loads(path.read_text())
    assert (row["pair"], row["rows"]) == ("cat+ink", 32)
    for name in ("seconds_scipy", "seconds", "loss_scipy", "loss"):
        assert row[name] > 0
    assert re.search(r"cat\+ink +scipy +[\d.]+ +40 ", capfd.readouterr().out)


def test_search_is_compared_with_that_of_every_pair(monkeypatch):
    monkeypatch.setattr(search, "FEW", 0)
    monkeypatch.setattr(search, "FEW_QUERIES", 0)
    monkeypatch.setattr(search, "AXES", 2)  # and three channels, so that some are missed
    monkeypatch.setattr(search, "SHORTLIST", 1)
    queries, candidates = np.random.default_rng(0).normal(size=(2, 500, 3)).astype(np.float32)
    indices, _ = search.nearest(queries, candidates)
    nearest = search.nearest_of_all(queries, candidates)
    cosines = numpy_cosines(queries, candidates)
    found = np.take_along_axis(cosines, indices[:, np.newaxis], 1)[:, 0]
    same, lost = neighbor_search.compared(queries, candidates, indices, nearest)
    assert 0 < same < 1 and same == np.mean(indices == cosines.argmax(1))
    assert lost == pytest.approx(np.mean(cosines.max(1) - found), rel=1e-3)


def texture(seed, period=None, strength=10):
    """A picture with ever less power the finer, as paintings have; a grating of a period on it."""
    down, across = np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128), indexing="ij")
    noise = np.fft.fft2(np.random.default_rng(seed).normal(0, 1, (128, 128)))
    values = np.fft.ifft2(noise / (np.hypot(down, across) + 0.02) ** 1.5).real
    values = 128 + 20 * values / values.std()
    if period:
        values += strength * np.sin(2 * np.pi * np.arange(128) / period)[:, np.newaxis]
    return Image.fromarray(values.clip(0, 255).astype(np.uint8)).convert("RGB")


PLAIN_PHOTO = Image.new("RGB", (64, 64), "gray")


def test_weave_is_of_lines_three_pixels_apart():
    plain = weave.weave(texture(0), PLAIN_PHOTO)
    assert 0.2 < plain < 0.6
    assert weave.weave(texture(0, 3), PLAIN_PHOTO) > 5
    rotated = texture(0, 3).rotate(90)
    assert weave.weave(rotated, PLAIN_PHOTO) == pytest.approx(
        weave.weave(texture(0, 3), PLAIN_PHOTO), rel=0.2
    )
    for period in (4.5, 8):  # strokes
        assert weave.weave(texture(0, period), PLAIN_PHOTO) < 1.1 * plain


def test_weave_counts_where_the_photo_is_plain():
    detailed = np.asarray(texture(1)).copy()
    detailed[:, :64] = 128
    painted = np.hstack([np.asarray(texture(0, 3))[:, :64], np.asarray(texture(0))[:, 64:]])
    on_plain = weave.weave(Image.fromarray(painted), Image.fromarray(detailed))
    on_detail = weave.weave(Image.fromarray(painted[:, ::-1]), Image.fromarray(detailed))
    assert on_plain > 3 * on_detail


def test_sizes_are_compared_with_the_smallest(simple_loss, tmp_path, capfd, full_weights_path):
    arguments = ["--pairs", "cat+ink", "--sides", "48", "64", "--weights", str(full_weights_path)]
    assert sizes.main([str(tmp_path), *arguments]) == 0
    *_, row, mean = capfd.readouterr().out.splitlines()
    gram, pixels = map(float, row.removeprefix("cat+ink").split())
    assert 0 < gram < 1 and 0 < pixels < 1  # nearer than the photo
    assert mean.split()[1:] == row.split()[1:]
    key = json.loads((tmp_path / "key.json").read_text())
    assert sorted(key["cat+ink"].values()) == [48, 64]
    assert (tmp_path / "cat+ink_sheet.png").exists()


def test_same_picture_is_at_no_distance_and_the_photo_at_one(full_vgg19):
    network = nst.build_network(full_vgg19, sizes.LAYERS)
    photo, painted = (Image.effect_noise((64, 48), sigma).convert("RGB") for sigma in (20, 90))
    same, as_photo = sizes.compare(network, photo, [painted, painted, photo])
    assert same == pytest.approx([0, 0], abs=1e-6) and as_photo == pytest.approx([1, 1])


def test_panel_tells_the_weave_of_each_recipe(simple_loss, tmp_path, capfd, full_weights_path):
    arguments = ["--pairs", "cat+ink", "--recipes", "neighbors", "--rows", "64", "--weights"]
    panel.main(["paint", str(tmp_path), *arguments, str(full_weights_path)])
    (tmp_path / "choices.json").write_text('{"cat+ink": "a"}')
    panel.main(["count", str(tmp_path)])
    (woven,) = json.loads((tmp_path / "weave.json").read_text())["neighbors"].values()
    assert f"weave {woven:.2f}, {woven:.2f} at cat+ink" in capfd.readouterr().out


def archive_of(path, names):
    """A .tar.gz with an empty file of each name. Returns its SHA-256."""
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_held_out_photos_come_from_one_archive_that_is_checked(tmp_path, monkeypatch):
    photos, styles = zip(*(pair.split("+") for pair in held_out.PAIRS), strict=True)
    path, folder = tmp_path / "opencv.tar.gz", tmp_path / "pictures"
    folder.mkdir()
    for name in styles:
        (folder / f"{name}.jpg").touch()  # they take minutes to paint
    names = [f"opencv-5/opencv/samples/data/{name}.png" for name in (*photos, "../lena")]
    digest = archive_of(path, [*names, "opencv-5/README.md"])
    monkeypatch.setattr(held_out, "ARCHIVE", path.as_uri())
    with pytest.raises(ValueError, match="has changed: its SHA-256 is another"):
        held_out.gather(folder)
    monkeypatch.setattr(held_out, "SHA256", digest)
    held_out.gather(folder)
    assert {path.stem for path in folder.iterdir()} == {*photos, *styles}
    monkeypatch.setattr(held_out, "ARCHIVE", "file:///nothing")
    held_out.gather(folder)  # needs nothing more


def test_pictures_of_a_pair_are_found_by_name_or_path(tmp_path):
    for name in ("cat.png", "ink.jpg"):
        (tmp_path / name).touch()
    assert panel.find("cat", tmp_path) == tmp_path / "cat.png"
    assert panel.find(str(tmp_path / "ink.jpg"), tmp_path / "cat") == tmp_path / "ink.jpg"


def test_styles_that_are_held_out_are_used_twice_and_nowhere_else():
    photos, styles = zip(*(pair.split("+") for pair in held_out.PAIRS), strict=True)
    assert len({*photos}) == 16 and set(Counter(styles).values()) == {2}
    known = {path.stem for path in (panel.ROOT / "img").iterdir()}
    assert not known & {*photos, *styles}


def test_panel_counts_what_is_ranked_or_says_what_it_needs(tmp_path, capfd):
    with pytest.raises(SystemExit, match="needs key.json, and choices.json or rankings.json"):
        panel.main(["count", str(tmp_path)])
    panel.main(["count", str(panel.ROOT / "docs" / "panel" / "neural-style-pt")])
    assert re.search(r"^neighbors +6 of 6", capfd.readouterr().out, re.MULTILINE)


def test_summary_is_the_median_of_times_and_the_mean_and_highest_of_losses():
    rows = [
        {"seconds": s, "seconds_scipy": 10, "loss": loss, "loss_scipy": 2}
        for s, loss in [(1, 2), (2, 4), (9, 6)]
    ]
    assert optimizers.summary(rows).endswith(
        "seconds 0.200 (median), loss 2.0000 (mean), 3.0000 (highest)"
    )


def test_startup_is_measured_part_by_part(full_weights_path, photo_path, painting_path, capfd):
    arguments = [photo_path, painting_path, "--rows", 32, "--weights", full_weights_path]
    assert startup.main([str(argument) for argument in [*arguments, "--repeats", 1]]) == 0
    *parts, total = capfd.readouterr().out.splitlines()
    seconds = [float(line.split()[-2]) for line in parts]
    assert len(parts) == 8
    assert float(total.split()[-2]) == pytest.approx(sum(seconds), abs=0.05)


@pytest.mark.usefixtures("evaluated_once")
def test_model_of_a_cluster_has_the_bytes_that_travel(small_vgg19):
    job, stage = cluster.prepare(64, 80, 48, "pyramid", "float32")
    made = {}

    def passes(network, terms, tiles, targets):
        made["counted"] = cluster.Counting(TilePasses(network, terms, tiles, targets), tiles)
        made["model"] = cluster.bytes_travelling(network, tiles, 1)
        return made["counted"]

    objective = nst.stage_objective(job._replace(passes=passes), small_vgg19, stage)
    objective(job.start(stage).ravel())
    counted = made["counted"]
    assert len(objective.tiles) == 4
    assert counted.parts + counted.others + counted.answers == made["model"]


def test_a_program_is_timed_in_its_turns_alone():
    script = """if True:
        import time
        for loss in 3, 2, 1:
            print("Total loss:", loss)
            end = time.process_time() + 0.1
            while time.process_time() < end:
                pass
        """
    started = time.perf_counter()
    program = peers.Turns([sys.executable, "-u", "-c", script])
    while program.take(0.05):
        time.sleep(0.2)
    program.check("the script")
    elapsed = time.perf_counter() - started
    assert [loss for _, loss in program.trace] == [3, 2, 1]
    assert 0.2 <= program.trace[-1][0] < elapsed / 2


def test_peers_are_compared_by_the_time_to_the_others_last_loss():
    args = argparse.Namespace(
        program="johnson", photo="img/cat.jpg", painting="img/ink.jpg", size=64, steps=3
    )
    theirs = [[10.0, 9.0], [20.0, 5.0], [30.0, 4.0], [40.0, 1.0]]  # the last is after the steps
    row = peers.compare(args, {"theirs": theirs, "ours": [[2.0, 7.0], [3.0, 4.0], [5.0, 2.0]]})
    assert (row["pair"], row["seconds_theirs"], row["loss_theirs"]) == ("cat+ink", 30.0, 4.0)
    assert (row["seconds"], row["ratio"], row["loss"]) == (3.0, 0.1, 2.0)
    assert peers.compare(args, {"theirs": theirs, "ours": [[2.0, 7.0]]})["ratio"] is None


def test_peers_run_on_the_same_network(small_vgg19, photo):
    torch = pytest.importorskip("torch")
    weights = like_mirror(small_vgg19)
    network = nst.build_network(weights, ["block5_conv1"], edges="replicate")
    expected = network(preprocess_image(photo)[np.newaxis])["block5_conv1"]
    mean, deviation = peers.TORCHVISION
    picture = torch.tensor((photo / 255 - mean) / deviation).permute(2, 0, 1)[np.newaxis]
    up_to_block5_conv1 = peers.torchvision_vgg19(weights)[:30]
    up_to_block5_conv1[0].padding_mode = "replicate"  # so does style-transfer-pytorch
    with torch.no_grad():
        found = up_to_block5_conv1(picture.float())[0].permute(1, 2, 0)
    np.testing.assert_allclose(found, expected[0], atol=1e-4 * np.max(expected))


def test_layers_that_pass_their_input_on_have_no_place_in_a_vgg16(small_vgg19):
    torch = pytest.importorskip("torch")
    state = peers.johnson_state(like_mirror(small_vgg19))
    places = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]  # of torchvision's
    assert list(state) == [f"features.{i}.{what}" for i in places for what in ("weight", "bias")]
    kernel, _ = small_vgg19.layers["block1_conv1"]
    assert torch.equal(state["features.0.weight"].permute(2, 3, 1, 0), torch.tensor(kernel))


def like_mirror(weights):
    """The same with three layers that pass their input on."""
    layers = dict(weights.layers)
    for name in ("block3_conv4", "block4_conv4", "block5_conv4"):
        kernel, bias = (np.zeros_like(array) for array in layers[name])
        kernel[1, 1] = np.eye(len(bias))
        layers[name] = kernel, bias
    return dataclasses.replace(weights, layers=layers)
