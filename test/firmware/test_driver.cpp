// SPDX-License-Identifier: Apache-2.0
// The firmware's driver and runtime, compiled for the host, against the models of the sequencer and the DMA. A PE
// that adds a weight to every byte stands for the array, so that data tell whether anything came too early.
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <deque>
#include <functional>
#include <optional>
#include <systemc>
#include <vector>

#include "models/abi/image_checksum.h"
#include "models/abi/image_header.h"
#include "models/base/array_parameters.h"
#include "models/base/clock.h"
#include "models/base/simulation_context.h"
#include "models/dma/dma.h"
#include "models/isa/launch.h"
#include "models/sequencer/sequencer.h"
#include "models/transport/initiator.h"

extern "C" {
#include "driver/sequencer.h"
#include "hal/csr.h"
#include "hal/interrupt_controller.h"
#include "hal/mmio.h"
#include "hal/timer.h"
#include "hal/trap.h"
#include "runtime/network.h"
}

using namespace bvp;

namespace {

using sc_core::sc_time;

constexpr u64 half_bytes = 0x4000;
constexpr u32 row_bytes = 64;

/// Begin and end of this program's variables, by the linker.
extern "C" char __data_start, _end;

/// All memory of the test, with the variables of the firmware, which are those of this process. Bus addresses are
/// addresses of this process, so that firmware and models share them.
struct Memory {
  std::vector<u64> storage = std::vector<u64>(1 << 17);
  u64 used = 64;

  [[nodiscard]] u64 base() const { return reinterpret_cast<u64>(storage.data()); }
  [[nodiscard]] u64 bytes() const { return storage.size() * sizeof(u64); }
  [[nodiscard]] bool contains(u64 address, u64 length) const {
    const auto within = [&](u64 begin, u64 size) {
      return address >= begin && length <= size && address - begin <= size - length;
    };
    const auto variables = reinterpret_cast<u64>(&__data_start);
    return within(base(), bytes()) || within(variables, reinterpret_cast<u64>(&_end) - variables);
  }
  u64 allocate(u64 length) {
    used = (base() + used + 63) / 64 * 64 - base();
    const u64 address = base() + used;
    used += length;
    REQUIRE(used <= bytes());
    return address;
  }
};

u8* pointer(u64 address) { return reinterpret_cast<u8*>(address); }

/// Output row r of a launch is input row r plus the weight, byte by byte; inputs are read at the start of the
/// launch and outputs written at its end.
class AddingPe : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<AddingPe> configuration{"configuration"};
  tlm_utils::simple_initiator_socket<AddingPe> completion{"completion"};

  AddingPe(const sc_core::sc_module_name& name, u64 scratchpad, sc_time per_row)
      : sc_module(name), scratchpad_(scratchpad), per_row_(per_row) {
    configuration.register_b_transport(this, &AddingPe::configure);
    SC_HAS_PROCESS(AddingPe);
    SC_THREAD(run);
  }

  u32 launches = 0;
  u32 resident = 0;
  u32 stuck_from = ~0u;  // the launch, from 0, from which on nothing ends

