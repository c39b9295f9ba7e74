// SPDX-License-Identifier: Apache-2.0
// The pages of docs/reference as Markdown.
#pragma once

#include <map>
#include <string>

#include "platform/codegen/register_banks.h"

namespace bvp {

/// File name -> text.
[[nodiscard]] std::map<std::string, std::string> reference_pages(const std::vector<RegisterBankView>& banks);

}  // namespace bvp
