"""The manual page and the completion scripts, made from the command line's own grammar.

Used by ``antconf man`` and ``antconf completion``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tui import __version__, arguments
from tui.config import VARIABLES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

_FILES: Final = {
    "~/.config/antconf/config.toml": "[defaults] and [profiles.NAME] hold options by their names, for example "
    'token_file = "work.token"; [screen] holds those about drawing, [keys] the keys by the ids in the help.',
    "~/.local/state/antconf/antconf.log": "What went wrong, without secrets.",
}


def completion(shell: str) -> str:
    """A script for bash, zsh or fish that completes commands, options, choices and file names."""
    import shtab

    parser = arguments.parser()
    for command in _with_commands(parser):
        for option in arguments.options(command):
            if "FILE" in (option.metavar or ""):
                option.complete = shtab.FILE  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell=shell)).rstrip("\n")


def page() -> str:
    """The manual page, in roff."""
    parser = arguments.parser()
    lines = [
        f'.TH ANTCONF 1 "" "antconf {__version__}" "User Commands"',
        ".SH NAME",
        rf"antconf \- {_text((parser.description or '').rstrip('.'))}",
        ".SH SYNOPSIS",
        ".B antconf",
        r"[\fB\-\-version\fR] \fICOMMAND\fR [\fIOPTIONS\fR]",
        ".SH OPTIONS",
        *_options(parser),
    ]
    for name, (purpose, command) in arguments.commands(parser).items():
        lines += [".SH " + _quoted(f"antconf {name}".upper()), *_command(name, purpose, command)]
    lines += [
        ".SH ENVIRONMENT",
        *_items({variable: f"as --{name.replace('_', '-')}, or what it names" for name, variable in VARIABLES.items()}),
        ".SH FILES",
        *_items(_FILES),
        r"\fBantconf config path\fR says where they are here, \fBantconf config check\fR what is wrong with them.",
        ".SH EXIT STATUS",
        _text((parser.epilog or "").removeprefix("Exit codes: ")),
    ]
    return "\n".join(lines)


def _command(name: str, purpose: str, command: argparse.ArgumentParser) -> Iterator[str]:
    yield _text(purpose[:1].upper() + purpose[1:] + ".")
    yield from _options(command)
    if command.epilog:
        yield from (".PP", _text(command.epilog))
    for inner, (inner_purpose, inner_command) in arguments.commands(command).items():
        yield ".SS " + _quoted(f"antconf {name} {inner}")
        yield from _command(f"{name} {inner}", inner_purpose, inner_command)


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for option in arguments.options(parser):
        values = " ".join(option.choices) if option.choices else option.metavar or option.dest.upper()
        value = rf"\fI{_text(str(values).replace(' ', '|'))}\fR" if option.nargs != 0 else ""
        names = ", ".join(rf"\fB{_text(name)}\fR" for name in option.option_strings)
        yield ".TP"
        yield f"{names} {value}".strip()
        yield _text((option.help or "") % {"default": option.default})


def _items(items: Mapping[str, str]) -> Iterator[str]:
    for name, what in items.items():
        yield ".TP"
        yield rf"\fB{_text(name)}\fR"
        yield _text(what)
    yield ".PP"


def _with_commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for _, command in arguments.commands(parser).values():
        yield from _with_commands(command)


def _quoted(text: str) -> str:
    return f'"{_text(text)}"'


def _text(text: str) -> str:
    """What roff shows as this text."""
    escaped = text.replace("\\", r"\(rs").replace("-", r"\-").replace("~", r"\(ti").replace("^", r"\(ha")
    # A line that begins so would be a command.
    return re.sub(r"^([.'])", r"\\&\1", escaped, flags=re.MULTILINE)
