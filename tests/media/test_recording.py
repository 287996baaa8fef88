"""Recordings, judged by what is in the file."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
import wave
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from tests.waiting import Clock, block_until, until
from tui.errors import ExitCode, FileError
from tui.media import recording
from tui.media.recording import Recording, Timeline, check
from tui.media.sound import FRAME_SAMPLES, SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from tui.media.sound import Samples

ROOM, OWN = 440.0, 1000.0
FORMATS = ["call.wav", "call.ogg", "call.OPUS"]


def tone(frequency: float, start: int, count: int = FRAME_SAMPLES, loud: float = 0.3) -> Samples:
    at = np.arange(start, start + count) / SAMPLE_RATE
    return (loud * np.sin(2 * np.pi * frequency * at)).astype(np.float32)


def played(path: Path) -> NDArray[np.float64]:
    """The file's sound, -1.0 to 1.0, as a player has it."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    sound = np.concatenate(frames).astype(np.float64)
    return sound / 32768 if frames[0].dtype == np.int16 else sound


def strength(sound: NDArray[np.float64] | Samples, frequency: float) -> float:
    """The amplitude at a frequency."""
    at = np.arange(len(sound)) / SAMPLE_RATE
    return float(2 * np.abs(np.mean(sound * np.exp(-2j * np.pi * frequency * at))))


