"""How one message of the wire is read and written: its limits, its JSON, and the type of every field.

Used by `core.commands`, `core.messages` and `core.records`, for both ends. Everything that arrives is checked here
once; what passes can be trusted to be what its class says. Source: signalling reference, 1.5.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from tui.errors import WireError

MESSAGE_LIMIT = 1 << 20
"""Bytes of one signalling message that are still read."""

DATA_LIMIT = 64 << 10
"""Bytes of one data-channel text that are still read."""

DEPTH_LIMIT = 32
"""Objects and lists inside one another; what is deeper could not be walked through without care."""

VALUES_LIMIT = 20_000
"""Values of one message: reading a mebibyte of empty lists would hold up the sound for a second."""

Json: TypeAlias = Mapping[str, Any]


class FieldError(WireError):
    """A known command with a field that cannot be used; the next message may be fine."""


class MissingFieldError(FieldError):
    """A known command without a field that it needs; without ``streamId`` AMS answers ``noStreamNameSpecified``."""

    def __init__(self, command: str, key: str) -> None:
        super().__init__(f"{command}: the required field {key!r} is missing")
        self.command = command
        self.key = key


ID_RULE = "use letters, digits, '-', '_' and '.', at most 256 of them"
"""What `is_stream_id` asks for, for people."""

_STREAM_ID = re.compile(r"[A-Za-z0-9._-]{1,256}\Z")


def is_stream_id(text: str) -> bool:
    """Whether AMS takes this as a stream or room id (section 1.5: letters, digits, ``-``, ``_``, ``.``)."""
    return _STREAM_ID.match(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One JSON object of the wire; field names are the snake case of the wire's keys."""

    command: ClassVar[str]

    def payload(self) -> dict[str, Any]:
        """The wire's keys and values without ``command``; a field that is ``None`` is left out."""
        values = ((_key(item.name), getattr(self, item.name)) for item in fields(self) if item.name != "raw")
        return {key: value for key, value in values if value is not None}

    def encode(self) -> str:
        """The text frame."""
        return json.dumps({"command": self.command, **self.payload()}, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown(Message):
    """A command that this version does not know; kept for the log, otherwise ignored."""

    command = ""
    name: str
    raw: Json = field(default_factory=dict)


Kinds: TypeAlias = Mapping[str, type[Message]]
"""Message classes by their command."""


def kinds(*classes: type[Message]) -> Kinds:
    """The table that `parse` reads by."""
    return {kind.command: kind for kind in classes}


def parse(text: str | bytes, known: Kinds) -> Message:
    """One frame; raises `WireError` for anything that is not a message."""
    if len(text) > MESSAGE_LIMIT:
        raise WireError(f"message of {len(text)} bytes refused (limit {MESSAGE_LIMIT})")
    try:
        value = _decode(text)
    except json.JSONDecodeError as error:
        raise WireError("message is not JSON") from error
    except (ValueError, RecursionError) as error:
        what = "nested too deep" if isinstance(error, RecursionError) else error
        raise WireError(f"message cannot be read: {what}") from error
    if not isinstance(value, dict) or not isinstance(value.get("command"), str):
        raise WireError("message is not a JSON object with a command")
    kind = known.get(value["command"])
    if kind is None:
        return Unknown(name=value["command"], raw=value)
    return _build(kind, value)


def load_object(text: object, values: int = VALUES_LIMIT) -> Json:
    """The JSON object inside a string (or the object itself); empty for anything else, or more ``values`` than that."""
    if isinstance(text, dict):
        return text
    if not isinstance(text, (str, bytes)) or not text:
        return {}
    try:
        value = _decode(text, values)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


_M = TypeVar("_M", bound=Message)


def _build(kind: type[_M], value: dict[str, Any]) -> _M:
    hints = _hints(kind)
    given: dict[str, Any] = {}
    for item in fields(kind):
        if item.name == "raw":
            given["raw"] = value
            continue
        found = value.get(_key(item.name))
        if found is None:
            if item.default is MISSING and item.default_factory is MISSING:
                raise MissingFieldError(kind.command, _key(item.name))
            continue
        if not _fits(found, hints[item.name]):
            raise FieldError(f"{kind.command}: field {_key(item.name)!r} has the wrong type")
        given[item.name] = found
    return kind(**given)


_HINTS: dict[type[Message], dict[str, Any]] = {}


def _hints(kind: type[Message]) -> dict[str, Any]:
    if kind not in _HINTS:
        _HINTS[kind] = get_type_hints(kind)
    return _HINTS[kind]


def _fits(value: object, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin is list:
        return isinstance(value, list) and all(isinstance(item, get_args(hint)) for item in value)
    if origin is dict:
        return isinstance(value, dict)
    if hint is bool or hint is int:
        return type(value) is hint
    if isinstance(hint, type):
        return isinstance(value, hint)
    return any(_fits(value, option) for option in get_args(hint) if option is not type(None))


def _key(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _decode(text: str | bytes, values: int = VALUES_LIMIT) -> Any:
    if isinstance(text, bytes):
        text = text.decode()
    # What is inside of texts is left out only where it matters: anybody may be called ",,,,".
    if _signs(text) > values and _signs(_TEXT.sub("", text)) > values:
        raise ValueError("too many values")
    value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    level = [value]
    for _ in range(DEPTH_LIMIT):
        level = [
            inner
            for item in level
            if isinstance(item, (dict, list))
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return value
    raise ValueError("nested too deep")


# One that does not end goes to the end: nothing is looked at twice.
_TEXT = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)


def _signs(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]} is out of range")
    return number


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
