"""The manual page and the completion scripts, as the programs see them that they are made for."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tui import arguments
from tui.config import VARIABLES
from tui.manual import completion, page

if TYPE_CHECKING:
    from pathlib import Path


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def run(*command: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)


@needs("groff")
def test_the_page_has_no_fault_that_groff_would_warn_of() -> None:
    done = run("groff", "-man", "-ww", "-Tutf8", text=page())
    assert (done.returncode, done.stderr) == (0, "")
    shown = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout)
    words = ("--totp-secret-file", "antconf serve", "WxH", "ANTCONF_TOKEN", "config.toml", "129/130/131/143")
    for word in (*words, "Exit codes: 0 when"):
        assert word in shown or word.upper() in shown


@needs("man")
@needs("groff")
def test_man_shows_the_page(tmp_path: Path) -> None:
    (tmp_path / "antconf.1").write_text(page())
    done = run("man", "--warnings", "-l", str(tmp_path / "antconf.1"))
    assert done.returncode == 0
    assert done.stderr == ""


def test_the_page_names_every_command_option_and_variable() -> None:
    text = page().replace("\\-", "-")
    for name, (_, command) in arguments.commands(arguments.parser()).items():
        assert f"ANTCONF {name.upper()}" in text
        for option in arguments.options(command):
            assert all(string in text for string in option.option_strings)
    assert all(variable in text for variable in VARIABLES.values())


@needs("bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["jo"], {"join"}),
        (["completion", ""], {"bash", "zsh", "fish"}),
        (["config", "c"], {"check"}),
        (["join", "--totp-s"], {"--totp-secret-file"}),
        (["join", "--requests", "o"], {"obey"}),
    ],
)
def test_bash_completes(words: list[str], offered: set[str]) -> None:
    line = ["antconf", *words]
    quoted = " ".join(f"'{word}'" for word in line)
    script = f"{completion('bash')}\nCOMP_WORDS=({quoted})\nCOMP_CWORD={len(words)}\n_shtab_antconf\n"
    done = run("bash", text=script + 'printf "%s\\n" "${COMPREPLY[@]}"\n')
    assert done.stderr == ""
    assert offered <= set(done.stdout.split())


@needs("bash")
def test_bash_completes_file_names(tmp_path: Path) -> None:
    (tmp_path / "work.token").touch()
    script = f"cd '{tmp_path}'\n{completion('bash')}\nCOMP_WORDS=(antconf join --token-file w)\nCOMP_CWORD=3\n"
    done = run("bash", text=script + '_shtab_antconf\nprintf "%s\\n" "${COMPREPLY[@]}"\n')
    assert "work.token" in done.stdout.split()


@needs("zsh")
def test_zsh_takes_the_script(tmp_path: Path) -> None:
    script = completion("zsh")
    assert script.startswith("#compdef antconf")
    (tmp_path / "_antconf").write_text(script)
    assert run("zsh", "-n", str(tmp_path / "_antconf")).stderr == ""
    load = f"fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -u -D"
    done = run("zsh", "-fc", f"{load}; print $_comps[antconf]")
    assert done.stdout.strip() == "_antconf"


@needs("fish")
@pytest.mark.parametrize(
    ("line", "offered"),
    [("antconf jo", "join"), ("antconf join --totp-s", "--totp-secret-file"), ("antconf completion ", "zsh")],
)
def test_fish_completes(line: str, offered: str, tmp_path: Path) -> None:
    (tmp_path / "antconf.fish").write_text(completion("fish"))
    done = run("fish", "--no-config", "-c", f"source {tmp_path}/antconf.fish; complete -C '{line}'")
    assert done.stderr == ""
    assert offered in {row.split("\t")[0] for row in done.stdout.splitlines()}
