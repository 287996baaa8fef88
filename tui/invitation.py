"""What somebody was sent to join by, taken apart: a server's URL, a conference page's address, a line to type.

Used by the join screen for what is pasted and by the settings for every URL. Pure, and cheap to import. A page's
address means what Ant Media's conference application makes of it: ``https://HOST:PORT/APP/ROOM`` is the room ROOM at
``wss://HOST:PORT/APP/websocket``, and its parameters say the rest. What comes out is taken apart, not checked:
`tui.config.validate` has the rules.
"""

from __future__ import annotations

import argparse
import re
import shlex
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from tui import arguments
from tui.core.address import check_url
from tui.errors import UsageError
from tui.text import printable, redacted_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LIMIT: Final = 16 << 10
"""Characters of a text that are looked at."""

_EXAMPLE: Final = "example: wss://host:5443/live/websocket or https://host:5443/live/room1"
_SCHEMES: Final = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
_NAMES: Final = {
    "room": ("room", "roomName", "roomId"),
    "name": ("streamName", "name"),
    "stream_id": ("streamId",),
    "token": ("token", "publishToken", "tokenPublish", "playToken", "tokenPlay"),
    "subscriber_id": ("subscriberId",),
    "subscriber_code": ("subscriberCode",),
    "play_only": ("playOnly",),
}
"""What the parameters of an address are called, the one that counts first."""
_KNOWN: Final = frozenset(name for names in _NAMES.values() for name in names)
_SERVERS_OWN: Final = ("target", "rtmpForward")
_MOST_PARAMETERS: Final = 64
_OWN_PORTS: Final = (5080, 5443)
"""Of Ant Media Server itself, where nothing but applications is at the root."""
_PLACEHOLDER: Final = "ROOM"
_ADDRESS: Final = re.compile(r"\b(?:wss?|https?)://[^\s<>\"'`]+", re.IGNORECASE)
_AFTER: Final = ".,;:!?)]}\N{RIGHT SINGLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}»"
_LINE: Final = re.compile(r"\bantconf\s+(?:join|events)\s+(.+)")
_WORDS: Final = {
    "room": "room {}",
    "name": "name {}",
    "stream_id": "stream id {}",
    "token": "a token",
    "subscriber_id": "subscriber {}",
    "subscriber_code": "a code",
    "play_only": "watch only",
}


@dataclass(frozen=True, slots=True)
class Invitation:
    """What was understood; empty is what was not said. The names are those of the options of ``join``."""

    url: str
    room: str = ""
    name: str = ""
    stream_id: str = ""
    token: str = field(default="", repr=False)
    subscriber_id: str = ""
    subscriber_code: str = field(default="", repr=False)
    play_only: bool = False
    left_out: tuple[str, ...] = ()
    """Options of a line that are not taken from others, by name."""

    @property
    def said(self) -> dict[str, str | bool]:
        """Everything but the server that was said, by the options' names."""
        return {name: value for name in _WORDS if (value := getattr(self, name))}

    def __str__(self) -> str:
        """What was understood, in one line without secrets."""
        said = [_WORDS[name].format(printable(str(value), 60)) for name, value in self.said.items()]
        left_out = [f"{option} left out" for option in self.left_out]
        return ", ".join([f"server {printable(redacted_text(self.url), 120)}", *said, *left_out])


def is_one(text: str) -> bool:
    """Whether it is worth taking apart: there is an address in it."""
    return _ADDRESS.search(text[:LIMIT]) is not None


def read(text: str) -> Invitation:
    """What a text asks to join: the first line that names a room, else the first that names a server.

    Raises `UsageError` that says what is wrong, or missing.
    """
    found: list[Invitation] = []
    refused: UsageError | None = None
    for words in _candidates(text[:LIMIT]):
        try:
            found.append(_from_words(words))
        except UsageError as error:
            refused = refused or error
    for one in found:
        if one.room:
            return one
    if found:
        return found[0]
    raise refused or UsageError("there is no address in it", _EXAMPLE)


