// SPDX-License-Identifier: Apache-2.0
#include "platform/run/elf_image.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "platform/soc/memory_map.h"
#include "platform/support/input_file.h"

namespace bvp {

namespace {

class ElfReader {
 public:
  ElfReader(const std::filesystem::path& file, u64 memory_base, u64 memory_bytes)
      : file_(file), memory_base_(memory_base), memory_bytes_(memory_bytes) {
    if (const std::string wrong = why_no_file(file, file.string()); !wrong.empty()) throw InputError(wrong);
    std::error_code error;
    size_ = std::filesystem::file_size(file, error);
    stream_.open(file, std::ios::binary);
    if (error || !stream_) fail("cannot be read");
  }

  ElfImage read() {
    const Elf64_Ehdr header = read_header();
    std::vector<Segment> segments = read_segments(header);
    check_overlap(segments);
    ElfImage image;
    image.entry = header.e_entry;
    // Only these parts of the file are read, so that a file of any size needs no more memory than the boot RAM has.
    for (const Segment& segment : segments) image.parts.push_back(read_part(segment));
    if (image.parts.empty()) fail("nothing to load in it");
    if (!inside(image.entry, 2, memory_bytes_))
      fail(fmt::format("its entry {:#x} is outside of the boot RAM", image.entry));
    if (image.entry % 2 != 0) fail(fmt::format("its entry {:#x} is odd, where no instruction can be", image.entry));
    return image;
  }

 private:
  struct Segment {
    unsigned index = 0;
    Elf64_Phdr header{};
  };

  [[noreturn]] void refuse(const std::string& what, const std::string& expected) const {
    throw InputError(fmt::format("{}: {}; expected {}", file_.string(), what, expected));
  }
  [[noreturn]] void fail(const std::string& what) const {
    refuse(what, "a RISC-V ELF executable (riscv64-unknown-elf-gcc -march=rv64imac)");
  }

  [[nodiscard]] bool in_file(u64 offset, u64 bytes) const { return offset <= size_ && bytes <= size_ - offset; }
  /// Whether `size` bytes from `address` on lie in a memory of `bytes` bytes.
  [[nodiscard]] bool inside(u64 address, u64 size, u64 bytes) const {
    return address >= memory_base_ && size <= bytes && address - memory_base_ <= bytes - size;
  }

  void read_bytes(u64 offset, void* target, u64 bytes) {
    stream_.seekg(static_cast<std::streamoff>(offset));
    if (!stream_.read(static_cast<char*>(target), static_cast<std::streamsize>(bytes))) fail("cannot be read");
  }

  Elf64_Ehdr read_header() {
    Elf64_Ehdr header{};
    read_bytes(0, header.e_ident, std::min(size_, u64{sizeof(header.e_ident)}));
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) fail("not an ELF file");
    if (!in_file(0, sizeof(header))) fail("the ELF header is cut off");
    read_bytes(0, &header, sizeof(header));
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_machine != EM_RISCV) {
      fail(fmt::format("an ELF file for machine {}, {} bits, {}-endian", header.e_machine,
                       header.e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32,
                       header.e_ident[EI_DATA] == ELFDATA2LSB ? "little" : "big"));
    }
    if (header.e_type != ET_EXEC) fail(fmt::format("ELF type {} instead of an executable", header.e_type));
    if (header.e_phentsize != sizeof(Elf64_Phdr)) fail("its program headers have an unknown size");
    return header;
  }

  /// The segments to load, by address.
  std::vector<Segment> read_segments(const Elf64_Ehdr& header) {
    std::vector<Elf64_Phdr> table(header.e_phnum);
    const u64 bytes = table.size() * sizeof(Elf64_Phdr);
    if (!in_file(header.e_phoff, bytes)) fail("the program header table is cut off");
    read_bytes(header.e_phoff, table.data(), bytes);
    std::vector<Segment> segments;
    for (unsigned i = 0; i < table.size(); ++i) {
      const Elf64_Phdr& part = table[i];
      if (part.p_type != PT_LOAD || part.p_memsz == 0) continue;
      if (part.p_filesz > part.p_memsz || !in_file(part.p_offset, part.p_filesz)) {
        fail(fmt::format("segment {} is cut off", i));
      }
      if (!inside(part.p_paddr, part.p_memsz, std::max(memory_bytes_, memory_map::boot_ram_span))) {
        refuse(fmt::format("segment {} at {:#x}, {} bytes, is outside of the boot RAM ({:#x}, {} bytes)", i,
                           part.p_paddr, part.p_memsz, memory_base_, memory_bytes_),
               "firmware that is linked to it");
      }
      segments.push_back({i, part});
    }
    check_memory(segments);
    std::sort(segments.begin(), segments.end(),
              [](const Segment& a, const Segment& b) { return a.header.p_paddr < b.header.p_paddr; });
    return segments;
  }

  void check_memory(const std::vector<Segment>& segments) const {
    u64 needed = 0;
    for (const Segment& segment : segments) {
      needed = std::max(needed, segment.header.p_paddr - memory_base_ + segment.header.p_memsz);
    }
    if (needed <= memory_bytes_) return;
    constexpr u64 unit = 4096;  // of soc.boot_ram.size_bytes
    throw BootRamError(fmt::format("{}: needs {} bytes of boot RAM, there are {} (raise soc.boot_ram.size_bytes to {})",
                                   file_.string(), needed, memory_bytes_, (needed + unit - 1) / unit * unit));
  }

  void check_overlap(const std::vector<Segment>& segments) const {
    for (std::size_t i = 1; i < segments.size(); ++i) {
      const Segment &before = segments[i - 1], &after = segments[i];
      if (after.header.p_paddr - before.header.p_paddr >= before.header.p_memsz) continue;
      fail(fmt::format("segments {} and {} overlap at {:#x}", std::min(before.index, after.index),
                       std::max(before.index, after.index), after.header.p_paddr));
    }
  }

  ElfImage::Part read_part(const Segment& segment) {
    ElfImage::Part part;
    part.address = segment.header.p_paddr;
    part.bytes.resize(segment.header.p_memsz);
    read_bytes(segment.header.p_offset, part.bytes.data(), segment.header.p_filesz);
    return part;
  }

  const std::filesystem::path& file_;
  const u64 memory_base_, memory_bytes_;
  u64 size_ = 0;
  std::ifstream stream_;
};

}  // namespace

ElfImage read_elf(const std::filesystem::path& file, u64 memory_base, u64 memory_bytes) {
  return ElfReader(file, memory_base, memory_bytes).read();
}

}  // namespace bvp
