# SPDX-License-Identifier: Apache-2.0
"""Trains small hybrid networks that the platform runs: tasks, layers, experiments, files. scripts/train is its command."""
