"""The command line: what is printed where, what is saved, and with which code it ends."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
import typer
from PIL import Image

from ionos_openai import __main__, __version__
from ionos_openai.cli import app, generate as pictures
from ionos_openai.cli.generate import choose_target, may_overwrite
from ionos_openai.cli.terminal.exits import exit_code, message, worst
from ionos_openai.cli.terminal.options import PictureOptions
from ionos_openai.errors import (
    BatchRunningError,
    BudgetExceededError,
    BudgetUnavailableError,
    ConfigurationError,
    ImageSaveError,
    InvalidRequestError,
    InvalidTokenError,
    MissingTokenError,
    UnknownModelError,
    UntrustedHostError,
)
from ionos_openai.errors.http import http_library
from ionos_openai.files import writing as files
from ionos_openai.files.installation import how_to_install
from ionos_openai.images import generate
from ionos_openai.images.image import ImageDecodeError
from tests import REPOSITORY
from tests.loopback import Answer, LoopbackServer
from tests.terminal import Result
from tests.tokens import make_token

if TYPE_CHECKING:
    from collections.abc import Callable


FLUX = "black-forest-labs/FLUX.1-schnell"
KLEIN = "black-forest-labs/FLUX.2-klein-4B"
PROMPT = "A futuristic cityscape at sunset, highly detailed"


@pytest.fixture
def service(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> LoopbackServer:
    """A loopback server that the command line takes for the service, with a token and without retries."""
    monkeypatch.setenv("IONOS_API_TOKEN", make_token())
    monkeypatch.setenv("IONOS_BASE_URL", server.url)
    monkeypatch.setenv("IONOS_MAX_RETRIES", "0")
    server.default = PICTURE
    return server


def _picture() -> Answer:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 8), "teal").save(buffer, "JPEG")
    return Answer(body={"data": [{"b64_json": base64.b64encode(buffer.getvalue()).decode()}]})


PICTURE = _picture()


def _look(picture: str | Path | io.BytesIO) -> tuple[str | None, int, int]:
    """Return format, width and height of a picture, as Pillow sees it."""
    with Image.open(picture) as opened:
        return opened.format, *opened.size


def _refusal(status: int, text: str = "No.") -> Answer:
    return Answer(status, {"httpStatus": status, "messages": [{"errorCode": "c-1", "message": text}]})


def _python(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    root = REPOSITORY
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run([sys.executable, *arguments], capture_output=True, env=environment, check=False, **options)


def test_help_and_version_load_no_heavy_module() -> None:
    """`--help` and `--version` load none of openai, Pillow, pydantic and rich, so that they are quick."""
    script = """
import sys
from ionos_openai.__main__ import main
for line in (["--help"], ["generate", "--help"], ["doctor", "--help"], ["--version"]):
    sys.argv = ["ionos-openai", *line]
    try:
        main()
    except SystemExit as leaving:
        assert leaving.code == 0, leaving.code
heavy = {"openai", "PIL", "pydantic", "pydantic_settings", "rich", "httpx", "httpx2"}
print("loaded:", sorted(heavy & set(sys.modules)))
"""
    done = _python("-c", script)
    assert done.stderr == b""
    # Typer itself loaded rich before 0.20, whatever was asked of it.
    by_typer = ["rich"] if tuple(int(part) for part in typer.__version__.split(".")[:2]) < (0, 20) else []
    assert done.stdout.decode().splitlines()[-1] in ("loaded: []", f"loaded: {by_typer}")


def test_commands_that_ask_no_service_load_no_sdk(cli: Callable[..., Result]) -> None:
    """`inspect`, `mark`, `costs`, `gallery` and `migrate` work without openai, pydantic and their HTTP library."""
    assert cli("generate", "a fox", "--sandbox", "-o", "fox.jpg").code == 0
    Path("prompts.txt").write_text("a fox\n")
    assert cli("batch", "prompts.txt", "--sandbox", "-o", "many").code == 0
    Path("old.py").write_text("import openai\n\nclient = openai.OpenAI()\nclient.images.generate(prompt='a fox')\n")
    script = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        assert name.partition(".")[0] not in ("openai", "pydantic", "httpx", "httpx2"), name
sys.meta_path.insert(0, Refuse())
from ionos_openai.cli.app import run
lines = ["inspect fox.jpg", "inspect gone.jpg", "mark fox.jpg", "costs many", "gallery many", "migrate old.py"]
sys.exit([run(line.split()) for line in lines] != [0, 1, 0, 0, 0, 0])
"""
    done = _python("-c", script)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("name", ["typer", "rich"])
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without typer or rich the script says how to install them, and exits with 2."""
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SystemExit) as leaving:
        __main__.main()
    assert leaving.value.code == 2
    said = f"Error: The command line needs further packages. Install with: {how_to_install('cli')}\n"
    assert capsys.readouterr().err == said


def test_version_is_printed(cli: Callable[..., Result]) -> None:
    """`--version` prints name and version."""
    assert cli("--version") == Result(0, f"ionos-openai {__version__}\n", "")


def test_no_command_shows_the_help(cli: Callable[..., Result]) -> None:
    """Without a command the help goes to standard error, with the code for usage."""
    result = cli()
    assert (result.code, result.out) == (2, "")
    assert "Usage: ionos-openai [OPTIONS] COMMAND [ARGS]..." in result.err


def test_the_exit_codes_stand_in_one_help(cli: Callable[..., Result]) -> None:
    """The group's help says what the exit codes mean and which one wins."""
    text = " ".join(cli("--help").out.split())
    assert (
        "0 all done, 1 refused, 2 usage, configuration or no token, 75 temporary (worth another try), 77 a token that "
        "is refused or cannot work, 130 interrupted." in text
    )
    assert "130, 77, 2, 1, 75, 0" in text


