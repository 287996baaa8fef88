"""The command line's grammar: every command and option, and nothing of what they do.

Used by the command line, by the configuration file (whose keys are the names of the options of ``join``), and by the
completion and the manual page, which are made from it. An option that is not given is ``None``: what it then is, the
configuration knows.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

from tui import themes
from tui.errors import ConfigError
from tui.streams import say
from tui.text import printable, with_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SHELLS = ("bash", "zsh", "fish")


def parser() -> argparse.ArgumentParser:
    """For the whole command line; ``command`` says which one was given."""
    parser = _Parser(
        prog="antconf",
        description="Be in an Ant Media Server video conference from a terminal.",
        epilog="Exit codes: 0 as asked, 1 defect, 2 usage, 3 configuration, 4 unreachable, 5 refused, 6 lost, "
        "7 device, 8 file, 129/130/131/143 hang-up, interrupt, quit, termination.",
    )
    parser.add_argument("--version", action=_Version, help="show this program's version and those of its libraries")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", required=True)

    demo = commands.add_parser("demo", help="a room with four participants on this machine, nothing to set up")
    demo.add_argument("--name", help="your name in the room")
    _add_media(demo)
    _add_screen(demo)

    join = commands.add_parser("join", help="join a room on a server; asks for what is not given")
    _add_place(join)
    _add_identity(join)
    _add_media(join)
    _add_screen(join)

    _add_serve(commands.add_parser("serve", help="the local room server alone"))

    events = commands.add_parser("events", help="no screen: every callback as a JSON line on stdout")
    _add_place(events)
    _add_identity(events)
    events.add_argument("--source", metavar="FILE|screen|test", help="publish this; otherwise only watch")
    events.add_argument("--text", action="store_true", help="lines for people; what is typed is said in the chat")

    devices = commands.add_parser("devices", help="sound outputs, microphones and cameras, and whether they work")
    devices.add_argument("--json", action="store_true", help="the list as JSON")
    devices.add_argument("--test", action="store_true", help="play a tone, and show how loud the microphone is")
    devices.add_argument("--speaker", default="", metavar="DEVICE", help="sound output to test, by name or number")
    devices.add_argument("--mic", default="", metavar="DEVICE", help="microphone to test, by name or number")

    doctor = commands.add_parser(
        "doctor",
        help="what works on this machine and on the way to a server, and what helps",
        epilog="Exit codes: 0 when sound can be heard, 7 when not; before that 4 when the named or configured server "
        "cannot be reached, and 3 when the configuration file cannot be used.",
    )
    doctor.add_argument("--json", action="store_true", help="the report as JSON")
    doctor.add_argument(
        "--server", metavar="URL|PROFILE", help="the server to try (default: the configured one, or that of last time)"
    )
    _add_ice(doctor)

    config = commands.add_parser("config", help="the configuration file: check it, or show what holds and why")
    asked = config.add_subparsers(metavar="WHAT", dest="what", required=True)
    asked.add_parser("check", help="every problem, where it is and what to do about it")
    show = asked.add_parser("show", help="every option's value and where it comes from")
    show.add_argument("profile", nargs="?", default="", metavar="PROFILE", help="as for 'antconf join PROFILE'")
    asked.add_parser("path", help="where configuration, state and log are")

    completion = commands.add_parser("completion", help="a script that lets a shell complete these commands")
    completion.add_argument("shell", choices=SHELLS, help="the shell to make it for")

    commands.add_parser("man", help="this program's manual page; antconf man | man -l -")
    return parser


def profile_parser() -> argparse.ArgumentParser:
    """For what a profile may say: the options of ``join``, and the secrets that the environment may hold.

    It raises `argparse.ArgumentError` and prints nothing.
    """
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False, add_help=False)
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--url")
    parser.add_argument("--room")
    _add_identity(parser, place)
    _add_media(parser)
    _add_screen(parser)
    parser.add_argument("--endpoint-token")
    return parser


def screen_parser() -> argparse.ArgumentParser:
    """The same for what is said about the screen."""
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False, add_help=False)
    _add_screen(parser)
    return parser


def options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """The arguments of a parser in their order, without its commands."""
    # There is no public way to list them; completion libraries go this one too.
    return [action for action in parser._actions if not isinstance(action, argparse._SubParsersAction)]


def commands(parser: argparse.ArgumentParser) -> Mapping[str, tuple[str, argparse.ArgumentParser]]:
    """The commands of a parser by name: what their help is, and their parser."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            return {name: (helps[name], command) for name, command in action.choices.items()}
    return {}


