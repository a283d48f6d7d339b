"""What a mask may be, and what is said of one that is read otherwise than it looks."""

import re

import numpy as np
import pytest
from PIL import ExifTags, Image

from stylize.errors import InputError
from stylize.images import masks


@pytest.fixture
def face():
    """White with a hole: what a paint program exports of a face on a layer of its own."""
    mask = Image.new("LA", (40, 40))
    mask.paste((255, 255), (10, 10, 20, 30))
    return mask


def said_of(picture, tmp_path):
    """What is said of a picture in a file."""
    path = tmp_path / "mask.png"
    picture.save(path)
    surprises = masks.surprises_of(path)
    assert all(line.startswith(f"mask {path}: ") for line, _ in surprises)
    return surprises


def test_a_cut_out_marks_what_is_opaque_whatever_its_colour(face, photo, tmp_path):
    """Upright too, as a camera that was turned has it."""
    turned = face.convert("RGBA").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # to be turned by 90 degrees, clockwise
    turned.save(tmp_path / "turned.png", exif=exif)
    cut = Image.fromarray(photo).resize(face.size).convert("RGBA")
    cut.putalpha(face.getchannel("A"))
    for picture in (face, cut, tmp_path / "turned.png"):
        mask = np.asarray(masks.load_keep_mask(picture))
        np.testing.assert_array_equal(mask, np.asarray(face.getchannel("A")))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_what_counts_in_a_cut_out_is_told(mode, face, tmp_path):
    ((line, is_warning),) = said_of(face.convert(mode), tmp_path)
    assert line.endswith("a cut-out: opaque parts count as white, transparent ones as black")
    assert not is_warning
    face.putalpha(255)
    assert said_of(face.convert(mode), tmp_path) == []  # a layer without holes


@pytest.mark.parametrize("background", [(0, 0), (255, 255)])
def test_black_beside_transparent_parts_is_refused(background, face):
    """Black is where the painting goes; so may be what is transparent, but hardly both."""
    drawn = Image.new("LA", face.size, background)
    drawn.paste((0, 255), (10, 10, 20, 30))
    drawn.paste((0, 0), (0, 0, 5, 5))
    with pytest.raises(InputError, match="it has both black and transparent parts; save it in b"):
        masks.load_mask(drawn)


def test_masks_that_mark_nothing_or_keep_everything_are_refused():
    with pytest.raises(InputError, match="all transparent; paint white"):
        masks.load_mask(Image.new("LA", (40, 40)))
    with pytest.raises(InputError, match="all black; paint white"):
        masks.load_mask(Image.new("L", (40, 40)))
    with pytest.raises(InputError, match="all white, so nothing"):
        masks.load_keep_mask(Image.new("L", (40, 40), 255))


def test_mask_that_cannot_be_read_is_called_one(tmp_path):
    (tmp_path / "Face.png").touch()
    for read in (masks.load_mask, masks.load_keep_mask, masks.surprises_of):
        with pytest.raises(InputError, match="^mask .*face.png: no such file; there is Face.png$"):
            read(tmp_path / "face.png")
        with pytest.raises(InputError, match="^mask .*Face.png: the file is empty"):
            read(tmp_path / "Face.png")
    with pytest.raises(InputError, match="^mask: it is all black"):
        masks.load_mask(Image.new("L", (40, 40)))


def test_without_transparency_gray_counts(photo):
    gray = Image.fromarray(photo).convert("L")
    for mode in ("L", "RGB", "RGBA"):
        assert masks.load_mask(gray.convert(mode)).tobytes() == gray.tobytes()


def test_colours_are_told_of_with_what_they_count(photo, tmp_path):
    """A part of a photo painted over in red is no mask; grays with a JPEG's noise are one."""
    gray = photo.mean(2).astype(np.uint8)
    painted = np.stack([gray] * 3, axis=2)
    painted[:8, :8] = 255, 0, 0
    ((line, is_warning),) = said_of(Image.fromarray(painted), tmp_path)
    assert is_warning
    assert re.search("by their brightness, here as about 30% white; paint it in black", line)
    noisy = gray[..., None] * 0.9 + np.random.default_rng(0).uniform(0, 20, photo.shape)
    assert said_of(Image.fromarray(noisy.astype(np.uint8)), tmp_path) == []


def test_mask_of_another_shape_is_said_to_be_stretched(tmp_path):
    """As a cut-out is that was cropped to the person; a smaller copy of the photo's shape fits."""
    path = tmp_path / "cropped.png"
    Image.linear_gradient("L").resize((344, 492)).save(path)
    ((line, is_warning),) = masks.surprises_of(path, photo_size=(512, 512))
    assert is_warning
    assert line == (
        f"mask {path}: it has 344x492 pixels and is stretched over the photo's 512x512; save it, "
        "or the cut-out, in the photo's shape"
    )
    assert masks.surprises_of(path, photo_size=(688, 984)) == []
    assert masks.stretched((100, 75), (4032, 3024)) == masks.stretched((101, 75), (400, 300)) == []


@pytest.mark.parametrize("mode", ["1", "L", "I;16"])
def test_nothing_is_said_of_grays(mode, tmp_path):
    assert said_of(Image.linear_gradient("L").convert(mode), tmp_path) == []


def test_mask_that_can_no_longer_be_read_is_called_by_its_name(tmp_path, monkeypatch):
    """Not by its path, which on the page is that of the server's file."""
    monkeypatch.setattr(masks, "load_image", lambda *given: Image.new("RGB", (20, 20)))
    with pytest.raises(InputError, match=r"^mask a\.png: no such file"):
        masks.load_mask(tmp_path / "a.png", "mask a.png")
