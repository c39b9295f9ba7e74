// SPDX-License-Identifier: Apache-2.0
// The PE array with scratchpad and mesh, without sequencer and host: tests configure and launch kernels directly.
#pragma once

#include <tlm_utils/multi_passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <systemc>
#include <vector>

#include "models/base/row_map.h"
#include "models/base/simulation_context.h"
#include "models/mesh/mesh.h"
#include "models/pe/pe.h"
#include "models/scratchpad/scratchpad.h"
#include "platform/compiler/target.h"
#include "platform/program/layout.h"
#include "test/support/config_write.h"

namespace bvp::test {

struct ArrayConfig : ParameterGroup {
  ArrayConfig() : ParameterGroup("test") {}
  ArrayParameters array{this};
  PeParameters pe{this};
  ScratchpadParameters scratchpad{this};
  MeshParameters mesh{this};
  bool twiddle_ratios = true;
  u32 rows_left_out = 0;  // a bit for each row of the array

  [[nodiscard]] RowMap rows() const {
    RowMap rows(static_cast<u32>(array.rows));
    REQUIRE(rows.leave_out(rows_left_out));
    return rows;
  }
  [[nodiscard]] CompilerTarget target() const {
    CompilerTarget target;
    target.rows = rows().count();
    target.columns = static_cast<u32>(array.columns);
    target.lanes = static_cast<u32>(array.lanes);
    target.operand_vectors = static_cast<u32>(pe.operand_vectors);
    target.operand_banks = static_cast<u32>(pe.operand_banks);
    target.operand_ports = static_cast<u32>(pe.operand_ports);
    target.operand_bank_hash = pe.operand_bank_hash;
    target.accumulators = static_cast<u32>(pe.accumulators);
    target.instruction_store = static_cast<u32>(pe.instruction_store);
    target.contexts = static_cast<u32>(pe.contexts);
    target.column_access = scratchpad.column_access;
    target.scratchpad_bytes = static_cast<u64>(scratchpad.size_bytes);
    target.dram_bytes = u64{1} << 31;
    target.twiddle_ratios = twiddle_ratios;
    return target;
  }
};

class ArrayBench : public sc_core::sc_module {
 public:
  ArrayBench(sc_core::sc_module_name name, const ArrayConfig& config)
      : sc_module(name),
        stats_("bench"),
        clock_(config.array.clock_hz),
        columns_(static_cast<u32>(config.array.columns)),
        rows_(config.rows()),
        agenda_("agenda", clock_),
        scratchpad("scratchpad", config.array, config.scratchpad, clock_, agenda_, stats_),
        mesh("mesh", config.array, config.mesh, clock_, stats_),
        to_pe("to_pe", static_cast<std::size_t>(config.array.rows * config.array.columns)),
        linear("linear"),
        completions("completions") {
    for (u32 i = 0; i < to_pe.size(); ++i) {
      pes.push_back(std::make_unique<Pe>(("pe" + std::to_string(i)).c_str(), i, config.array, config.pe, clock_,
                                         agenda_, stats_));
      Pe& pe = *pes.back();
      to_pe[i].bind(pe.config);
      pe.to_scratchpad.bind(scratchpad.vector[i]);
      pe.to_mesh.bind(mesh.from_pe[i]);
      mesh.to_pe[i].bind(pe.from_mesh);
      pe.to_sequencer.bind(completions);
    }
    linear.bind(scratchpad.linear);
    completions.register_b_transport(this, &ArrayBench::completed);
  }