def test_each_help_ends_in_two_examples(cli: Callable[..., Result]) -> None:
    """Every command shows two lines that can be typed, whole, and speaks of no exit codes."""
    names = list(typer.main.get_command(app.app).commands)  # type: ignore[attr-defined]
    for name in names:
        text = cli("help", name).out
        assert text == cli(name, "--help").out
        examples = text.partition("Examples:\n")[2].partition("\n\n")[0].splitlines()
        assert len(examples) == 2, name
        assert all(line.startswith(f"    ionos-openai {name}") for line in examples), name
        assert "Exit codes" not in text


def test_the_help_lists_each_command_whole(cli: Callable[..., Result]) -> None:
    """What is made of prompts comes first, and no line is cut."""
    listed = cli("--help").out.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in listed] == [
        *(
            "generate",
            "edit",
            "batch",
            "costs",
            "results",
            "models",
            "doctor",
            "migrate",
            "mark",
            "sign",
            "inspect",
            "gallery",
        ),
        *("sandbox", "verify", "login", "logout", "completion"),
    ]
    assert not any("…" in line or "..." in line for line in listed)


def test_edit_without_a_prompt_says_so(cli: Callable[..., Result]) -> None:
    """One argument alone is neither a picture nor a prompt for certain; both are asked for."""
    said = "Error: Name a picture, and behind it the prompt that says what to change. See: ionos-openai edit --help\n"
    assert cli("edit", "a b.png") == Result(2, "", said)


def test_a_usage_error_is_one_line(cli: Callable[..., Result]) -> None:
    """A wrong command line ends with 2 and one line that names the help."""
    result = cli("generate")
    assert result == Result(2, "", "Error: Missing argument 'PROMPT...'. See: ionos-openai generate --help\n")


def test_a_usage_error_is_json_too(cli: Callable[..., Result]) -> None:
    """With `--json` a wrong command line is a JSON document as well."""
    result = cli("models", "--json", "--nonsense")
    error = result.json()["error"]
    assert (result.code, result.json()["schema"], error["type"], error["exit_code"]) == (2, 1, "UsageError", 2)


def test_an_option_without_a_command_is_a_usage_error(cli: Callable[..., Result]) -> None:
    """An option where a command should stand ends as any usage error does, also as JSON."""
    assert cli("--nonsense") == Result(2, "", "Error: No such option: --nonsense. See: ionos-openai --help\n")
    assert cli("--json").json()["error"]["message"] == "No such option: --json. See: ionos-openai --help"


def test_the_newcomers_command_leaves_one_picture_and_says_what_it_is(cli: Callable[..., Result]) -> None:
    """The README's first command saves one placeholder in the current folder and prints a line about it."""
    result = cli("generate", PROMPT, "--sandbox")
    name = "a-futuristic-cityscape-at-sunset-highly-detailed.jpg"
    assert result == Result(0, f"{name}\t{FLUX}\t1024x1024\tJPEG\tplaceholder\n", "")
    assert [path.name for path in Path().iterdir()] == [name]
    assert _look(name) == ("JPEG", 1024, 1024)


def test_without_a_token_the_error_names_all_ways_out(cli: Callable[..., Result]) -> None:
    """Without token and `--sandbox`: code 2, and the variable, where a token is made, and `--sandbox`."""
    result = cli("generate", PROMPT)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("Error: No IONOS token")
    assert result.err.count("\n") == 1
    for way in ("IONOS_API_TOKEN", "Management > Token Manager", "--sandbox"):
        assert way in result.err
    assert list(Path().iterdir()) == []


def test_a_picture_of_the_service_is_not_called_a_placeholder(
    service: LoopbackServer, cli: Callable[..., Result]
) -> None:
    """The line says the size that the picture has, and a hyphen where a placeholder would be marked."""
    assert cli("generate", "a fox").out == f"a-fox.jpg\t{FLUX}\t16x8\tJPEG\t-\n"
    assert service.requests[0].json() == {"model": FLUX, "prompt": "a fox", "size": "1024x1024"}


