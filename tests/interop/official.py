"""The unmodified official SDK, fetched once: for whoever serves its pages or reads its source."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SDK = "@antmedia/webrtc_adaptor@2.16.2"


def install_sdk(folder: Path) -> Path:
    """The directory of the official SDK's ES modules, fetched into ``folder`` when it is not there yet."""
    modules = folder / "node_modules" / "@antmedia" / "webrtc_adaptor" / "dist" / "es"
    if not (modules / "index.js").exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("needs npm for the official SDK (apt install npm)")
        command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", SDK]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    return modules


@pytest.fixture(scope="session")
def official_sdk(pytestconfig: pytest.Config) -> Path:
    """The directory of its ES modules."""
    assert pytestconfig.cache is not None
    return install_sdk(pytestconfig.cache.mkdir("official-sdk"))
