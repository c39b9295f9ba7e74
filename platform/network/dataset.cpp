// SPDX-License-Identifier: Apache-2.0
#include "platform/network/dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "platform/network/safetensors.h"
#include "platform/network/weights.h"
#include "platform/support/input_error.h"

namespace bvp {
namespace {

std::vector<u32> load_labels(const std::filesystem::path& file, const Network& network) {
  const IntegerTensor found = read_integers(file, "labels");
  if (found.shape.size() != 1 || found.data.empty()) {
    throw InputError(fmt::format("{}: 'labels' has shape [{}], expected [samples] and at least one of them",
                                 file.string(), fmt::join(found.shape, ", ")));
  }
  std::vector<u32> labels;
  for (const i64 label : found.data) {
    if (label < 0 || static_cast<u64>(label) >= network.classes) {
      throw InputError(fmt::format("{}: 'labels': found {} at index {}, expected 0 to {} (network.classes)",
                                   file.string(), label, labels.size(), network.classes - 1));
    }
    labels.push_back(static_cast<u32>(label));
  }
  return labels;
}

/// How many samples the run takes. @throws InputError  they are no whole number of batches
u64 count_of(const std::filesystem::path& file, u64 there, u64 wanted, u64 batch) {
  if (wanted > there) {
    throw InputError(fmt::format("{}: it has {} samples, of which run.samples asks for {}; expected at most as many",
                                 file.string(), there, wanted));
  }
  const u64 samples = wanted == 0 ? there : wanted;
  if (samples % batch != 0) {
    const u64 whole = samples - samples % batch;
    const std::string shorter = whole == 0 ? "" : fmt::format(", or run.samples: {}", whole);
    throw InputError(
        fmt::format("{}: of {} samples in batches of {} (network.batch) the last batch has only {}; expected whole "
                    "batches: a network.batch that divides {}{}",
                    file.string(), samples, batch, samples % batch, samples, shorter));
  }
  return samples;
}

}  // namespace

Tensor rows_of(const Tensor& tensor, u64 first, u64 count) {
  Tensor part{tensor.shape, {}};
  part.shape.front() = count;
  const auto elements = static_cast<std::ptrdiff_t>(Tensor::elements(part.shape));
  const auto row = elements / static_cast<std::ptrdiff_t>(count);
  const auto begin = tensor.data.begin() + static_cast<std::ptrdiff_t>(first) * row;
  part.data.assign(begin, begin + elements);
  return part;
}

Dataset load_dataset(const std::filesystem::path& file, const Network& network, u64 samples) {
  Dataset dataset;
  dataset.labels = load_labels(file, network);
  // The tensors of the file are those of a single batch of all samples that it has.
  Network whole = network;
  whole.batch = dataset.labels.size();
  const u64 count = count_of(file, whole.batch, samples, network.batch);
  dataset.labels.resize(count);
  if (network.vocabulary > 0) {
    dataset.tokens = load_tokens(file, whole);
    dataset.tokens.resize(count * network.tokens);
  } else {
    dataset.input = rows_of(load_input(file, whole), 0, count);
  }
  if (network.padding_mask) dataset.mask = rows_of(load_mask(file, whole), 0, count);
  return dataset;
}

}  // namespace bvp
