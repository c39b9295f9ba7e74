# SPDX-License-Identifier: Apache-2.0
"""An encoder as config.json and model.safetensors, in the form that `butterfly-vp import` knows."""
import json
import pathlib

import numpy as np

from .. import tensors as safetensors
from .encoder import Recogniser, close
from .graph import GraphError


def one_of(what, values, problems):
    """The value that all layers share."""
    distinct = sorted(set(values), key=str)
    if len(distinct) > 1:
        problems.append(f"not supported: layers differ in {what}: {', '.join(map(str, distinct))}")
    return distinct[0] if distinct else None


class Writer:
    def __init__(self, graph, encoder):
        self.graph, self.encoder, self.tensors, self.problems = graph, encoder, {}, []
        self.recogniser = Recogniser(graph)
        self.config = {}

    def pair(self, name, part):
        self.tensors[name + ".weight"], self.tensors[name + ".bias"] = part.weight, part.bias

    def module(self, key, part):
        """A part that the configuration names."""
        if part is not None:
            self.config[key] = key
            self.pair(key, part)

    def write(self, directory):
        """@throws GraphError  with all that cannot be said in these files"""
        self.common()
        (self.images if self.convolutions() else self.sequences)()
        if self.problems:
            raise GraphError(*(f"{self.graph.path}: {problem}" for problem in self.problems))
        directory = pathlib.Path(directory)
        (directory / "config.json").write_text(json.dumps(self.config, indent=1) + "\n")
        safetensors.save({name: np.asarray(tensor, np.float32) for name, tensor in self.tensors.items()},
                         directory / "model.safetensors")

    def common(self):
        layers, encoder = self.encoder.layers, self.encoder
        norms = [norm for layer in layers for norm in (layer.norm1, layer.norm2)]
        norms += [norm for norm in (encoder.final_norm, encoder.embedding_norm) if norm]
        attentions = [layer.mixing for layer in layers if hasattr(layer.mixing, "heads")]
        transforms = [layer.mixing for layer in layers if not hasattr(layer.mixing, "heads")]
        self.pre = one_of("the place of the norm", [layer.pre for layer in layers], self.problems)
        self.activation = one_of("the activation", [layer.feed.activation for layer in layers], self.problems)
        self.epsilon = one_of("the epsilon of norms", [norm.epsilon for norm in norms], self.problems)
        self.heads = one_of("the number of heads", [mixing.heads for mixing in attentions], self.problems)
        self.fft_norm = one_of("the scale of transforms", [mixing.norm for mixing in transforms], self.problems)
        one_of("the size of the feed-forward network", [len(layer.feed.up.weight) for layer in layers], self.problems)

    def convolutions(self):
        cone = self.recogniser.cone(self.encoder.embedding, lambda value: False)[0]
        return [value for value in cone.values() if value.node.op_type == "Conv"]

    # ---- sequences of tokens, or of vectors
    def sequences(self):
        encoder, layers = self.encoder, self.encoder.layers
        self.config |= {"model_type": "transformer_encoder", "norm_first": self.pre, "activation": self.activation,
                        "layer_norm_eps": self.epsilon, "tokens": encoder.embedding.array.shape[1 if encoder.batch_first else 0],
                        "pooling": encoder.pooling}
        if self.heads:
            self.config["nhead"] = self.heads
        if self.fft_norm:
            self.config["fft_norm"] = self.fft_norm
        for i, layer in enumerate(layers):
            name = f"layers.{i}."
            if hasattr(layer.mixing, "heads"):
                for part, linear in zip(("q_proj", "k_proj", "v_proj"), layer.mixing.projections):
                    self.pair(f"{name}self_attn.{part}", linear)
                self.pair(name + "self_attn.out_proj", layer.mixing.output)
            for part, of in (("linear1", layer.feed.up), ("linear2", layer.feed.down), ("norm1", layer.norm1),
                             ("norm2", layer.norm2)):
                self.pair(name + part, of)
        if encoder.final_norm:
            self.pair("norm", encoder.final_norm)
        self.embedding(encoder.embedding)
        self.module("embedding_norm", encoder.embedding_norm)
        self.module("embedding_projection", encoder.projection)
        self.module("classifier", encoder.classifier)
        self.module("pooler", encoder.pooler)

    def terms(self, value, scale=1.0):
        """(value, factor) of the sum that the value is."""
        value = self.recogniser.strip(value)
        operands = self.graph.inputs_of(value)
        if value.inputs and value.node is not None and value.node.op_type == "Add":
            return [term for operand in operands for term in self.terms(operand, scale)]
        if value.inputs and value.node is not None and value.node.op_type in ("Mul", "Div") and len(operands) == 2:
            for one, other in (operands, operands[::-1]):
                if one.constant and one.array.size == 1 and (value.node.op_type == "Mul" or one is operands[1]):
                    factor = float(one.array.reshape(-1)[0])
                    return self.terms(other, scale * (factor if value.node.op_type == "Mul" else 1 / factor))
        return [(value, scale)]

    def embedding(self, value):
        """Tables of tokens, and of their types; what is the same for every sequence is the position."""
        if value.node is None:
            if value.name not in [given.name for given in self.graph.graph.input]:
                self.problems.append(f"not supported: '{value.name}' is no input")
            return
        def by_sequence(array):
            return array if self.encoder.batch_first else array.swapaxes(0, 1)

        shape = value.array.shape
        tables, position = [], np.zeros(by_sequence(value.array).shape[1:])
        for term, scale in self.terms(value):
            if term.constant:
                part = by_sequence(scale * np.broadcast_to(term.array, shape))
                if not (part == part[:1]).all():
                    self.problems.append(f"not supported: '{term.name}' differs between the sequences of a batch")
                position = position + part[0]
            elif term.node is not None and term.node.op_type == "Gather" and self.graph.inputs_of(term)[0].constant:
                table, index = self.graph.inputs_of(term)
                tables.append((scale * table.array, index.array))
            else:
                self.problems.append(f"not supported: {self.recogniser.where(term)} in the embedding, expected rows of "
                                     "constant tables and their sum")
        tables.sort(key=lambda pair: len(pair[0]), reverse=True)
        if self.problems or not tables or len(tables) > 2 or any(table.ndim != 2 for table, _ in tables):
            self.problems = self.problems or [f"not supported: an embedding of {len(tables)} tables, expected one of "
                                              "tokens, and perhaps one of their types"]
            return
        total = by_sequence(sum(table[index.astype(int)] for table, index in tables))
        if not close(total + position, by_sequence(value.array)):
            self.problems.append(f"not supported: {self.recogniser.where(value)} is no sum of rows of tables")
        self.config["token_embedding"], self.config["position_embedding"] = "tokens", "positions"
        self.tensors["tokens.weight"], self.tensors["positions.weight"] = tables[0][0], position
        if len(tables) == 2:
            self.config["token_type_embedding"] = "types"
            self.tensors["types.weight"] = tables[1][0]

    # ---- images
    def images(self):
        """As ViT: a convolution over patches, and a token in front of them."""
        encoder, embedding = self.encoder, self.encoder.embedding
        convolution, *more = self.convolutions()
        image = self.graph.inputs_of(convolution)[0]
        kernel = self.graph.inputs_of(convolution)[1].array
        made = convolution.array.reshape(*convolution.array.shape[:2], -1).transpose(0, 2, 1)
        if not self.pre or encoder.final_norm is None or not self.heads or self.fft_norm:
            self.problems.append("not supported: an image without pre-norm, final norm and attention in every layer")
        if encoder.pooler or encoder.pooling != "first" or encoder.embedding_norm or more:
            self.problems.append("not supported: a network of images with a pooler, with the mean of its tokens, with a "
                                 "norm of its embedding or with several convolutions")
        rest = embedding.array[:, 1:] - made if embedding.array.shape[1] == made.shape[1] + 1 else None
        if image.node is not None or rest is None or not close(rest, np.broadcast_to(rest[:1], rest.shape)):
            self.problems.append("not supported: an embedding of images other than a convolution of the input over "
                                 "patches, a class token in front of them, and positions")
            return
        positions = np.concatenate([np.zeros((1, made.shape[2])), rest[0]])
        if len(self.graph.inputs_of(convolution)) > 2:
            self.tensors["embeddings.patch_embeddings.projection.bias"] = self.graph.inputs_of(convolution)[2].array
        self.tensors |= {"embeddings.patch_embeddings.projection.weight": kernel,
                         "embeddings.cls_token": embedding.array[:1, :1],
                         "embeddings.position_embeddings": positions[None]}
        self.config |= {"model_type": "vit", "hidden_size": len(kernel), "num_hidden_layers": len(encoder.layers),
                        "intermediate_size": len(encoder.layers[0].feed.up.weight), "num_attention_heads": self.heads,
                        "hidden_act": self.activation, "layer_norm_eps": self.epsilon,
                        "image_size": list(image.array.shape[2:]), "patch_size": list(kernel.shape[2:]),
                        "num_channels": kernel.shape[1]}
        for i, layer in enumerate(encoder.layers):
            name = f"encoder.layer.{i}."
            for part, linear in zip(("query", "key", "value"), getattr(layer.mixing, "projections", ())):
                self.pair(f"{name}attention.attention.{part}", linear)
            for part, of in (("attention.output.dense", getattr(layer.mixing, "output", None)),
                             ("intermediate.dense", layer.feed.up), ("output.dense", layer.feed.down),
                             ("layernorm_before", layer.norm1), ("layernorm_after", layer.norm2)):
                if of is not None:
                    self.pair(name + part, of)
        if encoder.final_norm:
            self.pair("layernorm", encoder.final_norm)
        if encoder.classifier:
            self.pair("classifier", encoder.classifier)
