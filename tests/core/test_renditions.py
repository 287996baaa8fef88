"""Sizes that the server says it has."""

from __future__ import annotations

import pytest

from tui.core.renditions import STREAMS, Rendition, Renditions


def information(*entries: object, stream_id: object = "bob") -> dict[str, object]:
    return {"command": "streamInformation", "streamId": stream_id, "streamInfo": list(entries)}


def size(width: object, height: object) -> dict[str, object]:
    return {"streamWidth": width, "streamHeight": height, "videoBitrate": 500_000}


def test_from_the_lowest_each_once() -> None:
    renditions = Renditions()
    renditions.take(information(size(1280, 720), size(426, 240), size(426, 240)))
    assert renditions.of("bob") == (Rendition(426, 240), Rendition(1280, 720))
    assert renditions.of("carol") == ()
    renditions.take(information(size(640, 360)))
    assert renditions.of("bob") == (Rendition(640, 360),)


@pytest.mark.parametrize(
    "entry",
    [None, 7, [], {}, size("640", 360), size(640, None), size(True, True), size(0, 0), size(-1, 9), size(9, 1e9)],
)
def test_what_is_no_size_is_left_out(entry: object) -> None:
    renditions = Renditions()
    renditions.take(information(entry, size(640, 360)))
    assert renditions.of("bob") == (Rendition(640, 360),)


def test_what_is_no_answer_is_ignored() -> None:
    renditions = Renditions()
    for record in ({}, information(stream_id=7), {"streamId": "bob", "streamInfo": {"streamWidth": 1}}):
        renditions.take(record)
    assert renditions.of("bob") == ()


def test_it_is_bounded() -> None:
    renditions = Renditions()
    renditions.take(information(*(size(2 * height, height) for height in range(1, 1000))))
    assert len(renditions.of("bob")) <= 16
    for number in range(STREAMS + 5):
        renditions.take(information(size(640, 360), stream_id=f"p{number}"))
    assert renditions.of("bob") == renditions.of("p0") == ()
    assert renditions.of(f"p{STREAMS}")
