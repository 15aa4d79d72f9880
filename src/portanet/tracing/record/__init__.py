"""Running a function once and writing down what it does, loops and branches included."""
