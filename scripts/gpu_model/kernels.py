# SPDX-License-Identifier: Apache-2.0
"""The kernels in PyTorch, each with the result that a dense formulation in 64 bits has for it."""
import dataclasses
import typing

import torch

from gpu_model import access, work

CHECKED_ROWS, CHECKED_HEADS = 64, 2


@dataclasses.dataclass(frozen=True)
class Kernel:
    name: str
    run: typing.Callable
    expected: typing.Callable  # what the dense formulation makes of it: the first rows or heads
    work: work.Work  # what it is held against
    dense: str = ""  # the kernel that it replaces


def level(x, twiddle, stride):
    """One level on the last dimension of x: twiddle[pair, out, in], pairs in the order of their first element."""
    rows, n = x.shape
    parts = x.view(rows, n // (2 * stride), 2, stride)
    t = twiddle.view(n // (2 * stride), stride, 2, 2)
    results = [t[..., out, 0] * parts[:, :, 0] + t[..., out, 1] * parts[:, :, 1] for out in (0, 1)]
    return torch.stack(results, 2).view(rows, n)


def loop_of_levels(x, twiddle):
    for index in range(len(twiddle)):
        x = level(x, twiddle[index], 1 << index)
    return x


def einsum_of_blocks(x, blocks):
    """Each of `blocks` has a matrix for every group of points that lie a stride apart: [groups, stride, points,
    points]."""
    rows, n = x.shape
    for matrices in blocks:
        groups, stride, points, _ = matrices.shape
        x = torch.einsum("gsij,rgjs->rgis", matrices, x.reshape(rows, groups, points, stride)).reshape(rows, n)
    return x


def blocks_of(twiddle, together):
    """The levels, `together` at a time, as matrices for einsum_of_blocks."""
    levels, n = len(twiddle), 2 * twiddle.shape[1]
    blocks = []
    for first in range(0, levels, together):
        last = min(first + together, levels)
        stride, points = 1 << first, 1 << (last - first)
        columns = []
        for point in range(points):
            x = torch.zeros(n // (points * stride), points, stride, dtype=twiddle.dtype)
            x[:, point] = 1  # groups do not mix, so that one vector gives a column of every matrix
            x = x.view(1, n)
            for index in range(first, last):
                x = level(x, twiddle[index], 1 << index)
            columns.append(x.view(n // (points * stride), points, stride))
        blocks.append(torch.stack(columns, -1).permute(0, 2, 1, 3).contiguous())
    return blocks


def matrix_of(twiddle):
    """The product of all levels, pair by pair of its rows; it shares nothing with the kernels."""
    product = torch.eye(2 * twiddle.shape[1], dtype=twiddle.dtype)
    pair = torch.arange(twiddle.shape[1])
    for index in range(len(twiddle)):
        first = access.first_of_pair(pair, 1 << index)
        upper, lower = product[first], product[first + (1 << index)]
        t = twiddle[index, :, :, :, None]
        product[first] = t[:, 0, 0] * upper + t[:, 0, 1] * lower
        product[first + (1 << index)] = t[:, 1, 0] * upper + t[:, 1, 1] * lower
    return product


def matrices(n, rows, machine, device, dtype):
    size = torch.finfo(dtype).bits // 8
    twiddle = torch.randn(work.levels_of(n), n // 2, 2, 2, dtype=torch.float64) / 2 ** 0.5
    matrix = matrix_of(twiddle)
    x = torch.randn(rows, n, dtype=torch.float64)
    on_device = {"device": device, "dtype": dtype}
    input_, whole, own_twiddle = x.to(**on_device), matrix.T.contiguous().to(**on_device), twiddle.to(**on_device)
    of_levels, of_four = ([block.to(**on_device) for block in blocks_of(twiddle, together)]
                          for together in (1, work.KEPT_TOGETHER))
    by_level, _, as_blocks = work.butterflies(n, rows, machine, size)

    def expected():
        return x[:CHECKED_ROWS] @ matrix.T

    def butterfly(how, run, held_against):
        return Kernel(f"butterfly, {how}", run, expected, held_against, "dense")
    return [Kernel("dense", lambda: input_ @ whole, expected, work.dense(n, rows, machine, size)),
            butterfly("loop of levels", lambda: loop_of_levels(input_, own_twiddle), by_level),
            butterfly("einsum of levels", lambda: einsum_of_blocks(input_, of_levels), by_level),
            butterfly("einsum of blocks of 16", lambda: einsum_of_blocks(input_, of_four), as_blocks)]


def transforms(n, rows, machine, device):
    """Of complex values of 2 x 32 bits, of which torch.fft transforms every length on every device."""
    x = torch.randn(rows, n, dtype=torch.complex128)
    angle = -2 * torch.pi * (torch.arange(n)[:, None] * torch.arange(n) % n) / n
    matrix = torch.polar(torch.ones(n, n, dtype=torch.float64), angle.double())
    input_, whole = x.to(device, torch.complex64), matrix.to(device, torch.complex64)

    def expected():
        return x[:CHECKED_ROWS] @ matrix
    return [Kernel("DFT, dense", lambda: input_ @ whole, expected, work.dense_transform(n, rows, machine, 4)),
            Kernel("FFT, torch.fft", lambda: torch.fft.fft(input_), expected, work.transforms(n, rows, machine, 4)[1],
                   "DFT, dense")]


def softmax_product(queries, keys, values, mask=None):
    scores = queries @ keys.transpose(-1, -2) / queries.shape[-1] ** 0.5
    return torch.softmax(scores if mask is None else scores + mask, -1) @ values


def whole_attention(queries, keys, values):
    """By PyTorch's own kernel where it has one (2.0)."""
    own = getattr(torch.nn.functional, "scaled_dot_product_attention", softmax_product)
    return own(queries, keys, values)


def masked(queries, keys, values, seen):
    """The dense formulation: what is not seen gets no weight."""
    mask = torch.zeros(seen.shape, dtype=queries.dtype).masked_fill(~seen, -torch.inf)
    return softmax_product(queries, keys, values, mask)


class SparseAttention:
    """window, blocks and topk of [heads, tokens, values]."""

    def __init__(self, shape, device, dtype):
        self.shape = shape
        self.exact = [torch.randn(shape.heads, shape.tokens, shape.head, dtype=torch.float64) for _ in range(3)]
        self.queries, self.keys, self.values = (tensor.to(device, dtype) for tensor in self.exact)
        first = torch.arange(shape.blocks)
        # A block itself, and those that are 1, 2, 4, ... further on: as many as the platform's pattern has.
        steps = [0, *(1 << bit for bit in range(shape.count - 1))]
        self.given = ((first[:, None] + torch.tensor(steps)) % shape.blocks).to(device)
        self.window_mask = self.mask_of_windows().to(device, dtype)

    def mask_of_windows(self):
        """0 where a query sees a key of its block's window, [blocks, queries, keys]."""
        shape = self.shape
        query = torch.arange(shape.tokens).view(shape.blocks, shape.block, 1)
        key = query[:, :1] - shape.reach + torch.arange(shape.block + 2 * shape.reach)
        seen = ((query - key).abs() <= shape.reach) & (key >= 0) & (key < shape.tokens)
        return torch.zeros(seen.shape).masked_fill(~seen, -torch.inf)

    def blocks_of(self, tensor):
        return tensor.view(self.shape.heads, self.shape.blocks, self.shape.block, self.shape.head)

    def window(self):
        reach, block = self.shape.reach, self.shape.block
        padded = [torch.nn.functional.pad(tensor, (0, 0, reach, reach)) for tensor in (self.keys, self.values)]
        near = [tensor.unfold(1, block + 2 * reach, block).transpose(-1, -2) for tensor in padded]
        return softmax_product(self.blocks_of(self.queries), *near, self.window_mask).reshape(self.queries.shape)

    def gathered(self, index):
        """index: the blocks of keys of each block of queries, or of each head and block of queries."""
        heads = torch.arange(self.shape.heads, device=index.device)[:, None, None]
        near = [self.blocks_of(tensor)[heads, index].flatten(2, 3) for tensor in (self.keys, self.values)]
        return softmax_product(self.blocks_of(self.queries), *near).reshape(self.queries.shape)

    def blocks(self):
        return self.gathered(self.given)

    def choice(self):
        scores = self.blocks_of(self.queries).mean(2) @ self.blocks_of(self.keys).mean(2).transpose(-1, -2)
        return scores.topk(self.shape.count, -1).indices

    def topk(self):
        return self.gathered(self.choice())

    def seen_of(self, index):
        """Whether a query sees a key: [heads or 1, tokens, tokens]."""
        seen = torch.zeros(*index.shape[:-1], self.shape.blocks, dtype=torch.bool).scatter(-1, index.cpu(), True)
        seen = seen.repeat_interleave(self.shape.block, -1).repeat_interleave(self.shape.block, -2)
        return seen if seen.dim() == 3 else seen[None]

    def expected(self, seen):
        return masked(*(tensor[:CHECKED_HEADS] for tensor in self.exact), seen[:CHECKED_HEADS])

    def expected_window(self):
        token = torch.arange(self.shape.tokens)
        return self.expected(((token[:, None] - token).abs() <= self.shape.reach)[None])


def attentions(shape, machine, device, dtype):
    size = torch.finfo(dtype).bits // 8
    sparse = SparseAttention(shape, device, dtype)
    window, blocks, topk = work.sparse_attention(shape, machine, size)
    every = torch.ones(1, shape.tokens, shape.tokens, dtype=torch.bool)
    return [Kernel("attention", lambda: whole_attention(sparse.queries, sparse.keys, sparse.values),
                   lambda: sparse.expected(every), work.attention(shape, size)),
            Kernel("window", sparse.window, sparse.expected_window, window, "attention"),
            Kernel("blocks, a gather that is given", sparse.blocks,
                   lambda: sparse.expected(sparse.seen_of(sparse.given)), blocks, "attention"),
            Kernel("topk, a gather that is computed", sparse.topk,
                   lambda: sparse.expected(sparse.seen_of(sparse.choice())), topk, "attention")]
