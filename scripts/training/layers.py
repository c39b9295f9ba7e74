# SPDX-License-Identifier: Apache-2.0
"""Hybrid networks in PyTorch: what the platform computes, in fp32 and with gradients.

A network is described by the platform's own section `network` (docs/scenario.md), as a dictionary with all keys that matter
here; `complete` adds the platform's defaults. The names of the parameters are those of `run.weights`
(docs/your_network.md), so that `state_dict()` is what the platform reads.

    network = Network(complete({"tokens": 64, "hidden": 64, "heads": 4, "ffn": 128, "vocabulary": 17, "classes": 10,
                                "variant": "hybrid", "depth": 3, "attention_layers": 1}))
    logits = network(tokens)           # [batch, classes]
"""
import math

import torch
from torch import nn
from torch.nn import functional

DEFAULTS = {"heads": 1, "norm": "post", "fft_norm": "ortho", "fft_length": "exact", "activation": "gelu", "epsilon": 1e-5,
            "vocabulary": 0, "classes": 0, "pooling": "first"}


def layers_of(variant, depth, attention_layers=None):
    """The layers that the platform makes of `variant`, `depth` and `attention_layers`."""
    mixing = {"mixing": "fft2d", "ffn": "butterfly"}
    attention = {"mixing": "attention", "projections": "butterfly", "ffn": "butterfly"}
    dense = {"mixing": "attention", "projections": "dense", "ffn": "dense"}
    if variant == "hybrid":
        last = depth // 2 if attention_layers is None else attention_layers
        return [mixing] * (depth - last) + [attention] * last
    return [{"dense": dense, "butterfly_linear": attention, "butterfly": mixing}[variant]] * depth


def complete(network):
    """The description with the defaults of keys that are not given, and with its layers one by one."""
    described = {**DEFAULTS, **network}
    if "layers" in network:
        described["layers"] = [{key: value for key, value in layer.items() if key != "repeat"}
                               for layer in network["layers"] for _ in range(layer.get("repeat", 1))]
    else:
        described["layers"] = layers_of(network["variant"], network["depth"], network.get("attention_layers"))
    return described


def next_power_of_two(n):
    return 1 << (n - 1).bit_length()


def rounded(parameter):
    """The parameter as fp16 has it, finite; gradients pass as if it had not been rounded."""
    limit = torch.finfo(torch.float16).max
    with torch.no_grad():
        difference = parameter.clamp(-limit, limit).half().float() - parameter
    return parameter + difference


