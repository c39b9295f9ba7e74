# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reproduction.md: networks against baselines, next to the paper's claims. Start it by scripts/reproduction."""
import argparse
import concurrent.futures
import json
import math
import os
import shutil
import subprocess
import sys

from build_identity import EXECUTABLE, ROOT, build_identity, made_at

NETWORKS = {
    "vit_base16": (197,),
    "bert_base": (128, 512, 1024),
    "bert_large": (128, 512, 1024),
    "fabnet_base": (128, 512, 1024),
    "fabnet_large": (128, 512, 1024),
    "block_1024x512": (1024,),
    "long_document": (8192,),
}
# FABNet's networks without attention are BERT's all-butterfly ones.
ALL_BUTTERFLY = [(n, t) for n, lengths in NETWORKS.items() for t in lengths if not n.startswith("fabnet")]
NX = "xavier_nx_dense_tensor"
CUDA = "xavier_nx_dense_cuda"
SAME_CUDA = "xavier_nx_same_cuda"
ACCELERATORS = ("SpAtten", "Sanger", "DOTA", "ViTALiTy")
# Mapping methods: the one that the paper describes, and the platform's own.
PUBLISHED, IMPROVED = ("compiler.method=published",), ()
# Watts of the lean array of 256 GOp/s and of its memory.
PUBLISHED_POWER_W = 0.41 + 0.11  # MLX (ISCA 2026), Table IV
ASSUMED = "assumed range"
NX_SET = "baselines.xavier_nx."
# Name, the baseline that it changes, low and high end (None: the default is that end), origin of the range.
SENSITIVITY = (
    ("NX tensor efficiency, 0.33 to 0.51", NX, NX_SET + "tensor_efficiency=0.33", NX_SET + "tensor_efficiency=0.51",
     "MLX (ISCA 2026), dense projections on H100, digitised"),
    ("NX launch, 5 to 15 us", NX, NX_SET + "launch_s=5e-6", NX_SET + "launch_s=15e-6", "general knowledge"),
    ("NX share of bandwidth, 0.7 to 0.8", NX, NX_SET + "bandwidth_efficiency=0.7", NX_SET + "bandwidth_efficiency=0.8",
     "general knowledge"),
    ("NX power, 10 to 15 W", NX, NX_SET + "power_fraction=0.667", None,
     "15 W: budget; 10 W: assumed, MLPerf MaxQ has 13.7 W at the wall"),
    ("NX power mode, 10 to 20 W", NX, NX_SET + "power_mode=10W", NX_SET + "power_mode=20W", "JetPack's modes"),
    ("energy profile, textbook to silicon", NX, "energy.profile=textbook", None, "the two published ends"),
    ("DRAM transfer, 8 to 20.3 pJ/bit", NX, "energy.dram_pj_per_bit=8", "energy.dram_pj_per_bit=20.3",
     "LPDDR4: accelergy-cacti-plug-in; DDR4: TPUv4i (ISCA 2021)"),
    ("scratchpad array, 1 to 8 cycles", NX, "soc.scratchpad.array_latency=1", "soc.scratchpad.array_latency=8", ASSUMED),
    ("mesh link, 8 to 64 bytes a cycle", NX, "soc.mesh.link_bytes=8", None, "64-bit meshes of the DPU line; a vector"),
    ("mesh hop, 1 to 4 cycles", NX, None, "soc.mesh.link_latency=4", ASSUMED),
    ("DMA, 4 to 32 bursts in flight", NX, "soc.dma.outstanding=4", "soc.dma.outstanding=32", ASSUMED),
    ("Cal latency, 2 to 8 cycles", NX, "soc.pe.cal_latency=2", "soc.pe.cal_latency=8", ASSUMED),
    ("DRAM channels, 1 to 4", NX, "soc.dram.channels=1", "soc.dram.channels=4", ASSUMED),
    ("dense on CUDA cores: efficiency 0.4 to 0.8", CUDA, NX_SET + "cuda_efficiency=0.4", NX_SET + "cuda_efficiency=0.8",
     ASSUMED),
    ("same network on CUDA cores: share of roofline 0.12 to 0.29", SAME_CUDA, NX_SET + "sparse_fraction=0.12",
     NX_SET + "sparse_fraction=0.29", "MLX (ISCA 2026), Orin, digitised"),
)


