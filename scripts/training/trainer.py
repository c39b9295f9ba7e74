# SPDX-License-Identifier: Apache-2.0
"""Trains one network. What stops it may stop it at any time: it goes on from its last state, to the same bits."""
import math
import time

import torch
from torch.nn import functional

STEPS_BETWEEN_STATES = 100


def learning_rate_factor(step, steps):
    """A linear rise over a twentieth of the steps, then half a cosine down to zero."""
    rise = max(1, steps // 20)
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


class Trainer:
    """network: a training.layers.Network. setting: a training.experiments.Setting. state: file of the state."""

    def __init__(self, network, task, setting, seed, state):
        self.network, self.setting, self.state = network, setting, state
        self.tokens, self.labels = torch.tensor(task.train_tokens), torch.tensor(task.train_labels)
        self.optimiser = torch.optim.AdamW(network.parameters(), lr=setting.learning_rate,
                                           weight_decay=setting.weight_decay)
        self.order = torch.Generator().manual_seed(seed)
        self.step, self.loss, self.seconds = 0, math.nan, 0.0

    def resume(self):
        """Goes on from the file of the state, if there is one of this setting."""
        if not self.state.is_file():
            return
        state = torch.load(self.state)
        if state["setting"] != self.setting:
            return
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.order.set_state(state["order"])
        self.step, self.loss, self.seconds = state["step"], state["loss"], state["seconds"]

    def save(self):
        state = {"setting": self.setting, "network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(),
                 "order": self.order.get_state(), "step": self.step, "loss": self.loss, "seconds": self.seconds}
        unfinished = self.state.with_suffix(".part")
        torch.save(state, unfinished)
        unfinished.replace(self.state)

    def take_step(self):
        chosen = torch.randint(len(self.labels), (self.setting.batch,), generator=self.order)
        loss = functional.cross_entropy(self.network(self.tokens[chosen]), self.labels[chosen])
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for group in self.optimiser.param_groups:
            group["lr"] = self.setting.learning_rate * learning_rate_factor(self.step, self.setting.steps)
        self.optimiser.step()
        self.step += 1
        # A running mean, since the loss of a single batch says little.
        self.loss = loss.item() if math.isnan(self.loss) else 0.98 * self.loss + 0.02 * loss.item()

    def train(self, until=None):
        """Up to this step, or to the end."""
        self.network.train()
        begun, before = time.perf_counter(), self.seconds
        until = self.setting.steps if until is None else until
        while self.step < until:
            self.take_step()
            if self.step % STEPS_BETWEEN_STATES == 0 or self.step == until:
                self.seconds = before + time.perf_counter() - begun
                self.save()


@torch.no_grad()
def logits_of(network, tokens, batch=64):
    """fp32 logits as an array."""
    network.eval()
    return torch.cat([network(torch.tensor(part)) for part in
                      (tokens[first:first + batch] for first in range(0, len(tokens), batch))]).numpy()


@torch.no_grad()
def largest_value(network, tokens):
    """The largest magnitude that any module puts out for these tokens; fp16 ends at 65,504."""
    largest = [0.0]

    def look(module, inputs, output):
        if isinstance(output, torch.Tensor):
            largest[0] = max(largest[0], output.abs().max().item())

    hooks = [module.register_forward_hook(look) for module in network.modules()]
    network(torch.tensor(tokens))
    for hook in hooks:
        hook.remove()
    return largest[0]
