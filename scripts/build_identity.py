# SPDX-License-Identifier: Apache-2.0
"""What results depend on besides their settings: the executable, its energy tables, the shipped scenarios and the
firmware."""
import datetime
import functools
import hashlib
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXECUTABLE = ROOT / "build/release/butterfly-vp"


@functools.lru_cache(maxsize=None)
def build_identity():
    if not EXECUTABLE.is_file():
        sys.exit(f"{EXECUTABLE} is not there; build it with scripts/build")
    digest = hashlib.sha256(EXECUTABLE.read_bytes())
    for path in sorted([*(ROOT / "models/power/tables").glob("*.yaml"), *(ROOT / "scenarios").rglob("*.yaml"),
                        *(ROOT / "build/release/firmware").glob("network.elf"),
                        *(ROOT / "build/release/firmware").glob("dataset.elf")]):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def made_at():
    """The commit of the tree and the date, for the pages that figures are written into."""
    def git(*words):
        return subprocess.run(["git", "-C", str(ROOT), *words], check=False, capture_output=True, text=True).stdout.strip()
    commit = git("rev-parse", "--short", "HEAD")
    # The pages that are being written do not count as a change of the tree.
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs")
    commit = f"commit {commit}{' with changes' if changed else ''}" if commit else "a tree without git"
    return f"{commit}, {datetime.date.today().isoformat()}"