 private:
  void configure(tlm::tlm_generic_payload& payload, sc_time&) {
    if (payload.get_address() == launch_address) {
      LaunchRecord record;
      std::memcpy(&record, payload.get_data_ptr(), sizeof record);
      queue_.push_back(record);
      arrived_.notify(sc_core::SC_ZERO_TIME);
    }
    if (payload.get_address() == stop_address) {
      queue_.clear();
      stopped_.notify(sc_core::SC_ZERO_TIME);
    }
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
  void run() {
    for (;;) {
      while (queue_.empty()) wait(arrived_);
      const LaunchRecord record = queue_.front();
      queue_.pop_front();
      const u64 bytes = u64{record.counts[0]} * row_bytes;
      std::vector<u8> rows(pointer(scratchpad_ + record.registers[0]),
                           pointer(scratchpad_ + record.registers[0]) + bytes);
      const u8 weight = *pointer(scratchpad_ + record.registers[2]);
      if (launches >= stuck_from) {
        wait(stopped_);
        continue;
      }
      wait(per_row_ * record.counts[0]);
      for (u64 i = 0; i < bytes; ++i) pointer(scratchpad_ + record.registers[1])[i] = static_cast<u8>(rows[i] + weight);
      ++launches;
      if ((record.flags & command_flag_resident) != 0) ++resident;
      LaunchCompletion done{record.launch_number, 0};
      sc_time delay;
      REQUIRE(access(completion, tlm::TLM_WRITE_COMMAND, 0, &done, sizeof done, delay) == tlm::TLM_OK_RESPONSE);
    }
  }

  u64 scratchpad_;
  sc_time per_row_;
  std::deque<LaunchRecord> queue_;
  sc_core::sc_event arrived_, stopped_;
};

class Bench;
Bench* bench = nullptr;  // the C functions below have no other way to it

/// The SoC without a CPU: the firmware's functions run as a SystemC thread.
class Bench : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(Bench);
  explicit Bench(const sc_core::sc_module_name& name, sc_time per_row = sc_time(100, sc_core::SC_NS))
      : sc_module(name) {
    bench = this;
    scratchpad = memory.allocate(2 * half_bytes + 0x1000);
    pe.emplace("pe", scratchpad, per_row);
    from_sequencer.register_b_transport(this, &Bench::access_memory);
    from_dma.register_b_transport(this, &Bench::access_memory);
    to_registers.bind(sequencer.registers);
    sequencer.to_bus.bind(from_sequencer);
    sequencer.to_dma.bind(dma.descriptors);
    sequencer.to_pe[0].bind(pe->configuration);
    sequencer.irq(irq);
    dma.to_bus.bind(from_dma);
    dma.completions.bind(sequencer.dma_completions);
    pe->completion.bind(sequencer.pe_completions);
    SC_THREAD(run_firmware);
  }
  ~Bench() override { bench = nullptr; }

  void run(std::function<void()> body) {
    firmware_ = std::move(body);
    sc_core::sc_start(sc_time(100, sc_core::SC_MS));
    REQUIRE(finished_);
  }

  u32 access_register(tlm::tlm_command command, u64 address, u32 value) {
    sc_time delay(20, sc_core::SC_NS);
    const tlm::tlm_response_status status =
        access(to_registers, command, address - BVP_SEQUENCER_BASE, &value, 4, delay);
    wait(delay);
    REQUIRE(status == tlm::TLM_OK_RESPONSE);
    return value;
  }
  /// Sleeps until the sequencer interrupts or the timer rings.
  void sleep() {
    if (!irq_reaches() && !has_rung()) wait(irq.posedge_event() | alarm);
    if (irq_reaches()) handler(handler_context);
    if (has_rung()) {
      alarm_set = false;
      alarm_handler(alarm_context);
    }
    wait(sc_time(10, sc_core::SC_NS));
  }
  void set_alarm(u64 ticks, void (*to_call)(void*), void* context) {
    alarm_handler = to_call;
    alarm_context = context;
    alarm_time = sc_core::sc_time_stamp() + sc_time(static_cast<double>(ticks) * 100, sc_core::SC_NS);
    alarm_set = true;
    alarm.cancel();
    alarm.notify(alarm_time - sc_core::sc_time_stamp());
  }
  void cancel_alarm() {
    alarm_set = false;
    alarm.cancel();
  }
  [[nodiscard]] bool has_rung() const { return alarm_set && sc_core::sc_time_stamp() >= alarm_time; }
  [[nodiscard]] bool irq_reaches() const { return irq.read() && !interrupt_lost; }

  Memory memory;
  u64 scratchpad = 0;
  interrupt_handler handler = nullptr;
  void* handler_context = nullptr;
  std::function<void(tlm::tlm_generic_payload&)> on_read;  // may change what has been read
  bool interrupt_lost = false;                             // the line does not reach the CPU
  sc_core::sc_event alarm;
  sc_time alarm_time;
  bool alarm_set = false;
  void (*alarm_handler)(void*) = nullptr;
  void* alarm_context = nullptr;
  std::optional<AddingPe> pe;

