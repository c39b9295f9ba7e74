// SPDX-License-Identifier: Apache-2.0
// Operators that work token by token, fused over tiles of tokens that stay in the scratchpad.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "platform/compiler/ir/dram_plan.h"
#include "platform/compiler/lowering/operators.h"
#include "platform/compiler/passes/tile.h"

namespace bvp {

/// A straight-line program over matrices with one row per token. Operators are collected and become tasks at a flush:
/// one task if all its buffers fit a scratchpad half, otherwise as few as possible, connected through DRAM. An operator
/// that does not fit alone works in passes over DRAM (long_butterfly.h, long_rows.h).
class RowProgram {
 public:
  /// A matrix: an index into the program's values. A flush ends all of them.
  using Value = std::size_t;

  /// @param fuse  false: every operator becomes a task of its own
  RowProgram(const TaskPlanner& plan, DramPlan& dram, u64 rows, bool fuse)
      : plan_(plan), dram_(dram), rows_(rows), fuse_(fuse) {}
  /// A copy is another way to go on from here.
  RowProgram(const RowProgram&) = default;
  RowProgram& operator=(const RowProgram&) = delete;

  void set_layer(u32 layer) { layer_ = layer; }

  Value load(const MatrixPlace& place);
  /// A matrix that has stayed in the scratchpad. Operators that use it must fit a task (scaled_sum).
  Value load(const ResidentMatrix& matrix);
  Value norm(const std::string& name, const Tensor& weight, const Tensor& bias, double epsilon, Value x);
  /// `residual` is the residual; `op.residual` is ignored.
  Value linear(const LinearOperator& op, Value x, std::optional<Value> residual = {});
  /// The planes of the transform of real rows; as many columns as points.
  std::pair<Value, Value> fft(const FftOperator& op, Value x);
  /// factor * s + x; whole panels of columns, in scratchpads that can be accessed by column. The matrices must be ones
  /// that fit a task together.
  Value scaled_sum(const std::string& name, u16 factor, Value s, Value x);
  void store(Value x, const MatrixPlace& place);
  /// The plane of an fft or the result of a norm stays in the scratchpad, where `resident_bytes` of each half are kept
  /// for resident matrices. It can be stored, too.
  void keep(Value x, const ResidentMatrix& matrix, u64 resident_bytes);

  /// The tasks of all operators so far, whose values end.
  [[nodiscard]] Tasks flush();
  /// Forgets all operators and values.
  void clear();

 private:
  struct Operation {
    enum class Kind { load, norm, linear, fft, scaled_sum, store } kind = Kind::load;
    u32 layer = 0;
    std::string name;
    std::vector<Value> inputs;   // linear: x, then the residual if there is one; scaled_sum: x, s
    std::vector<Value> outputs;  // fft: re, im, then the intermediate planes if there are several stages
    MatrixPlace place;
    std::optional<ResidentMatrix> resident;  // of a load or a store
    u64 resident_bytes = 0;
    const Tensor *weight = nullptr, *bias = nullptr;
    double epsilon = 0;
    LinearOperator linear;
    FftOperator fft;
    u16 factor = 0;
  };
  struct Matrix {
    u64 columns = 0;  // that mean something
    u64 written = 0;  // those that the operator writes; zeros beyond `columns`
    u64 worked = 0;   // those that the operator uses until it has written
  };

