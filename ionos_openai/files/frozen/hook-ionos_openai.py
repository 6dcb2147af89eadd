"""For PyInstaller: what it cannot see, modules that are imported by their names and files that are read."""

from __future__ import annotations

from PyInstaller.utils.hooks import collect_data_files, collect_submodules, copy_metadata  # type: ignore[import-untyped]

hiddenimports = collect_submodules("ionos_openai", on_error="ignore")  # extras that are not installed are left out
datas = collect_data_files("ionos_openai") + copy_metadata("ionos-openai")
