"""The engines, a file each: found by their names, so that none is imported before it is wanted."""
