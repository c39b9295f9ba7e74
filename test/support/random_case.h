// SPDX-License-Identifier: Apache-2.0
// Random networks on random machines. A case is made from its number alone.
#pragma once

#include <fmt/format.h>

#include <random>
#include <string>
#include <vector>

#include "models/base/types.h"

namespace bvp::test {

class RandomCase {
 public:
  /// @param least_scratchpad  the smallest there can be, or one of those in which whole tiles do not fit yet
  RandomCase(u64 number, bool least_scratchpad) : number_(number), random_(number) {
    make_network();
    make_machine();
    if (least_scratchpad) set_least_scratchpad();
  }

  [[nodiscard]] const std::string& network() const { return network_; }
  [[nodiscard]] const std::vector<std::string>& settings() const { return settings_; }

 private:
  u64 below(u64 limit) { return std::uniform_int_distribution<u64>(0, limit - 1)(random_); }
  bool chance(u64 one_in) { return below(one_in) == 0; }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return *(values.begin() + below(values.size()));
  }
  void set(const std::string& key, const std::string& value) { settings_.push_back(key + "=" + value); }
  void set(const std::string& key, u64 value) { set(key, std::to_string(value)); }
  /// Sets the key in one case out of `one_in`, which leaves most machines with most defaults.
  void sometimes(u64 one_in, const char* key, std::initializer_list<u64> values) {
    if (chance(one_in)) set(key, one_of(values));
  }
  void sometimes_off(u64 one_in, const char* key) {
    if (chance(one_in)) set(key, "false");
  }

  void make_network() {
    const u64 heads = 1 + below(6);
    const u64 width = chance(3) ? 16 << below(3) : 1 + below(48);
    network_ = fmt::format("network:\n  tokens: {}\n  hidden: {}\n  heads: {}\n  ffn: {}\n  batch: {}\n", tokens(),
                           heads * width, heads, 2 + below(chance(8) ? 1500 : 300), chance(4) ? 1 + below(3) : 1);
    // Transforms without a norm make values whose sums cancel: there the bits count, errors only where nothing is left.
    const bool ortho = chance(2);
    if (!ortho) {
      for (const char* key : {"tolerance", "row_tolerance", "end_to_end_tolerance"}) {
        set(std::string("verify.") + key, "1");
      }
    }
    network_ += fmt::format("  norm: {}\n  activation: {}\n  fft_norm: {}\n  fft_length: {}\n", one_of({"pre", "post"}),
                            one_of({"gelu", "relu"}), ortho ? "ortho" : "none",
                            std::mt19937_64(number_ ^ 0x6c656e67)() % 2 == 0 ? "exact" : "power_of_two");
    make_ends();
    network_ += "  layers:\n";
    for (u64 layer = 0, layers = 1 + below(3); layer < layers; ++layer) {
      const char* linear = one_of({"butterfly", "dense"});
      if (chance(2)) {
        network_ += fmt::format("    - {{mixing: fft2d, ffn: {}}}\n", linear);
      } else {
        network_ += fmt::format("    - {{mixing: attention, projections: {}, ffn: {}}}\n",
                                one_of({"butterfly", "dense"}), linear);
      }
    }
    make_imported_ends(network_.find("vocabulary:") != std::string::npos,
                       network_.find("classes:") != std::string::npos);
  }

  /// Embedding and classifier head; from a generator of their own, so that they leave the rest of a case alone.
  void make_ends() {
    std::mt19937_64 ends(number_ ^ 0x656e6473);
    if (ends() % 3 == 0) network_ += fmt::format("  vocabulary: {}\n", 1 + ends() % (ends() % 4 == 0 ? 50000 : 300));
    if (ends() % 3 == 0) {
      network_ += fmt::format("  classes: {}\n  pooling: {}\n", 1 + ends() % (ends() % 4 == 0 ? 1000 : 20),
                              ends() % 2 == 0 ? "first" : "mean");
    }
  }

