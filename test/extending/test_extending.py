# SPDX-License-Identifier: Apache-2.0
"""The recipes of docs/extending.md: each *.patch beside this file adds something to a copy of the tree, touches no more
files than it says, builds, and passes the test that it names.

The lines of a patch before its first "diff" are its header, "KEY: VALUE" each:
  adds    what it adds, in words
  recipe  the heading in docs/extending.md
  files   how many files it may touch; generated ones are not in it
  build   the targets that are built, with blanks between them
  test    the command that must pass, in the build directory

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
SHARED = ["CMAKE_BUILD_TYPE", "CMAKE_CXX_COMPILER", "CMAKE_CXX_FLAGS", "CMAKE_GENERATOR"]


def header_of(patch):
    head = patch.read_text().split("\ndiff --git ", 1)[0]
    return dict(re.findall(r"(?m)^(\w+): +(.+?) *$", head))


def settings():
    """Of the build at hand: name -> value."""
    cache = (BUILD / "CMakeCache.txt").read_text()
    return {name: value for name, value in re.findall(r"(?m)^(\w+):\w+=(.*)$", cache) if name in SHARED}


def copy_tree(to):
    """What git knows and what is new, without build outputs."""
    listed = subprocess.run(["git", "-C", TREE, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        source, target = TREE / name, to / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


class Extending(unittest.TestCase):
    def run_in(self, directory, *command, **environment):
        done = subprocess.run(command, cwd=directory, env={**os.environ, **environment}, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done.stdout

    def extend(self, patch):
        header = header_of(patch)
        for key in ("adds", "recipe", "files", "build", "test"):
            self.assertIn(key, header, f"{patch.name} has no '{key}' before its first diff")
        page = (TREE / "docs/extending.md").read_text()
        self.assertIn(f"\n## {header['recipe']}\n", page)
        self.assertIn(patch.name, page)
        with tempfile.TemporaryDirectory(prefix="bvp-extending-") as temporary:
            place = pathlib.Path(temporary).resolve()
            tree, build = place / "tree", place / "build"
            copy_tree(tree)
            touched = self.run_in(tree, "git", "apply", "--numstat", str(patch)).splitlines()
            self.assertLessEqual(len(touched), int(header["files"]), f"{patch.name} touches {touched}")
            self.run_in(tree, "git", "apply", str(patch))
            options = settings()
            generator = options.pop("CMAKE_GENERATOR")
            # Names of files are relative to the copy, so that ccache knows them wherever the copy lies.
            ccache = {"CCACHE_BASEDIR": str(place), "CCACHE_NOHASHDIR": "1"}
            self.run_in(place, "cmake", "-S", str(tree), "-B", str(build), "-G", generator,
                        *[f"-D{name}={value}" for name, value in options.items()], **ccache)
            self.run_in(place, "cmake", "--build", str(build), "--parallel", "2", "--target", *header["build"].split(),
                        **ccache)
            self.run_in(build, "sh", "-c", header["test"], BVP_SOURCE_DIR=str(tree))

    def test_every_patch(self):
        patches = sorted(HERE.glob("*.patch"))
        self.assertTrue(patches)
        for patch in patches:
            with self.subTest(patch=patch.name):
                self.extend(patch)


if __name__ == "__main__":
    unittest.main()
