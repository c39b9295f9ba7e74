# SPDX-License-Identifier: Apache-2.0
"""The least time that a machine needs for a kernel: of arithmetic and memory the slower one; and warps in flight."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Bound:
    tensor_s: float
    alu_s: float
    best_s: float  # each launch where it takes less


def bound(work, machine):
    seconds = []
    for part in work.parts:
        memory = part.bytes / machine.bytes_per_s
        seconds.append((max(2 * part.tensor_multiply_adds / machine.tensor_flops, memory),
                        max(2 * part.multiply_adds / machine.alu_flops, memory)))
    return Bound(sum(tensor for tensor, _ in seconds), sum(alu for _, alu in seconds),
                 sum(min(pair) for pair in seconds))


def tensor_peak_share(work, machine):
    """Share of the peak in multiply-adds that are wanted."""
    return 2 * work.multiply_adds / bound(work, machine).tensor_s / machine.tensor_flops


def alu_peak_share(work, machine):
    return 2 * work.multiply_adds / bound(work, machine).alu_s / machine.alu_flops


def launched_s(work, machine):
    return bound(work, machine).best_s + work.launches * machine.launch_s


def expected_s(work, machine):
    """With the shares that kernels are known to reach, as the platform's baseline of the machine computes it:
    butterflies and FFTs on the ALUs, other kernels on tensor cores."""
    if work.sparse:
        return bound(work, machine).alu_s / machine.sparse_share + work.launches * machine.launch_s
    return machine.launch_s * work.launches + sum(
        max(2 * part.tensor_multiply_adds / (machine.tensor_flops * machine.dense_share),
            part.bytes / (machine.bytes_per_s * machine.bandwidth_share)) for part in work.parts)


def most_speedup(n, machine, size=2):
    """By which a matrix of n x n can become faster on many rows, if it costs nothing but one reading and one writing of
    the vectors."""
    moved = 2 * n * size / machine.bytes_per_s
    return max(2 * n * n / machine.tensor_flops, moved) / moved


def warps_needed(machine, size=2):
    """An SM, if each lane has the two values of a pair under way: bandwidth times latency is what must be in flight."""
    in_flight = machine.bytes_per_s * machine.latency_cycles / machine.clock_hz / machine.sms
    return in_flight / (machine.warp * 2 * size)


def warps_offered(n, rows, machine):
    """An SM, with a lane for a pair of a row, and those of them that are resident at a time."""
    offered = rows * n / 2 / machine.warp / machine.sms
    return offered, min(offered, machine.warps_per_sm)


def rows_of_all(machine, n, kept):
    """With how many rows each SM has a thread block that works on `kept` levels of n points, and how many blocks fit
    on an SM."""
    groups = max(1, n >> kept.levels)
    return -(-machine.sms // groups) * kept.tokens, machine.shared_bytes_per_sm // kept.bytes
