"""The project itself: what the README promises, and what is shipped."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tui.bindings import APP, ROOM
from tui.errors import ExitCode

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_readme_shows_pictures_that_exist() -> None:
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", README)
    assert pictures
    for picture in pictures:
        assert (PROJECT / picture).is_file(), picture


SIGNS = {
    "question_mark": "?",
    "colon": ":",
    "plus": "+",
    "minus": "-",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
}


def test_readme_names_every_key_of_the_room() -> None:
    for binding in (*APP, *ROOM):
        names = [SIGNS.get(key, key) for key in binding.key.split(",")]
        assert any(f"`{name}`" in README for name in names), binding.id


def test_readme_names_every_exit_code() -> None:
    codes = README[README.index("Exit codes:") :]
    for code in ExitCode:
        assert re.search(rf"\b{int(code)}\b", codes), code


@pytest.mark.skipif(not (PROJECT / ".git").exists(), reason="not a git checkout")
def test_nothing_else_lies_at_the_top() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    top = {name.partition("/")[0] for name in tracked.splitlines()}
    allowed = {"pyproject.toml", "README.md", "LICENSE", "tui", "tests", "screenshots"}
    assert {name for name in top if not name.startswith(".")} <= allowed


def test_the_wheel_holds_the_style_sheets(tmp_path: Path) -> None:
    """What is installed starts: Textual's style sheets are package data."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(PROJECT)]
    subprocess.run(command, check=True, timeout=100)
    (wheel,) = tmp_path.glob("*.whl")
    shipped = set(zipfile.ZipFile(wheel).namelist())
    sheets = {str(sheet.relative_to(PROJECT)) for sheet in PROJECT.glob("tui/**/*.tcss")}
    assert sheets
    assert sheets <= shipped
    assert "tui/py.typed" in shipped
