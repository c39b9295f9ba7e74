// SPDX-License-Identifier: Apache-2.0
// The records that lie in memory between compiler, firmware and hardware: DMA descriptors, commands and
// the network descriptor. Each field is named once, in the lists below; the C++ structs, the firmware's
// C header and the tables in docs/ are made from these lists. Everything is little endian; fields are
// naturally aligned and the records contain no implicit padding.
#pragma once

#include <array>
#include <cstddef>

#include "models/base/types.h"

namespace bvp {

// F(type, name, elements, description); elements 1 = a scalar field.

#define BVP_DMA_DESCRIPTOR_FIELDS(F)                                                                      \
  F(u64, source, 1, "byte address read (ignored by a fill)")                                              \
  F(u64, destination, 1, "byte address written")                                                          \
  F(u32, length, 1, "contiguous bytes of the innermost run, at least 1")                                  \
  F(u32, fill, 1, "0: copy; otherwise bit 31 set and bits 15..0 are the 16-bit word to write everywhere") \
  F(u32, count, 3, "repetitions of the inner run, innermost dimension first; each at least 1")            \
  F(i32, source_stride, 3, "bytes added to source per repetition of each dimension")                      \
  F(i32, destination_stride, 3, "bytes added to destination per repetition of each dimension")            \
  F(u32, reserved, 1, "must be 0")

#define BVP_COMMAND_FIELDS(F)                                                                                \
  F(u8, opcode, 1, "a CommandOpcode")                                                                        \
  F(u8, unit, 1, "DMA: the channel; otherwise 0")                                                            \
  F(u8, flags, 1,                                                                                            \
    "bit 0: raise the completion interrupt; bit 1 (launch): keep the resident weights; "                     \
    "bit 2: `check` is valid; bit 3 (DMA): the source is indexed")                                           \
  F(u8, signal, 1, "semaphore incremented on completion, 255: none")                                         \
  F(u8, wait, 2, "semaphores that must be above 0 before the start and are decremented then, 255: none")     \
  F(u16, reserved, 1, "must be 0")                                                                           \
  F(u32, tag, 1, "the software's name for this command, shown in COMPLETED_TAG, errors and statistics")      \
  F(u32, reserved2, 1, "must be 0")                                                                          \
  F(u64, image, 1, "launch: byte address of the kernel image; indexed DMA: of the u32 indices")              \
  F(u32, image_bytes, 1, "launch: its size; indexed DMA: the bound that each index is below")                \
  F(u32, reserved3, 1, "must be 0")                                                                          \
  F(u32, counts, 4, "launch: iterations of the instance levels 0 (outermost) to 3, each at least 1")         \
  F(u32, registers, 16, "launch: the launch registers, mostly scratchpad byte offsets; DMA: the descriptor") \
  F(u32, check, 1, "with flag bit 2, the XOR of all other words of the command; otherwise 0")                \
  F(u32, reserved4, 3, "must be 0")

#define BVP_STEP_FIELDS(F)                                                                      \
  F(Command, command, 1, "the command as it is issued for tile (0, 0, 0) in half 0")            \
  F(i64, source_stride, 3,                                                                      \
    "bytes added per tile index, innermost level first: DMA: to source; "                       \
    "launch: to the registers that move with the tile")                                         \
  F(i64, destination_stride, 3, "DMA: likewise for destination; a choosing gather: for source") \
  F(u32, half_mask, 1,                                                                          \
    "what moves with the scratchpad half: DMA: bit 0 source, bit 1 destination; "               \
    "launch: bit i = register i; bit 16 + i: register i instead moves with the tile, "          \
    "by source_stride")                                                                         \
  F(u32, tail_index, 1, "which count is replaced at the last innermost tile, 255: none")        \
  F(u32, tail_count, 1, "the count there; 0: the step is left out of that tile")                \
  F(u32, flags, 1,                                                                              \
    "bit 0 (launch): its weights come with the tile, so none stay resident; "                   \
    "bit 1 (input): a gather; bit 2: the firmware chooses its indices")

#define BVP_TASK_FIELDS(F)                                                                    \
  F(u32, layer, 1, "index of the encoder layer, 0xffffffff: outside of the layers")           \
  F(u32, flags, 1,                                                                            \
    "bit 0: inputs are outputs of earlier tasks, so wait for their stores; "                  \
    "bit 1: weights too")                                                                     \
  F(u32, tiles, 3, "tiles of the task, innermost level first")                                \
  F(u32, first_step, 1, "index of its first step")                                            \
  F(u32, weight_steps, 1, "DMA steps done once per task, into the weight area of its parity") \
  F(u32, input_steps, 1, "DMA steps per tile, into the tile's half")                          \
  F(u32, compute_steps, 1, "launch steps per tile")                                           \
  F(u32, output_steps, 1, "DMA steps per tile, out of the tile's half")                       \
  F(u32, reserved, 2, "must be 0")                                                            \
  F(u8, name, 48, "what to print, NUL-terminated")

#define BVP_NETWORK_FIELDS(F)                                                           \
  F(u32, magic, 1, "0x4e505642 (\"BVPN\")")                                             \
  F(u32, version, 1, "NetworkVersion")                                                  \
  F(u32, task_count, 1, "entries of the task table")                                    \
  F(u32, step_count, 1, "entries of the step table")                                    \
  F(u32, layer_count, 1, "encoder layers")                                              \
  F(u32, half_bytes, 1, "distance of the two scratchpad halves")                        \
  F(u64, tasks, 1, "byte address of the task table")                                    \
  F(u64, steps, 1, "byte address of the step table")                                    \
  F(u64, ring, 1, "byte address of memory for the command ring")                        \
  F(u32, ring_entries, 1, "its size in commands")                                       \
  F(u32, flags, 1, "bit 0: a tile is stored before the next one is loaded")             \
  F(u32, output_channel, 1, "DMA channel of output steps; the others are on channel 0") \
  F(u32, options, 1, "bytes from here to the run's options, 0: there are none")

#define BVP_OPTIONS_FIELDS(F)                                                                                 \
  F(u32, launch_limit, 1, "cycles that a launch may take, 0: any number")                                     \
  F(u32, dma_limit, 1, "cycles that a DMA transfer may take, 0: any number")                                  \
  F(u32, wait_limit_us, 1, "microseconds that the CPU waits for a command, 0: for ever")                      \
  F(u32, retries, 1, "how often a network that has failed is run again")                                      \
  F(u32, window_count, 1, "windows, which lie behind this record; 0: no protection")                          \
  F(u32, command_checks, 1, "1: the firmware puts check words into its commands")                             \
  F(u32, rows, 1, "rows of PEs that the kernels need; 0: the firmware leaves out no row")                     \
  F(u32, array_rows, 1, "rows of the array")                                                                  \
  F(u32, spare, 1, "bytes from the network's header to that of the network for fewer rows, 0: there is none") \
  F(u32, first_tag, 1, "what is added to the numbers of the tasks in the tags of their commands")

#define BVP_WINDOW_FIELDS(F)                                           \
  F(u64, base, 1, "first byte address that the accelerator may reach") \
  F(u64, size, 1, "bytes")                                             \
  F(u32, config, 1, "CONFIG of the window in the protection unit")     \
  F(u32, reserved, 1, "must be 0")

#define BVP_DECLARE_FIELD(type, name, elements, description) BvpField<type, elements> name;

template <class T, std::size_t N>
struct BvpFieldType {
  using type = std::array<T, N>;
};
template <class T>
struct BvpFieldType<T, 1> {
  using type = T;
};
template <class T, std::size_t N>
using BvpField = typename BvpFieldType<T, N>::type;

struct DmaDescriptor {
  BVP_DMA_DESCRIPTOR_FIELDS(BVP_DECLARE_FIELD)
};
struct Command {
  BVP_COMMAND_FIELDS(BVP_DECLARE_FIELD)
};
struct Step {
  BVP_STEP_FIELDS(BVP_DECLARE_FIELD)
};
struct Task {
  BVP_TASK_FIELDS(BVP_DECLARE_FIELD)
};
struct NetworkHeader {
  BVP_NETWORK_FIELDS(BVP_DECLARE_FIELD)
};
struct RunOptions {
  BVP_OPTIONS_FIELDS(BVP_DECLARE_FIELD)
};
struct MemoryWindow {
  BVP_WINDOW_FIELDS(BVP_DECLARE_FIELD)
};

static_assert(sizeof(DmaDescriptor) == 64);
static_assert(sizeof(Command) == 128);
static_assert(sizeof(Step) == 192);
static_assert(sizeof(Task) == 96);
static_assert(sizeof(NetworkHeader) == 64);
static_assert(sizeof(RunOptions) == 40);
static_assert(sizeof(MemoryWindow) == 24);
static_assert(offsetof(Command, registers) == 48);

#define BVP_COMMAND_OPCODES(X)                                              \
  X(sync, 1, "wait, then signal and interrupt; blocks the commands behind") \
  X(dma, 2, "a DMA transfer on the channel `unit`")                         \
  X(launch, 3, "a kernel on the PE array")

#define BVP_DECLARE_OPCODE(name, value, description) name = value,
enum class CommandOpcode : u8 { BVP_COMMAND_OPCODES(BVP_DECLARE_OPCODE) };

// The runtime makes the tag of a command from the task's index modulo 2^16 (upper 16 bits) and the step within the task
// (lower 16 bits). Tasks follow each other, so a reader who sees the commands in their order can recover the whole task
// index. The tasks of a network for fewer rows are numbered behind those of the network that it stands in for.

// Flags and numbers of the records, X(name, value, description).
#define BVP_RECORD_CONSTANTS(X)                                                                              \
  X(command_flag_interrupt, 1, "Command.flags: raise the completion interrupt")                              \
  X(command_flag_resident, 2, "Command.flags: the weights loaded by the last launch of the same image stay") \
  X(command_flag_checked, 4, "Command.flags: the XOR of the command's 32 words is 0")                        \
  X(command_flag_indexed, 8,                                                                                 \
    "Command.flags (DMA): repetition i of the outermost dimension reads at source_stride[2] * index[i], "    \
    "not at source_stride[2] * i; `image` and `image_bytes` say where the indices are, and their bound")     \
  X(semaphore_none, 255, "Command.wait, Command.signal: no semaphore")                                       \
  X(semaphore_count, 32, "semaphores of the sequencer")                                                      \
  X(unit_index_sync, 0, "UNIT_COMPLETED: the element of sync commands")                                      \
  X(unit_index_array, 1, "UNIT_COMPLETED: the element of launches")                                          \
  X(unit_index_dma, 2, "UNIT_COMPLETED: the element of DMA channel 0; channel c has the one c behind it")    \
  X(unit_index_count, 18, "elements of UNIT_COMPLETED: sync commands, launches, 16 DMA channels")            \
  X(task_flag_depends, 1, "Task.flags: inputs are outputs of earlier tasks")                                 \
  X(task_flag_weights_depend, 2, "Task.flags: what the weight steps read are outputs of earlier tasks")      \
  X(step_flag_own_weights, 1, "Step.flags: the weights of a launch come with the tile")                      \
  X(step_flag_gather, 2,                                                                                     \
    "Step.flags (input, its command indexed): `image`, where the indices lie, moves by the step's "          \
    "source_stride, and the source does not")                                                                \
  X(step_flag_choose, 4,                                                                                     \
    "Step.flags (gather): the indices are those of the count[2] highest of counts[0] fp16 scores at "        \
    "`image`, in ascending order; of equal scores the lower index counts as the higher. counts[0] = 0: "     \
    "those that the gather before has chosen. `source` moves by the step's destination_stride")              \
  X(choice_limit, 256, "step_flag_choose: count[2] is at most that")                                         \
  X(choice_lists, 16, "lists of chosen indices that the runtime holds, one for each choice that is in use")  \
  X(network_flag_no_ping_pong, 1, "NetworkHeader.flags: a tile is stored before the next one is loaded")     \
  X(tail_none, 255, "Step.tail_index: every tile is alike")                                                  \
  X(layer_none, 0xffffffff, "Task.layer: outside of the encoder layers")                                     \
  X(dma_fill_flag, 0x80000000, "DmaDescriptor.fill: write bits 15..0 instead of copying")                    \
  X(network_magic, 0x4e505642, "NetworkHeader.magic")                                                        \
  X(network_version, 1, "NetworkHeader.version")                                                             \
  X(network_step_stand_in, 0xfffe, "bits 15..0 of the tag of a command that belongs to no step of its task") \
  X(network_tag_end, 0xffffffff, "the tag of the network's last command")

#define BVP_DECLARE_CONSTANT(name, value, description) inline constexpr u32 name = value;
BVP_RECORD_CONSTANTS(BVP_DECLARE_CONSTANT)

}  // namespace bvp
