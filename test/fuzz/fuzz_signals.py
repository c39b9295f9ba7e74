# SPDX-License-Identifier: Apache-2.0
"""Signals at random times: whatever a command does then, it ends within a second, says so, and leaves earlier results
whole or new ones complete. Not part of the suite: scripts/test --nightly runs it.

    BUTTERFLY_VP=build/release/butterfly-vp /usr/bin/python3 test/fuzz/fuzz_signals.py [--inputs 10000] [--seed 1] [--jobs N]
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import tempfile
import time

EXECUTABLE = str(pathlib.Path(os.environ["BUTTERFLY_VP"]).resolve())
SCENARIO = """name: tiny
soc: {preset: array_256gops}
network: {tokens: 64, hidden: 32, heads: 2, ffn: 64, layers: [{mixing: attention, projections: butterfly, ffn: dense}]}
"""
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def check_whole(directory):
    """All files are those that summary.json names, and nothing else is there. @return the summary"""
    text = (directory / "summary.json").read_text()
    seal = re.search("butterfly-vp-run-sha256:([0-9a-f]{64})", text)[1]
    assert hashlib.sha256(text.replace(seal, 64 * "0", 1).encode()).hexdigest() == seal, "summary.json is damaged"
    summary = json.loads(text)
    for name, value in summary["files"].items():
        assert hashlib.sha256((directory / name).read_bytes()).hexdigest() == value, f"{name} is not the run's"
    there = {entry.name for entry in directory.iterdir()} - {"failed", "report.html"}
    assert there == set(summary["files"]) | {"summary.json"}, there
    return summary


def one(seed, first, count):
    """A directory, and `count` commands in it that get signals."""
    ended = {}
    with tempfile.TemporaryDirectory(prefix="bvp_signals_") as place:
        place = pathlib.Path(place)
        (place / "tiny.yaml").write_text(SCENARIO)
        subprocess.run([EXECUTABLE, "run", "tiny.yaml", "--quiet", "--out", "o"], cwd=place, check=True)
        for index in range(first, first + count):
            generator = random.Random(f"{seed} {index}")
            command = generator.choice([["run", "tiny.yaml", "--quiet", "--out", "o", "--dump", "--trace"],
                                        ["run", "tiny.yaml", "--quiet", "--out", "o", "--vcd", "--set", "record.power_window_s=1"],
                                        ["run", "tiny.yaml", "--quiet", "--out", "o", "--fidelity", "fast", "--no-data"],
                                        ["run", "tiny.yaml", "--quiet", "--out", "new/o"],
                                        ["compare", "o", "tiny.yaml", "--out", "c.json"], ["report", "o"], ["validate", "tiny.yaml"],
                                        ["describe", "tiny.yaml"]])
            process = subprocess.Popen([EXECUTABLE, *command], cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            # Not before it has begun: until then the system ends it by itself.
            time.sleep(generator.choice([0.02, 0.1, 0.5]) * generator.random() + 0.004)
            sent = generator.choice(SIGNALS)
            process.send_signal(sent)
            begin = time.monotonic()
            errors = process.communicate(timeout=60)[1]
            seconds = time.monotonic() - begin
            what = f"seed {seed}, input {index}: {sent.name} to {command}: {process.returncode} after {seconds:.2f} s: {errors}"
            assert process.returncode in (0, -sent), what
            # Of a machine that others use too, the time says little beyond a few seconds.
            assert seconds < 1 + os.getloadavg()[0] / os.cpu_count(), what
            summary = check_whole(place / "o")
            assert summary["passed"], what
            if "untouched" in errors or "nothing was written" in errors:
                assert not (place / "new").exists(), what
            if (place / "new").exists():
                check_whole(place / "new" / "o")
                subprocess.run(["rm", "-r", "new"], cwd=place, check=True)
            if (place / "o" / "failed").exists():
                assert not check_whole(place / "o" / "failed")["passed"]
            left = [entry.name for entry in place.iterdir()] + [entry.name for entry in (place / "o").iterdir()]
            assert not [name for name in left if name.startswith(".butterfly-vp")], what
            key = "finished" if process.returncode == 0 else errors.strip().splitlines()[-1] if errors else "ended by the system"
            key = re.sub(r"[\d.e-]{2,}|\S*/\S*", "...", key)
            ended[key] = ended.get(key, 0) + 1
    return ended


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--inputs", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    size, total = 50, {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        parts = [pool.submit(one, options.seed, first, min(size, options.inputs - first)) for first in range(0, options.inputs, size)]
        for part in parts:
            for key, count in part.result().items():
                total[key] = total.get(key, 0) + count
    print(f"signals: seed {options.seed}, {sum(total.values())} inputs")
    for key, count in sorted(total.items(), key=lambda item: -item[1]):
        print(f"  {count:6}  {key}")


if __name__ == "__main__":
    main()
