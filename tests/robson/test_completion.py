"""`robson completion`: the script that a shell gets, tried in a real shell."""

import subprocess
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from robson.cli import OWNER_COMMANDS

# What readline does at a TAB: the words so far, and which of them the cursor is in.
TAB = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
function=$(complete -p robson | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
"$function" robson "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = StringIO()
    call_command("completion", "bash", stdout=out)
    path = tmp_path_factory.mktemp("completion") / "robson.bash"
    path.write_text(out.getvalue(), encoding="utf-8")
    return path


def completed(script: Path, *words: str) -> set[str]:
    done = subprocess.run(
        ["bash", "--norc", "-c", TAB, "bash", str(script), "robson", *words],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "answers"),
    [
        (["pos"], {"positions"}),
        (["arm", "--si"], {"--side"}),
        (["arm", "--side", ""], {"long", "short"}),
        (["arm", "BTCUSDT", "--interval", "1"], {"1s", "1m", "15m", "1h", "12h", "1d"}),
        (["positions", "--w"], {"--watch"}),
        (["completion", "z"], {"zsh"}),
    ],
)
def test_bash_completes_commands_options_and_choices(
    script: Path, words: list[str], answers: set[str]
) -> None:
    assert completed(script, *words) == answers


def test_bash_knows_every_command_of_the_owner(script: Path) -> None:
    assert completed(script, "") == set(OWNER_COMMANDS)


def test_options_of_djangos_own_are_left_out(script: Path) -> None:
    assert "--pythonpath" not in completed(script, "positions", "--")


@pytest.mark.parametrize(("shell", "mark"), [("zsh", "#compdef robson"), ("fish", "complete -c robson")])
def test_other_shells_get_scripts_of_their_own(shell: str, mark: str) -> None:
    out = StringIO()
    call_command("completion", shell, stdout=out)
    assert mark in out.getvalue()
    assert "positions" in out.getvalue()


def test_a_shell_that_is_not_known_is_refused() -> None:
    with pytest.raises(CommandError, match="powershell"):
        call_command("completion", "powershell", stdout=StringIO())
