"""Damaged and strange files, at random: always the same, a fraction of what `fuzz.py` can do."""

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import fuzz
import pytest
import strange_files

from stylize.images.clips import SUFFIXES


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("kind", "count"),
    {
        **{"pictures": 1000, "weights": 50, "structures": 50, "records": 50, "states": 100},
        **{"clips": len(SUFFIXES), "names": 50},
    }.items(),
)
def test_damaged_files_are_read_or_refused_in_a_line(kind, count, tmp_path):
    outcomes = fuzz.fuzz(kind, count, 1, tmp_path)
    assert fuzz.findings(outcomes) == []
    assert outcomes["read"] + outcomes["refused"] == count
    assert min(outcomes["read"], outcomes["refused"]) >= count // 20
    assert outcomes["MiB"] < 1000


def test_every_container_has_its_turn(tmp_path):
    for suffix in SUFFIXES:
        (tmp_path / f"clip{suffix}").write_bytes(b"clip")
    names = {fuzz.damaged("clips", tmp_path, 1, case)[0] for case in range(len(SUFFIXES))}
    assert names == {f"case{suffix}" for suffix in SUFFIXES}


def test_files_without_damage_are_read_or_of_a_format_that_is_not(tmp_path):
    fuzz.make_pictures(tmp_path)
    for path in tmp_path.iterdir():
        expected = "refused" if path.stem == "refused" else "read"
        assert fuzz.outcome("pictures", path, tmp_path) == expected, path


def test_strange_values_are_those_that_json_can_say_and_python_read_again():
    rng, told = random.Random(1), {"a": [1, "x", {"b": 2.5}], "c": None}
    strange = [strange_files.several(told, rng) for _ in range(300)]
    assert sum(value != told for value in strange) > 250
    for value in strange:
        assert json.dumps(value) == json.dumps(json.loads(json.dumps(value)))


@pytest.mark.parametrize("kind", sorted(fuzz.KINDS))
def test_same_seed_makes_the_same_case(kind, tmp_path):
    if kind == "clips":
        pytest.skip("only its bytes are damaged, as those of pictures are")
    fuzz.KINDS[kind].make(tmp_path)
    cases = [fuzz.damaged(kind, tmp_path, 1, case) for case in (*range(5), *range(5))]
    assert cases[:5] == cases[5:]
    assert len(set(cases)) == 5


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
