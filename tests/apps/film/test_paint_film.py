"""Films: read, painted frame by frame, stopped and resumed, written with their sound."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from fractions import Fraction
from types import SimpleNamespace

import imageio_ffmpeg
import numpy as np
import pytest
from conftest import alive, own_group, smooth_picture
from PIL import Image
from strange_files import ENCODED

import neural_style_transfer as nst
from stylize.apps import earlier
from stylize.apps.film import paint_film, scenes
from stylize.apps.film.scenes import WHOLE, FrameFolder
from stylize.apps.options import parse
from stylize.backend import files
from stylize.backend.arrays import device_arrays
from stylize.backend.tensors import to_numpy
from stylize.errors import InputError
from stylize.images import clips
from stylize.images.ffmpeg import Mp4Writer
from stylize.images.optical_flow import Previous
from stylize.runs import level as levels
from stylize.runs.job import prepare
from stylize.vgg.weights import IMAGENET_MEAN_BGR

pytestmark = pytest.mark.usefixtures("eagerly")
CUT, FRAMES = 3, 4  # the last frame begins another scene


def frame(index):
    """A window that moves over a picture by two columns a frame; after the cut, over another."""
    wide = smooth_picture(48, 84, seed=1 if index < CUT else 2)
    return Image.fromarray(wide[:, 2 * index : 2 * index + 64])


def ffmpeg(*arguments):
    """Runs FFmpeg. Returns what it says."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-y", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True).stderr


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    """A folder with a video of four frames, 12 a second, and with the same and a tone."""
    folder = tmp_path_factory.mktemp("encoded")
    silent, clip = folder / "silent.mp4", folder / "clip.mp4"
    writer = Mp4Writer(silent, (64, 48), 12, ("-crf", "5"))
    for index in range(FRAMES):
        writer.write(frame(index), 1)
    writer.finish()
    tone = ("-f", "lavfi", "-i", "sine=frequency=440:duration=0.5")
    ffmpeg("-i", silent, *tone, "-c:v", "copy", "-c:a", "aac", clip)
    return folder


@pytest.fixture
def silent(encoded, tmp_path):
    """The video without sound."""
    return shutil.copy(encoded / "silent.mp4", tmp_path / "silent.mp4")


@pytest.fixture
def clip(encoded, tmp_path):
    """The same with a tone."""
    return shutil.copy(encoded / "clip.mp4", tmp_path / "clip.mp4")


@pytest.fixture
def command(simple_loss, one_process, clip, painting_path, weights_path, tmp_path):
    """A thread stands in for the processes."""
    return [
        *(str(clip), str(painting_path), str(tmp_path / "results" / "clip")),
        *("--weights", str(weights_path), "--size", "33", "--iter", "1"),
    ]


