"""Speaking while a key is held, volumes, reminders and the recording mark."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from textual.widgets import Input

from tests.ui.room import conference, drawn, infos, log_of
from tests.ui.scripted import AT, ROOM, Script, joined
from tests.waiting import Clock, until
from tui import app as module
from tui.core.events import CallState, LocalMediaChanged, RosterChanged
from tui.session import MutedSpeech, SoundChanged
from tui.widgets.level_meter import LevelMeter

if TYPE_CHECKING:
    import pytest

MUTED = (*joined(), LocalMediaChanged(False, True))


def muted(script: Script) -> None:
    script.sessions[0].media = LocalMediaChanged(False, True)


def test_the_first_press_outlasts_the_keyboards_wait_and_later_ones_a_stutter() -> None:
    """Keyboards repeat after 250 to 660 ms and then every 30 to 100."""
    assert 0.66 < module._FIRST_HOLD <= 1.0
    assert 0.3 < module._NEXT_HOLD < module._FIRST_HOLD


async def test_a_held_key_speaks_until_it_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_HOLD", 10.0)
    monkeypatch.setattr(module, "_NEXT_HOLD", 3.0)
    script = Script(MUTED)
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.microphone is False)
        muted(script)
        await pilot.press("space")
        await until(lambda: "●speakingwhileheld" in drawn(app))
        await pilot.press(*["space"] * 5)
        assert app.view.microphone
        await until(lambda: app.view.microphone is False)
        await until(lambda: "✕microphoneoff" in drawn(app))
        assert "held" not in drawn(app)
        await pilot.press("t")
        await until(lambda: app.view.microphone)
    assert script.sessions[0].held == [10, 3, 3, 3, 3, 3, 10]


async def test_it_ends_by_itself_when_the_key_does_not_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_HOLD", 0.1)
    script = Script(MUTED)
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.microphone is False)
        muted(script)
        await pilot.press("t")
        await until(lambda: script.sessions[0].held == [0.1] and not script.sessions[0].media.microphone)
        await until(lambda: "✕microphoneoff" in drawn(app))


async def test_the_held_key_leaves_a_microphone_alone_that_is_on() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.microphone)
        await pilot.press("space", "t", "space", "d")
        await until(lambda: app.view.deafened)
        assert script.sessions[0].held == []
        assert "●microphoneon" in drawn(app)


async def test_muting_while_the_key_is_held_mutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_HOLD", 10.0)
    script = Script(MUTED)
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.microphone is False)
        muted(script)
        await pilot.press("t")
        await until(lambda: app.view.microphone)
        await pilot.press("m")
        await until(lambda: app.view.microphone is False and "held" not in drawn(app))


async def test_everybody_louder_and_quieter_in_steps_within_limits() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test(size=(100, 24)) as pilot:
        await until(lambda: app.view.people)
        await pilot.press("minus", "minus", "minus")
        await until(lambda: script.sessions[0].sound.volume == 0.7)
        await until(lambda: "soundat70%:Built-inAudio" in drawn(app))
        await pilot.press(*["plus"] * 20)
        await until(lambda: script.sessions[0].sound.volume == 2.0)
        await pilot.press(*["minus"] * 30)
        await until(lambda: script.sessions[0].sound.volume == 0.0)
        await until(lambda: "soundat0%" in drawn(app))
        assert infos(app).count("sound") == 1


async def test_the_selected_person_louder_quieter_and_silent() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        session = script.sessions[0]
        # Oneself is selected: there is nothing to turn down.
        await pilot.press("left", "x")
        await pilot.press("down", "left", "left", "left")
        await until(lambda: session.voices == {"streambob": (0.7, False)})
        await until(lambda: "●talking70%" in drawn(app))
        await pilot.press("x")
        await until(lambda: session.voices["streambob"] == (0.7, True))
        await until(lambda: "⊘mutedforyou" in drawn(app))
        await pilot.press("x", *["right"] * 20)
        await until(lambda: session.voices["streambob"] == (2.0, False))
        await until(lambda: "●talking200%" in drawn(app))
        # Wherever the focus is.
        await pilot.press("l", "left_square_bracket", "p")
        await until(lambda: session.voices["streambob"] == (1.9, False))


async def test_volumes_stay_with_the_person_through_tracks_and_rooms() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.press("minus", "down", "left", "down", "x")
        await until(lambda: len(script.sessions[0].voices) == 2)
        moved = (ROOM[0], ROOM[2], replace(ROOM[1], audio="audioTrack7", video=None))
        script.sessions[0].say(RosterChanged(moved))
        await until(lambda: len(app.view.people) == 3)
        assert [(one.volume, one.silenced) for one in app.view.people] == [(1, False), (1, True), (0.9, False)]
        await pilot.press("j")
        await until(lambda: app.view.state is CallState.IDLE)
        await pilot.press("j")
        await until(lambda: app.view.people)
        assert script.sessions[1].voices == {"streambob": (0.9, False), "streamcarol": (1.0, True)}
        await until(lambda: app.view.volume == script.sessions[1].sound.volume == 0.9)


async def test_the_palette_offers_volumes_and_no_key_to_hold() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test(size=(100, 50)) as pilot:
        await until(lambda: app.view.people)
        await pilot.press("down", "colon")
        await until(lambda: "Muteforme" in drawn(app) and "Everybodyquieter." in drawn(app))
        assert "Holdtospeak" not in drawn(app)
        app.screen.query_one(Input).value = "person quieter"
        await until(lambda: "Everybodyquieter." not in drawn(app))
        await pilot.pause(0.3)
        await pilot.press("enter")
        await until(lambda: script.sessions[0].voices == {"streambob": (0.9, False)})


async def test_who_talks_while_muted_is_told_so_and_not_all_the_time() -> None:
    script, clock = Script(MUTED), Clock(AT)
    app = conference(script, clock=clock)
    async with app.run_test(notifications=True):
        await until(lambda: app.view.microphone is False)
        script.sessions[0].say(MutedSpeech(), MutedSpeech())
        await until(lambda: "Youaremutedbuttalking." in drawn(app))
        clock.now += 9
        script.sessions[0].say(MutedSpeech())
        clock.now += 2
        script.sessions[0].say(MutedSpeech())
        await until(lambda: [line.payload for line in log_of(app).lines].count("You are muted but talking.") == 2)


async def test_a_recording_is_marked_for_as_long_as_it_goes_on() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test():
        await until(lambda: app.view.people)
        session = script.sessions[0]
        session.say(SoundChanged("Built-in Audio", recording="talk\x1b[2J.wav"))
        await until(lambda: "●RECtalk\N{REPLACEMENT CHARACTER}[2J.wav" in drawn(app))
        assert "recording to talk" in log_of(app).lines[-1].payload
        session.say(SoundChanged("Built-in Audio"))
        await until(lambda: "REC" not in drawn(app))


async def test_levels_move() -> None:
    app = conference(Script(paints=True))
    async with app.run_test(size=(120, 36)):
        await until(lambda: app.view.people)
        meter = app.screen.query_one(LevelMeter)
        seen: set[int] = set()

        def three() -> bool:
            seen.add(meter.lit)
            return len(seen) >= 3

        await until(three)
        pictures: set[str] = set()

        def bob_moves() -> bool:
            text = drawn(app)
            at = text.find("●talking▮")
            pictures.add(text[at : at + 13] if at >= 0 else "")
            return len(pictures) >= 3

        await until(bob_moves)
