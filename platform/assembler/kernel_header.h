// SPDX-License-Identifier: Apache-2.0
// A kernel's image as a C header, for firmware that launches it.
#pragma once

#include <string>
#include <vector>

#include "models/base/types.h"
#include "platform/assembler/assemble.h"

namespace bvp {

/// Defines NAME_image, an array of words with the alignment of a burst, and NAME_IMAGE_BYTES; of each launch register
/// and constant with a name NAME_LAUNCH_... and NAME_CONST_.... The text is sealed.
/// @param name  of C; @param source  what the comment calls the text of the kernel
[[nodiscard]] std::string kernel_header(const AssembledKernel& kernel, const std::string& name,
                                        const std::string& source);

/// The name of C that is nearest to a text: letters, digits and '_', no digit first.
[[nodiscard]] std::string c_name(const std::string& text);

}  // namespace bvp
