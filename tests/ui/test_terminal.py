"""How the terminal is judged by its environment."""

from __future__ import annotations

import pytest

from tui.media.cells import Depth, Glyphs
from tui.terminal import chosen_surface


@pytest.mark.parametrize(
    ("environ", "encoding", "glyphs", "depth", "ascii_only"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "utf-8", Glyphs.HALF, Depth.TRUECOLOR, False),
        ({"TERM": "xterm", "COLORTERM": "24bit"}, "UTF-8", Glyphs.HALF, Depth.TRUECOLOR, False),
        ({"TERM": "xterm-256color"}, "utf-8", Glyphs.HALF, Depth.PALETTE, False),
        ({"TERM": "tmux-256color"}, "utf-8", Glyphs.HALF, Depth.PALETTE, False),
        ({"TERM": "screen-256color"}, "utf-8", Glyphs.HALF, Depth.PALETTE, False),
        ({"TERM": "screen"}, "utf-8", Glyphs.ASCII, Depth.NONE, False),
        ({"TERM": "linux"}, "utf-8", Glyphs.ASCII, Depth.NONE, False),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "utf-8", Glyphs.ASCII, Depth.NONE, False),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, "utf-8", Glyphs.HALF, Depth.PALETTE, False),
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
