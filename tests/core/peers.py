"""Two bare aiortc connections on loopback, and what their tracks bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from av import AudioFrame, VideoFrame

from tui.core.aiortc_internals import Addresses, candidates_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiortc import MediaStreamTrack

RED, GREEN, BLUE = (200, 30, 30), (30, 180, 30), (30, 30, 200)
Colour = tuple[int, int, int]


def new_connection() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))


async def local(connection: RTCPeerConnection) -> str:
    """The connection's own description, with loopback candidates alone."""
    with candidates_from(Addresses.LOOPBACK):
        await connection.setLocalDescription()
    sdp: str = connection.localDescription.sdp
    return sdp


async def negotiate(
    offerer: RTCPeerConnection, answerer: RTCPeerConnection, rewrite: Callable[[str], str] = lambda sdp: sdp
) -> None:
    """One offer and its answer; ``rewrite`` stands between the offer and the answerer."""
    offer = rewrite(await local(offerer))
    await answerer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    answer = await local(answerer)
    await offerer.setRemoteDescription(RTCSessionDescription(answer, "answer"))


def collect_tracks(connection: RTCPeerConnection) -> list[MediaStreamTrack]:
    """The remote tracks, in the order in which they begin; the list grows."""
    tracks: list[MediaStreamTrack] = []

    def begin(track: MediaStreamTrack) -> None:
        tracks.append(track)

    connection.on("track", begin)
    return tracks


def is_colour(frame: VideoFrame, colour: Colour, tolerance: int = 30) -> bool:
    """Whether the middle of the picture is of that colour, as far as a codec keeps it."""
    pixels = frame.to_ndarray(format="rgb24")
    middle = pixels[frame.height // 2, frame.width // 2].astype(int)
    return bool(np.abs(middle - np.array(colour)).max() < tolerance)


async def shows(track: MediaStreamTrack, colour: Colour, frames: int = 60) -> bool:
    """Whether one of the next pictures is of that colour."""
    for _ in range(frames):
        frame = await track.recv()
        assert isinstance(frame, VideoFrame)
        if is_colour(frame, colour):
            return True
    return False


def mono(frame: AudioFrame) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The first channel of an s16 frame."""
    samples: np.ndarray[tuple[int], np.dtype[np.float32]] = (
        frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0].astype(np.float32)
    )
    return samples


async def frequency(track: MediaStreamTrack, frames: int = 25) -> float:
    """The loudest frequency of the next half second; 0 when it is silent."""
    parts = []
    for _ in range(frames):
        frame = await track.recv()
        assert isinstance(frame, AudioFrame)
        parts.append(mono(frame))
    wave = np.concatenate(parts)
    if np.abs(wave).max() < 200:
        return 0.0
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    return float(np.argmax(spectrum) * 48_000 / len(wave))
