# SPDX-License-Identifier: Apache-2.0
"""Tasks whose data is made here or comes with scikit-learn: sequences of token ids and a class for each.

All are drawn from fixed seeds: the same data on every host. No sequence of a test set is in the training set."""
import dataclasses
import random

import numpy as np


@dataclasses.dataclass
class Task:
    """vocabulary, classes, and arrays [samples, tokens] and [samples]."""
    vocabulary: int
    classes: int
    train_tokens: np.ndarray
    train_labels: np.ndarray
    test_tokens: np.ndarray
    test_labels: np.ndarray


# ListOps: nested lists of digits with an operator each, by the rules of the Long Range Arena (Tay et al., 2020,
# arXiv 2011.04006), whose lengths are parameters here. To find the value all of the tree has to be seen.

OPERATORS = ("MIN", "MAX", "MED", "SM")
PADDING, END = 0, 15  # digits are 1 to 10, operators 11 to 14


def draw_tree(draw, depth, most_depth, most_arguments, tokens):
    """The tokens of a digit with a probability of three quarters, and always at the greatest depth, else of an operator
    and its arguments; None as soon as they are more than `tokens`, since most trees are much too long."""
    if depth >= most_depth or draw.random() > 0.25:
        return [1 + draw.randrange(10)] if tokens > 0 else None
    tree = [11 + draw.randrange(len(OPERATORS))]
    for _ in range(draw.randint(2, most_arguments)):
        argument = draw_tree(draw, depth + 1, most_depth, most_arguments, tokens - len(tree) - 1)
        if argument is None:
            return None
        tree += argument
    return tree + [END]


def value(operator, terms):
    terms = sorted(terms)
    if operator == "MED":  # of an even number of terms the mean of the two in the middle, rounded down
        return (terms[(len(terms) - 1) // 2] + terms[len(terms) // 2]) // 2
    return {"MIN": min, "MAX": max, "SM": lambda some: sum(some) % 10}[operator](terms)


def tree_value(tokens):
    """The value of a tree, read from its tokens."""
    lists = [[]]  # the lists that are open, each with its operator in front
    for token in tokens:
        if token == END:
            operator, *terms = lists.pop()
            lists[-1].append(value(operator, terms))
        elif token > 10:
            lists.append([OPERATORS[token - 11]])
        elif token != PADDING:
            lists[-1].append(token - 1)
    return lists[0][0]


def listops(tokens=64, shortest=16, most_depth=10, most_arguments=10, train=20000, test=512):
    """Trees of at least `shortest` tokens that fit into `tokens`; the rest is a token of its own. All are different."""
    draw, trees = random.Random(20201108), {}
    while len(trees) < train + test:
        tree = draw_tree(draw, 1, most_depth, most_arguments, tokens)
        if tree is not None and len(tree) >= shortest:
            trees.setdefault(tuple(tree), tree_value(tree))
    ids = np.full((len(trees), tokens), PADDING, np.int64)
    for row, sequence in zip(ids, trees):
        row[:len(sequence)] = sequence
    labels = np.array(list(trees.values()))
    return Task(16, 10, ids[:train], labels[:train], ids[train:], labels[train:])


def recall(tokens=64, pairs=16, values=8, train=20000, test=512):
    """Associative recall: the first token asks for a key; somewhere behind it stands each key with its value, one token a
    pair, and blanks between them. The class is the value of the key that is asked for. Which token has it depends on the
    first one, so that mixing with fixed weights cannot select it."""
    draw = np.random.default_rng(20220922)
    asking, blank = pairs * values, pairs * values + pairs

    def sequences(count):
        rows, keys = np.arange(count), np.arange(pairs)
        held = draw.integers(values, size=(count, pairs))
        places = draw.permuted(np.tile(np.arange(1, tokens), (count, 1)), axis=1)[:, :pairs]
        asked = draw.integers(pairs, size=count)
        ids = np.full((count, tokens), blank)
        ids[rows[:, None], places] = keys * values + held
        ids[:, 0] = asking + asked
        return ids, held[rows, asked]

    return Task(blank + 1, values, *sequences(train), *sequences(test))


def digits(test=448):
    """scikit-learn's handwritten digits (the test set of UCI's optdigits), 8 x 8 pixels of 17 levels of grey, row by row."""
    from sklearn.datasets import load_digits  # comes with Debian's python3-sklearn, data included
    data = load_digits()
    order = np.random.default_rng(19980701).permutation(len(data.target))
    ids, labels = data.data.astype(np.int64)[order], data.target.astype(np.int64)[order]
    return Task(17, 10, ids[test:], labels[test:], ids[:test], labels[:test])


def listops_256():
    return listops(tokens=256, shortest=128)


TASKS = {"digits": digits, "recall": recall, "listops": listops, "listops_256": listops_256}
