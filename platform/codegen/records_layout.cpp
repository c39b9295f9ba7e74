// SPDX-License-Identifier: Apache-2.0
#include "platform/codegen/records_layout.h"

#include "models/abi/dataset.h"
#include "models/abi/dma_status.h"
#include "models/abi/records.h"
#include "models/sequencer/sequencer_errors.h"

namespace bvp {

// One entry of a field list; `Record` is the struct that the list belongs to.
#define BVP_LAYOUT_FIELD(type, name, elements, description) \
  RecordField{#type, #name, elements, offsetof(Record, name), sizeof(Record::name), description},

#define BVP_LAYOUT_CONSTANT(name, value, description) NamedConstant{#name, value, description},

namespace {

RecordLayout dma_descriptor_layout() {
  using Record = DmaDescriptor;
  return {"DmaDescriptor",
          sizeof(Record),
          "One DMA transfer: a run of bytes repeated in up to three dimensions.",
          {BVP_DMA_DESCRIPTOR_FIELDS(BVP_LAYOUT_FIELD)}};
}

RecordLayout command_layout() {
  using Record = Command;
  return {"Command", sizeof(Record), "One entry of the command ring.", {BVP_COMMAND_FIELDS(BVP_LAYOUT_FIELD)}};
}

RecordLayout step_layout() {
  using Record = Step;
  return {"Step",
          sizeof(Record),
          "A command of a task, and how it changes from tile to tile.",
          {BVP_STEP_FIELDS(BVP_LAYOUT_FIELD)}};
}

RecordLayout task_layout() {
  using Record = Task;
  return {"Task",
          sizeof(Record),
          "An operator (or several fused ones) of the network, done tile by tile.",
          {BVP_TASK_FIELDS(BVP_LAYOUT_FIELD)}};
}

RecordLayout network_layout() {
  using Record = NetworkHeader;
  return {"NetworkHeader",
          sizeof(Record),
          "Where the tables of a network lie; what the firmware is given.",
          {BVP_NETWORK_FIELDS(BVP_LAYOUT_FIELD)}};
}

RecordLayout options_layout() {
  using Record = RunOptions;
  return {"RunOptions",
          sizeof(Record),
          "What a run asks of the firmware beside the network.",
          {BVP_OPTIONS_FIELDS(BVP_LAYOUT_FIELD)}};
}

RecordLayout dataset_layout() {
  using Record = DatasetHeader;
  return {"DatasetHeader",
          sizeof(Record),
          "A set of samples that the network goes through batch by batch; what the firmware is given then.",
          {BVP_DATASET_FIELDS(BVP_LAYOUT_FIELD)}};
}

RecordLayout move_layout() {
  using Record = DatasetMove;
  return {"DatasetMove",
          sizeof(Record),
          "An address in the network's tables that moves from one batch to the next.",
          {BVP_DATASET_MOVE_FIELDS(BVP_LAYOUT_FIELD)}};
}

RecordLayout window_layout() {
  using Record = MemoryWindow;
  return {"MemoryWindow",
          sizeof(Record),
          "Memory that the accelerator may reach while the network runs.",
          {BVP_WINDOW_FIELDS(BVP_LAYOUT_FIELD)}};
}

}  // namespace

std::vector<RecordLayout> record_layouts() {
  return {dma_descriptor_layout(), command_layout(), step_layout(),    task_layout(), network_layout(),
          options_layout(),        window_layout(),  dataset_layout(), move_layout()};
}

std::vector<NamedConstant> record_constants() {
  return {BVP_RECORD_CONSTANTS(BVP_LAYOUT_CONSTANT) BVP_DATASET_CONSTANTS(BVP_LAYOUT_CONSTANT)};
}

std::vector<NamedConstant> command_opcodes() { return {BVP_COMMAND_OPCODES(BVP_LAYOUT_CONSTANT)}; }

std::vector<NamedConstant> sequencer_errors() { return {BVP_SEQUENCER_ERRORS(BVP_LAYOUT_CONSTANT)}; }

std::vector<NamedConstant> dma_statuses() { return {BVP_DMA_STATUS(BVP_LAYOUT_CONSTANT)}; }

}  // namespace bvp
