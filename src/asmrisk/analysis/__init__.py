"""From draws to decisions: estimates with errors, and what they add up to."""
