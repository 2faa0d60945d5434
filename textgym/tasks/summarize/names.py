"""Names, places and days of the summarization world, and the rule that keeps its splits apart.

Every prompt reveals the surname of its main person and the town of its event. The pair decides the
split: its residue is fixed by the two list positions alone, so no `data_seed` can move it. Spelt
names are short and from a small list, since a small model has to learn to copy them.
"""

from __future__ import annotations

from textgym.types import Split

WOMEN = [
    "Anna",
    "Clara",
    "Ella",
    "Emma",
    "Greta",
    "Hanna",
    "Ida",
    "Irene",
    "Jana",
    "Julia",
    "Karin",
    "Lena",
    "Lisa",
    "Maria",
    "Nora",
    "Paula",
    "Rosa",
    "Sarah",
    "Vera",
    "Zoe",
]
MEN = [
    "Adam",
    "Anton",
    "Ben",
    "Carl",
    "David",
    "Emil",
    "Felix",
    "Georg",
    "Henry",
    "Jonas",
    "Leo",
    "Lukas",
    "Martin",
    "Noah",
    "Oscar",
    "Paul",
    "Peter",
    "Simon",
    "Tom",
    "Victor",
]
FIRST_NAMES = (*WOMEN, *MEN)

SURNAMES = [
    "Albers",
    "Bauer",
    "Berger",
    "Brandt",
    "Carter",
    "Conrad",
    "Cooper",
    "Dawson",
    "Decker",
    "Ebert",
    "Ellis",
    "Engel",
    "Fischer",
    "Foster",
    "Franke",
    "Gruber",
    "Haas",
    "Harris",
    "Hartmann",
    "Hughes",
    "Jensen",
    "Kaiser",
    "Keller",
    "Klein",
    "Kramer",
    "Lang",
    "Lehmann",
    "Lorenz",
    "Mason",
    "Meyer",
    "Moreno",
    "Nowak",
    "Olsen",
    "Parker",
    "Peters",
    "Petrov",
    "Quinn",
    "Richter",
    "Roth",
    "Sander",
    "Schmidt",
    "Seidel",
    "Silva",
    "Turner",
    "Vogel",
    "Wagner",
    "Walsh",
    "Weber",
    "Winkler",
    "Ziegler",
]

TOWNS = [
    "Alden",
    "Arnsdorf",
    "Ashford",
    "Bernau",
    "Bexley",
    "Brenford",
    "Calden",
    "Dalheim",
    "Dornbach",
    "Easton",
    "Elmstedt",
    "Falkenau",
    "Glenwood",
    "Grantham",
    "Halden",
    "Harburg",
    "Holmby",
    "Ilmenau",
    "Jena",
    "Kelso",
    "Lindau",
    "Lorch",
    "Marburg",
    "Melton",
    "Milbrook",
    "Neustadt",
    "Norwich",
    "Oberau",
    "Oldham",
    "Passau",
    "Penrith",
    "Ravensburg",
    "Redhill",
    "Rostock",
    "Selby",
    "Stanton",
    "Tilburg",
    "Trier",
    "Ulm",
    "Wexford",
]

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]

_RESIDUES: dict[Split, tuple[int, ...]] = {"train": (0, 1, 2, 3, 4, 5, 6, 7), "validation": (8,), "test": (9,)}


def split_of(surname: str, town: str) -> Split:
    """The split that every prompt with this surname and this town belongs to."""
    residue = (3 * SURNAMES.index(surname) + 7 * TOWNS.index(town)) % 10
    return "validation" if residue == 8 else "test" if residue == 9 else "train"


def towns_for(split: Split) -> tuple[tuple[str, ...], ...]:
    """For each surname, in list order, the towns that pair with it in this split (never none)."""
    allowed = _RESIDUES[split]
    return tuple(
        tuple(town for t, town in enumerate(TOWNS) if (3 * s + 7 * t) % 10 in allowed) for s in range(len(SURNAMES))
    )