 private:
  void run_firmware() {
    firmware_();
    finished_ = true;
    sc_core::sc_pause();
  }
  void access_memory(tlm::tlm_generic_payload& payload, sc_time& delay) {
    delay += sc_time(50, sc_core::SC_NS);
    if (!memory.contains(payload.get_address(), payload.get_data_length())) {
      payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
      return;
    }
    u8* data = pointer(payload.get_address());
    if (payload.is_read()) {
      std::memcpy(payload.get_data_ptr(), data, payload.get_data_length());
      if (on_read) on_read(payload);
    } else {
      std::memcpy(data, payload.get_data_ptr(), payload.get_data_length());
    }
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }

  ParameterGroup root{"bench"};
  struct OnePe : ArrayParameters {
    explicit OnePe(ParameterGroup* parent) : ArrayParameters(parent) {
      rows = 1;
      columns = 1;
    }
  } array{&root};
  SequencerParameters sequencer_parameters{&root};
  DmaParameters dma_parameters{&root};
  ClockDomain clock_{1e9};
  StatGroup stats{"bench"};
  std::function<void()> firmware_;
  bool finished_ = false;

 public:
  Sequencer sequencer{"sequencer", sequencer_parameters, array, 2, clock_, stats};
  Dma dma{"dma", dma_parameters, clock_, stats};
  tlm_utils::simple_initiator_socket<Bench> to_registers{"to_registers"};
  tlm_utils::simple_target_socket<Bench> from_sequencer{"from_sequencer"};
  tlm_utils::simple_target_socket<Bench> from_dma{"from_dma"};
  sc_core::sc_signal<bool> irq{"irq"};
};

/// A chain of tasks, each of which adds its weight to a tensor of rows.
struct Chain {
  static constexpr u32 rows_per_tile = 8;

  // This constructor is long because it writes a whole network descriptor: image, tensors, steps, tasks.
  Chain(Memory& memory, u64 scratchpad, u32 tasks, u32 rows, u32 inputs, u32 ring_entries) : row_count(rows) {
    const u64 image = memory.allocate(sizeof(ImageHeader));
    ImageHeader header{};
    header.magic = image_magic;
    header.version = image_version;
    header.total_bytes = sizeof header;
    header.lanes = 32;
    header.pe_rows = header.pe_columns = 1;
    header.checksum = image_checksum(reinterpret_cast<const u8*>(&header), sizeof header);
    std::memcpy(pointer(image), &header, sizeof header);
    image_address = image;
    for (u32 t = 0; t <= tasks; ++t) tensors.push_back(memory.allocate(rows * row_bytes));
    for (u32 i = 0; i < rows * row_bytes; ++i) pointer(tensors[0])[i] = static_cast<u8>(i * 7);

    const u32 tiles = (rows + rows_per_tile - 1) / rows_per_tile;
    const u32 tail = rows - (tiles - 1) * rows_per_tile;
    std::vector<bvp_task> task_table;
    std::vector<bvp_step> steps;
    for (u32 t = 0; t < tasks; ++t) {
      bvp_task task{};
      task.flags = t == 0 ? 0 : BVP_TASK_FLAG_DEPENDS;
      task.tiles[0] = tiles;
      task.tiles[1] = task.tiles[2] = 1;
      task.first_step = static_cast<u32>(steps.size());
      task.weight_steps = task.compute_steps = task.output_steps = 1;
      task.input_steps = inputs;
      task_table.push_back(task);

      const u64 weights = memory.allocate(row_bytes);
      *pointer(weights) = static_cast<u8>(t + 1);
      total_weight = static_cast<u8>(total_weight + t + 1);
      const u64 weight_area = u64{2} * half_bytes + t % 2 * row_bytes;
      steps.push_back(transfer(weights, scratchpad + weight_area, row_bytes, 1, BVP_TAIL_NONE, 0));
      // each input step brings a part of every row
      const u32 part = row_bytes / inputs;
      for (u32 i = 0; i < inputs; ++i) {
        auto step = transfer(tensors[t] + i * part, scratchpad + i * part, part, rows_per_tile, 0, tail);
        step.source_stride[0] = rows_per_tile * row_bytes;
        step.half_mask = 2;
        steps.push_back(step);
      }
      bvp_step launch = transfer(0, 0, 0, 0, 0, tail);
      launch.command.opcode = BVP_OPCODE_LAUNCH;
      launch.command.image = image;
      launch.command.image_bytes = sizeof(ImageHeader);
      std::memset(launch.command.registers, 0, sizeof launch.command.registers);
      launch.command.registers[1] = half_bytes / 2;
      launch.command.registers[2] = weight_area;
      launch.command.counts[0] = rows_per_tile;
      launch.command.counts[1] = launch.command.counts[2] = launch.command.counts[3] = 1;
      launch.half_mask = 3;
      steps.push_back(launch);
      auto store = transfer(scratchpad + half_bytes / 2, tensors[t + 1], row_bytes, rows_per_tile, 0, tail);
      store.destination_stride[0] = rows_per_tile * row_bytes;
      store.half_mask = 1;
      steps.push_back(store);
    }
    network.magic = BVP_NETWORK_MAGIC;
    network.version = BVP_NETWORK_VERSION;
    network.task_count = tasks;
    network.step_count = static_cast<u32>(steps.size());
    network.half_bytes = half_bytes;
    network.ring_entries = ring_entries;
    network.output_channel = 1;
    network.tasks = memory.allocate(task_table.size() * sizeof(bvp_task));
    network.steps = memory.allocate(steps.size() * sizeof(bvp_step));
    network.ring = memory.allocate(ring_entries * sizeof(bvp_command));
    std::memcpy(pointer(network.tasks), task_table.data(), task_table.size() * sizeof(bvp_task));
    std::memcpy(pointer(network.steps), steps.data(), steps.size() * sizeof(bvp_step));
  }

