# SPDX-License-Identifier: Apache-2.0
"""Which folder includes which: every include is of a folder that CMakeLists.txt names for it, and any other include does
not compile.

BVP_BUILD_DIR: the build directory, with compile_commands.json."""
import json
import os
import re
import shlex
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["BVP_BUILD_DIR"])


def rooms():
    """Folder -> folders that it uses, in the order of CMakeLists.txt."""
    text = re.sub(r"#.*", "", (ROOT / "CMakeLists.txt").read_text())
    found = {}
    for call in re.findall(r"bvp_room\(([^)]*)\)", text):
        words = call.split()
        uses = words[words.index("USES") + 1:] if "USES" in words else []
        for i, word in enumerate(uses):
            if word in ("LIBRARIES", "WITHOUT", "OPERATORS"):
                uses = uses[:i]
                break
        if re.fullmatch(r"(models|platform)/\w+", words[0]):
            found[words[0]] = uses
    return found


def operator_files():
    """Name of a file in the folders of operators -> the folder whose library it is a part of."""
    text = re.sub(r"#.*", "", (ROOT / "CMakeLists.txt").read_text())
    return {name: words.split()[0] for words in re.findall(r"bvp_room\(([^)]*)\)", text) if "OPERATORS" in words
            for name in words.split("OPERATORS")[1].split()}


def room_of(path):
    return "/".join(path.split("/")[:2])


def includes_of(file):
    return re.findall(r'#include "((?:models|platform)/[^"]+)"', file.read_text())


class Rooms(unittest.TestCase):
    def test_every_folder_has_a_library(self):
        folders = {str(folder.relative_to(ROOT)) for part in ("models", "platform") for folder in (ROOT / part).iterdir()
                   if any(folder.glob("*.*"))}
        self.assertEqual(folders - {"platform/native"}, set(rooms()))

    def test_every_file_of_an_operator_is_in_a_library(self):
        """Headers are declarations: they are for all, and include nothing but networks."""
        files = operator_files()
        for file in sorted((ROOT / "platform/operators").glob("*/*")):
            with self.subTest(file=str(file.relative_to(ROOT))):
                folder = "platform/network" if file.suffix == ".h" else files.get(file.name)
                self.assertIsNotNone(folder, f"expected a header or one of: {', '.join(files)}")
                allowed = {folder, "platform/operators", *rooms()[folder]}
                self.assertLessEqual({room_of(header) for header in includes_of(file)}, allowed)
        for folder in (ROOT / "platform/operators").iterdir():
            self.assertLessEqual(set(files), {file.name for file in folder.iterdir()}, folder)

    def test_folders_use_those_before_them(self):
        before = set()
        for folder, uses in rooms().items():
            self.assertLessEqual(set(uses), before, folder)
            before.add(folder)

    def test_includes_are_of_folders_that_are_named(self):
        for folder, uses in rooms().items():
            included = set()
            for file in sorted((ROOT / folder).rglob("*")):
                if file.suffix not in (".h", ".cpp", ".def"):
                    continue
                included |= {room_of(header) for header in includes_of(file)}
            self.assertEqual(sorted(included - {folder, "platform/operators"}), sorted(uses), folder)

    def compiles(self, source, header):
        """Whether this source would compile with a further include."""
        for entry in json.loads((BUILD / "compile_commands.json").read_text()):
            if entry["file"] != str(ROOT / source):
                continue
            words = shlex.split(entry["command"])
            options = [word for word in words if re.match(r"-[DI]|-std=", word)]
            options += [f"-isystem{words[i + 1]}" for i, word in enumerate(words) if word == "-isystem"]
            compiler = next(word for word in words if re.search(r"(\+\+|clang)[-\d.]*$", word))
            with tempfile.TemporaryDirectory() as directory:
                probe = Path(directory) / "probe.cpp"
                probe.write_text(f'#include "{header}"\n')
                ended = subprocess.run([compiler, *options, "-fsyntax-only", str(probe)], capture_output=True, text=True)
            if ended.returncode != 0:
                self.assertIn(f"{header}: No such file", ended.stderr.replace("'", ""))
            return ended.returncode == 0
        self.fail(f"{source} is not in compile_commands.json")

    def test_other_includes_do_not_compile(self):
        self.assertTrue(self.compiles("models/memory/dram.cpp", "models/base/types.h"))
        self.assertFalse(self.compiles("models/memory/dram.cpp", "models/isa/instruction.h"))
        self.assertFalse(self.compiles("models/bus/bus.cpp", "models/isa/kernel.h"))
        self.assertFalse(self.compiles("platform/network/weights.cpp", "platform/scenario/scenario.h"))
        self.assertFalse(self.compiles("platform/report/summary.cpp", "platform/compiler/target.h"))
        self.assertFalse(self.compiles("platform/compiler/planner.cpp", "platform/reference/reference.h"))
        self.assertFalse(self.compiles("platform/reference/reference.cpp", "platform/compiler/target.h"))
        self.assertFalse(self.compiles("platform/operators/fft2d/lowering.cpp", "platform/reference/reference.h"))
        self.assertFalse(self.compiles("platform/operators/fft2d/reference.cpp", "platform/compiler/target.h"))


if __name__ == "__main__":
    unittest.main()
