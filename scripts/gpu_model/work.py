# SPDX-License-Identifier: Apache-2.0
"""Kernels as work: multiply-adds, bytes to and from memory, launches.

A multiplication or an addition that is not fused counts as a multiply-add, because it takes the same slot;
multiply-adds times two are FLOP. Each byte of an operand or result passes memory once in a launch, as if caches held
all that is read again: the least that is possible. Softmax, activations and biases count nothing."""
import dataclasses
import functools

from gpu_model import access

KEPT_TOGETHER = 4  # levels of a butterfly that make a dense block of 16 points, as wide as a tensor core's tile


@dataclasses.dataclass(frozen=True)
class Part:
    """One launch."""
    multiply_adds: float
    tensor_multiply_adds: float  # those that tensor cores do, with the zeros in their tiles
    bytes: float


@dataclasses.dataclass(frozen=True)
class Work:
    """Launches one after another."""
    name: str
    parts: tuple
    sparse: bool = True  # a butterfly or an FFT, of which machines reach another share of the roofline

    @property
    def multiply_adds(self):
        return sum(part.multiply_adds for part in self.parts)

    @property
    def tensor_multiply_adds(self):
        return sum(part.tensor_multiply_adds for part in self.parts)

    @property
    def bytes(self):
        return sum(part.bytes for part in self.parts)

    @property
    def launches(self):
        return len(self.parts)

    @property
    def intensity(self):
        """FLOP a byte."""
        return 2 * self.multiply_adds / self.bytes


def even(passes, multiply_adds, tensor_multiply_adds, moved):
    """Parts that share the work evenly."""
    return (Part(multiply_adds / passes, tensor_multiply_adds / passes, moved / passes),) * passes