def cache():
    """Where the runs of this build are."""
    return ROOT / "runs/reproduction" / build_identity()


def vp(*arguments):
    subprocess.run([str(part) for part in (EXECUTABLE, *arguments)], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def options(settings):
    return [part for setting in settings for part in ("--set", setting)]


def file_name(*parts):
    return "-".join(str(part).replace("/", "_") for part in parts)


def simulate(name, tokens, variant, preset, settings=(), fidelity="cycle"):
    """The directory of a run, which is repeated only where this build has not done it."""
    path = cache() / file_name(name, tokens, variant, preset, fidelity, *settings)
    if not (path / "summary.json").exists() or not json.loads((path / "summary.json").read_text())["passed"]:
        print(path.name, file=sys.stderr, flush=True)
        settings = (f"soc.preset={preset}", f"network.tokens={tokens}", f"network.variant={variant}",
                    "run.time_limit_s=1000", "record.statistics=false", "record.power_window_s=0", *settings)
        vp("run", ROOT / f"scenarios/{name}.yaml", "--quiet", "--no-data", "--fidelity", fidelity, "--out", path,
           *options(settings))
    return path


def prefetch(jobs_at_a_time):
    """Does most of the runs that the tables need, several at a time; the tables find them done."""
    jobs = []
    for preset in ("array_1tflops", "array_256gops"):
        for variant in ("butterfly", "hybrid", "butterfly_linear", "dense"):
            for name, lengths in NETWORKS.items():
                if name.startswith("fabnet") and variant != "hybrid" or name.startswith("block") and variant == "hybrid":
                    continue
                slow = preset == "array_256gops" and name == "long_document" and variant != "butterfly"
                if preset == "array_256gops" and variant == "dense":
                    continue
                for method in (IMPROVED, PUBLISHED) if variant == "butterfly" else (IMPROVED,):
                    jobs += [(name, tokens, variant, preset, method, "fast" if slow else "cycle") for tokens in lengths]
    with concurrent.futures.ThreadPoolExecutor(jobs_at_a_time) as pool:
        list(pool.map(lambda job: simulate(*job), jobs))


def compare(name, tokens, variant, preset, settings=(), dense=False, fidelity="cycle"):
    """Settings of baselines are those of the comparison, all others those of the run."""
    of_run = tuple(s for s in settings if not s.startswith("baselines."))
    of_baselines = tuple(s for s in settings if s.startswith("baselines."))
    run = simulate(name, tokens, variant, preset, of_run, fidelity)
    out = cache() / (file_name(run.name, *of_baselines) + ".json")
    vp("compare", run, "--out", out, *options(of_baselines))
    (result,) = json.loads(out.read_text())
    if dense:
        # FABNet's dense counterpart is that of a BERT of its size.
        of_dense = tuple(s for s in of_run if s not in PUBLISHED)  # there are no butterflies to map
        other = json.loads((simulate(name.replace("fabnet", "bert"), tokens, "dense", preset, of_dense, fidelity)
                            / "summary.json").read_text())
        result["baselines"].append({"name": "this_array_dense", "speedup": other["time_s"] / result["time_s"],
                                    "energy_ratio": other["energy_j"] / result["energy_j"]})
    return result


def baseline(result, name):
    return next((b for b in result["baselines"] if b["name"] == name), None)


def geometric_mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values))


def cell(row):
    if row is None:
        return "-"
    energy = "-" if row["energy_ratio"] is None else f"{row['energy_ratio']:.2f}"
    return f"{row['speedup']:.2f} / {energy}"


