# SPDX-License-Identifier: Apache-2.0
"""ONNX graphs of encoders as the files that `butterfly-vp import` reads: config.json and model.safetensors.

    python3 -m butterfly_vp.onnx_models MODEL.onnx DIRECTORY [--tokens N]

What a part of the graph computes is found out by computing it: the graph is evaluated on drawn inputs, and a part counts
as a layer norm, an activation, attention or a transform if its numbers are those. So it does not matter how an exporter
writes these, as long as the operators are known (graph.OPERATORS). Needs python3-onnx."""
