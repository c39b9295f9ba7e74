# SPDX-License-Identifier: Apache-2.0
"""What limits a run: on machines with one weak part each, that part is what `limits` names, and its parameter shortens the
run more than the parameters of the other parts do. BUTTERFLY_VP names the executable."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

EXECUTABLE = os.environ.get("BUTTERFLY_VP", "butterfly-vp")

# Each parameter, and by which factor it makes its part better.
BETTER = {
    "soc.array.lanes": 2,
    "soc.pe.special_divisor": 1 / 2,
    "soc.pe.cal_latency": 1 / 2,
    "soc.scratchpad.banks": 2,
    "soc.mesh.link_bytes": 2,
    "soc.dma.outstanding": 2,
    "soc.dma.setup_cycles": 1 / 2,
    "soc.dma.bytes_per_cycle": 2,
    "soc.dram.channels": 2,
    "soc.dram.banks": 2,
    "soc.sequencer.config_bytes_per_cycle": 2,
    "soc.cpu.cycles_per_instruction": 1 / 2,
}
# What each of them has if the case does not say otherwise. Links are as wide as a vector.
USUAL = {
    "soc.array.lanes": 32,
    "soc.pe.special_divisor": 4,
    "soc.pe.cal_latency": 4,
    "soc.scratchpad.banks": 16,
    "soc.mesh.link_bytes": 64,
    "soc.dma.outstanding": 32,
    "soc.dma.setup_cycles": 16,
    "soc.dma.bytes_per_cycle": 64,
    "soc.dram.channels": 2,
    "soc.dram.banks": 8,
    "soc.sequencer.config_bytes_per_cycle": 8,
    "soc.cpu.cycles_per_instruction": 1,
}
SMALL, MIXING = "encoder_128x64", "encoder_196x768"
# Buses and banks of the DRAM that are weak, so that a channel or a bank more counts.
NARROW = {"soc.dram.bus_bytes": 1}
ONE_ACCESS_A_ROW = {"soc.dram.bank_groups": 1, "soc.dram.page_policy": "closed"}
# Scenario, the weak part, the limits that it is, and what else the machine has.
CASES = [
    (SMALL, {"soc.array.lanes": 4}, ["cal"]),
    (MIXING, {"soc.array.lanes": 8}, ["cal"]),
    (MIXING, {"soc.pe.special_divisor": 32}, ["special_functions"]),
    (MIXING, {"soc.pe.special_divisor": 16}, ["special_functions"]),
    (MIXING, {"soc.scratchpad.banks": 2}, ["loads", "stores"]),
    (MIXING, {"soc.mesh.link_bytes": 2}, ["links"]),
    (SMALL, {"soc.dma.outstanding": 1}, ["dma_reads", "dma_writes"]),
    (MIXING, {"soc.dma.outstanding": 1}, ["dma_reads", "dma_writes", "dma_fills"]),
    (SMALL, {"soc.sequencer.config_bytes_per_cycle": 1}, ["configuration"]),
    (SMALL, {"soc.cpu.cycles_per_instruction": 16}, ["firmware"]),
    (MIXING, {"soc.pe.cal_latency": 32}, ["operand_latency"]),
    (MIXING, {"soc.dma.setup_cycles": 8000}, ["dma_setup"]),
    (MIXING, {"soc.dma.bytes_per_cycle": 4}, ["dma_path"]),
    (MIXING, {"soc.dram.channels": 1}, ["dram_bus"], NARROW),
    (SMALL, {"soc.dram.channels": 1}, ["dram_bus"], NARROW),
    (MIXING, {"soc.dram.banks": 1}, ["dram_rows"], ONE_ACCESS_A_ROW),
]
OUTSIDE_OF_KERNELS = ("dma_reads", "dma_writes", "dma_fills", "dma_setup", "dma_path", "dram_bus", "dram_rows", "configuration",
                      "firmware")


class Limits(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def run_on(self, scenario, values, fidelity="fast"):
        out = pathlib.Path(self.directory.name, "out")
        def text(value):
            return value if isinstance(value, str) else f"{value:g}"

        sets = [argument for key, value in {**USUAL, **values}.items() for argument in ("--set", f"{key}={text(value)}")]
        done = subprocess.run([EXECUTABLE, "run", scenario, "--fidelity", fidelity, "--no-data", "--quiet", "--out", str(out),
                               *sets], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads((out / "summary.json").read_text())

    def test_shares_close(self):
        for scenario, fidelity in ((SMALL, "cycle"), (SMALL, "fast"), (MIXING, "fast"), ("text_classifier", "fast")):
            with self.subTest(scenario=scenario, fidelity=fidelity):
                summary = self.run_on(scenario, {}, fidelity)
                limits = summary["limits"]
                self.assertAlmostEqual(sum(limits.values()), 1, places=9)
                self.assertEqual(limits[summary["limited_by"]["resource"]], max(limits.values()))
                self.assertIn(summary["limited_by"]["parameter"], summary["limited_by"]["sentence"])
                of_tasks = sum(task["cycles"] for task in summary["tasks"])
                # What belongs to no task is the firmware's begin and end.
                self.assertLess(of_tasks, summary["cycles"])
                self.assertLess(summary["cycles"] - of_tasks, 0.02 * summary["cycles"] + 8000)
                for row in summary["layers"] + summary["tasks"]:
                    self.assertAlmostEqual(sum(row["limits"].values()), 1, places=9)
                # A kernel on the path is on the array, so that the rest is at least the time without one.
                outside = sum(limits[name] for name in OUTSIDE_OF_KERNELS)
                self.assertLessEqual(outside, summary["no_kernel_fraction"] + 0.05)

    def test_the_weak_part_is_named_and_its_parameter_helps_most(self):
        for scenario, weak, names, *other in CASES:
            with self.subTest(scenario=scenario, weak=weak):
                machine = {**weak, **(other[0] if other else {})}
                base = self.run_on(scenario, machine)
                shares = dict(base["limits"])
                of_weak = sum(shares.pop(name) for name in names)
                if "cal" not in names:
                    shares.pop("cal")
                self.assertGreater(of_weak, max(shares.values()), base["limits"])
                gains = {}
                for key, factor in BETTER.items():
                    values = {**USUAL, **weak}
                    if key == "soc.array.lanes" and "cal" not in names:
                        continue
                    # A channel more brings as many banks with it.
                    if key == "soc.dram.channels" and "dram_rows" in names:
                        continue
                    better = self.run_on(scenario, {**machine, key: values[key] * factor})
                    gains[key] = 1 - better["cycles"] / base["cycles"]
                key, = weak
                self.assertEqual(max(gains, key=gains.get), key, (gains, base["limits"]))
                # At most half of the share goes.
                self.assertGreater(gains[key], 0.2 * of_weak)


if __name__ == "__main__":
    unittest.main()
