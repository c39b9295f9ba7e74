// SPDX-License-Identifier: Apache-2.0
#include "platform/import/butterfly_projection.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "platform/import/model_builder.h"
#include "platform/network/half.h"
#include "platform/network/network.h"

namespace bvp {
namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

/// column * row is the nearest matrix of rank one; both have the same norm.
struct RankOne {
  Vector column, row;
};

RankOne nearest_of_rank_one(const Matrix& matrix) {
  const bool wide = matrix.cols() > matrix.rows();
  const Matrix gram = wide ? Matrix(matrix * matrix.transpose()) : Matrix(matrix.transpose() * matrix);
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(gram);
  const Vector first = solver.eigenvectors().col(gram.cols() - 1);
  Vector other = wide ? Vector(matrix.transpose() * first) : Vector(matrix * first);
  const double norm = other.norm();  // the largest singular value
  const double share = norm > 0 ? 1 / std::sqrt(norm) : 0;
  other *= share;
  const Vector scaled = first * (std::sqrt(norm));
  return wide ? RankOne{scaled, other} : RankOne{other, scaled};
}

/// Points offset, offset + step, ... of a stack, which the factors from `factor` on mix.
struct Points {
  u64 offset = 0, step = 1;
  unsigned factor = 0;
};

class Fit {
 public:
  /// @param twiddle  of one stack: [log2 n, n/2, 2, 2]
  Fit(float* twiddle, u64 n) : twiddle_(twiddle), n_(n) {}

  /// Sets the factors whose product is near to the matrix.
  void set(const Matrix& matrix, const Points& points) {  // NOLINT(misc-no-recursion): log2 log2 n deep
    const auto size = static_cast<u64>(matrix.rows());
    if (size == 2) return set_pair(matrix, points);
    const u64 block = u64{1} << (log2_of(size) / 2), blocks = size / block;
    std::vector<Matrix> lower(blocks, Matrix(block, block)), upper(block, Matrix(blocks, blocks));
    Matrix part(blocks, block);
    for (u64 residue = 0; residue < block; ++residue) {
      for (u64 b = 0; b < blocks; ++b) {
        for (u64 i = 0; i < blocks; ++i) {
          for (u64 j = 0; j < block; ++j) part(at(i), at(j)) = matrix(at(i * block + residue), at(b * block + j));
        }
        const RankOne one = nearest_of_rank_one(part);
        upper[residue].col(at(b)) = one.column;
        lower[b].row(at(residue)) = one.row;
      }
    }
    for (u64 b = 0; b < blocks; ++b) {
      set(lower[b], {points.offset + b * block * points.step, points.step, points.factor});
    }
    for (u64 residue = 0; residue < block; ++residue) {
      set(upper[residue], {points.offset + residue * points.step, points.step * block, points.factor + log2_of(block)});
    }
  }

 private:
  static Eigen::Index at(u64 index) { return static_cast<Eigen::Index>(index); }

  void set_pair(const Matrix& matrix, const Points& points) {
    const u64 stride = points.step, pair = points.offset / (2 * stride) * stride + points.offset % stride;
    float* const t = twiddle_ + (points.factor * (n_ / 2) + pair) * 4;
    for (u64 i = 0; i < 4; ++i) t[i] = static_cast<float>(matrix(at(i / 2), at(i % 2)));
  }

  float* twiddle_;
  u64 n_;
};

}  // namespace

ButterflyProjection nearest_butterfly(const std::vector<float>& matrix, u64 outputs, u64 inputs) {
  const u64 n = std::max<u64>(2, next_power_of_two(inputs)), stacks = (outputs + n - 1) / n;
  ButterflyProjection result;
  FloatTensor twiddle;
  twiddle.shape = {stacks, log2_of(n), n / 2, 2, 2};
  twiddle.data.resize(stacks * log2_of(n) * n / 2 * 4);
  for (u64 stack = 0; stack < stacks; ++stack) {
    Matrix whole = Matrix::Zero(static_cast<Eigen::Index>(n), static_cast<Eigen::Index>(n));
    for (u64 i = 0; i < n && stack * n + i < outputs; ++i) {
      for (u64 j = 0; j < inputs; ++j) {
        whole(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) =
            static_cast<double>(matrix[(stack * n + i) * inputs + j]);
      }
    }
    Fit(twiddle.data.data() + stack * log2_of(n) * n / 2 * 4, n).set(whole, {});
  }
  result.twiddle.shape = twiddle.shape;
  for (float& value : twiddle.data) {
    result.twiddle.data.push_back(to_half(static_cast<double>(value)));
    value = static_cast<float>(from_half(result.twiddle.data.back()));
  }
  twiddle.shape.insert(twiddle.shape.begin() + 1, 1);
  const std::vector<float> made = matrix_of_butterfly(twiddle, inputs, outputs, true);
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    const double want = static_cast<double>(matrix[i]), got = static_cast<double>(made[i]);
    difference += (got - want) * (got - want);
    norm += want * want;
  }
  result.error = norm > 0 ? std::sqrt(difference / norm) : 0;
  return result;
}

}  // namespace bvp
