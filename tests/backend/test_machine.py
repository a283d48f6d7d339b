"""The machine, as files and variables of a system tell of it."""

import ctypes
import math
import os
import platform
import subprocess
import sys

import pytest

from stylize.backend import machine


def test_processes_share_the_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("NPROC", raising=False)
    with machine.threads(3):
        assert {os.environ[name] for name in machine.THREADS} == {"3"}
    assert os.environ["OMP_NUM_THREADS"] == "7" and "NPROC" not in os.environ


@pytest.mark.parametrize(("visible", "second"), [("", "1"), ("4,6", "6")])
def test_a_process_takes_one_of_the_gpus_that_are_left_to_us(visible, second, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    machine.use_gpu(1)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == second


@pytest.mark.parametrize(("limit", "used", "how"), machine.CONTAINER_LIMITS)
def test_a_containers_limit_counts(tmp_path, limit, used, how):
    assert machine._free_in_container(tmp_path) == math.inf
    (tmp_path / "memory").mkdir()
    (tmp_path / used).write_text("3000\n")
    (tmp_path / how).write_text("inactive_file 10\ntotal_inactive_file 500\nactive_file 7\n")
    (tmp_path / limit).write_text("max\n")
    assert machine._free_in_container(tmp_path) == math.inf
    (tmp_path / limit).write_text("5000\n")
    assert machine._free_in_container(tmp_path) == 2500  # 500 are only files kept in case


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library has this")
def test_memory_that_is_freed_is_kept():
    code = """
import resource
import numpy as np
from stylize.backend import machine

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**24, np.float32)  # 64 MiB: 16384 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults(), faults())
machine.keep_freed_memory()
print(faults(), faults())
"""
    output = subprocess.check_output([sys.executable, "-c", code], text=True)
    (_, before), (_, after) = [map(int, line.split()) for line in output.splitlines()]
    assert after < 100 < before


@pytest.mark.parametrize("error", [AttributeError, OSError, TypeError])
def test_another_c_library_is_left_as_it_is(error, monkeypatch):
    def no_such_library(name):
        raise error

    monkeypatch.setattr(ctypes, "CDLL", no_such_library)
    machine.keep_freed_memory()