def test_quiet_prints_only_paths(service: LoopbackServer, cli: Callable[..., Result]) -> None:
    """`--quiet` prints a path for each picture of each prompt, in order, and nothing else."""
    result = cli("generate", "a", "b", "-n", "2", "-q")
    assert result == Result(0, "a.jpg\na-2.jpg\nb.jpg\nb-2.jpg\n", "")


def test_json_tells_all_of_a_picture(service: LoopbackServer, cli: Callable[..., Result]) -> None:
    """`--json` is one document with schema 1, and what is in it is true of the file."""
    result = cli("generate", "a fox", "--json", "--format", "png")
    path = Path("a-fox.png")
    assert (result.code, result.err) == (0, "")
    assert result.json() == {
        "schema": 1,
        "sandbox": False,
        "images": [
            {
                "path": "a-fox.png",
                "model": FLUX,
                "prompt": "a fox",
                "size": "1024x1024",
                "width": 16,
                "height": 8,
                "format": "PNG",
                "bytes": path.stat().st_size,
                "sandbox": False,
            }
        ],
        "cost": {"amount": "0.032", "currency": "USD", "seen": "2026-06-02"},
        "errors": [],
    }
    assert _look(path) == ("PNG", 16, 8)


@pytest.mark.parametrize(
    "line",
    [
        ["generate", "a", "--size", "5x5"],
        ["generate", "a", "-n", "x"],
        ["edit", "missing.png", "a"],
        ["models", "--nonsense"],
        ["batch", "missing.txt", "-o", "out"],
        ["doctor", "--min-validity", "soon"],
    ],
)
def test_the_stand_in_is_named_in_the_json_of_an_error(
    line: list[str], monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]
) -> None:
    """`sandbox` is in the document of a command that failed too, by option and by variable."""
    assert cli(*line, "--json").json()["sandbox"] is False
    assert cli(*line, "--json", "--sandbox").json()["sandbox"] is True
    monkeypatch.setenv("IONOS_SANDBOX", "1")
    assert cli(*line, "--json").json()["sandbox"] is True
    monkeypatch.setenv("IONOS_SANDBOX", "perhaps")
    assert cli(*line, "--json").json()["sandbox"] is False


def test_the_stand_in_is_named_in_json(monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]) -> None:
    """`sandbox` is true in the document and on the picture, also when a variable asked for the sandbox."""
    monkeypatch.setenv("IONOS_SANDBOX", "1")
    result = cli("generate", "a", "--json")
    assert (result.json()["sandbox"], result.json()["images"][0]["sandbox"]) == (True, True)
    assert result.err == (
        "Warning: IONOS_SANDBOX in the environment is set: the sandbox answers, every picture is a placeholder.\n"
    )


@pytest.mark.parametrize(
    ("output", "path", "kind"),
    [
        ("pictures/fox.png", "pictures/fox.png", "PNG"),
        ("fox", "fox.jpg", "JPEG"),
        ("new/", "new/a.jpg", "JPEG"),
        ("there", "there/a.jpg", "JPEG"),
        (".", "a.jpg", "JPEG"),
    ],
)
def test_output_is_a_file_or_a_directory(
    output: str, path: str, kind: str, service: LoopbackServer, cli: Callable[..., Result]
) -> None:
    """`-o` names a file whose ending asks for the format, or a directory: an existing one, or with a slash."""
    Path("there").mkdir()
    result = cli("generate", "a", "-q", "-o", output)
    assert (result.code, result.out, result.err) == (0, f"{Path(path)}\n", "")
    assert _look(path) == (kind, 16, 8)


def test_a_prompt_is_read_from_standard_input(
    service: LoopbackServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]
) -> None:
    """The prompt `-` stands for all of standard input, as UTF-8."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Füchse\nim Schnee\n".encode()), "ascii"))
    assert cli("generate", "-").code == 0
    assert service.requests[0].json()["prompt"] == "Füchse\nim Schnee"


def test_the_librarys_warnings_are_plain_lines(cli: Callable[..., Result]) -> None:
    """A warning of the library is one line on standard error, without a file of Python's."""
    result = cli("generate", "a", "--sandbox", "-m", "klein", "-s", "1000x1000", "-q")
    lines = result.err.splitlines()
    assert (result.code, result.out) == (0, "a.jpg\n")
    assert all(line.startswith("Warning: ") and ".py" not in line for line in lines)
    assert lines[0].startswith("Warning: FLUX.2-klein-4B makes sides that are multiples of 16")


def test_a_person_on_a_terminal_reads_lines_without_tabs(
    monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]
) -> None:
    """On a terminal the path stands on a line of its own, and a placeholder is called one."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "40")
    path = f"{'long-' * 12}name.jpg"
    result = cli("generate", "a", "--sandbox", "-o", path)
    assert result.out == (f"{path}\n  {FLUX}, 1024x1024, JPEG\n  A placeholder of the sandbox, not made by a model.\n")


def test_a_picture_goes_to_a_pipe_as_it_was_sent() -> None:
    """`-o -` writes the picture's bytes and nothing else to standard output; its line goes to standard error."""
    done = _python("-m", "ionos_openai", "generate", "-", "--sandbox", "-o", "-", input=b"a fox")
    assert done.returncode == 0
    assert _look(io.BytesIO(done.stdout)) == ("JPEG", 1024, 1024)
    assert done.stderr.decode().splitlines() == [f"-\t{FLUX}\t1024x1024\tJPEG\tplaceholder"]


