"""Pictures, in the module's own order. Oracles are lossless files, Keras and Pillow."""

import io
import os
import sys
import time
from types import SimpleNamespace

import numpy as np
import pillow_heif
import png
import pytest
import tifffile
from conftest import BAD_PICTURES, disk_full, make_bad_picture
from PIL import Image

from stylize.backend.tensors import keras
from stylize.errors import InputError
from stylize.images import reading, resize, writing
from stylize.vgg import preprocess

NEAREST = Image.Resampling.NEAREST


# --- Reading ------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff", "bmp"])
def test_lossless_files_are_read_exactly(suffix, photo, tmp_path):
    Image.fromarray(photo).save(tmp_path / f"p.{suffix}", lossless=True)
    np.testing.assert_array_equal(reading.load_image(tmp_path / f"p.{suffix}"), photo)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "YCbCr"])
def test_every_mode_becomes_what_is_seen(mode, photo):
    image = Image.fromarray(photo).convert(mode)
    np.testing.assert_array_equal(reading.load_image(image), image.convert("RGB"))


def test_cmyk_jpeg(photo, tmp_path):
    Image.fromarray(photo).convert("CMYK").save(tmp_path / "p.jpg", quality=100)
    difference = np.abs(np.asarray(reading.load_image(tmp_path / "p.jpg"), int) - photo)
    assert difference.mean() < 4


def test_transparency_is_composited_on_white(photo):
    alpha = np.full((*photo.shape[:2], 1), 64, np.uint8)
    expected = photo * (64 / 255) + 255 * (191 / 255)
    loaded = np.asarray(reading.load_image(np.concatenate([photo, alpha], axis=2)), float)
    np.testing.assert_allclose(loaded, expected, atol=1)


def test_transparent_palette_colour_is_white(tmp_path):
    image = Image.new("P", (20, 20), 0)
    image.putpalette([255, 0, 0])
    image.save(tmp_path / "p.gif", transparency=0)
    assert reading.load_image(tmp_path / "p.gif").getpixel((3, 3)) == (255, 255, 255)


def test_sixteen_bit_grays_keep_their_brightness(tmp_path):
    gray = np.linspace(0, 65535, 400).reshape(20, 20).astype(np.uint16)
    for name in ("p.png", "p.tiff"):
        Image.fromarray(gray).save(tmp_path / name)
        loaded = np.asarray(reading.load_image(tmp_path / name))
        np.testing.assert_array_equal(loaded[..., 0], np.rint(gray / 257))


def test_float_pictures_are_taken_from_zero_to_one(tmp_path):
    gray = np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20)
    Image.fromarray(gray).save(tmp_path / "p.tiff")
    np.testing.assert_array_equal(
        np.asarray(reading.load_image(tmp_path / "p.tiff"))[..., 1], np.rint(gray * 255)
    )


def test_places_without_data_leave_the_rest_as_it_is(tmp_path):
    gray = np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20)
    gray[0, :5] = np.nan
    Image.fromarray(gray).save(tmp_path / "p.tiff")
    loaded = np.asarray(reading.load_image(tmp_path / "p.tiff"))
    assert (loaded[0, :5] == 0).all() and loaded.max() == 255


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_float_colours_are_taken_from_zero_to_one(dtype, planarconfig, photo, tmp_path):
    values = (photo / 255).astype(dtype)
    values = np.moveaxis(values, -1, 0) if planarconfig == "separate" else values
    options = {"photometric": "rgb", "planarconfig": planarconfig}
    tifffile.imwrite(tmp_path / "p.tiff", values, extratags=[(274, 3, 1, 6, True)], **options)
    loaded = np.asarray(reading.load_image(tmp_path / "p.tiff"))
    np.testing.assert_array_equal(loaded, np.rot90(photo, -1))


