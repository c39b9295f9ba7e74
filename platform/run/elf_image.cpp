// SPDX-License-Identifier: Apache-2.0
#include "platform/run/elf_image.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <utility>

#include "platform/soc/memory_map.h"
#include "platform/support/input_file.h"

namespace bvp {

namespace {

class ElfReader {
 public:
  /// @param others  memories beside the boot RAM
  ElfReader(const std::filesystem::path& file, u64 memory_base, u64 memory_bytes, std::vector<MemoryRange> others = {})
      : file_(file), memory_base_(memory_base), memory_bytes_(memory_bytes), others_(std::move(others)) {
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
    if (!inside(image.entry, 2, memory_bytes_) && !inside_others(image.entry, 2))
      fail(fmt::format("its entry {:#x} is outside of {}", image.entry, memory_names()));
    image.symbols = SymbolTable(read_symbols(header));
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

  [[nodiscard]] bool inside_others(u64 address, u64 size) const {
    return std::any_of(others_.begin(), others_.end(), [&](const MemoryRange& memory) {
      return address >= memory.base && size <= memory.bytes && address - memory.base <= memory.bytes - size;
    });
  }
  [[nodiscard]] const char* memory_names() const {
    return others_.empty() ? "the boot RAM" : "the boot RAM and the DRAM";
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
      if (!inside_others(part.p_paddr, part.p_memsz) &&
          !inside(part.p_paddr, part.p_memsz, std::max(memory_bytes_, memory_map::boot_ram_span))) {
        std::string ranges = fmt::format("{:#x}, {} bytes", memory_base_, memory_bytes_);
        for (const MemoryRange& memory : others_) ranges += fmt::format("; {:#x}, {} bytes", memory.base, memory.bytes);
        refuse(fmt::format("segment {} at {:#x}, {} bytes, is outside of {} ({})", i, part.p_paddr, part.p_memsz,
                           memory_names(), ranges),
               others_.empty() ? "firmware that is linked to it" : "a program that is linked to them");
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
      if (inside_others(segment.header.p_paddr, segment.header.p_memsz)) continue;
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

  /// Symbols only name things in messages: a table that is cut off or makes no sense is left out.
  std::vector<SymbolTable::Symbol> read_symbols(const Elf64_Ehdr& header) {
    const std::vector<Elf64_Shdr> sections = read_table<Elf64_Shdr>(header.e_shoff, header.e_shnum, header.e_shentsize);
    std::vector<SymbolTable::Symbol> found;
    for (const Elf64_Shdr& section : sections) {
      if (section.sh_type != SHT_SYMTAB || section.sh_link >= sections.size()) continue;
      const Elf64_Shdr& strings = sections[section.sh_link];
      const std::vector<char> names = read_table<char>(strings.sh_offset, strings.sh_size, 1);
      for (const Elf64_Sym& symbol :
           read_table<Elf64_Sym>(section.sh_offset, section.sh_size / sizeof(Elf64_Sym), section.sh_entsize)) {
        add_symbol(symbol, names, sections, found);
      }
    }
    return found;
  }

  static void add_symbol(const Elf64_Sym& symbol, const std::vector<char>& names,
                         const std::vector<Elf64_Shdr>& sections, std::vector<SymbolTable::Symbol>& found) {
    constexpr std::size_t longest_name = 200;
    const unsigned type = ELF64_ST_TYPE(symbol.st_info);
    const bool names_something = type == STT_FUNC || type == STT_OBJECT || type == STT_NOTYPE;
    if (!names_something || symbol.st_shndx == SHN_UNDEF || symbol.st_name >= names.size()) return;
    const auto begin = names.begin() + symbol.st_name;
    const std::string name(begin, std::find(begin, names.end(), '\0'));
    // Names with a '$' mark the kind of code for disassemblers.
    if (name.empty() || name[0] == '$' || name.size() > longest_name) return;
    SymbolTable::Symbol entry{symbol.st_value, symbol.st_size, 0, name};
    if (symbol.st_shndx < sections.size() && (sections[symbol.st_shndx].sh_flags & SHF_EXECINSTR) != 0) {
      entry.code_end = sections[symbol.st_shndx].sh_addr + sections[symbol.st_shndx].sh_size;
    }
    found.push_back(std::move(entry));
  }

  /// Nothing if the table is not in the file.
  template <class Entry>
  std::vector<Entry> read_table(u64 offset, u64 count, u64 entry_bytes) {
    if (entry_bytes != sizeof(Entry) || count > size_ / sizeof(Entry) || !in_file(offset, count * sizeof(Entry))) {
      return {};
    }
    std::vector<Entry> table(count);
    read_bytes(offset, table.data(), count * sizeof(Entry));
    return table;
  }

  const std::filesystem::path& file_;
  const u64 memory_base_, memory_bytes_;
  const std::vector<MemoryRange> others_;
  u64 size_ = 0;
  std::ifstream stream_;
};

}  // namespace

ElfImage read_elf(const std::filesystem::path& file, u64 memory_base, u64 memory_bytes) {
  return ElfReader(file, memory_base, memory_bytes).read();
}

ElfImage read_bare_elf(const std::filesystem::path& file, const std::vector<MemoryRange>& memories) {
  const MemoryRange& boot_ram = memories.front();
  return ElfReader(file, boot_ram.base, boot_ram.bytes, {memories.begin() + 1, memories.end()}).read();
}

}  // namespace bvp
