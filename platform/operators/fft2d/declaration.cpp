// SPDX-License-Identifier: Apache-2.0
// The real part of a two-dimensional Fourier transform. Its scale and its lengths are keys of the network (fft_norm,
// fft_length), because all transforms of a network share them.
#include "platform/network/mixing.h"

namespace bvp::mixings {

MixingDeclaration fft2d() {
  MixingDeclaration declaration;
  declaration.place = 1;
  declaration.computes = "the real part of a two-dimensional Fourier transform";
  return declaration;
}

}  // namespace bvp::mixings