  /// What imported networks have; from a generator of its own, too.
  void make_imported_ends(bool embedding, bool classifier) {
    std::mt19937_64 ends(number_ ^ 0x696d706f);
    const auto one_in = [&](u64 count) { return ends() % count == 0; };
    if (one_in(3)) set("network.activation", one_in(2) ? "gelu_tanh" : "tanh");
    if (one_in(4)) set("network.final_norm", one_in(2) ? "present" : "absent");
    if (!embedding && one_in(3)) {
      set("network.patch_values", 1 + ends() % 200);
      embedding = true;
    }
    if (embedding && one_in(2)) set("network.embedding_norm", "true");
    if (embedding && one_in(3)) set("network.embedding_projection", "true");
    if (classifier && one_in(2)) set("network.pooler", "true");
    if (network_.find("mixing: attention") != std::string::npos && one_in(3)) set("network.padding_mask", "true");
  }

  u64 tokens() {
    if (chance(10)) return 1 + below(700);
    return chance(4) ? 8 << below(5) : 1 + below(150);
  }

  void make_machine() {
    sometimes(2, "soc.array.rows", {1, 2, 3, 4, 6, 8});
    sometimes(2, "soc.array.columns", {1, 2, 4, 5, 8});
    sometimes(2, "soc.array.lanes", {1, 2, 4, 8, 16, 64});
    sometimes(3, "soc.pe.operand_vectors", {32, 48, 64, 96, 128, 200, 512});
    if (chance(4)) set("soc.pe.accumulators", chance(2) ? 4 + below(29) : 4 + below(253));
    sometimes(6, "soc.pe.instruction_store", {16, 24, 64});
    sometimes(4, "soc.pe.contexts", {1, 2, 3, 16});
    sometimes(6, "soc.pe.special_divisor", {1, 8, 32});
    sometimes(2, "soc.scratchpad.size_bytes", {8192, 16384, 32768, 65536, 131072, 262144, 1048576});
    sometimes(4, "soc.scratchpad.banks", {1, 2, 4, 8});
    sometimes_off(3, "soc.scratchpad.column_access");
    sometimes(6, "soc.dma.channels", {1, 4});
    sometimes(6, "soc.dma.burst_bytes", {64, 128, 1024});
    sometimes(6, "soc.dma.outstanding", {1, 2, 32});
    sometimes(8, "soc.dram.size_bytes", {1 << 20, 16 << 20});
    sometimes(6, "soc.dram.channels", {1, 4});
    sometimes(8, "compiler.stage_points", {2, 8, 64});
    for (const char* technique : {"fusion", "streaming", "ping_pong", "weight_residency"}) {
      sometimes_off(8, fmt::format("compiler.{}", technique).c_str());
    }
    // What these do depends on sizes of network and machine.
    sometimes_off(4, "compiler.layer_overlap");
    sometimes_off(4, "compiler.exchange_by_half");
    if (chance(3)) set("run.fidelity", "fast");
    set("run.seed", below(1000));
    // Added behind the others, which so keep their numbers.
    sometimes_off(4, "compiler.residency");
    sometimes_off(4, "compiler.pruning");
    if (chance(8)) set("compiler.method", "published");
    if (chance(4)) set("compiler.butterflies", "pairs");
    if (chance(4)) set("compiler.twiddles", "products");
    sometimes_off(8, "soc.pe.swapping_fma");
    if (!chance(3)) set("compiler.fft", chance(3) ? "complex" : "real");
  }

  void set_least_scratchpad() {
    const std::string lanes_key = "soc.array.lanes=", size_key = "soc.scratchpad.size_bytes=";
    u64 lanes = 32;
    std::vector<std::string> others;
    for (const std::string& setting : settings_) {
      if (setting.rfind(lanes_key, 0) == 0) lanes = std::stoull(setting.substr(lanes_key.size()));
      if (setting.rfind(size_key, 0) != 0) others.push_back(setting);
    }
    settings_ = others;
    const u64 tile = 2 * lanes * lanes, least = std::max<u64>(8192, tile), most = std::max(least, 2 * 8 * tile);
    settings_.push_back(size_key + std::to_string(chance(2) ? least : least + below((most - least) / tile + 1) * tile));
  }

  const u64 number_;
  std::mt19937_64 random_;
  std::string network_;
  std::vector<std::string> settings_;
};

}  // namespace bvp::test