  [[nodiscard]] bool output_right() const {
    for (u32 i = 0; i < row_count * row_bytes; ++i) {
      if (pointer(tensors.back())[i] != static_cast<u8>(i * 7 + total_weight)) return false;
    }
    return true;
  }

  static bvp_step transfer(u64 source, u64 destination, u32 length, u32 count, u32 tail_index, u32 tail_count) {
    bvp_step step{};
    step.command.opcode = BVP_OPCODE_DMA;
    bvp_dma_descriptor descriptor{};
    descriptor.source = source;
    descriptor.destination = destination;
    descriptor.length = length;
    descriptor.count[0] = count;
    descriptor.count[1] = descriptor.count[2] = 1;
    descriptor.source_stride[0] = descriptor.destination_stride[0] = row_bytes;
    std::memcpy(step.command.registers, &descriptor, sizeof descriptor);
    step.tail_index = tail_index;
    step.tail_count = tail_count;
    return step;
  }

  u32 row_count;
  u64 image_address = 0;
  std::vector<u64> tensors;
  u8 total_weight = 0;
  bvp_network_header network{};
};

bvp_command* ring_of(const Chain& chain) { return reinterpret_cast<bvp_command*>(chain.network.ring); }

constexpr network_observer nobody = {nullptr, nullptr, nullptr, nullptr};

}  // namespace

extern "C" {
uint32_t mmio_read32(uint64_t address) { return bench->access_register(tlm::TLM_READ_COMMAND, address, 0); }
void mmio_write32(uint64_t address, uint32_t value) { bench->access_register(tlm::TLM_WRITE_COMMAND, address, value); }
void sleep_until_interrupt() { bench->sleep(); }
uint64_t cycle_count() { return sc_core::sc_time_stamp().value() / 1000; }
uint64_t timer_now() { return sc_core::sc_time_stamp().value() / 100000; }
void timer_call_after(uint64_t ticks, void (*handler)(void*), void* context) {
  bench->set_alarm(ticks, handler, context);
}
void timer_cancel() { bench->cancel_alarm(); }
void interrupt_controller_attach(uint32_t line, interrupt_handler handler, void* context) {
  REQUIRE(line == BVP_IRQ_SEQUENCER);
  bench->handler = handler;
  bench->handler_context = context;
}
}

