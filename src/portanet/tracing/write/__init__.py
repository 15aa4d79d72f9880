"""A program as Python source, and as a drawing."""
