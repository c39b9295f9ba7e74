// SPDX-License-Identifier: Apache-2.0
// How a model tells others what happens in it, without knowing who listens.
#pragma once

#include <algorithm>
#include <functional>
#include <iterator>
#include <list>
#include <memory>
#include <utility>

namespace bvp {

/// Keeps a slot connected to a signal: the slot is disconnected when this object is destroyed, or assigned to. It may
/// outlive the signal.
class Connection {
 public:
  Connection() = default;
  explicit Connection(std::function<void()> disconnect) : disconnect_(std::move(disconnect)) {}
  ~Connection() { disconnect(); }
  Connection(Connection&& other) noexcept : disconnect_(std::exchange(other.disconnect_, nullptr)) {}
  Connection& operator=(Connection&& other) noexcept {
    if (this != &other) {
      disconnect();
      disconnect_ = std::exchange(other.disconnect_, nullptr);
    }
    return *this;
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void disconnect() {
    if (disconnect_) std::exchange(disconnect_, nullptr)();
  }

 private:
  std::function<void()> disconnect_;
};

/// Calls the slots that are connected to it, in the order in which they were connected:
/// `Signal<char> sent;` in a model, `sent('a')` when it happens, `Connection c = uart.sent.connect([](char) {...});`
/// outside of it. A slot may connect and disconnect slots, itself too: one that is connected during a call is first
/// called by the next one, and one that is disconnected is not called any more. From one thread only.
template <class... Args>
class Signal {
 public:
  Signal() = default;
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  [[nodiscard]] Connection connect(std::function<void(Args...)> slot) {
    const auto added = slots_->all.insert(slots_->all.end(), Slot{std::move(slot), true});
    return Connection([slots = std::weak_ptr<Slots>(slots_), added] {
      if (const auto left = slots.lock()) left->remove(added);
    });
  }

  /// Whether any slot is connected.
  [[nodiscard]] bool connected() const {
    return std::any_of(slots_->all.begin(), slots_->all.end(), [](const Slot& slot) { return slot.connected; });
  }

  void operator()(Args... args) const {
    Slots& slots = *slots_;
    if (slots.all.empty()) return;
    const Calling calling(slots);
    const auto last = std::prev(slots.all.end());
    for (auto slot = slots.all.begin();; ++slot) {
      if (slot->connected) slot->call(args...);
      if (slot == last) break;
    }
  }

 private:
  struct Slot {
    std::function<void(Args...)> call;
    bool connected;
  };
  struct Slots {
    std::list<Slot> all;
    unsigned calls = 0;  // Calls of this signal that are running: slots are not destroyed during them.
    bool removed = false;

    void remove(typename std::list<Slot>::iterator slot) {
      slot->connected = false;
      removed = true;
      clean();
    }
    void clean() {
      if (calls != 0 || !removed) return;
      removed = false;
      // Destroying a slot may disconnect other slots.
      std::list<Slot> dead;
      for (auto slot = all.begin(); slot != all.end();) {
        const auto next = std::next(slot);
        if (!slot->connected) dead.splice(dead.end(), all, slot);
        slot = next;
      }
    }
  };
  struct Calling {
    explicit Calling(Slots& under_way) : slots(under_way) { ++slots.calls; }
    ~Calling() {
      --slots.calls;
      slots.clean();
    }
    Calling(const Calling&) = delete;
    Calling& operator=(const Calling&) = delete;
    Slots& slots;
  };

  std::shared_ptr<Slots> slots_ = std::make_shared<Slots>();
};

}  // namespace bvp
