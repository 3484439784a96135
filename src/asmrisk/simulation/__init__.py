"""Who lives through what: random streams, participation, observation, draws, replays, and their engine."""
