"""The log as a file of JSON lines, secrets blanked; used by the app."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from tui.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tui.updates import LogLine


def export(lines: Iterable[LogLine], folder: Path, at: float) -> Path:
    """A new private file with one JSON object for each line; where it is. Raises `FileError`."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(at))
    for number in range(1, 100):
        path = folder / f"antconf-{stamp}{f'-{number}' if number > 1 else ''}.jsonl"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise FileError(f"the log cannot be written to {path}: {(error.strerror or '').lower()}") from error
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
                file.writelines(_row(line) + "\n" for line in lines)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise FileError(f"the log cannot be written to {path}: {(error.strerror or '').lower()}") from error
        return path
    raise FileError(f"there are too many exports of this second in {folder}")


def _row(line: LogLine) -> str:
    try:
        payload: object = json.loads(line.whole) if line.whole else None
    except (ValueError, RecursionError):
        payload = line.whole
    row = {"at": line.at, "direction": line.direction.value, "info": line.info, "stream": line.stream}
    return json.dumps(row | {"error": line.error, "size": line.size, "payload": payload}, ensure_ascii=False)
