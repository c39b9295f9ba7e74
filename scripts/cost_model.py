# SPDX-License-Identifier: Apache-2.0
"""Random networks on random machines, and how far the planner's cost model is from their simulation; used by
scripts/cost_model and by the test of the cost model."""
import json
import random
import re
import subprocess
import tempfile

FRAME = "bert_base"  # the scenario whose network and machine are replaced


def random_settings(rng):
    """A network of up to four layers and a machine around the shipped one, as settings of the scenario."""
    variant = rng.choice(["butterfly", "butterfly_linear", "hybrid", "dense"])
    hidden = rng.choice([64, 96, 128, 192, 256, 384, 512])
    settings = {
        "network.variant": variant,
        "network.tokens": rng.choice([16, 33, 64, 100, 128, 197, 256, 384, 512]),
        "network.hidden": hidden,
        "network.heads": rng.choice([1, 2, 4]),
        "network.ffn": hidden * rng.choice([1, 2, 4]),
        "network.depth": rng.choice([2, 4] if variant == "hybrid" else [1, 2, 4]),
        "network.fft_length": rng.choice(["exact", "power_of_two"]),
    }
    if rng.random() < 0.5:
        settings["soc.array.lanes"] = rng.choice([8, 16, 32, 64])
    if rng.random() < 0.4:
        settings["soc.array.rows"] = settings["soc.array.columns"] = rng.choice([2, 4, 8])
    if rng.random() < 0.4:
        settings["soc.scratchpad.size_bytes"] = 2 ** rng.choice(range(17, 24))
    if rng.random() < 0.3:
        settings["soc.dma.outstanding"] = rng.choice([4, 8, 16, 64])
    if rng.random() < 0.2:
        settings["soc.scratchpad.banks"] = rng.choice([4, 8, 16])
    if rng.random() < 0.2:
        settings["soc.dram.standard"] = rng.choice(["lpddr4x_4266", "lpddr5_6400", "hbm2e"])
    return settings


def run(executable, scenario, settings, *options):
    """-> (summary.json with statistics.json in it, trace.json or None)"""
    with tempfile.TemporaryDirectory() as directory:
        command = [str(executable), "run", scenario, "--no-data", "--quiet", "--out", directory, *options]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        subprocess.run(command, check=True)

        def read(name):
            try:
                with open(f"{directory}/{name}") as file:
                    return json.load(file)
            except FileNotFoundError:
                return None
        summary, trace = read("summary.json"), read("trace.json")
        summary["statistics"] = read("statistics.json")
        return summary, trace


def errors(executable, count, seed, fidelity):
    """-> [(predicted / simulated cycles - 1, simulated cycles, settings)] of so many random cases"""
    rng = random.Random(seed)
    result = []
    for _ in range(count):
        settings = random_settings(rng)
        summary, _ = run(executable, FRAME, settings, "--fidelity", fidelity)
        result.append((summary["plan"]["predicted_cycles"] / summary["cycles"] - 1, summary["cycles"], settings))
    return result


def distribution(cases):
    """-> {"mean": of the absolute errors, "bias": their mean with sign, "within_25": share of at most 25 %, "largest"}"""
    sizes = [abs(error) for error, _, _ in cases]
    return {"mean": sum(sizes) / len(sizes), "bias": sum(error for error, _, _ in cases) / len(cases),
            "within_25": sum(size <= 0.25 for size in sizes) / len(sizes), "largest": max(sizes)}


def firmware_cycles(executable, firmware, scenario):
    """-> (cycles before the first command starts, cycles after the last one has ended, instructions for each command
    between them) with a firmware that makes commands and nothing else"""
    summary, trace = run(executable, scenario, {}, "--trace", "--fidelity", "cycle", "--firmware", str(firmware))
    threads = {(event["pid"], event["tid"]): event["args"]["name"] for event in trace["traceEvents"]
               if event.get("name") == "thread_name"}
    channels = [(event["ts"], event["ts"] + event["dur"]) for event in trace["traceEvents"] if event.get("ph") == "X"
                and re.fullmatch(r"channel \d", threads.get((event["pid"], event.get("tid")), ""))]
    cycles_per_us = summary["cycles"] / summary["time_s"] / 1e6
    start = min(begin for begin, _ in channels) * cycles_per_us
    end = summary["cycles"] - max(end for _, end in channels) * cycles_per_us
    commands = summary["statistics"]["sequencer"]["command"]
    return start, end, (summary["cpu_instructions"] - start - end) / commands
