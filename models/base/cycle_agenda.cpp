// SPDX-License-Identifier: Apache-2.0
#include "models/base/cycle_agenda.h"

#include <algorithm>
#include <utility>

namespace bvp {

CycleAgenda::CycleAgenda(sc_core::sc_module_name name, const ClockDomain& clock) : sc_module(name), clock_(clock) {
  SC_METHOD(run);
  sensitive << wake_;
  dont_initialize();
}

u32 CycleAgenda::add(Client& client) {
  clients_.push_back(&client);
  due_.push_back(never);
  words_ = (clients_.size() + 63) / 64;
  wheel_.assign(horizon * words_, 0);
  far_.assign(words_, 0);
  return static_cast<u32>(clients_.size() - 1);
}

void CycleAgenda::wake_at(u32 client, Cycle cycle) {
  if (due_[client] <= cycle) return;
  const Cycle now = running_ != never ? running_ : clock_.now();
  cycle = std::max(cycle, now);
  const u64 bit = u64{1} << (client % 64);
  // The client stays listed in the cycle that it asked for before, too: run() looks at due_ before it calls a client.
  due_[client] = cycle;
  if (cycle - now < horizon) {
    clients_at(cycle)[client / 64] |= bit;
    cycles_ |= u64{1} << (cycle % horizon);
  } else {
    far_[client / 64] |= bit;
    far_at_ = std::min(far_at_, cycle);
  }
  if (running_ != never || notified_ <= cycle) return;
  notified_ = cycle;
  wake_.notify(clock_.to_time(cycle) - sc_core::sc_time_stamp());
}

void CycleAgenda::run() {
  const Cycle now = clock_.now();
  notified_ = never;
  running_ = now;
  if (far_at_ != never && far_at_ - now < horizon) {
    far_at_ = never;
    for (std::size_t word = 0; word < words_; ++word) {
      for (u64 left = std::exchange(far_[word], 0); left != 0; left &= left - 1) {
        const auto client = static_cast<u32>(word * 64) + static_cast<u32>(__builtin_ctzll(left));
        const Cycle due = std::exchange(due_[client], never);
        if (due != never) wake_at(client, due);
      }
    }
  }
  const u64 this_cycle = u64{1} << (now % horizon);
  while ((cycles_ & this_cycle) != 0) {
    cycles_ &= ~this_cycle;
    for (std::size_t word = 0; word < words_; ++word) {
      u64& waiting = clients_at(now)[word];
      while (waiting != 0) {
        const auto bit = static_cast<u32>(__builtin_ctzll(waiting));
        waiting &= waiting - 1;
        const auto client = static_cast<u32>(word * 64) + bit;
        if (due_[client] != now) continue;
        due_[client] = never;
        clients_[client]->wake(now);
      }
    }
  }
  running_ = never;
  notify_next();
}

void CycleAgenda::notify_next() {
  const Cycle now = clock_.now();
  Cycle next = far_at_;
  if (cycles_ != 0) {
    const auto at = static_cast<unsigned>(now % horizon);
    const u64 from_now = cycles_ >> at | cycles_ << ((horizon - at) % horizon);
    next = std::min(next, now + static_cast<Cycle>(__builtin_ctzll(from_now)));
  }
  if (next == never) return;
  notified_ = next;
  wake_.notify(clock_.to_time(next) - sc_core::sc_time_stamp());
}

}  // namespace bvp
