"""The terminal, and what it alone offers: `ionos-openai`, a module a command.

A thin adapter over the library: modules that load the SDK, Pillow or rich are imported by the command that needs them,
so that `--help` stays quick.
"""
