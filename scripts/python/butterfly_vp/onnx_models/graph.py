# SPDX-License-Identifier: Apache-2.0
"""An ONNX graph, evaluated with NumPy on drawn inputs: each value with its numbers, and where it comes from."""
import math
import pathlib

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

LARGEST_VALUE = 1 << 28  # elements: a graph that makes a larger one is refused instead of filling the memory


class GraphError(ValueError):
    """Sentences on all that stands in the way."""

    def __init__(self, *problems):
        super().__init__("\n".join(problems))
        self.problems = problems


erf = np.vectorize(math.erf, otypes=[float])


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def layer_norm(x, gain=1.0, shift=0.0, epsilon=1e-5):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x ** 2).mean(-1, keepdims=True) + epsilon) * gain + shift


ACTIVATIONS = {"gelu": lambda x: x * (1 + erf(x / math.sqrt(2))) / 2,
               "gelu_new": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))),
               "relu": lambda x: np.maximum(x, 0), "tanh": np.tanh}


def axes_of(inputs, attributes):
    """Axes are an attribute in older operator sets and an input in newer ones."""
    if len(inputs) > 1 and inputs[1] is not None:
        return tuple(int(axis) for axis in inputs[1])
    return tuple(attributes["axes"]) if "axes" in attributes else None


def reduce_with(function):
    return lambda i, a: function(i[0], axis=axes_of(i, a), keepdims=bool(a.get("keepdims", 1)))


def slice_of(inputs, attributes):
    data = inputs[0]
    if len(inputs) == 1:
        starts, ends, axes, steps = attributes["starts"], attributes["ends"], attributes.get("axes"), None
    else:
        starts, ends = inputs[1], inputs[2]
        axes = inputs[3] if len(inputs) > 3 else None
        steps = inputs[4] if len(inputs) > 4 else None
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    index = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps):
        start, end, step = int(start), int(end), int(step)
        index[int(axis)] = slice(start, None if step < 0 and end < -data.shape[int(axis)] else end, step)
    return data[tuple(index)]


def reshape(inputs, attributes):
    shape = [int(size) for size in (inputs[1] if len(inputs) > 1 else attributes["shape"])]
    if not attributes.get("allowzero", 0):
        shape = [inputs[0].shape[axis] if size == 0 else size for axis, size in enumerate(shape)]
    return inputs[0].reshape(shape)


def unsqueeze(inputs, attributes):
    axes = axes_of(inputs, attributes)
    dimensions = inputs[0].ndim + len(axes)
    return np.expand_dims(inputs[0], tuple(sorted(axis % dimensions for axis in axes)))


def split(inputs, attributes):
    axis = attributes.get("axis", 0)
    sizes = inputs[1] if len(inputs) > 1 and inputs[1] is not None else attributes.get("split")
    if sizes is None:
        return np.split(inputs[0], attributes["outputs"], axis)
    return np.split(inputs[0], np.cumsum(sizes)[:-1].astype(int), axis)


def flatten(inputs, attributes):
    rows = math.prod(inputs[0].shape[:attributes.get("axis", 1)])
    return inputs[0].reshape(rows, -1)


def gemm(inputs, attributes):
    a = inputs[0].T if attributes.get("transA") else inputs[0]
    b = inputs[1].T if attributes.get("transB") else inputs[1]
    product = attributes.get("alpha", 1.0) * (a @ b)
    return product + attributes.get("beta", 1.0) * inputs[2] if len(inputs) > 2 else product


def convolution(inputs, attributes):
    """Of patches: the stride is the size of the kernel, and there is no padding."""
    images, kernel = inputs[0], inputs[1]
    (_, channels, height, width), size = images.shape, kernel.shape[2:]
    if (tuple(attributes.get("strides", (1, 1))) != size or any(attributes.get("pads", (0,))) or kernel.ndim != 4
            or any(d != 1 for d in attributes.get("dilations", (1,))) or attributes.get("group", 1) != 1):
        raise GraphError("Conv: only convolutions over patches are known, whose strides are the sizes of the kernel")
    rows, columns = height // size[0], width // size[1]
    cut = images[:, :, :rows * size[0], :columns * size[1]]
    cut = cut.reshape(-1, channels, rows, size[0], columns, size[1]).transpose(0, 2, 4, 1, 3, 5)
    made = cut.reshape(-1, rows, columns, kernel[0].size) @ kernel.reshape(len(kernel), -1).T
    return (made + (inputs[2] if len(inputs) > 2 else 0)).transpose(0, 3, 1, 2)


