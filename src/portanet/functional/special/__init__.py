"""Special functions that the standard lacks."""
