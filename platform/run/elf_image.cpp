// SPDX-License-Identifier: Apache-2.0
#include "platform/run/elf_image.h"

#include <elf.h>
#include <fmt/format.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "platform/scenario/input_error.h"

namespace bvp {

ElfImage read_elf(const std::filesystem::path& file, u64 memory_base, u64 memory_bytes) {
  const auto refuse = [&](const std::string& what, const std::string& expected) -> void {
    throw InputError(fmt::format("{}: {}; expected {}", file.string(), what, expected));
  };
  const auto fail = [&](const std::string& what) {
    refuse(what, "a RISC-V ELF executable (riscv64-unknown-elf-gcc -march=rv64imac)");
  };
  if (!std::filesystem::is_regular_file(file)) fail("the firmware is not there");
  std::ifstream stream(file, std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (!stream && !stream.eof()) fail("cannot be read");

  const auto record = [&](auto& target, u64 offset, const char* what) {
    if (offset > bytes.size() || bytes.size() - offset < sizeof(target)) fail(fmt::format("the {} is cut off", what));
    std::memcpy(&target, bytes.data() + offset, sizeof(target));
  };
  Elf64_Ehdr header{};
  record(header, 0, "ELF header");
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) fail("not an ELF file");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != EM_RISCV) {
    fail(fmt::format("an ELF file for machine {}, {} bits, {}-endian", header.e_machine,
                     header.e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32,
                     header.e_ident[EI_DATA] == ELFDATA2LSB ? "little" : "big"));
  }
  if (header.e_type != ET_EXEC) fail(fmt::format("ELF type {} instead of an executable", header.e_type));
  if (header.e_phentsize != sizeof(Elf64_Phdr)) fail("its program headers have an unknown size");

  ElfImage image;
  image.entry = header.e_entry;
  const auto inside = [&](u64 address, u64 size) {
    return address >= memory_base && size <= memory_bytes && address - memory_base <= memory_bytes - size;
  };
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr part{};
    record(part, header.e_phoff + u64{i} * sizeof(part), "program header table");
    if (part.p_type != PT_LOAD || part.p_memsz == 0) continue;
    if (part.p_filesz > part.p_memsz || part.p_offset > bytes.size() || bytes.size() - part.p_offset < part.p_filesz) {
      fail(fmt::format("segment {} is cut off", i));
    }
    if (!inside(part.p_paddr, part.p_memsz)) {
      refuse(fmt::format("segment {} at {:#x}, {} bytes, is outside of the boot RAM ({:#x}, {} bytes)", i, part.p_paddr,
                         part.p_memsz, memory_base, memory_bytes),
             "one that is linked to it (or a larger soc.boot_ram.size_bytes)");
    }
    ElfImage::Part target;
    target.address = part.p_paddr;
    const char* first = bytes.data() + part.p_offset;
    target.bytes.assign(first, first + part.p_filesz);
    target.bytes.resize(part.p_memsz);
    image.parts.push_back(std::move(target));
  }
  if (image.parts.empty()) fail("nothing to load in it");
  if (!inside(image.entry, 2)) fail(fmt::format("its entry {:#x} is outside of the boot RAM", image.entry));
  if (image.entry % 2 != 0) fail(fmt::format("its entry {:#x} is odd, where no instruction can be", image.entry));
  return image;
}

}  // namespace bvp