def transform(inputs, attributes):
    """DFT of real (last axis 1) or complex (last axis 2) values, without scale."""
    x = inputs[0][..., 0] if inputs[0].shape[-1] == 1 else inputs[0][..., 0] + 1j * inputs[0][..., 1]
    axis = int(inputs[2]) if len(inputs) > 2 and inputs[2] is not None else attributes.get("axis", 1)
    axis = axis - 1 if axis < 0 else axis  # an axis of `x` does not count the last one of the input
    length = int(inputs[1]) if len(inputs) > 1 and inputs[1] is not None else None
    y = (np.fft.ifft if attributes.get("inverse") else np.fft.fft)(x, length, axis)
    if attributes.get("onesided"):
        y = np.take(y, range(x.shape[axis] // 2 + 1), axis)
    return np.stack([y.real, y.imag], -1)


def cast(inputs, attributes):
    kind = onnx.mapping.TENSOR_TYPE_TO_NP_TYPE[attributes["to"]]
    # Floating-point numbers stay as they are: the graph is evaluated in float64.
    return inputs[0].astype(np.float64 if kind.kind == "f" else kind)


def constant(inputs, attributes):
    for name in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        if name in attributes:
            return np.asarray(attributes[name])
    raise GraphError("Constant: only tensors and numbers are known")


def constant_of_shape(inputs, attributes):
    value = np.asarray(attributes.get("value", 0.0)).reshape(-1)[:1]
    return np.broadcast_to(value, tuple(int(size) for size in inputs[0]))


def gather(inputs, attributes):
    axis = attributes.get("axis", 0)
    return np.take(inputs[0], inputs[1].astype(np.int64), axis)


def of_arrays(function):
    return lambda inputs, attributes: function(*inputs)


OPERATORS = {
    "Add": of_arrays(np.add), "Sub": of_arrays(np.subtract), "Mul": of_arrays(np.multiply), "Pow": of_arrays(np.power),
    "Div": lambda i, a: i[0] / i[1] if i[0].dtype.kind == "f" else i[0] // i[1],
    "Sqrt": of_arrays(np.sqrt), "Reciprocal": of_arrays(lambda x: 1 / x), "Neg": of_arrays(np.negative),
    "Abs": of_arrays(np.abs), "Exp": of_arrays(np.exp), "Log": of_arrays(np.log), "Erf": of_arrays(erf),
    "Sin": of_arrays(np.sin), "Cos": of_arrays(np.cos),
    "Tanh": of_arrays(np.tanh), "Relu": of_arrays(lambda x: np.maximum(x, 0)),
    "Sigmoid": of_arrays(lambda x: 1 / (1 + np.exp(-x))),
    "Gelu": lambda i, a: ACTIVATIONS["gelu_new" if a.get("approximate") == b"tanh" else "gelu"](i[0]),
    "Min": of_arrays(lambda *x: np.minimum.reduce(x)), "Max": of_arrays(lambda *x: np.maximum.reduce(x)),
    "Sum": of_arrays(lambda *x: sum(x)),
    "And": of_arrays(np.logical_and), "Or": of_arrays(np.logical_or), "Not": of_arrays(np.logical_not),
    "Equal": of_arrays(np.equal), "Less": of_arrays(np.less), "Greater": of_arrays(np.greater),
    "LessOrEqual": of_arrays(np.less_equal), "GreaterOrEqual": of_arrays(np.greater_equal),
    "Where": of_arrays(np.where), "MatMul": of_arrays(np.matmul), "Gemm": gemm, "Conv": convolution, "DFT": transform,
    "Einsum": lambda i, a: np.einsum(a["equation"].decode(), *i),
    "Softmax": lambda i, a: softmax(i[0], a.get("axis", -1)),
    "LayerNormalization": lambda i, a: layer_norm(i[0], i[1], i[2] if len(i) > 2 else 0.0, a.get("epsilon", 1e-5)),
    "ReduceMean": reduce_with(np.mean), "ReduceSum": reduce_with(np.sum), "ReduceMax": reduce_with(np.max),
    "Reshape": reshape, "Flatten": flatten, "Unsqueeze": unsqueeze, "Split": split, "Slice": slice_of, "Gather": gather,
    "Squeeze": lambda i, a: np.squeeze(i[0], axes_of(i, a)),
    "Transpose": lambda i, a: np.transpose(i[0], a.get("perm")),
    "Concat": lambda i, a: np.concatenate(i, a["axis"]),
    "Expand": lambda i, a: np.broadcast_to(i[0], np.broadcast_shapes(i[0].shape, tuple(int(s) for s in i[1]))),
    "Shape": lambda i, a: np.array(i[0].shape[a.get("start", 0):a.get("end")], np.int64),
    "ConstantOfShape": constant_of_shape,
    "Range": of_arrays(np.arange), "Constant": constant, "Cast": cast,
    "Identity": of_arrays(lambda x: x), "Dropout": lambda i, a: i[0],
}


class Value:
    """What a node or an input gives. array: its numbers for the drawn inputs. inputs: names of the graph's inputs that it
    depends on by more than their shapes."""

    def __init__(self, name, array, node=None, inputs=frozenset()):
        self.name, self.array, self.node, self.inputs = name, array, node, inputs

    @property
    def constant(self):
        return not self.inputs


def attributes_of(node):
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    return {name: numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value
            for name, value in attributes.items()}


def load(path):
    """The model with its numbers, also those that lie in files beside it. @throws GraphError"""
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, ValueError, OSError) as error:
        raise GraphError(f"{path}: is not an ONNX model: {error}") from error
    beside = pathlib.Path(path).parent
    for tensor in model.graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        location = {entry.key: entry.value for entry in tensor.external_data}.get("location", "")
        if not location or pathlib.PurePath(location).name != location or location in (".", ".."):
            raise GraphError(f"{path}: tensor '{tensor.name}' lies in '{location}', expected a file beside the model")
        if not (beside / location).is_file():
            raise GraphError(f"{beside / location}: there is no such file; tensor '{tensor.name}' lies there")
    try:
        onnx.load_external_data_for_model(model, str(beside))
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, OSError, RuntimeError) as error:
        raise GraphError(f"{path}: is no sound ONNX model: {error}") from error
    return model


