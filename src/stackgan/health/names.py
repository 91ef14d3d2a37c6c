"""Names of the verdicts and policies; no torch here, so that a configuration can be checked without it."""

VERDICTS = (
    "nan",
    "diverging",
    "discriminator_wins",
    "generator_wins",
    "black",
    "mode_collapse",
    "ignores_text",
    "white_border",
)
POLICIES = ("off", "warn", "stop", "rollback")
