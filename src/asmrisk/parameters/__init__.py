"""What a parameter is: its name, unit, default, range and source."""
