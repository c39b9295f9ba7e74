// SPDX-License-Identifier: Apache-2.0
// A network as the kernels that a processor with a memory runs one after another: operations and bytes.
#pragma once

#include <string>
#include <vector>

#include "platform/network/network.h"

namespace bvp {

struct KernelWork {
  enum class Kind {
    dense,        // matrix products
    butterfly,    // BPMM
    fft,          // complex transforms
    elementwise,  // layer norms with their residuals, embedding, pooling
  };
  std::string name;
  Kind kind = Kind::elementwise;
  double flops = 0;  // multiplications and additions
  double bytes = 0;  // fp16 operands, weights and results that pass through memory
  u64 points = 0;    // butterfly, fft: of one transform
};

/// Reductions of work that a network allows. A machine that is held against a run gets those that the run has had.
struct WorkForm {
  bool normalised = false;  // butterflies have one fused multiply-add and one weight an output
  bool real_fft = false;    // two-dimensional transforms use that input and result are real
  bool pruned = false;      // butterflies leave out what nobody reads and what follows from zeros alone
};

/// FLOP: a dense layer or the classifier head 2 in out, attention 4 tokens hidden a token, a butterfly 3 n log2 n a
/// stack (normalised 2 n log2 n; pruned: only outputs of pairs that count), a complex FFT of n points 5 n log2 n, of a
/// butterfly and where the network says so of an FFT n padded to a power of two; the real form takes half of the
/// transforms and two additions for each value to separate their spectra. Embedding, pooling, norms, activations and
/// softmax count none. Biases, activations and softmax are fused into their kernels, attention keeps its scores on the
/// chip.
[[nodiscard]] std::vector<KernelWork> network_work(const Network& network, const WorkForm& form = {});

/// The network with attention and dense matrices in every layer.
[[nodiscard]] Network dense_counterpart(Network network);

[[nodiscard]] double total_flops(const std::vector<KernelWork>& work);

}  // namespace bvp