  Value add_value(u64 columns, u64 written) { return add_value({columns, written, written}); }
  Value add_value(const Matrix& matrix);
  /// The last layers of a butterfly that are computed block by block, because inputs are zero or outputs cut off: as
  /// many as cost the fewest cycles of the array.
  [[nodiscard]] unsigned block_layers(const LinearOperator& op, bool residual) const;
  [[nodiscard]] u64 cycles_with(LinearOperator op, unsigned block_layers, bool residual) const;
  /// The columns of the matrix that an operator reads through this input; columns beyond `columns` must be zero.
  /// @param operations  all of the task
  [[nodiscard]] u64 span_read(const std::vector<Operation>& operations, const Operation& operation,
                              std::size_t input) const;
  /// The columns of an operator's result that other operators of the task read, or that are stored.
  [[nodiscard]] u64 span_used(const std::vector<Operation>& operations, Value value) const;
  /// Columns of a value that are valid once the operation is done.
  [[nodiscard]] u64 written(const Operation& operation, Value value) const;
  [[nodiscard]] bool may_overwrite(const Operation& operation) const;
  /// The values of a task that lie in resident matrices, and the bytes of each half that are kept for those.
  struct Residents {
    std::vector<std::optional<ResidentMatrix>> of;  // [value]
    u64 bytes = 0;
  };
  [[nodiscard]] Residents residents(const std::vector<Operation>& operations) const;
  /// The time in which a buffer of a tile is in use, counted in operations: loads are done before the first operation,
  /// stores end after the last one.
  struct Lifetime {
    std::size_t begin = std::numeric_limits<std::size_t>::max(), end = 0;
    u64 columns = 0;
    u32 offset = 0;
    [[nodiscard]] bool overlaps(const Lifetime& other) const { return begin <= other.end && other.begin <= end; }
  };
  struct Buffer {
    Lifetime life;
    bool loaded = false;   // its first value comes from DRAM
    u64 first_extent = 0;  // columns that its first value's operator writes
    u64 read_extent = 0;   // columns that operators read
  };
  /// Which values share a buffer, when the buffer is in use, and which columns must be zero from the start.
  struct BufferPlan {
    std::vector<Buffer> buffers;
    std::vector<std::size_t> of;  // [value]
  };
  /// The last operation that uses each value.
  [[nodiscard]] std::vector<std::size_t> last_uses(const std::vector<Operation>& operations) const;
  /// Whether the result takes the buffer of the first input.
  [[nodiscard]] bool overwrites(const std::vector<Operation>& operations, std::size_t index, const Residents& resident,
                                const std::vector<std::size_t>& last_use) const;
  [[nodiscard]] BufferPlan plan_buffers(const std::vector<Operation>& operations, const Residents& resident) const;
  /// "ffn.up .. ffn.down"
  [[nodiscard]] static std::string name_of(const std::vector<Operation>& operations);
  /// First fit, in the order of creation.
  static void place(std::vector<Buffer>& buffers, const TaskBuilder& task);
  [[nodiscard]] std::vector<TileBuffer> buffers_of_values(TaskBuilder& task, const Tiling& tiling,
                                                          const Residents& resident, const BufferPlan& plan) const;
  [[nodiscard]] TaskBuilder build_task(const std::vector<Operation>& operations, const Tiling& tiling,
                                       const Residents& resident, BufferPlan plan) const;
  [[nodiscard]] TaskPlanner::Make task_of(const std::vector<Operation>& operations) const;
  void emit(TaskBuilder& task, const Operation& operation, const std::vector<TileBuffer>& buffer_of,
            const std::vector<Operation>& operations) const;
  /// The first operator that uses the value; nullptr if the value is only stored.
  [[nodiscard]] static const Operation* user_of(Value value, const std::vector<Operation>& operations);
  /// Operators write columns of tiles, but DRAM needs rows.
  void add_transposes_back(TaskBuilder& task, const std::vector<Operation>& operations,
                           const std::vector<TileBuffer>& buffer_of) const;
  /// Operations [first, end), with the loads and stores that cutting the program there requires.
  [[nodiscard]] std::vector<Operation> part(std::size_t first, std::size_t end);
  [[nodiscard]] bool fits(const std::vector<Operation>& operations) const;
  /// What the plan of the program follows from.
  [[nodiscard]] Shape shape() const;
  /// Cuts the program into tasks.
  [[nodiscard]] std::vector<TaskPlanner::RowPart> divide();
  /// The columns that an operator writes which works in passes over DRAM: no block is left out there.
  [[nodiscard]] u64 written_by_passes(const Operation& operation, Value value) const;
  /// One operator, whose rows are too long for a scratchpad half, with its loads and stores.
  [[nodiscard]] Tasks long_tasks(const std::vector<Operation>& operations);
  [[nodiscard]] Tasks long_linear(const Operation& operation, const MatrixPlace& x,
                                  const std::optional<MatrixPlace>& residual, const MatrixPlace& output);
  /// Takes some of the stacks at a time; nullopt if a single stack does not fit.
  [[nodiscard]] std::optional<Tasks> stacks_apart(const Operation& operation, const MatrixPlace& x,
                                                  const std::optional<MatrixPlace>& residual,
                                                  const MatrixPlace& output);
  [[nodiscard]] Tasks long_fft_tasks(const Operation& operation, const MatrixPlace& x, const MatrixPlace& re,
                                     const MatrixPlace& im);
  /// The matrix with zeros up to `columns` columns; a copy if it has none.
  MatrixPlace zero_padded(Tasks& tasks, const Operation& operation, const MatrixPlace& place, u64 columns);

  const TaskPlanner& plan_;
  DramPlan& dram_;
  const u64 rows_;
  const bool fuse_;
  u32 layer_ = 0;
  std::vector<Operation> operations_;
  std::vector<Matrix> values_;
  std::vector<std::optional<MatrixPlace>> in_dram_;  // per value: where it lies, once a part has stored it
};

}  // namespace bvp
