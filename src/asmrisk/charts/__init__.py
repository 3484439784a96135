"""What charts show, as data, and how matplotlib draws it."""