def sound_of(path):
    """The samples of a file's sound, encoded as they are in it, by their hash."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-map", "0:a", "-c", "copy"]
    return subprocess.run([*command, "-f", "md5", "-"], capture_output=True, text=True).stdout


# ---------------------------------------------------------------------------------------------
# Reading and writing
# ---------------------------------------------------------------------------------------------


def test_video_is_read_as_it_is(clip):
    film = clips.open_clip(str(clip))
    assert (film.rate, film.length) == (12, FRAMES)
    frames = list(film.frames())
    assert len(frames) == FRAMES
    for index, image in enumerate(frames):
        difference = np.asarray(image, float) - np.asarray(frame(index))
        assert np.abs(difference).mean() < 5  # its colours are coarse


def test_turned_video_is_read_upright(silent, tmp_path, capfd):
    ffmpeg("-display_rotation", "90", "-i", silent, "-c", "copy", tmp_path / "turned.mp4")
    film = clips.open_clip(str(tmp_path / "turned.mp4"))
    upright = np.rot90(np.asarray(frame(0), float))
    assert np.abs(np.asarray(next(film.frames())) - upright).mean() < 5
    assert capfd.readouterr().err == ""


def test_video_of_ten_bits_is_read_in_eight(silent, tmp_path):
    ffmpeg("-i", silent, "-c:v", "libx264", "-pix_fmt", "yuv420p10le", tmp_path / "ten.mp4")
    frames = list(clips.open_clip(str(tmp_path / "ten.mp4")).frames())
    assert len(frames) == FRAMES
    assert np.abs(np.asarray(frames[0], float) - np.asarray(frame(0))).mean() < 5


SEE_THROUGH = {  # how FFmpeg encodes it, and its options
    "prores.mov": ("prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le"),
    "animation.mov": ("qtrle", "-pix_fmt", "argb"),
    "png.mov": ("png", "-pix_fmt", "rgba"),
    "vp8.webm": ("libvpx", "-pix_fmt", "yuva420p", "-auto-alt-ref", "0"),
    "vp9.webm": ("libvpx-vp9", "-pix_fmt", "yuva420p"),
    "ffv1.mkv": ("ffv1", "-pix_fmt", "bgra"),
}


@pytest.mark.parametrize("name", SEE_THROUGH)
def test_what_can_be_seen_through_is_on_white(name, tmp_path):
    """Red, half of it to be seen: (255 + 255) / 2, 255 / 2, 255 / 2."""
    half = ("-f", "lavfi", "-i", "color=red@0.5:s=64x48:r=10:d=0.2,format=rgba")
    ffmpeg(*half, "-c:v", *SEE_THROUGH[name], tmp_path / name)
    frames = list(clips.open_clip(str(tmp_path / name)).frames())
    assert len(frames) == 2
    for image in frames:
        assert np.abs(np.asarray(image, float) - (255, 127.5, 127.5)).max() < 6


def save_hdr(path, transfer, signal):
    """A film of a gray, its signal from 0 to 1, as HDR cameras write it."""
    told = f"color_trc={transfer}:color_primaries=bt2020:colorspace=bt2020nc:range=tv"
    luma = f"geq=lum={64 + round(876 * signal)}:cb=512:cr=512"
    gray = f"color=gray:s=64x48:r=10:d=0.2,format=yuv420p10le,{luma},setparams={told}"
    quiet = ("-c:v", "libx265", "-x265-params", "log-level=none", "-pix_fmt", "yuv420p10le")
    ffmpeg("-f", "lavfi", "-i", gray, *quiet, path)
    return str(path)


# What ITU-R BT.2408 calls the white of paper (203 nits), and its gray of 18 % (26 nits).
GRAYS = {"smpte2084": {0.58: 192, 0.38: 97}, "arib-std-b67": {0.75: 193, 0.38: 97}}


@pytest.mark.parametrize("transfer", clips.HDR)
def test_hdr_is_shown_as_on_a_common_screen(transfer, tmp_path):
    for level, expected in GRAYS[transfer].items():
        path = save_hdr(tmp_path / f"{level}.mp4", transfer, level)
        frames = list(clips.open_clip(path).frames())
        assert len(frames) == 2
        assert np.ptp(np.asarray(frames[0]).reshape(-1, 3).mean(axis=0)) < 3  # it stays gray
        assert np.asarray(frames[0]).mean() == pytest.approx(expected, abs=8), level


def test_hdr_that_an_ffmpeg_cannot_convert_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(clips, "TONE_MAPPED", "no_such_filter")
    path = save_hdr(tmp_path / "hdr.mp4", "smpte2084", 0.5)
    with pytest.raises(InputError, match="is HDR, which the FFmpeg in use cannot convert; .*-vf"):
        clips.open_clip(path)


def test_title_of_a_video_is_not_what_it_is(silent, tmp_path):
    said = "\n  Stream #0:0: Video: h264, yuv420p(bt2020nc/bt2020/smpte2084), 2 fps\n"
    said += "  Stream #0:1: Audio: aac\n"
    ffmpeg("-i", silent, "-c", "copy", "-metadata", f"title={said}", tmp_path / "titled.mkv")
    clip = clips.open_clip(str(tmp_path / "titled.mkv"))
    assert (clip.rate, clip.sound) == (12, ())


def test_video_that_stands_still_is_refused_as_such(silent, tmp_path):
    slow = ("-itsscale", "50000", "-i", silent, "-c", "copy", "-video_track_timescale", "1000")
    ffmpeg(*slow, tmp_path / "slow.mp4")
    with pytest.raises(InputError, match=r"slow.mp4: has less than 0.001 frames per second; save"):
        clips.open_clip(str(tmp_path / "slow.mp4"))


def test_colon_in_the_name_of_a_video_is_no_protocol(clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clip.rename("12:30.mp4")
    film = clips.open_clip("12:30.mp4")
    assert len(list(film.frames())) == FRAMES
    clips.encode("film.mp4", [painted(tmp_path / "1.png")], film)
    assert "md5=" in sound_of("film.mp4").lower()


@pytest.mark.parametrize("suffix", clips.SUFFIXES)
def test_videos_of_all_suffixes_are_read(suffix, silent, tmp_path):
    path = tmp_path / f"clip{suffix}"
    ffmpeg("-i", silent, "-c:v", ENCODED[suffix], "-pix_fmt", "yuv420p", "-r", "24", path)
    film = clips.open_clip(str(path))
    assert len(list(film.frames())) == film.length >= FRAMES
    assert clips.read_comment(path) == ""


MANIFESTS = {  # what a file may hold that FFmpeg would follow to other files
    "DASH": """<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"
        mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">
        <Period duration="PT1S"><AdaptationSet mimeType="video/mp4"><Representation id="0"
        bandwidth="1000" codecs="avc1.64000a" mimeType="video/mp4"><BaseURL>{0}</BaseURL>
        </Representation></AdaptationSet></Period></MPD>""",
    "HLS": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{0}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{0}'\n",
}


@pytest.mark.parametrize("kind", MANIFESTS)
@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".webm"])
def test_file_that_names_other_files_has_none_of_them_read(kind, suffix, clip, tmp_path):
    path = tmp_path / f"stranger{suffix}"
    path.write_text(MANIFESTS[kind].format(clip))
    with pytest.raises(InputError, match="stranger.* has no frames that can be read"):
        clips.open_clip(str(path))
    assert clips.read_comment(path) == ""


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "clip.mp4")
    for path in (tmp_path / "clip.mp4", tmp_path, "/dev/zero"):
        with pytest.raises(InputError, match="is a folder, a device or a pipe"):
            clips.open_clip(str(path))


def test_frames_of_too_many_pixels_are_refused(clip):
    assert clips.open_clip(str(clip), max_pixels=64 * 48).length == FRAMES
    with pytest.raises(InputError, match="its frames have more than 3,071 pixels"):
        clips.open_clip(str(clip), max_pixels=64 * 48 - 1)


def test_counting_the_frames_of_a_video_can_be_stopped(clip):
    stop = threading.Event()
    stop.set()
    with pytest.raises(InputError):
        clips.open_clip(str(clip), ending=stop)


def test_all_that_ffmpeg_is_asked_can_be_stopped(tmp_path, monkeypatch):
    """What is in the file, how many frames there are, and whether its HDR can be converted."""
    ask, endings, stop = clips._ask, [], threading.Event()

    def noting(command, ending=None):
        endings.append(ending)
        return ask(command, ending)

    monkeypatch.setattr(clips, "_ask", noting)
    clips.open_clip(str(save_hdr(tmp_path / "hdr.mp4", "smpte2084", 0.5)), ending=stop)
    assert endings == [stop] * 3


def test_ffmpeg_takes_no_protocol_but_files(clip, monkeypatch):
    """Before each input, the sound's too: a list of formats alone may not hold all manifests."""
    commands = []

    def noting(command, ending=None):
        commands.append(command)
        return ask(command, ending)

    ask = clips.ask
    monkeypatch.setattr(clips, "ask", noting)
    commands.append(clips.open_clip(str(clip)).sound)
    assert len(commands) == 3
    for words in map(list, commands):
        assert words.count("-i") == 1
        before = words[: words.index("-i")]
        assert before[before.index("-protocol_whitelist") + 1] == "file,pipe"


def test_reading_may_begin_and_stop_in_between(clip, tmp_path):
    folder = save_frames(tmp_path / "frames", [f"{i}.png" for i in range(FRAMES)])
    for film in (clips.open_clip(str(clip)), clips.open_clip(str(folder), frames=True)):
        whole, stop = list(film.frames()), threading.Event()
        later = film.frames(2, stop)
        assert next(later) == whole[2]
        stop.set()
        assert list(later) == []


@pytest.mark.parametrize(("suffix", "seeks"), [(".mp4", True), (".mkv", True), (".ts", False)])
def test_video_with_an_index_is_decoded_from_near_the_frame(suffix, seeks, tmp_path, monkeypatch):
    path, commands, pipe = tmp_path / f"clip{suffix}", [], clips._read_pipe
    picture = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=12:duration=4")
    ffmpeg(*picture, "-c:v", "libx264", "-g", "12", "-bf", "3", path)
    monkeypatch.setattr(clips, "EARLIER", 1)
    monkeypatch.setattr(clips, "_read_pipe", lambda *a: commands.append(a[0]) or pipe(*a))
    clip = clips.open_clip(str(path))
    assert list(clip.frames(30)) == list(clip.frames())[30:]
    assert ["-ss" in command for command in commands] == [seeks, False]


