// SPDX-License-Identifier: Apache-2.0
// Parameters as the numbers that the models are built from.
#include <catch2/catch.hpp>
#include <vector>

#include "models/base/array_parameters.h"
#include "models/base/row_map.h"
#include "platform/soc/soc_parameters.h"

using namespace bvp;

TEST_CASE("array shape: parameters become numbers where they fit, and an error where they do not", "[shape]") {
  ParameterGroup root("test");
  ArrayParameters array(&root);
  array.rows = 3;
  array.columns = 5;
  array.lanes = 8;
  const ArrayShape shape = array.shape();
  CHECK(shape.pes() == 15);
  CHECK(shape.vector_bytes() == 16);
  CHECK(shape.tile_bytes() == 128);
  const Param<i64> negative(&root, "negative", -1, "1", {-10, 10}, "", "", Confidence::low);
  const Param<i64> large(&root, "large", i64{1} << 32, "1", {0, 1e12}, "", "", Confidence::low);
  CHECK_THROWS_WITH(negative.as<u64>(), "'negative' is -1, expected 0 to 18446744073709551615");
  CHECK_THROWS_WITH(large.as<u32>(), "'large' is 4294967296, expected 0 to 4294967295");
  CHECK(large.as<u64>() == u64{1} << 32);
}

TEST_CASE("row map: rows of kernels are those that are not left out, in their order", "[shape]") {
  RowMap rows(5);
  CHECK(rows.count() == 5);
  for (u32 row = 0; row < 5; ++row) CHECK(rows.in_array(row) == row);
  REQUIRE(rows.leave_out(1 | 8));
  CHECK(rows.left_out() == 9);
  CHECK(rows.count() == 3);
  CHECK(std::vector<u32>{rows.in_array(0), rows.in_array(1), rows.in_array(2)} == std::vector<u32>{1, 2, 4});
  CHECK(rows.in_kernel(4) == 2u);
  CHECK_FALSE(rows.in_kernel(3));
  // What is refused changes nothing.
  CHECK_FALSE(rows.leave_out(0x1f));
  CHECK_FALSE(rows.leave_out(0x20));
  CHECK_FALSE(rows.leave_out(~0u));
  CHECK(rows.left_out() == 9);
  REQUIRE(rows.leave_out(0));
  CHECK(rows.count() == 5);
}

TEST_CASE("machine shape: every dimension comes from its parameter", "[shape]") {
  ParameterGroup root("test");
  SocParameters soc(&root);
  soc.array.rows = 2;
  soc.array.columns = 8;
  soc.array.lanes = 16;
  soc.pe.operand_vectors = 128;
  soc.pe.accumulators = 16;
  soc.pe.instruction_store = 64;
  soc.scratchpad.size_bytes = 1 << 20;
  soc.dram.geometry.size_bytes = i64{1} << 32;
  soc.dram.geometry.channels = 4;
  soc.dma.channels = 3;
  soc.mesh.skip_links = true;
  const MachineShape shape = soc.shape();
  CHECK(shape.rows == 2);
  CHECK(shape.columns == 8);
  CHECK(shape.lanes == 16);
  CHECK(shape.operand_vectors == 128);
  CHECK(shape.operand_bytes() == 4096);
  CHECK(shape.accumulators == 16);
  CHECK(shape.instruction_store == 64);
  CHECK(shape.scratchpad_bytes == 1 << 20);
  CHECK(shape.dram_bytes == u64{1} << 32);
  CHECK(shape.dram_channels == 4);
  CHECK(shape.dma_channels == 3);
  CHECK(shape.link_bytes == 8 * 32);  // as wide as a vector
  soc.mesh.skip_links = false;
  soc.mesh.link_bytes = 8;
  CHECK(soc.shape().link_bytes == 4 * 8);
}
