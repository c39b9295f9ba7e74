# SPDX-License-Identifier: Apache-2.0
"""scripts/gpu: a machine of round figures worked out by hand, what must hold for every machine, the machines' files and
the options. What is measured is tried on the CPU where PyTorch is (Debian's python3-torch)."""
import dataclasses
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "scripts"))

from gpu_model import access, machine, roofline, tables, work  # noqa: E402

try:
    import torch
except ImportError:
    torch = None
else:
    import numpy as np
    from gpu_model import kernels, measure

# Seconds of a kernel are (multiply-adds / 2048 on tensor cores, / 512 on ALUs) or bytes / 64.
ROUND = {"tensor_flops": 4096, "alu_flops": 1024, "bytes_per_s": 64, "clock_hz": 1, "latency_cycles": 2,
         "launch_s": 100, "sms": 1, "warps_per_sm": 2, "shared_bytes_per_sm": 1 << 20, "warp": 32, "sector_bytes": 32,
         "line_bytes": 128, "tile": 16}


def machine_of(**others):
    figures = {**ROUND, **others}
    facts = {key: machine.Fact(value, "units", "a test", "I") for key, value in figures.items()}
    return machine.Machine("round", "Round", facts)


def script(*arguments, **environment):
    return subprocess.run([str(TREE / "scripts/gpu"), *map(str, arguments)], capture_output=True, text=True,
                          check=False, env={**os.environ, **environment})


