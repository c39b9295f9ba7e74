// SPDX-License-Identifier: Apache-2.0
// The properties of the machine that the compiler uses.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/base/machine_shape.h"
#include "models/base/types.h"
#include "models/isa/timing.h"
#include "platform/program/compiled_network.h"

namespace bvp {

/// Instructions of the default firmware, as `scripts/cost_model --firmware` measures them.
namespace firmware_instructions {
inline constexpr double command = 350;  // to make a command and show it to the sequencer
inline constexpr double start = 1700;   // from the reset to the first command
inline constexpr double end = 3100;     // from the end of the network to the end of the run
}  // namespace firmware_instructions

/// The form of two-dimensional transforms: the one whose plan costs less; the real one where it can be used; the
/// complex one.
enum class FftChoice { cheaper, real, complex };

/// How long it takes to move data, in cycles of the accelerator's clock.
struct TransferTiming {
  double dram_bytes_per_cycle = 51.2;             // at best
  u32 dram_access_bytes = 64;                     // the least that the DRAM moves
  double read_latency = 120, write_latency = 80;  // of a DMA burst from and to DRAM, idle
  u32 channel_bytes_per_cycle = 64;               // of a DMA channel
  u32 burst_bytes = 256, outstanding = 32, setup_cycles = 64;
  u32 index_entries = 256;  // the most indices of a transfer
};

/// How long it takes to start a kernel, in the same cycles.
struct LaunchTiming {
  u32 cycles = 54;                     // of the sequencer, from the decision to start to the PEs' start
  double image_bytes_per_cycle = 8.5;  // at which a kernel image is read
  u32 config_bytes_per_cycle = 8;      // at which it goes into the PEs
};

/// What the firmware takes, in the same cycles.
struct FirmwareTiming {
  double command_cycles = firmware_instructions::command, start_cycles = firmware_instructions::start,
         end_cycles = firmware_instructions::end;
};

/// Orders of operation that are given, so that the results have the same bits as those of another target.
struct FixedOrders {
  u64 key_block = 0;              // keys that attention takes at a time
  std::vector<u64> query_blocks;  // of each layer the queries that sparse attention takes at a time
  ExactPoints exact;
};

struct CompilerTarget : MachineShape {
  u32 contexts = 8;  // instances in flight per PE, at most
  CalTiming cal;
  u32 stage_points = 0;  // points of a closed set; 0: as many as fit, up to default_stage_points
  u32 tile_rows = 0;     // as many as fit at most; 0: the cost model chooses
  bool data = true;      // false: kernels and commands are real, weights are left out
  // Techniques, each of which can be left out (CompilerParameters).
  bool fusion = true, layer_overlap = true, streaming = true, ping_pong = true, weight_residency = true,
       exchange_by_half = true;
  bool residency = true;       // intermediate matrices may stay in the scratchpad between tasks
  bool pruning = true;         // outputs of butterflies and columns of residuals that nobody reads are left out
  bool normalised = true;      // butterflies may be computed in normal form
  bool twiddle_ratios = true;  // the FFT's factors are taken apart (fft_factor); only if there is a swapping_fma
  bool column_access = true;   // of the scratchpad; otherwise what reads columns needs tiles that have been transposed
  FftChoice fft = FftChoice::cheaper;
  std::optional<FixedOrders> fixed;        // not set: the cost model chooses the orders of operation
  u64 scratchpad_base = 0, dram_base = 0;  // bus addresses
  u64 token_bytes = 0;                     // at the end of the scratchpad, where tokens stay between layers
  TransferTiming transfers;
  LaunchTiming launches;
  FirmwareTiming firmware;

  static constexpr u32 default_stage_points = 512;

  /// Instances of a kernel that have operands on a PE at a time.
  [[nodiscard]] u32 in_flight(u32 wanted) const { return streaming ? wanted : 1; }
  /// Bytes of a scratchpad half: whole tiles, so that columns of both halves can be accessed. If a half is smaller than
  /// a tile, nothing is accessed by column. Both halves lie before the bytes that are kept for tokens.
  [[nodiscard]] u64 half_bytes() const {
    const u64 half = (scratchpad_bytes - token_bytes) / 2;
    return half < tile_bytes() ? half : half / tile_bytes() * tile_bytes();
  }
  /// The largest power-of-two sub-array: butterflies need one.
  [[nodiscard]] u32 usable_rows() const { return floor_power_of_two(rows); }
  [[nodiscard]] u32 usable_columns() const { return floor_power_of_two(columns); }
  [[nodiscard]] u32 usable_pes() const { return usable_rows() * usable_columns(); }

  static u32 floor_power_of_two(u32 n) {
    u32 power = 1;
    while (power * 2 <= n) power *= 2;
    return power;
  }
};

/// The network does not fit the machine, or needs something that is not implemented; `what()` names the cause and a way
/// out.
struct CompileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A task needs more than a scratchpad half; it may fit if the weights beside it are limited.
struct ScratchpadError : CompileError {
  using CompileError::CompileError;
};

/// The hardware cannot express a loop nest; another division of the work may be possible.
struct MappingError : CompileError {
  using CompileError::CompileError;
};

/// Puts the operator's name before the reason why it cannot be compiled.
template <class Make>
auto named(const std::string& name, const Make& make) {
  try {
    return make();
  } catch (const CompileError& error) {
    throw CompileError(name + ": " + error.what());
  }
}

}  // namespace bvp
