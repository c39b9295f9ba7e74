# SPDX-License-Identifier: Apache-2.0
"""What structured sparsity is worth on a GPU: computed from a described machine, and measured where PyTorch is."""
