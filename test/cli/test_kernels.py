# SPDX-License-Identifier: Apache-2.0
"""`butterfly-vp asm`, `disasm` and `compile`: exit codes, files, and programs that are built with what they leave.

BUTTERFLY_VP: the executable. BVP_FIRMWARE_DIR: the directory of the firmware's ELF files."""
import hashlib
import json
import os
import pathlib
import re
import struct
import subprocess
import tempfile
import unittest
import zlib

EXECUTABLE = os.environ["BUTTERFLY_VP"]
FIRMWARE = pathlib.Path(os.environ["BVP_FIRMWARE_DIR"])
TREE = pathlib.Path(__file__).resolve().parents[2]
KERNEL = TREE / "firmware" / "examples" / "one_kernel.kasm"


def fnv1a(data):
    value = 0xcbf29ce484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001b3 & (1 << 64) - 1
    return value


def tensor(file, name):
    """The bytes of a tensor of a safetensors file."""
    data = file.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    begin, end = json.loads(data[8:8 + length])[name]["data_offsets"]
    return data[8 + length + begin:8 + length + end]


class Kernels(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.path = pathlib.Path(temporary.name)

    def vp(self, *arguments, expect=0):
        done = subprocess.run([EXECUTABLE, *map(str, arguments)], cwd=self.path, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=300)
        self.assertEqual(done.returncode, expect, done.stdout[-2000:] + done.stderr[-2000:])
        return done

    def test_an_image_is_text_and_image_again(self):
        self.vp("asm", KERNEL, "--output", "a.img")
        text = self.vp("disasm", "a.img").stdout
        (self.path / "b.kasm").write_text(text)
        self.vp("asm", "b.kasm", "--output", "b.img")
        self.assertEqual((self.path / "a.img").read_bytes(), (self.path / "b.img").read_bytes())
        self.assertEqual(self.vp("disasm", "b.img").stdout, text)
        self.assertRegex(self.vp("asm", "b.kasm").stdout, r"b.kasm: \d+ bytes, 4 instructions, 4 segments, 5 edges")

    def test_mistakes_have_places(self):
        (self.path / "bad.kasm").write_text(KERNEL.read_text().replace("ld slot, memory", "ld slot, memori", 1))
        error = self.vp("asm", "bad.kasm", "--output", "a.img", expect=2).stderr
        self.assertRegex(error, r"bad.kasm:\d+:12: found 'memori', expected a stream of this segment")
        self.assertFalse((self.path / "a.img").exists())
        error = self.vp("asm", KERNEL, "--set", "soc.array.lanes=8", expect=2).stderr
        self.assertRegex(error, r"one_kernel.kasm:\d+:1: kernel: it is for 32 lanes, the array has 8")
        (self.path / "odd.kasm").write_text("kernel lanes=24 rows=1 columns=1\n")
        self.assertRegex(self.vp("asm", "odd.kasm", expect=2).stderr, r"odd.kasm:1:1: .*lanes")
        self.assertIn("there is no", self.vp("asm", "absent.kasm", expect=2).stderr)
        self.assertIn("hello.c: kernel image: wrong magic number", self.vp("disasm", KERNEL.parent / "hello.c", expect=2).stderr)

    def test_files_of_the_user_stay(self):
        mine = self.path / "mine"
        mine.write_text("of the user\n")
        for option in ("--output", "--header"):
            self.assertIn("is there already", self.vp("asm", KERNEL, option, "mine", expect=2).stderr)
            copy = self.path / "copy.kasm"
            copy.write_text(KERNEL.read_text())
            self.vp("asm", "copy.kasm", option, "copy.kasm", expect=2)
            self.assertEqual(copy.read_text(), KERNEL.read_text())
        self.assertEqual(mine.read_text(), "of the user\n")
        for _ in range(2):  # its own files it replaces
            self.vp("asm", KERNEL, "--output", "a.img", "--header", "a.h")
        with open(self.path / "a.h", "a") as header:
            header.write("/* changed */\n")
        self.vp("asm", KERNEL, "--header", "a.h", expect=2)

    def test_an_image_that_is_not_canonical(self):
        self.vp("asm", KERNEL, "--output", "a.img")
        image = bytearray((self.path / "a.img").read_bytes())
        image += bytes(8)
        image[8:12] = struct.pack("<I", len(image))
        self.put_checksum(image)
        (self.path / "long.img").write_bytes(image)
        done = self.vp("disasm", "long.img")
        self.assertIn("note: long.img", done.stderr)
        self.assertEqual(done.stdout, self.vp("disasm", "a.img").stdout)

    def put_checksum(self, image):
        """That of zlib, of the image with 0 in its place."""
        image[52:56] = bytes(4)
        image[52:56] = struct.pack("<I", zlib.crc32(image))

    def test_check_sums(self):
        self.vp("asm", KERNEL, "--output", "a.img")
        image = bytearray((self.path / "a.img").read_bytes())
        again = bytearray(image)
        self.put_checksum(again)
        self.assertEqual(image, again)
        for at in (53, 60, len(image) - 9):  # of the check sum, of a field that is for reports, of a register of a PE
            spoilt = bytearray(image)
            spoilt[at] ^= 1
            (self.path / "spoilt.img").write_bytes(spoilt)
            done = self.vp("disasm", "spoilt.img", expect=2)
            self.assertRegex(done.stderr, r"spoilt.img: kernel image: its header has the check sum 0x[0-9a-f]{8}, expected 0x[0-9a-f]{8} ")
        # The compiler's are right as well.
        self.vp("compile", "encoder_128x64", "--out", "out")
        images = list((self.path / "out").glob("kernel_*.img"))
        self.assertGreater(len(images), 3)
        for file in images:
            image = bytearray(file.read_bytes())
            again = bytearray(image)
            self.put_checksum(again)
            self.assertEqual(image, again, file.name)

    def test_header(self):
        self.vp("asm", KERNEL, "--output", "a.img", "--header", "a.h", "--name", "mine")
        (self.path / "main.c").write_text(
            '#include <stdio.h>\n#include "a.h"\nint main(void) { fwrite(mine_image, 1, MINE_IMAGE_BYTES, stdout); '
            'return MINE_LAUNCH_FACTORS * 100 + MINE_CONST_BLOCK; }\n')
        subprocess.run(["gcc", "-Wall", "-Werror", "main.c", "-o", "main"], cwd=self.path, check=True)
        done = subprocess.run([self.path / "main"], capture_output=True)
        self.assertEqual(done.returncode, 208)
        self.assertEqual(done.stdout, (self.path / "a.img").read_bytes())

    def test_compile(self):
        self.vp("compile", "encoder_128x64", "--out", "out/deep")
        out = self.path / "out" / "deep"
        manifest = json.loads((out / "manifest.json").read_text())
        self.assertEqual(set(manifest["files"]) | {"manifest.json"}, {file.name for file in out.iterdir()})
        for name, entry in manifest["files"].items():
            data = (out / name).read_bytes()
            self.assertEqual((len(data), hashlib.sha256(data).hexdigest()), (entry["bytes"], entry["sha256"]))
        memory = {part["address"]: (out / part["file"]).read_bytes() for part in manifest["memory"]}

        def at(address, count):
            for begin, data in memory.items():
                if begin <= address and address + count <= begin + len(data):
                    return data[address - begin:address - begin + count]
            self.fail(f"{address:#x} is in no part")

        self.assertEqual(at(manifest["descriptor"], 4), b"BVPN")
        plan = json.loads(self.vp("describe", "encoder_128x64", "--json").stdout)["plan"]
        self.assertEqual(len(manifest["tasks"]), len(plan["tasks"]))
        self.assertEqual(sum(len(kernel["launches"]) for kernel in manifest["kernels"]), len(plan["kernels"]))
        for kernel in manifest["kernels"]:
            image = (out / kernel["file"]).read_bytes()
            self.assertEqual(at(kernel["address"], kernel["bytes"]), image)
            (self.path / "k.kasm").write_text(self.vp("disasm", out / kernel["file"], "--machine", "encoder_128x64").stdout)
            self.vp("asm", "k.kasm", "--output", "k.img")
            self.assertEqual((self.path / "k.img").read_bytes(), image)
        self.assertIn(f"#define NETWORK_DESCRIPTOR {manifest['descriptor']:#x}ull", (out / "network.h").read_text())

    def test_compile_keeps_files_of_the_user(self):
        out = self.path / "out"
        out.mkdir()
        (out / "network.h").write_text("of the user\n")
        (out / "notes").write_text("of the user\n")
        error = self.vp("compile", "encoder_128x64", "--out", "out", expect=2).stderr
        self.assertIn("network.h is there already", error)
        self.assertEqual(sorted(file.name for file in out.iterdir()), ["network.h", "notes"])
        (out / "network.h").unlink()
        for layers in (1, 2):  # its own files it replaces, and removes those that are made no more
            self.vp("compile", "encoder_128x64", "--out", "out", "--set", f"network.layers=[{'{mixing: fft2d},' * layers}]")
            names = {file.name for file in out.iterdir()}
            self.assertEqual(names, set(json.loads((out / "manifest.json").read_text())["files"]) | {"manifest.json", "notes"})
        (out / "network.S").write_text("changed\n")
        self.vp("compile", "encoder_128x64", "--out", "out", expect=2)
        self.assertEqual((out / "network.S").read_text(), "changed\n")
        (self.path / "file").write_text("")
        self.assertIn("is no directory", self.vp("compile", "encoder_128x64", "--out", "file", expect=2).stderr)

    def test_compiled_layer(self):
        """The example does what the runtime does, to the same bits."""
        done = self.vp("run", "--bare", "--firmware", FIRMWARE / "examples" / "compiled_layer.elf")
        found = re.search(r"^layer 0: ([0-9a-f]{16})$", done.stdout, re.MULTILINE)[1]
        self.vp("run", "encoder_128x64", "--dump", "--quiet", "--out", "run")
        self.assertEqual(int(found, 16), fnv1a(tensor(self.path / "run" / "tensors.safetensors", "layers.0.output")))

    def test_functions_of_the_sdk(self):
        sdk = {name: self.vp("sdk", f"--{name}").stdout.strip() for name in ("toolchain", "examples")}
        (self.path / "CMakeLists.txt").write_text(f"""cmake_minimum_required(VERSION 3.20)
project(mine LANGUAGES C ASM)
find_package(butterfly-vp-firmware REQUIRED)
add_executable(one {sdk["examples"]}/one_kernel.c)
butterfly_vp_firmware(one)
butterfly_vp_kernel(one {sdk["examples"]}/one_kernel.kasm MACHINE encoder_128x64)
add_executable(layer {sdk["examples"]}/compiled_layer.c)
butterfly_vp_firmware(layer)
butterfly_vp_network(layer encoder_128x64 SET run.seed=3)
""")
        for command in (["cmake", "-G", "Ninja", "-B", "build", f"-DCMAKE_TOOLCHAIN_FILE={sdk['toolchain']}",
                         "-DCMAKE_BUILD_TYPE=Release"], ["cmake", "--build", "build"]):
            done = subprocess.run(command, cwd=self.path, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])
        self.assertIn("0 of 16384 values are wrong", self.vp("run", "--bare", "--firmware", "build/one.elf").stdout)
        layer = self.vp("run", "--bare", "--firmware", "build/layer.elf").stdout
        self.vp("run", "encoder_128x64", "--dump", "--quiet", "--out", "run", "--set", "run.seed=3")
        expected = fnv1a(tensor(self.path / "run" / "tensors.safetensors", "layers.0.output"))
        self.assertIn(f"layer 0: {expected:016x}", layer)


if __name__ == "__main__":
    unittest.main()
