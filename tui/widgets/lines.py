"""Cutting text to terminal cells; used by the widgets that draw whole lines themselves."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size


def cut(text: str, width: int, ellipsis: str) -> str:
    """``text`` in at most ``width`` cells, its end replaced by ``ellipsis`` when it does not fit."""
    if cell_len(text) <= width:
        return text
    if width <= cell_len(ellipsis):
        return set_cell_size(text, max(0, width))
    return set_cell_size(text, width - cell_len(ellipsis)).rstrip() + ellipsis


def padded(text: str, width: int, ellipsis: str) -> str:
    """``text`` in exactly ``width`` cells."""
    return set_cell_size(cut(text, width, ellipsis), max(0, width))
