// SPDX-License-Identifier: Apache-2.0
#include "models/base/array_parameters.h"

#include <utility>

namespace bvp {

ArrayParameters::ArrayParameters(ParameterGroup* parent, std::string name, std::string description)
    : ParameterGroup(parent, std::move(name), std::move(description)),
      rows(this, "rows", 4, "PEs", {1, 16}, "Rows of the PE array.", "MLX (ISCA 2026): 4x4 PE mesh", Confidence::mid),
      columns(this, "columns", 4, "PEs", {1, 16}, "Columns of the PE array.", "MLX (ISCA 2026): 4x4 PE mesh",
              Confidence::mid),
      lanes(this, "lanes", 32, "fp16 lanes", {1, 64}, power_of_two,
            "SIMD lanes of every PE; the vector of the operand memory, the mesh and the scratchpad.",
            "MLX (ISCA 2026): SIMD32 for 1 TOp/s, SIMD8 for 256 GOp/s", Confidence::mid),
      clock_hz(this, "clock_hz", 1e9, "Hz", {1e6, 1e10}, "Clock of the accelerator.", "MLX (ISCA 2026): 1 GHz, 12 nm",
               Confidence::mid) {}

ArrayShape ArrayParameters::shape() const { return {rows.as<u32>(), columns.as<u32>(), lanes.as<u32>()}; }

}  // namespace bvp
