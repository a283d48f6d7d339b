"""VGG19's weights: what they are, and the files that hold them.

Every file is read into a `VGG19Weights`: the kernels and biases of the sixteen convolutions under
their Keras layer names, and the mean pixel they were trained with.
"""

import dataclasses
import functools
import hashlib
import itertools
import os
import re
import warnings
from pathlib import Path

import numpy as np

from stylize.errors import WeightsError, one_line
from stylize.vgg.matfile import read_mat

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
LONGEST_SIDECAR = 2**16  # bytes that are read of the digest beside a file
MOST_NODES, DEEPEST_GROUP = 10_000, 10  # of an HDF5 file; Keras needs some hundreds, and five
LARGEST_MEAN = 2**20  # numbers of a mean image, in MatConvNet's file 224 x 224 x 3
IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)
ONNX_NAME = r"(block\d_conv\d)_1/(?:convolution/ReadVariableOp|Squeeze):0$"  # kernel or bias


@dataclasses.dataclass(frozen=True, eq=False)
class VGG19Weights:
    """The sixteen convolutions of a VGG19. They are equal where their numbers are.

    The numbers are not to be changed in place: what has been compiled with them stays as it is.

    Attributes:
        layers: Keras layer name -> (kernel, bias), float32, of shapes (3, 3, in, out) and (out,);
            the first kernel expects BGR.
        mean_bgr: the mean pixel (blue, green, red), 0..255, subtracted from every picture.
        source: where they come from, in words.
    """

    layers: dict[str, tuple[np.ndarray, np.ndarray]]
    mean_bgr: tuple[float, float, float] = IMAGENET_MEAN_BGR
    source: str = ""

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 of all kernels and biases: of the numbers, whatever file they come from."""
        digest = hashlib.sha256()
        for kernel, bias in self.layers.values():
            digest.update(np.ascontiguousarray(kernel).data)
            digest.update(np.ascontiguousarray(bias).data)
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VGG19Weights):
            return NotImplemented
        return self.digest == other.digest and tuple(self.mean_bgr) == tuple(other.mean_bgr)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        """Without the numbers, of which there are twenty million."""
        return (
            f"<VGG19Weights, {len(self.layers)} convolutions: {self.source or 'no source given'}>"
        )


def read_weights(path: str | os.PathLike) -> VGG19Weights:
    """Reads a VGG19 weight file by its suffix: Keras .h5, .hdf5 and .weights.h5, MatConvNet .mat.

    Where `PATH.sha256` lies beside the file, the file must match it.

    Raises:
        WeightsError: missing, damaged, or not a VGG19; the message names the file and what was
            expected.
    """
    if not isinstance(path, str | os.PathLike):
        raise WeightsError(f"weights must be a path or a VGG19Weights, not {type(path).__name__}")
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
    if not _matches_sidecar(path):
        raise WeightsError(f"weights {path}: does not match {path.name}.sha256; fetch it again")
    try:
        with warnings.catch_warnings(action="ignore"):  # what is damaged is found below
            weights = readers[path.suffix.lower()](path)
    except WeightsError:
        raise
    except MemoryError:
        raise WeightsError(
            f"weights {path}: needs more memory than is left, or is damaged"
        ) from None
    except Exception as error:  # the readers raise whatever a damaged file makes them trip over
        raise WeightsError(
            f"weights {path}: damaged, or not a {path.suffix} weight file ({one_line(error)})"
        ) from error
    check_vgg19(weights.layers, path)
    return weights


def write_h5(weights: VGG19Weights, path: str | os.PathLike) -> None:
    """Writes `VGG19Weights` in the layout of Keras's "notop" .h5 files (BGR, no mean pixel)."""
    import h5py  # a fifth of a second, which only those who use it should wait for

    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in weights.layers]
        for name, (kernel, bias) in weights.layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
            group[f"{name}/kernel:0"] = kernel
            group[f"{name}/bias:0"] = bias


def _read_h5(path):
    """Keras HDF5: the old layouts (notop, full, whole model) and Keras 3's .weights.h5."""
    import h5py

    found: dict = {}
    visited = itertools.count(1)

    def visit(name, node):  # h5py follows no link on the way
        if next(visited) > MOST_NODES or name.count("/") >= DEEPEST_GROUP:
            raise WeightsError(f"weights {path}: not a VGG19 file: too many groups in it")
        if isinstance(node, h5py.Dataset) and (layer := _layer_of(node)):
            if node.external or node.is_virtual:
                raise WeightsError(f"weights {path}: has its numbers in other files; save it whole")
            if node.id.get_create_plist().get_nfilters():  # HDF5 unpacks without end, if so made
                problem = "is compressed, or has checksums; save it without"
                raise WeightsError(f"weights {path}: {problem}")
            found.setdefault(layer, {})[node.ndim] = node

    with h5py.File(path, "r") as file:
        is_model = isinstance(file.get("model_weights", getlink=True), h5py.HardLink)
        (file["model_weights"] if is_model else file).visititems(visit)
        pairs = {name: (by_ndim.get(4), by_ndim.get(1)) for name, by_ndim in found.items()}
        check_shapes(pairs, path)  # first: a damaged file may speak of terabytes
        layers = {
            name: tuple(np.asarray(dataset, np.float32) for dataset in pairs[name])
            for name in CONVOLUTIONS
        }
    return VGG19Weights(layers, source=str(path))


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
    data = read_mat(path)
    if "layers" not in data:
        raise WeightsError(f"weights {path}: not a VGG19 file: no 'layers' in it")
    found = [pair for layer in data["layers"] if (pair := _mat_kernel_and_bias(layer))]
    layers = {}
    for (name, shape), (kernel, bias) in zip(CONVOLUTIONS.items(), found, strict=False):
        # fc6..fc8, which come after these, stay in the file.
        layers[name] = kernel.transpose(1, 0, 2, 3), bias
        if [array.shape for array in layers[name]] == [(3, 3, *shape), shape[1:]]:  # else refused
            layers[name] = tuple(array.astype(np.float32) for array in layers[name])
    if "block1_conv1" in layers:
        kernel, bias = layers["block1_conv1"]
        layers["block1_conv1"] = (kernel[:, :, ::-1, :], bias)  # RGB -> BGR
    return VGG19Weights(layers, mean_bgr=_mat_mean_bgr(data, path), source=str(path))


