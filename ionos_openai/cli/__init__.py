"""The terminal: `ionos-openai generate`, `edit`, `models` and `doctor`.

A thin adapter over the library. Modules that load the SDK, Pillow or rich are imported by the command that needs
them, so that `--help` stays quick.
"""
