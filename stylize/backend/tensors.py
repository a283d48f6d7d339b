"""TensorFlow, JAX or PyTorch under Keras: the only module that knows which of them computes.

`keras` is imported when first used. `LossAndGrads` turns a function of tensors into the loss and
gradient that an optimiser needs. The rest asks the backend: devices, memory, precision.
"""

import contextlib
import importlib
import json
import logging
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stylize.backend import machine
from stylize.errors import InputError, one_line

FILE_ERRORS = (AttributeError, OSError, RecursionError, TypeError, ValueError)  # of Keras's file
OUT_OF_MEMORY = ("RESOURCE_EXHAUSTED", "out of memory", "OOM when", "can't allocate memory")


class _Keras:
    """The `keras` package, imported when first used.

    The import takes seconds, which `--help` and a mistyped path should not cost. TensorFlow's C++
    part logs its start-up to file descriptor 2 whatever its log level, so that is closed meanwhile.
    """

    def __getattr__(self, name: str) -> Any:
        if "keras" not in sys.modules:
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
            with _silenced_stderr():
                keras = _import_keras()
                keras.ops.zeros(())  # the backend starts its devices here
            # It would warn that a function is traced anew at each size, as it must be.
            logging.getLogger("tensorflow").setLevel(logging.ERROR)
        return getattr(sys.modules["keras"], name)


def _import_keras():
    """The `keras` package. Raises InputError: its backend is another one, or is not installed."""
    own_file = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "keras.json"
    if asked := os.environ.get("KERAS_BACKEND", ""):
        where = "KERAS_BACKEND="
    else:
        asked, where = _backend_of(own_file), f"{own_file}: backend "
    # Asked first: to import a backend that cannot be used may need what is not there.
    if asked not in _GRADIENTS:
        raise InputError(f"{where}{one_line(asked)}: must be one of {', '.join(_GRADIENTS)}")
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
    return package


def _backend_of(own_file):
    """The backend that Keras's own file names; TensorFlow, Keras's default, if it names none."""
    with contextlib.suppress(KeyError, *FILE_ERRORS):
        return str(json.loads(own_file.read_text())["backend"])
    return "tensorflow"


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


class ValueAndGrad:
    """A function's values, and the gradient of their sum by its first argument, compiled.

    Args:
        function: from a float32 tensor, and any further arguments, to a tensor (n,).
    """

    def __init__(self, function: Callable):
        self._value_and_grad = _GRADIENTS[keras.backend.backend()](function)
        self._scale = np.float32(1)

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
        losses: function from a float32 tensor (1, rows, cols, 3) to a tensor (n,).
        rows, cols: of the picture.
        names: of the n losses.
    """

    def __init__(self, losses: Callable, rows: int, cols: int, names: Sequence[str] = ()):
        self.shape, self.names = (1, rows, cols, 3), names
        self._value_and_grad = ValueAndGrad(losses)

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, gradient = self.on_device(np.asarray(x, np.float32).reshape(self.shape))
        values, gradient = map(keras.ops.convert_to_numpy, (values, gradient))
        return values.astype(np.float64), gradient.astype(np.float64).ravel()

    def on_device(self, combination: Any) -> tuple[Any, Any]:
        """The same for and in the backend's tensors: (1, rows, cols, 3) to (losses, gradient)."""
        return self._value_and_grad(combination)


def to_tensors(nested: Any) -> Any:
    """The arrays in nested lists, dictionaries and tuples as the backend's tensors; None stays."""
    return keras.tree.map_structure(
        lambda x: None if x is None else keras.ops.convert_to_tensor(x), nested
    )


def compiled(function: Callable) -> Callable:
    """A function of tensors, compiled. Arguments as `ValueAndGrad` takes them."""
    compiled_function = compiler()(function)
    return lambda *arguments: compiled_function(*to_tensors(arguments))


def to_numpy(array: Any) -> np.ndarray:
    """A tensor of the backend as a NumPy array; one that is such an array already, itself."""
    return array if isinstance(array, np.ndarray) else keras.ops.convert_to_numpy(array)


def is_finite(array: Any) -> bool:
    """Whether all values of a tensor or an array are finite."""
    ops = np if isinstance(array, np.ndarray) else keras.ops
    return bool(ops.all(ops.isfinite(array)))


def _tensorflow_value_and_grad(function):
    import tensorflow as tf

    @_tensorflow_compiled
    def value_and_grad(x, scale, *others):
        with tf.GradientTape() as tape:
            tape.watch(x)
            values = function(x, *others)
            total = scale * tf.reduce_sum(values)
        return values, tape.gradient(total, x)

    return lambda x, scale, *others: value_and_grad(
        tf.convert_to_tensor(x), tf.convert_to_tensor(scale), *others
    )


def _jax_value_and_grad(function):
    import jax

    def total(x, scale, *others):
        values = function(x, *others)
        return scale * values.sum(), values

    value_and_grad = jax.jit(jax.value_and_grad(total, has_aux=True))

    def without_total(x, scale, *others):
        (_, values), gradient = value_and_grad(x, scale, *others)
        return values, gradient

    return without_total


def _torch_value_and_grad(function):
    import torch

    def value_and_grad(x, scale, *others):
        x = keras.ops.convert_to_tensor(x).detach().requires_grad_()
        values = function(x, *others)
        (gradient,) = torch.autograd.grad(float(scale) * values.sum(), x)
        return values.detach(), gradient

    return value_and_grad


