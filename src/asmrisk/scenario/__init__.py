"""From TOML, dictionaries and overrides to a resolved scenario: every value known, none of it simulated."""