def _mat_kernel_and_bias(layer):
    """(kernel, bias) of one MatConvNet layer, a dictionary; None for a layer without weights."""
    weights = layer.get("weights", _first(layer))
    if not isinstance(weights, list) or len(weights) < 2:
        return None
    kernel, bias = weights[:2]
    return (kernel, bias.ravel()) if kernel.ndim == 4 else None


def _mat_mean_bgr(data, path):
    """The mean pixel of a MatConvNet file: `normalization` (old), `meta.normalization` (new)."""
    if "meta" in data:
        normalization = data["meta"]["normalization"]
    elif "normalization" in data:
        normalization = data["normalization"]
    else:
        raise WeightsError(f"weights {path}: not a VGG19 file: no 'normalization' or 'meta' in it")
    image = normalization.get("averageImage", _first(normalization))
    if not isinstance(image, np.ndarray) or image.size > LARGEST_MEAN:
        raise WeightsError(f"weights {path}: not a VGG19 file: its mean image is none")
    mean_rgb = np.asarray(image, np.float64).reshape(-1, 3).mean(axis=0)
    if not np.all((mean_rgb >= 0) & (mean_rgb <= 255)):
        raise WeightsError(f"weights {path}: damaged: the mean pixel is {mean_rgb}")
    return tuple(float(value) for value in mean_rgb[::-1])


def _first(fields):
    """The value of a structure's first field."""
    return next(iter(fields.values()), None)


def read_onnx(data: bytes) -> VGG19Weights:
    """The mirror's ONNX bytes: VGG16's convolutions, made a VGG19 that computes the same.

    A 3x3 kernel with a one in its centre passes features that are not negative (so: after a ReLU)
    through unchanged. With it in the three layers that VGG16 lacks, VGG19 gives VGG16's features
    exactly.
    """
    import onnx

    found: dict = {}
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


def check_vgg19(layers: dict, path: str | os.PathLike) -> None:
    """Raises WeightsError unless `layers` are VGG19's sixteen convolutions, in shape and finite."""
    check_shapes(layers, path)
    for name in CONVOLUTIONS:
        if not all(np.isfinite(array).all() for array in layers[name]):
            raise WeightsError(f"weights {path}: damaged: {name} holds NaN or infinity")


def check_shapes(layers: dict, path: str | os.PathLike) -> None:
    """Raises WeightsError unless `layers` have VGG19's sixteen convolutions, in their shapes.

    Args:
        layers: layer name -> (kernel, bias), floating arrays or HDF5 datasets, None where missing.
        path: of the file that they are from.
    """
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
            if not np.issubdtype(array.dtype, np.floating):
                raise WeightsError(
                    f"weights {path}: damaged: expected {name} of numbers with a fraction, "
                    f"received {one_line(array.dtype)}"
                )


def file_digest(path: str | os.PathLike, algorithm: str) -> str:
    """The hash of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def sidecar(path: Path) -> Path:
    """The file beside a weight file that holds its sha256."""
    return path.with_name(path.name + ".sha256")


def _matches_sidecar(path):
    """Whether a file matches the sha256 beside it, as sha256sum, BSD or Windows write it, if any.

    Raises WeightsError: it cannot be read.
    """
    beside = sidecar(path)
    if not beside.is_file():
        return True
    try:
        with beside.open("rb") as file:
            text = file.read(LONGEST_SIDECAR).lower()
    except OSError as error:
        raise WeightsError(f"{beside}: cannot be read ({error.strerror})") from None
    found = re.findall(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", text)
    return found[:1] == [file_digest(path, "sha256").encode()]


def passes_through(kernel: np.ndarray, bias: np.ndarray) -> bool:
    """Whether a convolution gives back what it is given, features being at least 0.

    The mirror's weights have three such layers, a fifth of the network's work.
    """
    identity = np.zeros_like(kernel)
    identity[1, 1] = np.eye(*kernel.shape[2:])
    return not bias.any() and np.array_equal(kernel, identity)
