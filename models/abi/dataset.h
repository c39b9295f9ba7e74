// SPDX-License-Identifier: Apache-2.0
// The records by which the firmware goes through a set of samples; of the same kind as those of records.h.
#pragma once

#include "models/abi/records.h"

namespace bvp {

#define BVP_DATASET_FIELDS(F)                                                           \
  F(u32, magic, 1, "0x44505642 (\"BVPD\")")                                             \
  F(u32, batches, 1, "how often the network is run")                                    \
  F(u32, batch, 1, "samples that it takes at a time")                                   \
  F(u32, classes, 1, "logits of a sample")                                              \
  F(u64, network, 1, "byte address of the NetworkHeader, whose tables are for batch 0") \
  F(u64, logits, 1, "byte address of the fp16 logits of a batch")                       \
  F(u32, logits_pitch, 1, "bytes from the logits of a sample to those of the next one") \
  F(u32, move_count, 1, "records of moves, which lie behind this one")                  \
  F(u64, predictions, 1, "byte address of a u32 for each sample, for the class found")

#define BVP_DATASET_MOVE_FIELDS(F)                         \
  F(u64, word, 1, "byte address of the u64 to be changed") \
  F(i64, bytes, 1, "what is added to it from batch to batch")

#define BVP_DATASET_CONSTANTS(X) X(dataset_magic, 0x44505642, "DatasetHeader.magic")

struct DatasetHeader {
  BVP_DATASET_FIELDS(BVP_DECLARE_FIELD)
};
struct DatasetMove {
  BVP_DATASET_MOVE_FIELDS(BVP_DECLARE_FIELD)
};

static_assert(sizeof(DatasetHeader) == 48);
static_assert(sizeof(DatasetMove) == 16);

BVP_DATASET_CONSTANTS(BVP_DECLARE_CONSTANT)

}  // namespace bvp
