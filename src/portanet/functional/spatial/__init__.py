"""Functions of images, ``(N, *spatial, C)``: convolution, pooling, padding, resampling.

`geometry` says where windows lie; `patches` and `windows` are the operations below the others.
"""
