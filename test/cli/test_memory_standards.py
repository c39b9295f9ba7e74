# SPDX-License-Identifier: Apache-2.0
"""Memory standards as a user meets them: where values come from, what wins, what a run says. BUTTERFLY_VP names the
executable."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

EXECUTABLE = os.environ.get("BUTTERFLY_VP", "butterfly-vp")
TREE = pathlib.Path(__file__).resolve().parents[2]


class MemoryStandards(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name)

    def vp(self, *arguments, expect=0):
        done = subprocess.run([EXECUTABLE, *map(str, arguments)], cwd=self.path, stdin=subprocess.DEVNULL, text=True,
                              capture_output=True)
        self.assertEqual(done.returncode, expect, done.stdout[-2000:] + done.stderr[-2000:])
        return done

    def parameters(self, *arguments):
        shown = json.loads(self.vp("describe", *arguments, "--json").stdout)["parameters"]
        return {key[len("soc.dram."):]: entry for key, entry in shown.items() if key.startswith("soc.dram.")}

    def standards(self):
        return self.parameters()["standard"]["allowed"].split(", ")

    def run_with(self, name, *settings, scenario="encoder_128x64"):
        options = [word for setting in settings for word in ("--set", setting)]
        self.vp("run", scenario, *options, "--quiet", "--out", name)
        read = lambda file: json.loads((self.path / name / file).read_text())
        return read("summary.json"), read("parameters.json"), read("prices.json")

    def test_the_default_is_ddr4_and_its_values_are_those_declared(self):
        declared = self.parameters("encoder_128x64")
        self.assertEqual(declared["standard"]["value"], "ddr4_3200")
        named = self.parameters("encoder_128x64", "--set", "soc.dram.standard=ddr4_3200")
        for key, entry in declared.items():
            self.assertEqual(entry["value"], entry["default"], key)
            if key != "standard":
                self.assertEqual(entry, named[key])

    def test_a_standard_gives_what_the_scenario_does_not_set(self):
        for name in self.standards()[1:]:
            with self.subTest(standard=name):
                shown = self.parameters("encoder_128x64", "--set", f"soc.dram.standard={name}")
                timing = shown["activate_to_column"]
                self.assertIn(f"the memory standard {name} (--set soc.dram.standard={name})", timing["given"])
                self.assertNotIn("JESD79-4", timing["source"])
                self.assertNotIn("given", shown["queue_entries"])
                mine = self.parameters("encoder_128x64", "--set", "soc.dram.activate_to_column=77", "--set",
                                       f"soc.dram.standard={name}")
                self.assertEqual(mine["activate_to_column"]["value"], 77)
                self.assertEqual(mine["activate_to_column"]["given"], "--set soc.dram.activate_to_column=77")
                self.assertEqual({k: e["value"] for k, e in mine.items() if k != "activate_to_column"},
                                 {k: e["value"] for k, e in shown.items() if k != "activate_to_column"})

    def test_files_and_presets_win_over_the_standard_too(self):
        (self.path / "soc").mkdir()
        (self.path / "soc/mine.yaml").write_text("dram: {precharge: 20, standard: lpddr5_6400}\n")
        (self.path / "tiny.yaml").write_text("soc: {preset: mine}\nnetwork: {tokens: 16, hidden: 32, ffn: 64, "
                                             "layers: [{mixing: fft2d}]}\n")
        shown = self.parameters("tiny.yaml")
        self.assertEqual(shown["precharge"]["value"], 20)
        self.assertIn("mine.yaml:1:", shown["precharge"]["given"])
        self.assertEqual(shown["burst_bytes"]["value"], 32)
        self.assertIn("(", shown["burst_bytes"]["given"])
        self.assertIn("mine.yaml:1:", shown["burst_bytes"]["given"])
        text = self.vp("describe", "tiny.yaml", "--filter", "dram.read_latency").stdout
        self.assertIn("source: gem5: LPDDR5_6400_1x16_BG_BL16", text)
        self.assertIn("given by the memory standard lpddr5_6400", text)

    def test_an_unknown_standard_is_refused_with_the_known_ones(self):
        done = self.vp("validate", "encoder_128x64", "--set", "soc.dram.standard=lpddr5", expect=2)
        self.assertIn("soc.dram.standard=lpddr5: found 'lpddr5', expected one of: " + ", ".join(self.standards()), done.stderr)

    def test_what_a_standard_cannot_do_is_refused(self):
        done = self.vp("validate", "encoder_128x64", "--set", "soc.dram.refresh_policy=per_bank", expect=2)
        self.assertIn("refresh_bank_cycles is 0", done.stderr)

    def test_every_standard_runs_in_both_fidelities_with_its_own_prices(self):
        seen = set()
        for name in self.standards():
            cycles = {}
            for fidelity in ("cycle", "fast"):
                summary, parameters, prices = self.run_with(f"{name}.{fidelity}", f"soc.dram.standard={name}",
                                                            f"run.fidelity={fidelity}", "run.data=false",
                                                            scenario="encoder_1024x512")
                cycles[fidelity] = summary["cycles"]
                activate = next(row for row in prices["actions"] if (row["component"], row["name"]) == ("dram", "activate"))
                self.assertEqual(parameters["soc.dram.standard"]["value"], name)
                self.assertEqual(summary["energy_note"], "")
            seen.add(activate["picojoules"])
            self.assertLess(abs(cycles["fast"] / cycles["cycle"] - 1), 0.03, name)
        self.assertEqual(len(seen), len(self.standards()))

    def test_a_table_that_prices_the_dram_keeps_its_word_and_the_run_says_so(self):
        table = (TREE / "models/power/tables/silicon.yaml").read_text()
        price = '{pj: 1, source: "mine", confidence: low}'
        own = "  dram:\n" + "".join(f"    {action}: {price}\n" for action in ("activate", "read_64b", "write_64b", "refresh"))
        standby = '  dram:\n    standby: {watt: 0, per: dram_channel, source: "mine", confidence: low}\n'
        (self.path / "mine.yaml").write_text(table.replace("static:\n", own + "static:\n" + standby))
        profile = f"energy.profile={self.path / 'mine.yaml'}"
        summary, _, prices = self.run_with("own", profile, "soc.dram.standard=hbm2e")
        self.assertIn("prices of the DRAM itself, which hold whatever the memory standard, here hbm2e", summary["energy_note"])
        self.assertEqual([row["picojoules"] for row in prices["actions"] if row["component"] == "dram"], [1, 1, 1, 1])
        self.assertEqual(self.run_with("default", profile)[0]["energy_note"], "")

    def test_the_price_of_transfers_replaces_any_standards(self):
        summary, _, prices = self.run_with("set", "soc.dram.standard=lpddr5_6400", "energy.dram_pj_per_bit=5")
        read = next(row for row in prices["actions"] if (row["component"], row["name"]) == ("dram", "read_64b"))
        self.assertAlmostEqual(read["picojoules"], 5 * 512)
        self.assertEqual((summary["energy_note"], summary["energy_dram_pj_per_bit"]), ("", 5))


if __name__ == "__main__":
    unittest.main()
