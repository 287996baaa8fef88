"""The command line: ``antconf join | demo | serve | events | devices | doctor | config | completion | man``.

Every failure that a user can cause ends here as one line on stderr and the exit code of `tui.errors`. Textual and
the media libraries are imported by the command that needs them, so that ``--help`` and ``--version`` are instant.
What can be said on the command line is in `tui.arguments`, what then holds in `tui.settings`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

from tui.arguments import parser
from tui.errors import AntconfError, ConfigError, ExitCode, UsageError
from tui.streams import say, stand_in, tell
from tui.text import printable, redacted_text, with_hint

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from tui.call import Call
    from tui.config import JoinOptions
    from tui.demo import Demo
    from tui.logbook import Logbook
    from tui.media.board import Board
    from tui.rooms import Profile
    from tui.server.options import Options
    from tui.session import CallEvent
    from tui.settings import File, Setting


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    stand_in()
    try:
        options = parser().parse_args(arguments)
        return int(_COMMANDS[options.command](options))
    except AntconfError as error:
        _complain(error)
        return int(error.exit_code)
    except KeyboardInterrupt:
        return int(ExitCode.SIGINT)
    except Exception as error:
        what = printable(redacted_text(f"{type(error).__name__}: {error}"), 120)
        _complain(AntconfError(f"internal error ({what})", _reported(error)))
        return int(ExitCode.INTERNAL)


def _join(arguments: argparse.Namespace) -> int:
    from tui.demo import Demo
    from tui.logbook import Logbook, log_file
    from tui.settings import DEFAULT, LAST_TIME, Setting

    file, settings = _configured(arguments)
    options = _options(settings)
    # What was true the last time is a proposal.
    places = [settings.get(name, Setting("")) for name in ("endpoint_url" if options.is_endpoint else "url", "room")]
    with Logbook(log_file()) as log, Demo(log.noise, options) as demo:
        ask = any(place.origin in (DEFAULT, LAST_TIME) for place in places)
        return _run_app(arguments, settings, options, file, log, demo, ask=ask)


def _demo(arguments: argparse.Namespace) -> int:
    from tui.demo import Demo
    from tui.logbook import Logbook, log_file
    from tui.terminal import surface

    file, settings = _configured(arguments)
    options = _options(settings)
    surface()
    with Logbook(log_file()) as log, Demo(log.noise, options) as demo:
        demo.begin()
        # Meanwhile the room starts.
        import tui.app  # noqa: F401

        return _run_app(arguments, settings, demo.options(), file, log, demo)


def _events(arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from tui import headless
    from tui.config import screen_of, validate

    _file, settings = _configured(arguments)
    # What is configured to be published belongs to the screen.
    source = arguments.source or ""
    # Whoever shows a screen from a script does not expect a microphone with it.
    audio = screen_of(source) is None
    options = replace(_options(settings), source=source, play_only=not source, audio=audio)
    if not (options.url and options.room):
        raise UsageError("the server's URL and the room are needed", "antconf events URL ROOM")
    validate(options)
    _warn_of_token(options)
    return headless.run(options, arguments.text)


def _devices(arguments: argparse.Namespace) -> int:
    from tui import soundcheck

    if (arguments.speaker or arguments.mic) and not arguments.test:
        raise UsageError("--speaker and --mic name what --test tries", "add --test")
    return soundcheck.run(
        as_json=arguments.json, test=arguments.test, speaker=arguments.speaker, microphone=arguments.mic
    )


def _doctor(arguments: argparse.Namespace) -> int:
    from tui.doctor import report
    from tui.doctor.machine import Machine, aimed

    return report.run(arguments.json, Machine(aim=aimed(arguments)))


def _config(arguments: argparse.Namespace) -> int:
    from tui import settings

    file = settings.read()
    match arguments.what:
        case "check":
            found = settings.problems(file)
            lines = [f"{'' if problem.fatal else 'warning: '}{problem}" for problem in found] or ["fine"]
            code = ExitCode.CONFIG if any(problem.fatal for problem in found) else ExitCode.OK
        case "show":
            lines, code = settings.report(settings.checked(file), arguments.profile), ExitCode.OK
        case _:
            lines, code = settings.places(file), ExitCode.OK
    _say(lines)
    return code


def _completion(arguments: argparse.Namespace) -> int:
    from tui.manual import completion

    _say([completion(arguments.shell)])
    return ExitCode.OK


def _man(arguments: argparse.Namespace) -> int:
    from tui.manual import page

    _say([page()])
    return ExitCode.OK


def _serve(arguments: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.WARNING, format="antconf: %(message)s")
    return asyncio.run(_serve_until_signal(arguments))


async def _serve_until_signal(arguments: argparse.Namespace) -> int:
    from tui.server.signaling import RoomServer

    ended = asyncio.get_running_loop().create_future()

    def end(code: ExitCode) -> None:
        if not ended.done():
            ended.set_result(code)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, end, ExitCode[number.name])
    options = _server_options(arguments)
    async with RoomServer(arguments.host, arguments.port, arguments.app, arguments.allow_origin, options) as server:
        if server.urls and options.open:
            _warn("everybody in the network can come in")
        shown = " --token-file FILE" if options.secrets.token else ""
        joins = [f"antconf join {url} ROOM{shown}" for url in server.urls]
        _say([server.url, *joins])
        return int(await ended)


def _server_options(arguments: argparse.Namespace) -> Options:
    from tui.config import read_token
    from tui.server.access import Secrets
    from tui.server.options import Edition, Options
    from tui.server.slots import Labels, Limits

    files = {"token": arguments.token_file, "jwt": arguments.jwt_secret_file, "totp": arguments.totp_secret_file}
    secrets = {"token": arguments.token} | {name: read_token(path) for name, path in files.items() if path}
    if arguments.edition == "community" and any(secrets.values()):
        raise UsageError("the Community Edition knows no tokens", "leave --edition or the token out")
    return Options(
        edition=Edition(arguments.edition),
        labels=Labels.STREAM if arguments.identity == "streams" else Labels.SLOT,
        secrets=Secrets(**secrets),
        open=arguments.open,
        limits=Limits(video=arguments.max_video_tracks, audio=arguments.max_audio_tracks),
    )


_COMMANDS: Final = {
    "join": _join,
    "demo": _demo,
    "serve": _serve,
    "events": _events,
    "devices": _devices,
    "doctor": _doctor,
    "config": _config,
    "completion": _completion,
    "man": _man,
}


# -- what commands share -----------------------------------------------------------------------------


def _configured(arguments: argparse.Namespace) -> tuple[File, Mapping[str, Setting]]:
    """The configuration file, and what holds with it; raises `ConfigError` when the file cannot be used."""
    from tui.settings import COMMAND_LINE, checked, read, resolved

    file = checked(read())
    for problem in file.problems:
        _warn(str(problem))
    settings = resolved(arguments, file)
    if "token" in settings and settings["token"].origin == COMMAND_LINE:
        _warn("others on this machine can see a token that is given with --token or in a URL; --token-file hides it")
    return file, settings


def _options(settings: Mapping[str, Setting]) -> JoinOptions:
    from tui.settings import joining

    def exposed(path: str) -> None:
        _warn(f"others on this machine can read {printable(path)!r}; chmod 600 hides it")

    return joining(settings, exposed)


def _warn_of_token(options: JoinOptions) -> None:
    """Say beforehand what a token says about itself; the server decides all the same."""
    text, hint = options.credentials.fault(options.room, publishes=not options.play_only)
    if text:
        _warn(with_hint(text, hint))


def _run_app(
    arguments: argparse.Namespace,
    settings: Mapping[str, Setting],
    options: JoinOptions,
    file: File,
    log: Logbook,
    demo: Demo,
    *,
    ask: bool = False,
) -> int:
    from tui import rooms
    from tui.alarm import Alarm, Desktop
    from tui.config import validate
    from tui.layouts import Layout
    from tui.media.cells import Glyphs
    from tui.terminal import run_app, surface
    from tui.themes import USUAL, checked

    if not ask:
        validate(options)
        _warn_of_token(options)
    if options.record_audio:
        from tui.media.recording import check

        check(options.record_audio)
    wanted = {name: setting.value for name, setting in settings.items()}
    theme = checked(str(wanted.get("theme", USUAL)))
    ascii_only = bool(wanted.get("ascii"))
    glyphs = Glyphs.ASCII if ascii_only else Glyphs(wanted["glyphs"]) if "glyphs" in wanted else None
    shown = surface(glyphs=glyphs)
    log.hide(options.secrets)
    if not log.is_written:
        _warn(f"nothing is kept and logged: {printable(str(log.path), 400)} cannot be written")
    from tui.app import ConferenceApp

    def call(options: JoinOptions, emit: Callable[[CallEvent], None], board: Board) -> Call:
        # On the core's thread, after the first screen: the media libraries take half a second.
        from tui.call import Call

        log.hide(options.secrets)
        return Call(options, emit, board)

    def remember(options: JoinOptions) -> None:
        if options.url != demo.url:
            rooms.remember(options)

    try:
        app = ConferenceApp(
            options,
            call,
            shown.look,
            ask=ask,
            ascii_only=shown.ascii_only or ascii_only,
            no_color=shown.no_color,
            synchronized=wanted.get("synchronized", True),
            validate=validate,
            remember=remember,
            keymap=file.keys,
            profiles=_profiles(arguments, file),
            demo=demo.options,
            layout=Layout(wanted["layout"]) if "layout" in wanted else None,
            theme=theme,
            low_bandwidth=bool(wanted.get("low_bandwidth")),
            alarm=Alarm(bool(wanted.get("bell")), Desktop(wanted.get("notify", Desktop.NONE))),
        )
    except ConfigError as error:
        raise ConfigError(f"{printable(str(file.path), 400)}: {error}", error.hint) from error
    return run_app(app, log, mouse=wanted.get("mouse", True))


def _profiles(arguments: argparse.Namespace, file: File) -> list[Profile]:
    """Those of the file, to be chosen later; what a secret's file says is read only then."""
    from tui.rooms import Profile
    from tui.settings import Setting, joining, offered

    def one(name: str) -> Profile:
        settings = offered(arguments, file, name)
        url, room = (str(settings.get(option, Setting("")).value) for option in ("url", "room"))
        return Profile(name, lambda: joining(settings), url, room)

    return [one(name) for name in file.profiles]


def _say(lines: Sequence[str]) -> None:
    say("\n".join(lines))


def _warn(text: str) -> None:
    red = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    tell(f"\x1b[31mantconf: {text}\x1b[0m" if red else f"antconf: {text}")


def _complain(error: AntconfError) -> None:
    tell(f"antconf: {with_hint(str(error), error.hint)}")


def _reported(error: Exception) -> str:
    """Keep a defect's traceback in the log; where it is."""
    from tui.logbook import Logbook, log_file

    with Logbook(log_file()) as log:
        log.keep(error)
        return f"details are in {printable(str(log.path), 400)}" if log.is_written else ""