TEST_CASE("driver: a chain of tasks computes what it should, whatever the sizes", "[firmware]") {
  for (const u32 ring_entries : {2u, 4u, 16u, 256u}) {
    for (const u32 rows : {5u, 8u, 61u}) {
      for (const u32 inputs : {1u, 16u}) {
        for (const double row_ns : {1.0, 1000.0}) {
          INFO("ring " << ring_entries << ", rows " << rows << ", inputs " << inputs << ", row " << row_ns << " ns");
          const SimulationContext context;
          Bench soc("bench", sc_time(row_ns, sc_core::SC_NS));
          const Chain chain(soc.memory, soc.scratchpad, 4, rows, inputs, ring_entries);
          soc.run([&] {
            sequencer seq;
            REQUIRE(sequencer_init(&seq, ring_of(chain), ring_entries));
            REQUIRE(network_run(&chain.network, &seq, &nobody) == network_ok);
          });
          CHECK(chain.output_right());
          CHECK(soc.sequencer.idle());
          CHECK(soc.sequencer.error() == SequencerError::none);
          const u32 tiles = (rows + Chain::rows_per_tile - 1) / Chain::rows_per_tile;
          CHECK(soc.pe->launches == 4 * tiles);
          CHECK(soc.pe->resident == 4 * (tiles - 1));
        }
      }
    }
  }
}

TEST_CASE("driver: a network can be run again", "[firmware]") {
  const SimulationContext context;
  Bench soc("bench");
  const Chain chain(soc.memory, soc.scratchpad, 3, 20, 2, 32);
  soc.run([&] {
    for (int i = 0; i < 3; ++i) {
      std::memset(pointer(chain.tensors.back()), 0, chain.row_count * row_bytes);
      sequencer seq;
      REQUIRE(sequencer_init(&seq, ring_of(chain), 32));
      REQUIRE(network_run(&chain.network, &seq, &nobody) == network_ok);
      REQUIRE(chain.output_right());
    }
  });
}

TEST_CASE("driver: the array is busy while transfers go on", "[firmware]") {
  const SimulationContext context;
  Bench soc("bench", sc_time(400, sc_core::SC_NS));
  const Chain chain(soc.memory, soc.scratchpad, 1, 400, 2, 64);
  soc.run([&] {
    sequencer seq;
    REQUIRE(sequencer_init(&seq, ring_of(chain), 64));
    REQUIRE(network_run(&chain.network, &seq, &nobody) == network_ok);
  });
  CHECK(400 * 400.0 / (sc_core::sc_time_stamp().to_seconds() * 1e9) > 0.9);
}

TEST_CASE("driver: errors of the hardware reach the caller", "[firmware]") {
  const auto fails_with = [](uint32_t code, const std::function<void(Chain&)>& damage) {
    const SimulationContext context;
    Bench soc("bench");
    Chain chain(soc.memory, soc.scratchpad, 2, 100, 1, 8);
    damage(chain);
    soc.run([&] {
      sequencer seq;
      REQUIRE(sequencer_init(&seq, ring_of(chain), 8));
      REQUIRE(network_run(&chain.network, &seq, &nobody) == network_sequencer_error);
      const auto error = sequencer_error_status(&seq);
      CHECK(error.code == code);
      CHECK(std::string(error.text) == bvp_sequencer_error_text(code));
    });
  };
  fails_with(BVP_SEQUENCER_ERROR_BAD_IMAGE, [](Chain& chain) { *pointer(chain.image_address) ^= 1; });
  fails_with(BVP_SEQUENCER_ERROR_IMAGE_CORRUPT,
             [](Chain& chain) { *pointer(chain.image_address + offsetof(ImageHeader, resident_words)) ^= 1; });
  fails_with(BVP_SEQUENCER_ERROR_DMA_FAILED, [](Chain& chain) {
    auto* steps = reinterpret_cast<bvp_step*>(chain.network.steps);
    steps[0].command.registers[1] = 0x7fffffff;
  });
  fails_with(BVP_SEQUENCER_ERROR_RESERVED_NOT_ZERO, [](Chain& chain) {
    auto* steps = reinterpret_cast<bvp_step*>(chain.network.steps);
    steps[2].command.reserved = 1;
  });
}

