// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "platform/baselines/work_list.h"

namespace bvp::mixing_work {

void fft2d(WorkList& work, const EncoderLayer&) {
  const u64 along_hidden = fft_points(work.network(), work.network().hidden),
            along_tokens = fft_points(work.network(), work.network().tokens);
  const auto n = static_cast<double>(along_hidden), m = static_cast<double>(along_tokens);
  const double of_hidden = 5 * n * std::log2(n), of_tokens = 5 * m * std::log2(m);
  if (work.form().real_fft) {
    // Two columns are one complex column; of the spectra along the tokens, half of the rows say all.
    work.add("fft_tokens", KernelWork::Kind::fft,
             work.batch() * (work.hidden() / 2 * of_tokens + 2 * work.tokens() * work.hidden()),
             work.rows() * 2 * work.hidden(), along_tokens);
    work.add("fft_hidden", KernelWork::Kind::fft, work.rows() / 2 * of_hidden, work.rows() * 3 * work.hidden(),
             along_hidden);
    return;
  }
  // Real in, complex between, real out.
  work.add("fft_hidden", KernelWork::Kind::fft, work.rows() * of_hidden, work.rows() * (work.hidden() + 2 * n),
           along_hidden);
  work.add("fft_tokens", KernelWork::Kind::fft, work.batch() * work.hidden() * of_tokens,
           work.rows() * 3 * work.hidden(), along_tokens);
}

}  // namespace bvp::mixing_work