def test_a_pipe_gets_the_format_that_was_asked_for(
    service: LoopbackServer, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """`-o -` with `--format` converts, and its JSON goes to standard error."""
    code = app.run(["generate", "a", "-o", "-", "--format", "webp", "--json"])
    out, err = capfdbinary.readouterr()
    assert (code, _look(io.BytesIO(out))) == (0, ("WEBP", 16, 8))
    [facts] = json.loads(err)["images"]
    assert (facts["path"], facts["format"], facts["bytes"]) == (None, "WEBP", len(out))


@pytest.mark.parametrize("wrong", [["--format", "bmp"], ["-n", "x"]])
def test_an_error_never_goes_into_the_picture(wrong: list[str], cli: Callable[..., Result]) -> None:
    """With `-o -` and `--json`, standard error holds the error's document alone and standard output nothing."""
    result = cli("generate", "a", "--sandbox", "-o", "-", "--json", *wrong)
    assert (result.code, result.out, json.loads(result.err)["error"]["exit_code"]) == (2, "", 2)


def test_no_picture_is_written_to_a_terminal() -> None:
    """`-o -` is refused where standard output is a terminal."""
    with pytest.raises(InvalidRequestError, match="would write the picture's bytes to the terminal: pipe them"):
        choose_target(PictureOptions(output="-"), prompts=1, stdout_is_terminal=True)


class _Full(io.RawIOBase):
    """A pipe that takes nothing."""

    def __init__(self, error: OSError) -> None:
        self.error = error

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise self.error


@pytest.mark.parametrize(
    ("error", "code"), [(OSError(28, "No space left on device"), 2), (BrokenPipeError(32, "Broken pipe"), 1)]
)
def test_a_picture_that_no_pipe_takes_is_saved(
    error: OSError,
    code: int,
    service: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """When standard output takes no picture any more, it is saved in the folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(_Full(error)))
    assert app.run(["generate", "a", "-o", "-"]) == code
    [saved] = tmp_path.glob("*/*")
    assert saved.name == "a.jpg"
    assert f"Warning: So that the picture is not lost, it was saved as {saved}.\n" in capsys.readouterr().err


@pytest.mark.parametrize("line", [["generate", "a", "b", "--sandbox"], ["models", "--sandbox"], ["generate", "--help"]])
def test_a_full_disk_behind_standard_output_is_one_line(
    line: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be printed ends the command with a message instead of a traceback."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(_Full(OSError(28, "No space left on device")), "utf-8"))
    assert app.run(line) == 2
    assert capsys.readouterr().err == "Error: Cannot write the result: No space left on device.\n"
    assert len(list(Path().iterdir())) == (line[1] == "a")


@pytest.mark.parametrize(
    ("closed", "line", "code", "said"),
    [
        ("stdout", ["generate", "a"], 0, ""),
        ("stderr", ["generate", "a", "-q"], 0, "a.jpg\n"),
        (
            *("stdout", ["generate", "a", "-o", "-"], 2),
            "Error: -o - would lose the picture: standard output is closed. Name a file.\n",
        ),
        (*("stdin", ["generate", "-"], 2), "Error: The prompt - cannot be read: standard input is closed.\n"),
    ],
)
def test_a_closed_stream_is_no_bug(closed: str, line: list[str], code: int, said: str) -> None:
    """Python has None for a stream that was closed before the start; pictures are made all the same, but not lost."""
    script = f"import sys; sys.{closed} = None; from ionos_openai.cli.app import run; sys.exit(run(sys.argv[1:]))"
    done = _python("-c", script, *line, "--sandbox")
    assert (done.returncode, (done.stdout + done.stderr).decode().replace("\r", "")) == (code, said)
    assert Path("a.jpg").exists() is (code == 0)


def test_a_reader_that_leaves_ends_the_command_without_a_word() -> None:
    """When the pipe is closed (`| head`), nothing is printed on standard error, and no traceback."""
    command = [sys.executable, "-m", "ionos_openai", "models", "--all", "--sandbox", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (1, b"")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a", " "], "The prompt is empty"),
        (["-", "-"], "standard input can be read once"),
        (["a", "-s", "10"], "The size '10' cannot be "),
        (["a", "-s", "10x10"], "FLUX.1-schnell makes 1024x1024 or"),
        (["a", "-n", "0"], "-n is 0: it must be a whole number from 1 to 100."),
        (["a", "-n", "101"], "-n is 101"),
        (["a", "-n", "x"], "Invalid value for '-n'"),
        (["a", "--max-wait", "-1"], "--max-wait is not a number of seconds from 0"),
        (["a", "--format", "bmp"], "--format 'bmp' cannot be written"),
        (["a", "--name", "x/y"], "is a path"),
        (["a", "-m", " "], "The model is empty: name one"),
        (["a", "-o", "x.gif"], "end the name in .jpg, .png or .webp"),
        (["a", "-o", "x.png", "--format", "webp"], "contradicts --format 'WEBP'"),
        (["a", "-o", "x.png", "--name", "y"], "names a file already: leave --name out"),
        (["a", "-o", "file/y.png"], "file is a file, not a directory"),
        (["a", "-o", " "], "-o is empty"),
        (["a", "b", "-o", "-"], "-o - takes one picture"),
        (["a", "-n", "2", "-o", "-"], "-o - takes one picture"),
        (["a", "--name", "y", "-o", "-"], "leave --name and --overwrite out"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_sent(
    arguments: list[str], said: str, service: LoopbackServer, cli: Callable[..., Result]
) -> None:
    """A typo ends with code 2 and a message, and not one picture was asked for."""
    Path("file").touch()
    result = cli("generate", *arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("Error: ")
    assert said in result.err
    assert service.requests == []
    assert [path.name for path in Path().iterdir()] == ["file"]


def test_an_unknown_model_is_refused_at_ionos_and_an_alias_elsewhere(
    service: LoopbackServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]
) -> None:
    """What a gateway calls its models it knows itself; at IONOS a name that fits none buys nothing."""
    assert cli("generate", "a", "-m", "nonsense").out.startswith("a.jpg\tnonsense\t")
    monkeypatch.delenv("IONOS_BASE_URL")
    result = cli("generate", "a", "-m", "nonsense")
    assert (result.code, "No image model fits the name 'nonsense'" in result.err) == (2, True)


def test_a_prompt_that_is_not_text_is_refused(
    service: LoopbackServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]
) -> None:
    """Standard input that is not UTF-8 is refused before anything is sent."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe")))
    result = cli("generate", "-")
    assert result.err == "Error: The prompt from standard input is not UTF-8 text: save it as UTF-8.\n"
    assert (result.code, service.requests) == (2, [])


