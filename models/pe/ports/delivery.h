// SPDX-License-Identifier: Apache-2.0
// Payloads at the configuration socket of a PE, as values: kernel images, launches, the order to stop, and the rows
// that are left out.
#pragma once

#include <cstddef>
#include <tlm>

#include "models/abi/records.h"
#include "models/base/types.h"
#include "models/pe/account/pe_account.h"
#include "models/pe/context/contexts.h"

namespace bvp {

/// What a payload asks a PE to do.
struct Delivery {
  enum class Kind : u8 { refused, image, launch, stop, rows } kind = Kind::refused;
  const u8* image = nullptr;  ///< images only; in the payload's data
  std::size_t image_bytes = 0;
  LaunchRecord record{};  ///< launches only
  u32 rows_left_out = 0;  ///< rows only; a bit for each row of the array
};

/// Reads a payload, and sets its response: an error if it is refused.
[[nodiscard]] Delivery read_delivery(tlm::tlm_generic_payload& payload);

/// Fills the shadow context with the kernel of a delivered image, and counts the configuration.
/// @param name  of the module that warns if the array is not on or the image is no kernel that runs here
/// @returns whether the image was taken
[[nodiscard]] bool take_image(const char* name, const Delivery& delivery, Cycle now, Contexts& contexts,
                              PeAccount& account);

}  // namespace bvp
