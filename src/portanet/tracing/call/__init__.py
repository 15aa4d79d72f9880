"""The jitted function: which program serves a call, and what it takes and gives."""
