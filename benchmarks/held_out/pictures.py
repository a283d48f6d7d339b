"""Sixteen pairs on which no weight was tuned: photos from OpenCV's samples, styles of our own.

`gather` lays them into a folder. The photos come from an archive that anybody can fetch, so that
they need no place here; paint_styles.py paints the styles.
"""

import hashlib
import io
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

PAIRS = (  # buildings, plants, animals, people, still lifes, gray ones; every style twice
    *("castle+pastel", "home+mosaic", "leuvenA+charcoal", "building+cut_paper"),
    *("aloeL+batik", "butterfly+embroidery", "chicky_512+coloured_pencil", "squirrel_cls+pastel"),
    *("baboon+cut_paper", "messi5+halftone", "basketball1+charcoal", "fruits+mosaic"),
    *("rubberwhale1+halftone", "box_in_scene+coloured_pencil", "apple+embroidery", "aero1+batik"),
)
ARCHIVE = (  # the source of opencv-python 5.0.0.93, 82 MB
    "https://files.pythonhosted.org/packages/79/4c/"
    "a438d23e09ce2033c09f7b784ad2fbdb0adf529e434101ed28f142226f98/opencv_python-5.0.0.93.tar.gz"
)
SHA256 = "66aac3e5b5faa48d4025816592f3af19e4bfc2c68dec067bae2dbb4ca10aa9e2"
PHOTOS = "/opencv/samples/data/"  # in the archive


def gather(folder: Path) -> None:
    """Puts the pictures of all pairs into a folder, under their names. Raises OSError.

    Raises ValueError where the archive is not the one it should be.
    """
    folder.mkdir(parents=True, exist_ok=True)
    photos, styles = ({*names} for names in zip(*(p.split("+") for p in PAIRS), strict=True))
    there = {path.stem for path in folder.iterdir()}
    if photos - there:
        for name, content in _photos(_download()):
            if Path(name).stem in photos:
                (folder / name).write_bytes(content)
    if styles - there:
        program = Path(__file__).with_name("paint_styles.py")
        command = [sys.executable, program, *sorted(styles - there), "--out", folder]
        subprocess.run(command, check=True)


def _download() -> bytes:
    """The archive, checked."""
    with urllib.request.urlopen(ARCHIVE, timeout=60) as response:
        content = response.read()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ValueError(f"{ARCHIVE}: has changed: its SHA-256 is another")
    return content


def _photos(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """The name and the content of each photo in the archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        for member in members:
            if PHOTOS in member.name and member.isfile():
                yield Path(member.name).name, members.extractfile(member).read()