def padded(count, tile):
    return -(-count // tile) * tile


def levels_of(n):
    return n.bit_length() - 1


@dataclasses.dataclass(frozen=True)
class Pass:
    """What a thread block keeps in shared memory while it works on some levels."""
    levels: int
    tokens: int
    bytes: int


def passes_of(stages, value_bytes, coefficients, machine):
    """Passes through memory if a thread block keeps as many stages as fit in shared memory: of 2^levels points the
    values of as many tokens as fill a sector, and the coefficients. `stages` has the levels of each,
    coefficients(stages) the bytes for a point of those that are kept together."""
    tokens = -(-machine.sector_bytes // value_bytes)

    def keeping(kept):
        return Pass(sum(kept), tokens, (1 << sum(kept)) * (tokens * value_bytes + coefficients(kept)))
    passes, kept = [], []
    for stage in stages:
        if kept and keeping([*kept, stage]).bytes > machine.shared_bytes_per_sm:
            passes, kept = [*passes, keeping(kept)], []
        kept = [*kept, stage]
    return [*passes, keeping(kept)]


def butterfly_passes(n, machine, size=2):
    return passes_of([1] * levels_of(n), size, lambda kept: 2 * size * len(kept), machine)


def block_stages(n):
    """Levels of each dense block of a butterfly of n points."""
    return [min(KEPT_TOGETHER, levels_of(n) - done) for done in range(0, levels_of(n), KEPT_TOGETHER)]


def block_passes(n, machine, size=2):
    return passes_of(block_stages(n), size, lambda kept: size * sum(1 << stage for stage in kept), machine)


def transform_passes(n, machine, size=2):
    """The twiddle factors of all levels are among those of the last one: half a complex value for a point."""
    return passes_of([1] * levels_of(n), 2 * size, lambda _: size, machine)


@functools.lru_cache(maxsize=None)
def tile_products(n, tile, parts):
    """Multiply-adds of tensor cores for a row in each level, one matrix a level."""
    return [access.level_tiles(n, 1 << level, tile, parts)[0] * tile * tile for level in range(levels_of(n))]


def dense(n, rows, machine, size=2):
    of_all = Part(rows * n * n, padded(rows, machine.tile) * n * n, size * (2 * rows * n + n * n))
    return Work("dense", (of_all,), False)


def butterflies(n, rows, machine, size=2):
    """A butterfly with one kernel a level, with levels that stay in shared memory, and as dense blocks of 16 points."""
    levels = levels_of(n)
    tile_rows, one_pass, weights = padded(rows, machine.tile), 2 * rows * n * size, 2 * n * size
    on_tiles = [tile_rows * products for products in tile_products(n, machine.tile, 1)]
    passes, blocks = len(butterfly_passes(n, machine, size)), len(block_passes(n, machine, size))
    stages = block_stages(n)
    points = sum(1 << stage for stage in stages)  # that each point is multiplied with
    wide = max(machine.tile, 1 << KEPT_TOGETHER)
    return [Work("butterfly, a kernel a level",
                 tuple(Part(2 * rows * n, count, one_pass + weights) for count in on_tiles)),
            Work("butterfly, fused",
                 even(passes, 2 * rows * n * levels, sum(on_tiles), passes * one_pass + levels * weights)),
            Work("butterfly as blocks of 16, fused",
                 even(blocks, rows * n * points, tile_rows * n * wide * len(stages),
                      blocks * one_pass + n * points * size))]


def dense_transform(n, rows, machine, size=2):
    """The matrix of the Fourier transform, complex times complex."""
    return Work("DFT, dense", (Part(4 * rows * n * n, 4 * padded(rows, machine.tile) * n * n,
                                    2 * size * (2 * rows * n + n * n)),), False)


def transforms(n, rows, machine, size=2):
    """An FFT of radix 2 of complex values; eight operations a pair."""
    levels = levels_of(n)
    one_pass, twiddles = 2 * rows * n * 2 * size, n // 2 * 2 * size  # one table for all levels
    on_tiles = [padded(rows, machine.tile) * products for products in tile_products(n, machine.tile, 2)]
    passes = len(transform_passes(n, machine, size))
    return [Work("FFT, a kernel a level", tuple(Part(4 * rows * n, count, one_pass + twiddles) for count in on_tiles)),
            Work("FFT, fused", even(passes, 4 * rows * n * levels, sum(on_tiles), passes * (one_pass + twiddles)))]


@dataclasses.dataclass(frozen=True)
class Attention:
    """Heads of `tokens` queries and keys."""
    tokens: int
    heads: int  # of all sequences
    head: int = 64
    block: int = 64
    sequences: int = 1

    @property
    def blocks(self):
        return self.tokens // self.block

    @property
    def count(self):
        """Blocks of keys that a block of queries sees, as in the butterfly pattern: itself, and one for each bit."""
        return 1 + (self.blocks - 1).bit_length()

    @property
    def reach(self):
        """Of a window, to each side, so that a block of queries sees as many keys."""
        return (self.count - 1) * self.block // 2


def window_keys(shape):
    """Keys that all queries see, and those that blocks of queries multiply with."""
    seen = sum(min(shape.tokens - 1, query + shape.reach) - max(0, query - shape.reach) + 1
               for query in range(shape.tokens))
    multiplied = 0
    for start in range(0, shape.tokens, shape.block):
        first, last = max(0, start - shape.reach), min(shape.tokens, start + shape.block + shape.reach)
        multiplied += (last - first) * shape.block
    return seen, multiplied


def attention(shape, size=2):
    once = 4 * shape.tokens * shape.head * size * shape.heads  # queries, keys, values, results
    products = 2 * shape.tokens ** 2 * shape.head * shape.heads
    return Work("attention", (Part(products, products, once),), False)


def sparse_attention(shape, machine, size=2):
    """window, blocks and topk; the last one makes means of blocks, scores them, chooses, and only then multiplies."""
    once = attention(shape, size).bytes
    of_key = 2 * shape.head * shape.heads  # multiply-adds
    seen, multiplied = window_keys(shape)
    rows = 1 / access.query_rows(shape.block, machine.tile)
    given = of_key * shape.tokens * shape.count * shape.block
    scores = shape.blocks ** 2 * shape.head * shape.heads
    adding = 2 * shape.tokens * shape.head * shape.heads
    means = 2 * shape.blocks * shape.head * size * shape.heads
    choice = shape.blocks * shape.count * 4 * shape.heads  # whole numbers of 32 bits
    return [Work("window", (Part(of_key * seen, of_key * multiplied * rows, once),), False),
            Work("blocks", (Part(given, given * rows, once),), False),
            # Queries and keys, half of what attention moves, are read for the means.
            Work("topk", (Part(adding, adding, once / 2 + means), Part(scores, scores, means + choice),
                          Part(given, given * rows, once + choice)), False)]


def transforms_of_mixing(shape, machine, size=2):
    """Fourier mixing in place of attention: transforms along the hidden size, then along the tokens, of complex values.
    None where a length is no power of two."""
    hidden = shape.heads // shape.sequences * shape.head
    if not check_size(hidden) or not check_size(shape.tokens):
        return None
    return Work("fft2d, fused", transforms(hidden, shape.tokens * shape.sequences, machine, size)[1].parts +
                transforms(shape.tokens, hidden * shape.sequences, machine, size)[1].parts)


def check_size(n):
    """A size of a butterfly that is worked on here."""
    return 16 <= n <= 1 << 16 and n & (n - 1) == 0
