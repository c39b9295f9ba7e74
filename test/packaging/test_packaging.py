# SPDX-License-Identifier: Apache-2.0
"""What `cmake --install` and CPack make: it runs elsewhere, as another user, without a home directory.

BVP_BUILD_DIR names the build directory. The build itself is not part of it, but for what the installation makes anew."""
import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile
import unittest

BUILD = pathlib.Path(os.environ["BVP_BUILD_DIR"])
TREE = pathlib.Path(__file__).resolve().parents[2]
IS_ROOT = os.geteuid() == 0


def run(arguments, **options):
    return subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, **options)


def make_readable(path):
    """For everyone, whatever the umask: another user looks at it."""
    for directory in [path, *path.rglob("*")]:
        if not directory.is_symlink():
            directory.chmod(directory.stat().st_mode | (0o755 if directory.is_dir() else 0o444))


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.path = pathlib.Path(cls.temporary.name)
        cls.path.chmod(0o755)

    def install(self, name):
        prefix = self.path / name
        done = run(["cmake", "--install", BUILD, "--prefix", prefix])
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
        make_readable(prefix)
        return prefix

    def as_another_user(self, *arguments, directory, expect=0, **environment):
        """As nobody where that can be chosen, without HOME, in a directory of that user."""
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if IS_ROOT else []
        done = run(["env", "-i", "PATH=/usr/bin:/bin", *(f"{k}={v}" for k, v in environment.items()), *user, *arguments],
                   cwd=directory, timeout=300)
        self.assertEqual(done.returncode, expect, done.stdout[-2000:] + done.stderr[-2000:])
        return done

    def working_directory(self, name):
        directory = self.path / name
        directory.mkdir()
        if IS_ROOT:
            os.chown(directory, 65534, 65534)
        return directory

    def check_platform(self, prefix, directory):
        """All that finds its files beside the executable."""
        def vp(*arguments, expect=0):
            return self.as_another_user(prefix / "bin" / "butterfly-vp", *arguments, directory=directory, expect=expect)

        self.assertRegex(vp("--version").stdout, r"^butterfly-vp \d+\.\d+")
        vp("run", "encoder_128x64", "--quiet")
        summary = json.loads((directory / "runs" / "encoder_128x64" / "summary.json").read_text())
        self.assertTrue(summary["passed"])
        self.assertTrue(summary["verification"]["bit_exact"])
        names = sorted(path.stem for path in (TREE / "scenarios").glob("*.yaml"))
        self.assertEqual(vp("validate", *names).stdout.count(": valid"), len(names))
        vp("run", "bert_base", "--quiet", "--no-data", "--fidelity", "fast", "--set", "network.variant=hybrid", "--set",
           "network.depth=2", "--set", "soc.preset=array_256gops", "--set", "energy.profile=textbook")
        firmware = prefix / "share" / "butterfly-vp" / "firmware" / "hello.elf"
        vp("run", "encoder_128x64", "--quiet", "--firmware", firmware, "--set", "verify.enabled=false", "--out", "hello")
        self.assertIn("this_array_dense", vp("compare", "encoder_128x64").stdout)
        self.assertIn("soc.array.lanes = 32", vp("describe", "--filter", "lanes").stdout)
        if (prefix / "share" / "butterfly-vp" / "html").exists():
            vp("report", "runs/encoder_128x64")
            self.assertIn("<html", (directory / "runs" / "encoder_128x64" / "report.html").read_text()[:2000])
        native = run([prefix / "libexec" / "butterfly-vp" / "bvp-native", "--help"], timeout=120)
        self.assertNotEqual(native.stdout, "")
        # The Python package that reads it is found, and Debian's python3-onnx.
        (directory / "no_model.onnx").write_text("no model")
        self.assertIn("is not an ONNX model", vp("import", "no_model.onnx", "--output", "made", expect=2).stderr)
        error = vp("run", "encoder_128x65", expect=2).stderr
        self.assertIn("no shipped scenario of this name, did you mean 'encoder_128x64'?", error)

    def test_installation(self):
        prefix = self.install("a prefix with spaces")
        self.check_platform(prefix, self.working_directory("somewhere else"))

    def test_it_can_be_moved(self):
        prefix = self.install("first place")
        shutil.move(prefix, self.path / "second")
        directory = self.working_directory("moved")
        self.as_another_user(self.path / "second" / "bin" / "butterfly-vp", "run", "encoder_128x64", "--no-data", "--quiet",
                             directory=directory)
        link = directory / "link"
        link.symlink_to(self.path / "second" / "bin" / "butterfly-vp")
        self.as_another_user(link, "validate", "vit_base16", directory=directory)

    def test_what_is_installed(self):
        prefix = self.install("listed")
        share, doc = prefix / "share" / "butterfly-vp", prefix / "share" / "doc" / "butterfly-vp"
        for file in [share / "scenarios" / "scenario.schema.json", share / "models" / "power" / "tables" / "area.yaml",
                     share / "firmware" / "network.elf", share / "firmware" / "examples" / "dma_copy.elf",
                     share / "sdk" / "lib" / "link.ld", share / "sdk" / "lib" / "libbutterfly-vp.a",
                     share / "sdk" / "include" / "bvp_hw.h", share / "sdk" / "examples" / "dma_copy.c",
                     prefix / "share" / "cmake" / "butterfly-vp-firmware" / "butterfly-vp-firmware-config.cmake", doc / "README.md", doc / "LICENSE", doc / "NOTICE",
                     doc / "docs" / "getting_started.md", doc / "copyright"]:
            self.assertTrue(file.is_file(), file)
        for file in [TREE / "LICENSE", TREE / "NOTICE"]:
            self.assertEqual((doc / file.name).read_bytes(), file.read_bytes())
        kinds = {path.suffix for path in share.rglob("*") if path.is_file() and "sdk" not in path.parts}
        self.assertFalse(kinds & {".d", ".o", ".cmake", ".cpp"}, kinds)
        self.assertEqual([str(path) for path in share.rglob("*") if path.is_dir() and not any(path.iterdir())], [])

    def build_template(self, prefix, name):
        """Copies the application of the SDK, builds it as docs/firmware.md says, and runs it."""
        vp = prefix / "bin" / "butterfly-vp"
        directory = self.path / name
        place = run([vp, "sdk", "--template"]).stdout.strip()
        self.assertTrue(pathlib.Path(place).is_relative_to(prefix.resolve()), place)
        shutil.copytree(place, directory)
        toolchain = run([vp, "sdk", "--toolchain"]).stdout.strip()
        for step in [["cmake", "-G", "Ninja" if shutil.which("ninja") else "Unix Makefiles", "-B", "build",
                      f"-DCMAKE_TOOLCHAIN_FILE={toolchain}", "-DCMAKE_BUILD_TYPE=Release"], ["cmake", "--build", "build"]]:
            done = run(step, cwd=directory)
            self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
        make_readable(self.path)
        done = self.as_another_user(vp, "run", "--bare", "--quiet", "--uart", "file:text",  "--firmware",
                                    directory / "build" / "my_program.elf", directory=self.working_directory(name + " run"))
        self.assertRegex((self.path / (name + " run") / "text").read_text(), r"^3 counts in 3\d\.\d\d microseconds\n$")

    def test_the_template_of_the_sdk(self):
        self.build_template(self.install("with the sdk"), "my program")

    def test_the_package_of_the_sdk_refuses_what_it_does_not_know(self):
        prefix = self.install("sdk")
        toolchain = prefix / "share" / "butterfly-vp" / "sdk" / "cmake" / "toolchain.cmake"
        for options, error in [("MEMORY flash", "MEMORY is 'flash'; expected boot_ram or dram"),
                               ("PRINTF long", "PRINTF is 'long'; expected integer, float or double"),
                               ("STACK 5", "'STACK;5' is unknown")]:
            project = self.path / options
            project.mkdir()
            (project / "main.c").write_text("int main(void) { return 0; }\n")
            (project / "CMakeLists.txt").write_text(
                "cmake_minimum_required(VERSION 3.21)\nproject(one LANGUAGES C)\n"
                "find_package(butterfly-vp-firmware REQUIRED)\nadd_executable(one main.c)\n"
                f"butterfly_vp_firmware(one {options})\n")
            done = run(["cmake", "-B", project / "build", "-S", project, f"-DCMAKE_TOOLCHAIN_FILE={toolchain}"])
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(error, " ".join(done.stderr.split()))

    def test_firmware_is_built_without_cmake(self):
        prefix = self.install("by_hand")
        vp = prefix / "bin" / "butterfly-vp"
        self.assertIn(str(prefix / "share" / "butterfly-vp" / "sdk"), run([vp, "sdk"]).stdout)
        source = self.path / "app.c"
        source.write_text('#include <stdio.h>\n#include "hal/exit.h"\n#include "bvp_hw.h"\n'
                          'int main(void) { printf("built elsewhere\\n"); return exit_done; }\n')
        compiler = "riscv64-unknown-elf-gcc"
        done = run([compiler, *run([vp, "sdk", "--cflags"]).stdout.split(), "-O2", "-c", source, "-o", self.path / "app.o"])
        self.assertEqual(done.returncode, 0, done.stderr)
        done = run([compiler, self.path / "app.o", *run([vp, "sdk", "--ldflags"]).stdout.split(), "-o", self.path / "app.elf"])
        self.assertEqual(done.returncode, 0, done.stderr)
        make_readable(self.path)
        directory = self.working_directory("firmware")
        self.as_another_user(vp, "run", "encoder_128x64", "--quiet", "--firmware", self.path / "app.elf", "--set",
                             "verify.enabled=false", directory=directory)
        log = (directory / "runs" / "encoder_128x64" / "uart.log").read_text()
        self.assertEqual(log, "built elsewhere\n")

    @unittest.skipUnless(shutil.which("dpkg-shlibdeps"), "dpkg-dev is not installed")
    def test_debian_package(self):
        made = self.path / "package"
        done = run(["cpack", "--config", BUILD / "CPackConfig.cmake", "-B", made])
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
        (package,) = made.glob("*.deb")
        fields = run(["dpkg-deb", "--field", package]).stdout
        self.assertRegex(fields, r"(?m)^Package: butterfly-vp$")
        depends = re.search(r"(?m)^Depends: (.*)$", fields)[1]
        for library in ["libc6", "libstdc++6", "libsystemc", "libyaml-cpp"]:
            self.assertIn(library, depends)
        self.assertNotIn("-dev", depends)
        content = run(["dpkg-deb", "--contents", package]).stdout
        for line in content.splitlines():
            self.assertRegex(line, r"^(d|-)rw.r-.r-. root/root ", "belongs to root, nobody else may write")
        root = self.path / "root"
        self.assertEqual(run(["dpkg-deb", "--extract", package, root]).returncode, 0)
        root.chmod(0o755)
        self.check_platform(root / "usr", self.working_directory("of the package"))
        self.build_template(root / "usr", "program of the package")
        if shutil.which("lintian"):
            tags = run(["lintian", "--allow-root", "--fail-on", "none", package]).stdout
            self.assertEqual([line for line in tags.splitlines() if line.startswith("E: ")], [])

    @unittest.skipUnless(IS_ROOT, "another user cannot be chosen")
    def test_configuration_without_a_home(self):
        """A user whom the system does not know, HOME that cannot be written: ccache is left out, and it is a Release."""
        self.assertRaises(KeyError, pwd.getpwuid, 54321)
        build = self.path / "a build directory"
        build.mkdir()
        os.chown(build, 54321, 0)
        generator = "Ninja" if shutil.which("ninja") else "Unix Makefiles"
        for home in [["HOME=/"], []]:
            shutil.rmtree(build / "CMakeFiles", ignore_errors=True)
            (build / "CMakeCache.txt").unlink(missing_ok=True)
            done = run(["env", "-i", "PATH=/usr/bin:/bin", *home, "setpriv", "--reuid=54321", "--regid=0", "--clear-groups",
                        "cmake", "-G", generator, "-S", TREE, "-B", build], timeout=120)
            self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
            cache = (build / "CMakeCache.txt").read_text()
            self.assertRegex(cache, r"(?m)^CMAKE_BUILD_TYPE:STRING=Release$")
            if generator == "Ninja":
                self.assertNotIn("ccache", (build / "build.ninja").read_text())

    def test_firmware_objects_in_a_path_with_a_space(self):
        """Nothing is compiled that has not changed."""
        compiler = shutil.which("riscv64-unknown-elf-gcc")
        project = self.path / "a project"
        project.mkdir()
        rules = (TREE / "firmware" / "CMakeLists.txt").read_text()
        function = rules[rules.index("function(firmware_object"):rules.index("endfunction()")] + "endfunction()\n"
        (project / "one.c").write_text('#include "one.h"\n')
        (project / "one.h").write_text("int one;\n")
        (project / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.21)\nproject(one LANGUAGES NONE)\n"
            f"set(RISCV_CC {compiler})\nset(FIRMWARE_FLAGS -ffreestanding)\nset(GENERATED ${{CMAKE_CURRENT_BINARY_DIR}})\n"
            "file(WRITE ${GENERATED}/bvp_hw.h \"\")\n" + function
            + "firmware_object(one.c object)\nadd_custom_target(all_objects ALL DEPENDS ${object})\n")
        build = project / "build"
        self.assertEqual(run(["cmake", "-G", "Ninja", "-S", project, "-B", build]).returncode, 0)
        outputs = [run(["cmake", "--build", build]).stdout for _ in range(2)]
        self.assertIn("compiling one.c", outputs[0])
        self.assertIn("no work to do", outputs[1])
        (project / "one.h").write_text("int two;\n")
        self.assertIn("compiling one.c", run(["cmake", "--build", build]).stdout)


if __name__ == "__main__":
    unittest.main()
