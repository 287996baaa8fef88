"""A terminal that knows only what pictures need, and refuses all else: wrapping, scrolling, unknown sequences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tui.media.cells import CellGrid
from tui.media.colours import DEFAULT_COLOUR, Depth, numbers, palette

if TYPE_CHECKING:
    from collections.abc import Iterator

Colour: TypeAlias = tuple[str, int]

_DEFAULT: Colour = ("default", 0)
_TOKEN = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])|([^\x00-\x1f\x7f-\x9f])", re.DOTALL)


class StrictTerminal:
    """``rows`` of cells, each a character with its two colours; empty at first."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.cells = [[(" ", _DEFAULT, _DEFAULT)] * columns for _ in range(rows)]
        self._row = self._column = 0
        self.colours = [_DEFAULT, _DEFAULT]

    def feed(self, data: bytes) -> None:
        """Draw; raises AssertionError for what a picture must not do."""
        text = data.decode()
        at = 0
        while at < len(text):
            token = _TOKEN.match(text, at)
            assert token, f"not understood: {text[at : at + 12]!r}"
            at = token.end()
            parameters, command, character = token.groups()
            if character:
                self._draw(character)
            else:
                self._command(parameters, command)

    def scribble(self, x: int, y: int, width: int, height: int, character: str = "#") -> None:
        """Somebody else writes there."""
        for row in range(max(y, 0), min(y + height, self.rows)):
            for column in range(max(x, 0), min(x + width, self.columns)):
                self.cells[row][column] = (character, ("basic", 3), _DEFAULT)

    def grid(self, depth: Depth) -> CellGrid:
        """All that is shown."""
        glyphs = np.array([[ord(cell[0]) for cell in row] for row in self.cells], dtype=np.uint32)
        foreground = [[_number(cell[1], depth) for cell in row] for row in self.cells]
        background = [[_number(cell[2], depth) for cell in row] for row in self.cells]
        return CellGrid(glyphs, np.array(foreground, dtype=np.int32), np.array(background, dtype=np.int32), depth)

    def _draw(self, character: str) -> None:
        assert self._column < self.columns, "wrapped"
        self.cells[self._row][self._column] = (character, self.colours[0], self.colours[1])
        self._column += 1

    def _command(self, parameters: str, command: str) -> None:
        values = [int(value) for value in parameters.split(";")] if parameters else []
        if command == "m":
            self._select(values)
            return
        if command == "H":
            self._row, self._column = (values[0] - 1, values[1] - 1)
        else:
            # From behind the last column terminals disagree about where a move starts.
            assert command == "C"
            assert self._column < self.columns
            self._column += values[0] if values else 1
        assert 0 <= self._row < self.rows
        assert 0 <= self._column < self.columns

    def _select(self, values: list[int]) -> None:
        rest = iter(values)
        for value in rest:
            if value == 0:
                self.colours = [_DEFAULT, _DEFAULT]
            elif value in (39, 49):
                self.colours[value // 49] = _DEFAULT
            elif value in (38, 48):
                self.colours[value // 48] = _extended(rest)
            elif 30 <= value < 38 or 40 <= value < 48:
                self.colours[value // 40] = ("basic", value % 10)
            else:
                assert 90 <= value < 98 or 100 <= value < 108
                self.colours[value // 100] = ("basic", value % 10 + 8)


def _extended(values: Iterator[int]) -> Colour:
    if next(values) == 5:
        return "palette", next(values)
    red, green, blue = next(values), next(values), next(values)
    assert max(red, green, blue) < 256
    return "rgb", red << 16 | green << 8 | blue


def _number(colour: Colour, depth: Depth) -> int:
    kind, value = colour
    if kind == "default":
        return DEFAULT_COLOUR
    if depth is Depth.TRUECOLOR and kind == "palette":
        return int(numbers(palette())[value])
    return value
