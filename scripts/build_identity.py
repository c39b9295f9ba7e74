# SPDX-License-Identifier: Apache-2.0
"""What results depend on besides their settings: the executable, its energy tables, the shipped scenarios and the
firmware."""
import hashlib
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXECUTABLE = ROOT / "build/release/butterfly-vp"


def build_identity():
    digest = hashlib.sha256(EXECUTABLE.read_bytes())
    for path in sorted([*(ROOT / "models/power/tables").glob("*.yaml"), *(ROOT / "scenarios").rglob("*.yaml"),
                        *(ROOT / "build/release/firmware").glob("network.elf")]):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]
