// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/passes/encoder_draft.h"

#include <fmt/format.h>

#include <utility>

namespace bvp {

std::string EncoderDraft::name(const std::string& part) const { return fmt::format("layers.{}.{}", layer, part); }

void EncoderDraft::add(Tasks tasks) {
  for (TaskBuilder& task : tasks) {
    if (plan.goes_by_rows(task)) task.go_by_rows();
    dram.place_constants(task);
  }
  append(result.tasks, std::move(tasks));
}

MatrixPlace EncoderDraft::to_dram(Value value, u64 columns) {
  const MatrixPlace place = matrix(columns);
  program.store(value, place);
  flush();
  return place;
}

EncoderDraft::Value EncoderDraft::norm(const std::string& which, Value value, double share) {
  return program.norm(which, parameter(which + ".weight"), parameter(which + ".bias"), network.epsilon * share, value);
}

LinearOperator EncoderDraft::butterfly(const std::string& linear, u64 inputs, u64 outputs, double owed_by_input) const {
  LinearOperator op;
  op.name = linear;
  op.twiddle = &parameter(linear + ".twiddle");
  op.bias = &parameter(linear + ".bias");
  op.inputs = inputs;
  op.outputs = outputs;
  if (plan.target().normalised) op.normal = normal_forms.of(*op.twiddle, owed_by_input);
  return op;
}

DenseLayer EncoderDraft::dense(const std::string& linear) const {
  DenseLayer result;
  result.name = linear;
  result.layer = layer;
  result.weight = &parameter(linear + ".weight");
  result.bias = &parameter(linear + ".bias");
  return result;
}

}  // namespace bvp
