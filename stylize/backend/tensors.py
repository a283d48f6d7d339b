"""Losses, gradients and devices of whatever computes under Keras: TensorFlow, JAX or PyTorch.

`keras` is imported when first used. `LossAndGrads` turns a function of tensors into the loss and
gradient that an optimiser needs. The rest asks the backend: devices, memory, precision.
"""

import contextlib
import functools
import gc
import importlib
import json
import logging
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np

from stylize.backend import machine
from stylize.backend.frameworks import FRAMEWORKS, Framework
from stylize.backend.signals import held_back
from stylize.errors import InputError, one_line

FILE_ERRORS = (AttributeError, OSError, RecursionError, TypeError, ValueError)  # of Keras's file
OUT_OF_MEMORY = (  # what the backends say of it, on a processor and on a GPU
    *("RESOURCE_EXHAUSTED", "ResourceExhausted", "out of memory", "OOM when"),
    *("can't allocate memory", "ailed to allocate", "ALLOC_FAILED"),
)
# Who is told before the import, see `told_of_start`.
_tell: ContextVar[Callable[[str], None]] = ContextVar("tell", default=lambda name: None)


class _Keras:
    """The `keras` package, imported when first used.

    The import takes seconds, which `--help` and a mistyped path should not cost. TensorFlow's C++
    part logs its start-up to file descriptor 2 whatever its log level, so that is closed meanwhile.
    """

    _started, _lock = False, threading.RLock()

    def __getattr__(self, name: str) -> Any:
        if not self._started:
            with self._lock, held_back():
                import_keras()
                self._start_devices()
        return getattr(sys.modules["keras"], name)

    def _start_devices(self):
        if not self._started:
            with _silenced_stderr():
                sys.modules["keras"].ops.zeros(())
            type(self)._started = True


def import_keras() -> None:
    """Imports Keras and its backend, unless they are, and starts no device. It takes seconds.

    Raises InputError: the backend is not one of ours, or is not installed.
    """
    if "keras" in sys.modules:
        return
    tell_of_start()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Else TensorFlow takes all of a GPU at once, JAX three quarters, and an open page leaves other
    # programs nothing.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    # Else PyTorch's threads wait for each other in loops, and on a busy machine take a core that
    # one of them needs: up to six times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    machine.keep_freed_memory()
    with held_back(), _silenced_stderr():
        _import_keras()
    # It would warn that a function is traced anew at each size, as it must be.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _import_keras():
    """Imports the package. Raises InputError: its backend is another one, or is not installed."""
    own_file, asked = _own_file(), chosen_backend()
    where = "KERAS_BACKEND=" if os.environ.get("KERAS_BACKEND") else f"{own_file}: backend "
    # Asked first: to import a backend that cannot be used may need what is not there.
    if asked not in FRAMEWORKS:
        raise InputError(f"{where}{one_line(asked)}: must be one of {', '.join(FRAMEWORKS)}")
    try:
        package = importlib.import_module("keras")
    except ModuleNotFoundError as error:
        raise InputError(
            f"the backend {asked} needs the package {error.name}, which is not installed: pip "
            f"install {error.name}, or set KERAS_BACKEND to another"
        ) from None
    except FILE_ERRORS as error:
        if not own_file.exists():
            raise
        raise InputError(
            f"{own_file}: cannot be used ({one_line(error)}); correct or remove it"
        ) from None
    # What the file may say of numbers is for others: ours are as --precision says.
    package.config.set_floatx("float32")


def _own_file():
    """Where Keras keeps what a user has chosen: in /tmp for one without a home of their own."""
    home = os.path.expanduser("~")  # stays "~" where nobody knows it
    folder = os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")
    return Path(os.path.expanduser(os.environ.get("KERAS_HOME") or folder)) / "keras.json"


def chosen_backend() -> str:
    """The backend that Keras is to have, without importing it; TensorFlow where nobody says."""
    if asked := os.environ.get("KERAS_BACKEND"):
        return asked
    with contextlib.suppress(KeyError, *FILE_ERRORS):
        return str(json.loads(_own_file().read_text())["backend"])
    return "tensorflow"


@contextlib.contextmanager
def told_of_start(tell: Callable[[str], None]) -> Iterator[None]:
    """Calls `tell` with the backend's name wherever its import, which takes seconds, begins."""
    before = _tell.set(tell)
    try:
        yield
    finally:
        _tell.reset(before)


