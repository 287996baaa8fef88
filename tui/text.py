"""Remote text made safe: the one door that names, reasons and payloads pass before they are drawn,
logged or put in a title. Used by the bridge, the CLI and the log; nobody else cleans strings.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence

_JOINERS = "\u200c\u200d"
_MARKS_PER_CHARACTER = 4
_SECRET_KEYS = frozenset(
    {
        "token",
        "accessToken",
        "joinToken",
        "subscriberCode",
        "credential",
        "turnServerCredential",
        "pnsRegistrationToken",
        "roomCreationPassword",
    }
)
# In JSON text, also inside other JSON text (then its quotes are escaped), and in an SDP.
_SECRET_PAIR = re.compile(rf'((\\{{0,7}})"(?:{"|".join(sorted(_SECRET_KEYS))})\2"\s*:\s*\2").+?((?<!\\)\2")', re.DOTALL)
# What Python makes of a mapping.
_SECRET_ITEM = re.compile(rf"('(?:{'|'.join(sorted(_SECRET_KEYS))})': ')[^']+")
_ICE_PASSWORD = re.compile(r"(a=ice-pwd:)[^\s\\]+")
_QUERY_SECRET = re.compile(
    r"([?&](?:[a-z_]*token|jwt|subscriber_?code|code|credential|password|secret|signature)=)[^&#\s\"'\\]+",
    re.IGNORECASE,
)
_USER_INFO = re.compile(r"(\b[a-z][a-z0-9+.-]{1,15}://)[^/?#\s@\"']+@", re.IGNORECASE)
_ICE_USER_INFO = re.compile(r"(\b(?:stun|turn)s?:)[^/?#\s@\"']{1,512}@", re.IGNORECASE)
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]+\.[\w-]+\.[\w-]*")


def printable(text: str, limit: int = 200) -> str:
    """One line of at most ``limit`` characters without control, bidi or stacked combining characters."""
    head = text[: limit * 4]
    if head.isascii() and head.isprintable():
        return text if len(text) <= limit else text[: limit - 1] + "…"
    kept: list[str] = []
    marks = 0
    for character in head:
        category = unicodedata.category(character)
        if category in ("Mn", "Me") or character in _JOINERS:
            marks += 1
            if marks > _MARKS_PER_CHARACTER:
                continue
        else:
            marks = 0
        if character in "\r\n\t" or category in ("Zl", "Zp"):
            character = " "
        elif category in ("Cc", "Cs", "Cn", "Co") or (category == "Cf" and character not in _JOINERS):
            character = "\N{REPLACEMENT CHARACTER}"
        kept.append(character)
    safe = "".join(kept)
    if len(safe) <= limit and len(text) <= limit * 4:
        return safe
    return safe[: limit - 1] + "…"


def paragraphs(text: str, limit: int = 2000, most: int = 40) -> str:
    """The same for text of several lines: at most ``limit`` characters in at most ``most`` lines."""
    lines = text[:limit].replace("\r\n", "\n").split("\n")
    shown = [printable(line, limit).rstrip() for line in lines[:most]]
    return "\n".join(shown) + ("…" if len(lines) > most or len(text) > limit else "")


def with_hint(text: str, hint: str) -> str:
    """A failure and what to do about it, as one safe line."""
    return printable("; ".join(part for part in (text.rstrip("."), hint) if part), 600)


def compact(payload: object, limit: int = 200) -> str:
    """A payload as one short safe line of ``key=value`` pairs, secrets blanked."""
    return printable(_flat(redacted(payload)), limit)


def redacted(payload: object) -> object:
    """The same JSON-like value with every secret replaced by ``***``, also in JSON text inside it (reference, 7)."""
    if isinstance(payload, Mapping):
        return {key: "***" if key in _SECRET_KEYS and value else redacted(value) for key, value in payload.items()}
    if isinstance(payload, Sequence) and not isinstance(payload, (str, bytes)):
        return [redacted(item) for item in payload]
    if isinstance(payload, str):
        return redacted_text(payload)
    return payload


def redacted_text(text: str) -> str:
    """The same text without tokens and passwords: in URLs, in JSON, in an SDP, and whatever is a JWT."""
    text = _SECRET_ITEM.sub(r"\1***", _SECRET_PAIR.sub(r"\1***\3", text))
    for pattern in (_ICE_PASSWORD, _QUERY_SECRET):
        text = pattern.sub(r"\1***", text)
    for pattern in (_USER_INFO, _ICE_USER_INFO):
        text = pattern.sub(r"\1***@", text)
    return _JWT.sub("***", text)


def written(payload: object) -> str:
    """A payload as JSON text; what JSON does not know is written as Python shows it."""
    try:
        return json.dumps(payload, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return str(payload)


def _flat(payload: object) -> str:
    if payload is None:
        return ""
    if isinstance(payload, str):
        return payload
    if isinstance(payload, Mapping):
        return " ".join(f"{key}={_inner(value)}" for key, value in payload.items())
    return _inner(payload)


def _inner(value: object) -> str:
    if isinstance(value, str):
        lines = value.count("\n")
        return f"<{lines} lines>" if lines > 1 else value or '""'
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    except (TypeError, ValueError):
        return str(value)
