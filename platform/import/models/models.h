// SPDX-License-Identifier: Apache-2.0
// The models that can be imported. Each function reads the configuration and the tensors of its model, and notes what
// is wrong or not supported in the builder.
#pragma once

#include "platform/import/model_builder.h"

namespace bvp::models {

/// BERT, RoBERTa and FNet of Hugging Face, FNet with layers of attention, and both with butterfly layers (FABNet).
void bert(ModelBuilder& builder);
/// ViT of Hugging Face.
void vit(ModelBuilder& builder);
/// Stacks of layers as torch.nn.TransformerEncoder has them, with a configuration by hand (docs/your_network.md).
void encoder(ModelBuilder& builder);

}  // namespace bvp::models
