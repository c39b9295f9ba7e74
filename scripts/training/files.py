# SPDX-License-Identifier: Apache-2.0
"""The files of trained networks: weights, scenarios, test sets, and a list of what was reached."""
import json
import os
import pathlib
import sys

import numpy as np
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "python"))
from butterfly_vp import tensors  # noqa: E402

from . import layers  # noqa: E402

TRAINED = ROOT / "scenarios" / "trained"


def weights_file(directory, name, seed):
    return pathlib.Path(directory) / f"{name}.seed{seed}.safetensors"


def test_file(directory, task):
    return pathlib.Path(directory) / f"{task}.test.safetensors"


def scenario_file(directory, name):
    return pathlib.Path(directory) / f"{name}.yaml"


def write_text(text, path):
    """The file is there whole or not at all."""
    unfinished = path.with_name(path.name + f".{os.getpid()}.part")
    unfinished.write_text(text)
    unfinished.replace(path)


def export_network(network, path):
    """The weights as the platform reads them: names of docs/your_network.md, fp16."""
    tensors.save(network.tensors(), path)


def load_network(section, path):
    """The network of a scenario's section with the weights of a file, in fp32."""
    network = layers.Network(layers.complete(section))
    network.load_state_dict({name: torch.tensor(value.astype(np.float32)) for name, value in tensors.load(path).items()})
    return network


def written(value):
    """What stands behind the colon of a key of a scenario: of `layers` a line for each of them."""
    if isinstance(value, list):
        return "".join(f"\n    -{written(entry)}" for entry in value)
    if isinstance(value, dict):
        return " {" + ", ".join(f"{key}:{written(entry)}" for key, entry in value.items()) + "}"
    plain = not isinstance(value, str) or value.isidentifier()
    return f" {value if plain else json.dumps(value)}"


def export_scenario(section, batch, weights, comment, path, dataset=None):
    """section: of the network. The weights lie beside the scenario, and so does the dataset that it runs, if any."""
    keys = "\n".join(f"  {key}:{written(value)}" for key, value in {**section, "batch": batch}.items())
    write_text(f"""# yaml-language-server: $schema=../scenario.schema.json
# {comment}
soc:
  preset: array_1tflops

network:
{keys}

run:
  weights: {weights.name}
{"" if dataset is None else f"  dataset: {dataset.name}" + chr(10)}""", path)


def export_test_set(task, path):
    kind = np.uint8 if task.vocabulary <= 256 else np.uint16
    tensors.save({"tokens": task.test_tokens.astype(kind), "labels": task.test_labels.astype(np.uint8)}, path)


def load_results(directory):
    """What has been trained: a list with one entry for each network and seed."""
    path = pathlib.Path(directory) / "accuracy.json"
    return json.loads(path.read_text())["networks"] if path.is_file() else []


def save_results(directory, results):
    results = sorted(results, key=lambda result: (result["name"], result["seed"]))
    write_text(json.dumps({"networks": results}, indent=1) + "\n", pathlib.Path(directory) / "accuracy.json")
