# SPDX-License-Identifier: Apache-2.0
"""Recognises an encoder in a graph, from its outputs back to its inputs."""
import itertools
import math

import numpy as np

from .graph import ACTIVATIONS, GraphError, layer_norm, softmax

# Operators that give the numbers of their first input in the same order, along the last axis at least.
SAME = ("Identity", "Cast", "Dropout", "Reshape", "Flatten", "Unsqueeze", "Squeeze", "Expand")
NORM_DEPTH = 8  # operators from the output of a norm to the mean of its input, at most
TRANSFORM_TOLERANCE = 1e-4  # of one made of matrices of fp32
EPSILONS = (1e-12, 1e-6, 1e-5, 1e-7, 1e-8, 1e-3, 1e-10, 1e-9, 1e-4)


def close(got, want, tolerance=1e-5):
    """The constants of a graph are of fp32, and the order of operations is the exporter's."""
    if got.size != want.size:
        return False
    difference = np.linalg.norm(got.reshape(-1) - want.reshape(-1))
    return bool(difference <= tolerance * (np.linalg.norm(want) + 1e-30))


def rounded(number):
    """The shortest decimal number of this fp32 number."""
    return float(str(np.float32(number)))


class Linear:
    """value = of @ weight.T + bias, weight [outputs, inputs]."""

    def __init__(self, of, weight, bias):
        self.of, self.weight = of, weight
        self.bias = np.zeros(len(weight)) if bias is None else np.broadcast_to(bias.reshape(-1), len(weight))


class Norm:
    def __init__(self, of, weight, bias, epsilon):
        self.of, self.weight, self.bias, self.epsilon = of, weight, bias, epsilon


class Attention:
    def __init__(self, of, projections, output, heads):
        """projections: query, key, value as Linear."""
        self.of, self.projections, self.output, self.heads = of, projections, output, heads


class Transform:
    def __init__(self, of, norm):
        self.of, self.norm = of, norm


class Feed:
    def __init__(self, of, up, down, activation):
        self.of, self.up, self.down, self.activation = of, up, down, activation


class Layer:
    def __init__(self, mixing, feed, norm1, norm2, pre):
        self.mixing, self.feed, self.norm1, self.norm2, self.pre = mixing, feed, norm1, norm2, pre


class Encoder:
    """layers, final_norm, embedding_norm, projection: parts; embedding: Value; classifier, pooler: Linear; pooling."""

    def __init__(self):
        self.layers, self.final_norm, self.embedding_norm, self.projection = [], None, None, None
        self.embedding = self.classifier = self.pooler = None
        self.pooling = "first"
        self.left_out = []


