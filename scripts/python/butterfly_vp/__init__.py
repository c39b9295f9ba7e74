# SPDX-License-Identifier: Apache-2.0
"""Runs butterfly-vp from Python and loads its sweeps.

    import butterfly_vp as vp
    summary = vp.run("encoder_128x64", fidelity="fast", data=False, sets={"soc.array.lanes": 16})
    vp.sweep("encoder_128x64", {"soc.dma.outstanding": [4, 8, 16]}, fidelity="fast", data=False, out="study")
    table = vp.load("study")           # a pandas.DataFrame; table.attrs["units"]["energy_j"] is "J"

The executable is that which BUTTERFLY_VP names, or else `butterfly-vp` on the path."""
import json
import os
import pathlib
import sqlite3
import subprocess
import tempfile

__all__ = ["Error", "run", "sweep", "load", "rows"]


class Error(RuntimeError):
    """butterfly-vp has refused its input or has failed; the text is its message."""


def _call(arguments, accepted=(0,)):
    program = os.environ.get("BUTTERFLY_VP", "butterfly-vp")
    try:
        done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False)
    except OSError as error:
        raise Error(f"{program} cannot be started: {error.strerror}; expected butterfly-vp on PATH, or its path in the "
                    "environment variable BUTTERFLY_VP") from error
    if done.returncode not in accepted:
        raise Error(done.stderr.strip() or f"butterfly-vp ended with exit code {done.returncode}")
    return done


def _text(value):
    """A value as the command line takes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _common(fidelity, data, sets):
    arguments = []
    for key, value in (sets or {}).items():
        arguments += ["--set", f"{key}={_text(value)}"]
    if fidelity is not None:
        arguments += ["--fidelity", fidelity]
    if not data:
        arguments.append("--no-data")
    return arguments


def run(scenario, sets=None, fidelity=None, data=True, out=None):
    """Runs a scenario and returns its summary.json as a dictionary.

    sets: keys of the scenario -> values. out: the directory of the results; None: they are not kept.
    Raises Error if the scenario is refused or the run fails."""
    with tempfile.TemporaryDirectory() as scratch:
        directory = pathlib.Path(out or pathlib.Path(scratch) / "run")
        _call(["run", str(scenario), "--quiet", "--out", str(directory), *_common(fidelity, data, sets)])
        return json.loads((directory / "summary.json").read_text())


def sweep(scenario, axes=None, out=None, sets=None, fidelity=None, data=True, jobs=None, constraints=(), minimise=(),
          maximise=(), resume=False):
    """Runs a sweep and returns its directory.

    scenario: a scenario, or the file of a sweep. axes: key -> list of values, or key -> text as the command line takes
    it ("2^18..2^24"). Points that fail are in the table with their reason; Error is raised if the sweep is refused."""
    directory = pathlib.Path(out or pathlib.Path("sweeps") / pathlib.Path(str(scenario)).stem)
    arguments = ["sweep", str(scenario)]
    for key, values in (axes or {}).items():
        arguments.append(f"{key}={values}" if isinstance(values, str) else f"{key}={','.join(map(_text, values))}")
    arguments += ["--out", str(directory), "--quiet", *_common(fidelity, data, sets)]
    for option, formulas in (("--constraint", constraints), ("--minimise", minimise), ("--maximise", maximise)):
        for formula in formulas:
            arguments += [option, formula]
    if jobs is not None:
        arguments += ["--jobs", str(jobs)]
    if resume:
        arguments.append("--resume")
    _call(arguments, accepted=(0, 1))
    return directory


def _number(text):
    """A value of an axis as a number, if it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text, text)


def _flat(value, name, out):
    if isinstance(value, dict):
        for key, below in value.items():
            _flat(below, f"{name}.{key}" if name else key, out)
    else:
        out[name] = value


def rows(directory):
    """The points of a sweep as dictionaries (point, outcome, reason, the axes, the figures with dots in their names),
    and the units of the figures. It may be read while the sweep runs."""
    file = pathlib.Path(directory) / "sweep.sqlite"
    if not file.is_file():
        raise Error(f"{directory}: there is no sweep here")
    connection = sqlite3.connect(file.absolute().as_uri() + "?mode=ro", uri=True, timeout=20)
    try:
        units = dict(connection.execute("SELECT key, unit FROM figures"))
        points = []
        for point, values, outcome, reason, figures in connection.execute(
                "SELECT point, axis_values, outcome, reason, figures FROM point_results"):
            row = {"point": point, "outcome": outcome, "reason": reason}
            row.update((key, _number(value)) for key, value in json.loads(values).items())
            if figures:
                _flat(json.loads(figures), "", row)
            points.append(row)
        return points, units
    finally:
        connection.close()


def load(directory):
    """The points of a sweep as a pandas.DataFrame by number of the point; attrs["units"]: figure -> unit."""
    import pandas  # not needed for anything else
    points, units = rows(directory)
    table = pandas.DataFrame(points).set_index("point")
    table.attrs["units"] = {name: units[name.split(".")[0]] for name in table.columns if name.split(".")[0] in units}
    return table
