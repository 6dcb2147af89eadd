"""The first five minutes: what somebody types who has read nothing yet, and the words that are met."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from ionos_openai import IonosSettings, create_client
from ionos_openai.cli import app
from ionos_openai.cli.completion import script
from ionos_openai.cli.terminal.output import Terminal, as_option
from ionos_openai.cli.terminal.prompts import expand
from ionos_openai.client import login
from ionos_openai.files import installation
from ionos_openai.files.installation import how_to_install
from ionos_openai.hub.credentials import clean_token
from tests.loopback import Answer, LoopbackServer
from tests.terminal import Result
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Callable


class _Screen(io.StringIO):
    """A stream that takes itself for a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["--verson"], "No such option: --verson. Did you mean --version?"),
        (["-v"], "No such option: -v. Did you mean -V?"),
        (["--install-completion"], "No such option: --install-completion. Did you mean: ionos-openai completion bash."),
        (["generat", "a fox"], "No such command: generat. Did you mean generate?"),
        (["help", "galery"], "No such command: galery. Did you mean gallery?"),
    ],
)
def test_a_mistyped_word_is_answered_by_what_was_meant(line: list[str], said: str, cli: Callable[..., Result]) -> None:
    """Options and commands that are not there end with 2 and name the nearest one."""
    assert cli(*line) == Result(2, "", f"Error: {said} See: ionos-openai --help\n")


def test_an_option_of_a_command_that_is_mistyped_names_the_one_that_is_meant(cli: Callable[..., Result]) -> None:
    """A command's own options are found too."""
    result = cli("generate", "a fox", "--sandbx")
    assert result.code == 2
    assert "Did you mean --sandbox? See: ionos-openai generate --help\n" in result.err


def test_version_and_help_have_the_short_forms_that_are_tried(cli: Callable[..., Result]) -> None:
    """`-V` is the version, `help` is the help."""
    assert cli("-V") == cli("--version")
    assert cli("help") == cli("--help")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion_prints_a_script_with_commands_and_options(shell: str, cli: Callable[..., Result]) -> None:
    """The script names each command and its options."""
    result = cli("completion", shell)
    assert (result.code, result.err) == (0, "")
    assert all(word in result.out for word in ("ionos-openai", "generate", "gallery", "max-cost"))
    assert "#" in result.out.splitlines()[0]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "found"), [("ionos-openai gener", "generate"), ("ionos-openai batch --max-c", "--max-cost")]
)
def test_the_script_completes_in_bash(words: str, found: str, cli: Callable[..., Result]) -> None:
    """Commands, and the options of each."""
    count = len(words.split()) - 1
    asking = f'COMP_WORDS=({words}); COMP_CWORD={count}; _ionos_openai; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", cli("completion", "bash").out + asking], capture_output=True, check=True)
    assert done.stdout.decode().split() == [found]


def test_a_shell_that_is_not_known_is_refused(cli: Callable[..., Result]) -> None:
    """The message names those that are."""
    said = "Error: tcsh is no shell that is known: name bash, zsh, fish or powershell.\n"
    assert cli("completion", "tcsh") == Result(2, "", said)
    assert "compinit" in script("zsh", {"generate": ["--output"]})


def test_words_without_quotes_are_not_taken_for_as_many_prompts(cli: Callable[..., Result]) -> None:
    """Where nobody can be asked, prompts of a word each are refused, with their cost; --yes says it is meant."""
    said = (
        "Error: These are 3 prompts, 3 pictures, no cost, placeholders of the sandbox. Did you mean one, in quotes: "
        '"fox in snow"? Nobody is here to confirm that: add --yes.\n'
    )
    assert cli("generate", "fox", "in", "snow", "--sandbox") == Result(2, "", said)
    assert list(Path().iterdir()) == []
    assert cli("generate", "fox", "in", "snow", "--sandbox", "--yes", "-q").out.split() == [
        "fox.jpg",
        "in.jpg",
        "snow.jpg",
    ]
    assert cli("generate", "a fox", "snow", "--sandbox", "-q").code == 0


def test_they_are_asked_about_before_a_token_is_missed(cli: Callable[..., Result]) -> None:
    """The first mistake of somebody without a token is the one that is told."""
    assert "Did you mean one, in quotes" in cli("generate", "fox", "in", "snow").err


def test_words_behind_a_picture_are_taken_for_its_prompt(cli: Callable[..., Result]) -> None:
    """`edit fox.jpg give it a hat` names no pictures called give, it and a."""
    Path("fox.jpg").touch()
    said = "There is no picture 'give'. Did you mean: ionos-openai edit fox.jpg 'give it a hat'"
    assert cli("edit", "fox.jpg", "give", "it", "a", "hat", "--sandbox") == Result(2, "", f"Error: {said}\n")


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 2), ("", 2)])
def test_on_a_terminal_they_are_asked_about(
    answer: str, code: int, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]
) -> None:
    """The question names the sentence that was meant; anything but yes sends nothing."""
    monkeypatch.setattr(sys, "stdin", _Screen(answer))
    result = cli("generate", "red", "fox", "--sandbox")
    assert result.code == code
    assert 'Did you mean one, in quotes: "red fox"?\nGo on? [y/N] ' in result.err
    assert len(list(Path().glob("*.jpg"))) == (2 if code == 0 else 0)