def test_frames_of_uneven_distances_are_counted_as_they_are_read(tmp_path):
    """Six frames a twelfth of a second apart, then six that stay three times as long."""
    later = "setpts=if(lt(N\\,6)\\,N\\,6+(N-6)*3)/(12*TB)"
    writer = Mp4Writer(tmp_path / "uneven.mp4", (64, 48), 12, ("-vf", later, "-fps_mode", "vfr"))
    for index in range(12):
        writer.write(Image.new("RGB", (64, 48), (20 * index, 0, 0)), 1)
    writer.finish()
    clip = clips.open_clip(str(tmp_path / "uneven.mp4"))
    frames = list(clip.frames())
    seconds = (6 + 6 * 3) / 12
    assert len(frames) == clip.length == pytest.approx(float(seconds * clip.rate), abs=1)
    assert list(clip.frames(7)) == frames[7:]


def test_picture_that_begins_after_the_sound_stays_in_time_with_it(silent, tmp_path):
    """Half a second later, six frames; the first one stands still until then."""
    tone = ("-f", "lavfi", "-i", "sine=duration=1")
    given = ("-itsoffset", "0.5", "-i", silent, *tone, "-c:v", "copy", "-c:a", "aac")
    ffmpeg(*given, "-copyts", "-avoid_negative_ts", "disabled", tmp_path / "late.mkv")
    clip = clips.open_clip(str(tmp_path / "late.mkv"))
    frames = list(clip.frames())
    assert len(frames) == clip.length == 6 + FRAMES
    assert all(frame == frames[0] for frame in frames[:7])
    assert frames[7] != frames[0]


def test_sound_that_an_mp4_cannot_have_is_encoded_anew(silent, tmp_path):
    """MP3 of 8 kHz, as in an old camera's AVI, which FFmpeg refuses to copy."""
    tone = ("-f", "lavfi", "-i", "sine=duration=0.3", "-ar", "8000", "-c:a", "mp3")
    ffmpeg("-i", silent, *tone, "-c:v", "mjpeg", tmp_path / "old.avi")
    clip = clips.open_clip(str(tmp_path / "old.avi"))
    assert clip.sound[-1] == "copy"
    assert clips.encode(tmp_path / "new.mp4", [painted(tmp_path / "1.png")] * FRAMES, clip)
    assert "Audio: aac" in ffmpeg("-i", tmp_path / "new.mp4")


PAM = "P7\\nWIDTH 2\\nHEIGHT 1\\nDEPTH 4\\nMAXVAL 255\\nTUPLTYPE RGB_ALPHA\\nENDHDR\\n"
TWO_PIXELS = PAM + "123\\377456\\377"
ENDS = {
    "in its header": ("P7\\nWIDTH 2", 0),
    "in its pixels": (PAM + "12345", 0),
    "between frames": (TWO_PIXELS, 1),
}


@pytest.mark.parametrize("ending", ENDS)
def test_reader_that_dies_is_an_error_and_no_shorter_film(ending):
    """The shell says one whole frame of two pixels, then what FFmpeg may end in."""
    said, status = ENDS[ending]
    script = f"printf '{TWO_PIXELS}{said}'; exit {status}"
    frames = clips._read_pipe(["sh", "-c", script], "clip.mp4")
    assert next(frames).tobytes() == b"123456"
    with pytest.raises(OSError, match="FFmpeg ended before the video did: 'clip.mp4'"):
        list(frames)


@pytest.mark.parametrize(
    ("said", "exact"),
    [(25, 25), (29.97, Fraction(30000, 1001)), (23.98, Fraction(24000, 1001)), (12.5, 12.5)],
)
def test_rounded_frame_rate_is_made_exact(said, exact):
    assert clips.frame_rate(said) == exact


