"""The tests, in folders by room, and what several of them share."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
