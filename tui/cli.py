"""The command line: ``antconf join | demo | serve | events``.

Every failure that a user can cause ends here as one line on stderr and the exit code of `tui.errors`. Textual and
the media libraries are imported by the command that needs them, so that ``--help`` and ``--version`` are instant.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import logging.handlers
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from tui import __version__
from tui.errors import AntconfError, ExitCode
from tui.text import printable, with_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tui.call import Call
    from tui.config import JoinOptions
    from tui.media.board import Board
    from tui.session import CallEvent

LOG_BYTES = 5 << 20
LOG_FILES = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except AntconfError as error:
        _complain(error)
        return int(error.exit_code)
    except KeyboardInterrupt:
        return int(ExitCode.SIGINT)
    except Exception as error:
        logging.getLogger(__name__).exception("internal error")
        _complain(AntconfError(f"internal error ({type(error).__name__}: {error})"))
        return int(ExitCode.INTERNAL)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="antconf",
        description="Be in an Ant Media Server video conference from a terminal.",
        epilog="Exit codes: 0 as asked, 1 defect, 2 usage, 3 configuration, 4 unreachable, 5 refused, 6 lost, "
        "7 device, 8 file, 129/130/143 hang-up, interrupt, termination.",
    )
    parser.add_argument("--version", action="version", version=f"antconf {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    demo = commands.add_parser("demo", help="a room with four participants on this machine, nothing to set up")
    demo.add_argument("--name", default="", help="your name in the room")
    _add_media(demo)
    _add_screen(demo)
    demo.set_defaults(run=_demo)

    join = commands.add_parser("join", help="join a room on a server; asks for what is not given")
    join.add_argument("url", nargs="?", default="", metavar="URL", help="for example wss://host:5443/live/websocket")
    join.add_argument("room", nargs="?", default="", metavar="ROOM", help="the room's id")
    _add_identity(join)
    _add_media(join)
    _add_screen(join)
    join.set_defaults(run=_join)

    serve = commands.add_parser("serve", help="the local room server alone")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=_port, default=5080, help="0 takes a free one (default: %(default)s)")
    serve.add_argument("--app", default="live", help="application name in the URL (default: %(default)s)")
    serve.add_argument(
        "--allow-origin", action="append", default=[], metavar="ORIGIN", help="a web page's origin that may connect"
    )
    serve.set_defaults(run=_serve)

    events = commands.add_parser("events", help="no screen: every callback as a JSON line on stdout")
    events.add_argument("url", metavar="URL")
    events.add_argument("room", metavar="ROOM")
    _add_identity(events)
    events.add_argument("--source", default="", metavar="FILE|test", help="publish this; otherwise only watch")
    events.set_defaults(run=_events)
    return parser


def _add_identity(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default="", help="your name in the room")
    parser.add_argument("--stream-id", default="", metavar="ID", help="your stream's id (default: random)")
    token = parser.add_mutually_exclusive_group()
    token.add_argument("--token", default="", help="token for the room; others on this machine can see it here")
    token.add_argument("--token-file", default="", metavar="FILE", help="file with the token (or set ANTCONF_TOKEN)")


def _add_media(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--play-only", action="store_true", help="watch and listen only")
    parser.add_argument("--no-audio", action="store_true", help="publish no sound")
    parser.add_argument("--no-video", action="store_true", help="publish no picture")
    parser.add_argument(
        "--camera", default="", metavar="DEVICE", help="camera (default: the first one), 'test': a test picture"
    )
    parser.add_argument("--mic", default="", metavar="DEVICE", help="microphone by name or number")
    parser.add_argument(
        "--source", default="", metavar="FILE|test", help="publish a media file or a test picture and tone instead"
    )


def _add_screen(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return number


# -- commands ----------------------------------------------------------------------------------------


def _join(arguments: argparse.Namespace) -> int:
    from tui.config import with_environment, with_remembered

    options = with_environment(_options(arguments, **_media(arguments)))
    if options.url and options.room:
        return _run_app(arguments, options)
    return _run_app(arguments, with_remembered(options), ask=True)


def _demo(arguments: argparse.Namespace) -> int:
    from tui.config import JoinOptions
    from tui.demo import ROOM, DemoRoom
    from tui.terminal import default_log_file, surface

    surface()
    with DemoRoom(default_log_file()) as room:
        # Meanwhile the room starts.
        import tui.app  # noqa: F401
        from tui.media.devices import list_cameras

        media = _media(arguments)
        if not (media["camera"] or list_cameras()):
            # Without a camera one would not see oneself.
            media["camera"] = "test"
        name = arguments.name or os.environ.get("USER", "me")
        return _run_app(arguments, JoinOptions(url=room.url(), room=ROOM, name=name, **media))


def _events(arguments: argparse.Namespace) -> int:
    from tui import headless
    from tui.config import validate, with_environment

    options = with_environment(_options(arguments, source=arguments.source, play_only=not arguments.source))
    validate(options)
    return headless.run(options)


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
    async with RoomServer(
        arguments.host, arguments.port, arguments.app, allowed_origins=arguments.allow_origin
    ) as server:
        print(server.url, flush=True)  # noqa: T201
        return int(await ended)


# -- what commands share -----------------------------------------------------------------------------


def _options(arguments: argparse.Namespace, **media: Any) -> JoinOptions:
    from tui.config import JoinOptions, random_stream_id, read_token

    return JoinOptions(
        url=arguments.url,
        room=arguments.room,
        name=arguments.name,
        stream_id=arguments.stream_id or random_stream_id(),
        token=read_token(arguments.token_file) if arguments.token_file else arguments.token,
        **media,
    )


def _media(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "play_only": arguments.play_only,
        "audio": not arguments.no_audio,
        "video": not arguments.no_video,
        "camera": arguments.camera,
        "microphone": arguments.mic,
        "source": arguments.source,
    }


def _run_app(arguments: argparse.Namespace, options: JoinOptions, *, ask: bool = False) -> int:
    from tui.config import remember, validate
    from tui.media.cells import Glyphs, Look
    from tui.terminal import default_log_file, run_app, surface

    if not ask:
        validate(options)
    shown = surface()
    log_file = default_log_file()
    _log_to(log_file)
    from tui.app import ConferenceApp

    def call(options: JoinOptions, emit: Callable[[CallEvent], None], board: Board) -> Call:
        # On the core's thread, after the first screen: the media libraries take half a second.
        from tui.call import Call

        return Call(options, emit, board)

    app = ConferenceApp(
        options,
        call,
        Look(Glyphs.ASCII, shown.look.depth) if arguments.ascii else shown.look,
        ask=ask,
        ascii_only=shown.ascii_only or arguments.ascii,
        no_color=shown.no_color,
        validate=validate,
        remember=remember,
    )
    return run_app(app, log_file=log_file, mouse=not arguments.no_mouse)


def _log_to(path: Path) -> None:
    """The program's own log: bounded, private, and cleaned of what would harm a terminal that shows it."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES - 1)
        path.chmod(0o600)
        handler.setFormatter(_Cleaned("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger().addHandler(handler)
        logging.getLogger().setLevel(logging.WARNING)


class _Cleaned(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(printable(line, 2000) for line in super().format(record).split("\n"))


def _complain(error: AntconfError) -> None:
    print(f"antconf: {with_hint(str(error), error.hint)}", file=sys.stderr)  # noqa: T201
