// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/campaign.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "platform/explore/worker.h"
#include "platform/network/random.h"
#include "platform/run/compile_scenario.h"
#include "platform/run/network_options.h"
#include "platform/soc/memory_map.h"
#include "platform/support/json_text.h"

namespace bvp {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<const char*, fault_effects> effect_names{
    "not met", "masked", "corrected", "recovered", "degraded", "detected", "silent", "hang", "broken"};

/// The keys of a guarded run. Its limits are so wide that a run without a fault does not come near to them.
const std::vector<std::string>& guard_keys() {
  static const std::vector<std::string> keys{"soc.dram.ecc",     "soc.scratchpad.ecc", "run.protection",
                                             "run.launch_limit", "run.dma_limit",      "run.wait_limit_us",
                                             "run.retries",      "run.spare_images"};
  return keys;
}

u64 wait_limit_us(const CampaignBase& base) { return static_cast<u64>(std::ceil(2e6 * base.time_s)) + 1; }

/// @param spare  the network can be compiled for fewer rows of PEs
std::vector<std::string> guard_values(bool guarded, bool spare, const CampaignBase& base) {
  if (!guarded) return {"none", "none", "false", "0", "0", "0", "0", "false"};
  const std::string cycles = std::to_string(base.cycles);
  return {
      "secded", "secded", "true", cycles, cycles, std::to_string(wait_limit_us(base)), "2", spare ? "true" : "false"};
}

std::vector<FaultKind> all_kinds() {
  return {
#define BVP_FAULT_KIND(name, description) FaultKind::name,
      BVP_FAULT_KINDS(BVP_FAULT_KIND)
#undef BVP_FAULT_KIND
  };
}

std::vector<FaultKind> kinds_of(const CampaignRequest& request) {
  std::vector<FaultKind> kinds;
  for (const FaultKind kind : all_kinds()) {
    const auto& wanted = request.kinds;
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), name_of(kind)) != wanted.end()) kinds.push_back(kind);
  }
  return kinds;
}

/// What faults are drawn from.
struct FaultSpace {
  std::vector<FaultKind> kinds;
  double time_s = 0;
  u64 dram_bytes = 0, scratchpad_bytes = 0;
  std::vector<MemoryUse::Areas> dram, scratchpad;  ///< what is read, by what it is
  u64 pes = 0, channels = 0;
  bool spare = false;  ///< the network can be compiled for fewer rows of PEs
};

/// An offset in a memory. A half of them is spread evenly over what the network uses; the other half lies where
/// something is read while the network runs, each kind of which is equally likely.
u64 draw_offset(u64 bytes, const std::vector<MemoryUse::Areas>& read, u64 base, Random& random) {
  const auto below = [&](u64 limit) { return static_cast<u64>(random.uniform() * static_cast<double>(limit)); };
  if (random.uniform() < 0.5) return below(bytes);
  const MemoryUse::Areas& areas = read[below(read.size())];
  u64 sum = 0;
  for (const MemoryArea& area : areas) sum += area.end - area.first;
  u64 left = below(sum);
  for (const MemoryArea& area : areas) {
    if (left < area.end - area.first) return area.first + left - base;
    left -= area.end - area.first;
  }
  return below(bytes);
}

/// The fault as a scenario has it. Most errors of memories are of a single bit; a fifth of them are two adjacent ones
/// here, so that detection is seen as well.
std::string draw_fault(const FaultSpace& space, Random& random) {
  const auto below = [&](u64 limit) { return static_cast<u64>(random.uniform() * static_cast<double>(limit)); };
  const FaultKind kind = space.kinds[below(space.kinds.size())];
  Json fault{{"kind", name_of(kind)}, {"time_s", random.uniform() * space.time_s}};
  constexpr double double_errors = 0.2;
  const auto bits = [&](u64 places) {
    fault["bit"] = below(places);
    fault["bits"] = random.uniform() < double_errors ? 2 : 1;
  };
  switch (kind) {
    case FaultKind::dram_bit_flip:
      fault["address"] = draw_offset(space.dram_bytes, space.dram, memory_map::dram_base, random);
      bits(8);
      break;
    case FaultKind::scratchpad_bit_flip:
      fault["address"] = draw_offset(space.scratchpad_bytes, space.scratchpad, memory_map::scratchpad_base, random);
      bits(8);
      break;
    case FaultKind::corrupt_command:
      bits(1024);
      break;
    case FaultKind::corrupt_image:
      bits(2048);
      break;
    case FaultKind::bus_error:
      // The sequencer or one of the channels.
      fault["unit"] = [&] {
        const u64 source = below(1 + space.channels);
        return source == 0 ? 0 : source + 1;
      }();
      break;
    case FaultKind::dma_error:
    case FaultKind::lost_completion:
      fault["unit"] = below(space.channels);
      break;
    case FaultKind::stuck_pe:
      fault["unit"] = below(space.pes);
      fault["count"] = random.uniform() < 0.5 ? 1 : 0;
      break;
    case FaultKind::slow_dram:
      fault["delay_s"] = 1e-6;
      fault["count"] = 1 + below(100);
      break;
    case FaultKind::interrupt_late:
      fault["delay_s"] = random.uniform() * 1e-4;
      break;
    case FaultKind::interrupt_dropped:
    case FaultKind::interrupt_spurious:
      break;
  }
  return "[" + fault.dump() + "]";
}

