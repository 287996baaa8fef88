"""The configuration file, and which of those who say something about an option has the word."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

import pytest

from tui import arguments, layouts, themes
from tui.choices import Choices
from tui.choices import remember as choose
from tui.cli import main
from tui.config import VARIABLES, JoinOptions, remember
from tui.core.events import OnRequest
from tui.errors import ConfigError, UsageError
from tui.layouts import Layout
from tui.settings import SECRETS, File, checked, joining, offered, path, problems, read, report, resolved

if TYPE_CHECKING:
    from pathlib import Path

URL = "wss://meet.example.org:5443/live/websocket"
GOOD = f"""
[defaults]
name = "Kim"
mic = 3
video_size = "640x360"
ice_server = ["stun:one.example.org", "turn:two.example.org"]
requests = "obey"

[profiles.work]
url = "{URL}"
room = "daily"
video = false
name = "Dr. Kim"

[profiles.home]
url = "ws://localhost:5080/live/websocket"

[screen]
mouse = false

[keys]
"room.microphone" = "f2"
room.camera = "f3"
"""


def write(text: str, mode: int = 0o600) -> File:
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return read()


def said(*words: str) -> argparse.Namespace:
    return arguments.parser().parse_args(["join", *words])


def wanted(file: File, *words: str) -> JoinOptions:
    return joining(resolved(said(*words), file))


def complaints(text: str) -> str:
    return "\n".join(map(str, problems(write(text))))


def test_without_a_file_nothing_is_configured() -> None:
    assert read() == File(path())
    assert wanted(read(), URL, "room1", "--stream-id", "a") == JoinOptions(url=URL, room="room1", stream_id="a")


def test_a_profile_is_taken_in_place_of_a_url() -> None:
    file = checked(write(GOOD))
    assert problems(file) == []
    options = wanted(file, "work")
    assert (options.url, options.room, options.name, options.video) == (URL, "daily", "Dr. Kim", False)
    assert (options.microphone, options.video_size) == ("3", (640, 360))
    assert options.ice_servers == ("stun:one.example.org", "turn:two.example.org")
    assert options.on_request is OnRequest.OBEY
    assert resolved(said("work"), file)["mouse"].value is False
    assert file.keys == {"room.microphone": "f2", "room.camera": "f3"}
    assert wanted(file, "work", "weekly", "--video", "--mouse").room == "weekly"


def test_a_url_is_never_a_profile_and_with_an_endpoint_the_first_word_is_the_room() -> None:
    file = write(GOOD)
    assert wanted(file, URL, "work").room == "work"
    options = wanted(file, "work", "--endpoint-url", "https://example.org/node")
    assert (options.url, options.room, options.is_endpoint, options.name) == (
        "https://example.org/node",
        "work",
        True,
        "Kim",
    )


def test_an_address_says_more_than_the_server_and_less_than_an_option() -> None:
    page = "https://host:5443/live/daily?token=t&streamId=kim1&streamName=Kim"
    file = write(f'[profiles.page]\nurl = "{page}"\nname = "Lee"\n[profiles.bad]\nurl = "https://host:5443/"\n')
    options = wanted(file, page)
    assert (options.url, options.room) == ("wss://host:5443/live/websocket", "daily")
    assert (options.token, options.stream_id, options.name) == ("t", "kim1", "Kim")
    options = wanted(file, page, "weekly", "--token", "u", "--name", "Lee")
    assert (options.room, options.token, options.name) == ("weekly", "u", "Lee")
    options = wanted(file, "page")
    assert (options.room, options.token, options.name) == ("daily", "t", "Lee")
    assert wanted(file, "bad").url == "https://host:5443/"
    assert "must begin with ws:// or wss://" in "\n".join(map(str, problems(file)))


def test_a_profile_that_is_chosen_later_says_where_to_go_itself(tmp_path: Path) -> None:
    file = write(GOOD)
    given = said("ws://elsewhere/live/websocket", "room1", "--token", "t", "--stream-id", "s", "--no-audio")
    options = joining(offered(given, file, "work", environ={}))
    assert (options.url, options.room, options.token, options.audio) == (URL, "daily", "", False)
    assert options.stream_id != "s"
    demo = arguments.parser().parse_args(["demo", "--name", "Kim"])
    assert joining(offered(demo, file, "work", environ={})).name == "Kim"


def test_a_profile_that_is_not_there_is_named_with_what_was_perhaps_meant() -> None:
    with pytest.raises(UsageError, match="no profile 'wrok'") as caught:
        report(write(GOOD), "wrok")
    assert caught.value.hint == "did you mean 'work'?"


@pytest.mark.parametrize(("name", "variable"), VARIABLES.items())
def test_the_command_line_wins_over_the_environment_over_the_file_over_the_last_time(name: str, variable: str) -> None:
    remember(JoinOptions(url="ws://last/x/websocket", room="last", name="last"))
    themes.remember("gruvbox")
    # Of most options any text will do.
    default, chosen = ("light", "terminal") if name == "theme" else ("by default", "by profile")
    profile = write(f'[defaults]\n{name} = "{default}"\n[profiles.work]\n{name} = "{chosen}"\n')
    option = argparse.Namespace(**{name: None})

    def told(profile_name: str = "", environ: dict[str, str] | None = None) -> tuple[str, str]:
        setting = resolved(option, profile, profile=profile_name, environ=environ or {})[name]
        return setting.value, setting.origin

    if name in ("url", "room", "name", "theme"):
        assert resolved(option, File(path()), environ={})[name].origin == "last time"
    assert told() == (default, "[defaults]")
    assert told("work") == (chosen, "[profiles.work]")
    assert told("work", {variable: "by environment"}) == ("by environment", variable)
    assert told("work", {variable: ""}) == (chosen, "[profiles.work]")
    option = argparse.Namespace(**{name: "given"})
    assert told("work", {variable: "by environment"}) == ("given", "command line")


def test_who_names_another_kind_of_secret_takes_the_first_one_back(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("given")
    file = write('[defaults]\ntoken_file = "missing"\nsubscriber_code = "1"\nurl = "ws://x/y/websocket"\n')
    settings = resolved(said("--token-file", str(tmp_path / "token")), file, environ={"ANTCONF_TOTP_SECRET": "A"})
    options = joining(settings)
    assert (options.token, options.totp_secret, options.subscriber_code) == ("given", "A", "")
    assert wanted(file, "--token", "t", "--endpoint-url", "https://x/y").url == "https://x/y"


def test_a_secrets_file_lies_beside_the_configuration() -> None:
    file = write('[profiles.work]\ntoken_file = "work.token"\nsource = "~/clip.mp4"\n')
    (file.path.parent / "work.token").write_text("canary\n")
    exposed: list[str] = []
    options = joining(resolved(said("work"), file), exposed.append)
    assert options.token == "canary"
    assert exposed == [str(file.path.parent / "work.token")]
    assert options.source == os.path.expanduser("~/clip.mp4")


@pytest.mark.parametrize(
    ("text", "place", "fix"),
    [
        ("name = Kim", "at line 1, column 8", "texts stand in quotes"),
        ("[defaults\nname = 1", "at line 1", "toml.io"),
        ("a = " + "[" * 5000, "config.toml", "toml.io"),
        ("a = " + "9" * 5000, "limit (4300 digits)", "toml.io"),
        ("[keys." + ".".join("a" * 5000) + "]\nx = 1", "too deeply", "toml.io"),
        ("[profile.work]", "[profile]: there is no such table", "did you mean 'profiles'?"),
        ("profiles = 1", "profiles: must be a table", "[profiles]"),
        ("[profiles]\nwork = 1", "[profiles.work]: must be a table", "[profiles.NAME]"),
        ('[profiles."ws://x"]', "[profiles.ws://x]: is no name", "letters"),
        ('[defaults]\ntokenfile = "x"', "[defaults] tokenfile: there is no such option", "did you mean 'token_file'?"),
        ('[defaults]\nno-video = "x"', "[defaults] no-video", "did you mean"),
        ("[defaults]\naudio_bitrate = 5", "[defaults] audio_bitrate: '5' is not a number from 6 to 128", "--audio-b"),
        ("[defaults]\naudio_bitrate = 5.5", "[defaults] audio_bitrate: must be a text or a number", "--audio-bitrate"),
        ('[defaults]\nvideo = "yes"', "[defaults] video: must be true or false", "--video"),
        ("[defaults]\nname = true", "[defaults] name: must be a text", "--name"),
        ('[defaults]\nroom = ["a"]', "[defaults] room: must be a text", "--room"),
        ('[defaults]\nrequests = "x"', "[defaults] requests: invalid choice: 'x'", "--requests"),
        ('[profiles.a]\ntoken = "x"\ntoken_file = "y"', "not allowed with argument --token", "leave one of them out"),
        ("[screen]\nvideo = true", "[screen] video: there is no such option", "there are ascii, "),
        ('[keys]\n"room.mikrophone" = "f2"', "there is no binding 'room.mikrophone'", "'room.microphone'"),
        ('[keys]\n"room.microphone" = "v"', "'v' is set for", "another key"),
        ("[keys]\nroom.microphone = 2", "[keys] room.microphone: must be a text", '"room.microphone" = "f2"'),
        ('[profiles.a]\nurl = "example.org"', "[profiles.a]: the server URL 'example.org'", "example: wss://"),
        ('[profiles.a]\nroom = "a/b"', "[profiles.a]: the room 'a/b'", "letters"),
        ('[profiles.a]\ntoken_file = "gone"', "[profiles.a]: the token file", "gone"),
        ('[profiles.a]\nice_server = "http://x"', "[profiles.a]: the ICE server", "turn:host"),
    ],
)
def test_every_problem_names_file_place_and_fix(
    text: str, place: str, fix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = complaints(text)
    assert place in told
    assert fix in told
    assert str(path()) in told
    assert main(["config", "check"]) == 3
    assert place in capsys.readouterr().out


def test_all_problems_are_told_at_once_and_a_run_ends_with_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    text = '[defaults]\nnaem = "x"\nvideo = 1\n[keys]\nbogus = "a"\nother = "b"\n[profiles.a]\nroom = "a b"\n'
    assert len(complaints(text).splitlines()) == 5
    with pytest.raises(ConfigError, match="naem"):
        checked(read())
    assert main(["join", URL, "room1"]) == 3
    assert "naem" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"# nothing\r\n", b"\xef\xbb\xbf[defaults]\r\nname = 'Kim'\r\n"])
def test_other_editors_files_are_read(content: bytes) -> None:
    write("")
    path().write_bytes(content)
    assert read().problems == ()
    assert read().defaults == ({"name": "Kim"} if b"Kim" in content else {})


@pytest.mark.parametrize(
    ("content", "named"), [(b"# \xff\xfe", "byte 2 is not UTF-8"), (b"#" * (2 << 20), "too large")]
)
def test_a_file_that_is_none_is_a_problem_and_no_crash(content: bytes, named: str) -> None:
    write("")
    path().write_bytes(content)
    (problem,) = read().problems
    assert str(path()) in str(problem)
    assert named in str(problem)
    path().unlink()
    os.mkfifo(path())
    (problem,) = read().problems
    assert "not a regular file" in str(problem)


def test_secrets_that_others_may_read_are_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    (problem,) = write('[profiles.a]\ntoken = "canary"\n', 0o644).problems
    assert not problem.fatal
    assert "chmod 600" in problem.fix
    assert main(["config", "check"]) == 0
    assert "warning: " in capsys.readouterr().out
    assert write('[profiles.a]\ntoken = "canary"\n').problems == ()
    assert write('[profiles.a]\nname = "canary"\n', 0o644).problems == ()


def test_what_is_well_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    write(GOOD)
    assert main(["config", "check"]) == 0
    assert capsys.readouterr().out == "fine\n"


def test_show_names_each_value_and_its_origin_and_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = "".join(f'{name} = "canary-{name}"\n' for name in SECRETS - {"subscriber_code"})
    write(GOOD.replace("[profiles.home]", f"{secrets}[profiles.home]").replace(URL, URL + "?token=canary"))
    monkeypatch.setenv("ANTCONF_NAME", "Alice")
    choose(Choices(speaker="Headset", microphone="Webcam"))
    assert main(["config", "show", "work"]) == 0
    told = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in told.splitlines()}
    assert rows["name"][1:] == ["Alice", "ANTCONF_NAME"]
    assert rows["room"][1:] == ["daily", "[profiles.work]"]
    assert rows["url"][1] == URL
    assert rows["speaker"][1:] == ["Headset", "last", "time"]
    assert rows["mic"][1:] == ["3", "[defaults]"]
    assert rows["mouse"][1:] == ["false", "[screen]"]
    assert rows["dtx"][1:] == ["false", "default"]
    assert rows["audio_bitrate"][1:] == ["32", "default"]
    assert rows["token"][1:] == ["***", "[profiles.work]"]
    assert rows["keys.room.camera"][1:] == ["f3", "[keys]"]
    assert "canary" not in told


def test_the_layout_is_configured_or_that_of_the_last_time() -> None:
    def row() -> list[str]:
        return next(line.split()[1:] for line in report(read()) if line.startswith("layout"))

    assert row() == ["grid", "default"]
    layouts.remember(Layout.LIST)
    assert row() == ["list", "last", "time"]
    file = write('[screen]\nlayout = "speaker"\n')
    assert row() == ["speaker", "[screen]"]
    assert resolved(said(URL), file)["layout"].value == Layout.SPEAKER
    assert resolved(said(URL, "--layout", "list"), file)["layout"].value == Layout.LIST
    assert "layout" in complaints('[screen]\nlayout = "cube"\n')


def test_path_names_configuration_state_and_log(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "path"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in told] == ["config", "state", "log"]
    assert told[0].split()[1] == str(path())
    assert told[2].endswith("antconf.log")


def test_a_theme_that_there_is_not_is_told_with_the_nearest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = complaints('[screen]\ntheme = "drak"\n')
    assert "[screen] theme" in place
    assert "there is no theme 'drak'; did you mean 'dark'?" in place
    with pytest.raises(SystemExit) as ended:
        main(["join", URL, "room1", "--theme", "high"])
    assert ended.value.code == 2
    path().unlink()
    monkeypatch.setenv("ANTCONF_THEME", "lihgt")
    assert main(["join", URL, "room1"]) == 3
    assert "there is no theme 'lihgt'; did you mean 'light'?" in capsys.readouterr().err


def test_what_was_chosen_for_the_screen_is_as_on_the_command_line() -> None:
    file = checked(write('[screen]\ntheme = "light"\nlow_bandwidth = true\nbell = true\nnotify = "osc9"\n'))
    settings = resolved(said(URL), file)
    names = ("theme", "low_bandwidth", "bell", "notify")
    assert [settings[name].value for name in names] == ["light", True, True, "osc9"]
    settings = resolved(said(URL, "--theme=terminal", "--no-low-bandwidth", "--no-bell", "--notify=none"), file)
    assert [settings[name].value for name in names] == ["terminal", False, False, "none"]


def test_every_option_of_join_can_be_configured() -> None:
    join = arguments.commands(arguments.parser())["join"][1]
    names = {option.dest for option in arguments.options(join)} - {"help"}
    assert names | SECRETS == {option.dest for option in arguments.options(arguments.profile_parser())}
