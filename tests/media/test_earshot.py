"""Who is heard of many: whoever talks, at once, and nobody is cut off in a word."""

from __future__ import annotations

from collections import Counter

import pytest

from tui.media.earshot import AUDIBLE, FADES, MARGIN, Earshot

STEP = 0.02
LOUD, SOFT, MURMUR, MUTED = 25, 50, 70, 127


class Room:
    """Voices that send a packet every 20 ms, and how long each has been heard."""

    def __init__(self, people: int, most: int = 24) -> None:
        self.earshot = Earshot(most)
        self.now = 0.0
        self.changes = 0
        self.heard = Counter[str]()
        self.levels: dict[str, int | None] = {f"p{number}": MURMUR for number in range(people)}
        for key in self.levels:
            self.earshot.add(key, self.now)

    def go_on(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            for key, level in self.levels.items():
                self.changes += self.earshot.hear(key, level, self.now)
            self.heard.update(self.earshot.inside)

    def hears(self, *keys: str) -> bool:
        return all(key in self.earshot.inside for key in keys)


def test_whoever_comes_while_there_is_a_place_is_heard() -> None:
    room = Room(24)
    assert room.hears(*room.levels)
    room.levels |= dict.fromkeys(room.levels, LOUD)
    room.go_on(5)
    assert room.changes == 0


@pytest.mark.parametrize("level", [LOUD, SOFT])
def test_a_new_speaker_is_heard_with_the_first_packet(level: int) -> None:
    room = Room(60)
    room.go_on(5)
    assert room.changes == 0
    assert not room.hears("p42")
    assert room.earshot.hear("p42", level, room.now + 0.01)
    assert room.hears("p42")
    assert len(room.earshot.inside) == 24


def test_everybody_who_speaks_in_turn_is_heard() -> None:
    room = Room(60)
    for speaker in list(room.levels):
        room.levels[speaker] = LOUD
        room.go_on(1)
        assert room.hears(speaker)
        room.levels[speaker] = MURMUR
    assert room.changes <= 60


def test_the_place_is_that_of_who_is_quiet_for_the_longest_time() -> None:
    room = Room(4, most=3)
    for speaker in ("p1", "p0", "p2"):
        room.levels[speaker] = LOUD
        room.go_on(1)
        room.levels[speaker] = MUTED
    room.levels["p3"] = LOUD
    room.go_on(STEP)
    assert set(room.earshot.inside) == {"p0", "p2", "p3"}


def test_who_is_muted_goes_before_who_breathes() -> None:
    room = Room(3, most=2)
    room.levels["p1"] = MUTED
    room.go_on(10)
    room.levels["p2"] = LOUD
    room.go_on(STEP)
    assert set(room.earshot.inside) == {"p0", "p2"}


def test_nobody_is_cut_off_in_a_word_when_too_many_talk_at_once() -> None:
    """All of 26 talk as loud as each other, with gaps between their words."""
    room = Room(26)
    for turn in range(40):
        for number, key in enumerate(room.levels):
            room.levels[key] = MURMUR if (turn + number) % 4 == 0 else LOUD
        room.go_on(0.24)
        if turn == 3:
            # Everybody has said something.
            room.changes = 0
    assert room.changes == 0


def test_a_pause_of_half_a_second_gives_the_place_to_who_waits_for_it() -> None:
    room = Room(25)
    room.levels |= dict.fromkeys(room.levels, LOUD)
    room.go_on(3)
    (waiting,) = set(room.levels) - set(room.earshot.inside)
    paused = next(iter(room.earshot.inside))
    room.levels[paused] = MURMUR
    room.go_on(MARGIN / FADES - 2 * STEP)
    assert not room.hears(waiting)
    room.go_on(4 * STEP)
    assert room.hears(waiting)
    assert not room.hears(paused)


def test_who_is_much_louder_than_a_noise_is_heard_at_once() -> None:
    room = Room(25)
    room.levels |= dict.fromkeys(room.levels, SOFT)
    room.go_on(5)
    (waiting,) = set(room.levels) - set(room.earshot.inside)
    room.levels[waiting] = SOFT - MARGIN
    room.go_on(STEP)
    assert room.hears(waiting)


@pytest.mark.parametrize("level", [AUDIBLE, MURMUR, MUTED])
def test_what_can_hardly_be_heard_takes_no_place(level: int) -> None:
    room = Room(60)
    room.levels |= dict.fromkeys(room.levels, MUTED)
    room.go_on(10)
    room.levels["p59"] = level
    room.go_on(10)
    assert room.changes == 0


def test_who_does_not_say_how_loud_is_listened_to_in_turn() -> None:
    room = Room(60)
    silent = [f"p{number}" for number in range(40, 60)]
    room.levels |= dict.fromkeys(silent, None)
    room.go_on(3)
    assert all(room.heard[key] > 0.5 / STEP for key in silent)
    talkers = [f"p{number}" for number in range(20)]
    room.levels |= dict.fromkeys(talkers, LOUD)
    room.go_on(20)
    assert room.hears(*talkers)


def test_of_those_who_do_not_say_it_whoever_is_found_to_talk_stays() -> None:
    """What is decoded tells the level of who is inside; here of 20 in a room of 8 places."""
    room = Room(0, most=8)
    keys = [f"p{number}" for number in range(20)]
    for key in keys:
        room.earshot.add(key, 0.0)
    found = 0.0
    for _ in range(round(30 / STEP)):
        room.now += STEP
        for key in keys:
            level = (LOUD if key == "p17" else MUTED) if key in room.earshot.inside else None
            room.earshot.hear(key, level, room.now)
        room.heard.update(room.earshot.inside)
        if not found and room.hears("p17"):
            found = room.now
    assert 0 < found < 5
    assert room.heard["p17"] * STEP == pytest.approx(30 - found, abs=0.1)
    assert all(room.heard[key] * STEP > 5 for key in keys)


def test_whoever_sends_nothing_is_not_listened_to() -> None:
    room = Room(4, most=2)
    room.earshot.hear("p2", None, room.now)
    room.now += 10
    assert room.earshot.hear("p3", None, room.now)
    assert room.hears("p3")


def test_a_place_that_falls_free_is_taken_by_who_waits_for_the_longest_time() -> None:
    room = Room(5, most=2)
    room.earshot.remove("p2", 0.0)
    room.earshot.remove("p0", 0.0)
    assert set(room.earshot.inside) == {"p1", "p3"}
    for key in ("p3", "p1", "p4", "p4", "nobody"):
        room.earshot.remove(key, 0.0)
    assert not room.earshot.inside
    assert not room.earshot.hear("p4", LOUD, 1.0)
    room.earshot.add("p4", 2.0)
    assert room.hears("p4")
