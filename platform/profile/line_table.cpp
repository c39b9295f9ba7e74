// SPDX-License-Identifier: Apache-2.0
#include "platform/profile/line_table.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <map>
#include <optional>
#include <utility>

#include "platform/support/input_error.h"

namespace bvp {
namespace {

class LineTableReader {
 public:
  explicit LineTableReader(const std::filesystem::path& file)
      : descriptor_(open(file.c_str(), O_RDONLY | O_CLOEXEC)), dwarf_(dwarf_begin(descriptor_, DWARF_C_READ)) {}
  ~LineTableReader() {
    if (dwarf_ != nullptr) dwarf_end(dwarf_);
    if (descriptor_ >= 0) close(descriptor_);
  }
  LineTableReader(const LineTableReader&) = delete;
  LineTableReader& operator=(const LineTableReader&) = delete;

  LineTable read() {
    Dwarf_Off offset = 0, next = 0;
    std::size_t header_bytes = 0;
    while (dwarf_ != nullptr && dwarf_nextcu(dwarf_, offset, &next, &header_bytes, nullptr, nullptr, nullptr) == 0) {
      Dwarf_Die unit;
      if (dwarf_offdie(dwarf_, offset + header_bytes, &unit) != nullptr) add_unit(unit);
      offset = next;
    }
    return std::move(table_);
  }

 private:
  void add_unit(Dwarf_Die& unit) {
    Dwarf_Attribute attribute;
    const char* directory = dwarf_formstring(dwarf_attr(&unit, DW_AT_comp_dir, &attribute));
    directory_ = directory == nullptr ? "" : directory;
    Dwarf_Lines* lines = nullptr;
    std::size_t count = 0;
    if (dwarf_getsrclines(&unit, &lines, &count) != 0) return;
    for (std::size_t i = 0; i < count; ++i) add_line(dwarf_onesrcline(lines, i));
    dwarf_getfuncs(&unit, &LineTableReader::on_function, this, 0);
  }

  void add_line(Dwarf_Line* line) {
    bool begins = false, ends = false;
    Dwarf_Addr address = 0;
    int number = 0;
    const char* source = dwarf_linesrc(line, nullptr, nullptr);
    const bool known = dwarf_linebeginstatement(line, &begins) == 0 && dwarf_lineendsequence(line, &ends) == 0 &&
                       dwarf_lineaddr(line, &address) == 0 && dwarf_lineno(line, &number) == 0;
    // Code that the linker has left out keeps its lines, at the address 0.
    if (!known || !begins || ends || source == nullptr || number <= 0 || address == 0) return;
    if (const auto file = file_number(source)) table_.rows.push_back({address, *file, static_cast<u32>(number)});
  }

  static int on_function(Dwarf_Die* function, void* self) {
    Dwarf_Addr entry = 0;
    int line = 0;
    const char* name = dwarf_diename(function);
    const char* source = dwarf_decl_file(function);
    const bool known = dwarf_entrypc(function, &entry) == 0 && entry != 0 && dwarf_decl_line(function, &line) == 0;
    if (known && name != nullptr && source != nullptr && line > 0) {
      auto& reader = *static_cast<LineTableReader*>(self);
      const std::optional<u32> file = reader.file_number(source);
      if (file) reader.table_.functions.push_back({name, entry, *file, static_cast<u32>(line)});
    }
    return DWARF_CB_OK;
  }

  /// Nullopt: the source is not there, as those of the C library.
  std::optional<u32> file_number(const std::string& source) {
    const std::filesystem::path path(source);
    const std::string name = (path.is_absolute() ? path : std::filesystem::path(directory_) / path).lexically_normal();
    const auto [entry, is_new] = numbers_.try_emplace(name, std::nullopt);
    std::error_code ignored;
    if (is_new && std::filesystem::is_regular_file(name, ignored)) {
      entry->second = static_cast<u32>(table_.files.size());
      table_.files.push_back(name);
    }
    return entry->second;
  }

  const int descriptor_;
  Dwarf* const dwarf_;  // null: there is none
  std::string directory_;
  std::map<std::string, std::optional<u32>> numbers_;
  LineTable table_;
};

}  // namespace

LineTable read_line_table(const std::filesystem::path& file) {
  LineTable table = LineTableReader(file).read();
  if (!table.rows.empty()) return table;
  throw InputError(
      fmt::format("{}: has no table of lines of sources that are there; expected a program that was compiled with -g "
                  "and not stripped",
                  file.string()));
}

}  // namespace bvp