def summary_rows(columns, empty):
    """Geometric mean, mean and maximum of columns of pairs."""
    rows = []
    for label, of in (("geometric mean", geometric_mean), ("mean", lambda v: sum(v) / len(v)), ("maximum", max)):
        cells = []
        for speeds, energies in columns:
            cells.append(f"{of(speeds):.2f} / {of(energies):.2f}" if speeds else "-")
        rows.append(f"| *{label}* |" + " |" * empty + " " + " | ".join(cells) + " |")
    return rows


def nx_table(variant, method=IMPROVED):
    names = [NX, CUDA, "xavier_nx_same_tensor", SAME_CUDA, "xavier_nx_same_cuda_ideal", "this_array_dense"]
    rows, columns = [], {n: ([], []) for n in names}
    for network, lengths in NETWORKS.items():
        for tokens in lengths:
            if network.startswith("fabnet") and variant != "hybrid":
                continue
            if network == "block_1024x512" and variant == "hybrid":
                continue
            result = compare(network, tokens, variant, "array_1tflops", method, dense=True)
            cells = []
            for n in names:
                b = baseline(result, n)
                columns[n][0].append(b["speedup"])
                columns[n][1].append(b["energy_ratio"])
                cells.append(cell(b))
            rows.append(f"| {network} {tokens} | {1e3 * result['time_s']:.3f} | {1e3 * result['energy_j']:.2f} | "
                        + " | ".join(cells) + " |")
    rows += summary_rows(columns.values(), 2)
    head = ["| network, tokens | ms | mJ | " + " | ".join(names) + " |", "| --- |" + " --- |" * (len(names) + 2)]
    return "\n".join(head + rows), columns


def accelerator_table(method, variants):
    """Rows by variant, each closed by its means; the block; columns of pairs over the all-butterfly networks."""
    names = [*ACCELERATORS, "fabnet_published", "fabnet_corrected"]
    rows, block, all_butterfly = [], None, None
    for variant in variants:
        columns = {n: ([], []) for n in names}
        for network, lengths in NETWORKS.items():
            if network.startswith("fabnet") and variant != "hybrid":
                continue
            if network == "block_1024x512" and variant == "hybrid":
                continue
            # With attention some billion cycles each.
            fidelity = "fast" if network == "long_document" and variant != "butterfly" else "cycle"
            for tokens in lengths:
                result = compare(network, tokens, variant, "array_256gops", method, fidelity=fidelity)
                if network == "block_1024x512" and variant == "butterfly":
                    block = result
                cells = []
                for n in names:
                    b = baseline(result, n)
                    cells.append(cell(b))
                    if b is not None:
                        columns[n][0].append(b["speedup"])
                        columns[n][1].append(b["energy_ratio"])
                label = f"{network} {tokens} {variant}" + (" (`fast`)" if fidelity == "fast" else "")
                rows.append(f"| {label} | {1e3 * result['time_s']:.3f} | "
                            f"{1e3 * result['energy_without_dram_j']:.2f} | " + " | ".join(cells) + " |")
        rows += [row.replace("* |", f" ({variant})* |", 1) for row in summary_rows(columns.values(), 2)]
        all_butterfly = all_butterfly or columns
    head = ["| network, tokens, variant | ms | mJ without DRAM | " + " | ".join(names) + " |",
            "| --- |" + " --- |" * (len(names) + 2)]
    return "\n".join(head + rows), block, all_butterfly