def test_bytes_of_another_encoding_are_refused_before_anything_is_sent(
    service: LoopbackServer, cli: Callable[..., Result]
) -> None:
    """Python keeps them as halves of surrogate pairs, which no request can hold."""
    result = cli("generate", "a", "caf\udce9")
    assert result.err == "Error: The prompt is not UTF-8 text: save it as UTF-8, and pipe it in with -.\n"
    assert cli("generate", "a", "-m", "caf\udce9/x").err.startswith("Error: The model is no valid text: ")
    assert (result.code, service.requests) == (2, [])


def test_an_answer_that_cannot_be_read_is_one_line(service: LoopbackServer, cli: Callable[..., Result]) -> None:
    """What came before it is in the document, and no command shows a traceback."""
    unreadable = Answer(200, b"{", {"content-type": "application/json"})
    service.answers = [PICTURE, unreadable]
    result = cli("generate", "a", "b", "--json")
    document = result.json()
    assert (result.code, [image["path"] for image in document["images"]]) == (1, ["a.jpg"])
    assert (document["error"]["prompt"], document["error"]["type"]) == ("b", "APIResponseValidationError")
    service.default = unreadable
    result = cli("models")
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)


def test_a_failing_prompt_does_not_stop_the_others(service: LoopbackServer, cli: Callable[..., Result]) -> None:
    """What is refused is told with its prompt, the other prompts are made, and the worst code counts."""
    service.answers = [_refusal(503, "Busy."), PICTURE, _refusal(400, "Bad words.")]
    result = cli("generate", "a", "b", "c", "-q")
    assert (result.code, result.out) == (1, "b.jpg\n")
    assert result.err == (
        'Error: "a": The service answered 503 - Busy. (c-1).\n'
        'Error: "c": The service answered 400 - Bad words. (c-1).\n'
    )


def test_a_refused_token_stops_the_others(service: LoopbackServer, cli: Callable[..., Result]) -> None:
    """After a 401 nothing more is sent, and the code is the token's."""
    service.answers = [PICTURE, _refusal(401, "Unauthorized")]
    result = cli("generate", "a", "b", "c", "d", "-q")
    assert (result.code, result.out, len(service.requests)) == (77, "a.jpg\n", 2)
    assert result.err.splitlines()[-1] == "Error: 2 further prompts were not sent."


def test_errors_are_in_the_json_document(service: LoopbackServer, cli: Callable[..., Result]) -> None:
    """Each failed prompt is an entry of `errors`, and `error` is the one that decided the exit code."""
    refused = Answer(400, _refusal(400).body, {"x-trace-id": "trace-1"})
    service.answers = [_refusal(500), PICTURE, refused]
    result = cli("generate", "a", "b", "c", "--json")
    document = result.json()
    assert [image["path"] for image in document["images"]] == ["b.jpg"]
    assert [(error["prompt"], error["exit_code"]) for error in document["errors"]] == [("a", 75), ("c", 1)]
    assert document["error"] == document["errors"][1]
    assert document["error"] == {
        "prompt": "c",
        "message": "The service answered 400 - No. (c-1).",
        "type": "BadRequestError",
        "code": "c-1",
        "status": 400,
        "request_id": "trace-1",
        "exit_code": 1,
    }


