# SPDX-License-Identifier: Apache-2.0
"""Holds small scenarios against committed references, exactly: cycles, energy by component, hash of the outputs.

    references.py EXECUTABLE            compares; prints every difference; exit code 1 if there is one
    references.py EXECUTABLE --write    writes the references anew and prints what changed

Each NAME.yaml beside this file is run on two machines (the presets of MACHINES) in both fidelities; NAME.json holds
what came out. A change of the machine, the compiler or the energy tables that is meant to move figures writes them
anew, so that its commit shows by how much.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MACHINES = ("array_1tflops", "array_256gops")
FIDELITIES = ("cycle", "fast")
# Every operator that the compiler has: part of the name of a kernel or task that some scenario must have.
OPERATORS = (
    "embedding", "fft_hidden", "fft_tokens", "norm1", "norm2", "final_norm", "attention.query",
    "attention.key", "attention.value", "attention.scores", "attention.softmax", "attention.values",
    "attention.merge", "attention.output", "ffn.up", "ffn.down", "classifier", "classifier.sums",
    "classifier.mean", ".transpose", ".pad", ".cut", ".stage1", "norm1.deviation.part",
    "softmax.exponent", "values.part", "up.part",
    "fft_tokens.separate", "fft_hidden.mirror", "fft_sum", "fft_tokens.parts", "fft_hidden.parts",
    "fft_hidden.apart", "fft_hidden.interleave", "attention.query_means", "attention.block_scores",
)


def outputs_hash(path):
    """SHA-256 over the tensors of a run that it computed, in the order of their names."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    digest = hashlib.sha256()
    for name in sorted(header):
        if name in ("__metadata__", "input", "tokens"):
            continue
        begin, end = header[name]["data_offsets"]
        digest.update(name.encode() + data[8 + size + begin:8 + size + end])
    return digest.hexdigest()[:32]


def measure(executable, scenario, machine, fidelity):
    """What one run says, and the names of its kernels and tasks."""
    with tempfile.TemporaryDirectory() as directory:
        command = [executable, "run", scenario, "--quiet", "--dump", "--out", directory, "--fidelity", fidelity,
                   "--set", f"soc.preset={machine}"]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{scenario.stem} on {machine}, {fidelity}: exit code {done.returncode}: {done.stderr}")
        summary = json.loads((pathlib.Path(directory) / "summary.json").read_text())
        figures = {"cycles": summary["cycles"], "energy_j": summary["energy_by_component_j"],
                   "outputs_sha256": outputs_hash(pathlib.Path(directory) / "tensors.safetensors")}
        return figures, [part["name"] for part in summary["kernels"] + summary["plan"]["tasks"]]


def flat(figures):
    """The figures of one run by name."""
    energy = {f"energy of {component} in J": joules for component, joules in figures["energy_j"].items()}
    return {"cycles": figures["cycles"], "outputs": figures["outputs_sha256"], **energy}


def differences(old, new):
    """A line for each figure that differs between two references of one scenario."""
    for case in sorted({*old, *new}):
        if case not in old or case not in new:
            yield f"{case}: {'new' if case in new else 'gone'}"
            continue
        before, after = flat(old[case]), flat(new[case])
        for key in [*before, *(key for key in after if key not in before)]:
            a, b = before.get(key), after.get(key)
            if a == b:
                continue
            ratio = f" ({100 * (b / a - 1):+.3f} %)" if isinstance(a, (int, float)) and a and b is not None else ""
            yield f"{case}: {key} {a} -> {b}{ratio}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("executable", type=pathlib.Path)
    parser.add_argument("--write", action="store_true", help="write the references anew")
    arguments = parser.parse_args()

    scenarios = sorted(HERE.glob("*.yaml"))
    cases = [(s, m, f) for s in scenarios for m in MACHINES for f in FIDELITIES]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda case: measure(arguments.executable, *case), cases))

    names = {re.sub(r"^layers\.\d+\.", "", name) for _, found in results for name in found}
    failed = False
    for operator in OPERATORS:
        if not any(operator in name for name in names):
            print(f"no scenario has {operator}")
            failed = True
    for scenario in scenarios:
        new = {f"{machine}, {fidelity}": figures for (s, machine, fidelity), (figures, _) in zip(cases, results)
               if s == scenario}
        file = scenario.with_suffix(".json")
        old = json.loads(file.read_text()) if file.exists() else {}
        lines = list(differences(old, new))
        for line in lines:
            print(f"{scenario.stem}: {line}")
        if arguments.write:
            file.write_text(json.dumps(new, indent=2) + "\n")
        else:
            failed = failed or bool(lines)
    for file in sorted(set(HERE.glob("*.json")) - {s.with_suffix(".json") for s in scenarios}):
        print(f"{file.name}: there is no scenario of this name")
        failed = True
    if failed and not arguments.write:
        print("If these changes are meant, write the references anew: scripts/references")
    print(f"{len(cases)} runs")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