def energy_settings(method):
    """Every setting in which the claim about energy can be meant, on the block: rows of a table, and the range of the
    four ratios by setting."""
    ours = {
        f"published power of the lean array, {PUBLISHED_POWER_W:.2f} W, x simulated time":
            lambda r: PUBLISHED_POWER_W * r["time_s"],
        "profile `silicon_simd8`": lambda r: r["energy_without_dram_j"],
        "profile `textbook`": None,
        "profile `silicon`, extrapolated to 8 lanes": None,
    }
    nodes = {"none": "own node", "mlx": "12 nm by MLX", "stillmaker": "12 nm by Stillmaker and Baas"}
    speeds = {"": "full peak", "published_speed_": "Fig. 18"}

    def block(technology, *settings):
        return compare("block_1024x512", 1024, "butterfly", "array_256gops",
                       (*method, *settings, f"baselines.technology={technology}"))

    rows, ranges = [], {}
    for technology, node in nodes.items():
        for prefix, speed in speeds.items():
            for text, joules in ours.items():
                profile = text.split("`")[1] if "`" in text else "silicon_simd8"
                result = block(technology, f"energy.profile={profile}")
                mine = joules(result) if joules else result["energy_without_dram_j"]
                ratios = [baseline(result, prefix + n)["energy_j"] / mine for n in ACCELERATORS]
                ranges[text, technology, prefix] = (min(ratios), max(ratios))
                inside = sum(6.60 <= ratio <= 15.37 for ratio in ratios)
                rows.append(f"| {text} | {1e3 * mine:.2f} mJ | {node}, {speed} | "
                            + " | ".join(f"{ratio:.2f}" for ratio in ratios)
                            + f" | {min(ratios):.2f} to {max(ratios):.2f} | {inside} |")
    return "\n".join(rows), ranges


BATCHES = (1, 8, 32)


def batches():
    """All-butterfly networks over the NX, by sequences at a time, in `fast`: rows of speed / energy, closed by the
    geometric means."""
    rows, columns = [], [([], []) for _ in BATCHES]
    for network, tokens in ALL_BUTTERFLY:
        if network == "long_document":
            continue  # at 32 sequences of 8,192 tokens the activations alone are 1 GB
        cells = []
        for batch, column in zip(BATCHES, columns):
            result = compare(network, tokens, "butterfly", "array_1tflops", (f"network.batch={batch}",), fidelity="fast")
            row = baseline(result, NX)
            column[0].append(row["speedup"])
            column[1].append(row["energy_ratio"])
            cells.append(f"{1e3 * result['time_s'] / batch:.3f} | {cell(row)}")
        rows.append(f"| {network} {tokens} | " + " | ".join(cells) + " |")
    means = " | ".join(f"| {geometric_mean(s):.2f} / {geometric_mean(e):.2f}" for s, e in columns)
    rows.append(f"| *geometric mean* | {means} |")
    return "\n".join(rows)


def sensitivity(method):
    """Geometric means over the all-butterfly networks but the longest, in `fast`: the default, and both ends of each
    parameter, as pairs of speed and energy."""
    def means(of, settings):
        results = [compare(n, t, "butterfly", "array_1tflops", (*method, *settings), fidelity="fast")
                   for n, t in ALL_BUTTERFLY if n != "long_document"]
        return tuple(geometric_mean([baseline(r, of)[key] for r in results]) for key in ("speedup", "energy_ratio"))
    rows = []
    for what, of, low, high, source in SENSITIVITY:
        ends = [means(of, (end,) if end else ()) for end in (low, high)]
        rows.append((what, of, means(of, ()), *ends, source))
    # Savings of operations belong to the accelerators, on the block.
    schema = json.loads(subprocess.run([str(EXECUTABLE), "describe", "--schema"], check=True, capture_output=True).stdout)
    for name in ACCELERATORS:
        def block(*settings):
            row = baseline(compare("block_1024x512", 1024, "butterfly", "array_256gops", (*method, *settings)), name)
            return row["speedup"], row["energy_ratio"]
        group = schema["properties"]["baselines"]["properties"][name.lower()]["properties"]
        low, high = (f"{share * group['flop_saving']['default']:g}" for share in (0.8, 1.2))
        rows.append((f"{name}: saving of operations, {low} to {high}", name, block(),
                     *(block(f"baselines.{name.lower()}.flop_saving={end}") for end in (low, high)), ASSUMED))
    return rows


