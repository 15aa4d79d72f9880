"""Full-batch minimisation: a loss as a function of one vector, and the methods that lower it."""
