"""The list of people: filter, pin, raised hands, quality, details, and rooms of thousands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from textual.screen import Screen
from textual.widgets import Static

from tests.ui.room import PLAIN, conference, drawn, people_of
from tests.ui.scripted import ROOM, Script, joined
from tests.waiting import until
from tui.core.events import Announced, CallState, Notice, Participant, RosterChanged
from tui.core.stats import Figures, Inbound, Meter, Outbound
from tui.crowd import Crowd
from tui.screens.person import PersonScreen, about
from tui.session import QualityChanged
from tui.statistics import Health, Statistics
from tui.updates import Person
from tui.widgets import participant_list
from tui.widgets.filter import Filter

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from tui.app import ConferenceApp
    from tui.widgets.participant_list import ParticipantList

MANY = 3000


def crowd(count: int = MANY) -> list[Participant]:
    return [ROOM[0], *(Participant(f"stream{number:05}", f"Person {number}") for number in range(1, count))]


def listening(seconds: int = 2) -> Statistics:
    """A call in which Bob is heard and Carol seen, and we send both."""
    statistics = Statistics()
    clock = iter(range(100))
    sent, received = (Meter("x", lambda: float(next(clock))) for _ in range(2))
    tracks = {"0": "audioTrack0", "1": "videoTrack1"}
    for turn in range(seconds):
        sound = Inbound(
            "ARDAMSaaudioTrack0",
            "0",
            "audio",
            bytes=turn * 8000,
            packets=turn * 100,
            jitter=0.004,
            delay=0.06,
            concealed=0.5,
            codec="opus",
        )
        picture = Inbound(
            "ARDAMSvvideoTrack1",
            "1",
            "video",
            bytes=turn * 100_000,
            packets=turn * 90,
            packets_lost=turn * 10,
            frames_decoded=turn * 50,
            frames_dropped=turn * 3,
            width=640,
            height=360,
            freezes=turn,
            codec="vp8",
        )
        own = (
            Outbound("audio", packets=turn * 100, bytes=turn * 8000, codec="opus", mid="0", round_trip_time=0.04),
            Outbound(
                "video",
                packets=turn * 90,
                bytes=turn * 75_000,
                fraction_lost=0.02,
                width=320,
                height=180,
                frames=turn * 30,
                target_bitrate=300_000,
                codec="h264",
                mid="1",
            ),
        )
        statistics.take(
            turn * 2.0,
            sent.sample(Figures(outbound=own)),
            received.sample(Figures(inbound=(sound, picture))),
            lambda track: "somebody",
            lambda track: tracks[track.mid],
        )
    return statistics


def title(app: ConferenceApp) -> str:
    return str(people_of(app).parent.border_title)  # type: ignore[union-attr]


def names(people: ParticipantList) -> list[str]:
    return [person.name for person in people.shown]


async def in_a_room(app: ConferenceApp, count: int = len(ROOM)) -> ParticipantList:
    await until(lambda: len(app.view.people) == count and app.view.state is CallState.JOINED)
    people = people_of(app)
    await until(lambda: people.selected == "streamalice")
    return people


# -- filter --


@pytest.mark.parametrize(
    ("typed", "found"),
    [("bob", ["Bob"]), ("ＢＯＢ", ["Bob"]), ("streamC", ["Carol"]), ("山", ["山田 太郎"]), ("田太", ["山田 太郎"])],  # noqa: RUF001
)
async def test_people_are_found_by_name_and_id_whatever_the_case_and_width(typed: str, found: list[str]) -> None:
    app = conference(Script(joined([*ROOM, Participant("x1", "山田 太郎")])))
    async with app.run_test() as pilot:
        people = await in_a_room(app, 5)
        assert title(app) == "People"
        await pilot.press("slash")
        app.screen.query_one(Filter).focus()
        await until(lambda: isinstance(app.focused, Filter))
        app.focused.value = typed  # type: ignore[union-attr]
        await until(lambda: names(people) == found)
        await until(lambda: title(app) == "People: 1 of 5")


async def test_a_filter_is_typed_kept_and_cleared() -> None:
    app = conference()
    async with app.run_test() as pilot:
        people = await in_a_room(app)
        await pilot.press("slash", *"aro")
        await until(lambda: names(people) == ["Carol"])
        await until(lambda: "People:1of4" in drawn(app))
        assert people.selected == "streamcarol"
        await pilot.press("enter")
        await until(lambda: app.focused is people)
        assert "aro" in drawn(app)
        await pilot.press("escape")
        await until(lambda: len(people.shown) == 4)
        await until(lambda: title(app) == "People")
        assert people.selected == "streamcarol"
        await pilot.press("slash")
        await until(lambda: isinstance(app.focused, Filter))
        assert app.focused.value == ""  # type: ignore[union-attr]


async def test_the_key_that_clears_is_only_taken_while_there_is_a_filter() -> None:
    app = conference()
    async with app.run_test() as pilot:
        await in_a_room(app)

        def taken() -> bool:
            return any(active.binding.id == "people.clear" for active in app.screen.active_bindings.values())

        assert not taken()
        await pilot.press("slash", *"bob", "enter")
        await until(lambda: app.focused is people_of(app) and taken())
        await pilot.press("escape")
        await until(lambda: not taken())


async def test_who_was_selected_before_a_filter_is_so_again_after_it() -> None:
    app = conference()
    async with app.run_test() as pilot:
        people = await in_a_room(app)
        await pilot.press("down", "slash", *"car")
        await until(lambda: people.selected == "streamcarol")
        await pilot.press("escape")
        await until(lambda: len(people.shown) == 4)
        assert people.selected == "streambob"
        assert app.focused is people
        await pilot.press("slash", *"o")
        await until(lambda: names(people) == ["Bob", "Carol"])
        assert people.selected == "streambob"


async def test_when_nobody_is_found_nobody_is_selected() -> None:
    app = conference()
    async with app.run_test() as pilot:
        people = await in_a_room(app)
        await pilot.press("down", "slash", *"zzz", "enter")
        await until(lambda: app.focused is people)
        assert people.person is None
        await until(lambda: title(app) == "People: 0 of 4")
        await pilot.press("x", "i", "P", "down", "enter")
        await pilot.pause()
        assert app.screen is app.room
        await pilot.press("escape")
        await until(lambda: people.person is not None)
        assert people.selected == "streambob"


async def test_newcomers_are_filtered_too() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        people = await in_a_room(app)
        await pilot.press("slash", *"bob", "down")
        script.sessions[0].say(RosterChanged((*ROOM, Participant("x", "Bobby"), Participant("y", "Erin"))))
        await until(lambda: names(people) == ["Bob", "Bobby"])
        await until(lambda: title(app) == "People: 2 of 6")
        await pilot.press("down")
        assert people.selected == "x"
        script.sessions[0].say(RosterChanged((*ROOM, Participant("y", "Erin"))))
        await until(lambda: names(people) == ["Bob"])
        assert people.selected == "streambob"


# -- pin --


async def test_one_person_is_pinned_and_marked() -> None:
    app = conference()
    async with app.run_test() as pilot:
        people = await in_a_room(app)
        await pilot.press("down", "P")
        await until(lambda: app.room.pinned == "streambob")
        await until(lambda: "◆" in drawn(app))
        await pilot.press("down", "P")
        await until(lambda: app.room.pinned == "streamcarol")
        assert people.pinned == "streamcarol"
        await until(lambda: drawn(app).count("◆") == 1)
        await pilot.press("P")
        await until(lambda: app.room.pinned is None)
        await until(lambda: "◆" not in drawn(app))


async def test_a_pin_waits_for_who_breaks_off() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await in_a_room(app)
        await pilot.press("down", "P")
        await until(lambda: app.room.pinned == "streambob")
        for people in ((ROOM[0], *ROOM[2:]), ROOM):
            script.sessions[0].say(RosterChanged(people))
            await until(lambda people=people: len(app.view.people) == len(people))  # type: ignore[misc]
            await pilot.pause()
            assert app.room.pinned == "streambob"
        await pilot.press("j")
        await until(lambda: app.view.state is CallState.IDLE)
        await until(lambda: app.room.pinned is None)


async def test_a_pin_ends_with_who_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(participant_list, "_PIN_STAYS", 0.05)
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await in_a_room(app)
        await pilot.press("down", "P")
        await until(lambda: app.room.pinned == "streambob")
        script.sessions[0].say(RosterChanged((ROOM[0], *ROOM[2:])))
        await until(lambda: app.room.pinned is None)
        script.sessions[0].say(RosterChanged(ROOM))
        await until(lambda: len(app.view.people) == 4)
        await pilot.pause()
        assert "◆" not in drawn(app)


async def test_who_is_not_listed_is_counted() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test(size=(120, 36)):
        await until(lambda: app.view.people)
        script.sessions[0].say(RosterChanged(ROOM, 2400))
        await until(lambda: "2404intheroom,4listed" in drawn(app))


# -- hands --


def raised(key: str) -> Announced:
    return Announced(Notice.HAND_RAISED, key, key)


async def test_raised_hands_are_counted_and_found_one_after_the_other() -> None:
    script = Script(joined(crowd(100)))
    app = conference(script)
    async with app.run_test(notifications=True) as pilot:
        people = await in_a_room(app, 100)
        await pilot.press("Y")
        await until(lambda: "Nohandisraised" in drawn(app))
        script.sessions[0].say(raised("stream00090"), raised("stream00030"))
        await until(lambda: people.hands == 2)
        await until(lambda: title(app) == "People: 2 hands up")
        for key in ("stream00030", "stream00090", "stream00030"):
            await pilot.press("Y")
            assert people.selected == key
        await until(lambda: "Person30" in drawn(app) and "▲handraised" in drawn(app))
        await pilot.press("a")
        await until(lambda: people.hands == 1)
        assert script.sessions[0].hands == [("stream00030", True)]
        await until(lambda: title(app) == "People: 1 hand up")


async def test_a_raised_hand_is_found_behind_a_filter() -> None:
    script = Script([*joined(crowd(50)), raised("stream00040")])
    app = conference(script)
    async with app.run_test() as pilot:
        people = await in_a_room(app, 50)
        await pilot.press("slash", *"11", "enter")
        await until(lambda: names(people) == ["Person 11"])
        await until(lambda: title(app) == "People: 1 of 50, 1 hand")
        await pilot.press("Y")
        await until(lambda: people.selected == "stream00040" and len(people.shown) == 50)
        await until(lambda: "11" not in app.screen.query_one(Filter).value)


# -- quality --


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (60, 16)])
async def test_how_well_somebody_is_received_is_a_mark_and_a_word_unless_it_is_good(size: tuple[int, int]) -> None:
    script = Script()
    app = conference(script)
    async with app.run_test(size=size) as pilot:
        await in_a_room(app)
        await pilot.press("h")
        await pilot.pause()
        assert not {"▇", "▄", "▂"} & set(drawn(app).split("Log")[0])
        told = {"streambob": (Health.GOOD, ""), "streamcarol": (Health.POOR, "the picture freezes")}
        script.sessions[0].say(QualityChanged(told | {"streamdave": (Health.FAIR, "x")}))
        await until(lambda: "▂poor" in drawn(app))
        assert "▇" in drawn(app)
        assert "▄fair" in drawn(app)
        assert "good" not in drawn(app)
        script.sessions[0].say(QualityChanged({}))
        await until(lambda: "▂poor" not in drawn(app))
        script.sessions[0].say(QualityChanged(told))
        await until(lambda: "▂poor" in drawn(app))
        await pilot.press("j")
        await until(lambda: app.view.state is CallState.IDLE)
        await pilot.press("j")
        await in_a_room(app)
        assert all(person.quality is Health.UNKNOWN for person in app.view.people)


EVERYTHING = Person(
    "bob",
    "bob",
    "Bob",
    camera=False,
    talking=True,
    presentation="videoTrack5",
    sharing=True,
    recording=True,
    hand=True,
    volume=0.5,
    quality=Health.POOR,
)


@pytest.mark.parametrize(("width", "words"), [(12, 0), (24, 0), (40, 2), (90, 6)])
async def test_where_words_have_no_room_there_are_marks(width: int, words: int) -> None:
    app = conference()
    async with app.run_test():
        people = await in_a_room(app)
        people.set_reactive(type(people).pinned, "bob")
        said = "".join(text for text, _ in people._doing(EVERYTHING, width, with_id=False))
        assert len(said.rstrip()) <= width
        known = ("hand raised", "recording", "talking", "pinned", "sharing", "camera off")
        assert [word for word in known if word in said] == list(known[:words])
        if width >= 24:
            assert all(mark in said for mark in "▲◉●◆▣○")


# -- details --


def details(app: ConferenceApp) -> str:
    return str(app.screen.query_one("#details", Static).content)


async def open_details(pilot: Pilot[Any], *keys: str) -> str:
    await pilot.press(*keys, "i")
    await until(lambda: isinstance(pilot.app.screen, PersonScreen) and pilot.app.screen.is_mounted)
    return details(pilot.app)  # type: ignore[arg-type]


async def test_all_that_is_known_of_a_person_is_told_in_words() -> None:
    script = Script(statistics=listening())
    app = conference(script)
    async with app.run_test() as pilot:
        await in_a_room(app)
        text = await open_details(pilot, "down")
        assert [line.split(None, 1) for line in text.splitlines()[:5]] == [
            ["Name", "Bob"],
            ["Id", "streambob"],
            ["Microphone", "on, talking"],
            ["Camera", "on"],
            ["Volume", "100%"],
        ]
        assert "audioTrack0, mid 0, opus" in text
        assert "32 kbit/s, 0 % lost, jitter 4 ms" in text
        assert "buffer 60 ms, 0.5 s made up so far" in text
        assert "Picture     nothing is measured yet" in text
        assert "Role" not in text
        await pilot.press("i")
        await until(lambda: app.screen is app.room)
        text = await open_details(pilot, "down")
        assert "Microphone  muted" in text
        assert "videoTrack1, mid 1, vp8" in text
        assert "640x360, 25 a second" in text
        assert "400 kbit/s, 10 % lost" in text
        assert "freezes: 1, dropped frames: 3 so far" in text
        await pilot.press("escape")
        await until(lambda: app.screen is app.room)
        text = await open_details(pilot, "down")
        assert "none is received now" in text
        assert "Camera      off" in text


async def test_of_oneself_there_is_what_is_sent() -> None:
    app = conference(Script(statistics=listening()))
    async with app.run_test() as pilot:
        await in_a_room(app)
        text = await open_details(pilot)
        assert "Alice (you)" in text
        assert "Own sound   mid 0, opus" in text
        assert "Own picture mid 1, h264" in text
        assert "320x180, 15 a second" in text
        assert "300 kbit/s, 2 % lost" in text
        assert "may take 300 kbit/s" in text
        assert "Volume" not in text


def test_states_are_told_in_words() -> None:
    person = replace(
        EVERYTHING, microphone=False, silenced=True, role="host", stale=True, quality_reason="the picture freezes"
    )
    told = dict(about(person, pinned=True))
    assert told["Hand"].startswith("raised")
    assert told["Microphone"] == "muted"
    assert told["Camera"] == "off"
    assert told["Screen"] == "shared"
    assert told["Recording"] == "records the call"
    assert told["Role"] == "host"
    assert told["Received"] == "poor quality: the picture freezes"
    assert told["Volume"] == "50%, muted for you"
    assert told["Picture"] == "pinned by you"
    assert "lately" in told["Contact"]


@pytest.mark.parametrize("hidden", ["Microphone", "Camera"])
def test_of_who_only_listens_no_microphone_and_no_camera_is_told(hidden: str) -> None:
    assert hidden not in dict(about(Person("bob", "bob", "Bob", play_only=True)))


def test_ids_are_whole_and_safe_and_an_unknown_one_is_said() -> None:
    said = [text for label, text in about(Person("a" * 100 + "\x1b[2J", "", "Bob")) if label in ("Id", "")]
    assert "".join(said) == "a" * 100 + "\N{REPLACEMENT CHARACTER}[2J"
    assert max(map(len, said)) <= 42
    assert "no list" in dict(about(Person("?video-3", "?video-3", "unknown")))["Id"]


async def test_details_follow_the_person_without_laying_out_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    layouts: list[object] = []
    lay_out = Screen._refresh_layout

    def counted(screen: Screen[Any], *args: Any, **more: Any) -> None:
        if isinstance(screen, PersonScreen):
            layouts.append(screen)
        lay_out(screen, *args, **more)

    script = Script(statistics=listening())
    app = conference(script)
    async with app.run_test(size=(60, 16)) as pilot:
        await in_a_room(app)
        await open_details(pilot, "down")
        screen = app.screen
        await until(lambda: screen.query_one("#details").size.height > 0)
        await pilot.pause()
        monkeypatch.setattr(Screen, "_refresh_layout", counted)
        script.sessions[0].say(RosterChanged((ROOM[0], replace(ROOM[1], talking=False, microphone=False))))
        await until(lambda: "Microphone  muted" in details(app))
        await until(lambda: "Microphonemuted" in drawn(app))
        assert not layouts
        script.sessions[0].say(RosterChanged((ROOM[0], replace(ROOM[1], recording=True))))
        await until(lambda: "records the call" in details(app) and layouts)
        script.sessions[0].say(RosterChanged((ROOM[0],)))
        await until(lambda: "This person has left." in details(app))


async def test_hostile_names_and_roles_are_safe_in_the_details() -> None:
    bad = Participant("[/x]\x1b]0;y", "[/oops]\x1b[2J\u202e", role="[bold\x9b31m")
    app = conference(Script(joined([ROOM[0], bad])))
    async with app.run_test() as pilot:
        await in_a_room(app, 2)
        text = await open_details(pilot, "down")
        await pilot.pause()
        assert "[/oops]" in drawn(app)
        assert "[bold" in text
        assert not {"\x1b", "\x9b", "\u202e"} & set(text + drawn(app))


async def test_the_list_and_the_details_are_ascii_where_the_terminal_is() -> None:
    people = (ROOM[0], replace(ROOM[1], recording=True, presentation="videoTrack3"), *ROOM[2:])
    told = QualityChanged({"streambob": (Health.POOR, "x"), "streamcarol": (Health.GOOD, "")})
    script = Script([*joined(people), told, raised("streambob")], statistics=listening())
    app = conference(script, ascii_only=True, look=PLAIN)
    async with app.run_test(size=(120, 36)) as pilot:
        await in_a_room(app)
        await pilot.press("down", "P", "slash", *"o")
        await until(lambda: "!poor" in drawn(app) and "^handraised" in drawn(app) and "o" in drawn(app))
        assert drawn(app).isascii()
        await pilot.press("enter", "i")
        await until(lambda: "poorquality" in drawn(app))
        assert drawn(app).isascii()


# -- thousands --


async def test_among_thousands_only_who_changes_is_made_and_drawn_anew() -> None:
    people = crowd()
    script = Script(joined(people))
    app = conference(script)
    async with app.run_test(size=(120, 36)) as pilot:
        view = await in_a_room(app, MANY)
        await pilot.press("end")
        await until(lambda: f"Person{MANY - 1}" in drawn(app))
        before = app.view.people
        people[-2] = replace(people[-2], talking=True)
        script.sessions[0].say(RosterChanged(tuple(people)))
        await until(lambda: app.view.people[-2].talking)
        changed = [row for row, (old, new) in enumerate(zip(before, app.view.people, strict=True)) if old is not new]
        assert changed == [MANY - 2]
        await until(lambda: "●talkingstream02998" in drawn(app))
        assert view.selected == f"stream{MANY - 1:05}"
        regions: list[object] = []
        view.refresh = lambda *areas, **more: regions.append(areas)  # type: ignore[method-assign, assignment]
        people[5] = replace(people[5], talking=True)
        script.sessions[0].say(RosterChanged(tuple(people)))
        await until(lambda: app.view.people[5].talking)
        assert view.people[5].talking
        assert not regions


async def test_among_thousands_the_selection_stays_with_its_person() -> None:
    people = crowd()
    script = Script(joined(people))
    app = conference(script)
    async with app.run_test() as pilot:
        view = await in_a_room(app, MANY)
        await pilot.press("end", "up", "pageup", "pagedown")
        key = view.selected
        assert key == "stream02998"
        script.sessions[0].say(RosterChanged((*people[:100], *people[200:])))
        await until(lambda: len(app.view.people) == MANY - 100)
        assert view.selected == key
        await pilot.press("slash", *"n 2500")
        await until(lambda: names(view) == ["Person 2500"])
        await until(lambda: title(app) == f"People: 1 of {MANY - 100}")
        await until(lambda: "Person2500" in drawn(app))
        await pilot.press("escape")
        await until(lambda: len(view.shown) == MANY - 100)
        assert view.selected == key
        await until(lambda: "Person2998" in drawn(app))
        script.sessions[0].say(RosterChanged(tuple(people[:2])))
        await until(lambda: len(view.shown) == 2)
        assert view.selected == "stream00001"
        await until(lambda: "▸Person1" in drawn(app))


async def test_who_is_selected_is_seen_although_the_room_has_only_just_grown() -> None:
    app = conference()
    async with app.run_test(size=(120, 36)):
        view = await in_a_room(app)
        grown = Crowd()
        grown.follow(crowd(200))
        # Before there has been a layout.
        view.people = grown.draw()
        view.action_cursor(1000)
        await until(lambda: "▸Person199" in drawn(app))