def draw(rows):
    """Both ends of a parameter on one row, the widest swing on top, for speed and for energy."""
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "butterfly-vp"
    from matplotlib import pyplot
    rows = [row for row in rows if row[1] == NX]
    figure, axes = pyplot.subplots(1, 2, figsize=(13, 5))
    for i, (axis, title) in enumerate(zip(axes, ("speed over Xavier NX (dense, tensor cores)", "energy over Xavier NX"))):
        base = rows[0][2][i]
        for what, _, _, low, high, _ in sorted(rows, key=lambda row: abs(row[4][i] - row[3][i])):
            for end, color in ((low[i], "#cc6677"), (high[i], "#4477aa")):
                axis.barh(what, end - base, left=base, color=color)
        axis.axvline(base, color="black", linewidth=0.8)
        axis.set_title(f"{title}: {base:.2f} (red: low end of the range, blue: high end)", fontsize=9)
        axis.tick_params(labelsize=8)
        axis.grid(axis="x", linewidth=0.3)
    figure.tight_layout()
    (ROOT / "docs/figures").mkdir(exist_ok=True)
    figure.savefig(ROOT / "docs/figures/sensitivity.svg", metadata={"Date": None})


PAGE = """# Reproduction of the paper's claims

Made by `scripts/reproduction` at {made_at}. The paper is "Multilayer Dataflow: Orchestrate Butterfly Sparsity to Accelerate Attention
Computation" (arXiv 2411.00734); only its abstract was at hand, so workloads, configuration and definitions behind its
figures are not known. No parameter of the platform was chosen for the sake of these figures; each has a source
([parameters](reference/parameters.md)), and what the baselines assume is on [a page of its own](baselines.md).

## Headline

The claims are about the published mapping (`compiler.method: published`), so its figures come first. The other column is the
default, `compiler.method: improved`, which does the same networks with fewer instructions and less waiting
([what each technique is worth](results.md#what-each-technique-is-worth)). All-butterfly networks.

| claim of the abstract | published mapping | improved mapping | |
| --- | --- | --- | --- |
{headline}

Cells are speed / energy: the baseline's time over ours, its energy over ours. *Efficiency* at the same peak is read as
speed: with equal peaks, the ratio of times for the same task is the ratio of the useful work per operation of the peak. The
abstract does not define it. The array of 256 GOp/s is priced by `silicon_simd8`, which is calibrated to the lean array that
was published with 8 lanes ([energy](energy.md)). Baselines that run the same network are given the reductions of work that
the run has had (normalised butterflies, the real FFT).

What differs, and why:

- **Speed over the NX.** The geometric mean over the all-butterfly networks by the published mapping is {speed_verdict} the
  claimed average. The range is wide, since the work that butterflies save grows with hidden size and length: {smallest}
  gains least, {maximum_of} most. Which of them the paper averages over is not known. Hybrid networks, which keep attention in
  half of their layers, come to a geometric mean of {hybrid_mean:.2f} by the improved mapping: attention is dense work, for
  which tensor cores have the higher peak.
  Against the NX's CUDA cores, or against butterflies on the NX, the same runs give other figures; a claim that does not say
  which of them it means cannot be checked.
- **Energy over the NX.** Ours includes DRAM; power is {power} on average over these runs. The NX is charged with the
  budget of its power mode, an upper bound; drawing 10 W instead, the geometric mean is {nx_10w}.
- **Attention accelerators.** They are given their published saving of operations and their full peak at all times, which
  nobody has measured on these networks. MLX (ISCA 2026, Fig. 18) publishes other speeds on this block, relative to
  SpAtten: {fig18_relative}, where the savings at full peak would give
  {saving_relative}. The row with those speeds has SpAtten as before; its energies are in the table below. Of the claimed
  2.38 to 4.7, {in_band} of four accelerators are within at full peak, {fig18_in_band} with those speeds.
- **Energy of those.** {inside_settings} of {setting_count} settings have all four ratios within the claimed 6.60 to 15.37,
  {touching_settings} at least one. What makes ratios of that size is the mix of technologies: in their own nodes of 22 to 55 nm the
  others need 2 to 7 times the energy that MLX (ISCA 2026, Table IV) counts for them in 12 nm. Brought to one node, the
  highest ratio is {one_node_high}. Which setting the paper means is not known.
- **FABNet.** At the same peak the platform is faster than its published model in {fabnet_faster} of {fabnet_count}
  networks. The published model charges one pass too few, divides by a fixed 0.85, has no layer norm, activation, host or
  DRAM but for bandwidth, and its units are dedicated to butterflies: 4 multiplications a cycle each, where this array, whose
  peak counts fused multiply-adds, has one multiplication and one fused multiply-add an output in pairs and so at most 75 %
  of its peak, and the latter alone in normal form. With the missing pass the ratios are those of `fabnet_corrected`. Its power is that of an FPGA.

Where two figures stand side by side as "a; b", a is by the published mapping and b by the improved one.

## All-butterfly networks against the Xavier NX

1.024 TFLOP/s array, fidelity `cycle`, profile `silicon`.

### By the published mapping

{butterfly_published}

### By the improved mapping

{butterfly}

What single networks weigh in the means of the speed over the NX (dense on tensor cores). The long document is not a published
network: it is here to show how the gain grows with length.

| left out | published: geometric mean | mean | maximum | improved: geometric mean | mean | maximum |
| --- | --- | --- | --- | --- | --- | --- |
{influence}

### Several sequences at a time

Milliseconds a sequence, and speed / energy over the NX (dense on tensor cores), by `network.batch`; fidelity `fast`, improved
mapping. The NX loads weights and launches kernels once for all sequences of a batch. Left out: the long document.

| network, tokens | 1: ms | 1 | 8: ms | 8 | 32: ms | 32 |
| --- | --- | --- | --- | --- | --- | --- |
{batches}

## Hybrid networks

2D-FFT mixing in the first half of the layers (FABNet: all but the last ones), attention in the others, by the improved mapping. A single block has no
halves and is left out; the dense counterpart of a FABNet is that of a BERT of its size.

{hybrid}

## Butterfly matrices with attention in every layer

By the improved mapping. FABNets are left out: without FFT mixing they are the BERTs of their size.

{linear}

## Accelerators of the same peak

256 GOp/s array, profile `silicon_simd8`, fidelity `cycle`, but `fast` for the long document with attention, which takes some billion
cycles. FABNet's model covers layers without attention only. Left out: FABNet's networks where all layers are alike (they are
then the BERTs of their size) and the single block as hybrid, which has no halves.

### By the published mapping

{accelerators_published}

### By the improved mapping

{accelerators}

## Energy of accelerators of the same peak

Block of 1,024 tokens x 512, all butterfly, 256 GOp/s, one sequence, without DRAM. Energy of the others is their published
power x time: at their full peak less the published saving of operations, or with the speeds of MLX (ISCA 2026, Fig. 18); in
their own technology, or brought to 12 nm in either of two ways ([baselines](baselines.md)). Tag of every row: I, inferred
(published power and speeds, simulated time). The last column counts the ratios within the claimed 6.60 to 15.37. None of
these settings is preferred here.

### By the published mapping

| ours | energy | others | SpAtten | Sanger | DOTA | ViTALiTy | range | within |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{energy_settings_published}

### By the improved mapping

| ours | energy | others | SpAtten | Sanger | DOTA | ViTALiTy | range | within |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{energy_settings}

## Sensitivity

How the geometric means over the all-butterfly networks (without the long document, fidelity `fast`; the accelerators on
the block, fidelity `cycle`) move when one parameter is set to either end of its range. Cells are speed / energy. The figure
has those over the Xavier NX with dense kernels on tensor cores, by the improved mapping.

![sensitivity](figures/sensitivity.svg)

### By the published mapping

| parameter | over | default | low end | high end | range from |
| --- | --- | --- | --- | --- | --- |
{sensitivity_published}

### By the improved mapping

| parameter | over | default | low end | high end | range from |
| --- | --- | --- | --- | --- | --- |
{sensitivity}
"""