def test_transparent_floats_lie_on_white(photo, tmp_path):
    values = np.dstack([photo / 255, np.zeros(photo.shape[:2])]).astype("f4")
    tifffile.imwrite(tmp_path / "p.tiff", values, photometric="rgb", extrasamples=["unassalpha"])
    assert np.asarray(reading.load_image(tmp_path / "p.tiff")).min() == 255


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compression": "zlib"}, "a compressed TIFF of floats is not read; save it uncompressed"),
        ({"max_pixels": 10}, "pixels are too many"),
    ],
)
def test_float_colours_that_might_grow_are_not_decoded(options, message, photo, tmp_path):
    most = {name: options.pop(name) for name in ["max_pixels"] if name in options}
    values = (photo / 255).astype("f4")
    tifffile.imwrite(tmp_path / "p.tiff", values, photometric="rgb", **options)
    with pytest.raises(InputError, match=f"p.tiff: .*{message}"):
        reading.load_image(tmp_path / "p.tiff", **most)


def test_limit_that_is_no_number_is_not_blamed_on_the_picture(photo):
    with pytest.raises(InputError, match="^max_pixels must be a number, received str"):
        reading.load_image(photo, max_pixels="10")


def test_exif_orientation_is_honoured(photo, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by 90 degrees to see it upright
    Image.fromarray(photo).save(tmp_path / "p.png", exif=exif)
    np.testing.assert_array_equal(reading.load_image(tmp_path / "p.png"), np.rot90(photo, -1))


@pytest.mark.parametrize("suffix", ["jpg", "webp", "avif", "heic"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_photos_of_phones_stand_upright_in_their_colours(suffix, orientation, photo, tmp_path):
    """A photo with red and blue exchanged, lying as it was taken, and what says so beside it."""
    path = tmp_path / f"p.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    taken = np.rot90(photo, {1: 0, 3: 2, 6: 1, 8: -1}[orientation])[..., ::-1]
    pillow_heif.register_heif_opener()
    Image.fromarray(np.ascontiguousarray(taken)).save(
        path, quality=95, exif=exif.tobytes(), icc_profile=wide_gamut_profile()
    )
    loaded = np.asarray(reading.load_image(path), int)
    assert loaded.shape == photo.shape
    assert np.abs(loaded - photo).mean() < 8  # of 60 or so for another position or colour


@pytest.mark.parametrize("suffix", ["avif", "heic", "webp"])
def test_transparency_of_every_format(suffix, tmp_path):
    pillow_heif.register_heif_opener()
    Image.new("RGBA", (32, 32), (255, 0, 0, 0)).save(tmp_path / f"p.{suffix}")
    assert min(reading.load_image(tmp_path / f"p.{suffix}").getpixel((9, 9))) > 250


def test_heic_by_another_name(photo, tmp_path):
    """Phones' messengers rename; what is in the file counts. So does its brand "mif1"."""
    pillow_heif.register_heif_opener()
    Image.fromarray(photo).save(tmp_path / "p.heic")
    data = (tmp_path / "p.heic").read_bytes()
    for brand in (b"heic", b"mif1"):
        (tmp_path / "p.jpg").write_bytes(data[:8] + brand + data[12:])
        assert reading.load_image(tmp_path / "p.jpg").size == (48, 40)


def test_avif_of_the_general_brand(photo, tmp_path):
    Image.fromarray(photo).save(tmp_path / "p.avif")
    data = (tmp_path / "p.avif").read_bytes()
    (tmp_path / "p.avif").write_bytes(data[:8] + b"mif1" + data[12:])
    assert reading.load_image(tmp_path / "p.avif").size == (48, 40)


def test_heic_without_its_reader_says_what_to_install(photo, tmp_path, monkeypatch):
    pillow_heif.register_heif_opener()
    Image.fromarray(photo).save(tmp_path / "p.heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(InputError, match="p.heic: a HEIC .* pip install pillow-heif$") as caught:
        reading.load_image(tmp_path / "p.heic")
    assert "\n" not in str(caught.value)


def test_jpeg_of_very_many_scans_is_not_decoded(photo, tmp_path):
    """Each is decoded for all pixels: a small file would take hours."""
    path, end = tmp_path / "scans.jpg", b"\xff\xd9"
    Image.fromarray(photo).save(path, progressive=True)
    whole = path.read_bytes()
    last = whole[whole.rindex(b"\xff\xda") : -len(end)]
    path.write_bytes(whole[: -len(end)] + 100 * last + end)
    with pytest.raises(InputError, match="scans.jpg: too many scans to be safe; save it again"):
        reading.load_image(path)
    path.write_bytes(whole + 200 * last)  # a film behind the photo, as phones have it
    assert reading.load_image(path).size == (48, 40)


def test_two_pictures_in_a_jpeg(photo, tmp_path):
    """MPO, as many phones and cameras write it, named .jpg: the first counts."""
    image = Image.fromarray(photo)
    image.save(tmp_path / "p.jpg", "MPO", save_all=True, append_images=[image.rotate(180)])
    difference = np.abs(np.asarray(reading.load_image(tmp_path / "p.jpg"), int) - photo)
    assert difference.mean() < 5


@pytest.mark.parametrize("suffix", ["ppm", "sgi", "jp2", "tga", "pcx", "ico", "eps", "dds"])
def test_other_formats_are_refused_with_those_that_are_read(suffix, photo, tmp_path):
    path = tmp_path / f"p.{suffix}"
    Image.fromarray(photo).save(path)
    with pytest.raises(InputError) as caught:
        reading.load_image(path)
    assert str(caught.value) == (
        f"picture {path}: not a picture that can be read; "
        "save it as JPEG, PNG, WebP, TIFF, BMP, GIF, HEIC or AVIF"
    )


def test_a_path_of_several_lines_is_named_in_one():
    for name in ("a\nb.png", "a\0b.png"):
        with pytest.raises(InputError) as caught:
            reading.load_image(name)
        assert len(str(caught.value).splitlines()) == 1


class Broken(Image.Image):
    """A picture whose decoder fails as Pillow's have been seen to fail."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def getexif(self):
        raise self.error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ValueError("first\n  second\x00"),
            "x: damaged or truncated (first second); save it again",
        ),
        (RuntimeError(), "x: damaged or truncated (RuntimeError); save it again"),
        (AssertionError("a" * 999), f"x: damaged or truncated ({'a' * 200}); save it again"),
        (MemoryError(), "x: too large for the memory that is left; make it smaller"),
    ],
)
def test_whatever_a_decoder_raises_is_one_line(error, message):
    with pytest.raises(InputError) as caught:
        reading.load_image(Broken(error), "x")
    assert str(caught.value) == message


def test_warnings_of_pillow_are_neither_shown_nor_errors(photo, tmp_path, capfd, monkeypatch):
    """Of a large picture, and of EXIF data that is cut off (here pytest makes warnings errors)."""
    image = Image.fromarray(photo)
    exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01"
    image.save(tmp_path / "p.jpg", exif=exif)
    with pytest.warns(UserWarning, match="Corrupt EXIF data"), Image.open(tmp_path / "p.jpg") as p:
        p.getexif()
    image.save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", photo.size // 3 - 1)
    for name in ("p.jpg", "large.png"):
        assert reading.load_image(tmp_path / name).size == (48, 40)
        assert reading.read_description(tmp_path / name) == ""
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("pillows", "ours", "most"), [(500, 2000, "1,000"), (500, 900, "900")])
def test_the_lower_limit_is_told_of_too_many_pixels(
    pillows, ours, most, photo, tmp_path, monkeypatch
):
    """Pillow refuses a picture of more than twice its own."""
    Image.fromarray(photo).save(tmp_path / "p.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pillows)
    with pytest.raises(InputError, match=f"pixels are too many; at most {most} are taken"):
        reading.load_image(tmp_path / "p.png", max_pixels=ours)


def test_damaged_tiff_prints_nothing(photo, tmp_path, capfd):
    path = tmp_path / "p.tiff"
    Image.fromarray(photo).save(path, compression="tiff_deflate")
    data = bytearray(path.read_bytes())
    with Image.open(path) as image:
        start = image.tag_v2[273][0]  # of the first strip
    data[start + 20 : start + 40] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged or truncated"):
        reading.load_image(path)
    assert capfd.readouterr() == ("", "")


def test_first_frame_of_an_animation_counts(tmp_path):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "p.gif", save_all=True, append_images=frames[1:])
    assert reading.load_image(tmp_path / "p.gif").getpixel((0, 0)) == (255, 0, 0)


def wide_gamut_profile():
    """An RGB profile with other primaries than sRGB: its red and blue exchanged."""
    profile = bytearray(writing.srgb_profile())
    count = int.from_bytes(profile[128:132], "big")
    entries = {profile[132 + 12 * i : 136 + 12 * i].decode(): 132 + 12 * i for i in range(count)}
    red, blue = entries["rXYZ"], entries["bXYZ"]
    profile[red + 4 : red + 12], profile[blue + 4 : blue + 12] = (
        profile[blue + 4 : blue + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(profile)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours_of_another_space_are_converted(mode, photo, tmp_path):
    path = tmp_path / "p.png"
    Image.fromarray(photo[..., ::-1].copy()).convert(mode).save(
        path, icc_profile=wide_gamut_profile()
    )
    np.testing.assert_allclose(reading.load_image(path), photo, atol=2)


@pytest.mark.parametrize("profile", [b"no profile", writing.srgb_profile()])
def test_srgb_and_damaged_profiles_change_nothing(profile, photo, tmp_path):
    path = tmp_path / "p.png"
    Image.fromarray(photo).save(path, icc_profile=profile)
    np.testing.assert_array_equal(reading.load_image(path), photo)


def test_profile_of_another_mode_is_left_aside(photo, tmp_path):
    path = tmp_path / "p.jpg"
    Image.fromarray(photo).convert("CMYK").save(path, icc_profile=writing.srgb_profile())
    assert reading.load_image(path).size == (48, 40)


def test_errors_call_a_picture_by_its_name(tmp_path):
    with pytest.raises(InputError, match="^the photo: the file is empty$"):
        reading.load_image(make_bad_picture("empty", tmp_path), "the photo")


def test_arrays_and_images_are_taken_and_not_changed(photo):
    before = photo.copy()
    image = Image.fromarray(photo)
    np.testing.assert_array_equal(reading.load_image(photo), photo)
    np.testing.assert_array_equal(reading.load_image(image), photo)
    np.testing.assert_array_equal(photo, before)
    image.load()  # still open


def test_only_images_that_need_it_are_copied(photo):
    image = Image.fromarray(photo)
    assert reading.load_image(image) is image
    lying = image.copy()
    lying.getexif()[0x0112] = 6
    tagged = image.copy()
    tagged.info["icc_profile"] = wide_gamut_profile()
    clear = image.copy()
    clear.info["transparency"] = (0, 0, 0)
    for other in (lying, tagged, clear, image.convert("L")):
        before = other.tobytes()
        assert reading.load_image(other) is not other
        assert other.tobytes() == before


def test_images_that_are_not_decoded_yet_are_taken(photo, photo_path):
    with Image.open(photo_path) as image:
        loaded = reading.load_image(image)
    np.testing.assert_array_equal(loaded, photo)


def test_arrays_that_are_no_pictures_are_refused(photo):
    with pytest.raises(InputError, match=r"uint8 of shape \(rows, cols\), .*; received float64"):
        reading.load_image(photo / 255)
    for shape in ((), (40,), (40, 48, 1), (40, 48, 2), (40, 48, 5), (1, 40, 48, 3)):
        with pytest.raises(InputError, match="must be uint8 of shape"):
            reading.load_image(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("given", [None, 5, [], {}, np.uint8(3), io.BytesIO(), b"\x89PNG"])
def test_what_is_no_picture_is_named(given):
    with pytest.raises(InputError, match=f"or a uint8 array; received {type(given).__name__}"):
        reading.load_image(given)


@pytest.mark.parametrize("kind", BAD_PICTURES)
def test_bad_pictures_are_named_with_the_remedy(kind, tmp_path):
    path = make_bad_picture(kind, tmp_path)
    with pytest.raises(InputError, match=f"picture {path}: .*{BAD_PICTURES[kind]}") as caught:
        reading.load_image(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "there", "message"),
    [
        ("a_1.jpg", "A_1.JPG", "no such file; there is A_1.JPG"),
        ("a.jpg", "a.jpeg", "no such file; there is a.jpeg"),
        ("a.jpg", "A.png", "no such file; there is A.png"),
        ("a", "a.{heic", "no such file; check the path"),
        ("a.v2", "a.v2.png", "no such file; there is a.v2.png"),
        ("a.jpg", "a.txt", "no such file; check the path"),
        ("astronut.jpg", "astronaut.jpg", "no such file; there is astronaut.jpg"),
        ("swirling.jpg", "swirling_night.jpg", "no such file; there is swirling_night.jpg"),
        ("astronut.png", "Astronaut.JPG", "no such file; there is Astronaut.JPG"),
        ("astronut.jpg", "astronaut.txt", "no such file; check the path"),
        ("photo2.jpg", "photo1.jpg", "no such file; check the path"),
        ("photo1.jpg", "photo10.jpg", "no such file; check the path"),
        ("coffee.jpg", "astronaut.jpg", "no such file; check the path"),
        ("a.jpg", "{0}/b.png", "no such file; check the path"),
        ("folder/a.jpg", "a.jpg", "no such file, as there is no folder {folder}; check the path"),
    ],
)
def test_missing_picture_is_answered_by_what_is_there(name, there, message, tmp_path):
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).touch()
    path = tmp_path / name
    with pytest.raises(InputError) as caught:
        reading.load_image(path)
    assert str(caught.value) == f"picture {path}: {message.format(folder=path.parent)}"
    with pytest.raises(InputError, match="the photo: no such file; check the path$"):
        reading.load_image(path, "the photo")  # a stranger's


def test_columns_follow_the_photo_rounded_down():
    assert resize.working_size(Image.new("RGB", (533, 401)), 400) == (400, 531)
    with pytest.raises(InputError, match="400 rows and 4 columns, and VGG19 needs at least 16"):
        resize.working_size(Image.new("RGB", (20, 2000)), 400)


def test_resize_is_that_of_keras(photo, photo_path):
    expected = keras.utils.img_to_array(keras.utils.load_img(photo_path, target_size=(33, 21)))
    resized = resize.resize_image(reading.load_image(photo), 33, 21, NEAREST)
    np.testing.assert_array_equal(resized, expected)


def test_enlarging_keeps_values_that_no_picture_has():
    x = np.full((6, 8, 3), 300.5, np.float32)
    np.testing.assert_allclose(resize.enlarge(x, 12, 16), np.full((12, 16, 3), 300.5))


def test_preprocess_is_that_of_keras(photo):
    before = photo.copy()
    expected = keras.applications.vgg19.preprocess_input(photo.astype(np.float32))
    np.testing.assert_allclose(preprocess.preprocess_image(photo), expected, rtol=1e-6)
    assert preprocess.preprocess_image(photo).dtype == np.float32
    np.testing.assert_array_equal(photo, before)


@pytest.mark.parametrize(
    ("image", "received"),
    [(Image.new("L", (4, 3)), "L"), (Image.new("YCbCr", (4, 3)), "YCbCr"), ("a.png", "str")],
)
def test_preprocess_takes_nothing_but_rgb(image, received):
    with pytest.raises(InputError, match=f"^image must be an RGB image .* received {received}$"):
        preprocess.preprocess_image(image)


def test_preprocess_of_one_pixel_by_hand():
    rgb = np.array([[[10, 20, 30]]], np.uint8)
    expected = [[[30 - 103.939, 20 - 116.779, 10 - 123.68]]]
    np.testing.assert_allclose(preprocess.preprocess_image(rgb), expected, rtol=1e-6)


def test_rgb_values_are_the_exact_inverse_of_preprocess():
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    x = preprocess.preprocess_image(every)
    before = x.copy()
    np.testing.assert_array_equal(writing.quantize(preprocess.rgb_values(x)), every)
    np.testing.assert_array_equal(
        writing.quantize(preprocess.rgb_values(x.astype(np.float64))), every
    )
    np.testing.assert_array_equal(x, before)


def test_rgb_values_are_clipped():
    np.testing.assert_allclose(preprocess.rgb_values([[[-999.0, 0, 999]]]), [[[255, 116.779, 0]]])


def test_save_creates_folders_and_leaves_nothing_else(photo, tmp_path):
    path = tmp_path / "a" / "b" / "c.png"
    writing.save_image(Image.fromarray(photo), path)
    np.testing.assert_array_equal(reading.load_image(path), photo)
    assert os.listdir(path.parent) == ["c.png"]


@pytest.mark.parametrize(
    ("suffix", "format"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP"), ("tiff", "TIFF")]
)
def test_suffix_decides_the_format(suffix, format, photo, tmp_path):
    writing.save_image(Image.fromarray(photo), tmp_path / f"p.{suffix}")
    with Image.open(tmp_path / f"p.{suffix}") as image:
        assert image.format == format
        assert np.abs(np.asarray(image, int) - photo).mean() < 3


def test_failed_save_leaves_the_earlier_picture(photo, tmp_path, monkeypatch):
    path = tmp_path / "p.png"
    path.write_bytes(b"precious")
    monkeypatch.setattr(Image.Image, "save", disk_full)
    with pytest.raises(OSError, match="No space left"):
        writing.save_image(Image.fromarray(photo), path)
    assert os.listdir(tmp_path) == ["p.png"]
    assert path.read_bytes() == b"precious"


# --- Writing -------------------------------------------------------------------------------

TEXT = '{"a": 1, "name": "\\u00e9"}'
ALL_FORMATS = [(format, 8) for format in writing.FORMATS] + [
    (format, 16) for format in writing.DEEP_FORMATS
]


@pytest.mark.parametrize(("format", "bits"), ALL_FORMATS)
def test_pictures_are_tagged_as_srgb_and_keep_their_description(format, bits, photo, tmp_path):
    path = tmp_path / f"p.{format}"
    writing.save_image(photo, path, bits, TEXT)
    assert reading.read_description(path) == TEXT
    with Image.open(path) as image:
        assert image.info.get("icc_profile") == writing.srgb_profile() or image.info["srgb"] == 0


@pytest.mark.parametrize("suffix", [*writing.SUFFIXES, ".PNG", ".JPG", ".JPEG", ".WebP", ".TIF"])
@pytest.mark.parametrize("bits", [8, 16])
def test_every_suffix_in_any_case(suffix, bits, photo, tmp_path):
    path = tmp_path / f"p{suffix}"
    format = writing.suffix_of(path)
    if bits == 16 and format not in writing.DEEP_FORMATS:
        with pytest.raises(InputError, match=r"16 bits .* name it \.png or \.tiff$"):
            writing.save_image(photo, path, bits, TEXT)
        assert os.listdir(tmp_path) == []
        return
    writing.save_image(photo, path, bits, TEXT)
    assert reading.read_description(path) == TEXT
    with Image.open(path) as image:
        assert image.format == {"jpg": "JPEG"}.get(format, format.upper())
    if bits == 16:
        reference = tmp_path / f"q.{format}"
        writing.save_image(photo, reference, bits, TEXT)
        assert path.read_bytes() == reference.read_bytes()


def test_suffix_without_a_format_is_refused(photo, tmp_path):
    with pytest.raises(InputError, match="no format for '.gif'"):
        writing.save_image(photo, tmp_path / "p.gif")


@pytest.mark.parametrize(("format", "bits"), ALL_FORMATS)
def test_same_picture_gives_the_same_bytes_at_any_time(format, bits, photo, tmp_path, monkeypatch):
    paths = [tmp_path / f"{name}.{format}" for name in "ab"]
    for path in paths:
        writing.srgb_profile.cache_clear()  # littleCMS writes the time into a profile
        writing.save_image(photo, path, bits, TEXT)
        time.sleep(1.1 if bits == 8 else 0)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_description_is_empty_where_there_is_none(photo_path):
    assert reading.read_description(photo_path) == ""


@pytest.mark.parametrize("kind", sorted(BAD_PICTURES.keys() - {"too small"}))
def test_description_of_what_is_no_picture(kind, tmp_path):
    if kind != "truncated":  # its header can be read
        with pytest.raises(InputError, match="bad.png"):
            reading.read_description(make_bad_picture(kind, tmp_path))


@pytest.mark.parametrize("format", writing.DEEP_FORMATS)
def test_sixteen_bits_are_written_exactly(format, tmp_path):
    rgb = np.random.default_rng(0).uniform(0, 255, (40, 48, 3))
    path = tmp_path / f"p.{format}"
    writing.save_image(rgb, path, bits=16)
    if format == "tiff":
        written = tifffile.imread(path)
    else:
        written = np.vstack(
            [np.array(row) for row in png.Reader(bytes=path.read_bytes()).read()[2]]
        )
    np.testing.assert_array_equal(written.reshape(rgb.shape), np.rint(rgb / 255 * 65535))
    np.testing.assert_allclose(reading.load_image(path), rgb, atol=1)


def test_picture_for_which_there_is_no_memory_is_not_decoded(photo_path, monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2**15))
    with pytest.raises(InputError, match="48x40 pixels need .* GiB to be read and 0.0 are free"):
        reading.load_image(photo_path)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"picture": "photo.png"}, "picture must be a Pillow RGB image or an array of numbers"),
        ({"picture": np.zeros((20, 20))}, r"received float64 of shape \(20, 20\)"),
        ({"description": "\u00e9", "bits": 16}, "description must be in ASCII, unless"),
        ({"picture": np.zeros((20, 20, 4), np.uint8)}, r"shape \(20, 20, 4\)"),
        ({"picture": np.full((20, 20, 3), np.nan)}, "values from 0 to 255, received nan"),
        ({"picture": np.full((20, 20, 3), 300.0)}, "values from 0 to 255, received 300"),
        ({"picture": np.full((20, 20, 3), 256, np.uint16)}, "received 256"),
        ({"path": None}, "path must be a path, received NoneType"),
        ({"bits": "8"}, "^bits must be 8 or 16, received '8'"),
        ({"bits": np.ones(3)}, "^bits must be 8 or 16, received array"),
        (
            {"path": "p.jpg", "bits": 16},
            "p.jpg: 16 bits per channel do not fit in it; name it .png",
        ),
        ({"description": {}}, "description must be a text, received dict"),
    ],
)
def test_what_cannot_be_written_as_it_is_is_refused_by_name(given, said, tmp_path):
    whole = {"picture": np.zeros((20, 20, 3)), "path": tmp_path / "p.png"}
    with pytest.raises(InputError, match=said):
        writing.save_image(**whole | given)
    assert not (tmp_path / "p.png").exists()
