"""What an analyst would write instead."""