class MethodFigures:
    """Figures of the all-butterfly networks by one method of mapping."""

    def __init__(self, method):
        self.nx_table, columns = nx_table("butterfly", method)
        variants = ("butterfly", "hybrid", "butterfly_linear") if method == IMPROVED else ("butterfly",)
        self.accelerator_table, self.block, self.same_peak = accelerator_table(method, variants)
        self.setting_rows, self.ranges = energy_settings(method)
        self.sensitivity = sensitivity(method)
        self.speed, self.energy = columns[NX]
        names = [f"{n} {t}" for n, t in ALL_BUTTERFLY]
        self.speeds = dict(zip(names, self.speed))
        self.runs = [compare(n, t, "butterfly", "array_1tflops", method) for n, t in ALL_BUTTERFLY]
        self.fabnet = self.same_peak["fabnet_published"]
        # Of each accelerator over the all-butterfly networks.
        self.peak_speeds = [geometric_mean(self.same_peak[n][0]) for n in ACCELERATORS]

    def of_block(self, key, prefix=""):
        return [baseline(self.block, prefix + n)[key] for n in ACCELERATORS]

    def relative(self, prefix=""):
        spatten = baseline(self.block, "SpAtten")["time_s"]
        return ", ".join(f"{n} {spatten / t:.2f}"
                         for n, t in list(zip(ACCELERATORS, self.of_block("time_s", prefix)))[1:])

    def without_long(self):
        return [value for name, value in self.speeds.items() if not name.startswith("long_document")]

    def settings_inside(self):
        """The number of settings in which all four ratios of energy are within the claimed range."""
        return sum(low >= 6.60 and high <= 15.37 for low, high in self.ranges.values())

    def settings_touching(self):
        """The number of settings in which the range of the ratios of energy and the claimed one overlap."""
        return sum(high >= 6.60 and low <= 15.37 for low, high in self.ranges.values())


