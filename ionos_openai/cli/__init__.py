"""The terminal, and what it alone offers: `ionos-openai`, a module a command.

`app` has the commands with their options and their help; `terminal/` is what all of them share; `doctor/`, `migrate/`
and `verify/` hold a command with its engine. A thin adapter over the library: modules that load the SDK, Pillow or rich
are imported by the command that needs them, so that `--help` stays quick.
"""
