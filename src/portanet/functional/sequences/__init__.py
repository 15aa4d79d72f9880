"""Functions of sequences: attention, rotary positions, recurrences."""
