"""What holds for this run: the command line before the environment, the configuration file, the last time, the rest.

Used by the command line. The file (`path`) is TOML; its keys are the names of the options of ``antconf join``::

    [defaults]                          # for every room
    name = "Kim"
    mic = "USB"

    [profiles.work]                     # antconf join work
    url = "wss://meet.example.org:5443/live/websocket"
    room = "daily"
    token_file = "work.token"           # beside this file
    video = false

    [screen]
    mouse = false

    [keys]
    "room.microphone" = "f2"

Each `Setting` knows where it came from. `read` finds every `Problem`; only `checked` raises.
"""

from __future__ import annotations

import argparse
import difflib
import os
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

import platformdirs

from tui import arguments, themes
from tui.config import (
    VARIABLES,
    JoinOptions,
    is_exposed,
    read_private,
    read_token,
    remembered,
    state_directory,
    validate,
)
from tui.core.events import OnRequest
from tui.errors import AntconfError, ConfigError, UsageError
from tui.invitation import from_address
from tui.logbook import log_file
from tui.text import printable, redacted_text, with_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

LIMIT: Final = 1 << 20
"""Bytes of a configuration file."""

COMMAND_LINE: Final = "command line"
LAST_TIME: Final = "last time"
DEFAULT: Final = "default"

SECRETS: Final = frozenset({"token", "subscriber_code", "totp_secret", "endpoint_token", "ice_credential"})

_ALTERNATIVES: Final = (
    ("url", "endpoint_url"),
    ("token", "token_file"),
    ("subscriber_code", "totp_secret", "totp_secret_file"),
    ("ice_credential", "ice_credential_file"),
)
"""Who says one of them has said that the others do not hold."""
_FIELDS: Final = {
    "mic": "microphone",
    "once": "source_once",
    "requests": "on_request",
    "ice_server": "ice_servers",
}
"""Options that the code calls by another name than the user."""
_FILES: Final = {
    "token_file": "token",
    "totp_secret_file": "totp_secret",
    "ice_credential_file": "ice_credential",
}
"""Files that hold a secret."""
_PATHS: Final = (*_FILES, "source", "camera", "record_audio")
_USUAL: Final = {
    "glyphs": "block",
    "layout": "grid",
    "mouse": True,
    "ascii": False,
    "totp_unregistered": False,
    "theme": themes.USUAL,
    "low_bandwidth": False,
    "bell": False,
    "notify": "none",
}
"""What no `JoinOptions` says."""
_ANYWHERE: Final = {"url": "ws://host/live/websocket", "room": "room"}
"""Where nobody goes: what a profile leaves open is not wrong."""
_PLACES: Final = frozenset(name for group in _ALTERNATIVES for name in group) | {"room", "stream_id", "subscriber_id"}
"""Options that belong to one place to go to."""
_TOML: Final = "texts stand in quotes; see https://toml.io"
_TABLES: Final = ("defaults", "keys", "profiles", "screen")


