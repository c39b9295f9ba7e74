# SPDX-License-Identifier: Apache-2.0
"""Prints {"left_out": [...]}, or all that stands in the way to the standard error, and ends with 2."""
import argparse
import json
import sys


def main():
    parser = argparse.ArgumentParser(prog="butterfly_vp.onnx_models", description="An encoder in ONNX as safetensors")
    parser.add_argument("model")
    parser.add_argument("directory")
    parser.add_argument("--tokens", type=int, help="of a sequence, where the graph leaves that open")
    arguments = parser.parse_args()
    try:
        from . import encoder, files, graph
    except ImportError as error:
        print(f"{arguments.model}: ONNX models need Debian's python3-onnx and python3-numpy: {error}", file=sys.stderr)
        return 2
    try:
        read = graph.Graph(arguments.model, arguments.tokens)
        found = encoder.recognise(read)
        files.Writer(read, found).write(arguments.directory)
    except graph.GraphError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps({"left_out": found.left_out}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
