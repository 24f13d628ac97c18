"""Steps of more than one recipe, with the command of each."""

from __future__ import annotations

from tradewind_provider.domain.recipes.requests import RecipeStep


def site_key(command: str) -> RecipeStep:
    return RecipeStep(
        "The site's key, the same for each of its agents: this makes one for the first, and keeps one that is there. For "
        "another agent copy the file of the first to that place before.",
        "site key command",
        command,
    )


def token_file(reader: str, command: str) -> RecipeStep:
    return RecipeStep(
        f"Write the token to a file that only {reader} can read. Paste it, press Enter, then Ctrl-D.",
        "token file command",
        command,
    )


def doctor(command: str) -> RecipeStep:
    return RecipeStep(
        "Check the setup before the first start. The doctor says what is missing, and what to do.",
        "doctor command",
        command,
    )
