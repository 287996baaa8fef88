"""What is left out of a video: only what nothing else needs, and only when fewer pictures are wanted."""

from __future__ import annotations

from tests.waiting import Clock
from tui.core.video import EncodedPicture
from tui.media.thinning import Thinning


def picture(layer: int, is_key: bool = False, is_entry: bool = True) -> EncodedPicture:
    return EncodedPicture("vp8", b"x", 0, 0.0, is_key, layer, is_entry)


class Stream:
    """15 pictures a second in these layers, again and again; an entry wherever it may be one."""

    def __init__(self, *layers: int) -> None:
        self.clock = Clock()
        self.layers = layers
        self.thinning = Thinning(self.clock)

    def run(self, seconds: float, wanted: float) -> list[int]:
        """The layers that were decoded."""
        taken = []
        for number in range(round(seconds * 15)):
            self.clock.now += 1 / 15
            layer = self.layers[number % len(self.layers)]
            if self.thinning.takes(picture(layer), wanted):
                taken.append(layer)
        return taken


def test_all_are_decoded_while_all_are_wanted() -> None:
    stream = Stream(0, 1)
    assert len(stream.run(4, 15)) == 60
    assert len(stream.run(4, 9)) == 60


def test_what_nobody_refers_to_is_left_out_when_half_is_enough() -> None:
    stream = Stream(0, 1)
    stream.run(2, 7)
    assert set(stream.run(2, 7)) == {0}
    stream.run(2, 15)
    assert set(stream.run(2, 15)) == {0, 1}


def test_layers_go_one_after_the_other() -> None:
    stream = Stream(0, 2, 1, 2)
    stream.run(2, 7)
    assert set(stream.run(2, 7)) == {0, 1}
    stream.run(2, 3)
    assert set(stream.run(2, 3)) == {0}


def test_without_layers_nothing_can_be_left_out() -> None:
    stream = Stream(0)
    assert len(stream.run(4, 1)) == 60


def test_a_layer_is_taken_in_again_where_it_refers_to_the_lowest_alone() -> None:
    stream = Stream(0, 1)
    stream.run(3, 7)
    stream.layers = (0,)
    stream.run(2, 30)
    takes = stream.thinning.takes
    assert not takes(picture(1, is_entry=False), 30)
    assert takes(picture(1, is_entry=True), 30)
    assert takes(picture(1, is_entry=False), 30)
    assert not takes(picture(2, is_entry=False), 30)
    assert takes(picture(0, is_key=True), 30)
    assert takes(picture(2, is_entry=False), 30)
    assert takes(picture(200, is_entry=False), 30), "more layers than there are"
