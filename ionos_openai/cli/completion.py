"""`ionos-openai completion`: a script by which a shell completes commands, options and names of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ionos_openai import errors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BASH = """_ionos_openai() {{
  local words=""
  if [ "$COMP_CWORD" = 1 ]; then words="{commands}"; else
    case "${{COMP_WORDS[1]}}" in
{cases}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _ionos_openai ionos-openai
"""
_POWERSHELL = """Register-ArgumentCompleter -Native -CommandName ionos-openai -ScriptBlock {{
  param($word, $line, $position)
  $options = @{{
{cases}
  }}
  $typed = @($line.CommandElements | ForEach-Object {{ "$_" }})
  $words = if ($typed.Count -le 2 -and -not ($typed.Count -eq 2 -and $word -eq '')) {{ $options.Keys }}
    else {{ $options[$typed[1]] }}
  $words | Where-Object {{ $_ -like "$word*" }}
}}
"""


def script(shell: str, options: Mapping[str, Sequence[str]]) -> str:
    """Return the script for a shell, which begins with where to put it.

    Args:
        shell: bash, zsh, fish or powershell.
        options: The options of each command.

    Raises:
        InvalidRequestError: The shell is none of them.
    """
    commands = " ".join(options)
    match shell.lower():
        case "bash" | "zsh":  # zsh reads bash's own
            cases = "\n".join(f'      {name}) words="{" ".join(words)}";;' for name, words in options.items())
            zsh = "autoload -U +X compinit && compinit -u && autoload -U +X bashcompinit && bashcompinit\n"
            head = f'# In ~/.{shell.lower()}rc: eval "$(ionos-openai completion {shell.lower()})"\n'
            return head + zsh * (shell.lower() == "zsh") + _BASH.format(commands=commands, cases=cases)
        case "fish":
            lines = ["# ionos-openai completion fish > ~/.config/fish/completions/ionos-openai.fish"]
            lines.append(f"complete -c ionos-openai -n __fish_use_subcommand -f -a '{commands}'")
            seen = "complete -c ionos-openai -n '__fish_seen_subcommand_from"
            lines += [f"{seen} {name}' -l {word[2:]}" for name, words in options.items() for word in words]
            return "\n".join(lines) + "\n"
        case "powershell":
            quoted = {name: ", ".join(f"'{word}'" for word in words) for name, words in options.items()}
            cases = "\n".join(f"    '{name}' = @({words})" for name, words in quoted.items())
            return "# ionos-openai completion powershell >> $PROFILE\n" + _POWERSHELL.format(cases=cases)
        case _:
            raise errors.InvalidRequestError(f"{shell} is no shell that is known: name bash, zsh, fish or powershell.")
