"""Linear maps: of features, by Einstein's notation, and of rows of a table."""