def given(arguments: argparse.Namespace) -> dict[str, object]:
    """What the command line says itself, by the names of the options."""
    return {name: value for name, value in vars(arguments).items() if value is not None}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with an argument without repeating what would harm a terminal."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message, 1000))


class _Version(argparse.Action):
    """Library versions cost time to find: only who asks pays."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:  # noqa: A002
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from tui.versions import summary

        say(summary())
        parser.exit()


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "url", nargs="?", metavar="URL|PROFILE", help="for example wss://host:5443/live/websocket, or a profile's name"
    )
    parser.add_argument("room", nargs="?", metavar="ROOM", help="the room's id")


def _add_identity(parser: argparse.ArgumentParser, place: argparse._MutuallyExclusiveGroup | None = None) -> None:
    """``place`` is given by a profile: what excludes ``endpoint_url``; a profile may hold secrets themselves, too."""
    parser.add_argument("--name", help="your name in the room")
    parser.add_argument("--stream-id", metavar="ID", help="your stream's id (default: random)")
    token = parser.add_mutually_exclusive_group()
    token.add_argument("--token", help="token for the room; others on this machine can see it here")
    token.add_argument("--token-file", metavar="FILE", help="file with the token (or set ANTCONF_TOKEN)")
    parser.add_argument(
        "--subscriber-id", metavar="ID", help="who you are to the server (or set ANTCONF_SUBSCRIBER_ID)"
    )
    code = parser.add_mutually_exclusive_group()
    code.add_argument("--subscriber-code", metavar="CODE", help="a code that was computed for you")
    code.add_argument(
        "--totp-secret-file",
        metavar="FILE",
        help="file with the secret that codes are computed from (or set ANTCONF_TOTP_SECRET)",
    )
    if place is not None:
        code.add_argument("--totp-secret")
    parser.add_argument("--totp-period", type=_seconds, metavar="SECONDS", help="how long a code lasts (default: 60)")
    _add_switch(parser, "--totp-unregistered", "the secret is the application's, not your own")
    (place or parser).add_argument(
        "--endpoint-url",
        metavar="URL",
        help="instead of URL: a cluster's http:// or https:// address that names the server "
        "(its access token: ANTCONF_ENDPOINT_TOKEN)",
    )
    _add_ice(parser, secrets=place is not None)
    parser.add_argument(
        "--requests",
        choices=["ask", "obey", "ignore"],
        help="what to do when somebody asks you to mute and the like (default: ask)",
    )


def _add_ice(parser: argparse.ArgumentParser, *, secrets: bool = False) -> None:
    parser.add_argument(
        "--ice-server",
        action="append",
        metavar="URI",
        help="stun:, turn: or turns: address to use instead of what the server names; may be repeated",
    )
    parser.add_argument(
        "--ice-username", metavar="NAME", help="user name at the TURN server (or set ANTCONF_ICE_USERNAME)"
    )
    credential = parser.add_mutually_exclusive_group()
    credential.add_argument(
        "--ice-credential-file", metavar="FILE", help="file with the password there (or set ANTCONF_ICE_CREDENTIAL)"
    )
    if secrets:
        credential.add_argument("--ice-credential")


def _add_media(parser: argparse.ArgumentParser) -> None:
    _add_switch(parser, "--play-only", "watch and listen only, until W takes part")
    _add_switch(parser, "--audio", "publish sound, or none")
    _add_switch(parser, "--video", "publish a picture, or none")
    parser.add_argument(
        "--camera",
        metavar="DEVICE",
        help="camera (default: the first one), 'screen', a media file, 'test': a test picture, 'none': black for now",
    )
    parser.add_argument("--mic", metavar="DEVICE", help="microphone by name or number, 'test': a tone, 'silence': none")
    parser.add_argument("--speaker", metavar="DEVICE", help="sound output by name or number, 'none': no sound")
    parser.add_argument(
        "--source",
        metavar="FILE|screen|test",
        help="publish a media file, or a test picture and tone, or show your screen (X display: 'screen::0')",
    )
    _add_switch(parser, "--once", "play that file once, not over and over")
    parser.add_argument(
        "--video-size",
        type=_size,
        metavar="WxH",
        help="of your picture at most (default: 320x180, of a screen 1280x720)",
    )
    parser.add_argument(
        "--video-fps", type=_rate, metavar="N", help="pictures a second, 1 to 30 (default: 15, of a screen 5)"
    )
    parser.add_argument(
        "--video-bitrate",
        type=_video_kilobits,
        metavar="KBIT",
        help="of your picture at most, 50 to 4000 kbit/s (default: 300, of a screen 800)",
    )
    parser.add_argument(
        "--audio-bitrate", type=_kilobits, metavar="KBIT", help="of your sound, 6 to 128 kbit/s (default: 32)"
    )
    _add_switch(parser, "--dtx", "send nearly nothing while you are silent")
    _add_switch(parser, "--echo-cancellation", "clean what the microphone hears where that is installed, or never")
    _add_switch(parser, "--low-latency", "less delay, and gaps on a busy machine")
    _add_switch(parser, "--require-audio", "do not join without a sound output")
    parser.add_argument(
        "--record-audio", metavar="FILE", help="record everything that is said: a new .wav or .ogg file"
    )


def _add_screen(parser: argparse.ArgumentParser) -> None:
    _add_switch(parser, "--ascii", "draw with ASCII characters only")
    parser.add_argument(
        "--glyphs",
        choices=["ascii", "half", "block", "sextant", "octant", "braille"],
        help="what pictures are made of (default: block)",
    )
    parser.add_argument(
        "--layout",
        choices=["grid", "speaker", "list"],
        help="how people are laid out at first: alike, who speaks large, or without pictures (default: as you left it)",
    )
    _add_switch(parser, "--synchronized", "show each update at once where the terminal knows how (DEC 2026), or never")
    _add_switch(parser, "--mouse", "use the mouse, or leave it to the terminal")
    parser.add_argument(
        "--theme",
        type=_theme,
        choices=themes.NAMES,
        help="the colours; 'terminal' has those of the terminal and its background (default: the last one, or dark)",
    )
    _add_switch(parser, "--low-bandwidth", "begin with sound first: few and small pictures, of who speaks alone")
    _add_switch(parser, "--bell", "ring when your name is said in the chat, a hand is raised or somebody joins")
    parser.add_argument(
        "--notify",
        choices=["osc9", "osc777", "none"],
        help="tell that on the desktop too, in the terminal's own way (default: none)",
    )


def _add_serve(serve: argparse.ArgumentParser) -> None:
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=_port, default=5080, help="0 takes a free one (default: %(default)s)")
    serve.add_argument("--app", default="live", help="application name in the URL (default: %(default)s)")
    serve.add_argument(
        "--allow-origin", action="append", default=[], metavar="ORIGIN", help="a web page's origin that may connect"
    )
    token = serve.add_mutually_exclusive_group()
    token.add_argument("--token", default="", help="let in whoever has this token; others on this machine can see it")
    token.add_argument("--token-file", default="", metavar="FILE", help="file with that token")
    token.add_argument("--open", action="store_true", help="let everybody in, also on other addresses than loopback")
    serve.add_argument("--jwt-secret-file", default="", metavar="FILE", help="let in whoever has a JWT of this secret")
    serve.add_argument(
        "--totp-secret-file", default="", metavar="FILE", help="let in subscribers with a code of this secret"
    )
    serve.add_argument(
        "--edition",
        choices=["enterprise", "community"],
        default="enterprise",
        help="answer as this edition of Ant Media Server (default: %(default)s)",
    )
    serve.add_argument(
        "--identity",
        choices=["slots", "streams"],
        default="slots",
        help="name tracks after slots, or as old servers after the participants (default: %(default)s)",
    )
    for kind in ("video", "audio"):
        serve.add_argument(
            f"--max-{kind}-tracks",
            type=_count,
            default=-1,
            metavar="N",
            help=f"{kind} slots of each viewer, for the loudest",
        )


def _add_switch(parser: argparse.ArgumentParser, option: str, help: str) -> None:  # noqa: A002
    """On, off (``--no-…``), or left to the configuration."""
    parser.add_argument(option, action=argparse.BooleanOptionalAction, help=help)


def _number(least: int, most: int, what: str = "number") -> Callable[[str], int]:
    def read(text: str) -> int:
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else -1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a {what} from {least} to {most}")
        return number

    return read


_count = _number(0, 9999)
_kilobits = _number(6, 128)
_video_kilobits = _number(50, 4000)
_rate = _number(1, 30)
_port = _number(0, 65535, "port")
_seconds = _number(10, 99999)
_width = _number(64, 1920)
_height = _number(36, 1080)


def _theme(text: str) -> str:
    try:
        return themes.checked(text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(with_hint(str(error), error.hint)) from error


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    try:
        # The codecs want both sides even.
        return _width(width) // 2 * 2, _height(height) // 2 * 2
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size from 64x36 to 1920x1080, like 640x360") from error