def test_a_prompt_in_a_pipe_needs_no_name(monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]) -> None:
    """What is piped or redirected in is the prompt where none is given, and the file of a batch."""
    Path("prompt.txt").write_text("a red mug\n")
    for line in (["generate", "--sandbox", "-q"], ["batch", "--sandbox", "-o", "many", "-q"]):
        with Path("prompt.txt").open() as file:
            monkeypatch.setattr(sys, "stdin", file)
            result = cli(*line)
        assert result.code == 0
        assert result.out.strip().endswith("a-red-mug.jpg")


def test_generate_tells_its_plan(cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    """`--dry-run` tells number and cost, and sends and writes nothing."""
    monkeypatch.setenv("IONOS_API_TOKEN", make_token())
    result = cli("generate", "a fox", "a lighthouse", "-n", "2", "--dry-run", "-o", "new/")
    assert result == Result(0, "Would make 4 pictures, 0.128 USD. Nothing was sent.\n", "")
    document = cli("generate", "a fox", "--dry-run", "--json").json()
    assert (document["dry_run"], document["images"], document["cost"]) == (
        True,
        1,
        {"amount": "0.032", "currency": "USD"},
    )
    assert list(Path().iterdir()) == []


def test_several_prompts_can_be_asked_for_at_once(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]
) -> None:
    """The paths stand in the order of the prompts, whatever comes first; a failure is one line with its count."""
    result = cli("generate", "one a", "two b", "three c", "--sandbox", "-q", "--concurrency", "3")
    assert result == Result(0, "one-a.jpg\ntwo-b.jpg\nthree-c.jpg\n", "")
    options = ("--base-url", server.url, "--concurrency", "2")
    monkeypatch.setenv("IONOS_API_TOKEN", make_token())
    monkeypatch.setenv("IONOS_MAX_RETRIES", "0")
    server.default = Answer(400, {"error": {"message": "No."}})
    result = cli("generate", "a fox", "a cat", *options)
    assert result.code == 1
    assert 'Error: 2 times: The service answered 400 - No. ("a fox", "a cat")\n' in result.err


def test_windows_finds_files_by_patterns() -> None:
    """Its shells hand patterns on as they are; a name that is there is no pattern, nor is one that fits nothing."""
    for name in ("b.jpg", "a.jpg", "[x].jpg"):
        Path(name).touch()
    assert expand(["?.jpg", "[x].jpg", "*.png"], is_windows=True) == ["a.jpg", "b.jpg", "[x].jpg", "*.png"]
    assert expand(["?.jpg"], is_windows=False) == ["?.jpg"]


def test_a_token_loses_the_quotes_that_a_shell_left_on_it() -> None:
    """`set IONOS_API_TOKEN="eyJ..."` keeps them on Windows."""
    assert [clean_token(text) for text in ('"eyJa"', "'eyJa'", ' "Bearer eyJa" ', "eyJa")] == ["eyJa"] * 4


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("raise max_wait= or IONOS_MAX_WAIT.", "raise --max-wait or IONOS_MAX_WAIT."),
        ("longer than max_wait=20 s allows", "longer than --max-wait 20 s allows"),
        (
            "with prices={'a': '0.03 EUR'} or IONOS_PRICES, or leave max_cost out",
            "with IONOS_PRICES, or leave --max-cost out",
        ),
        ("mend ca_bundle=, IONOS_CA_BUNDLE or --ca-bundle", "mend IONOS_CA_BUNDLE or --ca-bundle"),
        ("a maximum_cost and n=2", "a maximum_cost and n=2"),
    ],
)
def test_options_are_called_as_they_are_typed(said: str, shown: str) -> None:
    """The library's messages speak of arguments, the terminal's of options."""
    assert as_option(said) == shown


