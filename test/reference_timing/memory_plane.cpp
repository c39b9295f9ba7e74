// SPDX-License-Identifier: Apache-2.0
#include "test/reference_timing/memory_plane.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace bvp::ticking {

MemoryPlane::MemoryPlane(const Machine& machine) : machine_(machine), banks_(machine.banks) {
  returns_.resize(machine.array_latency + machine.response_latency + hops(machine.columns - 1) + 1);
}

unsigned MemoryPlane::bank_of(std::uint32_t address) const {
  const std::uint32_t tile_bytes = 2 * machine_.lanes * machine_.lanes;
  unsigned bank = 0;
  for (std::uint32_t tile = (address & 0x7fffffff) / tile_bytes; tile != 0; tile /= machine_.banks) {
    bank ^= tile % machine_.banks;
    if (machine_.banks == 1) break;
  }
  return bank;
}

void MemoryPlane::request(const Request& request, Cycle now) {
  banks_[bank_of(request.address)].push_back({request, now + machine_.request_latency + hops(request.pe)});
}

std::vector<MemoryPlane::Return> MemoryPlane::take_returns(Cycle now) {
  return std::exchange(returns_[now % returns_.size()], {});
}

bool MemoryPlane::goes_before(const Waiting& a, const Waiting& b) const {
  const Request &x = a.request, &y = b.request;
  if (machine_.arbiter == Arbiter::oldest_request) {
    return std::tie(a.arrival, x.rank, x.store) < std::tie(b.arrival, y.rank, y.store);
  }
  return x.burst < y.burst;
}

void MemoryPlane::tick(Cycle now) {
  for (auto& waiting : banks_) {
    for (unsigned port = 0; port < machine_.bank_ports; ++port) {
      auto chosen = waiting.end();
      for (auto one = waiting.begin(); one != waiting.end(); ++one) {
        if (one->arrival <= now && (chosen == waiting.end() || goes_before(*one, *chosen))) chosen = one;
      }
      if (chosen == waiting.end()) break;
      const Request& request = chosen->request;
      const Cycle back = request.store ? 0 : machine_.response_latency + hops(request.pe);
      returns_[(now + machine_.array_latency + back) % returns_.size()].push_back(
          {request.pe, request.store, request.number});
      waiting.erase(chosen);  // those of a segment stay in order
    }
  }
}

}  // namespace bvp::ticking