BROKEN = {
    "missing": "no such file; check the path",
    "empty": r"has no frames that can be read \(.*Invalid data.*\)",
    "text": r"has no frames that can be read \(.*Invalid data.*\)",
    "half": r"has no frames that can be read \(.*Invalid data.*\)",
    "sound": r"has no frames that can be read \(.*\)",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_video_is_an_error_of_one_line(kind, command, clip, tmp_path, capfd):
    path = tmp_path / "broken.mp4"
    if kind == "sound":
        ffmpeg("-i", clip, "-vn", "-c", "copy", path)
    elif kind != "missing":
        whole = clip.read_bytes()
        path.write_bytes({"empty": b"", "text": b"hello", "half": whole[: len(whole) // 2]}[kind])
    assert nst.main([str(path), *command[1:]]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert re.fullmatch(rf"\S+: error: video {re.escape(str(path))}: {BROKEN[kind]}\n", err), err


def save_frames(folder, names, size=(64, 48)):
    folder.mkdir()
    for index, name in enumerate(names):
        frame(index).resize(size).save(folder / name)
    return folder


def test_frames_are_ordered_by_their_numbers(tmp_path):
    names = ["shot2_9.png", "shot2_10.png", "shot1_11.png"]
    folder = save_frames(tmp_path / "frames", names)
    (folder / ".shot_1.png").touch()
    (folder / "cover.png").touch()
    (folder / "shot_8.txt").touch()
    assert [path.name for path in clips.numbered_frames(folder)] == names
    film = clips.open_clip(str(folder), frames=True, rate=12.5)
    assert (film.rate, film.length, film.sound) == (Fraction(25, 2), 3, ())
    for index, image in enumerate(film.frames()):
        np.testing.assert_array_equal(image, frame(index))


def test_frames_of_two_sizes_and_folders_without_frames_are_named(tmp_path):
    folder = save_frames(tmp_path / "frames", ["1.png"])
    frame(1).resize((60, 40)).save(folder / "2.png")
    with pytest.raises(InputError, match=r"2.png: has 60x40 pixels, and the first frame 64x48"):
        list(clips.open_clip(str(folder), frames=True).frames())
    with pytest.raises(InputError, match="empty: has no numbered frames, such as"):
        clips.open_clip(str(save_frames(tmp_path / "empty", [])), frames=True)


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a broken link"])
def test_what_is_named_like_a_frame_and_is_none_is_refused_at_once(kind, command, tmp_path, capfd):
    folder = save_frames(tmp_path / "frames", ["f_1.jpg", "f_2.jpg"])
    path = folder / "f_3.jpg"
    make = {"a pipe": os.mkfifo, "a folder": os.mkdir, "a broken link": lambda p: p.symlink_to("x")}
    make[kind](path)
    assert nst.main([str(folder), *command[1:], "--frames"]) == 2
    line = f"error: {path}: is named like a frame, and is no file; remove it\n"
    assert capfd.readouterr().err.endswith(line)


def painted(path, color="red", size=(65, 49)):
    """The path of a plain picture."""
    Image.new("RGB", size, color).save(path)
    return path


def test_red_is_that_of_bt709_and_said_to_be(silent, tmp_path):
    """Y' = 16 + 219 * 0.2126 = 62.6 of 255; it would be 81.5 in BT.601."""
    red, result = painted(tmp_path / "red.png"), tmp_path / "film.mp4"
    clips.encode(result, [red], clips.open_clip(str(silent)))
    assert re.search(r"yuv420p\(tv, bt709, \w+\), 64x48", ffmpeg("-i", result))
    ffmpeg("-i", result, "-f", "rawvideo", "-pix_fmt", "yuv420p", tmp_path / "raw")
    luma = np.fromfile(tmp_path / "raw", np.uint8)[: 64 * 48]
    assert np.abs(luma - 63.0).max() <= 1


def test_film_that_cannot_be_written_leaves_the_one_before(silent, tmp_path, monkeypatch):
    def full(self):
        raise OSError(28, "No space left on device")

    folder = save_frames(tmp_path / "frames", ["1.png", "2.png"])
    monkeypatch.setattr(Mp4Writer, "finish", full)
    path = tmp_path / "film.mp4"
    path.write_bytes(b"precious")
    with pytest.raises(OSError, match="No space left"):
        clips.encode(path, sorted(folder.iterdir()), clips.open_clip(str(silent)))
    assert path.read_bytes() == b"precious"
    assert not [name for name in os.listdir(tmp_path) if "tmp" in name]


def test_writing_a_film_can_be_ended(silent, tmp_path):
    stop, frames = threading.Event(), [painted(tmp_path / "red.png")] * 10**6
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(OSError, match="FFmpeg cannot write it"):
        clips.encode(tmp_path / "film.mp4", frames, clips.open_clip(str(silent)), ending=stop)
    assert not [name for name in os.listdir(tmp_path) if "film" in name]


# ---------------------------------------------------------------------------------------------
# Painting
# ---------------------------------------------------------------------------------------------


def test_paints_a_film_with_its_rate_and_its_sound(command, clip, tmp_path, capfd):
    assert nst.main(command) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert re.search(r"Frame 1 of 4 in [\d.]+s, the first of a scene\n", out)
    assert re.search(r"Frame 2 of 4 in [\d.]+s, about \d+s left\n", out)
    assert re.search(r"Frame 4 of 4 in [\d.]+s, the first of a scene\nFilm saved as .*.mp4\n$", out)
    assert os.listdir(tmp_path / "results") == ["clip.mp4"]
    film = clips.open_clip(str(tmp_path / "results" / "clip.mp4"))
    frames = list(film.frames())
    assert (film.rate, len(frames)) == (12, FRAMES)
    assert frames[0].size == (44, 32)  # 33 rows, but even
    assert sound_of(tmp_path / "results" / "clip.mp4") == sound_of(clip) != ""


def test_numbered_frames_become_a_film(command, tmp_path, capfd):
    folder = save_frames(tmp_path / "frames", [f"{i}.png" for i in range(2)])
    given = ["--frames", "--fps", "12", "--quiet"]
    assert nst.main([str(folder), *command[1:], *given]) == 0
    assert capfd.readouterr() == ("", "")
    film = clips.open_clip(str(tmp_path / "results" / "clip.mp4"))
    assert (film.rate, film.length, film.sound) == (12, 2, ())


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((8, 9, 10), ""),
        ((8, 10, 11), "frame 9 is missing; the film skips it"),
        ((1, 4, 5, 6, 7), "frame 2 and 1 more are missing; the film skips them"),
        ((1, 3, 5), ""),  # as it is meant
        ((1, 10**20), ""),
    ],
)
def test_missing_frame_is_named(numbers, said, command, tmp_path, capfd):
    folder = save_frames(tmp_path / "frames", [f"shot_{number}.png" for number in numbers])
    assert nst.main([str(folder), *command[1:], "--frames", "--size", "16"]) == 0
    assert capfd.readouterr().err == (said and f"warning: {folder}: {said}\n")


@pytest.mark.skipif(not files.fcntl, reason="Windows has no such locks")
def test_two_films_with_one_name_do_not_mix(command, tmp_path, capsys):
    (tmp_path / "results").mkdir()
    with files.alone(tmp_path / "results" / "clip"):  # as a run that paints
        assert nst.main(command) == 2
    assert "results/clip: another run is painting it; wait" in capsys.readouterr().err


def test_mask_of_all_frames_is_told_of_once(command, cut_out_path, capfd):
    assert nst.main([*command, "--keep_mask", str(cut_out_path)]) == 0
    out, err = capfd.readouterr()
    (shape,) = err.splitlines()
    assert shape.startswith(f"warning: mask {cut_out_path}: it has 48x40 pixels and is stretched")
    assert out.count(f"Mask {cut_out_path}: a cut-out: ") == 1


def test_finished_film_is_not_painted_again_unless_something_has_changed(
    command, tmp_path, monkeypatch, capsys
):
    folder = save_frames(tmp_path / "frames", [f"{i}.png" for i in range(2)])
    command = [str(folder), *command[1:], "--frames", "--fps"]
    assert nst.main([*command, "12"]) == 0
    film = tmp_path / "results" / "clip.mp4"
    before, save, painted = film.stat().st_mtime_ns, FrameFolder.save, []
    monkeypatch.setattr(
        FrameFolder, "save", lambda self, i, p: (painted.append(i), save(self, i, p))
    )
    capsys.readouterr()
    assert nst.main([*command, "12"]) == 0
    assert "clip.mp4 is finished: nothing is left to paint" in capsys.readouterr().out
    assert (painted, film.stat().st_mtime_ns) == ([], before)
    assert nst.main([*command, "24"]) == 0
    assert nst.main([*command, "24", "--strength", "0.7"]) == 0
    assert painted == 2 * [0, 1]
    film.write_bytes(b"of somebody else")
    capsys.readouterr()
    assert nst.main([*command, "24"]) == 0
    assert painted == 3 * [0, 1]
    said = f"{film} does not say that this program made it, and is kept as {film.parent}/clip.3"
    assert capsys.readouterr().out.count(said) == 1
    assert (tmp_path / "results" / "clip.3.mp4").read_bytes() == b"of somebody else"
    assert nst.main([*command, "24", "--overwrite"]) == 0
    assert painted == 4 * [0, 1]
    assert sorted(path.name for path in film.parent.iterdir()) == [
        *("clip.1.mp4", "clip.2.mp4", "clip.3.mp4", "clip.mp4"),
    ]


def test_frame_whose_process_is_killed_is_painted_again(command, tmp_path, monkeypatch, capsys):
    folder, paint_here, calls = save_frames(tmp_path / "f", ["0.png"]), paint_film._paint_here, []

    def dying(*given):
        calls.append(given)
        if len(calls) == 1:
            raise BrokenProcessPool
        return paint_here(*given)

    monkeypatch.setattr(paint_film, "_paint_here", dying)
    assert nst.main([str(folder), *command[1:], "--frames"]) == 0
    assert len(calls) == 2
    assert "Film saved as" in capsys.readouterr().out


def test_film_says_how_it_was_made_and_another_may_be_made_like_it(command, tmp_path, capsys):
    folder = save_frames(tmp_path / "frames", [f"{i}.png" for i in range(2)])
    film = str(tmp_path / "results" / "clip.mp4")
    given = [*command[3:], "--frames", "--fps", "12.5", "--strength", "0.7", "--quiet"]
    assert nst.main([str(folder), command[1], film, *given]) == 0
    with pytest.raises(SystemExit) as ended:
        nst.main(["--show", film])
    assert ended.value.code == 0
    made_by = capsys.readouterr().out.splitlines()[0]
    assert " frames painting.png " in made_by
    assert " --frames --fps 12.5 --strength 0.7 " in made_by
    again = [str(folder), command[1], film, *command[3:], "--frames", "--like", film]
    assert nst.main(again) == 0
    assert "clip.mp4 is finished: nothing is left to paint" in capsys.readouterr().out


@pytest.mark.parametrize("comment", ["", "a holiday", "2019", "[]", '{"settings": {}}'])
def test_film_of_another_program_is_not_taken_for_a_finished_one(comment, silent, tmp_path):
    ffmpeg("-i", silent, "-metadata", f"comment={comment}", "-c", "copy", tmp_path / "film.mp4")
    assert clips.read_comment(tmp_path / "film.mp4") == comment
    assert not earlier.is_made_so(tmp_path / "film.mp4", {"settings": {"size": 33}})


def test_film_whose_sound_is_left_out_says_so(command, tmp_path, monkeypatch, capfd):
    lost = ("-i", str(tmp_path / "none.aac"), "-map", "1:a:0")
    opened = paint_film.open_clip
    monkeypatch.setattr(paint_film, "open_clip", lambda *given: opened(*given)._replace(sound=lost))
    assert nst.main(command) == 0
    assert "clip.mp4 has no sound: the clip's could not be converted\n" in capfd.readouterr().err


def test_stopped_film_is_resumed_by_frame_with_the_same_bytes(
    command, tmp_path, monkeypatch, capsys
):
    assert nst.main(command) == 0
    result = tmp_path / "results" / "clip.mp4"
    whole = result.read_bytes()
    result.unlink()
    save, painted = FrameFolder.save, []

    def stopping(self, index, pixels):
        if len(painted) == 2:
            raise KeyboardInterrupt
        painted.append(index)
        save(self, index, pixels)

    monkeypatch.setattr(FrameFolder, "save", stopping)
    capsys.readouterr()
    assert nst.main(command) == 130
    err = capsys.readouterr().err
    assert re.search(r"interrupted; 2 of 4 frames are finished; resume with: .*--iter 1\n$", err)
    assert sorted(os.listdir(tmp_path / "results" / ".clip.frames")) == [
        "000001.png",
        "000002.png",
    ]
    painted.clear()
    monkeypatch.setattr(
        FrameFolder, "save", lambda self, i, p: (painted.append(i), save(self, i, p))
    )
    assert nst.main(command) == 0
    assert painted == [2, 3]
    assert "2 of 4 frames are finished" in capsys.readouterr().out
    assert result.read_bytes() == whole


def test_folder_for_frames_that_has_none_is_not_told_of(command, tmp_path, capsys):
    """A disk that was full leaves one."""
    (tmp_path / "results" / ".clip.frames").mkdir(parents=True)
    assert nst.main(command) == 0
    assert "made differently" not in capsys.readouterr().out


def test_frames_made_otherwise_are_kept_and_all_are_painted(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paint_film, "encode", lambda *_: True)
    monkeypatch.setattr(FrameFolder, "remove", lambda self: None)
    assert nst.main(command) == 0
    before = [path.read_bytes() for path in sorted((tmp_path / "results/.clip.frames").iterdir())]
    with monkeypatch.context() as patch:
        patch.setattr(nst, "stage_objective", None)  # calling it would be a TypeError
        assert nst.main(command) == 0
    assert "made differently" not in capsys.readouterr().out
    assert nst.main([*command, "--temporal_weight", "0"]) == 0
    kept = tmp_path / "results" / ".clip.1.frames"
    assert f"frames of an earlier run, made differently, are kept in {kept}" in (
        capsys.readouterr().out
    )
    assert [path.read_bytes() for path in sorted(kept.iterdir())] == before
    after = [path.read_bytes() for path in sorted((tmp_path / "results/.clip.frames").iterdir())]
    assert len(after) == FRAMES
    assert all(one != other for one, other in zip(before, after, strict=True))


def kept_frames(job, weights, images, path):
    """The results of a film's frames, and the numbers of those that begin a scene."""
    folder, begins = FrameFolder(path, {"settings": {}, "recipe": "", "base": {}}), []
    for frame in scenes.frames_to_paint(job, images, folder):
        own = job.frame(frame.image, frame.previous)
        folder.save(frame.number, nst.paint(own, weights).pixels)
        begins += [] if frame.previous else [frame.number]
    return [np.asarray(folder.load(index)) for index in range(len(images))], begins


def test_frames_that_are_not_the_films_stay(tmp_path):
    folder = FrameFolder(tmp_path / "frames", {"settings": {}, "recipe": "", "base": {}})
    folder.save(0, np.zeros((16, 16, 3)))
    (folder.path / ".000001.0badcafe.tmp.png").touch()  # of a run that was killed
    folder.remove()
    assert not folder.path.exists()
    folder.save(0, np.zeros((16, 16, 3)))
    own = [painted(folder.path / "000002.png"), painted(folder.path / "holiday.png")]
    copy = folder.path / "1.png"
    copy.write_bytes(folder.file(0).read_bytes())
    folder.remove()
    assert sorted(folder.path.iterdir()) == sorted([*own, copy])


@pytest.mark.parametrize("name", ["clip.mp4", ".clip.frames"])
def test_film_that_would_replace_its_own_frames_is_refused(name, command, tmp_path, capsys):
    prefix, base = tmp_path / "clip", tmp_path / name
    options = []
    if name != "clip.mp4":
        save_frames(base, ["000001.png", "000002.png"])
        options = ["--frames"]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    base = tmp_path / "results" / ".." / name  # the same place by another name
    base.parent.parent.mkdir()
    assert nst.main([str(base), command[1], str(prefix), *command[3:], *options]) == 2
    assert "would be overwritten by a result; choose another" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_source_frames_in_a_folder_called_like_the_results_stay(command, tmp_path):
    folder, prefix = save_frames(tmp_path / "clip_frames", ["000001.png"]), tmp_path / "clip"
    before = (folder / "000001.png").read_bytes()
    assert nst.main([str(folder), command[1], str(prefix), *command[3:], "--frames"]) == 0
    assert (folder / "000001.png").read_bytes() == before


def test_link_in_the_place_of_the_frames_is_not_followed(command, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / ".clip.frames").symlink_to(tmp_path / "mine")
    assert nst.main(command) == 2
    assert re.search(r"\.clip\.frames: is a link.*; remove it\n$", capsys.readouterr().err)
    assert list((tmp_path / "mine").iterdir()) == []


def test_without_weight_frames_are_pictures(small_vgg19, painting, tmp_path):
    images = [frame(index) for index in range(2)]
    settings = {"size": 32, "iterations": 1, "evaluations_per_iteration": 3}
    job = prepare(images[0], painting, temporal_weight=0, **settings)
    results, _ = kept_frames(job, small_vgg19, images, tmp_path / "frames")
    for image, result in zip(images, results, strict=True):
        alone = nst.style_transfer(image, painting, weights=small_vgg19, **settings)
        np.testing.assert_array_equal(result, alone)


def test_time_left_is_that_of_frames_like_those_to_come(capsys):
    console = paint_film.FilmConsole()
    console.length = 5
    console.on_frame(0, 40.0, True)
    console.on_frame(1, 2.0, False)
    console.on_frame(2, 30.0, True)
    assert capsys.readouterr().out.splitlines() == [
        "Frame 1 of 5 in 40.0s, the first of a scene",
        "Frame 2 of 5 in 2.0s, about 6s left",
        "Frame 3 of 5 in 30.0s, the first of a scene, about 4s left",
    ]


def test_time_left_leaves_out_what_was_finished_before(painting, tmp_path, monkeypatch, capsys):
    """A film without scenes, of which the first frame is there and takes long to pass over."""
    now = [0.0]
    monkeypatch.setattr(scenes, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def read(first, stop):
        yield frame(0)
        now[0] += 100
        yield frame(1)
        yield frame(2)

    def paint_one(frame):
        now[0] += 2
        return paint_film.Painted(np.zeros((48, 64, 3)), 0.0)

    job = prepare(frame(0), painting, size=48, temporal_weight=0)
    made = {"settings": {}, "recipe": "", "base": {}, "program": "unknown", "weights": {}}
    folder = FrameFolder(tmp_path / "frames", made | {"format": "png", "bits": 8})
    folder.save(0, frame(0))
    console = paint_film.FilmConsole()
    console.length = 3
    console.start(len(folder.finished(3)))
    clip = clips.Clip(read, 25, 3)
    with ThreadPoolExecutor(1) as threads:
        paint_film.paint_scenes([WHOLE], paint_one, job, clip, folder, console, threads)
    assert capsys.readouterr().out.splitlines() == [
        "1 of 3 frames are finished",
        "Frame 2 of 3 in 2.0s, about 2s left",
        "Frame 3 of 3 in 2.0s",
    ]


@pytest.mark.parametrize("recipe", ["neighbors", "athalye", "johnson", "crowson"])
def test_weight_is_in_proportion_to_the_loss_it_is_added_to(recipe, small_vgg19, painting):
    """Of a random network's, whose losses are only roughly those of the real one."""
    job = prepare(frame(0), painting, recipe=recipe, size=48, init="noise")
    stage = job.stages[-1]
    losses, _ = nst.stage_objective(job, small_vgg19, stage)(job.start(stage)[np.newaxis])
    weight = job.settings["temporal_weight"]
    assert 1e-5 < weight / np.sum(losses) < 1e-2


def test_scenes_begin_anew(small_vgg19, painting, tmp_path):
    images = [frame(index) for index in range(CUT - 1, CUT + 2)]
    settings = {"size": 48, "iterations": 1, "evaluations_per_iteration": 3}
    job = prepare(images[0], painting, **settings)
    results, begins = kept_frames(job, small_vgg19, images, tmp_path / "frames")
    assert begins == [0, 1]
    alone = nst.style_transfer(images[1], painting, weights=small_vgg19, **settings)
    np.testing.assert_array_equal(results[1], alone)


def test_scenes_are_found_beforehand(painting):
    images = [frame(index) for index in range(FRAMES)]
    job = prepare(images[0], painting, size=48)
    assert [s[:2] for s in scenes.find_scenes(job, images)] == [(0, CUT), (CUT, FRAMES)]
    assert [s[:2] for s in scenes.find_scenes(job, images[:1])] == [(0, 1)]


@pytest.mark.parametrize("room", [scenes.MOTIONS_BYTES, 2 * 48 * 64 * scenes.MOTION_BYTES])
def test_motion_found_beforehand_is_not_searched_for_again(room, painting, tmp_path, monkeypatch):
    """As many as there is room for; that of the other frames is found again."""
    images = [frame(index) for index in range(CUT)]
    job = prepare(images[0], painting, size=48)

    def held_to(folder, scene):
        """What each frame is held to, if the results are the frames themselves."""
        kept = FrameFolder(tmp_path / folder, {"settings": {}, "recipe": "", "base": {}})
        for frame in scenes.frames_to_paint(job, images, kept, scene):
            kept.save(frame.number, np.asarray(frame.image, float))
            yield frame.previous or ()

    once = list(held_to("once", WHOLE))
    monkeypatch.setattr(scenes, "MOTIONS_BYTES", room)
    (found,) = scenes.find_scenes(job, images)
    searched, find = [], scenes.find_motion
    monkeypatch.setattr(scenes, "find_motion", lambda *pair: searched.append(1) or find(*pair))
    for before, again in zip(once, held_to("again", found), strict=True):
        for one, other in zip(before, again, strict=True):
            np.testing.assert_array_equal(one, other)
    assert len(searched) == CUT - len(found.motions)


def test_scenes_painted_at_once_give_the_same_film(command, tmp_path, capsys):
    result, films = tmp_path / "results" / "clip.mp4", []
    for jobs in ("1", "2"):
        assert nst.main([*command, "--jobs", jobs]) == 0
        films.append(result.read_bytes())
        result.unlink()
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("2 scenes to paint, 2 at once\n") == 1
    assert films[0] == films[1]


def test_looking_for_scenes_says_how_far_it_is(monkeypatch, capsys):
    monkeypatch.setattr(paint_film, "SAID_EVERY", 2)
    console = paint_film.FilmConsole()
    console.length = 5
    assert list(console.count(range(5))) == [0, 1, 2, 3, 4]
    assert capsys.readouterr().out.splitlines() == [
        "Looking for scenes in 5 frames",
        "2 of 5 frames searched",
        "4 of 5 frames searched",
    ]


def test_frames_on_a_gpu_are_all_painted_in_the_same_tiles(monkeypatch, painting):
    """Whatever memory other programs leave later."""
    job = prepare(frame(0), painting, size=200, precision="float32")
    small = job.needed_mib - 1
    free, stages = iter([small, 2 * small]), []
    monkeypatch.setattr(paint_film, "allowed_mib", lambda settings: next(free))
    monkeypatch.setattr(
        paint_film, "paint_frame", lambda weights, job, *_: stages.append(job.stages[-1])
    )
    paint_film._kept_allowed_mib.cache_clear()
    for _ in range(2):
        paint_film._paint_within_gpu(None, job, None, None)
    assert stages[0] == stages[1] != job.stages[-1]
    paint_film._kept_allowed_mib.cache_clear()


def test_scene_that_is_finished_is_not_read_again(command, tmp_path, monkeypatch, capsys):
    """Stopped when the second scene was finished, which the last frame of the first one awaits."""
    save, painted, finished = FrameFolder.save, [], threading.Event()

    def saving(self, index, pixels):
        if stopping and index == CUT - 1:
            assert finished.wait(60)
            raise KeyboardInterrupt
        painted.append(index)
        save(self, index, pixels)
        if index == FRAMES - 1:
            finished.set()

    stopping = True
    monkeypatch.setattr(FrameFolder, "save", saving)
    command = [*command, "--jobs", "2"]
    assert nst.main(command) == 130
    assert set(painted) == set(range(FRAMES)) - {CUT - 1}
    stopping = False
    capsys.readouterr()
    assert nst.main(command) == 0
    assert sorted(painted) == list(range(FRAMES))
    assert "1 scene to paint, 1 at once" in capsys.readouterr().out


def test_error_in_a_scene_ends_the_film_in_one_line(command, tmp_path, monkeypatch, capsys):
    def paint(job, weights):
        if job.inputs.base == begins_second:
            raise MemoryError
        return own_paint(job, weights)

    begins_second, own_paint = list(clips.open_clip(command[0]).frames())[CUT], nst.paint
    monkeypatch.setattr(nst, "paint", paint)
    assert nst.main([*command, "--jobs", "2"]) == 1
    err = capsys.readouterr().err
    assert re.fullmatch(r"\S+: error: not enough memory; choose a smaller --size(; .*)?\n", err)
    assert not (tmp_path / "results" / "clip.mp4").exists()


@pytest.mark.skipif(os.name == "nt", reason="no process groups there")
@pytest.mark.parametrize(
    ("stop", "whom", "status"),
    [
        (signal.SIGINT, os.killpg, 130),
        (signal.SIGTERM, os.kill, 143),
    ],
    ids=["Ctrl-C", "terminated"],
)
def test_stopped_scenes_leave_no_process_and_all_finished_frames(
    stop, whom, status, clip, painting_path, full_weights_path, tmp_path
):
    """In processes of their own; a folder's are stopped in other ways too."""
    command = [sys.executable, nst.__file__, clip, painting_path, tmp_path / "results" / "clip"]
    options = ["--weights", full_weights_path, "--size", "24", "--iter", "1", "--jobs", "2"]
    with own_group([*command, *options]) as run:
        first = next((line for line in run.stdout if line.startswith("Frame")), None)
        assert first, run.stderr.read()
        whom(run.pid, stop)
        _, err = run.communicate(timeout=30)
        deadline = time.monotonic() + 10
        while alive(run.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not alive(run.pid)
    assert run.returncode == status
    slow = r"(Stopping, which may take a while\n)?"  # where the machine is busy
    stopped = r".*: error: \w+; [123] of 4 frames are finished; resume with: .*\n"
    assert re.fullmatch(slow + stopped, err), err
    number = int(first.split()[1])
    assert f"{number:06}.png" in os.listdir(tmp_path / "results" / ".clip.frames")
    assert os.listdir(tmp_path / "results") == [".clip.frames"]


@pytest.mark.parametrize("recipe", ["neighbors", "keras", "athalye"])
def test_heavy_weight_holds_what_does_not_move(recipe, small_vgg19, painting, tmp_path):
    """The same frame again, which by itself would go on changing."""
    images = [frame(0)] * 2
    given = {"recipe": recipe, "size": 32, "iterations": 1}

    def change(weight):
        job = prepare(images[0], painting, temporal_weight=weight, **given)
        results, _ = kept_frames(job, small_vgg19, images, tmp_path / str(weight))
        return np.abs(results[1].astype(float) - results[0]).mean()

    assert change(1e15) < 0.2 * change(1e-9)


def test_following_frame_has_few_evaluations_at_the_last_size(small_vgg19, painting):
    job = prepare(frame(0), painting, size=48)
    previous = Previous(np.zeros((48, 64, 3), np.float32), np.ones((48, 64), np.float32))
    following = job.frame(frame(1), previous)
    progress = nst.Progress()
    nst.paint(following, small_vgg19, progress)
    assert progress.evaluations == nst.RECIPES["neighbors"]["frame_evaluations"]
    assert [stage[:2] for stage in following.stages] == [(48, 64)]
    np.testing.assert_array_equal(following.start(following.stages[0]), previous.picture)
    assert job.frame(frame(1), None).stages == job.stages


@pytest.mark.parametrize(("said", "rate"), [("29.97", Fraction(30000, 1001)), ("1k", 1000)])
def test_frames_per_second_are_read_as_ffmpeg_says_them(said, rate, tmp_path, monkeypatch):
    says = f"Stream #0:0: Video: h264, 64x48, {said} fps, {said} tbr\nframe= 7 fps=0"
    monkeypatch.setattr(clips, "_ask", lambda *_: (True, says))
    (tmp_path / "clip.mp4").touch()
    clip = clips.open_clip(str(tmp_path / "clip.mp4"))
    assert (clip.rate, clip.length) == (rate, 7)


@pytest.mark.parametrize(
    ("said", "amount"), [("0.0009", "less"), ("1001", "more"), ("90k", "more")]
)
def test_rates_that_no_screen_has_are_refused(said, amount, tmp_path, monkeypatch):
    says = f"Stream #0:0: Video: h264, 64x48, {said} fps, {said} tbr\nframe= 7 fps=0"
    monkeypatch.setattr(clips, "_ask", lambda *_: (True, says))
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(InputError, match=f"clip.mp4: has {amount} than .* frames per second"):
        clips.open_clip(str(tmp_path / "clip.mp4"))


@pytest.fixture
def half_new(small_vgg19, painting):
    """A frame whose right half is new, and the film's job for it; nothing holds the left either."""
    hold = np.zeros((48, 64), np.float32)
    hold[:, :32] = 1
    picture = np.random.default_rng(0).uniform(-100, 130, (48, 64, 3)).astype(np.float32)
    job = prepare(frame(0), painting, size=48, temporal_weight=1e-9)
    return job.frame(frame(1), Previous(picture, hold))


@pytest.mark.parametrize("arrays", [None, device_arrays], ids=["processor", "as on a GPU"])
def test_steps_change_what_is_new_and_hardly_what_is_held(
    arrays, half_new, small_vgg19, monkeypatch
):
    """With one gain for all pixels both would change alike; all stay within black and white."""
    found, minimize = [], nst.minimize.minimize_lbfgs

    def watched(*given, **options):
        found.append(minimize(*given, **options))
        return found[-1]

    monkeypatch.setattr(nst.minimize, "minimize_lbfgs", watched)
    if arrays:
        monkeypatch.setattr("stylize.runs.level.array_namespace", arrays)
    nst.paint(half_new, small_vgg19)
    assert len(found) == 1
    picture = to_numpy(found[0])[0]
    black = np.negative(IMAGENET_MEAN_BGR)
    assert (picture >= black - 0.01).all() and (picture <= black + 255.01).all()
    start = np.clip(half_new.start(half_new.stages[0]), black, black + 255)
    change = np.abs(picture - start).mean((0, 2))
    assert change[40:].mean() > 5 * change[:24].mean() > 0


def test_neighbours_are_looked_up_where_a_frame_is_new(half_new, small_vgg19, monkeypatch):
    found, find = [], levels.find_neighbors
    monkeypatch.setattr(
        levels, "find_neighbors", lambda *given: found.append(find(*given)) or found[-1]
    )
    nst.paint(half_new, small_vgg19)
    targets = sum(np.abs(to_numpy(layer)).sum(-1) for layer in found[0]).reshape(12, 16)
    assert not targets[:, :6].any() and targets[:, 8:].all()


@pytest.mark.parametrize("script", ["exec sleep 30", f"printf '{PAM}abc'; exec sleep 30"])
def test_stop_ends_a_video_that_waits_for_a_frame(script):
    """For the first byte of it, or amid its pixels."""
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    started = time.monotonic()
    assert list(clips._read_pipe(["sh", "-c", script], "clip.mp4", stop)) == []
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("init", ["noise", "a picture", "recolored"])
def test_what_comes_into_view_starts_as_the_recolored_photo(init, painting, photo):
    init = photo if init == "a picture" else init
    nothing = Previous(np.zeros((48, 64, 3), np.float32), np.zeros((48, 64), np.float32))
    given = {"size": 48, "recipe": "gatys"}
    following = prepare(frame(0), painting, init=init, **given).frame(frame(1), nothing)
    recolored = prepare(frame(1), painting, init="recolored", **given)
    stage = recolored.stages[-1]
    np.testing.assert_allclose(following.start(stage), recolored.start(stage), atol=1e-3)


def test_start_picture_of_ones_own_is_that_of_every_scene(painting, photo):
    job = prepare(frame(0), painting, init=photo).frame(frame(1), None)
    assert job.inputs.start.size == (48, 40)
    assert prepare(frame(0), painting).frame(frame(1), None).inputs.start.size == (64, 48)


# ---------------------------------------------------------------------------------------------
# Options
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--gif"], "--gif is for a photo or a folder, and .*clip.mp4 is a film; leave it out"),
        (["--jobs", "0"], "--jobs must be at least 1, received 0"),
        (["--every_iteration"], "--every_iteration is for a photo or a folder"),
        (["--final_only"], "--final_only is for a photo, and .* is a film; leave it out: there is"),
        (["--fps", "12"], "--fps is for a folder of frames; with one, give --frames too"),
        (["--frames"], "--frames needs a folder of numbered frames, received .*clip.mp4"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message, command, capsys):
    assert nst.main([*command, *options]) == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf", "0.0009", "1001", "1e308"])
def test_rates_that_no_film_has_are_refused(rate, command, tmp_path, capsys):
    folder = save_frames(tmp_path / "frames", ["1.png"])
    assert nst.main([str(folder), *command[1:], "--frames", f"--fps={rate}"]) == 2
    assert "--fps must be from 0.001 to 1000, received" in capsys.readouterr().err


def test_brightness_alone_is_refused(command, capsys):
    """The frame before, which holds the next one, would be that with the photo's colours."""
    assert nst.main([*command, "--preserve_colors", "luma"]) == 2
    assert "--preserve_colors luma is for photos" in capsys.readouterr().err


def test_folder_of_styles_is_refused(command, tmp_path, capsys):
    assert nst.main([command[0], str(tmp_path), *command[2:]]) == 2
    assert "is a folder; give one picture in it" in capsys.readouterr().err


def test_films_are_told_by_their_suffix():
    def is_film(*words):
        return paint_film.is_film(parse([*words, "painting.jpg", "results/clip"]))

    assert is_film("clip.MOV") and is_film("folder", "--frames")
    assert not is_film("photo.jpg") and not is_film("folder")
