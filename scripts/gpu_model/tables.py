# SPDX-License-Identifier: Apache-2.0
"""What is computed, as tables in Markdown."""
from gpu_model import access, roofline, work


def table(head, rows):
    """The first column is words, the others are figures."""
    return ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1),
            *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows), ""]


def percent(share):
    return f"{100 * share:.3g} %"


def times(ratio):
    return f"{ratio:.3g}" if ratio < 1000 else f"{ratio:,.0f}"


def amount(count, unit):
    """Three digits and a prefix."""
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= factor:
            return f"{count / factor:.4g} {prefix}{unit}".rstrip()
    return f"{count:.3g} {unit}".rstrip()


def value_of(fact):
    if fact.value < 1e6:
        return f"{fact.value:,} {fact.unit}".removesuffix(" 1")
    return amount(fact.value, fact.unit)


def facts(machines):
    """Those that several machines have from one source stand once."""
    rows = []
    for name in sorted({name for machine in machines for name in machine.facts}):
        having = {}
        for machine in machines:
            if name in machine.facts:
                having.setdefault(machine.facts[name], []).append(f"`{machine.key}`")
        for fact, keys in having.items():
            of = "all" if len(keys) == len(machines) > 1 else ", ".join(keys)
            rows.append((f"`{name}`", of, value_of(fact), f"{fact.source} [{fact.tag}]"))
    return ["| fact | machine | value | source [strength] |", "| --- | --- | ---: | --- |",
            *("| " + " | ".join(row) + " |" for row in rows), ""]


def comparison(machine, pairs):
    """Kernels, each held against its dense counterpart; pairs of the points, the dense kernel, and others."""
    head = ["kernel", "multiply-adds", "bytes", "FLOP/byte", "of tensor peak", "of ALU peak", "time, us",
            "fewer multiply-adds", "faster", "left of the saving", "faster with launches"]
    if machine.has_shares:
        head.append("and at known shares")
    rows = []
    for points, dense, kernels in pairs:
        for kernel in (dense, *kernels):
            of, to = roofline.bound(kernel, machine), roofline.bound(dense, machine)
            fewer, faster = dense.multiply_adds / kernel.multiply_adds, to.best_s / of.best_s
            row = [f"{points:,}: {kernel.name}", amount(kernel.multiply_adds, ""), amount(kernel.bytes, "B"),
                   times(kernel.intensity), percent(roofline.tensor_peak_share(kernel, machine)),
                   percent(roofline.alu_peak_share(kernel, machine)),
                   times(1e6 * of.best_s)]
            row += ["", "", "", ""] if kernel is dense else [
                times(fewer), times(faster), percent(faster / fewer),
                times(roofline.launched_s(dense, machine) / roofline.launched_s(kernel, machine))]
            if machine.has_shares:
                row.append("" if kernel is dense else
                           times(roofline.expected_s(dense, machine) / roofline.expected_s(kernel, machine)))
            rows.append(row)
    return table(head, rows)


def matrices(machine, sizes, rows):
    return comparison(machine, [pair for n in sizes for pair in (
        (n, work.dense(n, rows, machine), work.butterflies(n, rows, machine)),
        (n, work.dense_transform(n, rows, machine), work.transforms(n, rows, machine)))])


def attentions(machine, shape):
    mixing = work.transforms_of_mixing(shape, machine)
    return comparison(machine, [(shape.tokens, work.attention(shape),
                                 work.sparse_attention(shape, machine) + ([mixing] if mixing else []))])


def by_stride(n, cells_of):
    """Rows for the strides of all levels; those of neighbouring levels with the same cells are one."""
    rows = []
    for level in range(work.levels_of(n)):
        cells = cells_of(1 << level)
        if rows and rows[-1][2] == cells:
            rows[-1] = (rows[-1][0], 1 << level, cells)
        else:
            rows.append((1 << level, 1 << level, cells))
    return [[f"{first:,} to {last:,}" if first < last else f"{first:,}", *cells] for first, last, cells in rows]


def accesses(machine, n, rows):
    """What a load of a warp uses of the sectors and lines that it touches, at each level; both loads of a pair together
    in brackets, for where a cache keeps them until the second one."""
    def cells_of(stride):
        cells = []
        for addresses in access.LAYOUTS.values():
            first, second = addresses(rows if addresses is access.tokens_contiguous else n, stride, machine.warp, 2)
            for unit in (machine.sector_bytes, machine.line_bytes):
                one, both = (access.used_share(loads, 2, unit) for loads in (first, first + second))
                cells.append(f"{percent(one)} ({percent(both)})")
        return cells
    return table(["stride", *(name for layout in access.LAYOUTS for name in (f"{layout}: sector", "line"))],
                 by_stride(n, cells_of))


def strides(n, rows):
    """Bytes between the values of a pair of the last level, by layout."""
    return f"{n:,} bytes if vectors are contiguous, {n * rows:,} if tokens are"


