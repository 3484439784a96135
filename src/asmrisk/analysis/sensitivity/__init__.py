"""Which parameters matter: effects and indices from the draws of a study's design points, with their errors."""