def tell_of_start() -> None:
    """Tells that the backend's import begins, here or in another process, see `told_of_start`."""
    if framework := FRAMEWORKS.get(chosen_backend()):
        _tell.get()(framework.name)


@contextlib.contextmanager
def _silenced_stderr() -> Iterator[None]:
    """Sends file descriptor 2 to nowhere, C and C++ code's messages included."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


keras: Any = _Keras()


# ---------------------------------------------------------------------------------------------
# Losses and gradients
# ---------------------------------------------------------------------------------------------


def with_gradient(function: Callable) -> Callable:
    """What a `ValueAndGrad` needs of a function: itself and its gradient, compiled.

    Args:
        function: from a float32 tensor, and any further arguments, to a tensor (n,).
    """
    return framework().value_and_grad(function)


class ValueAndGrad:
    """A function's values, and the gradient of their sum by its first argument.

    Args:
        compiled: from `with_gradient`. Several may share it: each learns for itself how much the
            gradient is to be scaled down on its way through a float16 network.
    """

    def __init__(self, compiled: Callable):
        self._value_and_grad, self._scale = compiled, np.float32(1)

    def __call__(self, x: Any, *others: Any) -> tuple[Any, Any]:
        """(values, gradient) at x, the backend's tensors.

        Args:
            x: an array or a tensor.
            others: arrays, tensors, None, or nested lists, dictionaries and tuples of these.
        """
        others = to_tensors(others)
        values, gradient = self._value_and_grad(x, self._scale, *others)
        # On its way back through a float16 network a large gradient overflows: scale it down.
        while is_finite(values) and not is_finite(gradient) and self._scale > 1e-30:
            self._scale /= np.float32(256)
            values, gradient = self._value_and_grad(x, self._scale, *others)
        return values, gradient if self._scale == 1 else gradient / self._scale


class LossAndGrads:
    """The losses of a combination and the gradient of their sum, compiled.

    Calling it is what SciPy needs: from a flat float64 vector of rows*cols*3 values to (losses,
    gradient), NumPy arrays of shape (n,) and (rows*cols*3,), float64.

    Args:
        losses: from `with_gradient`, of a function from a float32 tensor (1, rows, cols, 3), and
            any further arguments, to a tensor (n,).
        rows, cols: of the picture.
        names: of the n losses.
        others: the further arguments, as `ValueAndGrad` takes them.

    Attributes:
        shape: of the combination, (1, rows, cols, 3).
        names: as given.
    """

    def __init__(
        self,
        losses: Callable,
        rows: int,
        cols: int,
        names: Sequence[str] = (),
        others: Sequence[Any] = (),
    ):
        self.shape, self.names = (1, rows, cols, 3), names
        self._value_and_grad, self._others = ValueAndGrad(losses), to_tensors(others)

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, gradient = self.on_device(as_combination(x, self.shape))
        values, gradient = map(keras.ops.convert_to_numpy, (values, gradient))
        return values.astype(np.float64), gradient.astype(np.float64).ravel()

    def on_device(self, combination: Any) -> tuple[Any, Any]:
        """The same for and in the backend's tensors: (1, rows, cols, 3) to (losses, gradient)."""
        return self._value_and_grad(combination, *self._others)