class Graph:
    """values: name -> Value, for all of the graph. order: names of values in the order of evaluation."""

    BATCH = 2

    def __init__(self, path, tokens=None):
        """@param tokens  of a sequence, where the graph leaves that open. @throws GraphError"""
        self.path, self.tokens = path, tokens
        self.model = load(path)
        self.graph = self.model.graph
        self.values = {}
        self.check_operators()
        for tensor in self.graph.initializer:
            array = numpy_helper.to_array(tensor)
            self.values[tensor.name] = Value(tensor.name, array.astype(np.float64) if array.dtype.kind == "f" else array)
        self.random = np.random.default_rng(1)
        self.tables = self.find_tables()
        for given in self.graph.input:
            if given.name not in self.values:
                self.values[given.name] = Value(given.name, self.draw(given), None, frozenset([given.name]))
        with np.errstate(all="ignore"):
            for node in self.graph.node:
                self.evaluate(node)

    def check_operators(self):
        unknown = sorted({node.op_type for node in self.graph.node if node.op_type not in OPERATORS})
        if unknown:
            raise GraphError(*(f"{self.path}: not supported: operator {name}" for name in unknown))

    def find_tables(self):
        """Input -> the largest table in which it is looked up, through operators that keep its numbers."""
        same, tables = {}, {}
        for node in self.graph.node:
            if node.op_type in ("Cast", "Identity", "Unsqueeze", "Squeeze", "Reshape", "Expand") and node.input:
                same[node.output[0]] = same.get(node.input[0], node.input[0])
            if node.op_type == "Gather" and node.input[0] in self.values:
                index = same.get(node.input[1], node.input[1])
                rows = len(self.values[node.input[0]].array)
                tables[index] = max(tables.get(index, 0), rows)
        return tables

    def draw(self, given):
        """Token ids, types of tokens (all 0), a mask (all 1), or numbers."""
        kind = onnx.mapping.TENSOR_TYPE_TO_NP_TYPE[given.type.tensor_type.elem_type]
        shape = []
        for axis, dimension in enumerate(given.type.tensor_type.shape.dim):
            size = dimension.dim_value
            if size == 0 and axis == 0:
                size = self.BATCH
            elif size == 0 and axis == 1 and self.tokens:
                size = self.tokens
            elif size == 0:
                raise GraphError(f"{self.path}: input '{given.name}': the graph leaves the size of axis {axis} open"
                                 + ("; say --tokens N" if axis == 1 else ""))
            shape.append(size)
        if kind.kind == "f":
            return self.random.standard_normal(shape)
        if given.name not in self.tables:
            return np.ones(shape, kind)
        largest = max(rows for name, rows in self.tables.items() if name in [i.name for i in self.graph.input])
        if self.tables[given.name] < largest:
            return np.zeros(shape, kind)
        return self.random.integers(0, self.tables[given.name], shape).astype(kind)

    def evaluate(self, node):
        inputs = [self.values[name] if name else None for name in node.input]
        attributes = {**attributes_of(node), "outputs": len(node.output)}
        try:
            made = OPERATORS[node.op_type]([value and value.array for value in inputs] if None in inputs
                                           else [value.array for value in inputs], attributes)
        except GraphError as error:
            raise GraphError(f"{self.path}: {node.name}: {error}") from error
        except (ValueError, IndexError, KeyError, TypeError, AttributeError, MemoryError) as error:
            raise GraphError(f"{self.path}: {node.op_type} '{node.name}' cannot be evaluated: {error}") from error
        # A shape says nothing of the numbers.
        origins = frozenset() if node.op_type == "Shape" else frozenset().union(
            *(value.inputs for value in inputs if value is not None))
        for name, array in zip(node.output, made if isinstance(made, list) else [made]):
            if np.size(array) > LARGEST_VALUE:
                raise GraphError(f"{self.path}: {node.op_type} '{node.name}' makes {np.size(array)} values, at most "
                                 f"{LARGEST_VALUE} are taken")
            self.values[name] = Value(name, np.asarray(array), node, origins)

    def of(self, name):
        return self.values[name]

    def inputs_of(self, value):
        return [self.values[name] for name in value.node.input if name] if value.node is not None else []

    def outputs(self):
        return [self.values[output.name] for output in self.graph.output]
