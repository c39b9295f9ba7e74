// SPDX-License-Identifier: Apache-2.0
// Firmware files: what is loaded of them, and what is refused.
#include <elf.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>

#include "platform/run/elf_image.h"
#include "platform/support/input_error.h"

namespace {

namespace fs = std::filesystem;
using bvp::u64;
using bvp::u8;
using Catch::Matchers::Contains;

constexpr u64 base = 0x20000000, bytes = 0x10000;

/// An executable with segments of one byte each in the file, which goes away with the test.
class Firmware {
 public:
  Firmware() : path_(fs::temp_directory_path() / ("bvp_elf_" + std::to_string(getpid()))) {
    std::memcpy(header_.e_ident, ELFMAG, SELFMAG);
    header_.e_ident[EI_CLASS] = ELFCLASS64;
    header_.e_ident[EI_DATA] = ELFDATA2LSB;
    header_.e_type = ET_EXEC;
    header_.e_machine = EM_RISCV;
    header_.e_entry = base;
    header_.e_phoff = sizeof(header_);
    header_.e_phentsize = sizeof(Elf64_Phdr);
  }
  ~Firmware() { fs::remove(path_); }
  Firmware(const Firmware&) = delete;
  Firmware& operator=(const Firmware&) = delete;

  void add(u64 address, u64 size) {
    Elf64_Phdr part{};
    part.p_type = PT_LOAD;
    part.p_paddr = address;
    part.p_filesz = 1;
    part.p_memsz = size;
    parts_.push_back(part);
  }

  [[nodiscard]] const fs::path& write() {
    header_.e_phnum = static_cast<Elf64_Half>(parts_.size());
    std::ofstream stream(path_, std::ios::binary);
    stream.write(reinterpret_cast<const char*>(&header_), sizeof(header_));
    const u64 data = sizeof(header_) + parts_.size() * sizeof(Elf64_Phdr);
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      parts_[i].p_offset = data + i;
      stream.write(reinterpret_cast<const char*>(&parts_[i]), sizeof(parts_[i]));
    }
    for (std::size_t i = 0; i < parts_.size(); ++i) stream.put(static_cast<char>(i + 1));
    return path_;
  }
  [[nodiscard]] std::string refusal() {
    try {
      static_cast<void>(bvp::read_elf(write(), base, bytes));
    } catch (const bvp::InputError& error) {
      return error.what();
    }
    return "(accepted)";
  }

 private:
  fs::path path_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> parts_;
};

}  // namespace

TEST_CASE("Segments are loaded where they belong", "[elf]") {
  Firmware firmware;
  firmware.add(base + 0x100, 0x100);
  firmware.add(base, 0x100);
  const bvp::ElfImage image = bvp::read_elf(firmware.write(), base, bytes);
  CHECK(image.entry == base);
  REQUIRE(image.parts.size() == 2);
  CHECK(image.parts[0].address == base);
  CHECK(image.parts[0].bytes.size() == 0x100);
  CHECK(image.parts[0].bytes[0] == 2);
  CHECK(image.parts[0].bytes[1] == 0);
  CHECK(image.parts[1].bytes[0] == 1);
}

TEST_CASE("Segments that overlap are refused", "[elf]") {
  Firmware firmware;
  firmware.add(base + 0x80, 0x100);
  firmware.add(base, 0x81);
  CHECK_THAT(firmware.refusal(), Contains("segments 0 and 1 overlap at 0x20000080"));
  Firmware many;
  for (int i = 0; i < 60000; ++i) many.add(base, bytes);
  CHECK_THAT(many.refusal(), Contains("overlap"));
}

TEST_CASE("A boot RAM that is too small is told how large it must be", "[elf]") {
  Firmware firmware;
  firmware.add(base + bytes - 1, 2);
  firmware.add(base, 4);
  firmware.add(base + 3 * bytes, 0x1001);
  CHECK_THROWS_AS(bvp::read_elf(firmware.write(), base, bytes), bvp::BootRamError);
  CHECK_THAT(firmware.refusal(), Contains("needs 200705 bytes of boot RAM, there are 65536 (raise "
                                          "soc.boot_ram.size_bytes to 204800)"));
  CHECK(bvp::read_elf(firmware.write(), base, 204800).parts.size() == 3);
  for (const u64 elsewhere : {base - 4096, base + (u64{1} << 24), ~u64{0}}) {
    Firmware outside;
    outside.add(elsewhere, 4);
    CHECK_THAT(outside.refusal(), Contains("is outside of the boot RAM") && !Contains("raise"));
  }
}

TEST_CASE("Of a large file only what is loaded is read", "[elf]") {
  Firmware firmware;
  firmware.add(base, 4);
  const fs::path& file = firmware.write();
  fs::resize_file(file, u64{1} << 40);
  CHECK(bvp::read_elf(file, base, bytes).parts.size() == 1);
  std::ofstream(file, std::ios::binary) << "text";
  CHECK_THROWS_WITH(bvp::read_elf(file, base, bytes), Contains("not an ELF file"));
  fs::resize_file(file, u64{1} << 40);
  CHECK_THROWS_WITH(bvp::read_elf(file, base, bytes), Contains("not an ELF file"));
}
