// SPDX-License-Identifier: Apache-2.0
#include "test/reference_timing/planned_launches.h"

#include <cstring>
#include <map>
#include <set>
#include <stdexcept>

#include "models/abi/records.h"
#include "platform/run/compile_scenario.h"

namespace bvp::test {

namespace {

const u8* at(const CompiledNetwork& network, u64 address, u64 size) {
  for (const MemoryBlob& blob : network.blobs) {
    if (address >= blob.address && address + size <= blob.address + blob.bytes.size()) {
      return blob.bytes.data() + (address - blob.address);
    }
  }
  throw std::runtime_error("the network's image has a gap");
}

template <class T>
T record_at(const CompiledNetwork& network, u64 address) {
  T record;
  std::memcpy(&record, at(network, address, sizeof(T)), sizeof(T));
  return record;
}

}  // namespace

std::vector<PlannedLaunch> planned_launches(const Scenario& scenario) {
  const CompiledNetwork network = plan_scenario(scenario);
  std::map<TaskStep, std::string> names;
  for (const KernelInfo& kernel : network.kernels) names[kernel.step] = kernel.name;
  const auto header = record_at<NetworkHeader>(network, network.descriptor);
  std::vector<PlannedLaunch> launches;
  std::set<u64> images;
  for (u32 number = 0; number < header.task_count; ++number) {
    const Task task = record_at<Task>(network, header.tasks + number * sizeof(Task));
    const u32 steps = task.weight_steps + task.input_steps + task.compute_steps + task.output_steps;
    for (u32 i = 0; i < steps; ++i) {
      const Step step = record_at<Step>(network, header.steps + (u64{task.first_step} + i) * sizeof(Step));
      const Command& command = step.command;
      if (command.opcode != static_cast<u8>(CommandOpcode::launch) || !images.insert(command.image).second) continue;
      const u8* const image = at(network, command.image, command.image_bytes);
      PlannedLaunch launch{names[{number, i}], {image, image + command.image_bytes}, {}, {}};
      launch.counts = command.counts;
      launch.registers = command.registers;
      launches.push_back(std::move(launch));
    }
  }
  return launches;
}

}  // namespace bvp::test
