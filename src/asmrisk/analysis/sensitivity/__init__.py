"""Which parameters matter: effects and indices from the design points of a study, with their errors."""
