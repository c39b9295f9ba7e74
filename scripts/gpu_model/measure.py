# SPDX-License-Identifier: Apache-2.0
"""Times kernels of PyTorch, after each has been held against its dense formulation."""
import datetime
import platform
import statistics
import subprocess
import time

import torch

from gpu_model import kernels, roofline, work
from gpu_model.tables import percent, table, times

WARM_UPS = 10
FLUSHED_BYTES = 256 << 20  # more than the L2 cache of any GPU, written before each run
# Of the norm of the result: what rounding to this type may leave.
TOLERANCE = {torch.float16: 2e-2, torch.float32: 1e-4, torch.complex64: 1e-4}


class WrongResult(Exception):
    """A kernel does not compute what its dense formulation does."""


def relative_error(kernel):
    expected = kernel.expected()
    got = kernel.run()[:len(expected)].cpu().to(expected.dtype)
    return float((got - expected).norm() / expected.norm())


def seconds_on_cuda(run, repeats):
    """By events around each run. The caches are flushed before it, which also keeps the GPU busy while the run's
    launches are queued."""
    flushed = torch.empty(FLUSHED_BYTES, dtype=torch.int8, device="cuda")
    for _ in range(WARM_UPS):
        run()
    events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(repeats)]
    for begin, end in events:
        flushed.zero_()
        begin.record()
        run()
        end.record()
    torch.cuda.synchronize()
    return [begin.elapsed_time(end) / 1e3 for begin, end in events]


def seconds_on_cpu(run, repeats):
    for _ in range(min(WARM_UPS, repeats)):
        run()
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return seconds


def clocks():
    """What nvidia-smi says of clocks and power, or None."""
    names = "clocks.sm,clocks.mem,clocks.max.sm,clocks.max.mem,power.limit"
    try:
        said = subprocess.run(["nvidia-smi", f"--query-gpu={names}", "--format=csv,noheader"], capture_output=True,
                              text=True, timeout=20, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return None
    return dict(zip(names.split(","), (cell.strip() for cell in said.split(","))))


def timed(kernel, points, device, machine, described, repeats):
    """The entry of one kernel. Shares are those of the machine, if it is the one that was measured."""
    error, dtype = relative_error(kernel), kernel.run().dtype
    if not error <= TOLERANCE[dtype]:
        raise WrongResult(f"{kernel.name}, {points}: relative error {error:.3g} against the dense formulation, "
                          f"expected at most {TOLERANCE[dtype]:g} in {dtype}")
    seconds = sorted((seconds_on_cuda if device == "cuda" else seconds_on_cpu)(kernel.run, repeats))
    median = statistics.median(seconds)
    entry = {"name": kernel.name, "points": points, "dtype": str(dtype).removeprefix("torch."),
             "computed": kernel.work.name, "relative_error": error, "median_s": median,
             "tenth_s": seconds[len(seconds) // 10],
             "nine_tenths_s": seconds[-1 - len(seconds) // 10], "multiply_adds": kernel.work.multiply_adds,
             "bytes": kernel.work.bytes, "flops": 2 * kernel.work.multiply_adds / median,
             "bytes_per_s": kernel.work.bytes / median}
    if described:
        best = roofline.bound(kernel.work, machine).best_s
        entry.update(of_tensor_peak=entry["flops"] / machine.tensor_flops,
                     of_alu_peak=entry["flops"] / machine.alu_flops,
                     of_bandwidth=entry["bytes_per_s"] / machine.bytes_per_s,
                     roofline_s=best, of_roofline=best / median)
    return entry


def all_timed(group, points, device, machine, described, repeats):
    """The entries of kernels that are held against the dense ones among them."""
    entries, works = {}, {}
    for kernel in group:
        entry = timed(kernel, points, device, machine, described, repeats)
        entries[kernel.name], works[kernel.name] = entry, kernel.work
        if kernel.dense:
            dense = works[kernel.dense]
            entry["faster"] = entries[kernel.dense]["median_s"] / entry["median_s"]
            entry["fewer_multiply_adds"] = dense.multiply_adds / kernel.work.multiply_adds
            if described:
                entry["faster_computed"] = (roofline.bound(dense, machine).best_s
                                            / roofline.bound(kernel.work, machine).best_s)
    return list(entries.values())


def measure_all(device, machine, described, sizes, tokens, batch, heads, repeats):
    """What goes into the file. `described`: whether the machine is that of the device."""
    torch.manual_seed(1)
    dtype = torch.float16 if device == "cuda" else torch.float32
    rows, entries = tokens * batch, []
    with torch.no_grad():
        for n in sizes:
            for group in (kernels.matrices(n, rows, machine, device, dtype),
                          kernels.transforms(n, rows, machine, device)):
                entries += all_timed(group, n, device, machine, described, repeats)
        shape = work.Attention(tokens, heads * batch, sequences=batch)
        group = kernels.attentions(shape, machine, device, dtype)
        entries += all_timed(group, tokens, device, machine, described, repeats)
    return {"device": torch.cuda.get_device_name() if device == "cuda" else platform.processor() or platform.machine(),
            "kind": device, "machine": machine.name if described else None, "torch": torch.__version__,
            "cuda": torch.version.cuda if device == "cuda" else None,
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "clocks": clocks() if device == "cuda" else None,
            "threads": torch.get_num_threads() if device == "cpu" else None,
            "tokens": tokens, "batch": batch, "heads": shape.heads, "key_blocks": shape.count, "warm_ups": WARM_UPS,
            "repeats": repeats, "kernels": entries}


def table_of(result):
    """Markdown: measured beside computed."""
    def cell(entry, key, form):
        return "" if entry.get(key) is None else form(entry[key])
    rows = []
    for entry in result["kernels"]:
        spread = f"{1e6 * entry['tenth_s']:.4g} to {1e6 * entry['nine_tenths_s']:.4g}"
        rows.append([f"{entry['points']:,}: {entry['name']}", entry["dtype"], f"{1e6 * entry['median_s']:.4g}", spread,
                     f"{entry['flops'] / 1e9:.4g}", f"{entry['bytes_per_s'] / 1e9:.4g}",
                     *(cell(entry, key, percent) for key in ("of_tensor_peak", "of_alu_peak", "of_roofline")),
                     cell(entry, "faster", times), cell(entry, "faster_computed", times),
                     cell(entry, "fewer_multiply_adds", times), f"{entry['relative_error']:.1e}"])
    of = (f"{result['machine']}, fp16" if result["machine"] else
          "none; on a GPU, name its machine by --machine and they are there")
    return [f"Measured on {result['device']} ({result['kind']}), PyTorch {result['torch']}, {result['date']}, "
            f"{result['repeats']} runs after {result['warm_ups']}; shares of: {of}", "",
            *table(["kernel", "type", "median, us", "tenth to nine tenths", "GFLOP/s", "GB/s", "of tensor peak",
                    "of ALU peak", "of the roofline", "faster than dense", "computed", "fewer multiply-adds",
                    "relative error"], rows)]
