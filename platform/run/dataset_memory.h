// SPDX-License-Identifier: Apache-2.0
// Where the samples of run.dataset lie in the DRAM, and what tells the firmware so.
#pragma once

#include "models/base/types.h"

namespace bvp {

struct RunInputs;
struct Scenario;

struct DatasetPlace {
  u64 header = 0;       ///< bus address of the DatasetHeader; 0: there is no dataset
  u64 samples = 0;      ///< bus address of the first sample
  u64 read_end = 0;     ///< behind the last one
  u64 predictions = 0;  ///< bus address of what the firmware writes
};

/// Adds the samples, the header and room for the predictions to the memory contents of a compiled network, and makes
/// the steps that read the network's input read that of batch 0. @throws InputError  the DRAM is full
void add_dataset(const Scenario& scenario, RunInputs& inputs);

/// Makes batch `index` of the dataset the input of the run, for the references.
void take_batch(RunInputs& inputs, u64 batch, u64 index);

}  // namespace bvp
