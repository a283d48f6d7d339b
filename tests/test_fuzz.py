"""Damaged files, at random: 2,000 pictures and 50 weight files, always the same."""

import re
import subprocess
import sys
from pathlib import Path

import fuzz
import pytest


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("kind", "count"), [("pictures", 2000), ("weights", 50)])
def test_damaged_files_are_read_or_refused_in_a_line(kind, count, tmp_path):
    outcomes = fuzz.fuzz(kind, count, 1, tmp_path)
    assert fuzz.findings(outcomes) == []
    assert outcomes["read"] + outcomes["refused"] == count
    assert min(outcomes["read"], outcomes["refused"]) > count // 20
    assert outcomes["MiB"] < 1000


def test_files_without_damage_are_read_or_of_a_format_that_is_not(tmp_path):
    fuzz.make_pictures(tmp_path)
    for path in tmp_path.iterdir():
        expected = "refused" if path.stem == "refused" else "read"
        assert fuzz.outcome("pictures", path) == expected, path


ODD_READERS = {  # what a reader might do: how the finding reads
    "raise ValueError('odd')": "case 0: ValueError: odd",
    "print('a remark')": "case 0: output b'a remark",
    "os.kill(os.getpid(), 11)": "case 0: ended with status -11: ",
    "time.sleep(60)": "case 0: ended with status 1: .*Timeout",
}


@pytest.mark.parametrize("code", ODD_READERS)
def test_every_kind_of_finding_is_found(code, tmp_path):
    """In a copy of the fuzzer whose reader does the same odd thing with every picture."""
    program = Path(fuzz.__file__).read_text()
    for old, new in {
        "    reading.load_image(path)\n": f"    import time\n    {code}\n",
        "ROOT = Path(__file__).parent.parent": f"ROOT = Path({str(fuzz.ROOT)!r})",
        "SECONDS = 10": "SECONDS = 1",
    }.items():
        assert old in program
        program = program.replace(old, new)
    (tmp_path / "odd_fuzz.py").write_text(program)
    command = [sys.executable, tmp_path / "odd_fuzz.py", "--pictures", "1", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.search(f"1 findings.*\n{ODD_READERS[code]}", done.stdout)
