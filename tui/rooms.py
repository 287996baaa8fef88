"""Rooms to choose from: those of late, and the profiles of the configuration file.

Used by the join screen, which shows them in one list, and by the command line, which knows the profiles.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Final

from tui import config
from tui.config import bare, is_made_up, keep, kept_rows
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.config import JoinOptions
    from tui.invitation import Invitation

MOST: Final = 10
"""Rooms of late that are kept."""

_FILE: Final = "rooms.json"
_LONGEST: Final = 2048


@dataclass(frozen=True, slots=True)
class Recent:
    """A room that was joined, and by which name; no secret is in it."""

    url: str
    room: str
    name: str = ""
    stream_id: str = ""
    """Empty when it was made up."""

    def options(self, options: JoinOptions) -> JoinOptions:
        """The same options for this room."""
        name, stream_id = self.name or options.name, self.stream_id or options.stream_id
        return replace(at(options, self.url), room=self.room, name=name, stream_id=stream_id)


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile of the configuration file, as far as it can be shown; ``options`` may raise `AntconfError`."""

    name: str
    options: Callable[[], JoinOptions] = field(repr=False, compare=False)
    url: str = ""
    room: str = ""


def recents() -> tuple[Recent, ...]:
    """The newest first; none when that cannot be read."""
    rows = kept_rows(_FILE, [field.name for field in fields(Recent)])
    whole = [row for row in rows if row.get("url") and row.get("room")]
    return tuple(Recent(**{name: printable(value, _LONGEST) for name, value in row.items()}) for row in whole[:MOST])


def remember(options: JoinOptions) -> None:
    """Keep where one is now for the next time; failing to keep it is no error."""
    config.remember(options)
    if options.is_endpoint:
        # Its URL may be a secret, and is not where the room is.
        return
    stream_id = "" if is_made_up(options.stream_id) else options.stream_id
    newest = Recent(bare(options.url), options.room, options.name, stream_id)
    _keep(newest, *(one for one in recents() if (one.url, one.room) != (newest.url, newest.room)))


def forget(recent: Recent) -> None:
    """Keep it no longer."""
    _keep(*(one for one in recents() if one != recent))


def invited(options: JoinOptions, invitation: Invitation) -> JoinOptions:
    """The same options for what somebody was sent."""
    return replace(at(options, invitation.url), **invitation.said)  # type: ignore[arg-type]


def at(options: JoinOptions, url: str) -> JoinOptions:
    """The same options for another URL: what was a secret between us and one server stays there."""
    if options.url and _origin(url) == _origin(options.url) and not options.is_endpoint:
        return replace(options, url=url)
    stays = options if not options.url else replace(options, token="", subscriber_code="", totp_secret="")
    return replace(stays, url=url, is_endpoint=False, endpoint_token="")


def _origin(url: str) -> list[str]:
    return url.split("/", 3)[:3]


def _keep(*rooms: Recent) -> None:
    keep(_FILE, [asdict(one) for one in rooms[:MOST]])
