"""What is told about a file that cannot be shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a file.

    Attributes:
        name: The file's name.
        message: What is wrong, as a clause such as "it is empty".
    """

    name: str
    message: str