def gaps(sound: NDArray[np.float64] | Samples) -> int:
    """How many of the hundredths of a second are silent."""
    return int((np.abs(sound[: len(sound) // 480 * 480]).reshape(-1, 480).max(axis=1) < 0.1).sum())


class Talk:
    """A call of ``seconds`` in no time: two tones, by a clock that passes when it is told to."""

    def __init__(self, file: Recording, clock: Clock) -> None:
        self.file = file
        self.clock = clock
        self.at = 0

    def go_on(self, seconds: float, room: bool = True, own: bool = True) -> None:
        for _ in range(int(seconds * 50)):
            self.clock.now += 0.02
            if room:
                self.file.hear(tone(ROOM, self.at))
            if own:
                self.file.speak(tone(OWN, self.at))
            self.at += FRAME_SAMPLES


@pytest.fixture
def clock() -> Clock:
    return Clock()


# -- what is in it -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
async def test_both_sides_are_heard_without_a_gap(name: str, tmp_path: Path, clock: Clock) -> None:
    file = Recording.create(tmp_path / name, clock=clock)
    Talk(file, clock).go_on(3.0)
    await file.aclose()
    await file.aclose()
    sound = played(tmp_path / name)
    assert len(sound) / SAMPLE_RATE == pytest.approx(3.0, abs=0.05)
    middle = sound[SAMPLE_RATE // 2 : -SAMPLE_RATE // 2]
    assert strength(middle, ROOM) == pytest.approx(0.3, abs=0.03)
    assert strength(middle, OWN) == pytest.approx(0.3, abs=0.03)
    assert gaps(middle) == 0


async def test_a_wav_file_is_16_bit_mono_at_48_khz(tmp_path: Path, clock: Clock) -> None:
    file = Recording.create(tmp_path / "call.wav", clock=clock)
    Talk(file, clock).go_on(1.0)
    await file.aclose()
    with wave.open(str(tmp_path / "call.wav")) as opened:
        assert opened.getparams()[:4] == (1, 2, SAMPLE_RATE, SAMPLE_RATE)


@pytest.mark.parametrize("name", FORMATS)
async def test_one_who_only_listens_is_silent(name: str, tmp_path: Path, clock: Clock) -> None:
    file = Recording.create(tmp_path / name, clock=clock)
    Talk(file, clock).go_on(2.0, own=False)
    await file.aclose()
    sound = played(tmp_path / name)
    assert strength(sound, ROOM) > 0.2
    assert strength(sound, OWN) < 0.01


@pytest.mark.parametrize("name", FORMATS)
async def test_a_call_without_any_sound_leaves_a_file(name: str, tmp_path: Path) -> None:
    file = Recording.create(tmp_path / name)
    await file.aclose()
    with av.open(str(tmp_path / name)) as container:
        assert container.streams.audio[0].codec_context.sample_rate == SAMPLE_RATE


async def test_nothing_of_the_call_is_in_the_description(tmp_path: Path, clock: Clock) -> None:
    file = Recording.create(tmp_path / "call.ogg", clock=clock)
    Talk(file, clock).go_on(1.0)
    await file.aclose()
    with av.open(str(tmp_path / "call.ogg")) as container:
        assert set(container.metadata) | set(container.streams[0].metadata) <= {"encoder"}


# -- time --------------------------------------------------------------------------------------------


def spoken(timeline: Timeline, seconds: float, *, room_rate: float = 1.0, stall: range = range(0)) -> Samples:
    """Two tones on a simulated clock, the room's sound card too fast, the core's loop standing still for a while."""
    parts, room, own, waiting = [], 0, 0, 0
    for tick in range(int(seconds * 50)):
        now = (tick + 1) * FRAME_SAMPLES
        while room + FRAME_SAMPLES <= now * room_rate:
            timeline.room.add(tone(ROOM, room), now)
            room += FRAME_SAMPLES
        waiting += 1
        while waiting and tick not in stall:
            timeline.own.add(tone(OWN, own), now)
            own += FRAME_SAMPLES
            waiting -= 1
        parts.append(timeline.take(now - recording._BEHIND))
    parts.append(timeline.take(timeline.end))
    return np.concatenate(parts)


def test_a_short_stall_is_made_up_for() -> None:
    sound = spoken(Timeline(), 6.0, stall=range(100, 115))
    assert len(sound) == 6 * SAMPLE_RATE
    for start in np.arange(1.0, 5.0, 0.1):
        part = sound[int(start * SAMPLE_RATE) :][: SAMPLE_RATE // 10]
        assert strength(part, OWN) > 0.27


def test_a_long_stall_is_silence_of_that_side_alone() -> None:
    timeline = Timeline()
    before = spoken(timeline, 6.0, stall=range(100, 400))
    assert len(before) == 6 * SAMPLE_RATE
    assert gaps(before) == 0
    silent = before[4 * SAMPLE_RATE : 5 * SAMPLE_RATE]
    assert strength(silent, OWN) < 0.01
    assert strength(silent, ROOM) > 0.27


def test_after_a_long_stall_a_side_is_where_it_belongs() -> None:
    timeline = Timeline()
    for tick in range(500):
        now = (tick + 1) * FRAME_SAMPLES
        timeline.room.add(tone(ROOM, tick * FRAME_SAMPLES), now)
        if not 100 <= tick < 300:
            timeline.own.add(tone(OWN, tick * FRAME_SAMPLES), now)
        assert abs(timeline.own.end - now) <= 200 * FRAME_SAMPLES
        timeline.take(now - recording._BEHIND)
    assert timeline.room.end == timeline.own.end == 500 * FRAME_SAMPLES


@pytest.mark.parametrize("rate", [1.0005, 0.9995])
def test_a_sound_card_that_runs_at_its_own_rate_stays_with_the_clock(rate: float) -> None:
    sound = spoken(Timeline(), 300.0, room_rate=rate)
    assert len(sound) == pytest.approx(300 * SAMPLE_RATE, abs=0.1 * SAMPLE_RATE)
    assert gaps(sound[SAMPLE_RATE:-SAMPLE_RATE]) == 0
    assert strength(sound[-2 * SAMPLE_RATE : -SAMPLE_RATE], OWN) > 0.27


def test_what_is_too_loud_together_is_turned_down() -> None:
    timeline = Timeline()
    parts = []
    for tick in range(100):
        now = (tick + 1) * FRAME_SAMPLES
        for lane in (timeline.room, timeline.own):
            lane.add(tone(ROOM, tick * FRAME_SAMPLES, loud=1.0), now)
        parts.append(timeline.take(now - recording._BEHIND))
    sound = np.concatenate(parts)
    assert np.abs(sound).max() <= 0.951
    assert strength(sound[SAMPLE_RATE // 2 :], ROOM) == pytest.approx(0.95, abs=0.02)


def test_no_number_is_no_sound() -> None:
    timeline = Timeline()
    timeline.room.add(np.full(FRAME_SAMPLES, np.nan, np.float32), FRAME_SAMPLES)
    timeline.own.add(np.full(FRAME_SAMPLES, np.inf, np.float32), FRAME_SAMPLES)
    assert np.abs(timeline.take(FRAME_SAMPLES)).max() == 0.0


def test_a_reader_that_hangs_costs_no_memory_and_no_garbage() -> None:
    timeline = Timeline()
    for tick in range(1000):
        now = (tick + 1) * FRAME_SAMPLES
        timeline.room.add(tone(ROOM, tick * FRAME_SAMPLES), now)
    kept = timeline.take(timeline.end)
    assert 0 < len(kept) <= recording._BUFFER
    assert gaps(kept) == 0
    now = 1001 * FRAME_SAMPLES
    rest = [timeline.take(now - recording._BEHIND) for _ in range(5)]
    assert np.abs(np.concatenate(rest)).max() == 0.0
    timeline.room.add(tone(ROOM, 0), now)
    assert timeline.room.end == now


# -- the file ----------------------------------------------------------------------------------------


@pytest.fixture(params=[0o000, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("name", FORMATS)
async def test_it_is_for_its_owner_alone(name: str, tmp_path: Path) -> None:
    await Recording.create(tmp_path / name).aclose()
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["there.wav", "link.wav", "dangling.ogg", "folder.wav", "pipe.ogg"])
def test_what_is_there_is_left_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / "there.wav").write_bytes(b"precious")
    (tmp_path / "link.wav").symlink_to("there.wav")
    (tmp_path / "dangling.ogg").symlink_to("nowhere")
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.ogg")
    with pytest.raises(FileError, match="exists already") as refused:
        Recording.create(tmp_path / name)
    assert refused.value.exit_code is ExitCode.FILE
    with pytest.raises(FileError, match="exists already"):
        check(tmp_path / name)
    assert (tmp_path / "there.wav").read_bytes() == b"precious"
    assert not (tmp_path / "nowhere").exists()


async def test_who_joins_again_goes_on_in_a_file_beside(tmp_path: Path) -> None:
    for _ in range(3):
        await Recording.create(tmp_path / "call.wav").aclose()
    assert sorted(name for name in os.listdir(tmp_path) if name.startswith("call")) == [
        "call-2.wav",
        "call-3.wav",
        "call.wav",
    ]
    (tmp_path / "call-4.wav").write_bytes(b"precious")
    with pytest.raises(FileError, match=r"call-4\.wav' exists already"):
        Recording.create(tmp_path / "call.wav")


@pytest.mark.parametrize("name", ["call.mp3", "none/call.wav", "file.txt/call.wav", "no\0ne/call.wav"])
def test_what_cannot_be_is_told_beforehand(name: str, tmp_path: Path) -> None:
    (tmp_path / "file.txt").touch()
    with pytest.raises(FileError, match="cannot be"):
        check(tmp_path / name)
    check(tmp_path / "call.ogg")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["file.txt"]


@pytest.mark.parametrize(
    "name", ["call", "call.mp3", "call.wav.txt", "", "none/call.wav", f"{'x' * 300}.wav", "a\0b.wav", "file.txt/x.wav"]
)
def test_a_path_that_cannot_be_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "file.txt").touch()
    with pytest.raises(FileError) as refused:
        Recording.create(tmp_path / name)
    assert str(refused.value).isprintable()
    assert refused.value.hint
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["file.txt"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can plant somebody else's link")
def test_somebody_elses_link_where_all_may_write_is_not_followed(tmp_path: Path) -> None:
    shared, target = tmp_path / "shared", tmp_path / "target"
    target.mkdir()
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "mine").symlink_to(target)
    os.lchown(shared / "mine", 65534, 65534)
    with pytest.raises(FileError, match="somebody else's link"):
        Recording.create(shared / "mine" / "call.wav")
    os.lchown(shared / "mine", 0, 0)
    Recording.create(shared / "mine" / "call.wav")
    assert (target / "call.wav").exists()


_SPEAKER = """
import resource, sys, time
import numpy as np
from tui.media.recording import Recording

path, limit = sys.argv[1], int(sys.argv[2])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
ended = []
file = Recording.create(path, ended.append)
at = began = 0
begun = time.monotonic()
while not ended:
    block = (0.3 * np.sin(2 * np.pi * 440 * np.arange(at, at + 960) / 48000)).astype(np.float32)
    file.hear(block)
    file.speak(block)
    at += 960
    if at % 48000 == 0:
        print(at // 48000, flush=True)
    time.sleep(max(0.0, begun + at / 48000 - time.monotonic()))
time.sleep(0.5)
file.hear(block)
print(ended, flush=True)
"""


@pytest.mark.parametrize("name", ["call.wav", "call.ogg"])
def test_after_a_kill_all_but_the_last_two_seconds_play(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _SPEAKER, str(tmp_path / name), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        begun = 0.0
        while not (line := process.stdout.readline()).startswith("4"):
            assert line
            begun = begun or time.monotonic() - 1.0
        process.send_signal(signal.SIGKILL)
        spoken_seconds = time.monotonic() - begun
    sound = played(tmp_path / name)
    assert len(sound) / SAMPLE_RATE >= min(4.0, spoken_seconds) - 2.0
    assert strength(sound[SAMPLE_RATE // 2 :], 440.0) > 0.4
    if name.endswith("wav"):
        with wave.open(str(tmp_path / name)) as opened:
            assert opened.getnframes() == len(sound)


@pytest.mark.parametrize(("name", "limit"), [("call.wav", 200_001), ("call.ogg", 20_000)])
def test_on_a_full_disk_what_is_there_plays(name: str, limit: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _SPEAKER, str(tmp_path / name), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.count("\n") <= 1, done.stderr
    assert done.stdout.splitlines()[-1] == "['File too large']"
    sound = played(tmp_path / name)
    assert len(sound) > SAMPLE_RATE
    assert gaps(sound[4800:-4800]) == 0
    assert (tmp_path / name).stat().st_size <= limit
    if name.endswith("wav"):
        assert (tmp_path / name).stat().st_size == 44 + 2 * len(sound)


async def test_a_wav_file_ends_before_its_sizes_run_over(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "WAV_BYTES", SAMPLE_RATE * 2)
    reasons: list[str] = []
    file = Recording.create(tmp_path / "call.wav", reasons.append, clock)
    talk = Talk(file, clock)
    talk.go_on(1.4)
    block_until(lambda: (tmp_path / "call.wav").stat().st_size > 70_000, "the first part")
    talk.go_on(1.0)
    await until(lambda: reasons)
    assert reasons == ["a WAV file holds no more than 4 GB; an .ogg file does"]
    talk.go_on(1.0)
    await file.aclose()
    assert len(reasons) == 1
    assert 0.5 * SAMPLE_RATE < len(played(tmp_path / "call.wav")) <= SAMPLE_RATE


async def test_a_disk_that_hangs_does_not_keep_the_call(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recording, "_CLOSE_SECONDS", 0.1)
    file = Recording.create(tmp_path / "call.wav", clock=clock)
    read, write = os.pipe()
    monkeypatch.setattr(file._file, "write", lambda sound: os.read(read, 1))
    await file.aclose()
    assert "does not close" in caplog.text
    os.close(write)
    file._thread.join()
    os.close(read)
