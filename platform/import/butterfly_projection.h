// SPDX-License-Identifier: Apache-2.0
// The butterfly that is near to a dense matrix.
#pragma once

#include <vector>

#include "models/base/types.h"
#include "platform/network/tensors.h"

namespace bvp {

struct ButterflyProjection {
  Tensor twiddle;    ///< [stacks, log2 n, n/2, 2, 2]
  double error = 0;  ///< of its matrix: norm of the difference over the norm of what was given (Frobenius)
};

/// Halves the factors of a butterfly again and again. The product of the lower and of the upper half has one entry for
/// each pair of a residue of the rows and a block of the columns: the part of the matrix that belongs to the pair is of
/// rank one in a butterfly, and the nearest such matrix (Eckart and Young) is taken. Each step is the best one for its
/// two halves; the whole is exact where the matrix is a butterfly (Zheng, Riccietti and Gribonval, Efficient
/// identification of butterfly sparse matrix factorizations, SIAM J. Math. Data Sci. 5, 2023).
/// @param matrix  [outputs, inputs]; inputs are filled up to n, a power of two, and outputs cut into stacks of n
[[nodiscard]] ButterflyProjection nearest_butterfly(const std::vector<float>& matrix, u64 outputs, u64 inputs);

}  // namespace bvp