def test_an_error_wraps_at_words_and_its_remedy_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal no word is broken, and a path that is longer than the line stays whole."""
    monkeypatch.setenv("COLUMNS", "40")
    screen = _Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    path = "/a/very/long/path/of/a/picture/which/is/not/cut.jpg"
    Terminal().error(f"Cannot write {path}: No space left. Make room, then call the same command again.")
    text = screen.getvalue().replace("\x1b[1;31m", "").replace("\x1b[0m", "")
    assert text == (
        f"Error: Cannot write\n  {path}:\n  No space left.\n  Make room, then call the same command\n  again.\n"
    )


def test_the_time_to_wait_is_told_in_seconds(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]
) -> None:
    """After a 429 nobody is sent to look at a header."""
    monkeypatch.setenv("IONOS_API_TOKEN", make_token())
    monkeypatch.setenv("IONOS_MAX_RETRIES", "0")
    server.default = Answer(429, {"error": {"message": "Slow."}}, headers={"Retry-After": "42"})
    result = cli("generate", "a fox", "--base-url", server.url)
    assert result.code == 75
    assert "wait 42 s, then try again." in result.err
    assert "Retry-After" not in result.err


@pytest.mark.parametrize(
    ("url", "command"),
    [
        (None, 'pip install "ionos-openai[cli]"'),
        ({"url": "file:///srv/a%20clone", "dir_info": {"editable": True}}, 'pip install -e "/srv/a clone[cli]"'),
        ({"url": "file:///srv/clone", "dir_info": {}}, 'pip install "/srv/clone[cli]"'),
        (
            {"url": "https://me:secret@git.example.com/x.git", "vcs_info": {"vcs": "git", "commit_id": "1"}},
            'pip install "ionos-openai[cli] @ git+https://git.example.com/x.git"',
        ),
        ({"url": "file:///w/x.whl", "archive_info": {}}, 'pip install "ionos-openai[cli] @ file:///w/x.whl"'),
    ],
)
def test_the_rest_is_installed_as_the_package_was(
    url: dict[str, object] | None, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One command for all that is missing, by name, from the folder, or from the server; without a password."""
    found = SimpleNamespace(read_text=lambda name: None if url is None else json.dumps(url))
    monkeypatch.setattr(installation.importlib.metadata, "distribution", lambda name: found)
    assert how_to_install("cli") == command


def _log_in(cli: Callable[..., Result], server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, token: str) -> Result:
    server.default = Answer(200, {"object": "list", "data": []})
    monkeypatch.setattr(sys, "stdin", io.StringIO(token + "\n"))
    return cli("login", "--base-url", server.url)


def test_login_keeps_a_token_that_the_library_reads_last(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]
) -> None:
    """It is asked for, checked, kept for this user alone, used where nothing else is set, and removed by logout."""
    monkeypatch.setattr(login, "_keyring", lambda: None)
    token, other = make_token(), make_token(days=90)
    result = _log_in(cli, server, monkeypatch, f'"{token}"')
    assert result.code == 0
    assert token not in result.out + result.err
    [path] = Path(os.environ["XDG_CONFIG_HOME"]).glob("ionos-openai/login.json")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 or os.name == "nt"
    assert create_client().api_key == token
    assert str(IonosSettings().origin("api_key")) == f"the login in {path}"
    assert f"the login in {path}: a JWT" in cli("doctor", "--offline").out
    monkeypatch.setenv("IONOS_API_TOKEN", other)
    assert create_client().api_key == other
    monkeypatch.delenv("IONOS_API_TOKEN")
    for elsewhere in ({"CI": "true"}, {}):
        with pytest.MonkeyPatch.context() as patch:
            for name, value in elsewhere.items():
                patch.setenv(name, value)
            if not elsewhere:
                patch.setattr(login, "_machine", lambda: "another one")
            assert IonosSettings().api_key is None
    assert cli("logout") == Result(0, "The token is removed.\n", "")
    assert (path.exists(), IonosSettings().api_key) == (False, None)
    assert cli("logout").out == "There was no token that was kept.\n"


def test_login_refuses_what_cannot_work(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]
) -> None:
    """A token's ID is not kept, nor is anything in a job of continuous integration."""
    monkeypatch.setattr(login, "_keyring", lambda: None)
    result = _log_in(cli, server, monkeypatch, "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")
    assert (result.code, login.read(), server.requests) == (77, None, [])
    monkeypatch.setenv("CI", "true")
    result = _log_in(cli, server, monkeypatch, make_token())
    assert result == Result(2, "", "Error: CI is set, and there no kept token is read: set IONOS_API_TOKEN.\n")


def test_a_keyring_takes_the_token_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then no file has it."""
    kept: dict[tuple[str, str], str] = {}
    ring = SimpleNamespace(
        set_password=lambda service, user, secret: kept.update({(service, user): secret}),
        get_password=lambda service, user: kept.get((service, user)),
        delete_password=lambda service, user: kept.pop((service, user)),
    )
    monkeypatch.setattr(login, "_keyring", lambda: ring)
    assert login.keep(SecretStr("eyJa.b.c")) == "the system's keyring"
    found = login.read()
    assert found is not None
    assert found.token.get_secret_value() == "eyJa.b.c"
    [path] = Path(os.environ["XDG_CONFIG_HOME"]).glob("ionos-openai/login.json")
    assert "eyJ" not in path.read_text()
    assert login.forget()
    assert (kept, login.read()) == ({}, None)


def test_a_closed_input_is_no_pipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Then a missing prompt is the usage error that it was."""
    monkeypatch.setattr(sys, "stdin", None)
    assert app.run(["generate"]) == 2
    assert "Missing argument 'PROMPT...'" in capsys.readouterr().err
