# SPDX-License-Identifier: Apache-2.0
"""The recipes of docs/extending.md: each *.patch beside this file adds something to a copy of the tree, touches as many
files as it says, builds, and passes the test that it names.

The lines of a patch before its first "diff" are its header, "KEY: VALUE" each:
  adds    what it adds, in words
  recipe  the heading in docs/extending.md
  files   how many files it touches; the table of docs/extending.md says the same. Generated files are not in it
  build   the targets that are built, with blanks between them
  test    the command that must pass, in the build directory; BVP_SOURCE_DIR is the patched tree

Every patch is tried alone on the clean copy; then all are applied, and the copy is configured and built once.

BVP_BUILD_DIR: the build directory whose compiler, build type and flags are used."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parents[1]
BUILD = pathlib.Path(os.environ["BVP_BUILD_DIR"])
PAGE = (TREE / "docs/extending.md").read_text()
SHARED = ["CMAKE_BUILD_TYPE", "CMAKE_CXX_COMPILER", "CMAKE_CXX_FLAGS", "CMAKE_GENERATOR"]
KEYS = ["adds", "recipe", "files", "build", "test"]


def header_of(patch):
    head = patch.read_text().split("\ndiff --git ", 1)[0]
    return dict(re.findall(r"(?m)^(\w+): +(.+?) *$", head))


def settings():
    """Name and value of the cached variables that the build at BVP_BUILD_DIR and that of the copy have in common."""
    cache = (BUILD / "CMakeCache.txt").read_text()
    return {name: value for name, value in re.findall(r"(?m)^(\w+):\w+=(.*)$", cache) if name in SHARED}


def copy_tree(to):
    """Copies what git knows and what is new, without build outputs."""
    listed = subprocess.run(["git", "-C", TREE, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        source, target = TREE / name, to / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


class Extending(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.patches = {patch: header_of(patch) for patch in sorted(HERE.glob("*.patch"))}
        temporary = tempfile.TemporaryDirectory(prefix="bvp-extending-")
        cls.addClassCleanup(temporary.cleanup)
        cls.place = pathlib.Path(temporary.name).resolve()
        cls.tree = cls.place / "tree"
        cls.build = cls.tree / "build" / "release"
        copy_tree(cls.tree)

    def run_in(self, directory, *command, **environment):
        done = subprocess.run(command, cwd=directory, env={**os.environ, **environment}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done.stdout

    def check_header(self, patch, header):
        for key in KEYS:
            self.assertIn(key, header, f"{patch.name} has no '{key}' before its first diff")
        self.assertIn(f"\n## {header['recipe']}\n", PAGE)
        anchor = re.sub(r"\W+", "-", header["recipe"].lower())
        self.assertIn(f"\n| [{header['recipe']}](#{anchor}) | {header['files']} | `{patch.name}` |", PAGE)

    def configure_and_build(self):
        options = settings()
        generator = options.pop("CMAKE_GENERATOR")
        targets = sorted({target for header in self.patches.values() for target in header["build"].split()})
        # ccache knows names of files relative to the copy, so that it finds them wherever the next copy lies.
        ccache = {"CCACHE_BASEDIR": str(self.place), "CCACHE_NOHASHDIR": "1"}
        self.run_in(self.place, "cmake", "-S", str(self.tree), "-B", str(self.build), "-G", generator,
                    *[f"-D{name}={value}" for name, value in options.items()], **ccache)
        self.run_in(self.place, "cmake", "--build", str(self.build), "--parallel", "2", "--target", *targets, **ccache)

    def test_every_patch(self):
        self.assertTrue(self.patches)
        for patch, header in self.patches.items():
            self.check_header(patch, header)
            # Without an index, git applies to the files of the copy as they are.
            touched = self.run_in(self.tree, "git", "apply", "--check", "--numstat", str(patch)).splitlines()
            print(f"{header['recipe']}: {len(touched)} files", *[line.split("\t")[2] for line in touched], sep="\n  ")
            self.assertEqual(len(touched), int(header["files"]), f"{patch.name} touches {touched}")
        for patch in self.patches:
            self.run_in(self.tree, "git", "apply", str(patch))
        self.configure_and_build()
        for patch, header in self.patches.items():
            with self.subTest(patch=patch.name):
                self.run_in(self.build, "sh", "-c", header["test"], BVP_SOURCE_DIR=str(self.tree))


if __name__ == "__main__":
    unittest.main()
