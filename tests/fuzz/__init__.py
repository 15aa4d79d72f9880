"""Programs, files and inputs made at random, each held against what it should give."""