def tiles(machine, n):
    def cells_of(stride):
        cells = []
        for parts in (1, 2):
            count, share = access.level_tiles(n, stride, machine.tile, parts)
            cells += [percent(share), f"{count:,}", percent(count / (n * parts / machine.tile) ** 2)]
        return cells
    return table(["stride", *(f"{of}{name}" for of in ("butterfly: ", "FFT: ")
                              for name in ("not zero in a tile", "tiles", "of all tiles"))], by_stride(n, cells_of))


def query_blocks(machine):
    queries = (1, 4, machine.tile, 4 * machine.tile)
    return table(["queries with the same keys", "of a tile's rows"],
                 [(count, percent(access.query_rows(count, machine.tile))) for count in queries])


def rows_in_flight(machine, n, most):
    """From one row on, in steps of four."""
    needed, lines, rows = roofline.warps_needed(machine), [], 1
    while True:
        dense, kernels = work.dense(n, rows, machine), work.butterflies(n, rows, machine)
        offered, resident = roofline.warps_offered(n, rows, machine)
        line = [f"{rows:,}", times(offered), times(resident), percent(min(1, resident / needed))]
        for seconds in (lambda kernel: roofline.bound(kernel, machine).best_s,
                        lambda kernel: roofline.launched_s(kernel, machine)):
            line += [times(seconds(dense) / seconds(kernel)) for kernel in kernels]
        lines.append(line)
        if rows >= most:
            break
        rows = min(4 * rows, most)
    return table(["rows", "warps an SM on offer", "resident", "of those needed", "a kernel a level: faster", "fused",
                  "blocks of 16", "with launches: a kernel a level", "fused", "blocks of 16"], lines)


def fused(machines, sizes):
    """What the fused kernels keep in shared memory in their first pass; machines with the same SMs stand once."""
    rows = []
    for machine in {(machine.sms, machine.shared_bytes_per_sm): machine for machine in reversed(machines)}.values():
        for n in sizes:
            for name, passes_of in (("butterfly", work.butterfly_passes), ("blocks of 16", work.block_passes),
                                    ("FFT", work.transform_passes)):
                passes = passes_of(n, machine)
                needed, fit = roofline.rows_of_all(machine, n, passes[0])
                rows.append([f"`{machine.key}`, {n:,}: {name}", len(passes), passes[0].levels,
                             amount(passes[0].bytes, "B"), fit, passes[0].tokens * fit, f"{needed:,}"])
    return table(["kernel", "passes", "levels in the first", "shared memory of a block", "blocks an SM",
                  "rows in flight an SM", "rows for a block on every SM"], rows)


def ceilings(machines, sizes):
    rows = [[f"{n:,}", times(n / (2 * work.levels_of(n))),
             *(times(roofline.most_speedup(n, machine)) for machine in machines)] for n in sizes]
    return table(["points", "fewer multiply-adds of a butterfly",
                  *(f"{machine.name}: faster at most" for machine in machines)], rows)


def page(machines, sizes, tokens, batches, heads):
    """All tables."""
    rows, most, largest = tokens * batches[0], tokens * max(batches), max(sizes)
    shape, first = work.Attention(tokens, heads * batches[0], sequences=batches[0]), machines[0]
    lines = ["Machines, with the source of each figure:", "", *facts(machines),
             "At most, if a matrix costs no more than reading and writing its vectors once, on many rows:", "",
             *ceilings(machines, sizes)]
    for machine in machines:
        lines += [f"{machine.name}, matrices and transforms on {rows:,} rows (points: kernel):", "",
                  *matrices(machine, sizes, rows),
                  f"{machine.name}, attention of {tokens:,} tokens, {shape.heads} heads of {shape.head}, {shape.count} "
                  f"of {shape.blocks} blocks of {shape.block} keys for a block of queries:", "",
                  *attentions(machine, shape)]
    lines += [f"What a load of a warp uses of the sectors of {first.sector_bytes} bytes and the lines of "
              f"{first.line_bytes} that it touches, and in brackets what both loads of a pair use; {largest:,} points, "
              f"{rows:,} rows. The stride of the last level is {strides(largest, rows)}:", "",
              *accesses(first, largest, rows),
              f"Matrices of one level of {largest:,} points, in tiles of {first.tile} x {first.tile}:", "",
              *tiles(first, largest),
              "Sparse attention: how much of a tile's rows queries fill that see the same keys:", "",
              *query_blocks(first),
              "Fused kernels, with as many levels in shared memory as fit:", "", *fused(machines, sizes)]
    for machine in machines:
        lines += [f"{machine.name}, {sizes[0]:,} points: warps an SM with a lane for a pair of a row, of which "
                  f"{roofline.warps_needed(machine):.3g} are needed to keep the memory busy and {machine.warps_per_sm} "
                  "fit, and how much faster than dense a butterfly is:", "", *rows_in_flight(machine, sizes[0], most)]
    return "\n".join(lines)
