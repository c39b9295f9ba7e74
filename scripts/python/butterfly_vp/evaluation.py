# SPDX-License-Identifier: Apache-2.0
"""Runs a network over a set of sequences on the platform, batch after batch, in one run."""
import dataclasses
import json
import pathlib
import tempfile
from typing import Optional

import numpy

from . import run, tensors

__all__ = ["Evaluation", "evaluate"]


@dataclasses.dataclass
class Evaluation:
    """logits: [samples, classes], as the accelerator computed them. cycles, kernel_cycles, energy_j: of all batches together.
    limited_by: what the critical path of the first run consists of mostly. network: its network.json. weights: the file of its
    parameters, None if they were drawn."""
    logits: numpy.ndarray
    cycles: int
    kernel_cycles: int
    energy_j: float
    bit_exact: bool
    limited_by: str
    network: dict
    weights: Optional[str]

    @property
    def samples(self):
        return len(self.logits)

    def accuracy(self, labels):
        """The share of sequences whose greatest logit is that of their label."""
        return float((self.logits.argmax(1) == numpy.asarray(labels)).mean())


def evaluate(scenario, tokens, batch=64, sets=None, fidelity="fast", verify=True):
    """Runs the network of a scenario, which must have a vocabulary and classes, over tokens [samples, tokens].

    It is one run (run.dataset), and where the batch does not divide the number of sequences a second one of those that are
    left; figures of time and energy are those of both. Each run is held against the platform's references unless verify is
    False. Raises Error if a run fails."""
    tokens = numpy.asarray(tokens)
    if tokens.ndim != 2 or len(tokens) == 0 or batch < 1:
        raise ValueError(f"found tokens of shape {list(tokens.shape)} in batches of {batch}, expected "
                         "[samples, tokens] and at least one of each")
    logits, summaries = [], []
    whole = len(tokens) // batch * batch
    for part, size in ((tokens[:whole], batch), (tokens[whole:], len(tokens) - whole)):
        if len(part) == 0:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            directory = pathlib.Path(scratch) / "run"
            # The labels are the caller's matter.
            labels = numpy.zeros(len(part), numpy.uint8)
            tensors.save({"tokens": part, "labels": labels}, pathlib.Path(scratch) / "samples.safetensors")
            own = {"run.dataset": pathlib.Path(scratch) / "samples.safetensors", "network.batch": size,
                   "record.tensors": True, "record.statistics": False, "verify.enabled": verify}
            summaries.append(run(scenario, sets={**(sets or {}), **own}, fidelity=fidelity, out=directory))
            logits.append(tensors.load(directory / "tensors.safetensors")["logits"].astype(numpy.float32))
            network = json.loads((directory / "network.json").read_text())
    weights = [file["path"] for file in summaries[0]["inputs"] if file["key"] == "run.weights"]
    return Evaluation(logits=numpy.concatenate(logits), cycles=sum(summary["cycles"] for summary in summaries),
                      kernel_cycles=sum(summary["kernel_cycles"] for summary in summaries),
                      energy_j=sum(summary["energy_j"] for summary in summaries),
                      bit_exact=all(summary["verification"]["bit_exact"] for summary in summaries) if verify else False,
                      limited_by=summaries[0]["limited_by"]["resource"], network=network,
                      weights=weights[0] if weights else None)
