// SPDX-License-Identifier: Apache-2.0
// The result of the compiler: memory contents, and what a report needs to name things.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "models/base/types.h"
#include "platform/program/command_tags.h"
#include "platform/program/kernel_result.h"

namespace bvp {

struct MemoryBlob {
  u64 address = 0;  // on the bus
  std::vector<u8> bytes;
};

/// A row-major [rows][columns] fp16 matrix in DRAM whose rows lie `pitch` bytes apart.
struct MatrixPlace {
  u64 address = 0;
  u64 rows = 0, columns = 0, pitch = 0;
};

/// Token ids in DRAM, u32, one after the other.
struct TokenPlace {
  u64 address = 0;
  u64 count = 0;  // 0: the network has no embedding
};

struct KernelInfo {
  std::string name;
  TaskStep step;  // the step that launches it
  u32 layer = 0;  // layer_none if the kernel belongs to no layer
  u32 instructions = 0, segments = 0, image_bytes = 0;
  u64 predicted_cycles = 0;  // of a launch for a full tile, by the planner's cost model
  std::string mapping;       // one line for people
  // A launch register that changes with the scratchpad half, and its value in a launch for half 0.
  u32 half_register = 0, half_register_value = 0;
  std::vector<KernelResult> results;
};

struct TaskInfo {
  std::string name;
  u32 layer = 0;
  u64 tiles = 0;
  std::array<u32, 3> tile_counts{1, 1, 1};  // innermost level first
  u32 tile_rows = 0;
  u64 scratchpad_bytes = 0;  // of a half, without weights
  u64 weight_bytes = 0;
  u64 dram_read_bytes = 0, dram_write_bytes = 0;  // planned; read: weights and kernel images included
  u64 predicted_cycles = 0;                       // by the planner's cost model
};

/// The form of a network's two-dimensional transforms (docs/numerics.md); none: it has none.
enum class FftForm { none, complex, real };

/// Of transforms of exact lengths that are no powers of two, the points of the power-of-two transforms in them; 0: the
/// length is a power of two, or there is no such transform.
struct ExactPoints {
  u64 tokens = 0, hidden = 0;
};

/// Forms of operators with less work than the published ones, in which the network is computed.
struct Reductions {
  bool normalised = false;             // butterflies are in normal form
  std::string not_normalised_because;  // empty where they are, or where nobody has asked for that
  bool pruned = false;                 // butterflies may leave out blocks without inputs or outputs
  bool twiddle_ratios = false;         // the FFT's factors are taken apart into a ratio and the larger part
};

struct CompiledNetwork {
  std::vector<MemoryBlob> blobs;
  u64 descriptor = 0;  // bus address of the NetworkHeader
  u64 end = 0;         // first free DRAM address
  TokenPlace tokens;
  MatrixPlace patches;  // rows 0: the network's input is no patches
  MatrixPlace mask;     // of each batch element a row of what is added to its scores; rows 0: there is none
  MatrixPlace input;    // where there are tokens or patches, what the embedding makes of them
  std::vector<MatrixPlace> layer_outputs;
  MatrixPlace output;
  MatrixPlace logits;  // rows 0: there is no classifier head
  // Orders of operation (docs/numerics.md).
  u64 key_block = 0;              // keys that attention takes at a time, 0: there is no attention
  std::vector<u64> query_blocks;  // of each layer the queries that sparse attention takes at a time; 0: it has none
  u64 sum_ways = 1;               // interleaved parts of the sums of layer norm and softmax
  Reductions reductions;
  FftForm fft = FftForm::none;
  std::string not_real_because;  // why the transforms do not have the real form; empty where they do, or there are none
  u64 resident_token_bytes = 0;  // of the scratchpad, in which tokens stay between layers; 0: they go through DRAM
  ExactPoints exact;
  std::vector<TaskInfo> tasks;
  std::vector<KernelInfo> kernels;
  u64 predicted_firmware_cycles = 0;  // before the first task and behind the last one, by the planner's cost model
  u64 kernel_image_bytes = 0;         // each image once
  u64 largest_image_bytes = 0;
};

}  // namespace bvp
