// SPDX-License-Identifier: Apache-2.0
// The check sum of images against that of Boost, which goes byte by byte.
#include <boost/crc.hpp>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "models/base/crc32.h"

using namespace bvp;

TEST_CASE("CRC-32: the check value of the standard, and of bytes in parts of any size", "[base]") {
  const std::string digits = "123456789";
  CHECK(Crc32().add(digits.data(), digits.size()).value() == 0xcbf43926);
  CHECK(Crc32().value() == 0);
  std::mt19937 random(1);
  for (int round = 0; round < 500; ++round) {
    std::vector<u8> bytes(random() % 300);
    for (u8& byte : bytes) byte = static_cast<u8>(random());
    boost::crc_32_type expected;
    expected.process_bytes(bytes.data(), bytes.size());
    const std::size_t cut = bytes.empty() ? 0 : random() % bytes.size();
    Crc32 crc;
    crc.add(bytes.data(), cut).add(bytes.data() + cut, bytes.size() - cut);
    CHECK(crc.value() == expected.checksum());
  }
}