CampaignBase run_base(const CampaignRequest& request, const ScenarioOptions& options) {
  const WorkerAnswer answer = simulate_point({0, request.file, request.sets, {}}, options);
  if (answer.outcome == Outcome::refused) throw InputError(answer.reason);
  if (answer.outcome != Outcome::done) {
    throw InputError(fmt::format("{}: fails without any fault: {}", request.file, answer.reason));
  }
  const Json figures = Json::parse(answer.figures);
  if (!figures.at("verification").at("checked").get<bool>() ||
      !figures.at("verification").at("bit_exact").get<bool>()) {
    throw InputError(
        fmt::format("{}: its outputs are not checked bit by bit, so that a fault could change them unseen; "
                    "expected a run with data and verify.enabled whose outputs equal the fp16 reference",
                    request.file));
  }
  return {figures.at("time_s").get<double>(), figures.at("cycles").get<u64>()};
}

bool has_spare(const Scenario& scenario, const CompiledNetwork& compiled) {
  try {
    static_cast<void>(plan_spare(scenario, compiled));
    return true;
  } catch (const InputError&) {
    return false;
  }
}

FaultSpace space_of(const CampaignRequest& request, const ScenarioOptions& options, const CampaignBase& base) {
  ScenarioOptions with_sets = options;
  with_sets.overrides = request.sets;
  const std::unique_ptr<Scenario> scenario = read_scenario(request.file, with_sets);
  const CompiledNetwork compiled = plan_scenario(*scenario);
  FaultSpace space;
  space.kinds = kinds_of(request);
  space.time_s = base.time_s;
  space.dram_bytes = compiled.end - memory_map::dram_base;
  space.scratchpad_bytes = scratchpad_reach(compiled, scenario->soc.scratchpad.size_bytes.as<u64>());
  MemoryUse use = memory_use(compiled);
  space.dram = {std::move(use.images), std::move(use.tensors), std::move(use.ring), std::move(use.tables)};
  space.scratchpad = {std::move(use.scratchpad)};
  for (auto* kinds : {&space.dram, &space.scratchpad}) {
    kinds->erase(std::remove_if(kinds->begin(), kinds->end(), [](const auto& areas) { return areas.empty(); }),
                 kinds->end());
  }
  space.spare = has_spare(*scenario, compiled);
  space.pes = scenario->soc.shape().pes();
  space.channels = scenario->soc.shape().dma_channels;
  return space;
}

std::string value_of(const PointRow& row, const std::string& key, const std::string& otherwise) {
  return row.point.values.value(key, otherwise);
}

std::string arm_of(const PointRow& row) {
  return fmt::format("{}, {}", value_of(row, "run.fidelity", "cycle"),
                     value_of(row, "run.protection", "false") == "true" ? "guarded" : "unguarded");
}

Json fault_of(const PointRow& row) {
  const Json faults = Json::parse(value_of(row, "faults", "[]"), nullptr, false);
  return faults.is_array() && !faults.empty() ? faults.front() : Json();
}

/// Whether the run has taken so much longer that a time-out must have ended a wait. Bits of a memory that turn over
/// cause none, but can slow the CPU.
bool has_waited(const PointRow& row, const Json& figures, const CampaignBase& base) {
  const Json fault = fault_of(row);
  const std::string kind = fault.value("kind", "");
  if (kind == name_of(FaultKind::dram_bit_flip) || kind == name_of(FaultKind::scratchpad_bit_flip)) return false;
  return figures.at("time_s").get<double>() > base.time_s + 0.5e-6 * static_cast<double>(wait_limit_us(base));
}

}  // namespace

const char* name_of(FaultEffect effect) { return effect_names.at(static_cast<std::size_t>(effect)); }

