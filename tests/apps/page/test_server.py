"""The web page in a real browser, as visitors use it, with random weights."""

import re
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from conftest import APP, own_group, served
from PIL import Image

from stylize.errors import InputError
from stylize.images import reading
from stylize.images.clips import open_clip
from stylize.images.ffmpeg import Mp4Writer
from stylize.runs import metadata

pytest.importorskip("gradio", reason="the page needs requirements-app.txt")
playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
from stylize.apps.page import command, layout, server  # noqa: E402

expect = playwright.expect

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
SECONDS = 60_000  # milliseconds; what is waited for comes sooner
expect.set_options(timeout=SECONDS)
QUIET = (  # no talk with Google; as root, no sandbox
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of all the page's files, and what it prints."""
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def address(full_weights_path, folder):
    """The page's address. It may paint up to 64 pixels, for a minute."""
    with served(folder, full_weights_path, "--max_size", "64", "--max_seconds", "60") as address:
        yield address
        assert list(folder.glob("style_transfer_*"))  # what visitors left ...
    assert not list(folder.glob("style_transfer_*"))  # ... is gone with the page
    assert "Traceback" not in (folder / "log").read_text()


@pytest.fixture(scope="module")
def browser():
    """What one person's browser keeps: the page's scripts are fetched and compiled once."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=list(QUIET))
        yield browser.new_context(accept_downloads=True)
        browser.close()


@pytest.fixture
def visit(browser, address):
    """A function that opens the page in a tab of its own, to the page a new visitor."""
    visitors = []

    def open_page():
        page = browser.new_page()
        page.set_default_timeout(SECONDS)
        outside = []
        page.on("request", lambda request: outside.append(request.url))
        page.goto(address)
        expect(page.locator("#status")).to_contain_text("Choose a photo", timeout=SECONDS)
        visitors.append((page, outside))
        return page

    yield open_page
    for page, requests in visitors:
        page.close()
        assert all(url.startswith((address, "data:", "blob:")) for url in requests)


def give(page, photos, painting):
    """Uploads the pictures and sets a size that the small machine paints in a second."""
    page.locator("#photos input[type=file]").set_input_files(photos)
    page.locator("#painting input[type=file]").set_input_files(painting)
    page.get_by_label("Size").fill("32")


def paint(page, iterations):
    page.get_by_label("number input for Iterations").fill(str(iterations))
    page.get_by_role("button", name="Paint", exact=True).click()


def status(page, pattern):
    expect(page.locator("#status")).to_contain_text(re.compile(pattern), timeout=SECONDS)


def shown(page):
    """The address of the picture shown as the result, None before the first."""
    result = page.locator("#result img")
    return result.get_attribute("src") if result.count() else None


def test_upload_paint_watch_and_download(visit, photo_path, painting_path, tmp_path):
    page = visit()
    give(page, photo_path, painting_path)
    expect(page.get_by_role("button", name="Download PNG")).to_be_disabled()
    paint(page, 6)
    seen = set()
    while "Done" not in page.locator("#status").inner_text():
        seen.add(shown(page))
        page.wait_for_timeout(100)
    status(page, r"Done: 38x32 pixels")
    assert len(seen - {None}) >= 2  # the preview changed while it was painted
    expect(page.get_by_test_id("matplotlib")).to_be_hidden()  # until somebody asks for it
    page.get_by_role("button", name="Losses").click()
    expect(page.get_by_test_id("matplotlib")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download PNG").click()
    assert download.value.suggested_filename == "photo_painting_0.5_size_32.png"
    download.value.save_as(tmp_path / "painted.png")
    assert reading.load_image(tmp_path / "painted.png").size == (38, 32)
    record = metadata.read_record(tmp_path / "painted.png")
    assert record["settings"]["iterations"] == 6
    assert record["base"]["name"] == "photo.png"


def test_several_photos_fill_a_gallery_and_come_as_one_download(
    visit, photo_path, painting_path, tmp_path
):
    page = visit()
    other, bad = tmp_path / "other.png", tmp_path / "bad.png"
    Image.effect_noise((48, 40), 80).save(other)
    bad.write_bytes(b"hello")
    give(page, [photo_path, bad, other], painting_path)
    paint(page, 10)  # so that what is said of each stays for a while
    status(page, r"1 of 3: photo\.png, about \d+s left for this one")
    status(page, r"3 of 3: other\.png")
    expect(page.locator("#gallery img")).to_have_count(1)
    status(page, "Done: 2 of 3 painted")
    status(page, r"bad\.png: not a picture that can be read")
    expect(page.locator("#gallery img")).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download all (ZIP)").click()
    download.value.save_as(tmp_path / "painted.zip")
    with zipfile.ZipFile(tmp_path / "painted.zip") as archive:
        names = ["photo_painting_0.5_size_32.png", "other_painting_0.5_size_32.png"]
        assert archive.namelist() == names
        archive.extractall(tmp_path / "painted")
    record = metadata.read_record(tmp_path / "painted" / "other_painting_0.5_size_32.png")
    assert record["base"]["name"] == "other.png"
    page.locator("#photos").get_by_label("Clear").click()  # one photo again: all is as before
    give(page, photo_path, painting_path)
    paint(page, 1)
    status(page, "Done: 38x32 pixels")
    expect(page.get_by_role("button", name="Download PNG")).to_be_enabled()
    expect(page.locator("#gallery")).to_be_hidden()
    expect(page.locator("#earlier img")).to_have_count(2)  # the others are below
    caption = page.locator("#earlier .caption-label").last
    expect(caption).to_have_text("photo.png + painting.png, strength 0.5, size 32, iterations 10")


def test_clip_becomes_a_film(visit, photo_path, painting_path, tmp_path):
    page = visit()
    writer = Mp4Writer(tmp_path / "clip.mp4", (48, 40))
    writer.write(Image.open(photo_path), 3)
    writer.finish()
    give(page, tmp_path / "clip.mp4", painting_path)
    expect(page.locator("#photos video")).to_be_visible()
    paint(page, 5)  # so that what is said of the first, which takes longest, stays for a while
    status(page, r"Frame 1 of 3: \d+%")
    status(page, "Done: 3 of 3 frames")
    expect(page.locator("#gallery video")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download MP4").click()
    download.value.save_as(tmp_path / "painted.mp4")
    film = open_clip(str(tmp_path / "painted.mp4"))
    assert [image.size for image in film.frames()] == [(38, 32)] * 3


def test_browser_asks_before_it_leaves_results(visit, photo_path, painting_path):
    page = visit()
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.reload()
    status(page, "Choose a photo")
    assert not asked
    give(page, photo_path, painting_path)
    paint(page, 1)
    status(page, "Done")
    with page.expect_download():
        page.get_by_role("button", name="Download PNG").click()
    assert not asked
    page.reload()
    status(page, "Choose a photo")
    assert asked == ["beforeunload"]


def test_painting_goes_on_for_who_stays(visit, photo_path, painting_path):
    page = visit()
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    give(page, photo_path, painting_path)
    paint(page, 60)
    is_shown(page, "#result")
    page.evaluate("() => { setTimeout(() => location.reload(), 0) }")
    status(page, "Done")
    assert asked == ["beforeunload"]
    paint(page, 1)
    expect(page.locator("#earlier img")).to_have_count(1)
    status(page, "Done")


def draw(page, from_left):
    """Opens the drawing and brushes from top to bottom, so far from the left, 0 to 1."""
    page.get_by_role("button", name="Draw the mask on the photo").click()
    page.get_by_label("Brush").fill("25")
    box = page.locator("#draw_mask canvas").bounding_box()
    x = box["x"] + from_left * box["width"]
    page.mouse.move(x, box["y"] + 1)
    page.mouse.down()
    page.mouse.move(x, box["y"] + box["height"] - 1, steps=5)
    page.mouse.up()


def drawn(page):
    """How bright the mask that is being drawn is at an eighth, half and seven eighths from left."""
    with page.expect_download() as download:
        page.locator("#draw_mask").get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "drawn_mask.png"
    mask = Image.open(download.value.path()).convert("L").resize((8, 1), Image.Resampling.BOX)
    return [mask.getpixel((x, 0)) > 128 for x in (1, 4, 7)]


def test_mask_is_drawn_on_the_photo(visit, photo_path, painting_path):
    page = visit()
    page.get_by_role("button", name="More settings").click()
    give(page, photo_path, painting_path)
    is_shown(page, "#photos")
    draw(page, 0.2)
    page.get_by_role("button", name="Use this mask").click()
    is_shown(page, "#keep_mask")
    draw(page, 0.56)  # what was kept is there, and can be corrected
    assert drawn(page) == [True, True, False]
    page.get_by_role("button", name="Undo").click()
    assert drawn(page) == [True, False, False]
    page.get_by_role("button", name="Cancel").click()
    first = page.locator("#keep_mask img").get_attribute("src")
    draw(page, 0.85)
    assert drawn(page) == [True, False, True]
    page.get_by_role("button", name="Use this mask").click()
    expect(page.locator("#keep_mask img")).not_to_have_attribute("src", first)
    is_shown(page, "#keep_mask")
    paint(page, 1)
    status(page, "Done: 38x32 pixels")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download PNG").click()
    painted = np.asarray(Image.open(download.value.path()), float)
    as_given = np.asarray(Image.open(photo_path).resize((38, 32)), float)
    changed = np.abs(painted - as_given).mean((0, 2))  # of each column
    assert max(changed[7], changed[32]) < 5 < changed[17:22].mean()
    assert metadata.read_record(download.value.path())["settings"]["keep_mask"] == "drawn_mask.png"
    page.get_by_role("button", name="Draw the mask on the photo").click()
    page.locator("#draw_mask").get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="Use this mask").click()
    expect(page.locator("#keep_mask img")).to_have_count(0)
    expect(page.locator("#keep_mask")).to_contain_text("Drop pictures here")
    expect(page.locator("#mask_in_use")).to_be_hidden()


def test_uploaded_mask_stays_until_something_is_drawn(visit, photo_path, painting_path, tmp_path):
    page = visit()
    page.get_by_role("button", name="More settings").click()
    give(page, photo_path, painting_path)
    is_shown(page, "#photos")
    Image.linear_gradient("L").save(tmp_path / "own.png")
    page.locator("#keep_mask input[type=file]").set_input_files(tmp_path / "own.png")
    is_shown(page, "#keep_mask")
    told = []
    page.once("dialog", lambda dialog: (told.append(dialog.message), dialog.accept()))
    page.get_by_role("button", name="Draw the mask on the photo").dblclick()
    expect(page.locator("#draw_mask")).to_contain_text("takes the place of the mask")
    page.get_by_role("button", name="Use this mask").click()
    assert told == ["Nothing is drawn yet. Brush over the parts to keep."]
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#draw_mask")).to_have_count(0)
    draw(page, 0.2)
    own = page.locator("#keep_mask img")
    assert own.get_attribute("src").endswith("own.png")
    page.get_by_role("button", name="Use this mask").click()
    expect(own).to_have_attribute("src", re.compile("drawn_mask.png$"))
    draw(page, 0.5)
    expect(page.locator("#draw_mask")).not_to_contain_text("takes the place")


def test_port_in_use_is_answered_in_one_line(address):
    """Before the weights are read."""
    port = address.rpartition(":")[2]
    typed = [sys.executable, APP, "--port", port, "--weights", "missing.h5"]
    result = subprocess.run(typed, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert result.stderr == (
        f"app.py: error: port {port} is in use on 127.0.0.1: perhaps the page is open already at "
        f"{address}; else choose another, such as --port 7861\n"
    )


def test_page_that_is_stopped_while_it_starts_says_so():
    with own_group([sys.executable, "-u", APP, "--weights", "missing.h5"]) as starting:
        assert starting.stdout.readline().startswith("Starting the page")
        starting.terminate()
        _, said = starting.communicate(timeout=60)
        assert (starting.returncode, said) == (143, "app.py: error: terminated\n")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--port=abc", "--port: must be a whole number of at least 1 and at most 65535"),
        ("--max_size=5", "--max_size: must be a whole number of at least 16"),
        ("--max_seconds=-1", "--max_seconds: must be a finite number above 0"),
    ],
)
def test_limits_that_nothing_can_meet_are_refused(option, said, capsys):
    with pytest.raises(SystemExit):
        command.main([option])
    assert said in capsys.readouterr().err


def test_host_that_cannot_be_a_name_is_answered():
    message = r"port 80 cannot be used on a\.\.b; choose another, such as --port 7861$"
    with pytest.raises(InputError, match=message):
        server._check_port("a..b", 80)


def test_terminal_says_that_it_starts_and_where_the_page_is(address, folder):
    first, last, *_ = (folder / "log").read_text().splitlines()
    assert first.startswith("Starting the page")
    assert last == f"The page is at {address}/ (Ctrl-C stops it)"


def test_stop_keeps_what_is_there_and_a_second_click_can_be_stopped(
    visit, photo_path, painting_path
):
    page = visit()
    give(page, photo_path, painting_path)
    paint(page, 20)
    page.locator("#result img").wait_for()
    page.get_by_role("button", name="Stop").click()
    status(page, "Stopped: 38x32 pixels")
    assert shown(page)
    expect(page.get_by_role("button", name="Download PNG")).to_be_enabled()
    for iterations in (19, 20):
        paint(page, iterations)
        page.wait_for_timeout(1000)  # else what is told may be of the picture before
        status(page, "Painting at 38x32 pixels")
    page.get_by_role("button", name="Stop").click()
    status(page, "Stopped")
    page.wait_for_timeout(500)
    status(page, "Stopped")


CLOSE_TOASTS = "document.querySelectorAll('[data-testid=toast-close]').forEach(x => x.click())"


def test_corrupt_uploads_are_answered(visit, painting_path, tmp_path):
    """Those too that cannot be shown before."""
    page = visit()
    for name, content, message in [
        ("no_picture.png", b"hello", "not a picture that can be read"),
        ("empty.png", b"", "the file is empty"),
        ("bad.heic", b"\0\0\0\x18ftypheic" + bytes(99), "not a picture|damaged"),
    ]:
        (tmp_path / name).write_bytes(content)
        give(page, tmp_path / name, painting_path)
        paint(page, 1)
        toast = page.get_by_test_id("toast-body").filter(has_text=re.compile(message))
        expect(toast.first).to_be_visible()  # for seconds only; the status stays
        status(page, f"the photo: .*({message})")
        page.evaluate(CLOSE_TOASTS)  # the next has its own
        expect(page.get_by_test_id("toast-body")).to_have_count(0)
        assert shown(page) is None
        page.locator("#photos").get_by_label("Clear").click()


def test_missing_and_too_large_pictures_are_answered(visit, photo_path, painting_path):
    page = visit()
    page.get_by_role("button", name="Paint", exact=True).click()
    status(page, "Choose a photo and a painting: your own")
    give(page, photo_path, painting_path)
    page.get_by_label("Size").fill("100")
    page.get_by_role("button", name="Paint", exact=True).click()
    status(page, "120x100 pixels; the limit here is 64")


def test_two_visitors_take_turns(visit, photo_path, painting_path):
    """Stop while one waits gives the place up, and who leaves does not hold the next one up."""
    first, second = visit(), visit()
    for page in (first, second):
        give(page, photo_path, painting_path)

    first.get_by_label("Size").fill("52")  # so that it goes on until it is stopped

    def begin_first():
        paint(first, 20)
        status(first, "Painting at 62x52 pixels")

    begin_first()
    paint(second, 20)
    status(second, "Waiting for your turn")
    second.get_by_role("button", name="Stop").click()
    second.wait_for_timeout(500)
    first.get_by_role("button", name="Stop").click()
    status(second, "Stopped; no picture was finished")
    status(first, "Stopped")

    begin_first()
    paint(second, 1)
    expect(second.get_by_text(re.compile("queue: 1/1")).first).to_be_visible()
    assert shown(second) is None
    first.get_by_role("button", name="Stop").click()
    status(first, "Stopped")
    status(second, "Done: 38x32 pixels")

    begin_first()
    first.goto("about:blank")
    paint(second, 1)
    expect(second.locator("#earlier img")).to_have_count(1)  # the next is painted
    status(second, "Done: 38x32 pixels")


def is_shown(page, place):
    """Waits until the browser has decoded the one picture in a place."""
    expect(page.locator(f"{place} img")).to_have_count(1)
    decoded = "place => document.querySelector(`${place} img`)?.naturalWidth > 0"
    page.wait_for_function(decoded, arg=place)


def example(page, kind, number):
    page.locator(f"#{kind}_examples").get_by_role("button").nth(number).click()


@pytest.mark.parametrize("own", ["photos", "painting"])
def test_example_goes_with_a_picture_of_ones_own(visit, own, photo_path, painting_path):
    page = visit()
    given = {"photos": photo_path, "painting": painting_path}[own]
    page.locator(f"#{own} input[type=file]").set_input_files(given)
    example(page, "painting" if own == "photos" else "photos", 1)
    is_shown(page, "#photos")
    is_shown(page, "#painting")
    expected = re.compile("Paint (takes|would take) about|the limit here")
    expect(page.locator("#expected")).to_contain_text(expected, timeout=SECONDS)
    page.get_by_label("Size").fill("32")
    paint(page, 1)
    status(page, "Done")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download PNG").click()
    record = metadata.read_record(download.value.path())
    names = record["base"]["name"], record["styles"][0]["name"]
    expected = {
        "photos": ("photo.png", "impasto.jpg"),
        "painting": ("hopper.jpg", "painting.png"),
    }
    assert names == expected[own]


def test_pictures_of_any_format_are_taken_shown_and_painted(visit, photo, painting, tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    page = visit()
    for suffix in (".heic", ".avif", ".tiff"):
        given = tmp_path / f"photo{suffix}", tmp_path / f"painting{suffix}"
        for path, pixels in zip(given, (photo, painting), strict=True):
            Image.fromarray(pixels).save(path)
        give(page, *given)
        is_shown(page, "#photos")
        is_shown(page, "#painting")
        status(page, "Everything is chosen")
        paint(page, 1)
        status(page, "Done: 38x32 pixels")
        with page.expect_download() as download:
            page.get_by_role("button", name="Download PNG").click()
        record = metadata.read_record(download.value.path())
        assert record["base"] == metadata.describe_file(given[0])
        assert record["styles"][0]["name"] == given[1].name
        for place in ("#photos", "#painting"):
            page.locator(place).get_by_label("Clear").click()
            expect(page.locator(f"{place} img")).to_have_count(0)


def test_photos_of_ones_own_take_the_place_of_an_example(visit, photo_path, painting_path):
    page = visit()
    example(page, "photos", 1)
    is_shown(page, "#photos")
    for given, number in ((photo_path, 1), (painting_path, 2)):  # a further one is added
        page.locator("#photos input[type=file]").set_input_files(given)
        expect(page.locator("#photos .thumbnail-item img")).to_have_count(number)
        source = page.locator("#photos .thumbnail-item img").first
        expect(source).to_have_attribute("src", re.compile("photo.png$"))


def test_photo_that_is_an_example_too_is_one_of_several(visit, photo_path):
    page = visit()
    both = [layout.EXAMPLES / "hopper.jpg", photo_path]
    photos = page.locator("#photos .thumbnail-item img")
    page.locator("#photos input[type=file]").set_input_files(both)
    expect(page.locator("#expected")).to_contain_text("for all of these photos")
    expect(photos).to_have_count(2)
    page.locator("#photos").get_by_role("button", name="Clear").click()
    example(page, "photos", 1)
    expect(photos).to_have_count(1)
    page.locator("#photos").get_by_role("button", name="Clear").click()
    expect(photos).to_have_count(0)
    page.locator("#photos input[type=file]").set_input_files(both)
    expect(page.locator("#expected")).to_contain_text("for all of these photos")
    expect(photos).to_have_count(2)


def test_next_painting_takes_the_place_of_the_last(visit, photo_path, painting_path):
    page = visit()
    give(page, photo_path, photo_path)
    is_shown(page, "#painting")
    page.locator("#painting input[type=file]").set_input_files(painting_path)
    expect(page.locator("#painting img").first).to_have_attribute(
        "src", re.compile("painting.png$")
    )
    is_shown(page, "#painting")


def test_what_is_needed_to_paint_is_on_the_first_screen(visit, photo_path, painting_path):
    page = visit()
    page.set_viewport_size({"width": 1280, "height": 720})
    for given in (False, True):
        if given:
            give(page, photo_path, painting_path)
            is_shown(page, "#photos")
        for there in (
            page.locator("#photos"),
            page.locator("#painting"),
            page.get_by_label("number input for Strength"),
            page.get_by_label("Size"),
            page.get_by_role("button", name="Paint", exact=True),
            page.locator("#expected"),
            page.locator("#result"),
            page.locator("#status"),
        ):
            expect(there).to_be_in_viewport(ratio=1)
        assert page.evaluate("scrollY") == 0


def test_time_is_foreseen_before_painting(visit, photo_path, painting_path):
    page = visit()
    expected = page.locator("#expected")
    expect(expected).to_have_text("")
    give(page, photo_path, painting_path)
    foreseen = re.compile(r"Paint (takes|would take) about \d+.* 3 small pictures .* in about \d+")
    expect(expected).to_contain_text(foreseen, timeout=SECONDS)
    page.get_by_label("Size").fill("100")
    expect(expected).to_contain_text("the limit here is 64", timeout=SECONDS)
    page.get_by_label("Size").fill("32")
    page.locator("#photos").get_by_label("Clear").click()
    expect(expected).to_have_text("", timeout=SECONDS)


def test_nothing_red_is_left_of_an_error(visit, photo_path, painting_path):
    page = visit()
    give(page, photo_path, painting_path)
    page.get_by_label("Size").fill("1")
    page.get_by_role("button", name="Paint", exact=True).click()
    status(page, "the result, must be a whole number from 16")
    expect(page.get_by_test_id("toast-body")).to_be_visible()
    page.get_by_test_id("toast-close").click()
    expect(page.get_by_test_id("toast-body")).to_have_count(0)
    expect(page.get_by_text("Error", exact=True).locator("visible=true")).to_have_count(0)
    assert page.evaluate(REDDISH) == []


# What has a border or a text of a red: as the badges of errors have.
REDDISH = """() => [...document.querySelectorAll("body *")].filter(each => {
    const {color, borderTopColor, borderTopWidth} = getComputedStyle(each);
    const red = css => { const [r, g, b] = css.match(/[0-9.]+/g); return r > 150 && g + b < 100; };
    return each.checkVisibility({visibilityProperty: true}) && each.getClientRects().length
        && (red(color) || (red(borderTopColor) && borderTopWidth != "0px"));
}).map(each => each.outerHTML.slice(0, 100))"""


def test_an_error_covers_the_result_for_seconds_only(visit):
    page = visit()
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.get_by_test_id("toast-body")).to_be_visible()
    expect(page.get_by_test_id("toast-body")).to_have_count(0, timeout=8000)
    status(page, "Choose a photo and a painting: your own")


def test_upload_boxes_say_what_they_take(visit):
    page = visit()
    for place in ("#photos", "#painting"):
        expect(page.locator(place)).to_contain_text("Drop pictures here")


def test_what_is_read_to_the_blind_is_in_words(visit, photo_path, painting_path):
    """Gradio has a key without a word for the end of an event."""
    page = visit()
    page.evaluate(
        """() => {
            window.said = new Set();
            const look = () => document.querySelectorAll("[aria-live]").forEach(
                place => window.said.add(place.textContent.trim()));
            new MutationObserver(look).observe(  // the words change, not the elements
                document.body, {childList: true, characterData: true, subtree: true});
        }"""
    )
    give(page, photo_path, painting_path)
    paint(page, 1)
    status(page, "Done: ")
    page.wait_for_function("window.said.has('Done')")
    assert not [words for words in page.evaluate("[...window.said]") if "common." in words]


def test_strokes_are_made_finer(visit, photo_path, painting_path):
    page = visit()
    give(page, photo_path, painting_path)
    page.get_by_role("button", name="More settings").click()
    page.get_by_label("Strokes").click()
    page.get_by_role("option", name="finer").click()
    paint(page, 1)
    status(page, "Done: 38x32 pixels")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download PNG").click()
    assert metadata.read_record(download.value.path())["settings"]["style_scale"] == [0.6]


def test_mask_keeps_a_part_of_the_photo(visit, photo_path, painting_path, cut_out_path):
    page = visit()
    give(page, photo_path, painting_path)
    page.get_by_role("button", name="More settings").click()
    page.locator("#keep_mask input[type=file]").set_input_files(cut_out_path)
    is_shown(page, "#keep_mask")
    remark = page.locator("#expected").get_by_text("mask cut_out.png: a cut-out")
    expect(remark).to_be_visible()
    paint(page, 3)
    status(page, r"Done: 38x32 pixels\s+photo\.png \+ .*, mask\s+mask cut_out\.png: a cut-out")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download PNG").click()
    record = metadata.read_record(download.value.path())
    assert record["keep_mask"] == metadata.describe_file(cut_out_path)
    expect(page.locator("#mask_in_use")).to_contain_text("A mask is in use")
    example(page, "photos", 1)
    gone = page.get_by_test_id("toast-body").filter(has_text="The mask was for the photo before")
    expect(gone).to_be_visible()
    expect(page.locator("#keep_mask img")).to_have_count(0)
    expect(page.locator("#mask_in_use")).to_be_hidden()
    expect(remark).to_be_hidden()
    page.locator("#photos").get_by_label("Clear").click()
    page.locator("#photos input[type=file]").set_input_files(photo_path)
    is_shown(page, "#keep_mask")  # it comes back with its photo
    expect(page.locator("#mask_in_use")).to_be_visible()
    example(page, "photos", 1)
    expect(page.locator("#keep_mask img")).to_have_count(0)
    page.locator("#keep_mask input[type=file]").set_input_files(cut_out_path)
    expect(page.locator("#mask_in_use")).to_be_visible()
    page.locator("#keep_mask").get_by_label("Clear").click()
    expect(page.locator("#mask_in_use")).to_be_hidden()


def test_page_takes_any_size_of_upload(visit, painting_path, tmp_path):
    page = visit()
    Image.effect_noise((900, 600), 80).save(tmp_path / "large.jpg")
    give(page, tmp_path / "large.jpg", painting_path)
    paint(page, 1)
    status(page, "Done: 48x32 pixels")


def test_a_click_on_a_choice_sets_the_strength(visit, photo_path, painting_path, cut_out_path):
    """The button of the strength that is set is marked.

    The choices are hidden while they are of something else than what is set.
    """
    page = visit()
    page.set_viewport_size({"width": 1280, "height": 720})
    give(page, photo_path, painting_path)
    page.get_by_role("button", name="Show me the choices").click()
    status(page, "Choose the one that you like best")
    expect(page.get_by_role("button", name="Strength 0.3")).to_be_in_viewport(ratio=1)
    assert page.evaluate("scrollY") == 0
    strength = page.get_by_label("number input for Strength")
    marked = page.locator("#choices button.primary")
    expect(marked).to_have_text("Strength 0.5")
    expect(page.locator("#choices img")).to_have_count(3)
    small = page.locator("#choices img").first
    assert small.bounding_box()["width"] > 100  # of 64 pixels
    small.click()
    expect(strength).to_have_value("0.3")
    page.get_by_role("button", name="Strength 0.7").click()
    expect(strength).to_have_value("0.7")
    expect(marked).to_have_text("Strength 0.7")
    for value in ("0.4", ""):  # it may be empty on the way to another one
        strength.fill(value)
        expect(marked).to_have_count(0)
    strength.fill("0.7")
    expect(marked).to_have_text("Strength 0.7")  # so the empty one was answered before
    assert page.get_by_test_id("toast-body").count() == 0
    status(page, "Everything is chosen")
    page.get_by_role("button", name="Paint", exact=True).click()
    status(page, "Done: 38x32 pixels")
    choices, hidden = page.locator("#choices"), page.locator("#choices_hidden")
    colours = page.get_by_label("Keep the photo's colours")
    for colour, others in (("yes (luma)", True), ("no", False)):
        colours.click()
        page.get_by_role("option", name=colour, exact=True).click()
        expect(choices).to_be_visible(visible=not others)
        expect(hidden).to_be_visible(visible=others)
        if others:
            expect(hidden).to_contain_text("painted with colours no. Set that again to see them")
    expect(choices.locator("img")).to_have_count(3)
    page.get_by_role("button", name="More settings").click()
    page.locator("#keep_mask input[type=file]").set_input_files(cut_out_path)
    expect(hidden).to_contain_text("painted with no mask")
    example(page, "photos", 1)
    expect(choices).to_be_hidden()
    expect(hidden).to_be_hidden()  # that photo has no choices yet
    status(page, "Everything is chosen")
    page.locator("#photos").get_by_label("Clear").click()
    page.locator("#photos input[type=file]").set_input_files(photo_path)
    is_shown(page, "#keep_mask")  # it has come back, and the choices are without it
    expect(hidden).to_contain_text("painted with no mask")
    expect(choices).to_be_hidden()


def test_what_is_said_of_other_settings_is_taken_back(visit, photo_path, painting_path):
    page = visit()
    page.get_by_role("button", name="Paint", exact=True).click()
    status(page, "Choose a photo and a painting: your own")
    give(page, photo_path, painting_path)
    status(page, "Everything is chosen")
    page.get_by_label("Size").fill("1")
    page.get_by_role("button", name="Paint", exact=True).click()
    status(page, "The size, the rows of the result, must be")
    page.get_by_label("Size").fill("32")
    status(page, "Everything is chosen")
    paint(page, 1)
    status(page, "Done")
    example(page, "painting", 1)
    status(page, "Everything is chosen")


def test_one_of_several_paintings_is_taken_and_named(visit, painting_path, photo_path):
    page = visit()
    page.locator("#painting input[type=file]").set_input_files([photo_path, painting_path])
    said = page.get_by_test_id("toast-body").filter(has_text="Only one picture is used here")
    expect(said).to_contain_text("now painting.png")
    expect(page.locator("#painting img")).to_have_count(1)


def test_result_comes_into_sight_in_a_narrow_window(visit, photo_path, painting_path):
    page = visit()
    page.set_viewport_size({"width": 600, "height": 700})
    give(page, photo_path, painting_path)
    expect(page.locator("#result")).not_to_be_in_viewport()
    paint(page, 1)
    expect(page.locator("#result")).to_be_in_viewport()
    status(page, "Done")


def test_finished_picture_stays_until_the_next_is_there(visit, photo_path, painting_path):
    """Whatever is pressed, or refused, meanwhile."""
    page = visit()
    give(page, photo_path, painting_path)
    paint(page, 1)
    status(page, "Done")
    painted = shown(page)
    page.get_by_role("button", name="Stop").click()
    page.wait_for_timeout(500)
    status(page, "Done: 38x32 pixels")
    page.get_by_label("Size").fill("1")
    page.get_by_role("button", name="Paint", exact=True).click()
    status(page, "The size, the rows of the result, must be")
    assert shown(page) == painted
    with page.expect_download() as download:
        page.get_by_role("button", name="Download PNG").click()
    assert reading.load_image(download.value.path()).size == (38, 32)


def test_labels_and_buttons_lie_over_no_picture(visit, photo_path, painting_path):
    page = visit()
    give(page, [photo_path, painting_path], painting_path)
    paint(page, 1)
    status(page, "Done")
    for width, height in ((1280, 720), (1000, 800)):
        page.set_viewport_size({"width": width, "height": height})
        for place in ("#photos", "#painting", "#result", "#gallery"):
            is_decoded = "place => document.querySelector(`${place} img`)?.naturalWidth > 0"
            page.wait_for_function(is_decoded, arg=place)
            picture = page.locator(f"{place} img").first.bounding_box()
            over = page.locator(f"{place} label, {place} .icon-button-wrapper")
            for each in over.locator("visible=true").all():
                assert each.bounding_box()["y"] + each.bounding_box()["height"] <= picture["y"] + 1
