/* SPDX-License-Identifier: Apache-2.0 */
/* The application of run.dataset: runs the network for one batch of samples after the other, and writes down the class
 * of each sample. Batch k + 1 begins when the classes of batch k are written. */
#include "run_network.h"

static void report_nothing(void* context, uint32_t task, const struct bvp_task* description, uint64_t cycle) {
  struct progress* progress = context;
  (void)description, (void)cycle;
  simulation_progress(task);
  progress->last_task = task;
}

static bool send_held(void* context) {
  (void)context;
  return uart_send_held();
}

/* An fp16 number as an integer of the same order; both zeros are 0. */
static int32_t half_order(uint16_t half) {
  const int32_t magnitude = half & 0x7fff;
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

/* The class with the greatest logit; of equal ones the first. */
static uint32_t class_of(const uint16_t* logits, uint32_t classes) {
  uint32_t greatest = 0;
  int32_t most = half_order(logits[0]);
  for (uint32_t i = 1; i < classes; ++i) {
    const int32_t order = half_order(logits[i]);
    if (order <= most) continue;
    most = order;
    greatest = i;
  }
  return greatest;
}

static void predict(const struct bvp_dataset_header* dataset, uint32_t batch) {
  uint32_t* predictions = (uint32_t*)(uintptr_t)dataset->predictions + (size_t)batch * dataset->batch;
  uint64_t logits = dataset->logits;
  for (uint32_t i = 0; i < dataset->batch; ++i, logits += dataset->logits_pitch)
    predictions[i] = class_of((const uint16_t*)(uintptr_t)logits, dataset->classes);
}

/* Makes the network's tables read the next batch. */
static void move_to_next(const struct bvp_dataset_header* dataset) {
  const struct bvp_dataset_move* moves = (const struct bvp_dataset_move*)(dataset + 1);
  for (uint32_t i = 0; i < dataset->move_count; ++i) *(uint64_t*)(uintptr_t)moves[i].word += (uint64_t)moves[i].bytes;
}

static void write_batch(const struct bvp_dataset_header* dataset, uint32_t batch) {
  uart_write("batch ");
  uart_write_number(batch + 1);
  uart_write("/");
  uart_write_number(dataset->batches);
  write_done(cycle_count());
}

int main(void) {
  static struct sequencer seq;
  const struct bvp_dataset_header* dataset = (const struct bvp_dataset_header*)simulation_argument();
  if (dataset == NULL || dataset->magic != BVP_DATASET_MAGIC) {
    printf("butterfly-vp firmware: no dataset given\n");
    return exit_bad_network;
  }
  const struct bvp_network_header* network = (const struct bvp_network_header*)(uintptr_t)dataset->network;
  struct progress progress = {.network = network};
  const struct network_observer observer = {report_nothing, send_held, NULL, &progress};
  enum network_result result = network_sequencer_error;
  uart_hold();
  uart_write("butterfly-vp firmware: dataset\n");
  if (sequencer_init(&seq, (struct bvp_command*)(uintptr_t)network->ring, network->ring_entries)) {
    network_prepare(network, &seq);
    result = network_ok;
  }
  for (uint32_t batch = 0; batch < dataset->batches && result == network_ok; ++batch) {
    if (batch > 0) move_to_next(dataset);
    result = run_network(&progress, &seq, &observer);
    if (result != network_ok) break;
    predict(dataset, batch);
    write_batch(dataset, batch);
  }
  uart_release();
  int exit_code;
  return explain_failure(network, &progress, &seq, result, &exit_code) ? exit_code : exit_done;
}