@dataclass(frozen=True, slots=True)
class Setting:
    """One option's value, by the option's name, and who says so."""

    value: Any = field(repr=False)
    origin: str = DEFAULT


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about the file; without ``fatal`` it can be lived with."""

    place: str
    text: str
    fix: str
    fatal: bool = True

    def __str__(self) -> str:
        return with_hint(f"{self.place}: {self.text}", self.fix)


@dataclass(frozen=True, slots=True)
class File:
    """What a configuration file says; where it is wrong, it says nothing but the problem."""

    path: Path
    defaults: Mapping[str, object] = field(default_factory=dict)
    screen: Mapping[str, object] = field(default_factory=dict)
    profiles: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    @property
    def layers(self) -> dict[str, Mapping[str, object]]:
        """What holds whichever profile is taken, by where it stands."""
        return {"[defaults]": self.defaults, "[screen]": self.screen}


def path() -> Path:
    """Where the configuration file is, or would be."""
    return platformdirs.user_config_path("antconf", appauthor=False) / "config.toml"


def read(file: Path | None = None) -> File:
    """The file as far as it can be used; without one, nothing is configured."""
    file = file or path()
    shown = printable(str(file), 400)
    if not os.path.lexists(file):
        return File(file)
    # Most people have no file: only who has one waits for this.
    import tomllib

    try:
        tables = tomllib.loads(read_private(str(file), "configuration file", LIMIT))
        return _Reader(file, shown).read(tables)
    except ConfigError as error:
        return File(file, problems=(Problem(shown, str(error), "see the README for an example"),))
    except RecursionError:
        return File(file, problems=(Problem(shown, "tables or lists stand in one another too deeply", _TOML),))
    except ValueError as error:  # of the parser's own kind, or of a number with thousands of digits
        return File(file, problems=(Problem(shown, printable(str(error)), _TOML),))


def checked(file: File) -> File:
    """The same file; raises `ConfigError` for its first problem."""
    for problem in file.problems:
        if problem.fatal:
            raise ConfigError(f"{problem.place}: {problem.text}", problem.fix)
    return file


def problems(file: File) -> list[Problem]:
    """Everything that is wrong, also what would show only when a profile or the keys are used."""
    from tui.bindings import checked_keymap

    found = list(file.problems)
    shown = printable(str(file.path), 400)
    known: dict[str, str] = {}
    for binding, key in file.keys.items():
        try:
            known |= checked_keymap({binding: key})
        except ConfigError as error:
            found.append(Problem(f"{shown}: [keys]", str(error), error.hint))
    try:
        checked_keymap(known)
    except ConfigError as error:
        found.append(Problem(f"{shown}: [keys]", str(error), error.hint))

    def note(secret: str) -> None:
        text = f"others on this machine can read {printable(secret)!r}"
        found.append(Problem(shown, text, "chmod 600 hides it", fatal=False))

    for name in file.profiles:
        try:
            settings = _layered({f"[profiles.{name}]": file.profiles[name]} | file.layers | {DEFAULT: _ANYWHERE})
            validate(joining(settings, note))
        except AntconfError as error:
            found.append(Problem(f"{shown}: [profiles.{name}]", str(error), error.hint))
    return found


def resolved(
    given: argparse.Namespace, file: File, *, profile: str = "", environ: Mapping[str, str] = os.environ
) -> dict[str, Setting]:
    """What holds for each option of this command, by the option's name; what nobody said is not there.

    Takes the name of a profile in place of a URL. Raises `UsageError` for a profile that is not there.
    """
    said = arguments.given(given)
    place = str(said.get("url", ""))
    if not profile and "endpoint_url" not in said and (place in file.profiles or _is_like_one(place, file.profiles)):
        profile = place
        del said["url"]
    if "endpoint_url" in said:
        if "room" in said:
            raise UsageError("a server's URL and --endpoint-url exclude each other")
        if "url" in said:
            said["room"] = said.pop("url")
    if profile and profile not in file.profiles:
        raise unknown_profile(profile, file)
    layers: dict[str, Mapping[str, object]] = {COMMAND_LINE: said}
    layers |= {variable: {name: environ[variable]} for name, variable in VARIABLES.items() if environ.get(variable)}
    if profile:
        layers[f"[profiles.{profile}]"] = file.profiles[profile]
    return _layered(layers | file.layers | {LAST_TIME: remembered() | themes.recall()}, {*vars(given), *VARIABLES})


def offered(
    given: argparse.Namespace, file: File, profile: str, *, environ: Mapping[str, str] = os.environ
) -> dict[str, Setting]:
    """The same for a profile that is chosen later: where to go and by which secrets is the profile's to say."""
    names = [option.dest for option in arguments.options(arguments.profile_parser())]
    said = {name: value for name, value in vars(given).items() if name in names and name not in _PLACES}
    return resolved(argparse.Namespace(**(dict.fromkeys(names) | said)), file, profile=profile, environ=environ)


