"""libopus itself, by ctypes: the copy that PyAV ships, else the system's.

Used by the decoder of remote voices and the encoder of the own one, for what PyAV does not offer: concealment,
forward error correction in the receiver, and settings that change while encoding. A call keeps the interpreter's
lock: it takes a tenth of a millisecond, and to get the lock back takes up to five times that when others are busy.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from ctypes import POINTER, c_char_p, c_float, c_int, c_int32, c_void_p
from pathlib import Path

import av

_FLOATS = POINTER(c_float)
_SIGNATURES: dict[str, tuple[object, list[object]]] = {
    "opus_decoder_create": (c_void_p, [c_int32, c_int, POINTER(c_int)]),
    "opus_decoder_destroy": (None, [c_void_p]),
    "opus_decode_float": (c_int, [c_void_p, c_char_p, c_int32, _FLOATS, c_int, c_int]),
    "opus_encoder_create": (c_void_p, [c_int32, c_int, c_int, POINTER(c_int)]),
    "opus_encoder_destroy": (None, [c_void_p]),
    "opus_encode_float": (c_int32, [c_void_p, _FLOATS, c_int, c_void_p, c_int32]),
    "opus_packet_get_nb_samples": (c_int, [c_char_p, c_int32, c_int32]),
    "opus_strerror": (c_char_p, [c_int]),
    # Variadic: only what is fixed is declared, so that ctypes passes the rest as the platform wants it.
    "opus_decoder_ctl": (c_int, [c_void_p, c_int]),
    "opus_encoder_ctl": (c_int, [c_void_p, c_int]),
}


@functools.cache
def library() -> ctypes.PyDLL | None:
    """libopus with its functions declared, ``None`` when there is none on this machine."""
    for name in _candidates():
        try:
            found = ctypes.PyDLL(name)
            for function, (result, arguments) in _SIGNATURES.items():
                declared = getattr(found, function)
                declared.restype, declared.argtypes = result, arguments
        except (OSError, AttributeError):
            continue
        return found
    return None


def _candidates() -> list[str]:
    """Where it may be, PyAV's own copy first: it is loaded already."""
    package = Path(av.__file__).parent
    folders = (package.parent / "av.libs", package / ".dylibs", package)
    shipped = [str(path) for folder in folders for path in sorted(folder.glob("*opus*")) if path.suffix != ".py"]
    installed = ctypes.util.find_library("opus")
    return [*shipped, *([installed] if installed else []), "libopus.so.0"]
