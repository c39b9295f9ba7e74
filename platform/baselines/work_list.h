// SPDX-License-Identifier: Apache-2.0
// What the kernels of a network are collected in.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "platform/baselines/workload.h"

namespace bvp {

class WorkList {
 public:
  /// The network must outlive this.
  WorkList(const Network& network, const WorkForm& form)
      : network_(network),
        form_(form),
        batch_(static_cast<double>(network.batch)),
        tokens_(static_cast<double>(network.tokens)),
        hidden_(static_cast<double>(network.hidden)) {}

  [[nodiscard]] const Network& network() const { return network_; }
  [[nodiscard]] const WorkForm& form() const { return form_; }
  [[nodiscard]] double batch() const { return batch_; }
  [[nodiscard]] double tokens() const { return tokens_; }  ///< of a sequence
  [[nodiscard]] double rows() const { return batch_ * tokens_; }
  [[nodiscard]] double hidden() const { return hidden_; }

  /// @param values  that pass through memory
  /// @param points  of one transform or butterfly
  void add(const std::string& name, KernelWork::Kind kind, double flops, double values, u64 points = 0);
  /// A linear layer on all rows, with its bias.
  /// @param layers  butterfly layers beside each other that share the outputs
  void add_linear(const std::string& name, u64 inputs, u64 outputs, LinearKind kind, u64 layers = 1);
  [[nodiscard]] std::vector<KernelWork> take() { return std::move(kernels_); }

 private:
  /// Of the layers of a butterfly. Layer k works on blocks of 2^(k+1) points: with pruning a block counts if it has an
  /// input, and of its points those that lead to one of the first `outputs` points.
  [[nodiscard]] double outputs_of_pairs(u64 points, u64 inputs, u64 outputs) const;

  const Network& network_;
  const WorkForm form_;
  const double batch_, tokens_, hidden_;
  std::vector<KernelWork> kernels_;
};

/// Adds what attention of any kind has: the projections, and between them the product of queries and keys and that with
/// the values. @param pairs  of a query and a key that it sees, of one head and one sequence
void add_attention_work(WorkList& work, const EncoderLayer& layer, double pairs);

/// The work of a layer's mixing. The file NAME/work.cpp of platform/operators defines it as
/// `void NAME(WorkList& work, const EncoderLayer& layer)` in the namespace bvp::mixing_work.
void add_mixing_work(WorkList& work, const EncoderLayer& layer);

}  // namespace bvp
