"""`ionos-openai completion`: a script by which a shell completes commands, options and names of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ionos_openai import errors


def script(shell: str, options: Mapping[str, Sequence[str]]) -> str:
    """Return the script for a shell, with the options of each command; it begins with where to put it."""
    shell = shell.lower()
    match shell:
        case "bash" | "zsh":  # which reads bash's own
            lines = [f'      {name}) words="{" ".join(words)}";;' for name, words in options.items()]
        case "fish":
            seen = "complete -c ionos-openai -n '__fish_seen_subcommand_from"
            lines = [f"{seen} {name}' -l {word[2:]}" for name, words in options.items() for word in words]
        case "powershell":
            lines = [f"    '{name}' = @({', '.join(map(repr, words))})" for name, words in options.items()]
        case _:
            raise errors.InvalidRequestError(f"{shell} is no shell that is known: name bash, zsh, fish or powershell.")
    path = Path(__file__).parent / "completions" / f"{shell.replace('zsh', 'bash')}.txt"
    text = path.read_text("utf-8").replace("\r\n", "\n").replace("SHELL", shell)
    return text.replace("COMMANDS", " ".join(options)).replace("OPTIONS", "\n".join(lines))
