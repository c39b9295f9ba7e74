// SPDX-License-Identifier: Apache-2.0
// Wrong bits of memories with and without a code.
#include <tlm_utils/simple_initiator_socket.h>

#include <catch2/catch.hpp>
#include <vector>

#include "models/base/ecc_words.h"
#include "models/base/simulation_context.h"
#include "models/memory/dram.h"
#include "models/transport/bulk_traffic.h"
#include "models/transport/initiator.h"

using namespace bvp;

TEST_CASE("ecc: one wrong bit of a word is corrected, two are detected", "[ecc]") {
  EccWords words;
  words.flip(17, 3);
  CHECK_FALSE(words.empty());
  CHECK_FALSE(words.has_uncorrectable());
  CHECK(words.read(0, 16).corrected == 0);  // another word
  CHECK(words.read(8, 16).corrected == 1);
  CHECK(words.empty());  // written back
  words.flip(17, 3);
  words.flip(17, 3);
  CHECK(words.empty());  // turned over twice
  words.flip(17, 3);
  words.flip(23, 0);
  words.flip(24, 7);  // of the next word
  CHECK(words.has_uncorrectable());
  const EccWords::Found found = words.read(16, 16);
  CHECK(found.detected == 1);
  CHECK(found.corrected == 1);
  CHECK(words.read(16, 1).detected == 1);  // again and again
}

TEST_CASE("ecc: a word that is written as a whole is right again", "[ecc]") {
  EccWords words;
  words.flip(8, 0);
  words.flip(9, 0);
  CHECK(words.write(8, 4).detected == 1);  // in part: it must be read
  CHECK(words.write(4, 12).detected == 0);
  CHECK(words.empty());
  words.flip(8, 0);
  CHECK(words.write(9, 1).corrected == 1);
  CHECK(words.empty());
}

namespace {

struct Initiator : sc_core::sc_module {
  explicit Initiator(sc_core::sc_module_name name) : sc_module(name) {}
  tlm_utils::simple_initiator_socket<Initiator> out{"out"};
};

struct Bench {
  explicit Bench(const std::string& ecc) {
    parameters.geometry.size_bytes = 1 << 20;
    parameters.ecc = ecc;
    dram = std::make_unique<Dram>("dram", parameters, stats);
    initiator.out.bind(dram->target);
    sc_core::sc_start(1, sc_core::SC_NS);
  }
  tlm::tlm_response_status access(bool write, u64 address, u8* data, u32 bytes) {
    delay = sc_core::SC_ZERO_TIME;
    return bvp::access(initiator.out, write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND, address, data, bytes,
                       delay);
  }

  SimulationContext context;
  ParameterGroup root{"test"};
  DramParameters parameters{&root};
  StatGroup stats{"test"};
  std::unique_ptr<Dram> dram;
  Initiator initiator{"initiator"};
  sc_core::sc_time delay;
};

}  // namespace

TEST_CASE("ecc: without a code the DRAM gives what the bits have become", "[ecc]") {
  Bench bench("none");
  u8 byte = 0x10;
  CHECK(bench.access(true, 100, &byte, 1) == tlm::TLM_OK_RESPONSE);
  CHECK(bench.dram->flip(100, 0));
  CHECK_FALSE(bench.dram->flip(1 << 20, 0));
  CHECK(bench.access(false, 100, &byte, 1) == tlm::TLM_OK_RESPONSE);
  CHECK(byte == 0x11);
  CHECK(bench.dram->ecc_corrected() == 0);
}

TEST_CASE("ecc: with a code the DRAM corrects one bit and refuses two", "[ecc]") {
  Bench bench("secded");
  std::vector<u8> data(64, 0x5a);
  CHECK(bench.access(true, 0, data.data(), 64) == tlm::TLM_OK_RESPONSE);
  bench.dram->flip(9, 2);
  CHECK(bench.access(false, 0, data.data(), 64) == tlm::TLM_OK_RESPONSE);
  CHECK(data == std::vector<u8>(64, 0x5a));
  CHECK(bench.dram->ecc_corrected() == 1);
  bench.dram->flip(9, 2);
  bench.dram->flip(10, 2);
  CHECK(bench.access(false, 8, data.data(), 1) == tlm::TLM_GENERIC_ERROR_RESPONSE);
  CHECK(bench.access(false, 16, data.data(), 48) == tlm::TLM_OK_RESPONSE);
  CHECK(bench.dram->ecc_detected() == 1);
  // Nobody reaches a memory with a lost word directly.
  tlm::tlm_generic_payload payload;
  payload.set_address(0);
  tlm::tlm_dmi dmi;
  CHECK_FALSE(bench.initiator.out->get_direct_mem_ptr(payload, dmi));
  CHECK(bench.access(true, 8, data.data(), 8) == tlm::TLM_OK_RESPONSE);
  CHECK(bench.initiator.out->get_direct_mem_ptr(payload, dmi));
}

TEST_CASE("ecc: data that are moved without time are checked too", "[ecc]") {
  Bench bench("secded");
  std::vector<u8> data(32);
  const BulkData::Run runs[] = {{0, 16}, {64, 16}};
  const auto move = [&] {
    BulkData bulk;
    bulk.runs = runs;
    bulk.count = 2;
    tlm::tlm_generic_payload payload;
    payload.set_extension(&bulk);
    sc_core::sc_time delay;
    access(bench.initiator.out, payload, tlm::TLM_IGNORE_COMMAND, 0, data.data(), 0, delay);
    payload.clear_extension(&bulk);
    return bulk.done;
  };
  bench.dram->flip(70, 1);
  CHECK(move());
  CHECK(bench.dram->ecc_corrected() == 1);
  bench.dram->flip(70, 1);
  bench.dram->flip(71, 1);
  CHECK_FALSE(move());
  CHECK(bench.dram->ecc_detected() == 1);
}

TEST_CASE("ecc: the code costs its latency on reads", "[ecc]") {
  const auto latency = [](const std::string& ecc, bool write) {
    Bench bench(ecc);
    u8 data[64] = {};
    bench.access(write, 0x1000, data, 64);
    return bench.delay;
  };
  // 4 clocks of 1.6 GHz.
  CHECK((latency("secded", false) - latency("none", false)).to_seconds() == Approx(2.5e-9).epsilon(1e-3));
  CHECK(latency("secded", true) == latency("none", true));
}
