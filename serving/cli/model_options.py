"""The options that commands about models share: which families, and the seed."""

from typing import Annotated

import typer

FAMILIES = ("popularity", "item_item", "ease", "als", "bpr", "lmf", "lightfm", "blend", "ranker")
"""The names of `recsys.models.families`, kept equal by a test: importing those takes a second."""

SeedOption = Annotated[int, typer.Option(min=0, help="Seed of everything that is drawn; the same gives the same.")]


def chosen_families(text: str) -> tuple[str, ...]:
    """Return the families that the option names; raises typer.BadParameter."""
    names = FAMILIES if text == "all" else tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in FAMILIES:
            raise typer.BadParameter(f"{name!r} is unknown; there are {', '.join(FAMILIES)}, all", param_hint="--model")
    return names