TEST_CASE("driver: a ticket is reached when its own command is done", "[firmware]") {
  const SimulationContext context;
  Bench soc("bench");
  const u64 ring = soc.memory.allocate(16 * sizeof(bvp_command));
  const u64 source = soc.memory.allocate(0x4000), destination = soc.memory.allocate(0x4000);
  std::memset(pointer(source), 0x5a, 0x4000);
  const bool interrupt = GENERATE(true, false);  // of the slow transfer
  soc.run([&] {
    sequencer seq;
    REQUIRE(sequencer_init(&seq, reinterpret_cast<bvp_command*>(ring), 16));
    const auto copy = [&](uint8_t channel, u64 offset, uint32_t bytes, bool flagged) {
      bvp_dma_descriptor descriptor{};
      descriptor.source = source + offset;
      descriptor.destination = destination + offset;
      descriptor.length = bytes;
      for (auto& count : descriptor.count) count = 1;
      bvp_command* command = sequencer_next(&seq);
      sequencer_command_clear(command, BVP_OPCODE_DMA, 1);
      command->unit = channel;
      std::memcpy(command->registers, &descriptor, sizeof descriptor);
      if (flagged) command->flags = BVP_COMMAND_FLAG_INTERRUPT;
      return sequencer_push(&seq);
    };
    for (int round = 0; round < 3; ++round) {
      std::memset(pointer(destination), 0, 0x4000);
      const sequencer_ticket slow = copy(0, 0, 0x3000, interrupt);
      const sequencer_ticket quick = copy(1, 0x3000, 64, true);
      sequencer_doorbell(&seq);
      REQUIRE(sequencer_wait(&seq, quick));
      CHECK(pointer(destination)[0x3000 + 63] == 0x5a);
      CHECK_FALSE(sequencer_reached(&seq, slow));
      CHECK_FALSE(sequencer_ask(&seq, slow));
      REQUIRE(sequencer_wait(&seq, slow));
      CHECK(sequencer_ask(&seq, slow));
      CHECK(pointer(destination)[0x2fff] == 0x5a);
      CHECK(sequencer_reached(&seq, slow));
    }
  });
}

TEST_CASE("driver: tickets go on when their numbers run over", "[firmware]") {
  const uint32_t last = (uint32_t{1} << sequencer_ticket_unit_shift) - 1;
  const sequencer_ticket unit = 3U << sequencer_ticket_unit_shift;
  CHECK(sequencer_ticket_unit(unit | last) == 3);
  CHECK(sequencer_count_reaches(last, unit | last));
  CHECK_FALSE(sequencer_count_reaches(last - 1, unit | last));
  CHECK_FALSE(sequencer_count_reaches(last, unit | 0));
  CHECK(sequencer_count_reaches(last + 1, unit | 0));
  CHECK(sequencer_count_reaches(last + 5, unit | last));
  CHECK(sequencer_count_reaches(0, unit | last));
  CHECK(sequencer_count_reaches(0x80000001, unit | 1));
}

TEST_CASE("driver: a command or an image that changes on its way is refused, and the network run again", "[firmware]") {
  const bool of_image = GENERATE(true, false);
  const unsigned bit = of_image ? GENERATE(take(6, random(8 * 60, 8 * 64 - 1))) : GENERATE(take(40, random(0, 1023)));
  INFO((of_image ? "image, bit " : "command, bit ") << bit);
  const SimulationContext context;
  Bench soc("bench");
  Chain chain(soc.memory, soc.scratchpad, 2, 40, 2, 64);
  chain.network.version = network_version_checked;
  int left = of_image ? 1 : 3;  // of such reads, the one that is hit
  soc.on_read = [&](tlm::tlm_generic_payload& payload) {
    const bool command =
        payload.get_data_length() == sizeof(bvp_command) && payload.get_address() >= chain.network.ring;
    const bool image = payload.get_address() == chain.image_address;
    if (!(of_image ? image : command) || --left != 0) return;
    payload.get_data_ptr()[bit / 8] ^= static_cast<u8>(1 << bit % 8);
  };
  soc.run([&] {
    sequencer seq;
    REQUIRE(sequencer_init(&seq, ring_of(chain), 64));
    seq.checks_commands = true;
    REQUIRE(network_run(&chain.network, &seq, &nobody) == network_sequencer_error);
    const auto error = sequencer_error_status(&seq);
    if (of_image) {
      CHECK(error.code == BVP_SEQUENCER_ERROR_IMAGE_CORRUPT);
      CHECK(error.address == chain.image_address);
    } else {
      const bool of_flag = bit == 8 * offsetof(bvp_command, flags) + 2;
      CHECK(error.code == (of_flag ? BVP_SEQUENCER_ERROR_RESERVED_NOT_ZERO : BVP_SEQUENCER_ERROR_COMMAND_CORRUPT));
      if (!of_flag) CHECK(error.address == chain.network.ring + 2 * sizeof(bvp_command));
    }
    REQUIRE(sequencer_recover(&seq));
    CHECK(seq.checks_commands);
    REQUIRE(network_run(&chain.network, &seq, &nobody) == network_ok);
  });
  CHECK(chain.output_right());
}

