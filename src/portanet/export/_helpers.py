"""Functions of Python that exported modules bring along, where NumPy has none."""

CHECKED_INDEX = '''
def checked_index(index, size, names, wraps):
    """Return an index as int64 from 0 to size - 1."""
    low = -size if wraps else 0
    if index.size and (index.min() < low or index.max() >= size):
        raise IndexError(f"{low} <= {names[0]} < {size}: got {index.min()} to {index.max()}")
    index = index.astype(np.int64)
    return np.where(index < 0, index + size, index) if wraps else index
'''
ADDED = '''
def added(entries, key, shape):
    """Return zeros of a shape to which entries are added at the places of a key."""
    whole = np.zeros(shape, entries.dtype)
    np.add.at(whole, key, entries)
    return whole
'''
DESCENDING = '''
def descending(order, axis):
    """Return the places of entries from the largest on; equal ones keep their order."""
    return np.flip(order.shape[axis] - 1 - order, axis=axis)
'''

_WINDOWS = '''
def windows(x, window, stride, dilation, padding, value):
    """Return the entries under each window: (n, *windows, channels, *entries of a window)."""
    x = np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=value)
    axes = range(1, x.ndim - 1)
    spans = [gap * (size - 1) + 1 for gap, size in zip(dilation, window)]
    view = np.lib.stride_tricks.sliding_window_view(x, spans, tuple(axes))
    steps = [slice(None, None, step) for step in stride]
    gaps = [slice(None, None, gap) for gap in dilation]
    return view[(slice(None), *steps, slice(None), *gaps)]
'''
WINDOW_PATCHES = f'''{_WINDOWS}

def window_patches(x, window, stride, dilation, padding):
    """Return the entries under windows: (n * windows, lines, entries of a line, channels)."""
    view = np.moveaxis(windows(x, window, stride, dilation, padding, 0.0), x.ndim - 1, -1)
    return view.reshape((-1, int(np.prod(window[:-1])), window[-1], x.shape[-1]))
'''
WINDOW_MAX = f'''{_WINDOWS}

def window_max(x, window, stride, dilation, padding):
    """Return the largest entry under each window: (n, *windows, channels)."""
    view = windows(x, window, stride, dilation, padding, -np.inf)
    return view.max(axis=tuple(range(x.ndim, view.ndim)))
'''
PATCH_PRODUCT = '''
def patch_product(patches, w, bias, count, step, groups):
    """Multiply `count` windows in each row, `step` entries apart, by a kernel; add a bias."""
    lines, width, channels, out = w.shape
    kernel = w.reshape((lines * width * channels, groups, out // groups)).transpose((1, 0, 2))
    products = []
    for start in range(0, count * step, step):
        part = patches[:, :, start : start + width, :]
        part = part.reshape((len(part), lines * width, groups, channels)).transpose((2, 0, 1, 3))
        y = part.reshape((groups, -1, lines * width * channels)) @ kernel
        products.append(y.transpose((1, 0, 2)).reshape((-1, out)) + bias)
    return np.concatenate(products, axis=1)
'''
