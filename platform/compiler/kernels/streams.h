// SPDX-License-Identifier: Apache-2.0
// Streams and loops that all kernels over rows use.
#pragma once

#include "models/transport/vector_access.h"
#include "platform/compiler/kernels/kernel_builder.h"
#include "platform/program/layout.h"

namespace bvp {

/// The first vectors of a walk.
inline Stream walk_stream(unsigned launch_register, const VectorWalk& walk) {
  Stream stream = stream_at(walk.column_access ? static_cast<i32>(VectorAccess::column_flag) : 0);
  stream.launch_register = static_cast<u8>(launch_register + 1);
  return stream;
}

/// Columns, lane groups of rows at instance level 0.
inline Stream column_stream(unsigned launch_register, const PanelLayout& layout) {
  const VectorWalk walk = layout.by_column();
  Stream stream = walk_stream(launch_register, walk);
  stream.instance_stride[0] = walk.group;
  return stream;
}

/// Row-wise accesses at a launch register.
inline Stream row_stream(unsigned launch_register, i32 offset = 0) {
  Stream stream = stream_at(offset);
  stream.launch_register = static_cast<u8>(launch_register + 1);
  return stream;
}

/// Rows of a matrix, `rows` at a time: lane groups at instance level 0, panels at level 1, the rows of a tile at
/// level 2.
inline Stream row_chunk_stream(unsigned launch_register, const PanelLayout& layout, u32 rows) {
  Stream stream = row_stream(launch_register);
  stream.instance_stride = {static_cast<i32>(layout.group_bytes()), static_cast<i32>(layout.panel_bytes()),
                            static_cast<i32>(layout.row_bytes() * rows), 0};
  return stream;
}

/// `depth` buffers of `span` vectors, which the iterations of a scope use in turn.
inline Stream rotating(u32 base, unsigned scope, u32 depth, u32 span) {
  Stream stream = stream_at(static_cast<i32>(base));
  if (depth > 1) {
    stream.rotation_scope = static_cast<u8>(scope);
    stream.rotation_depth = static_cast<u8>(depth);
    stream.rotation_stride = static_cast<i32>(span);
  }
  return stream;
}

inline Loop trips(u32 count, std::array<i32, streams_per_segment> stride) { return {count, stride}; }

inline u32 vectors_of(std::size_t words, u32 lanes) { return static_cast<u32>((words + lanes - 1) / lanes); }

inline void pad_to_vector(std::vector<u16>& words, u32 lanes) {
  words.resize(std::size_t{vectors_of(words.size(), lanes)} * lanes);
}

}  // namespace bvp
