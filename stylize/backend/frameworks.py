"""What TensorFlow, JAX and PyTorch each have their own way for: gradients, compiling, GPUs."""

import contextlib
import functools
import math
import os
from collections.abc import Callable, Iterator
from typing import Protocol


class Framework(Protocol):
    """What computes under Keras. Its package is imported by the methods only.

    Attributes:
        name: as people know it.
    """

    name: str

    def value_and_grad(self, function: Callable) -> Callable:
        """Compiles a function from a tensor x, and others, to a tensor (n,).

        Returns one from (x, scale, *others) to (values (n,), gradient of scale * their sum by x).
        """

    def compiled(self, function: Callable) -> Callable:
        """Compiles a function of tensors and nested lists of tensors."""

    def count_gpus(self) -> int:
        """Returns how many GPUs it finds."""

    def gpu_free(self) -> float:
        """Returns the bytes of the GPU that this process may still take, and has taken."""

    def gpu_peak(self) -> float:
        """Returns the peak bytes so far of the GPU; 0: it has none."""


class TensorFlow:
    """See `Framework`."""

    name = "TensorFlow"

    def value_and_grad(self, function):
        import tensorflow as tf

        @self.compiled
        def value_and_grad(x, scale, *others):
            with tf.GradientTape() as tape:
                tape.watch(x)
                values = function(x, *others)
                total = scale * tf.reduce_sum(values)
            return values, tape.gradient(total, x)

        return lambda x, scale, *others: value_and_grad(
            tf.convert_to_tensor(x), tf.convert_to_tensor(scale), *others
        )

    def compiled(self, function):
        import tensorflow as tf

        # There is nothing in our functions for autograph to rewrite: a second saved.
        graph = tf.function(function, autograph=False)

        def call(*arguments):
            with _sums_in_order():
                return graph(*arguments)

        return call

    def count_gpus(self):
        import tensorflow as tf

        return len(tf.config.list_logical_devices("GPU"))  # it does not use every physical one

    def gpu_free(self):
        return _tensorflow_limit()

    def gpu_peak(self):
        import tensorflow as tf

        if not self.count_gpus():
            return 0
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]


@functools.cache  # it is the same while a process lasts, and finding it out takes long
def _tensorflow_limit():
    """The bytes that the process may take of the GPU that it computes on, the first."""
    from tensorflow.python.client import device_lib

    devices = device_lib.list_local_devices()
    return next(d.memory_limit for d in devices if d.device_type == "GPU")


@contextlib.contextmanager
def _sums_in_order() -> Iterator[None]:
    """Keeps TensorFlow's memory optimizer away from functions first called meanwhile.

    Where it takes memory to be short, on a CPU from about 200 rows on, it turns sums of three
    tensors or more into additions to a variable, in the order in which they happen to be ready. The
    last bits of a gradient then differ from call to call, and pictures from run to run. `tf.config`
    can only switch off all optimizers, and for the user's functions too; this is for the calls of
    one thread.
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


class Jax:
    """See `Framework`."""

    name = "JAX"

    def value_and_grad(self, function):
        import jax

        def total(x, scale, *others):
            values = function(x, *others)
            return scale * values.sum(), values

        value_and_grad = jax.jit(jax.value_and_grad(total, has_aux=True))

        def without_total(x, scale, *others):
            (_, values), gradient = value_and_grad(x, scale, *others)
            return values, gradient

        return without_total

    def compiled(self, function):
        import jax

        return jax.jit(function)

    def count_gpus(self):
        import jax

        return 0 if jax.default_backend() == "cpu" else jax.local_device_count()

    def gpu_free(self):
        return self._memory_stats().get("bytes_limit", math.inf)

    def gpu_peak(self):
        return self._memory_stats().get("peak_bytes_in_use", 0)

    def _memory_stats(self):
        import jax

        return jax.devices()[0].memory_stats() or {}


class Torch:
    """See `Framework`."""

    name = "PyTorch"

    def value_and_grad(self, function):
        import torch
        from keras import ops

        def value_and_grad(x, scale, *others):
            x = ops.convert_to_tensor(x).detach().requires_grad_()
            values = function(x, *others)
            (gradient,) = torch.autograd.grad(float(scale) * values.sum(), x)
            return values.detach(), gradient

        return value_and_grad

    def compiled(self, function):
        import torch

        return torch.no_grad()(function)

    def count_gpus(self):
        import torch

        device = os.environ.get("KERAS_TORCH_DEVICE", "cuda")  # where Keras computes
        usable = device.startswith("cuda") and torch.cuda.is_available()
        return torch.cuda.device_count() if usable else 0

    def gpu_free(self):
        import torch

        return torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved()

    def gpu_peak(self):
        import torch

        return torch.cuda.max_memory_allocated() if self.count_gpus() else 0


FRAMEWORKS: dict[str, Framework] = {"tensorflow": TensorFlow(), "jax": Jax(), "torch": Torch()}
