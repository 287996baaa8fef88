"""One participant's picture with a caption; used by the video grid, filled by the projector.

Textual lays it out and draws it where something has uncovered it; what moves in it goes past Textual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.media.board import LOCAL
from tui.media.cells import DEFAULT_COLOUR, Crop, Depth, Size
from tui.widgets.lines import cut, padded
from tui.widgets.marks import steps
from tui.widgets.picture import PictureStrip, Place, fitted, frosted

if TYPE_CHECKING:
    from tui.media.board import Board
    from tui.media.cells import CellGrid
    from tui.updates import Person
    from tui.widgets.marks import Marks
    from tui.widgets.picture import Surface

SMALLEST: Final = Size(8, 3)
"""A picture smaller than this shows nobody."""
DEEPEST: Final = 8.0
"""How much larger a part of a picture can be shown."""
_STEP: Final = 1.5
_METER: Final = 5


class VideoTile(Widget, can_focus=False):
    """Picture above, caption in the last row; without a picture the name and why."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar = {"tile--caption", "tile--talking", "tile--words", "tile--note"}
    DEFAULT_CSS = """
    VideoTile {
        width: 1fr;
        height: 1fr;
        background: $surface;
        .tile--caption { background: $panel; color: $foreground; }
        .tile--talking { background: $success-muted; color: $text-success; text-style: bold; }
        .tile--words { color: $text-muted; }
        .tile--note { background: $warning-muted; color: $text-warning; }
    }
    """

    def __init__(self, board: Board, marks: Marks) -> None:
        super().__init__()
        self._board = board
        self._marks = marks
        self._person: Person | None = None
        self._picture: CellGrid | None = None
        self._frosted: CellGrid | None = None
        self._note = ""
        self._aside = ""
        self._loudness = 0
        self._zoom = 1.0
        self._centre = (0.5, 0.5)
        self.leads = False
        """Larger than the others, and the last to be given up on a slow line."""
        self.surface: Surface | None = None
        """What takes the rows that Textual draws."""

    @property
    def person(self) -> Person | None:
        """Who is shown."""
        return self._person

    @property
    def track(self) -> str | None:
        """Key of the picture to be seen here, if there is one."""
        if self._person is None or not self._person.camera:
            return None
        return LOCAL if self._person.is_self else self._person.video

    @property
    def is_screen(self) -> bool:
        """A shared screen is shown, nobody's face."""
        return self._person is not None and bool(self._person.owner)

    @property
    def picture(self) -> CellGrid | None:
        """What is shown, exactly of the tile's `picture_size`."""
        size = self.picture_size
        if self._picture is None or size is None:
            return None
        return fitted(self._picture, size.rows, size.columns, DEFAULT_COLOUR)

    @property
    def picture_size(self) -> Size | None:
        """Cells for the picture; ``None`` when there is no room for one."""
        width, height = self.size
        if width < SMALLEST.columns or height - 1 < SMALLEST.rows:
            return None
        return Size(width, height - 1)

    @property
    def detail(self) -> Size | None:
        """Cells that the whole picture would take, as large as the part of it that is shown."""
        size = self.picture_size
        return None if size is None else Size(round(size.columns * self._zoom), round(size.rows * self._zoom))

    @property
    def free_rows(self) -> int:
        """Rows of the picture that no words are in front of, from above."""
        return self.size.height - 1 - bool(self._note)

    def show(self, person: Person | None, aside: str = "") -> None:
        """Show another person, or the same in another state; ``aside`` is said at the end of the caption."""
        if (person, aside) == (self._person, self._aside):
            return
        before = self.track
        self._person, self._aside = person, aside
        if self.track != before:
            self._zoom, self._centre, self._note = 1.0, (0.5, 0.5), ""
            self.put(None)
        self.refresh()

    def put(self, picture: CellGrid | None, *, drawn: bool = False) -> None:
        """Show this picture; ``drawn``: it is drawn past Textual."""
        before, self._picture, self._frosted = self._picture, picture, None
        if (picture is None and before is not None) or (picture is not None and not drawn):
            self.refresh(Region(0, 0, self.size.width, max(0, self.size.height - 1)))

    def note(self, text: str) -> None:
        """Say something about the picture, in front of its last row."""
        if text != self._note:
            self._note = text
            # Without a picture it stands in the middle.
            row = Region(0, self.size.height - 2, self.size.width, 1)
            self.refresh(*([row] if self.picture is not None else []))

    def show_level(self) -> None:
        """Take the newest level from the board."""
        loudness = self._level()
        if loudness != self._loudness:
            self._loudness = loudness
            self.refresh(Region(0, self.size.height - 1, self.size.width, 1))

    def _level(self) -> int:
        person = self._person
        if person is None or not (person.talking and person.microphone):
            return 0
        track = LOCAL if person.is_self else person.audio
        return steps(self._board.level(track), _METER) if track else 0

    # The part of the picture that is seen.

    @property
    def crop(self) -> Crop | None:
        """The part to be shown, ``None`` for all of it."""
        if self._zoom == 1.0:
            return None
        part = 1 / self._zoom
        return Crop(self._centre[0] - part / 2, self._centre[1] - part / 2, part, part)

    def zoom_in(self) -> None:
        """Show less, larger."""
        self._look(min(DEEPEST, self._zoom * _STEP), *self._centre)

    def zoom_out(self) -> None:
        """Show more, up to the whole picture."""
        self._look(max(1.0, self._zoom / _STEP), *self._centre)

    def pan(self, right: int, down: int) -> None:
        """Show a part a third of what is seen further on."""
        part = 1 / self._zoom / 3
        self._look(self._zoom, self._centre[0] + right * part, self._centre[1] + down * part)

    def _look(self, zoom: float, x: float, y: float) -> None:
        # Steps up and down end at the whole picture in spite of rounding.
        self._zoom = 1.0 if zoom < 1.01 else zoom
        half = 0.5 / self._zoom
        self._centre = min(max(x, half), 1 - half), min(max(y, half), 1 - half)

    # Drawing.

    def background_number(self, depth: Depth) -> int:
        """The tile's own colour as a number of this depth."""
        colour = self.rich_style.bgcolor
        if colour is None or colour.is_default or colour.triplet is None or depth is Depth.NONE:
            return DEFAULT_COLOUR
        if depth is Depth.TRUECOLOR:
            red, green, blue = colour.triplet
            return red << 16 | green << 8 | blue
        system = ColorSystem.EIGHT_BIT if depth is Depth.PALETTE else ColorSystem.STANDARD
        number = colour.downgrade(system).number
        return DEFAULT_COLOUR if number is None else number

    def render_lines(self, crop: Region) -> list[Strip]:
        """The picture's rows are not made until they are needed; all others are Textual's own."""
        strips = super().render_lines(crop)
        picture = self._seen()
        if picture is not None:
            base = self.rich_style
            x, y = self.region.offset
            place = Place(self.surface, x, y, self.screen.size.width)
            for row in range(crop.y, min(crop.bottom, self.free_rows)):
                strips[row - crop.y] = PictureStrip(picture, row, base, place).crop(crop.x, crop.right)
        return strips

    def _seen(self) -> CellGrid | None:
        """The picture, coarse where it would be dear: behind a dialogue and on a slow line."""
        picture = self.picture
        lean = self.surface is not None and self.surface.lean
        if picture is None or not (lean or self.screen is not self.app.screen):
            return picture
        if self._frosted is None or self._frosted.glyphs.shape != picture.glyphs.shape:
            self._frosted = frosted(picture)
        return self._frosted

    def render_line(self, y: int) -> Strip:
        """A row of words, the caption, or what is behind a row of the picture."""
        width, height = self.size
        if y == height - 1:
            return self._caption(width)
        if self.picture is None:
            return self._words(y, width, height)
        if y >= self.free_rows:
            style = self.get_component_rich_style("tile--note")
            text = cut(self._note, width - 2, self._marks.ellipsis)
            return Strip([Segment(f" {text} ", style)]).adjust_cell_length(width, style)
        return Strip.blank(width, self.rich_style)

    def _caption(self, width: int) -> Strip:
        person = self._person
        if person is None:
            return Strip.blank(width, self.rich_style)
        style = self.get_component_rich_style("tile--caption")
        name = person.name + (" (you)" if person.is_self else "")
        doing = ""
        if person.away:
            doing = f"{self._marks.off} away"
        elif not person.microphone:
            doing = f"{self._marks.failed} muted"
        elif person.talking:
            style = self.get_component_rich_style("tile--talking")
            doing = f"{self._marks.on} talking"
            if cell_len(name) + len(doing) + _METER + 4 <= width:
                doing += " " + self._marks.bar(self._loudness, _METER)
        aside = self._aside if cell_len(name) + cell_len(doing) + cell_len(self._aside) + 6 <= width else ""
        parts = [part for part in (doing, aside) if part]
        room = width - 2 - sum(cell_len(part) + 2 for part in parts) + bool(parts)
        text = padded(name, room, self._marks.ellipsis) + " " * bool(parts) + "  ".join(parts)
        return Strip([Segment(f" {text} ", style)]).adjust_cell_length(width, style)

    def _words(self, y: int, width: int, height: int) -> Strip:
        """Initials and the reason, in the middle of the place for the picture."""
        person = self._person
        middle = (height - 1) // 2
        if person is None or y not in (middle - 1, middle):
            return Strip.blank(width, self.rich_style)
        if y == middle - 1:
            text, style = initials(person.name), self.rich_style + Style(bold=True)
        else:
            style = self.get_component_rich_style("tile--words")
            text = self._note or "no picture yet" if person.camera else f"{self._marks.off} camera off"
        text = cut(text, width, self._marks.ellipsis)
        left = (width - cell_len(text)) // 2
        strip = Strip([Segment(" " * left, self.rich_style), Segment(text, style)])
        return strip.adjust_cell_length(width, self.rich_style)


def initials(name: str) -> str:
    """Up to two first letters of a name."""
    words = [word for word in name.split() if word[0].isalnum()]
    return "".join(word[0].upper() for word in words[:2]) or "?"