def spread(values):
    return f"{min(values):.2f} to {max(values):.2f}"


def within(values, low, high):
    return sum(low <= v <= high for v in values)


def headline(published, improved):
    """Rows of the table of claims."""
    def longest(of):
        return max(of.speeds, key=of.speeds.get)
    count = len(published.speed)
    without = "; without the long document, which is a network of ours: " + ", ".join(
        f"{geometric_mean(of.without_long()):.2f} and {sum(of.without_long()) / len(of.without_long()):.2f} {name}"
        for of, name in ((published, "published"), (improved, "improved")))
    rows = [
        ("up to 14.34 times the speed of a Jetson Xavier NX", lambda of: f"{max(of.speed):.2f}",
         f"dense on tensor cores; {longest(published)}"),
        ("9.29 times on average",
         lambda of: f"{geometric_mean(of.speed):.2f} geometric mean, {sum(of.speed) / count:.2f} mean",
         f"{count} networks{without}"),
        ("11.14 times the energy efficiency",
         lambda of: f"{geometric_mean(of.energy):.2f} geometric mean, up to {max(of.energy):.2f}",
         "DRAM in, NX at its 15 W budget"),
        ("2.38 to 4.7 times the efficiency of attention accelerators at the same peak",
         lambda of: spread(of.of_block("speedup")),
         "speed on one block, 1,024 x 512, 256 GOp/s; SpAtten, Sanger, DOTA, ViTALiTy at their full peak"),
        ("", lambda of: spread(of.peak_speeds), f"likewise, geometric means over {count} all-butterfly networks"),
        ("", lambda of: spread(of.of_block("speedup", "published_speed_")),
         "on the block, with the relative speeds that MLX (ISCA 2026, Fig. 18) publishes for it"),
        ("", lambda of: spread(of.fabnet[0]),
         f"speed, FABNet's published latency model, {len(published.fabnet[0])} all-butterfly networks"),
        ("6.60 to 15.37 times less energy than those",
         lambda of: spread([end for ends in of.ranges.values() for end in ends]),
         f"over all {len(published.ranges)} settings in which this can be meant, on the block, without DRAM; all of them are "
         "[below](#energy-of-accelerators-of-the-same-peak)"),
        ("", lambda of: spread(of.fabnet[1]), "FABNet as a 16 nm FPGA, profile `silicon_simd8`"),
    ]
    return "\n".join(f"| {claim} | {cell_of(published)} | {cell_of(improved)} | {note} |" for claim, cell_of, note in rows)


