"""Making a program shorter, and choosing where its results lie."""
