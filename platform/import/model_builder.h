// SPDX-License-Identifier: Apache-2.0
// A network in the making from the files of a model: what is read is noted, and what is wrong or missing collected.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <vector>

#include "platform/import/import.h"
#include "platform/import/model_source.h"

namespace bvp {

class ModelBuilder {
 public:
  ModelBuilder(ModelSource& source, const ImportOptions& options) : source_(source), options_(options) {}

  [[nodiscard]] const ImportOptions& options() const { return options_; }
  [[nodiscard]] ModelSource& source() { return source_; }
  [[nodiscard]] Network& network() { return result_.network; }
  [[nodiscard]] ImportedNetwork& result() { return result_; }

  // ---- the configuration; what is wrong becomes a problem, and a stand-in is returned
  [[nodiscard]] bool given(const std::string& key) const {
    const auto found = source_.config().find(key);
    return found != source_.config().end() && !found->is_null();
  }
  /// An integer from 1 on. @param otherwise  if there is no such key; absent: it is required
  u64 count(const std::string& key, std::optional<u64> otherwise = {});
  double number(const std::string& key, double otherwise);
  bool flag(const std::string& key, bool otherwise);
  std::string word(const std::string& key, const std::string& otherwise);
  /// The activation of the feed-forward network at this key.
  Activation activation(const std::string& key, const std::string& otherwise);

  // ---- problems
  /// Something that the platform does not have.
  template <class... Args>
  void unsupported(fmt::format_string<Args...> format, Args&&... args) {
    add_problem(fmt::format("not supported: {}", fmt::format(format, std::forward<Args>(args)...)));
  }
  template <class... Args>
  void wrong(fmt::format_string<Args...> format, Args&&... args) {
    add_problem(fmt::format(format, std::forward<Args>(args)...));
  }
  [[nodiscard]] bool sound() const { return problems_.empty(); }
  /// @throws InputError  with all problems, if there are any
  void report() const;

  // ---- tensors
  /// A tensor of this shape; if it is missing or has another shape, that is a problem, and it is empty.
  std::optional<FloatTensor> read(const std::string& name, const std::vector<u64>& shape);
  /// The same; zeros if there is no such tensor.
  std::optional<FloatTensor> read_or_zeros(const std::string& name, const std::vector<u64>& shape);
  /// Rounds values to fp16 and gives them to the network. @param origin  the tensor of the file, for messages
  void set(const std::string& name, const std::vector<u64>& shape, const std::vector<float>& values,
           const std::string& origin);
  /// A layer norm from `from`.weight and `from`.bias, or from gamma and beta.
  void norm(const std::string& name, const std::string& from);
  /// A dense layer.
  void dense(const std::string& name, const std::string& from, u64 inputs, u64 outputs);

  /// A linear layer of the file, and the one of the network that it becomes.
  struct Linear {
    std::string name, from;
    u64 inputs = 0, outputs = 0;
  };
  /// Linear layers that have one kind: butterflies if all of them are in the form that the platform has, otherwise
  /// dense matrices.
  LinearKind linears(const std::vector<Linear>& layers);

 private:
  void add_problem(std::string text);
  [[nodiscard]] std::optional<nlohmann::json> value(const std::string& key, bool required);
  [[nodiscard]] bool has_twiddle(const Linear& layer) const { return source_.has(layer.from + ".twiddle"); }
  /// [stacks, blocks, log2 n, n/2, 2, 2], which is checked.
  std::optional<FloatTensor> read_twiddle(const Linear& layer);
  void set_bias(const Linear& layer);
  void set_dense(const Linear& layer);

  ModelSource& source_;
  const ImportOptions& options_;
  ImportedNetwork result_;
  std::vector<std::string> problems_;
};

/// The matrix [outputs, inputs] of a butterfly layer of torch_butterfly: the product of its factors.
/// @param twiddle     [stacks, blocks, log2 n, n/2, 2, 2]
/// @param increasing  the strides of the first block grow; they alternate from block to block
[[nodiscard]] std::vector<float> matrix_of_butterfly(const FloatTensor& twiddle, u64 inputs, u64 outputs,
                                                     bool increasing);

}  // namespace bvp
