// SPDX-License-Identifier: Apache-2.0
// The normal forms of a network's butterflies, each made once however often the network is planned.
#pragma once

#include <map>
#include <memory>

#include "platform/network/normal_butterfly.h"
#include "platform/network/tensors.h"

namespace bvp {

class NormalForms {
 public:
  /// @param twiddle        [stacks, log2 n, n/2, 2, 2], or that shape without data; lives as long as this
  /// @param owed_by_input  the same in every call for this tensor
  [[nodiscard]] std::shared_ptr<const NormalButterfly> of(const Tensor& twiddle, double owed_by_input) const {
    std::shared_ptr<const NormalButterfly>& form = known_[&twiddle];
    if (form == nullptr) {
      form = std::make_shared<const NormalButterfly>(twiddle.data.empty() ? nullptr : twiddle.data.data(),
                                                     twiddle.shape[0], static_cast<unsigned>(twiddle.shape[1]),
                                                     owed_by_input);
    }
    return form;
  }

 private:
  mutable std::map<const Tensor*, std::shared_ptr<const NormalButterfly>> known_;
};

}  // namespace bvp