SweepDefinition make_campaign(const CampaignRequest& request, const ScenarioOptions& options, CampaignBase& base) {
  base = run_base(request, options);
  const FaultSpace space = space_of(request, options, base);
  SweepDefinition definition;
  definition.name = request.name;
  definition.base = request.file;
  definition.files[request.file] = request.file;
  definition.sets = request.sets;
  // A run that hangs and does not stand still is ended after that many times the time of one without a fault. A network
  // that is run three times by a CPU that has lost its direct access to the DRAM takes some thirty.
  constexpr double longest = 50;
  definition.sets.push_back({"run.time_limit_s", fmt::format("{:.9g}", longest * base.time_s), {}});
  Axis faults{{"faults"}, {}, std::nullopt, "--faults"};
  for (u64 i = 0; i < request.faults; ++i) {
    Random random(request.seed, fmt::format("campaign:{}", i));
    faults.positions.push_back({draw_fault(space, random)});
  }
  Axis fidelities{{"run.fidelity"}, {}, std::nullopt, "--fidelity"};
  for (const std::string& fidelity : request.fidelities) fidelities.positions.push_back({fidelity});
  Axis guards{guard_keys(), {}, std::nullopt, "--guard"};
  for (const bool guarded : request.guards) guards.positions.push_back(guard_values(guarded, space.spare, base));
  definition.axes = {std::move(faults), std::move(fidelities), std::move(guards)};
  definition.sampling.seed = request.seed;
  return definition;
}

FaultEffect effect_of(const PointRow& row, const CampaignBase& base) {
  const bool has_run = row.point.outcome == Outcome::done || row.point.outcome == Outcome::failed;
  const Json figures = Json::parse(row.figures, nullptr, false);
  if (!has_run || !figures.is_object()) return FaultEffect::broken;
  const Json& counts = figures.at("reliability");
  const auto count = [&](const char* name) { return counts.at(name).get<u64>(); };
  if (count("fault_hits") == 0) return FaultEffect::not_met;
  const int exit_code = figures.at("firmware_exit_code").get<int>();
  if (exit_code < 0) return FaultEffect::hang;
  if (exit_code > 0) return FaultEffect::detected;
  const Json& verification = figures.at("verification");
  const bool right = verification.at("checked").get<bool>() && verification.at("bit_exact").get<bool>();
  if (!right) return FaultEffect::silent;
  if (counts.at("degraded").get<bool>()) return FaultEffect::degraded;
  const bool guarded = value_of(row, "run.protection", "false") == "true";
  if (count("sequencer_errors") > 0 || (guarded && has_waited(row, figures, base))) return FaultEffect::recovered;
  return count("dram_ecc_corrected") + count("scratchpad_ecc_corrected") > 0 ? FaultEffect::corrected
                                                                             : FaultEffect::masked;
}

CampaignCounts::Effects CampaignCounts::total(const std::string& arm) const {
  Effects sum{};
  for (const auto& [kind, effects] : by_arm.at(arm)) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += effects[i];
  }
  return sum;
}

CampaignCounts count_effects(const SweepStore& store, const CampaignBase& base) {
  CampaignCounts counts;
  store.for_each(false, [&](const PointRow& row) {
    const Json fault = fault_of(row);
    if (fault.is_null()) return;
    const auto effect = static_cast<std::size_t>(effect_of(row, base));
    ++counts.by_arm[arm_of(row)][fault.at("kind").get<std::string>()][effect];
    ++counts.runs;
  });
  return counts;
}

Json campaign_json(const SweepStore& store, const CampaignBase& base) {
  const CampaignCounts counts = count_effects(store, base);
  const auto effects_json = [](const CampaignCounts::Effects& effects) {
    Json json = Json::object();
    for (std::size_t i = 0; i < effects.size(); ++i) json[effect_names[i]] = effects[i];
    return json;
  };
  Json arms = Json::object();
  for (const auto& [arm, kinds] : counts.by_arm) {
    Json by_kind = Json::object();
    for (const auto& [kind, effects] : kinds) by_kind[kind] = effects_json(effects);
    arms[arm] = {{"total", effects_json(counts.total(arm))}, {"kinds", std::move(by_kind)}};
  }
  Json rows = Json::array();
  store.for_each(false, [&](const PointRow& row) {
    const Json fault = fault_of(row);
    if (fault.is_null()) return;
    rows.push_back({{"point", row.point.number},
                    {"arm", arm_of(row)},
                    {"fault", fault},
                    {"effect", name_of(effect_of(row, base))},
                    {"reason", row.point.reason}});
  });
  return {{"runs", counts.runs},
          {"time_s", base.time_s},
          {"cycles", base.cycles},
          {"arms", std::move(arms)},
          {"rows", std::move(rows)}};
}

}  // namespace bvp
