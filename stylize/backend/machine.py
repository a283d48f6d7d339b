"""The machine: its cores and memory, which GPU a process sees. Knows nothing of Keras."""

import contextlib
import ctypes
import math
import os
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path

THREADS = (  # variables that set their number: for TensorFlow, PyTorch, NumPy, JAX
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NPROC",
)
ROUNDING = (  # variables that choose other code for sums and products
    "TF_ENABLE_ONEDNN_OPTS",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
    "XLA_FLAGS",
    "NVIDIA_TF32_OVERRIDE",
)
INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
MALLOC_PARAMETERS = {  # of the GNU C library, by their numbers in malloc.h
    -8: 1,  # M_ARENA_MAX: other arenas, those of threads, cannot hold large arrays
    -4: 0,  # M_MMAP_MAX: no array gets pages of its own
    -1: 2**31 - 1,  # M_TRIM_THRESHOLD: bytes at the end of the heap, from which they are returned
}
CONTAINER_LIMITS = (  # files with a container's limit, the memory in use, and the breakdown of that
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)


def count_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def threads(number: int) -> Iterator[None]:
    """Has processes that are started meanwhile compute with so many threads, with any backend."""
    before = dict(os.environ)
    os.environ.update(dict.fromkeys(THREADS, str(number)))
    try:
        yield
    finally:
        for name in THREADS:
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]


def use_gpu(number: int) -> None:
    """Leaves this process one of the GPUs that it could use. Call it before Keras is imported."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[number] if visible else str(number)


def has_bfloat16() -> bool:
    """Whether the processor computes in bfloat16; False where that cannot be told."""
    flags = _processor_info()
    return " avx512_bf16" in flags or " amx_bf16" in flags


def _processor_info() -> str:
    """What Linux says of the processors; empty elsewhere."""
    with contextlib.suppress(OSError):
        return Path("/proc/cpuinfo").read_text()
    return ""


def what_rounding_depends_on() -> dict[str, str | int]:
    """What the last bits of a result depend on here, beside the versions of libraries.

    Sums are split among the cores, and in registers and caches of the processor's sizes. A
    processor is named with the instructions for which libraries have code of their own.
    """
    info = _processor_info()
    model = re.search(r"^model name\s*: (.*)$", info, re.MULTILINE)
    sets = [name for name in INSTRUCTIONS if f" {name}" in info]
    chosen = {name: os.environ[name] for name in (*THREADS, *ROUNDING) if name in os.environ}
    return {
        "processor": " ".join([model[1] if model else platform.machine(), *sets]),
        "cores": count_cores(),
        **chosen,
    }


def keep_freed_memory() -> None:
    """Has the C library keep memory that is freed, for what is allocated next.

    Else each array of more than 32 MiB is given back to the system when it is freed. The next one
    gets new pages, each of which the system clears when it is first touched: at 400 rows that
    took a fifth of an evaluation. Only the GNU C library has these parameters.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another library; Windows
        set_parameter = ctypes.CDLL(None).mallopt
        for parameter, value in MALLOC_PARAMETERS.items():
            set_parameter(parameter, value)


def free_memory() -> float:
    """MiB that this process has taken or may still take."""
    import psutil

    return memory_left() + psutil.Process().memory_info().rss / 2**20


def memory_left() -> float:
    """MiB that this process may still take."""
    import psutil

    return min(psutil.virtual_memory().available, _free_in_container()) / 2**20


def _free_in_container(root: Path = Path("/sys/fs/cgroup")) -> float:
    """Bytes that a container's limit leaves, infinite where there is none; Linux's two versions."""
    for limit, used, how in CONTAINER_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
            free = int((root / limit).read_text()) - int((root / used).read_text())
            kept = re.findall(r"^(?:total_)?inactive_file (\d+)$", (root / how).read_text(), re.M)
            return max(0, free + int(kept[-1]) if kept else free)  # cached files make room
    return math.inf


def peak_memory() -> float:
    """Peak MiB so far of this process; 0 where that cannot be told."""
    try:
        import resource
    except ImportError:  # on Windows
        return 0.0
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes on macOS, else KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