_GRADIENTS = {
    "tensorflow": _tensorflow_value_and_grad,
    "jax": _jax_value_and_grad,
    "torch": _torch_value_and_grad,
}


def compiler() -> Callable[[Callable], Callable]:
    """The backend's own way to compile a function of tensors and lists of tensors."""
    return _COMPILERS[keras.backend.backend()]


def _tensorflow_compiled(function):
    import tensorflow as tf

    # There is nothing in our functions for autograph to rewrite: a second saved.
    graph = tf.function(function, autograph=False)

    def call(*arguments):
        with _sums_in_order():
            return graph(*arguments)

    return call


@contextlib.contextmanager
def _sums_in_order() -> Iterator[None]:
    """Keeps TensorFlow's memory optimizer away from functions first called meanwhile.

    Where it takes memory to be short, on a CPU from 205 MiB on (about 200 rows), it turns sums of
    three tensors or more into additions to a variable, in the order in which they happen to be
    ready. The last bits of a gradient then differ from call to call, and pictures from run to run.
    `tf.config` can only switch off all optimizers, and for the user's functions too; this is for
    the calls of one thread.
    """
    import tensorflow as tf
    from tensorflow.python.eager import context

    eager = context.context()
    before = eager.function_call_options
    config = tf.compat.v1.ConfigProto.FromString(before.config_proto_serialized)
    rewriting = config.graph_options.rewrite_options
    rewriting.memory_optimization = rewriting.NO_MEM_OPT
    eager.function_call_options = context.FunctionCallOptions(before.executor_type, config)
    try:
        yield
    finally:
        eager.function_call_options = before


def _jax_compiled(function):
    import jax

    return jax.jit(function)


def _torch_compiled(function):
    import torch

    return torch.no_grad()(function)


_COMPILERS = {
    "tensorflow": _tensorflow_compiled,
    "jax": _jax_compiled,
    "torch": _torch_compiled,
}


# ---------------------------------------------------------------------------------------------
# Devices
# ---------------------------------------------------------------------------------------------


def backend_version() -> str:
    """The version of TensorFlow, JAX or PyTorch, whatever package brought it."""
    return importlib.import_module(keras.backend.backend()).__version__


def uses_gpu() -> bool:
    """Whether the backend computes on a GPU."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return bool(_tensorflow_gpus())
    module = importlib.import_module(backend)
    return module.cuda.is_available() if backend == "torch" else module.default_backend() != "cpu"


def _tensorflow_gpus():
    import tensorflow as tf

    return tf.config.list_physical_devices("GPU")


def count_gpus() -> int:
    """How many GPUs the backend finds."""
    if not uses_gpu():
        return 0
    return _GPU_COUNTS[keras.backend.backend()]()


_GPU_COUNTS: dict[str, Callable[[], int]] = {
    "tensorflow": lambda: len(_tensorflow_gpus()),
    "jax": lambda: importlib.import_module("jax").local_device_count(),
    "torch": lambda: importlib.import_module("torch").cuda.device_count(),
}


def bfloat16_is_fast() -> bool:
    """Whether this is TensorFlow on a CPU that computes in bfloat16.

    There an evaluation takes 0.6 of the time, and the result's loss, measured in float32, is no
    higher (docs/defaults.md has the figures). Elsewhere nothing is known, so it is not used.
    """
    on_cpu = keras.backend.backend() == "tensorflow" and not uses_gpu()
    return on_cpu and machine.has_bfloat16()


def require_channels_first() -> None:
    """Raises InputError where this machine's backend has no channels_first convolution."""
    if keras.backend.backend() == "tensorflow" and not _tensorflow_gpus():
        raise InputError(
            "TensorFlow has no channels_first convolution on a CPU; set image_data_format to "
            "channels_last in ~/.keras/keras.json, or KERAS_BACKEND to jax or torch"
        )


def free_memory() -> float:
    """MiB that this process may still take and has taken: the GPU's, where it computes on one."""
    if uses_gpu():
        return _GPU_FREE[keras.backend.backend()]() / 2**20
    return machine.free_memory()


def _tensorflow_gpu_free():
    from tensorflow.python.client import device_lib

    devices = device_lib.list_local_devices()
    return max(d.memory_limit for d in devices if d.device_type == "GPU")


def _jax_gpu_free():
    import jax

    return (jax.devices()[0].memory_stats() or {}).get("bytes_limit", math.inf)


def _torch_gpu_free():
    import torch

    return torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved()


_GPU_FREE = {
    "tensorflow": _tensorflow_gpu_free,
    "jax": _jax_gpu_free,
    "torch": _torch_gpu_free,
}


def peak_memory() -> dict[str, float]:
    """Peak MiB so far of this process, and of the backend's GPU where it has one."""
    gpu = _GPU_PEAKS[keras.backend.backend()]() / 2**20
    peaks = {"process": machine.peak_memory(), "GPU": gpu}
    return {where: mib for where, mib in peaks.items() if mib}


def _tensorflow_gpu_peak():
    import tensorflow as tf

    return tf.config.experimental.get_memory_info("GPU:0")["peak"] if _tensorflow_gpus() else 0


def _jax_gpu_peak():
    import jax

    return (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)


def _torch_gpu_peak():
    import torch

    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0


_GPU_PEAKS = {
    "tensorflow": _tensorflow_gpu_peak,
    "jax": _jax_gpu_peak,
    "torch": _torch_gpu_peak,
}


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