def test_an_error_before_the_first_request_is_json_too(cli: Callable[..., Result]) -> None:
    """With `--json` an error goes to standard output as a document, and to standard error for people."""
    result = cli("generate", "a", "--json")
    assert result.code == 2
    assert result.json()["error"]["type"] == "MissingTokenError"
    assert (result.json()["schema"], result.json()["error"]["exit_code"]) == (1, 2)
    assert result.err.startswith("Error: No IONOS token")


def test_pictures_that_came_before_a_failure_are_kept(service: LoopbackServer, cli: Callable[..., Result]) -> None:
    """Of several pictures of one prompt, those that came are saved and listed although another one failed."""
    service.answers = [PICTURE, PICTURE, _refusal(400)]
    result = cli("generate", "a", "-n", "3", "-q")
    assert result.code == 1
    assert len(result.out.splitlines()) == len(list(Path().glob("*.jpg")))


def test_overwrite_replaces_files_but_not_those_of_the_same_run(
    service: LoopbackServer, cli: Callable[..., Result]
) -> None:
    """`--overwrite` replaces what was there before, and never a picture that the same command has just saved."""
    for name in ("fox.jpg", "a-fox.jpg"):
        Path(name).write_text("old")
    result = cli("generate", "a fox", "A fox!", "--overwrite", "-q")
    assert result.out == "a-fox.jpg\na-fox-2.jpg\n"
    result = cli("generate", "a", "b", "--overwrite", "-q", "-o", "fox.jpg")
    assert result.out == "fox.jpg\nfox-2.jpg\n"
    assert all(_look(path) == ("JPEG", 16, 8) for path in Path().glob("*.jpg"))


@pytest.mark.parametrize(
    ("wanted", "saved", "n", "may"),
    [
        ("fox", [], 1, True),
        ("fox", ["fox.jpg"], 1, False),
        ("fox", ["Fox.png"], 1, False),
        ("fox", ["fox-2.jpg"], 1, True),
        ("fox", ["fox-2.jpg"], 2, False),
        ("fox-2", ["fox.jpg"], 2, True),
        ("x" * 195, ["y.jpg"], 1, False),
    ],
)
def test_a_name_may_be_overwritten_unless_this_run_made_it(wanted: str, saved: list[str], n: int, may: bool) -> None:
    """No number of a name may hit a file of this run; a name so long that it will be cut is never sure."""
    assert may_overwrite(wanted, [Path("d") / one for one in saved], n) is may


def test_a_picture_that_cannot_be_written_is_saved_elsewhere(
    service: LoopbackServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cli: Callable[..., Result]
) -> None:
    """When the disk is full although it was checked, pictures go to the folder for temporary files, and it ends."""

    def no_space(*args: object, **options: object) -> list[Path]:
        raise ImageSaveError("Cannot save a.jpg: No space left on device.")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(generate, "save_images", no_space)
    result = cli("generate", "a", "b", "-q")
    [saved] = tmp_path.glob("*/*.jpg")
    assert (result.code, result.out, len(service.requests)) == (2, f"{saved}\n", 1)
    assert result.err.splitlines() == [
        f"Warning: So that the picture is not lost, it was saved as {saved}.",
        'Error: "a": Cannot save a.jpg: No space left on device.',
        "Error: 1 further prompt was not sent.",
    ]


def test_a_full_disk_names_no_remedy_of_pythons(
    service: LoopbackServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cli: Callable[..., Result]
) -> None:
    """The library tells whoever holds the pictures in code to save them elsewhere; a terminal has none."""

    def full(path: Path, data: bytes) -> None:
        if path.name.startswith(".a.") and path.parent == Path():
            raise OSError(28, "No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(files, "_write_synced", full)
    result = cli("generate", "a", "-q")
    [saved] = tmp_path.glob("*/*.jpg")
    assert result == Result(
        2,
        f"{saved}\n",
        f"Warning: So that the picture is not lost, it was saved as {saved}.\n"
        "Error: Cannot save a.jpg in .: No space left on device.\n",
    )


def test_paths_in_messages_are_whole(cli: Callable[..., Result]) -> None:
    """A long path of one's own, or one with "sk-" in it, is no secret."""
    place = Path(*["Long"] * 24, "task-sk-canarycanary")
    place.parent.mkdir(parents=True)
    place.touch()
    said = f"Error: {place.resolve()} is a file, not a directory. Choose another directory.\n"
    assert cli("generate", "a", "--sandbox", "-o", f"{place.resolve()}/").err == said


def test_the_contracts_own_price_comes_first(
    service: LoopbackServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]
) -> None:
    """`IONOS_PRICES` decides what `generate` tells, as it does for a batch."""
    monkeypatch.setenv("IONOS_PRICES", "FLUX.1-schnell=0.50 EUR")
    document = cli("generate", "a", "-n", "2", "--json").json()
    assert document["cost"] == {"amount": "1.00", "currency": "EUR", "seen": None}