TEST_CASE("driver: a network whose launch does not end is stopped, named and run again", "[firmware]") {
  // By the watchdog of the hardware, or by the limit of the CPU's waits.
  const bool by_hardware = GENERATE(true, false);
  const SimulationContext context;
  Bench soc("bench");
  soc.pe->stuck_from = 3;
  const Chain chain(soc.memory, soc.scratchpad, 2, 40, 2, 64);
  soc.run([&] {
    sequencer seq;
    REQUIRE(sequencer_init(&seq, ring_of(chain), 64));
    if (by_hardware) sequencer_set_limits(5000, 0);
    sequencer_set_wait_limit(&seq, by_hardware ? 0 : 50);
    const network_result result = network_run(&chain.network, &seq, &nobody);
    network_command command;
    if (by_hardware) {
      REQUIRE(result == network_sequencer_error);
      const auto error = sequencer_error_status(&seq);
      CHECK(error.code == BVP_SEQUENCER_ERROR_LAUNCH_TIMEOUT);
      REQUIRE(network_find_command(&chain.network, error.tag, 0, &command));
    } else {
      REQUIRE(result == network_timed_out);
      CHECK(sequencer_error_status(&seq).code == 0);
      REQUIRE(network_find_command(&chain.network, network_awaited_tag(&seq), 0, &command));
    }
    // The fourth launch, of the fourth tile, is the first task's.
    CHECK(command.task_index == 0);
    CHECK(std::string(command.phase) == "launch");
    soc.pe->stuck_from = ~0u;
    soc.pe->launches = 0;
    REQUIRE(sequencer_recover(&seq));
    CHECK(seq.wait_limit_us == (by_hardware ? 0 : 50));
    REQUIRE(network_run(&chain.network, &seq, &nobody) == network_ok);
  });
  CHECK(chain.output_right());
  CHECK(soc.sequencer.idle());
}

