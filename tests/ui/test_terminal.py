"""How the terminal is judged by its environment."""

from __future__ import annotations

import pytest

from tui.media.cells import Depth, Glyphs
from tui.terminal import chosen_surface


@pytest.mark.parametrize(
    ("environ", "encoding", "glyphs", "depth", "ascii_only"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "utf-8", Glyphs.BLOCK, Depth.TRUECOLOR, False),
        ({"TERM": "xterm", "COLORTERM": "24bit"}, "UTF-8", Glyphs.BLOCK, Depth.TRUECOLOR, False),
        ({"TERM": "xterm-256color"}, "utf-8", Glyphs.BLOCK, Depth.PALETTE, False),
        ({"TERM": "tmux-256color"}, "utf-8", Glyphs.BLOCK, Depth.PALETTE, False),
        ({"TERM": "screen-256color"}, "utf-8", Glyphs.BLOCK, Depth.PALETTE, False),
        ({"TERM": "screen"}, "utf-8", Glyphs.BLOCK, Depth.SIXTEEN, False),
        ({"TERM": "linux"}, "utf-8", Glyphs.BLOCK, Depth.SIXTEEN, False),
        ({"TERM": "vt220"}, "utf-8", Glyphs.ASCII, Depth.NONE, False),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "utf-8", Glyphs.ASCII, Depth.NONE, False),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, "utf-8", Glyphs.BLOCK, Depth.PALETTE, False),
        ({"TERM": "xterm-256color"}, "ascii", Glyphs.ASCII, Depth.PALETTE, True),
        ({"TERM": "xterm-256color"}, "iso-8859-1", Glyphs.ASCII, Depth.PALETTE, True),
    ],
)
def test_what_is_drawn_on_which_terminal(
    environ: dict[str, str], encoding: str, glyphs: Glyphs, depth: Depth, ascii_only: bool
) -> None:
    chosen = chosen_surface(environ, encoding)
    assert (chosen.look.glyphs, chosen.look.depth, chosen.ascii_only) == (glyphs, depth, ascii_only)
    assert chosen.no_color == bool(environ.get("NO_COLOR"))


def test_what_pictures_are_made_of_can_be_chosen_but_not_what_cannot_be_shown() -> None:
    environ = {"TERM": "xterm-256color"}
    assert chosen_surface(environ, "utf-8", Glyphs.BRAILLE).look.glyphs is Glyphs.BRAILLE
    assert chosen_surface(environ, "ascii", Glyphs.BRAILLE).look.glyphs is Glyphs.ASCII


@pytest.mark.parametrize(("says", "light"), [("15;0", False), ("0;15", True), ("0;default;7", True), ("", False)])
def test_a_light_background_is_believed(says: str, light: bool) -> None:
    assert chosen_surface({"TERM": "rxvt", "COLORFGBG": says}, "utf-8").look.light is light
