// SPDX-License-Identifier: Apache-2.0
#include "models/sequencer/sequencer_errors.h"

namespace bvp {

const char* describe(SequencerError error) {
  switch (error) {
#define BVP_SEQUENCER_ERROR_CASE(name, value, description) \
  case SequencerError::name:                               \
    return description;
    BVP_SEQUENCER_ERRORS(BVP_SEQUENCER_ERROR_CASE)
#undef BVP_SEQUENCER_ERROR_CASE
  }
  return "unknown error";
}

}  // namespace bvp
