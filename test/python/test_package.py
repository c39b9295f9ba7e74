# SPDX-License-Identifier: Apache-2.0
"""scripts/python/butterfly_vp: runs, sweeps, tables. BUTTERFLY_VP names the executable."""
import json
import os
import pathlib
import sys
import tempfile
import unittest
import unittest.mock

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "scripts" / "python"))
import butterfly_vp as vp  # noqa: E402

try:
    import pandas
except ImportError:
    pandas = None

SMALL = TREE / "scenarios" / "encoder_128x64.yaml"


class Package(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name)

    def test_a_run(self):
        summary = vp.run(SMALL, fidelity="fast", data=False, sets={"soc.dma.outstanding": 4}, out=self.path / "run")
        self.assertTrue(summary["passed"])
        self.assertEqual(summary, json.loads((self.path / "run" / "summary.json").read_text()))
        with self.assertRaisesRegex(vp.Error, "unknown key"):
            vp.run(SMALL, sets={"soc.dma.outstandin": 4})

    def test_an_executable_that_is_not_there(self):
        with unittest.mock.patch.dict(os.environ, {"BUTTERFLY_VP": "/nonexistent/butterfly-vp"}):
            with self.assertRaisesRegex(vp.Error, "BUTTERFLY_VP"):
                vp.run("encoder_128x64")

    def test_a_sweep_is_a_table_with_units(self):
        directory = vp.sweep(SMALL, {"soc.dma.outstanding": [4, 8], "soc.pe.operand_vectors": "16,256"}, fidelity="fast",
                             data=False, out=self.path / "study", jobs=1)
        points, units = vp.rows(directory)
        self.assertEqual([row["outcome"] for row in points], ["done", "refused", "done", "refused", "done"])
        self.assertEqual(points[4]["soc.dma.outstanding"], 8)
        alone = vp.run(SMALL, fidelity="fast", data=False, sets={"soc.dma.outstanding": 8})
        self.assertEqual(points[4]["energy_j"], alone["energy_j"])
        self.assertEqual(points[4]["busy.dram.data_bus"], alone["busy"]["dram.data_bus"])
        self.assertEqual(units["energy_j"], "J")
        with self.assertRaisesRegex(vp.Error, "unknown key"):
            vp.sweep(SMALL, {"soc.nothing": [1]}, out=self.path / "other")
        with self.assertRaisesRegex(vp.Error, "no sweep here"):
            vp.rows(self.path)

    @unittest.skipIf(pandas is None, "there is no pandas: run scripts/test")
    def test_a_table_of_pandas(self):
        directory = vp.sweep(SMALL, {"soc.dma.outstanding": [4, 8]}, fidelity="fast", data=False, out=self.path / "study")
        table = vp.load(directory)
        self.assertEqual(list(table.index), [0, 1, 2])
        self.assertEqual(list(table["soc.dma.outstanding"][1:]), [4, 8])
        self.assertEqual(table["cycles"].dtype.kind, "i")
        self.assertEqual(table.attrs["units"]["busy.dram.data_bus"], "1")
        self.assertGreater(table["cycles"][1], 0)


if __name__ == "__main__":
    unittest.main()