def influence(published, improved):
    """The geometric mean and the mean of the speeds without each of the networks."""
    rows = []
    for left_out in (None, *published.speeds):
        cells = []
        for of in (published, improved):
            values = [speed for name, speed in of.speeds.items() if name != left_out]
            cells += [geometric_mean(values), sum(values) / len(values), max(values)]
        rows.append(f"| {left_out or 'none'} | " + " | ".join(f"{value:.2f}" for value in cells) + " |")
    return "\n".join(rows)


def sensitivity_rows(rows):
    def pair(values):
        return f"{values[0]:.2f} / {values[1]:.2f}"
    return "\n".join(f"| {what} | {over} | {pair(base)} | {pair(low)} | {pair(high)} | {source} |"
                     for what, over, base, low, high, source in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--again", action="store_true", help="do not take runs from runs/reproduction")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time (default: one a processor)")
    arguments = parser.parse_args()
    if arguments.again:
        shutil.rmtree(cache(), ignore_errors=True)
    prefetch(arguments.jobs)
    published, improved = MethodFigures(PUBLISHED), MethodFigures(IMPROVED)
    hybrid, hybrid_columns = nx_table("hybrid")
    linear, _ = nx_table("butterfly_linear")
    draw(improved.sensitivity)

    def both(text):
        return f"{text(published)}; {text(improved)}"

    def one_node(of):
        return max(high for (_, technology, _), (_, high) in of.ranges.items() if technology != "none")

    speeds = published.speeds
    (ROOT / "docs/reproduction.md").write_text(PAGE.format(
        made_at=made_at(), headline=headline(published, improved),
        speed_verdict="below" if geometric_mean(published.speed) < 9.29 else "above",
        maximum_of=max(speeds, key=speeds.get), smallest=min(speeds, key=speeds.get),
        hybrid_mean=geometric_mean(hybrid_columns[NX][0]),
        power=both(lambda of: f"{sum(r['energy_j'] for r in of.runs) / sum(r['time_s'] for r in of.runs):.1f} W"),
        nx_10w=both(lambda of: f"{geometric_mean(of.energy) * 10 / 15:.2f}"),
        fig18_relative=published.relative("published_speed_"), saving_relative=published.relative(),
        in_band=both(lambda of: within(of.of_block("speedup"), 2.38, 4.7)),
        fig18_in_band=both(lambda of: within(of.of_block("speedup", "published_speed_"), 2.38, 4.7)),
        inside_settings=both(lambda of: of.settings_inside()), touching_settings=both(lambda of: of.settings_touching()),
        setting_count=len(published.ranges), one_node_high=both(lambda of: f"{one_node(of):.2f}"),
        fabnet_faster=both(lambda of: sum(v > 1 for v in of.fabnet[0])), fabnet_count=len(published.fabnet[0]),
        butterfly_published=published.nx_table, butterfly=improved.nx_table, influence=influence(published, improved),
        batches=batches(), hybrid=hybrid, linear=linear, accelerators_published=published.accelerator_table,
        accelerators=improved.accelerator_table, energy_settings_published=published.setting_rows,
        energy_settings=improved.setting_rows, sensitivity_published=sensitivity_rows(published.sensitivity),
        sensitivity=sensitivity_rows(improved.sensitivity)))


if __name__ == "__main__":
    main()