class ByHand(unittest.TestCase):
    """16 points on 16 rows in fp16. The vectors are 16 * 16 * 2 = 512 bytes, read and written 1,024."""

    def setUp(self):
        self.machine = machine_of()

    def hold(self, kernel, multiply_adds, on_tiles, moved, launches, tensor_s, alu_s):
        self.assertEqual((kernel.multiply_adds, kernel.tensor_multiply_adds, kernel.bytes, kernel.launches),
                         (multiply_adds, on_tiles, moved, launches), kernel.name)
        bound = roofline.bound(kernel, self.machine)
        self.assertEqual((bound.tensor_s, bound.alu_s), (tensor_s, alu_s), kernel.name)

    def test_matrices(self):
        dense = work.dense(16, 16, self.machine)
        self.hold(dense, 4096, 4096, 1024 + 512, 1, 24, 24)  # 256 weights
        by_level, fused, blocks = work.butterflies(16, 16, self.machine)
        # 4 levels of 8 pairs of 4 multiply-adds a row, of a tile of 256 on tensor cores; 32 weights a level.
        self.hold(by_level, 2048, 16384, 4 * (1024 + 64), 4, 68, 68)
        self.hold(fused, 2048, 16384, 1024 + 256, 1, 20, 20)
        self.hold(blocks, 4096, 4096, 1024 + 512, 1, 24, 24)
        self.assertEqual(dense.intensity, 2 * 4096 / 1536)
        self.assertEqual(roofline.tensor_peak_share(dense, self.machine), 2 / 24)
        self.assertEqual(roofline.alu_peak_share(dense, self.machine), 8 / 24)
        self.assertEqual(roofline.launched_s(by_level, self.machine), 468)

    def test_arithmetic_limits_where_memory_is_fast(self):
        self.machine = machine_of(bytes_per_s=1 << 30)
        _, fused, _ = work.butterflies(16, 16, self.machine)
        self.hold(fused, 2048, 16384, 1280, 1, 8, 4)
        self.assertEqual(roofline.bound(fused, self.machine).best_s, 4)
        self.assertEqual(roofline.tensor_peak_share(fused, self.machine), 0.125)  # what is not zero in a tile

    def test_transforms(self):
        self.hold(work.dense_transform(16, 16, self.machine), 16384, 16384, 2048 + 1024, 1, 48, 48)
        by_level, fused = work.transforms(16, 16, self.machine)
        # 8 pairs of 8 operations. 32 real values are 2 tiles on the diagonal; of stride 8, 4 tiles.
        self.hold(by_level, 4096, 16 * 256 * (2 + 2 + 2 + 4), 4 * (2048 + 32), 4, 130, 130)
        self.hold(fused, 4096, 16 * 256 * 10, 2080, 1, 32.5, 32.5)

    def test_attention(self):
        """128 tokens, one head of 64: two blocks, each sees both. Each of the four tensors has 16,384 bytes."""
        shape = work.Attention(128, 1)
        self.assertEqual((shape.blocks, shape.count, shape.reach), (2, 2, 32))
        self.assertEqual(dataclasses.astuple(work.attention(shape).parts[0]), (2 * 128 * 128 * 64,) * 2 + (65536,))
        window, blocks, topk = work.sparse_attention(shape, self.machine)
        # 65 keys a query, less 32 + 31 + ... + 1 at either end; both blocks multiply with 32 + 64 keys.
        seen = 128 * 65 - 2 * (32 * 33 // 2)
        self.assertEqual(dataclasses.astuple(window.parts[0]), (128 * seen, 128 * 2 * 64 * 96, 65536))
        self.assertEqual(blocks.multiply_adds, work.attention(shape).multiply_adds)
        # Means of two blocks of queries and of keys, 4 * 64 values; four scores of 64; four numbers of the choice.
        self.assertEqual([dataclasses.astuple(part) for part in topk.parts],
                         [(16384, 16384, 32768 + 512), (256, 256, 512 + 16),
                          (blocks.multiply_adds, blocks.multiply_adds, 65536 + 16)])

    def test_accesses(self):
        """64 points: at stride 1 the 32 first ones lie on the even places of the 128 bytes."""
        def shares(layout, stride, unit, both):
            first, second = layout(64, stride, 32, 2)
            return access.used_share(first + second if both else first, 2, unit)
        self.assertEqual([shares(access.along_vector, 1, unit, both) for unit in (32, 128) for both in (False, True)],
                         [0.5, 1, 0.5, 1])
        # At stride 32 they are the first 64 bytes.
        self.assertEqual([shares(access.along_vector, 32, unit, False) for unit in (32, 128)], [1, 0.5])
        # A row is 128 bytes: one value of each line.
        self.assertEqual([shares(access.along_tokens, 1, unit, False) for unit in (32, 128)], [2 / 32, 2 / 128])
        self.assertEqual([shares(access.tokens_contiguous, 4, unit, False) for unit in (32, 128)], [1, 0.5])

    def test_tiles(self):
        self.assertEqual(access.level_tiles(64, 1, 16), (4, 32 / 256))
        self.assertEqual(access.level_tiles(64, 8, 16), (4, 32 / 256))
        self.assertEqual(access.level_tiles(64, 16, 16), (8, 16 / 256))
        self.assertEqual(access.level_tiles(64, 4, 16, 2), (8, 64 / 256))
        self.assertEqual(access.level_tiles(64, 8, 16, 2), (16, 32 / 256))
        self.assertEqual([access.query_rows(block, 16) for block in (1, 16, 24, 64)], [1 / 16, 1, 0.75, 1])

    def test_warps_and_shared_memory(self):
        # 64 bytes a second for 2 seconds are 128 in flight, and a warp has 32 pairs of 2 bytes.
        self.assertEqual(roofline.warps_needed(self.machine), 1)
        self.assertEqual(roofline.warps_offered(16, 4, self.machine), (1, 1))
        self.assertEqual(roofline.warps_offered(16, 64, self.machine), (16, 2))
        # 16 points of 16 tokens and four levels of 32 weights, all of 2 bytes.
        self.assertEqual(work.butterfly_passes(16, self.machine), [work.Pass(4, 16, 512 + 256)])
        small = machine_of(shared_bytes_per_sm=767)
        self.assertEqual([kept.levels for kept in work.butterfly_passes(16, small)], [3, 1])
        self.assertEqual(roofline.rows_of_all(small, 16, work.butterfly_passes(16, small)[0]), (16, 767 // (256 + 96)))
        self.assertEqual(roofline.rows_of_all(machine_of(sms=3), 16, work.Pass(3, 16, 352))[0], 32)  # two groups of 8

    def test_known_shares(self):
        known = machine_of(dense_share=0.5, sparse_share=0.25, bandwidth_share=0.75)
        self.assertEqual(roofline.expected_s(work.dense(16, 16, known), known), 24 / 0.75 + 100)
        self.assertEqual(roofline.expected_s(work.butterflies(16, 16, known)[1], known), 20 / 0.25 + 100)


class Always(unittest.TestCase):
    def setUp(self):
        self.machines = [machine.load(name) for name in machine.names()] + [machine_of()]

    def kernels(self, of, n=256, rows=512):
        shape = work.Attention(512, 4)
        return [work.dense(n, rows, of), *work.butterflies(n, rows, of), work.dense_transform(n, rows, of),
                *work.transforms(n, rows, of), work.attention(shape), *work.sparse_attention(shape, of)]

    def test_no_share_is_above_one(self):
        for of in self.machines:
            for kernel in self.kernels(of):
                self.assertLessEqual(roofline.alu_peak_share(kernel, of), 1 + 1e-9, kernel.name)
                self.assertLessEqual(roofline.tensor_peak_share(kernel, of), 1 + 1e-9, kernel.name)

    def test_more_work_never_takes_less_time(self):
        for of in self.machines:
            for large in (self.kernels(of, rows=1024), self.kernels(of, n=512)):
                for few, many in zip(self.kernels(of), large):
                    self.assertLessEqual(roofline.bound(few, of).best_s, roofline.bound(many, of).best_s, few.name)

    def test_a_faster_machine_never_takes_longer(self):
        slow = machine_of()
        for figure in ("tensor_flops", "alu_flops", "bytes_per_s", "shared_bytes_per_sm"):
            fast = machine_of(**{figure: 3 * ROUND[figure]})
            for before, after in zip(self.kernels(slow), self.kernels(fast)):
                self.assertLessEqual(roofline.bound(after, fast).best_s, roofline.bound(before, slow).best_s,
                                     before.name)

    def test_fusing_helps_and_never_beyond_the_ceiling(self):
        for of in self.machines:
            for n in (64, 1024):
                dense, (by_level, fused, _) = work.dense(n, 1 << 20, of), work.butterflies(n, 1 << 20, of)
                self.assertLess(roofline.bound(fused, of).best_s, roofline.bound(by_level, of).best_s)
                speedup = roofline.bound(dense, of).best_s / roofline.bound(fused, of).best_s
                self.assertLessEqual(speedup, roofline.most_speedup(n, of) * (1 + 1e-3))

    def test_a_choice_costs(self):
        for of in self.machines:
            _, blocks, topk = work.sparse_attention(work.Attention(1024, 8), of)
            self.assertGreater(roofline.bound(topk, of).best_s, roofline.bound(blocks, of).best_s)


class Machines(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name) / "mine.json"

    def write(self, **changes):
        fact = {"unit": "units", "source": "a test", "tag": "I"}
        facts = {key: {"value": value, **fact} for key, value in ROUND.items()}
        facts.update(changes)
        self.path.write_text(json.dumps({"name": "Mine", "facts": {key: of for key, of in facts.items() if of}}))

    def refused(self, words):
        with self.assertRaises(ValueError) as caught:
            machine.load(str(self.path))
        self.assertIn(str(self.path), str(caught.exception))
        self.assertIn(words, str(caught.exception))

    def test_facts_come_from_the_baselines(self):
        nx = machine.load("xavier_nx")
        self.assertEqual((nx.tensor_flops, nx.alu_flops), (6.81e12, 1.7e12))
        self.assertEqual((nx.bytes_per_s, nx.clock_hz), (51.2e9, 1109e6))
        self.assertIn("DA-09366-001", nx.facts["tensor_flops"].source)
        self.assertIn("JetPack", nx.facts["bytes_per_s"].source)

    def test_a_base_gives_what_is_not_said(self):
        h100, from_cache = machine.load("h100"), machine.load("h100_l2")
        self.assertEqual(from_cache.facts["tensor_flops"], h100.facts["tensor_flops"])
        self.assertGreater(from_cache.bytes_per_s, h100.bytes_per_s)
        self.assertNotIn("cuda", machine.names())

    def test_a_file_of_ones_own(self):
        self.write()
        own = machine.load(str(self.path))
        self.assertEqual((own.name, own.sms, own.has_shares), ("Mine", 1, False))

    def test_what_is_wrong_is_said(self):
        fact = {"unit": "units", "source": "a test", "tag": "I"}
        for changes, words in [
                ({"sms": {"value": 6, "unit": "SMs", "tag": "I"}}, "each figure needs its source"),
                ({"sms": {"value": 6, **fact, "source": " "}}, "source: found ' ', expected words"),
                ({"sms": {"value": 6.5, **fact}}, "sms: value: found 6.5, expected a whole number above 0"),
                ({"clock_hz": {"value": "fast", **fact}}, "clock_hz: value: found 'fast', expected a number above 0"),
                ({"clock_hz": {"value": True, **fact}}, "found True"),
                ({"clock_hz": {"value": 0, **fact}}, "found 0, expected a number above 0"),
                ({"sms": None}, "found no sms, expected a value with unit, source and tag"),
                ({"cores": {"value": 6, **fact}}, "facts: found cores, expected warp, "),
                ({"dense_share": {"value": 0.4, **fact}}, "found dense_share, expected all of"),
                ({"dense_share": {"value": 1.4, **fact}}, "found 1.4, expected a share up to 1"),
                ({"launch_s": {"parameter": "baselines.nobody"}}, "parameter: found baselines.nobody, expected one of"),
                ({"launch_s": {"parameter": "baselines.xavier_nx.power_mode"}}, "the default 15W, expected a number"),
                ({"launch_s": {"parameter": "baselines.xavier_nx.launch_s", "figure": "GB"}}, "or also figure"),
                ({"launch_s": {"parameter": "baselines.xavier_nx.power_mode", "figure": "miles", "factor": 1,
                               "unit": ""}},
                 "found none in miles")]:
            with self.subTest(words):
                self.write(**changes)
                self.refused(words)
        for text, words in [("{", "expected a machine in JSON"), ("[]", "expected an object"),
                            ('{"name": "x"}', "expected an object"),
                            ('{"name": "x", "base": "v100", "facts": {}}', "base: found 'v100', expected one of cuda")]:
            with self.subTest(text):
                self.path.write_text(text)
                self.refused(words)


class Script(unittest.TestCase):
    def test_the_page_is_up_to_date(self):
        loader = importlib.machinery.SourceFileLoader("gpu", str(TREE / "scripts/gpu"))
        gpu = importlib.util.module_from_spec(importlib.util.spec_from_loader("gpu", loader))
        loader.exec_module(gpu)
        own = gpu.arguments_of(["--measure", "no"])
        text = tables.page(own.machine, own.sizes, own.tokens, own.batch, own.heads)
        written = (TREE / "docs/gpu.md").read_text().partition(gpu.BEGIN)[2].partition(gpu.END)[0]
        self.assertEqual(written.strip().split("\n"), text.strip().split("\n"), "scripts/gpu --write has not been run")

    def test_options_change_what_is_computed(self):
        done = script("--measure", "no", "--machine", "h100", "--sizes", "64", "--tokens", "256", "--batch", "2,4",
                      "--heads", "3")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("H100 SXM5, matrices and transforms on 512 rows", done.stdout)
        self.assertIn("attention of 256 tokens, 6 heads of 64, 3 of 4 blocks", done.stdout)
        self.assertIn("\n| 64: butterfly, fused |", done.stdout)
        self.assertIn("\n| 1,024 |", done.stdout)  # rows of the largest batch
        self.assertNotIn("Xavier", done.stdout)
        self.assertNotIn("fft2d", done.stdout)  # 3 * 64 values are no power of two

    def test_what_is_wrong_is_said(self):
        page = (TREE / "docs/gpu.md").read_text()
        for arguments, words in [
                (["--sizes", "100"], "--sizes: found 100, expected a power of two from 16 to 65536"),
                (["--sizes", "8"], "--sizes: found '8', expected powers of two"),
                (["--sizes", "x,64"], "found 'x,64'"),
                (["--tokens", "130"], "--tokens: found 130, expected a multiple of 64"),
                (["--tokens", "128,256"], "found '128,256', expected one number"),
                (["--batch", "0"], "--batch: found '0', expected numbers with commas between them, from 1"),
                (["--heads", "0"], "--heads: found '0', expected a whole number from 1"),
                (["--machine", "pascal"], "--machine: found 'pascal', expected h100, h100_l2, xavier_nx or a file"),
                (["--measure", "tpu"], "--measure: invalid choice: 'tpu'"),
                (["--repeats", "1"], "found '1', expected a whole number from 3"),
                (["--write", "--heads", "2"], "--write: found other options beside it"),
                (["--out", "/nowhere/x"], "--out: found /nowhere/x, expected a file in a directory that is there"),
                (["--measure", "no", "--out", "x"], "--out: there is nothing to write without a measurement"),
                (["more"], "unrecognized arguments: more")]:
            with self.subTest(arguments):
                done = script(*arguments)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(words, done.stderr)
                self.assertEqual(done.stdout, "")
        self.assertEqual((TREE / "docs/gpu.md").read_text(), page)

    def test_without_pytorch(self):
        """In the place of PyTorch is something that cannot be imported."""
        with tempfile.TemporaryDirectory() as directory:
            (pathlib.Path(directory) / "torch.py").write_text("raise ImportError('none')\n")
            few = ("--machine", "h100", "--sizes", "64", "--batch", "1")
            done = script(*few, PYTHONPATH=directory)
            self.assertEqual(done.returncode, 0)
            self.assertIn("| 64: dense |", done.stdout)
            self.assertIn("there is no PyTorch, so nothing is measured", done.stderr)
            done = script(*few, "--measure", "cpu", PYTHONPATH=directory)
            self.assertEqual(done.returncode, 1)
            self.assertIn("--measure cpu: found no PyTorch, expected Debian's python3-torch", done.stderr)
            (pathlib.Path(directory) / "torch.py").write_text("raise SystemExit('PyTorch was imported')\n")
            done = script(*few, "--measure", "no", PYTHONPATH=directory)
            self.assertEqual((done.returncode, done.stderr), (0, ""))


@unittest.skipIf(torch is None, "there is no PyTorch: scripts/setup python3-torch")
class Measured(unittest.TestCase):
    def test_on_the_cpu(self):
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory) / "result.json"
            done = script("--measure", "cpu", "--machine", "h100", "--sizes", "32", "--tokens", "192", "--heads", "2",
                          "--batch", "1", "--repeats", "3", "--out", file)
            self.assertEqual(done.returncode, 0, done.stderr)
            result = json.loads(file.read_text())
        self.assertEqual((result["kind"], result["machine"], result["repeats"]), ("cpu", None, 3))
        self.assertEqual(result["torch"], torch.__version__)
        entries = {entry["name"]: entry for entry in result["kernels"]}
        self.assertEqual(len(entries), 10)
        for name, entry in entries.items():
            self.assertIn(f": {name} |", done.stdout)
            self.assertLessEqual(entry["tenth_s"], entry["median_s"])
            self.assertLessEqual(entry["median_s"], entry["nine_tenths_s"])
            self.assertLess(entry["relative_error"], 1e-5)
            self.assertNotIn("of_roofline", entry)  # the CPU is not that machine
        dense, loop = entries["dense"], entries["butterfly, loop of levels"]
        self.assertEqual(loop["faster"], dense["median_s"] / loop["median_s"])
        self.assertEqual(loop["fewer_multiply_adds"], 32 / (2 * 5))
        self.assertEqual(loop["flops"], 2 * 192 * 2 * 32 * 5 / loop["median_s"])

    def test_on_cuda_events_frame_each_run(self):
        """With something in the place of the device: the caches are flushed before the first event."""
        order, made = [], []

        class Event:
            def __init__(self, enable_timing):
                assert enable_timing
                made.append(self)

            def record(self):
                order.append("record")

            def elapsed_time(self, end):
                return 1000.0 + made.index(end)

        class Flushed:
            def zero_(self):
                order.append("flush")
        cuda = unittest.mock.Mock(Event=Event)
        with unittest.mock.patch.multiple(torch, cuda=cuda, empty=lambda *_, **__: Flushed()):
            seconds = measure.seconds_on_cuda(lambda: order.append("run"), 3)
        self.assertEqual(seconds, [1.001, 1.003, 1.005])
        self.assertEqual(order, ["run"] * measure.WARM_UPS + ["flush", "record", "run", "record"] * 3)
        cuda.synchronize.assert_called()

    def test_what_does_not_fit_is_refused(self):
        done = script("--measure", "cpu", "--sizes", "16384", "--batch", "1", "--tokens", "128")
        self.assertEqual(done.returncode, 1)
        self.assertIn("--sizes: found 16384, expected at most 8192 where it is measured", done.stderr)

    def test_shares_of_a_described_machine(self):
        of = machine_of(tensor_flops=1e15, alu_flops=1e14, bytes_per_s=1e14)
        kernel = kernels.matrices(32, 64, of, "cpu", torch.float32)[0]
        entry = measure.timed(kernel, 32, "cpu", of, True, 3)
        self.assertEqual(entry["of_tensor_peak"], 2 * 64 * 32 * 32 / entry["median_s"] / 1e15)
        self.assertEqual(entry["of_roofline"], entry["roofline_s"] / entry["median_s"])
        self.assertEqual(entry["roofline_s"], 4 * (2 * 64 * 32 + 32 * 32) / 1e14)

    def test_a_wrong_kernel_is_not_timed(self):
        of = machine_of()
        for right in (kernels.matrices(32, 64, of, "cpu", torch.float32)[1],
                      kernels.attentions(work.Attention(128, 2), of, "cpu", torch.float32)[3]):
            for wrong in (lambda: 1.01 * right.run(), lambda: torch.full_like(right.run(), torch.nan)):
                with self.assertRaisesRegex(measure.WrongResult, "relative error"):
                    measure.timed(dataclasses.replace(right, run=wrong), 32, "cpu", of, False, 3)

    def test_the_matrix_is_the_product_of_its_levels(self):
        """Each level written out as a matrix, in NumPy."""
        twiddle = torch.randn(4, 8, 2, 2, dtype=torch.float64)
        product = np.eye(16)
        for level in range(4):
            matrix, stride, pair = np.zeros((16, 16)), 1 << level, 0
            for first in range(16):
                if first & stride == 0:
                    block = np.ix_([first, first + stride], [first, first + stride])
                    matrix[block] = twiddle[level, pair].numpy()
                    pair += 1
            product = matrix @ product
        np.testing.assert_allclose(kernels.matrix_of(twiddle).numpy(), product, atol=1e-12)

    def test_topk_takes_the_highest_scores(self):
        sparse = kernels.SparseAttention(work.Attention(512, 3), "cpu", torch.float32)
        chosen = sparse.choice().numpy()
        queries, keys = (tensor.float().numpy().reshape(3, 8, 64, 64).mean(2) for tensor in sparse.exact[:2])
        scores = np.einsum("hqd,hkd->hqk", queries, keys)
        np.testing.assert_array_equal(np.sort(chosen, -1), np.sort(np.argsort(-scores, -1)[..., :4], -1))
        self.assertEqual(sparse.seen_of(sparse.choice()).sum().item(), 3 * 8 * 64 * 4 * 64)


if __name__ == "__main__":
    unittest.main()
