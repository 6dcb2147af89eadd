"""Code written for OpenAI's image models: what it meets on IONOS, and the safe part of the changes made.

`migrate_source` and `migrate_notebook` are pure; `migrate_file` and `find_sources` stand between them and the disk.
Needs libcst: `pip install libcst`.
"""

from __future__ import annotations

from ionos_openai.migration.facts import FACTS, Fact
from ionos_openai.migration.files import FileMigration, find_sources, migrate_file, write_edited
from ionos_openai.migration.findings import Finding, Migration, SourceError
from ionos_openai.migration.notebook import migrate_notebook
from ionos_openai.migration.python import migrate_source

__all__ = [
    "FACTS",
    "Fact",
    "FileMigration",
    "Finding",
    "Migration",
    "SourceError",
    "find_sources",
    "migrate_file",
    "migrate_notebook",
    "migrate_source",
    "write_edited",
]