def unknown_profile(name: str, file: File) -> UsageError:
    """The complaint, with the name that was perhaps meant."""
    near = difflib.get_close_matches(name, file.profiles, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"profiles are in {printable(str(file.path), 400)}"
    return UsageError(f"there is no profile {printable(name, 60)!r}", hint)


def joining(settings: Mapping[str, Setting], exposed: Callable[[str], None] = lambda path: None) -> JoinOptions:
    """The options to join by. Calls ``exposed`` for a secret's file that others may read; raises `ConfigError`."""
    known = {field.name for field in fields(JoinOptions)}
    wanted: dict[str, Any] = {}
    for name, setting in settings.items():
        value = setting.value
        if name in _FILES:
            wanted[_FILES[name]] = read_token(value)
            if is_exposed(value):
                exposed(value)
        elif name == "endpoint_url":
            wanted |= {"url": value, "is_endpoint": True}
        elif name == "totp_unregistered":
            wanted["totp_registered"] = not value
        elif name == "requests":
            wanted["on_request"] = OnRequest(value)
        elif name == "ice_server":
            wanted["ice_servers"] = tuple(value)
        elif (name := _FIELDS.get(name, name)) in known:
            wanted[name] = value
    return JoinOptions(**wanted)


def report(file: File, profile: str = "") -> list[str]:
    """Each option of ``join`` in a line: its name, its value with no secret in it, and where that comes from."""
    names = [option.dest for option in arguments.options(arguments.profile_parser())]
    settings = resolved(argparse.Namespace(**dict.fromkeys(names)), file, profile=profile)
    settings = {name: Setting(value, LAST_TIME) for name, value in _chosen().items()} | settings
    rows = [(name, *_row(name, settings)) for name in names]
    rows += [(f"keys.{name}", printable(key), "[keys]") for name, key in file.keys.items()]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return [f"{name:<{widths[0]}}  {value:<{min(widths[1], 48)}}  {origin}" for name, value, origin in rows]


def places(file: File) -> list[str]:
    """Where things are, or would be."""
    return [
        f"config  {file.path}" + ("" if os.path.lexists(file.path) else "  (not there)"),
        f"state   {state_directory()}",
        f"log     {log_file()}",
    ]


def _chosen() -> dict[str, str]:
    """The layout of the last time, and its devices: a call takes them as long as they are there."""
    from tui import layouts
    from tui.choices import recall

    last, layout = recall(), layouts.recall()
    chosen = {"layout": layout.value} if layout else {}
    return chosen | {
        name: device for name in ("speaker", "mic", "camera") if (device := getattr(last, _FIELDS.get(name, name)))
    }


def _row(name: str, settings: Mapping[str, Setting]) -> tuple[str, str]:
    setting = settings.get(name)
    if setting is None:
        usual = JoinOptions(stream_id="(random)", url="", room="")
        value = _USUAL.get(name, getattr(usual, _FIELDS.get(name, name), ""))
        return _as_text(value), DEFAULT
    return "***" if name in SECRETS else printable(redacted_text(_as_text(setting.value)), 200), setting.origin


def _as_text(value: object) -> str:
    match value:
        case None | "" | () | []:
            return "-"
        case bool():
            return str(value).lower()
        case [int(), int()]:
            return "x".join(map(str, value))
        case list() | tuple():
            return ", ".join(map(str, value))
    return str(value)


def _layered(layers: Mapping[str, Mapping[str, object]], names: Iterable[str] | None = None) -> dict[str, Setting]:
    """The first layer that says something about an option, or about what excludes it, has the word."""
    allowed = None if names is None else set(names)
    settings: dict[str, Setting] = {}
    for origin, whole in layers.items():
        layer = _apart(whole)
        settled = {name for group in _ALTERNATIVES if not settings.keys().isdisjoint(group) for name in group}
        settled |= settings.keys()
        settings |= {
            name: Setting(value, origin)
            for name, value in layer.items()
            if name not in settled and (allowed is None or name in allowed)
        }
    return settings


def _apart(layer: Mapping[str, object]) -> Mapping[str, object]:
    """The same with a URL that says more than the server taken apart; what the layer says itself holds.

    What cannot be taken apart stays as it is: `validate` says what is wrong with it.
    """
    if not isinstance(address := layer.get("url"), str):
        return layer
    try:
        invitation = from_address(address)
    except UsageError:
        return layer
    spoken = layer.keys() | {name for group in _ALTERNATIVES if not layer.keys().isdisjoint(group) for name in group}
    more = {name: value for name, value in invitation.said.items() if name not in spoken}
    return {**layer, **more, "url": invitation.url}


class _Reader:
    """Turns the tables of a file into what they say, and notes what is wrong with them."""

    def __init__(self, file: Path, shown: str) -> None:
        self._file = file
        self._shown = shown
        self._problems: list[Problem] = []

    def read(self, tables: Mapping[str, Any]) -> File:
        for name in tables:
            if name not in _TABLES:
                self._complain(f"[{name}]", "there is no such table", _near(name, _TABLES))
        profile, screen = arguments.profile_parser(), arguments.screen_parser()
        profiles = {
            name: self._options(f"profiles.{printable(name, 60)}", table, profile)
            for name, table in self._table(tables, "profiles").items()
            if self._is_profile(name, table)
        }
        file = File(
            self._file,
            self._options("defaults", self._table(tables, "defaults"), profile),
            self._options("screen", self._table(tables, "screen"), screen),
            profiles,
            self._keys(self._table(tables, "keys")),
        )
        said = (file.defaults, *profiles.values())
        if any(SECRETS & table.keys() for table in said) and is_exposed(str(self._file)):
            text = "others on this machine can read the secrets in it"
            self._problems.append(Problem(self._shown, text, "chmod 600 hides it", fatal=False))
        return File(self._file, file.defaults, file.screen, profiles, file.keys, tuple(self._problems))

    def _table(self, tables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        table = tables.get(name, {})
        if isinstance(table, dict):
            return table
        self._complain(name, "must be a table", f"write [{name}] on a line of its own")
        return {}

    def _is_profile(self, name: str, table: object) -> bool:
        place = f"[profiles.{printable(name, 60)}]"
        if not isinstance(table, dict):
            self._complain(place, "must be a table", "write [profiles.NAME], and the options below it")
        elif not name or "://" in name or not name.isprintable():
            self._complain(place, "is no name for a profile", "letters and digits make a good one")
        else:
            return True
        return False

    def _keys(self, table: Mapping[str, Any]) -> dict[str, str]:
        keys: dict[str, str] = {}
        for name, key in _flat(table).items():
            if isinstance(key, str):
                keys[name] = key
            else:
                self._complain(
                    f"[keys] {printable(name, 60)}", "must be a text", 'for example "room.microphone" = "f2"'
                )
        return keys

    def _options(self, place: str, table: Mapping[str, Any], parser: argparse.ArgumentParser) -> dict[str, object]:
        """The values that can be used, read by the same rules as on the command line."""
        known = {option.dest: option for option in arguments.options(parser)}
        words: list[str] = []
        for name, value in table.items():
            where = f"[{place}] {printable(name, 60)}"
            if name not in known:
                self._complain(where, "there is no such option", _near(name, known))
                continue
            try:
                said = _words(known[name], self._placed(name, value))
                parser.parse_args(said)
                words += said
            except (ValueError, argparse.ArgumentError) as error:
                text = getattr(error, "message", "") or str(error)
                self._complain(where, printable(text), f"antconf join --help describes --{name.replace('_', '-')}")
        try:
            return arguments.given(parser.parse_args(words))
        except argparse.ArgumentError as error:
            self._complain(f"[{place}]", f"{error.argument_name} is {error.message}", "leave one of them out")
            return {}

    def _placed(self, name: str, value: object) -> object:
        """No shell stands up for ``~`` here; and a secret's file lies beside this one."""
        if name not in _PATHS or not isinstance(value, str):
            return value
        expanded = os.path.expanduser(value)
        return str(self._file.parent / expanded) if name in _FILES and expanded else expanded

    def _complain(self, where: str, text: str, fix: str) -> None:
        self._problems.append(Problem(f"{self._shown}: {where}", text, fix))


def _words(option: argparse.Action, value: object) -> list[str]:
    """The same on the command line. Raises `ValueError` for what cannot be said there."""
    name, *others = option.option_strings
    if isinstance(option, argparse.BooleanOptionalAction):
        if not isinstance(value, bool):
            raise ValueError("must be true or false")
        return [name if value else others[0]]
    # `append` is the one whose option may be repeated.
    values = value if isinstance(value, list) and isinstance(option, argparse._AppendAction) else [value]
    if any(isinstance(one, bool) or not isinstance(one, str | int) for one in values):
        raise ValueError("must be a text or a number")
    return [f"{name}={one}" for one in values]


def _is_like_one(name: str, profiles: Iterable[str]) -> bool:
    return "://" not in name and bool(difflib.get_close_matches(name, profiles, n=1))


def _near(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name.replace("-", "_"), names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"


def _flat(table: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """``room.microphone = …`` without quotes is a table in a table to TOML, and means the same here."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {before + name: value}
    return flat
