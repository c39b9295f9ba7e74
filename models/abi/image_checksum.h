// SPDX-License-Identifier: Apache-2.0
// The check sum of a kernel image, which the compiler puts into its header and the sequencer checks.
#pragma once

#include <cstddef>

#include "models/abi/image_header.h"
#include "models/base/crc32.h"

namespace bvp {

/// What ImageHeader.checksum is to be: the CRC-32 that zlib computes too, of the image as it is with 0 in that field.
/// @param bytes  at least those of the header
[[nodiscard]] inline u32 image_checksum(const u8* image, std::size_t bytes) {
  constexpr std::size_t at = offsetof(ImageHeader, checksum), behind = at + sizeof(u32);
  constexpr u32 zero = 0;
  return Crc32().add(image, at).add(&zero, sizeof zero).add(image + behind, bytes - behind).value();
}

}  // namespace bvp