def as_combination(x: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Returns x as float32 of the shape (1, rows, cols, 3), which it has already, or without the 1,
    or flat.

    Raises InputError: another shape, or integers, which pixels are before `preprocess_image`.
    """
    x = to_numpy(x)
    if x.shape not in (shape, shape[1:], (math.prod(shape),)) or x.dtype.kind in "iub":
        raise InputError(
            f"x must be floats of shape {shape[1:]}, {shape} or flat, as preprocess_image makes "
            f"them, received {x.dtype} of shape {x.shape}"
        )
    return x.astype(np.float32, copy=False).reshape(shape)


def to_tensors(nested: Any) -> Any:
    """The arrays in nested lists, dictionaries and tuples as the backend's tensors; None stays.

    Numbers become float32; arrays keep their type.
    """

    def tensor(x):
        if x is None:
            return None
        return keras.ops.convert_to_tensor(np.float32(x) if isinstance(x, int | float) else x)

    return keras.tree.map_structure(tensor, nested)


def compiled(function: Callable) -> Callable:
    """A function of tensors, compiled. Arguments as `ValueAndGrad` takes them."""
    compiled_function = framework().compiled(function)
    return lambda *arguments: compiled_function(*to_tensors(arguments))


def after(x: Any, tensor: Any) -> Any:
    """The same tensor, but what is made of it is not computed before x is.

    TensorFlow would compute all that depends on no argument first, and hold it until it is used.
    """
    if keras.backend.backend() != "tensorflow":
        return tensor
    import tensorflow as tf

    with tf.control_dependencies([x]):
        return tf.identity(tensor)


def to_numpy(array: Any) -> np.ndarray:
    """A tensor of the backend as a NumPy array; one that is such an array already, itself."""
    return array if isinstance(array, np.ndarray) else keras.ops.convert_to_numpy(array)


def is_finite(array: Any) -> bool:
    """Whether all values of a tensor or an array are finite."""
    ops = np if isinstance(array, np.ndarray) else keras.ops
    return bool(ops.all(ops.isfinite(array)))


# ---------------------------------------------------------------------------------------------
# Devices
# ---------------------------------------------------------------------------------------------


def backend_version() -> str:
    """The version of TensorFlow, JAX or PyTorch, whatever package brought it."""
    return importlib.import_module(keras.backend.backend()).__version__


def framework() -> Framework:
    """What computes under Keras, a `Framework`."""
    return FRAMEWORKS[keras.backend.backend()]


def uses_gpu() -> bool:
    """Whether the backend computes on a GPU."""
    return count_gpus() > 0


def count_gpus() -> int:
    """How many GPUs the backend finds."""
    return framework().count_gpus()


def bfloat16_is_fast() -> bool:
    """Whether this is TensorFlow on a CPU that computes in bfloat16.

    There an evaluation takes 0.6 of the time, and the result's loss, measured in float32, is no
    higher (docs/defaults.md has the figures). Elsewhere nothing is known, so it is not used.
    """
    on_cpu = keras.backend.backend() == "tensorflow" and not uses_gpu()
    return on_cpu and machine.has_bfloat16()


def convolves_slowly() -> bool:
    """Whether this is TensorFlow on a CPU with its own convolutions, not those of oneDNN.

    oneDNN is in use on Linux where the processor has AVX-512 with VNNI, or where
    `TF_ENABLE_ONEDNN_OPTS` asks for it.
    """
    if keras.backend.backend() != "tensorflow" or uses_gpu():
        return False
    from tensorflow.python.util import _pywrap_util_port

    return not _pywrap_util_port.IsMklEnabled()


def require_channels_first() -> None:
    """Raises InputError where this machine's backend has no channels_first convolution."""
    if keras.backend.backend() == "tensorflow" and not uses_gpu():
        raise InputError(
            "TensorFlow has no channels_first convolution on a CPU; set image_data_format to "
            "channels_last in ~/.keras/keras.json, or KERAS_BACKEND to jax or torch"
        )


def free_memory() -> float:
    """MiB that this process may still take and has taken: the GPU's, where it computes on one."""
    if uses_gpu():
        return framework().gpu_free() / 2**20
    return machine.free_memory()


def peak_memory() -> dict[str, float]:
    """Peak MiB so far of this process, and of the backend's GPU where it has one."""
    gpu = framework().gpu_peak() / 2**20
    peaks = {"process": machine.peak_memory(), "GPU": gpu}
    return {where: mib for where, mib in peaks.items() if mib}


@contextlib.contextmanager
def freed_afterwards() -> Iterator[None]:
    """Frees at the end what was compiled for one picture alone, whose parts hold each other.

    What was loaded before the first one stays, and is not looked at: that would take a while.
    Where an error ends a picture, whose traceback still holds all of it, the next one frees it.
    """
    _freeze_what_is_loaded()
    yield
    with held_back():  # a collection calls libraries' functions, where exceptions are lost
        gc.collect()


@functools.cache  # once: a second freeze would keep what a picture left to be collected later
def _freeze_what_is_loaded():
    """Leaves libraries, and all else that is loaded by then, out of all collections to come."""
    import_keras()
    gc.collect()  # what is garbage now would never be freed
    gc.freeze()


@contextlib.contextmanager
def out_of_memory_as_memory_error() -> Iterator[None]:
    """Turns what each backend raises where memory runs out into Python's MemoryError."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # of a class that only the backend has
        if any(sign in f"{type(error).__name__}: {error}" for sign in OUT_OF_MEMORY):
            raise MemoryError("not enough memory") from error
        raise