@pytest.mark.parametrize(("prompts", "saved"), [(["a", "b"], "Saved: a.jpg."), (["b"], "Nothing was saved.")])
def test_an_interruption_says_what_was_saved(
    prompts: list[str], saved: str, service: LoopbackServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]
) -> None:
    """Ctrl-C ends with 130 and names the pictures that are on disk."""
    make = pictures.generate_images

    def interrupted(client: openai.OpenAI, prompt: str, **options: Any) -> Any:
        if prompt == "b":
            raise KeyboardInterrupt
        return make(client, prompt, **options)

    monkeypatch.setattr(pictures, "generate_images", interrupted)
    result = cli("generate", *prompts, "-q")
    assert (result.code, result.err) == (130, f"Error: Interrupted. {saved}\n")


def test_an_interruption_among_several_pictures_says_why_it_takes_a_while(
    service: LoopbackServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]
) -> None:
    """At Ctrl-C while several pictures are on their way, it is said that they are saved and how to give them up."""

    def interrupted(*args: object, **options: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(pictures, "generate_images", interrupted)
    before = signal.getsignal(signal.SIGINT)
    result = cli("generate", "a", "-n", "2")
    assert (result.code, signal.getsignal(signal.SIGINT)) == (130, before)
    assert result.err == (
        "Warning: The pictures that are on their way are still saved; Ctrl-C again gives them up.\n"
        "Error: Interrupted. Nothing was saved.\n"
    )


def test_a_bug_shows_its_traceback(monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]) -> None:
    """An exception that nobody expects is not dressed up as a message."""

    def bug(*args: object, **options: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(pictures, "generate_images", bug)
    with pytest.raises(RuntimeError, match="a bug"):
        cli("generate", "a", "--sandbox")


def test_variables_that_the_http_library_cannot_use_are_named_without_their_values(
    service: LoopbackServer, monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]
) -> None:
    """A proxy of an unknown kind is a configuration error that names the variable and not the password."""
    monkeypatch.setenv("ALL_PROXY", "foo://user:canary@proxy:1")
    result = cli("generate", "a")
    assert result == Result(2, "", "Error: ALL_PROXY cannot be used: write http://HOST:PORT, or unset it.\n")


def _status_error(kind: type[openai.APIStatusError], status: int) -> openai.APIStatusError:
    http = http_library()
    response = http.Response(status, request=http.Request("POST", "https://host.example/v1"))
    return kind(f"Error code: {status} - Why.", response=response, body=None)


