"""What clinicians and practices risk, ranked against the field of a finished run, and what they can do."""
