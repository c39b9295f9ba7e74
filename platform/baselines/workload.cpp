// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/workload.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "platform/baselines/work_list.h"

namespace bvp {

namespace mixing_work {
#define BVP_ENTRY(name) void name(WorkList& work, const EncoderLayer& layer);
#include "platform_operators.list"
#undef BVP_ENTRY
}  // namespace mixing_work

namespace {

constexpr double bytes_per_value = 2;

}  // namespace

void WorkList::add(const std::string& name, KernelWork::Kind kind, double flops, double values, u64 points) {
  kernels_.push_back({name, kind, flops, values * bytes_per_value, points});
}

void WorkList::add_linear(const std::string& name, u64 inputs, u64 outputs, LinearKind kind, u64 layers) {
  const auto in = static_cast<double>(inputs), out = static_cast<double>(outputs);
  if (kind == LinearKind::dense) {
    add(name, KernelWork::Kind::dense, 2 * rows() * in * out, rows() * (in + out) + in * out + out);
    return;
  }
  const u64 points = next_power_of_two(inputs);
  double pair_outputs = 0;  // of all stacks and layers
  for (u64 first = 0; first < outputs / layers; first += points) {
    pair_outputs +=
        static_cast<double>(layers) * outputs_of_pairs(points, inputs, std::min(points, outputs / layers - first));
  }
  const double flops_of_output = form_.normalised ? 2 : 3, weights_of_output = form_.normalised ? 1 : 2;
  const double scales = form_.normalised ? out : 0;
  add(name, KernelWork::Kind::butterfly, flops_of_output * rows() * pair_outputs,
      rows() * (in + out) + weights_of_output * pair_outputs + out + scales, points);
}

double WorkList::outputs_of_pairs(u64 points, u64 inputs, u64 outputs) const {
  if (!form_.pruned) return static_cast<double>(points * log2_of(points));
  u64 sum = 0;
  for (u64 block = 2; block <= points; block *= 2) sum += (inputs + block - 1) / block * std::min(block, outputs);
  return static_cast<double>(sum);
}

void add_attention_work(WorkList& work, const EncoderLayer& layer, double pairs) {
  const u64 hidden = work.network().hidden;
  // Query, key and value are one product.
  work.add_linear("query_key_value", hidden, 3 * hidden, layer.projections, 3);
  work.add("attention", KernelWork::Kind::dense, 4 * work.batch() * pairs * work.hidden(),
           work.rows() * 4 * work.hidden());
  work.add_linear("attention_output", hidden, hidden, layer.projections);
}

void add_mixing_work(WorkList& work, const EncoderLayer& layer) {
  using Add = void (*)(WorkList&, const EncoderLayer&);
  // In the order of the enumeration.
  static constexpr Add of_mixing[] = {
#define BVP_ENTRY(name) mixing_work::name,
#include "platform_operators.list"
#undef BVP_ENTRY
  };
  of_mixing[static_cast<std::size_t>(layer.mixing)](work, layer);
}

namespace {

/// Of ids: token ids of 32 bits, their rows of the table, the positions, the sums. Of patches a dense layer, and
/// the positions.
void add_embedding(WorkList& work) {
  if (work.network().vocabulary > 0) {
    constexpr double values_of_id = sizeof(u32) / bytes_per_value;
    work.add("embedding", KernelWork::Kind::elementwise, 0,
             work.rows() * (values_of_id + 2 * work.hidden()) + work.tokens() * work.hidden());
  } else {
    work.add_linear("embedding_patch", work.network().patch_values, work.network().hidden, LinearKind::dense);
    work.add("embedding", KernelWork::Kind::elementwise, 0, work.tokens() * work.hidden());
  }
  if (work.network().embedding_norm)
    work.add("embedding_norm", KernelWork::Kind::elementwise, 0, 2 * work.rows() * work.hidden());
  if (work.network().embedding_projection) {
    work.add_linear("embedding_projection", work.network().hidden, work.network().hidden, LinearKind::dense);
  }
}

void add_classifier(WorkList& work) {
  if (work.network().pooling == Pooling::mean) {
    work.add("pooling", KernelWork::Kind::elementwise, 0, (work.rows() + work.batch()) * work.hidden());
  }
  if (work.network().pooler) {
    work.add("pooler", KernelWork::Kind::dense, 2 * work.batch() * work.hidden() * work.hidden(),
             2 * work.batch() * work.hidden() + work.hidden() * work.hidden() + work.hidden());
  }
  const auto classes = static_cast<double>(work.network().classes);
  work.add("classifier", KernelWork::Kind::dense, 2 * work.batch() * work.hidden() * classes,
           work.batch() * (work.hidden() + classes) + work.hidden() * classes + classes);
}

/// With the residual: two operands, one result.
void add_norm(WorkList& work, const char* name) {
  work.add(name, KernelWork::Kind::elementwise, 0, 3 * work.rows() * work.hidden());
}

}  // namespace

std::vector<KernelWork> network_work(const Network& network, const WorkForm& form) {
  WorkList work(network, form);
  if (has_embedding(network)) add_embedding(work);
  for (const EncoderLayer& layer : network.layers) {
    add_mixing_work(work, layer);
    add_norm(work, "norm1");
    work.add_linear("ffn_up", network.hidden, network.ffn, layer.ffn);
    work.add_linear("ffn_down", network.ffn, network.hidden, layer.ffn);
    add_norm(work, "norm2");
  }
  if (network.classes > 0) add_classifier(work);
  return work.take();
}

Network dense_counterpart(Network network) {
  for (EncoderLayer& layer : network.layers) layer = {Mixing::attention, LinearKind::dense, LinearKind::dense};
  return network;
}

double total_flops(const std::vector<KernelWork>& work) {
  return std::accumulate(work.begin(), work.end(), 0.0,
                         [](double sum, const KernelWork& kernel) { return sum + kernel.flops; });
}

}  // namespace bvp