def from_address(address: str) -> Invitation:
    """The same for one address alone. Raises `UsageError`."""
    scheme, colon, rest = address.partition("://")
    if not colon or scheme.lower() not in _SCHEMES:
        # It has the words for everything that is wrong.
        return Invitation(check_url(address))
    parts = urlsplit(check_url(f"{_SCHEMES[scheme.lower()]}://{rest}"))
    route, _, of_route = parts.fragment.partition("?") if parts.fragment.startswith(("/", "!/")) else ("", "", "")
    try:
        said = [
            pair
            for query in (parts.query, of_route)
            for pair in parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
        ]
    except ValueError as error:
        raise UsageError(f"the address has more than {_MOST_PARAMETERS} parameters", _EXAMPLE) from error
    path, room = parts.path, ""
    is_page = scheme.lower().startswith("http") and not path.endswith("/websocket")
    if is_page:
        path, room = _of_page(parts, route)
        said = [pair for pair in said if pair[0] in (*_KNOWN, *_SERVERS_OWN)]
    values = {option: _value(said, names) for option, names in _NAMES.items()}
    kept = [pair for pair in said if pair[0] not in _KNOWN]
    # What is only encoded in another way is left as it was.
    query = parts.query if len(kept) == len(said) and not is_page else urlencode(kept)
    room = values["room"] or room
    if is_page and path == "/websocket" and not room:
        raise UsageError(f"{printable(parts.netloc, 80)} is an address without an application and a room", _EXAMPLE)
    return _seen(
        Invitation(
            urlunsplit((parts.scheme, parts.netloc, path, query, "")),
            room,
            values["name"],
            values["stream_id"],
            values["token"],
            values["subscriber_id"],
            values["subscriber_code"],
            values["play_only"].lower() == "true",
        )
    )


def _seen(invitation: Invitation) -> Invitation:
    """The same, when everything in it can be seen."""
    for option, value in invitation.said.items():
        if isinstance(value, str) and not value.isprintable():
            raise UsageError(f"the {option.replace('_', ' ')} in it has characters that cannot be seen")
    return invitation


def _of_page(parts: SplitResult, route: str) -> tuple[str, str]:
    """Where a page's server is, and its room, empty when there is none."""
    segments = [segment for segment in parts.path.split("/") if segment]
    if segments and segments[-1].lower().endswith(".html"):
        segments.pop()
        is_room = False
    else:
        is_application = len(segments) == 1 and (parts.path.endswith("/") or parts.port in _OWN_PORTS)
        is_room = bool(segments) and not is_application
    room = unquote(route.removeprefix("!").strip("/").rpartition("/")[2])
    if is_room and not room:
        room = unquote(segments.pop())
    return "/".join(["", *segments, "websocket"]), room


def _value(said: Sequence[tuple[str, str]], names: Sequence[str]) -> str:
    """The first that is not empty, of the first name."""
    return next((value.strip() for name in names for key, value in said if key == name and value.strip()), "")


def _candidates(text: str) -> Iterator[list[str]]:
    """The words after ``antconf join`` of each line that has it, and every address of the others, in order."""
    for line in text.splitlines():
        if (typed := _LINE.search(line)) is not None:
            try:
                yield shlex.split(typed[1])
            except ValueError:
                yield typed[1].split()
            continue
        for address in _ADDRESS.findall(line):
            # In a sentence, what ends it is no part of the address.
            yield [address if line.strip() == address else address.rstrip(_AFTER)]


def _from_words(words: Sequence[str]) -> Invitation:
    """What is typed after ``antconf join``; of its options only what says who one is."""
    try:
        options, places = arguments.profile_parser().parse_known_args(list(words))
    except argparse.ArgumentError as error:
        raise UsageError(f"the line cannot be read: {printable(str(error))}") from error
    unknown = [word.partition("=")[0] for word in places if word.startswith("-")]
    places = [word for word in places if not word.startswith("-")]
    if not places:
        raise UsageError("the line names no server", _EXAMPLE)
    given: dict[str, Any] = arguments.given(options)
    if len(places) > 1 and places[1] != _PLACEHOLDER:
        given["room"] = places[1]
    taken = {name: value for name, value in given.items() if name in _WORDS}
    left_out = [f"--{name.replace('_', '-')}" for name in given if name not in _WORDS] + unknown
    shown = tuple(printable(name, 30) for name in left_out[:4])
    return _seen(replace(from_address(places[0]), left_out=shown, **taken))
