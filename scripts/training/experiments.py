# SPDX-License-Identifier: Apache-2.0
"""Which networks are trained, on what, and for how long."""
import dataclasses

import torch

from . import layers


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all networks of a task have in common. The Adam steps are few: all of it is made for two cores and an hour."""
    pooling: str
    depth: int
    steps: int
    learning_rate: float
    position_scale: float  # of the position's vectors at the start; those of tokens have 1
    batch: int = 32
    weight_decay: float = 0.01


SETTINGS = {
    "digits": Setting(pooling="mean", depth=2, steps=500, learning_rate=3e-3, position_scale=1.0),
    "recall": Setting(pooling="first", depth=2, steps=1000, learning_rate=4e-3, position_scale=0.1),
    "listops": Setting(pooling="first", depth=3, steps=500, learning_rate=3e-3, position_scale=0.5),
    "listops_256": Setting(pooling="first", depth=2, steps=500, learning_rate=3e-3, position_scale=0.5),
}
SIZES = {"hidden": 64, "heads": 2, "ffn": 128, "norm": "pre"}
SEEDS = (1, 2, 3)
PLATFORM_BATCH = 64  # sequences of a run of the shipped scenarios

# Kinds of sparse attention. Of 64 tokens the first two leave a query 16 to 18 keys (a quarter), the next two 32 (a half): in
# either pair one is chosen by the data and one is not. The last one is for 256 tokens.
PATTERNS = {
    "window": {"mixing": "window", "window": 8, "global_tokens": 1},
    "topk_2": {"mixing": "topk", "block_tokens": 8, "top_blocks": 2},
    "blocks": {"mixing": "blocks", "block_tokens": 8, "key_blocks": "butterfly"},
    "topk_4": {"mixing": "topk", "block_tokens": 8, "top_blocks": 4},
    "window_16": {"mixing": "window", "window": 16, "global_tokens": 1},
}

# Those of a task: in all layers, and in the last one.
PATTERNS_OF = {
    "digits": (("window", "topk_2", "blocks", "topk_4"), ("window", "topk_2")),
    "recall": (("window", "topk_2", "blocks", "topk_4"), ("window", "topk_2")),
    "listops": (("window", "topk_2"), ()),
    "listops_256": (("window_16",), ("window_16",)),
}


@dataclasses.dataclass(frozen=True)
class Experiment:
    """variant: that of the platform, of which `pattern`, a name of PATTERNS, takes the place of its attention."""
    task: str
    variant: str
    attention_layers: int = None  # of a hybrid network
    pattern: str = None

    @property
    def name(self):
        variant = self.pattern if self.variant == "butterfly_linear" and self.pattern else self.variant
        parts = [self.task, variant]
        if self.variant == "hybrid":
            parts.append(str(self.attention_layers))
        if self.pattern and variant != self.pattern:
            parts.append(self.pattern)
        return "_".join(parts)

    @property
    def setting(self):
        return SETTINGS[self.task]

    def section(self, task):
        """The section `network` of the scenario."""
        section = {"tokens": task.train_tokens.shape[1], **SIZES, "vocabulary": task.vocabulary, "classes": task.classes,
                   "pooling": self.setting.pooling}
        if self.pattern:
            described = layers.layers_of(self.variant, self.setting.depth, self.attention_layers)
            section["layers"] = [{**layer, **PATTERNS[self.pattern]} if layer["mixing"] == "attention" else layer
                                 for layer in described]
            return section
        section.update(variant=self.variant, depth=self.setting.depth)
        if self.variant == "hybrid":
            section["attention_layers"] = self.attention_layers
        return section

    def network(self, task):
        network = layers.Network(layers.complete(self.section(task)))
        with torch.no_grad():
            network.embedding.position.mul_(self.setting.position_scale)
        return network


def experiments():
    """For each task: dense; attention in k of the L layers, from all to none, with butterfly matrices; and with sparse
    attention in its place."""
    for task, setting in SETTINGS.items():
        yield Experiment(task, "dense")
        yield Experiment(task, "butterfly_linear")
        for attention_layers in range(setting.depth - 1, 0, -1):
            yield Experiment(task, "hybrid", attention_layers)
        yield Experiment(task, "butterfly")
    for task, (in_all, in_last) in PATTERNS_OF.items():
        for pattern in in_all:
            yield Experiment(task, "butterfly_linear", pattern=pattern)
        for pattern in in_last:
            yield Experiment(task, "hybrid", 1, pattern)
