# SPDX-License-Identifier: Apache-2.0
"""Which bytes the lanes of a warp touch, and which values of a tensor core's tiles are not zero. All is counted."""


def used_share(addresses, value_bytes, unit):
    """Bytes that are asked for over bytes of the units (sectors, lines) that they lie in."""
    touched = {byte // unit for address in addresses for byte in (address, address + value_bytes - 1)}
    return len(set(addresses)) * value_bytes / (len(touched) * unit)


def first_of_pair(pair, stride):
    """The element that comes first in a pair of a level; the other one is a stride behind it."""
    return pair // stride * 2 * stride + pair % stride


def along_vector(n, stride, warp, value_bytes):
    """Vectors of a token contiguous, neighbouring lanes have neighbouring pairs: addresses of first and second load."""
    pairs = [(lane // (n // 2) * n, first_of_pair(lane % (n // 2), stride)) for lane in range(warp)]
    return [[(start + element + which * stride) * value_bytes for start, element in pairs] for which in (0, 1)]


def along_tokens(n, stride, warp, value_bytes):
    """Vectors of a token contiguous, but neighbouring lanes have neighbouring tokens."""
    return [[(lane * n + which * stride) * value_bytes for lane in range(warp)] for which in (0, 1)]


def tokens_contiguous(rows, stride, warp, value_bytes):
    """The same element of all tokens contiguous, neighbouring lanes have neighbouring tokens."""
    return [[(which * stride * rows + lane) * value_bytes for lane in range(warp)] for which in (0, 1)]


LAYOUTS = {"vector contiguous, lanes along it": along_vector, "vector contiguous, lanes along tokens": along_tokens,
           "tokens contiguous, lanes along them": tokens_contiguous}


def level_tiles(n, stride, tile, parts=1):
    """The matrix of one level, cut in tiles: how many are not empty, and which share of their values is not zero.
    `parts` is 2 for complex values, each of which is a block of 2 x 2 real ones."""
    filled = {}
    for pair in range(n // 2):
        first = first_of_pair(pair, stride)
        for row in (first, first + stride):
            for column in (first, first + stride):
                for i in range(parts):
                    for j in range(parts):
                        place = (row * parts + i) // tile, (column * parts + j) // tile
                        filled[place] = filled.get(place, 0) + 1
    return len(filled), sum(filled.values()) / (len(filled) * tile * tile)


def query_rows(block, tile):
    """The share of a tile's rows that queries with the same keys fill."""
    return block / (-(-block // tile) * tile)
