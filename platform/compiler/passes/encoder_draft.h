// SPDX-License-Identifier: Apache-2.0
// An encoder while its layers are lowered, with the steps that lowerings of layers have in common.
#pragma once

#include <optional>
#include <string>

#include "platform/compiler/ir/dram_plan.h"
#include "platform/compiler/ir/scratchpad_map.h"
#include "platform/compiler/lowering/products.h"
#include "platform/compiler/passes/encoder.h"
#include "platform/compiler/passes/fuse.h"
#include "platform/compiler/passes/normal_forms.h"
#include "platform/compiler/passes/tile.h"
#include "platform/network/network.h"
#include "platform/network/tensors.h"

namespace bvp {

struct EncoderDraft {
  using Value = RowProgram::Value;

  EncoderDraft(const TaskPlanner& of_plan, DramPlan& of_dram, const Network& of_network, const TensorMap& of_parameters,
               const NormalForms& of_normal_forms)
      : plan(of_plan),
        dram(of_dram),
        network(of_network),
        parameters(of_parameters),
        normal_forms(of_normal_forms),
        program(of_plan, of_dram, rows(), of_plan.target().fusion) {}

  [[nodiscard]] u64 rows() const { return network.batch * network.tokens; }
  [[nodiscard]] bool pre() const { return network.norm == NormPlacement::pre; }
  /// "layers.3.PART" of the current layer.
  [[nodiscard]] std::string name(const std::string& part) const;
  [[nodiscard]] const Tensor& parameter(const std::string& tensor) const { return parameters.at(tensor); }

  /// Adds tasks behind those that there are.
  void add(Tasks tasks);
  /// Adds the tasks of the operators that the program has collected.
  void flush() { add(program.flush()); }
  /// A matrix in DRAM with a row for each token.
  MatrixPlace matrix(u64 columns) { return dram.matrix(rows(), columns); }
  /// The place of a value in DRAM, for tasks that are not part of the program, which is flushed.
  MatrixPlace to_dram(Value value, u64 columns);
  /// The place in DRAM of what a layer mixes, which is x where norms follow sums. The program is flushed.
  MatrixPlace mixing_input(Value value) {
    if (pre()) return to_dram(value, network.hidden);
    flush();
    return x_place;
  }

  /// @param share  x is that share of what is to be normalised, and so is what epsilon is added to
  Value norm(const std::string& which, Value value, double share = 1);
  /// @param owed_by_input  in normal form, the inputs count so many times what they are
  [[nodiscard]] LinearOperator butterfly(const std::string& linear, u64 inputs, u64 outputs,
                                         double owed_by_input = 1) const;
  [[nodiscard]] DenseLayer dense(const std::string& linear) const;

  const TaskPlanner& plan;
  DramPlan& dram;
  const Network& network;
  const TensorMap& parameters;
  const NormalForms& normal_forms;
  RowProgram program;  // operators that are not tasks yet
  EncoderPlan result{};
  u32 layer = 0;                         // the current one
  Value x = 0;                           // the tokens between layers, a value of the program: the residual
  MatrixPlace x_place;                   // the same in DRAM, once the program is flushed
  std::optional<ResidentMatrix> tokens;  // where tokens stay for a mixing that takes them there, if they do
  bool x_stays = false;                  // x is there, too
};

}  // namespace bvp