class Dense(nn.Module):
    """y = x weightᵀ + bias."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / math.sqrt(inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def matrix(self):
        """[outputs, inputs], as fp16 has it."""
        return rounded(self.weight)

    def forward(self, x):
        return functional.linear(x, self.matrix(), rounded(self.bias))


class Butterfly(nn.Module):
    """The product of log2 n sparse factors in the place of a matrix; twiddle [stacks, log2 n, n/2, 2, 2].

    n is the next power of two of the inputs, which are padded with zeros. Factor k joins the points i and i + 2^k, k = 0
    first. Each stack is such a product of its own; their outputs, side by side, are cut to `outputs`."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        self.points = next_power_of_two(inputs)
        self.factors = (inputs - 1).bit_length()
        stacks = -(-outputs // self.points)
        # Rotations by random angles keep the length of a vector; the padding is made up for, so that outputs keep the scale
        # of inputs.
        angle = 2 * math.pi * torch.rand(stacks, self.factors, self.points // 2)
        cosine, sine = angle.cos(), angle.sin()
        twiddle = torch.stack([torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1)], -2)
        self.twiddle = nn.Parameter(twiddle * (self.points / inputs) ** (0.5 / max(self.factors, 1)))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("places", self.places_of_weights(), persistent=False)

    def places_of_weights(self):
        """[factors, n/2 · 4]: where the weights of a factor stand in its matrix, rows one after the other."""
        places = []
        for k in range(self.factors):
            stride, pair = 1 << k, torch.arange(self.points // 2)
            low = 2 * stride * (pair // stride) + pair % stride
            ends = torch.stack([low, low + stride], -1)
            places.append((ends[:, :, None] * self.points + ends[:, None, :]).reshape(-1))
        return torch.stack(places)

    def matrix(self):
        """[outputs, inputs]: the product of the factors, whose weights are as fp16 has them."""
        stacks, n = self.twiddle.shape[0], self.points
        weights = rounded(self.twiddle).reshape(stacks, self.factors, -1)
        factors = torch.zeros(stacks, self.factors, n * n).scatter(2, self.places.expand(stacks, -1, -1), weights)
        factors = factors.view(stacks, self.factors, n, n).unbind(1)
        product = factors[0]
        for factor in factors[1:]:
            product = factor @ product
        return product.reshape(stacks * n, n)[:self.outputs, :self.inputs]

    def forward(self, x):
        return functional.linear(x, self.matrix(), rounded(self.bias))


def linear(kind, inputs, outputs):
    return {"dense": Dense, "butterfly": Butterfly}[kind](inputs, outputs)


class LayerNorm(nn.Module):
    def __init__(self, width, epsilon):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.epsilon = epsilon

    def forward(self, x):
        return functional.layer_norm(x, self.bias.shape, rounded(self.weight), rounded(self.bias), self.epsilon)


class Fourier(nn.Module):
    """The real part of the Fourier transform over tokens and hidden size. It has no parameters."""

    def __init__(self, network):
        super().__init__()
        self.normalisation = {"ortho": "ortho", "none": "backward"}[network["fft_norm"]]
        self.padded = network["fft_length"] == "power_of_two"

    def forward(self, x):
        tokens, hidden = x.shape[-2:]
        points = (next_power_of_two(tokens), next_power_of_two(hidden)) if self.padded else (tokens, hidden)
        return torch.fft.fft2(x, s=points, norm=self.normalisation).real[..., :tokens, :hidden]


def block_mask(tokens, size, key_blocks):
    """[tokens, tokens]: which query sees which key, of lists of blocks of keys, one for each block of queries."""
    seen = torch.zeros(tokens // size, tokens // size, dtype=torch.bool)
    for block, keys in enumerate(key_blocks):
        seen[block, list(keys)] = True
    return seen.repeat_interleave(size, 0).repeat_interleave(size, 1)


def listed_blocks(text):
    """The lists of `key_blocks`: "0, 0 2, 1-3"."""
    def blocks(part):
        for word in part.split():
            first, _, last = word.partition("-")
            yield from range(int(first), int(last or first) + 1)
    return [list(blocks(part)) for part in text.split(",")]


def seen_keys(layer, tokens):
    """[tokens, tokens]: which query sees which key; None: all do, or it is chosen by the data."""
    place = torch.arange(tokens)
    if layer["mixing"] == "window":
        globals_ = place < layer.get("global_tokens", 0)
        near = (place[:, None] - place).abs() <= layer.get("window", 128)
        return near | globals_[:, None] | globals_
    if layer["mixing"] == "blocks":
        size, pattern = layer.get("block_tokens", 64), layer.get("key_blocks", "butterfly")
        if pattern != "butterfly":
            return block_mask(tokens, size, listed_blocks(pattern))
        count = tokens // size
        return block_mask(tokens, size, [[j for j in range(count) if bin(i ^ j).count("1") <= 1] for i in range(count)])
    return None


class Attention(nn.Module):
    """softmax(q kᵀ / √width) v in each head, then the output projection; of keys that a query does not see nothing."""

    def __init__(self, network, layer):
        super().__init__()
        kind = layer.get("projections", "butterfly")
        self.register_buffer("seen", seen_keys(layer, network["tokens"]), persistent=False)
        self.block, self.top = layer.get("block_tokens", 64), layer.get("top_blocks", 4) if layer["mixing"] == "topk" else 0
        hidden = network["hidden"]
        self.heads = network["heads"]
        self.query, self.key, self.value, self.output = (linear(kind, hidden, hidden) for _ in range(4))

    def forward(self, x):
        batch, tokens, hidden = x.shape
        inward = (self.query, self.key, self.value)
        # One product for all three.
        parts = functional.linear(x, torch.cat([part.matrix() for part in inward]),
                                  torch.cat([rounded(part.bias) for part in inward]))
        query, key, value = parts.view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = query / math.sqrt(hidden // self.heads) @ key.transpose(-1, -2)
        seen = self.chosen(query, key) if self.top else self.seen
        weights = (scores if seen is None else scores.masked_fill(~seen, -math.inf)).softmax(-1)
        return self.output((weights @ value).transpose(1, 2).reshape(batch, tokens, hidden))


    def chosen(self, query, key):
        """[batch, heads, tokens, tokens]: the blocks of keys with the highest products of means. No gradient passes through
        the choice."""
        with torch.no_grad():
            means = [x.unflatten(2, (-1, self.block)).mean(3) for x in (query, key)]
            scores = means[0] @ means[1].transpose(-1, -2)
            # Of equal scores the first, as a stable order has them.
            order = scores.sort(dim=-1, descending=True, stable=True).indices[..., :self.top]
            blocks = torch.zeros_like(scores, dtype=torch.bool).scatter(-1, order, True)
            return blocks.repeat_interleave(self.block, -1).repeat_interleave(self.block, -2)


class FeedForward(nn.Module):
    def __init__(self, network, kind):
        super().__init__()
        self.up = linear(kind, network["hidden"], network["ffn"])
        self.down = linear(kind, network["ffn"], network["hidden"])
        self.activation = {"gelu": functional.gelu, "relu": functional.relu}[network["activation"]]

    def forward(self, x):
        return self.down(self.activation(self.up(x)))


class EncoderLayer(nn.Module):
    def __init__(self, network, layer):
        super().__init__()
        self.norm1, self.norm2 = (LayerNorm(network["hidden"], network["epsilon"]) for _ in range(2))
        self.before = network["norm"] == "pre"
        # The name is that of the parameters, and the Fourier transform has none.
        self.attention = (Fourier(network) if layer["mixing"] == "fft2d"
                          else Attention(network, layer))
        self.ffn = FeedForward(network, layer.get("ffn", "butterfly"))

    def forward(self, x):
        if self.before:
            x = x + self.attention(self.norm1(x))
            return x + self.ffn(self.norm2(x))
        x = self.norm1(x + self.attention(x))
        return self.norm2(x + self.ffn(x))


class Embedding(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.token = nn.Parameter(torch.randn(network["vocabulary"], network["hidden"]))
        self.position = nn.Parameter(torch.randn(network["tokens"], network["hidden"]))

    def forward(self, tokens):
        return functional.embedding(tokens, rounded(self.token)) + rounded(self.position)


class Network(nn.Module):
    """From token ids [batch, tokens] (or, without a vocabulary, values [batch, tokens, hidden]) to the logits
    [batch, classes] (or, without classes, to the encoder's output)."""

    def __init__(self, network):
        super().__init__()
        self.described = network
        if network["vocabulary"]:
            self.embedding = Embedding(network)
        self.layers = nn.ModuleList(EncoderLayer(network, layer) for layer in network["layers"])
        if network["norm"] == "pre":
            self.final_norm = LayerNorm(network["hidden"], network["epsilon"])
        if network["classes"]:
            self.classifier = Dense(network["hidden"], network["classes"])

    def encode(self, x):
        """The input of the first layer, the outputs of all layers, and the output of the encoder."""
        if self.described["vocabulary"]:
            x = self.embedding(x)
        stages = [x]
        for layer in self.layers:
            stages.append(layer(stages[-1]))
        return stages, self.final_norm(stages[-1]) if self.described["norm"] == "pre" else stages[-1]

    def forward(self, x):
        _, x = self.encode(x)
        if not self.described["classes"]:
            return x
        return self.classifier(x[:, 0] if self.described["pooling"] == "first" else x.mean(1))

    def tensors(self):
        """The parameters as the accelerator has them: names -> fp16 arrays."""
        return {name: rounded(parameter).detach().half().numpy() for name, parameter in self.named_parameters()}
