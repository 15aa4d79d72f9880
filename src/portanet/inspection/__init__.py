"""Looking into a model: what it is made of, and where numbers end."""
