"""Where chance comes from: a source for each part of a schedule, so that none depends on another."""

from collections.abc import Mapping
from random import Random
from typing import TypeVar

Choice = TypeVar("Choice")


def dice(seed: int, name: str) -> Random:
    """The same numbers for the same seed and name, on every machine."""
    return Random(f"{seed}:{name}")  # noqa: S311 (to be repeated, not to be secret)


def weighted(chance: Random, weights: Mapping[Choice, int]) -> Choice:
    """One of these, as often as its weight says."""
    return chance.choices(list(weights), list(weights.values()))[0]