class Recogniser:
    def __init__(self, graph):
        self.graph, self.found = graph, {}

    # ---- values
    def strip(self, value):
        """Goes back through operators that change no number and keep the last axis, though perhaps not the order of the
        others: layers of PyTorch take tokens first."""
        while value.node is not None and value.node.op_type in (*SAME, "Transpose"):
            before = self.graph.of(value.node.input[0])
            if before.array.size != value.array.size or before.array.shape[-1:] != value.array.shape[-1:]:
                break
            if value.node.op_type == "Transpose" and self.order_of(value) != [1, 0, 2]:
                break
            value = before
        return value

    @staticmethod
    def order_of(transpose):
        return [axis for a in transpose.node.attribute if a.name == "perm" for axis in a.ints]

    def by_sequence(self, array):
        """[batch, tokens, values] of a value of the stack."""
        array = array if array.ndim == 3 else array.reshape(*self.leading, array.shape[-1])
        return array if self.batch_first else array.transpose(1, 0, 2)

    def same(self, a, b):
        return self.strip(a) is self.strip(b)

    def cone(self, value, stop):
        """All values that `value` is made of, up to those for which stop(value) holds, which are the second set."""
        inside, ends, open_values = {}, {}, [value]
        while open_values:
            value = open_values.pop()
            if value.name in inside or value.name in ends:
                continue
            if value.constant or value.node is None or stop(value):
                ends[value.name] = value
                continue
            inside[value.name] = value
            open_values += self.graph.inputs_of(value)
        return inside, ends

    @staticmethod
    def where(value):
        node = value.node
        return f"'{value.name}'" if node is None else f"{node.op_type} '{node.name or value.name}'"

    def fail(self, value, expected):
        raise GraphError(f"{self.graph.path}: {self.where(value)}: expected {expected}")

    # ---- parts
    def once(self, recognise, value):
        """What recognise(value) gives, worked out once for each value."""
        key = recognise.__name__, value.name
        if key not in self.found:
            self.found[key] = recognise(value)
        return self.found[key]

    def linear(self, value):
        """Linear, or None: a product with a constant matrix, and perhaps the addition of a constant vector."""
        return self.once(self.find_linear, self.strip(value))

    def norm(self, value):
        """Norm, or None."""
        return self.once(self.find_norm, self.strip(value))

    def find_linear(self, value):
        bias = None
        if value.node is not None and value.node.op_type == "Add":
            for one, other in itertools.permutations(self.graph.inputs_of(value)):
                if one.constant and other.inputs and one.array.size in (1, value.array.shape[-1]):
                    bias, value = one.array, self.strip(other)
                    break
        node = value.node
        if node is None or node.op_type not in ("MatMul", "Gemm"):
            return None
        x, matrix, *more = self.graph.inputs_of(value)
        if x.constant or not matrix.constant or matrix.array.ndim != 2:
            return None
        weight = matrix.array.T
        if node.op_type == "Gemm":
            attributes = {a.name: (a.f, a.i) for a in node.attribute}
            if attributes.get("transA", (0, 0))[1]:
                return None
            if attributes.get("transB", (0, 0))[1]:
                weight = matrix.array
            weight = weight * attributes.get("alpha", (1.0, 0))[0]
            if more:
                given = more[0].array.reshape(-1) * attributes.get("beta", (1.0, 0))[0]
                bias = given if bias is None else bias + given
        return Linear(self.strip(x), weight, bias)

    def find_norm(self, value):
        size = value.array.shape[-1] if value.array.ndim else 0
        if value.node is None or size < 2:
            return None
        if value.node.op_type == "LayerNormalization":
            x, weight, *more = self.graph.inputs_of(value)
            bias = more[0].array if more else np.zeros(size)
            given = [a.f for a in value.node.attribute if a.name == "epsilon"]
            found = Norm(self.strip(x), weight.array, bias, rounded(given[0]) if given else 1e-5)
            return found if close(layer_norm(x.array, found.weight, found.bias, found.epsilon), value.array) else None
        means = self.means_near(value)

        def stop(v):
            return any(v is x for x in means)

        for x in means:
            ends = self.cone(value, stop)[1].values()
            vectors = [end.array.reshape(-1) for end in ends if end.constant and end.array.size == size]
            numbers = [float(end.array.reshape(-1)[0]) for end in ends if end.constant and end.array.size == 1]
            found = self.norm_of(value.array, x, vectors, [e for e in numbers if 0 < e < 0.01] + list(EPSILONS))
            if found:
                found.of = self.strip(x)
                return found
        return None

    def means_near(self, value):
        """The values of this shape whose mean the value may be a norm with, nearest first."""
        elementwise = ("Add", "Sub", "Mul", "Div", "Pow", "Sqrt", "Reciprocal", "ReduceMean", "Cast", "Identity", "Neg")
        level, means = [value], []
        for _ in range(NORM_DEPTH):
            level = [v for v in level if v.node is not None and v.inputs and v.node.op_type in elementwise]
            for v in level:
                of = self.graph.inputs_of(v)[0]
                if v.node.op_type == "ReduceMean" and of.array.shape == value.array.shape:
                    means.append(of)
            level = [before for v in level for before in self.graph.inputs_of(v)]
        return means

    @staticmethod
    def norm_of(result, x, vectors, epsilons):
        size = result.shape[-1]
        pairs = list(itertools.permutations(vectors, 2)) + [(v, np.zeros(size)) for v in vectors]
        pairs += [(v, v) for v in vectors] + [(np.ones(size), np.zeros(size))]
        for weight, bias in pairs:
            for epsilon in epsilons:
                if close(layer_norm(x.array, weight, bias, epsilon), result):
                    return Norm(x, weight, bias, rounded(epsilon))
        return None

    def activation(self, value):
        """(its name, the value that it is of), or None."""
        value = self.strip(value)
        inside, ends = self.cone(value, lambda v: self.linear(v) is not None)
        before = [self.strip(end) for end in ends.values() if end.inputs]
        if len(before) != 1 or before[0].array.size != value.array.size:
            return None
        for name, function in ACTIVATIONS.items():
            if close(function(before[0].array), value.array):
                return name, before[0]
        return None

    def feed(self, value):
        down = self.linear(value)
        found = down and self.activation(down.of)
        up = found and self.linear(found[1])
        return Feed(up.of, up, down, found[0]) if up else None

    def attention(self, value):
        output = self.linear(value)
        if output is None:
            return None
        inside, ends = self.cone(output.of, lambda v: self.linear(v) is not None)
        softmaxes = [v for v in inside.values() if v.node.op_type == "Softmax"]
        linears = [self.linear(end) for end in ends.values() if end.inputs and self.linear(end)]
        if len(softmaxes) != 1 or len(linears) not in (1, 3) or any(l.of is not linears[0].of for l in linears):
            return None
        x, size = linears[0].of, output.weight.shape[1]
        if len(linears) == 1:
            weight, bias = linears[0].weight, linears[0].bias
            if len(weight) != 3 * size:
                return None
            linears = [Linear(x, weight[i * size:(i + 1) * size], bias[i * size:(i + 1) * size]) for i in range(3)]
        if any(len(l.weight) != size for l in linears):
            return None
        if x.array.ndim != 3:
            return None
        of = self.by_sequence(x.array)
        batch, tokens = of.shape[:2]
        heads = softmaxes[0].array.size // (batch * tokens * tokens)
        if heads < 1 or size % heads != 0:
            return None
        made = [(of @ l.weight.T + l.bias).reshape(batch, tokens, heads, -1).transpose(0, 2, 1, 3) for l in linears]
        for order in itertools.permutations(range(3)):
            q, k, v = (made[i] for i in order)
            mixed = softmax(q @ k.transpose(0, 1, 3, 2) / math.sqrt(size // heads), -1) @ v
            mixed = mixed.transpose(0, 2, 1, 3)
            # In the order of sequences, or of tokens.
            if close(mixed, output.of.array) or close(mixed.transpose(1, 0, 2, 3), output.of.array):
                return Attention(x, [linears[i] for i in order], output, heads)
        self.fail(output.of, f"attention of {heads} heads, softmax(q k / sqrt({size // heads})) v, over all tokens")

    def transform(self, value, candidates):
        for x in candidates:
            if x.array.ndim == 3 and x.array.shape == value.array.shape:
                for norm in ("backward", "ortho"):
                    made = np.fft.fft2(self.by_sequence(x.array), axes=(1, 2), norm=norm).real
                    if close(made, self.by_sequence(value.array), TRANSFORM_TOLERANCE):
                        return Transform(self.strip(x), norm)
        return None

    # ---- layers
    def residuals(self, value):
        """(residual, sublayer) in both orders, if the value is a sum of the two."""
        value = self.strip(value)
        if value.node is None or value.node.op_type != "Add":
            return []
        pair = self.graph.inputs_of(value)
        if any(v.constant or v.array.size != value.array.size for v in pair):
            return []
        # A bias that is added last: (r + product) + bias is not how exporters write it.
        return list(itertools.permutations(pair))

    def sublayer(self, value, kinds):
        """(residual, part): the sum of a residual and of a part that is made of it or of its norm."""
        for residual, sub in self.residuals(value):
            for kind in kinds:
                if kind == self.transform:
                    norm = self.norms_of(sub, residual)
                    part = self.transform(sub, [residual] + norm)
                else:
                    part = kind(sub)
                if part is not None and self.is_input(part, residual):
                    return self.strip(residual), part
        return None

    def norms_of(self, value, residual):
        """Norms of the residual that the value is made of."""
        inside, ends = self.cone(value, lambda v: self.same(v, residual))
        return [v for v in inside.values() if v.array.shape == value.array.shape and (n := self.norm(v)) is not None
                and self.same(n.of, residual)]

    def is_input(self, part, residual):
        if self.same(part.of, residual):
            return True
        norm = self.norm(part.of)
        return norm is not None and self.same(norm.of, residual)

    def layer_before(self, value):
        """(layer, the value that it is of) of which the value is the output, or None."""
        mixings = (self.attention, self.transform)
        norm2 = self.norm(value)
        second = norm2 and self.sublayer(norm2.of, (self.feed,))
        if second and self.same(second[1].of, second[0]):
            norm1 = self.norm(second[0])
            first = norm1 and self.sublayer(norm1.of, mixings)
            if not first:
                self.fail(second[0], "a norm of the sum of a residual and of attention or a transform of it")
            return Layer(first[1], second[1], norm1, norm2, False), first[0]
        second = self.sublayer(value, (self.feed,))
        if not second:
            return None
        norm2 = self.norm(second[1].of)
        first = self.sublayer(second[0], mixings)
        if not norm2 or not first or not (norm1 := self.norm(first[1].of)):
            self.fail(second[0], "the sum of a residual and of attention or a transform of its norm")
        return Layer(first[1], second[1], norm1, norm2, True), first[0]

    def stack(self, value):
        """Encoder whose output the value is, or None. The first axis is that of sequences, or else of tokens."""
        value = self.strip(value)
        if value.array.ndim != 3:
            return None
        self.leading = value.array.shape[:2]
        problem = None
        for self.batch_first in (True, False):
            try:
                return self.layers_of(value)
            except GraphError as error:
                problem = problem or error
        raise problem

    def layers_of(self, value):
        encoder = Encoder()
        found = self.layer_before(value)
        if found is None:
            encoder.final_norm = self.norm(value)
            found = encoder.final_norm and self.layer_before(encoder.final_norm.of)
        while found:
            layer, value = found
            encoder.layers.insert(0, layer)
            found = self.layer_before(value)
        if not encoder.layers:
            return None
        projection = self.linear(value)
        if projection and (norm := self.norm(projection.of)):
            encoder.projection, encoder.embedding_norm, value = projection, norm, norm.of
        elif norm := self.norm(value):
            encoder.embedding_norm, value = norm, norm.of
        encoder.embedding, encoder.batch_first = self.strip(value), self.batch_first
        return encoder

    def first_token(self, value):
        """The value whose row 0 of axis 1 this one is, or None."""
        row = value
        value = self.strip(value)
        while value.node is not None and value.node.op_type in (*SAME, "Gather", "Slice"):
            before = self.graph.of(value.node.input[0])
            if before.array.ndim == 3 and before.array.shape[1] > 1:
                return self.strip(before) if close(before.array[:, 0], row.array) else None
            value = before
        return None

    def mean_of_tokens(self, value):
        for before in self.cone(value, lambda v: v.array.ndim == 3)[1].values():
            if before.inputs and before.array.ndim == 3 and close(before.array.mean(1), value.array):
                return self.strip(before)
        return None

    def with_head(self, value):
        """Encoder with a classifier whose logits the value is, or None."""
        classifier = self.linear(value)
        if classifier is None or value.array.ndim != 2:
            return None
        pooled, pooler = classifier.of, None
        if pooled.node is not None and pooled.node.op_type == "Tanh":
            pooler = self.linear(self.graph.inputs_of(pooled)[0])
            pooled = pooler.of if pooler else pooled
        tokens, pooling = self.first_token(pooled), "first"
        if tokens is None and (norm := self.norm(pooled)) and (tokens := self.first_token(norm.of)):
            # The final norm of the first token alone is that of all tokens.
            encoder = self.stack(tokens)
            if encoder:
                encoder.final_norm = norm
        else:
            if tokens is None:
                tokens, pooling = self.mean_of_tokens(pooled), "mean"
            encoder = tokens and self.stack(tokens)
        if encoder:
            encoder.classifier, encoder.pooler, encoder.pooling = classifier, pooler, pooling
        return encoder


def recognise(graph):
    """The encoder of the graph. Of several outputs, logits are preferred to the tokens. @throws GraphError"""
    recogniser, problems, best = Recogniser(graph), [], None
    outputs = graph.outputs()
    for value in outputs:
        for kind in (recogniser.with_head, recogniser.stack):
            try:
                encoder = kind(value)
            except GraphError as error:
                problems += [problem for problem in error.problems if problem not in problems]
                continue
            if encoder and (best is None or (encoder.classifier is not None) > (best[0].classifier is not None)):
                best = encoder, value
    if best is None:
        raise GraphError(*(problems or [f"{graph.path}: no encoder was found: the outputs "
                                        f"{', '.join(repr(v.name) for v in outputs)} are neither tokens nor logits of "
                                        "layers of attention or transforms, each followed by a feed-forward network"]))
    encoder, used = best
    encoder.left_out = [f"output '{value.name}' of the graph" for value in outputs if value is not used]
    return encoder
