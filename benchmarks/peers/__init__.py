"""The contenders, one library a file.

Each file has the same three functions: ``training_step(network)`` returns a function that takes
one step and returns the loss before it, ``gradient(network)`` one that returns the gradients of
the weights, ``inference(network, batch)`` one that returns the prediction.
"""