  void write(u64 offset, const std::vector<u16>& words) {
    debug(tlm::TLM_WRITE_COMMAND, offset, const_cast<u16*>(words.data()), words.size() * 2);
  }
  std::vector<u16> read(u64 offset, std::size_t words) {
    std::vector<u16> result(words);
    debug(tlm::TLM_READ_COMMAND, offset, result.data(), words * 2);
    return result;
  }
  /// A row-major matrix into or out of the panel layout.
  void write_matrix(u64 offset, const PanelLayout& layout, u64 columns, const std::vector<u16>& words) {
    for (u64 row = 0; row * columns < words.size(); ++row) {
      for (u64 first = 0; first < columns; first += layout.lanes) {
        const u64 count = std::min<u64>(layout.lanes, columns - first);
        write(offset + first / layout.lanes * layout.panel_bytes() + row * layout.row_bytes(),
              {words.begin() + static_cast<std::ptrdiff_t>(row * columns + first),
               words.begin() + static_cast<std::ptrdiff_t>(row * columns + first + count)});
      }
    }
  }
  std::vector<u16> read_matrix(u64 offset, const PanelLayout& layout, u64 rows, u64 columns) {
    std::vector<u16> words;
    for (u64 row = 0; row < rows; ++row) {
      for (u64 first = 0; first < columns; first += layout.lanes) {
        const u64 count = std::min<u64>(layout.lanes, columns - first);
        const auto part = read(offset + first / layout.lanes * layout.panel_bytes() + row * layout.row_bytes(), count);
        words.insert(words.end(), part.begin(), part.end());
      }
    }
    return words;
  }

  bool configure(const std::vector<u8>& image) {
    const Kernel kernel = Kernel::decode(image.data(), image.size());
    members_.clear();
    for (u32 y = 0; y < kernel.pe_rows; ++y) {
      for (u32 x = 0; x < kernel.pe_columns; ++x) members_.push_back(rows_.in_array(y) * columns_ + x);
    }
    bool ok = true;
    const u32 left_out = rows_.left_out();
    for (u32 pe = 0; pe < pes.size() && left_out != 0; ++pe) {
      ok = write_config(to_pe[pe], rows_address, &left_out, sizeof left_out) && ok;
    }
    for (const u32 pe : members_) ok = write_config(to_pe[pe], configure_address, image.data(), image.size()) && ok;
    return ok;
  }
  void launch(const std::array<u32, 4>& counts, const std::vector<std::pair<unsigned, u32>>& registers, u32 flags = 0) {
    LaunchRecord record{};
    record.launch_number = ++launches;
    record.flags = flags;
    record.counts = counts;
    for (const auto& [number, value] : registers) record.registers[number] = value;
    for (const u32 pe : members_) write_config(to_pe[pe], launch_address, &record, sizeof(record));
  }
  /// Runs until all PEs have reported all launches; returns the cycles it took, 0 if they never did.
  Cycle run(Cycle limit = 10000000) {
    const Cycle begin = clock_.now();
    sc_core::sc_start(clock_.to_time(limit));
    return reported == launches * members_.size() ? last_completion - begin : 0;
  }
  [[nodiscard]] u64 counter(const char* unit, const char* name) const {
    u64 sum = 0;
    for (const auto& pe : pes) {
      for (const StatGroup* group : pe->statistics().children()) {
        if (group->name() != unit) continue;
        for (const Counter* counter : group->counters()) sum += counter->name() == name ? counter->value() : 0;
      }
    }
    return sum;
  }

 private:
  StatGroup stats_;
  ClockDomain clock_;
  u32 columns_;
  RowMap rows_;
  CycleAgenda agenda_;

 public:
  Scratchpad scratchpad;
  Mesh mesh;
  std::vector<std::unique_ptr<Pe>> pes;
  sc_core::sc_vector<tlm_utils::simple_initiator_socket<ArrayBench>> to_pe;
  tlm_utils::simple_initiator_socket<ArrayBench> linear;
  tlm_utils::multi_passthrough_target_socket<ArrayBench> completions;
  u32 launches = 0, failures = 0;
  std::size_t reported = 0;
  Cycle last_completion = 0;

 private:
  void completed(int, tlm::tlm_generic_payload& payload, sc_core::sc_time&) {
    LaunchCompletion completion;
    std::memcpy(&completion, payload.get_data_ptr(), sizeof(completion));
    failures += completion.status;
    ++reported;
    last_completion = clock_.now();
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
  void debug(tlm::tlm_command command, u64 offset, u16* words, std::size_t size) {
    tlm::tlm_generic_payload payload;
    payload.set_command(command);
    payload.set_address(offset);
    payload.set_data_ptr(reinterpret_cast<unsigned char*>(words));
    payload.set_data_length(static_cast<unsigned>(size));
    const unsigned done = linear->transport_dbg(payload);
    REQUIRE(done == size);
  }

  std::vector<u32> members_;
};

}  // namespace bvp::test