def _connection_error(kind: type[openai.APIConnectionError], method: str = "POST") -> openai.APIConnectionError:
    return kind(request=http_library().Request(method, "https://host.example:8443/v1/models"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (InvalidTokenError("x"), 77),
        (_status_error(openai.AuthenticationError, 401), 77),
        (_status_error(openai.PermissionDeniedError, 403), 77),
        (MissingTokenError("x"), 2),
        (ConfigurationError("x"), 2),
        (UntrustedHostError("x"), 2),
        (InvalidRequestError("x"), 2),
        (UnknownModelError("x"), 2),
        (ImageSaveError("x"), 2),
        (ImageDecodeError("x"), 1),
        (_status_error(openai.BadRequestError, 400), 1),
        (_status_error(openai.NotFoundError, 404), 1),
        (_status_error(openai.UnprocessableEntityError, 422), 1),
        (_status_error(openai.APIStatusError, 408), 75),
        (_status_error(openai.ConflictError, 409), 75),
        (_status_error(openai.RateLimitError, 429), 75),
        (_status_error(openai.InternalServerError, 500), 75),
        (_connection_error(openai.APITimeoutError), 75),
        (_connection_error(openai.APIConnectionError), 75),
        (BudgetExceededError("x", retry_after=5), 75),
        (BudgetUnavailableError("x"), 75),
        (BatchRunningError("x"), 75),
        (openai.OpenAIError("x"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_each_error_has_its_exit_code(error: BaseException, code: int) -> None:
    """The exit code tells whether to mend the command, the token, or to try again."""
    assert exit_code(error) == code


def test_the_worst_exit_code_wins() -> None:
    """Any other failure counts more than one that another try may heal; nothing at all is 0."""
    assert worst([]) == 0
    assert [worst(codes) for codes in ([0, 75], [75, 1], [1, 2], [2, 77], [77, 130])] == [75, 1, 2, 77, 130]


def test_messages_say_who_did_not_answer() -> None:
    """A timeout names the host; that a picture may be billed all the same is said where one was asked for."""
    billed = " A picture may have been made and billed all the same."
    text = (
        "https://host.example:8443 did not answer in time. Try again later; IONOS_TIMEOUT sets how many seconds to "
        "wait."
    )
    assert message(_connection_error(openai.APITimeoutError)) == text + billed
    assert message(_connection_error(openai.APITimeoutError, "GET")) == text
    assert message(_status_error(openai.BadRequestError, 400)) == "The service answered 400 - Why."


def test_a_host_that_cannot_be_reached_is_temporary(
    monkeypatch: pytest.MonkeyPatch, cli: Callable[..., Result]
) -> None:
    """A refused connection ends with 75, the cause, and the command that looks for more."""
    monkeypatch.setenv("IONOS_API_TOKEN", make_token())
    monkeypatch.setenv("IONOS_MAX_RETRIES", "0")
    with LoopbackServer() as gone:
        pass
    result = cli("generate", "a", "--base-url", gone.url)
    assert (result.code, result.out) == (75, "")
    assert result.err.startswith(f"Error: Cannot reach http://127.0.0.1:{gone.port}: ")
    assert result.err.endswith("`ionos-openai doctor` looks for the cause.\n")


def test_what_a_service_says_cannot_drive_the_terminal(service: LoopbackServer, cli: Callable[..., Result]) -> None:
    """Control characters in an error answer are not passed on to the terminal."""
    service.answers = [_refusal(400, "\x1b[2JBad\x07\nwords")]
    assert "\x1b" not in cli("generate", "a").err


def test_any_prompt_can_be_printed_in_any_encoding() -> None:
    """A terminal without Unicode gets the path all the same, its characters written out."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "ionos_openai", "generate", "Füchse", "--sandbox", "-q"]
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, rb"f\xfcchse.jpg", b"")


def test_edit_sends_the_picture_and_the_last_argument_as_prompt(
    service: LoopbackServer, cli: Callable[..., Result]
) -> None:
    """`edit IMAGE PROMPT` saves what comes, asks the model for edits, and leaves the size to the service."""
    Image.new("RGB", (8, 8), "navy").save("in.png")
    result = cli("edit", "in.png", "more snow")
    assert result == Result(0, f"more-snow.jpg\t{KLEIN}\t16x8\tJPEG\t-\n", "")
    assert service.requests[0].path == "/v1/images/edits"
    assert b'name="size"' not in service.requests[0].body
    assert b"more snow" in service.requests[0].body


def test_edit_refuses_what_is_no_picture_before_anything_is_sent(
    service: LoopbackServer, cli: Callable[..., Result]
) -> None:
    """A file that is missing or no picture ends with 2."""
    Path("text.png").write_text("no picture")
    assert (
        cli("edit", "missing.png", "a").err
        == "Error: Cannot read the picture 'missing.png': No such file or directory.\n"
    )
    result = cli("edit", "text.png", "a")
    assert (result.code, service.requests) == (2, [])
    assert result.err.startswith("Error: Cannot edit picture 1: ")


def test_models_lists_those_that_make_pictures(service: LoopbackServer, cli: Callable[..., Result]) -> None:
    """A line for each model: what it makes, its price, whether it is retired, and its purpose."""
    names = [FLUX, "stabilityai/stable-diffusion-xl-base-1.0", "x/Qwen-Image", "x/Llama"]
    service.default = Answer(body={"object": "list", "data": [{"id": name, "object": "model"} for name in names]})
    assert cli("models").out.splitlines() == [
        f"{FLUX}\timages\t0.032 USD\t-\tartistic, stylised images from text",
        "stabilityai/stable-diffusion-xl-base-1.0\timages\t-\tretired\tphotorealistic images from text",
        "x/Qwen-Image\timages\t-\t-\tknown by its name only",
    ]
    assert cli("models", "--all").out.splitlines()[3:] == ["x/Llama\t-\t-\t-\t-"]


def test_models_in_json_tell_all_that_is_known(cli: Callable[..., Result]) -> None:
    """The JSON document has the catalogue's facts, and with `--all` the other models by name."""
    document = cli("models", "--sandbox", "--json", "--all").json()
    first, last = document["models"][0], document["models"][-1]
    assert (document["schema"], document["sandbox"]) == (1, True)
    assert first["price"] == {"amount": "0.032", "currency": "USD", "seen": "2026-06-02"}
    assert (first["id"], first["makes_images"], first["can_edit"], first["retired"]) == (FLUX, True, False, False)
    assert last["makes_images"] is False


def test_models_without_any_that_makes_pictures_says_so(service: LoopbackServer, cli: Callable[..., Result]) -> None:
    """An empty list is no failure, and its reader is told how to see the rest."""
    service.default = Answer(body={"object": "list", "data": []})
    assert cli("models") == Result(
        0,
        "",
        "Warning: The service lists no model that is known to make pictures. See all: ionos-openai models --all\n",
    )


def test_a_command_that_only_reads_has_the_same_exit_codes(service: LoopbackServer, cli: Callable[..., Result]) -> None:
    """`models` with a refused token ends with 77, like every command."""
    service.default = _refusal(401, "Unauthorized")
    result = cli("models", "--json")
    assert (result.code, result.json()["error"]["status"]) == (77, 401)
