// SPDX-License-Identifier: Apache-2.0
#include "models/pe/fast/array_exchanges.h"

#include <fmt/format.h>

#include <algorithm>

namespace bvp {

std::string ArrayExchanges::move(const ArrayTransfers::Request& request) {
  const Firing& firing = request.firing;
  const std::vector<Transfer>& transfers = request.segment().transfers;
  const bool sound = all_within_bounds(limits_, request.context, firing), data = request.memories != nullptr;
  const u64 pes = request.context.pes.count();
  const auto peer_exists = [&](const Transfer& transfer) { return transfer.peer_mask < pes; };
  if (!data && sound && std::all_of(transfers.begin(), transfers.end(), peer_exists)) return {};
  const std::size_t pitch = data ? request.memories->front().pitch() : 0;
  sent_.clear();
  sent_words_.resize(request.active.count() * transfers.size() * pitch);
  u16* words = sent_words_.data();
  for (const u32 pe : request.active.pes) {
    const StreamBases bases = bases_at(request.context.pes.bases[firing.segment].of_pe[pe], firing.distance);
    if (!sound && !within_bounds(limits_, request.segment(), bases)) return out_of_memory(firing.segment);
    for (const Transfer& transfer : transfers) {
      const i64 slot = bases[transfer.d.stream] + transfer.d.offset;
      if (!peer_exists(transfer) || slot < 0 || slot >= i64{limits_.operand_vectors}) {
        return fmt::format("a vector is sent to vector {} of PE {}, the kernel has {}", slot, pe ^ transfer.peer_mask,
                           pes);
      }
      if (!data) continue;
      (*request.memories)[pe].read(bases[transfer.a.stream] + transfer.a.offset, words);
      words += pitch;
      sent_.push_back({pe ^ transfer.peer_mask, slot});
    }
  }
  for (std::size_t i = 0; i < sent_.size(); ++i) {
    (*request.memories)[sent_[i].pe].write(sent_[i].slot, sent_words_.data() + i * pitch);
  }
  return {};
}

FiringTime ArrayExchanges::send_all(const ArrayTransfers::Request& request, u32 mask, u32 vectors) {
  FiringTime all;
  for (const u32 pe : request.active.pes) {
    packet_.others_follow = pe != request.active.pes.back();
    all = send(request.context, pe, mask, vectors, request.firing.now);
  }
  return all;
}

FiringTime ArrayExchanges::send(const Context& context, u32 pe, u32 mask, u32 vectors, Cycle now) {
  packet_.untimed_copies = 0;
  packet_.untimed_hops = 0;
  arrival_ = now;
  sc_core::sc_time delay = ahead(now);
  transport(context, pe, mask, vectors, delay);
  return {clock_.to_cycles(delay - ahead(now)), arrival_ - now};
}

void ArrayExchanges::count(const Context& context, const Count& count, Cycle now) {
  packet_.untimed_copies = count.packets;
  packet_.untimed_hops = count.hops;
  packet_.untimed_span = count.when;
  sc_core::sc_time delay = ahead(now);
  transport(context, 0, count.mask, count.vectors, delay);
}

void ArrayExchanges::transport(const Context& context, u32 pe, u32 mask, u32 vectors, sc_core::sc_time& delay) {
  packet_.source = context.pes.places[pe];
  packet_.destination = context.pes.places[pe ^ mask];
  packet_.count = vectors;
  slots_.resize(std::max<std::size_t>(slots_.size(), vectors), 0);
  words_.resize(std::max<std::size_t>(words_.size(), std::size_t{vectors} * limits_.lanes), 0);
  packet_.slots = slots_.data();
  payload_.set_extension(&packet_);
  access(*sockets_[packet_.source], payload_, tlm::TLM_WRITE_COMMAND, packet_.destination,
         vectors == 0 ? nullptr : words_.data(), vectors * limits_.lanes * 2, delay);
  payload_.clear_extension(&packet_);
}

u64 ArrayExchanges::hops(const Context& context, const std::vector<u32>& pes, u32 mask) const {
  const u32 columns = limits_.columns;
  const auto apart = [](u32 a, u32 b) { return a > b ? a - b : b - a; };
  u64 sum = 0;
  for (const u32 pe : pes) {
    const u32 a = context.pes.places[pe], b = context.pes.places[pe ^ mask];
    sum += apart(a % columns, b % columns) + apart(a / columns, b / columns);
  }
  return sum;
}

}  // namespace bvp
