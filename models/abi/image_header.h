// SPDX-License-Identifier: Apache-2.0
// The head of a kernel image: its first 64 bytes. The sequencer reads it to check and configure, the PEs
// read the rest. Each field is named once, in the list; records.h explains the method.
#pragma once

#include "models/abi/records.h"

namespace bvp {

#define BVP_IMAGE_HEADER_FIELDS(F)                                                                       \
  F(u32, magic, 1, "0x4b505642 (\"BVPK\")")                                                              \
  F(u32, version, 1, "image_version")                                                                    \
  F(u32, total_bytes, 1, "size of the image, header included; equals image_bytes of the launch command") \
  F(u32, lanes, 1, "fp16 lanes it was compiled for; must be the array's")                                \
  F(u32, pe_rows, 1, "rows of the sub-array it was compiled for, at most the array's")                   \
  F(u32, pe_columns, 1, "columns of the sub-array it was compiled for, at most the array's")             \
  F(u32, common_bytes, 1, "bytes of configuration broadcast to all PEs")                                 \
  F(u32, per_pe_bytes, 1, "bytes of configuration sent to each PE on its own")                           \
  F(u32, offset_code, 1, "byte offset of the instructions, from the image's first byte")                 \
  F(u32, code_count, 1, "instructions")                                                                  \
  F(u32, offset_segments, 1, "byte offset of the segment table")                                         \
  F(u32, segment_count, 1, "segments")                                                                   \
  F(u32, offset_edges, 1, "byte offset of the edge table, which goes on to the PEs' registers")          \
  F(u32, checksum, 1, "CRC-32 of the image as it is with 0 here (IEEE 802.3: polynomial 0x04c11db7)")    \
  F(u32, offset_pe_registers, 1, "byte offset of the PEs' own register values, 0: none")                 \
  F(u32, resident_words, 1, "64-bit words of weights that a launch with resident weights need not load; for reports")

struct ImageHeader {
  BVP_IMAGE_HEADER_FIELDS(BVP_DECLARE_FIELD)
};
static_assert(sizeof(ImageHeader) == 64);

#define BVP_IMAGE_CONSTANTS(X)                    \
  X(image_magic, 0x4b505642, "ImageHeader.magic") \
  X(image_version, 2, "ImageHeader.version")

BVP_IMAGE_CONSTANTS(BVP_DECLARE_CONSTANT)

}  // namespace bvp
