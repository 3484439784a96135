"""Tables of clinicians: their columns, their checks, and the arrays that the rule reads."""