TEST_CASE("driver: waits end in time, and learn what a lost interrupt would have said", "[firmware]") {
  const SimulationContext context;
  Bench soc("bench");
  const u64 ring = soc.memory.allocate(8 * sizeof(bvp_command));
  constexpr u32 long_bytes = 0x30000;  // some 3 us
  const u64 source = soc.memory.allocate(long_bytes), destination = soc.memory.allocate(long_bytes);
  soc.run([&] {
    sequencer seq;
    REQUIRE(sequencer_init(&seq, reinterpret_cast<bvp_command*>(ring), 8));
    const auto copy = [&](u32 bytes, bool flagged) {
      bvp_dma_descriptor descriptor{};
      descriptor.source = source;
      descriptor.destination = destination;
      descriptor.length = bytes;
      for (auto& count : descriptor.count) count = 1;
      bvp_command* command = sequencer_next(&seq);
      REQUIRE(command != nullptr);
      sequencer_command_clear(command, BVP_OPCODE_DMA, 1);
      std::memcpy(command->registers, &descriptor, sizeof descriptor);
      if (flagged) command->flags = BVP_COMMAND_FLAG_INTERRUPT;
      const sequencer_ticket ticket = sequencer_push(&seq);
      sequencer_doorbell(&seq);
      return ticket;
    };
    for (const bool flagged : {true, false}) {
      INFO((flagged ? "asleep" : "asking"));
      const sequencer_ticket quick = copy(256, flagged);
      CHECK(sequencer_wait_within(&seq, quick, 100) == sequencer_done);
      const sc_time begin = sc_core::sc_time_stamp();
      const sequencer_ticket slow = copy(long_bytes, flagged);
      CHECK(sequencer_wait_within(&seq, slow, 1) == sequencer_timed_out);
      CHECK((sc_core::sc_time_stamp() - begin).to_seconds() == Approx(1e-6).epsilon(0.5));
      CHECK(sequencer_wait_within(&seq, slow, 0) == sequencer_done);
    }
    CHECK(sequencer_wait_within(&seq, 31u << sequencer_ticket_unit_shift, 1) == sequencer_bad_ticket);
    soc.interrupt_lost = true;
    CHECK(sequencer_wait_within(&seq, copy(256, true), 20) == sequencer_done);
    soc.interrupt_lost = false;
    // A transfer that takes longer than the hardware allows.
    sequencer_set_limits(0, 200);
    CHECK(sequencer_wait_within(&seq, copy(long_bytes, true), 100) == sequencer_failed);
    const auto error = sequencer_error_status(&seq);
    CHECK(error.code == BVP_SEQUENCER_ERROR_DMA_TIMEOUT);
    CHECK(error.address > destination);
    CHECK(error.address < destination + long_bytes);
    REQUIRE(sequencer_recover(&seq));
    CHECK(sequencer_wait(&seq, copy(64, true)));
    // One that is aborted.
    sequencer_set_limits(0, 0);
    const sequencer_ticket aborted = copy(long_bytes, true);
    CHECK(sequencer_wait_within(&seq, aborted, 1) == sequencer_timed_out);
    sequencer_abort(SEQUENCER_ALL_UNITS);
    CHECK(sequencer_wait_within(&seq, aborted, 100) == sequencer_failed);
    CHECK(sequencer_error_status(&seq).code == BVP_SEQUENCER_ERROR_ABORTED);
    REQUIRE(sequencer_recover(&seq));
    CHECK(sequencer_wait(&seq, copy(64, true)));
  });
}

TEST_CASE("driver: a full ring is not waited for without end", "[firmware]") {
  const SimulationContext context;
  Bench soc("bench");
  const u64 ring = soc.memory.allocate(4 * sizeof(bvp_command));
  soc.run([&] {
    sequencer seq;
    REQUIRE(sequencer_init(&seq, reinterpret_cast<bvp_command*>(ring), 4));
    // A semaphore that nobody signals: the dispatcher holds one command, and four more are fetched ahead.
    const auto push = [&](bvp_command* command) {
      sequencer_command_clear(command, BVP_OPCODE_SYNC, 1);
      command->wait[0] = 5;
      sequencer_push(&seq);
      sequencer_doorbell(&seq);
    };
    sequencer_set_wait_limit(&seq, 10);
    u32 pushed = 0;
    while (bvp_command* command = sequencer_next(&seq)) {
      push(command);
      REQUIRE(++pushed < 20);
    }
    CHECK(seq.error == 0);
    CHECK(sequencer_room_within(&seq, 5) == sequencer_timed_out);
    REQUIRE(sequencer_recover(&seq));
    REQUIRE(sequencer_next(&seq) != nullptr);
  });
}

TEST_CASE("driver: a wrong ring is refused", "[firmware]") {
  const SimulationContext context;
  Bench soc("bench");
  const u64 ring = soc.memory.allocate(4096);
  soc.run([&] {
    sequencer seq;
    sequencer_init(&seq, reinterpret_cast<bvp_command*>(ring), 7);
    bvp_command* command = sequencer_next(&seq);
    if (command != nullptr) {
      sequencer_command_clear(command, BVP_OPCODE_SYNC, 1);
      command->flags = BVP_COMMAND_FLAG_INTERRUPT;
      const uint32_t ticket = sequencer_push(&seq);
      sequencer_doorbell(&seq);
      CHECK_FALSE(sequencer_wait(&seq, ticket));
    }
    CHECK(sequencer_error_status(&seq).code == BVP_SEQUENCER_ERROR_BAD_RING);
  });
}
