# SPDX-License-Identifier: Apache-2.0
"""Sweeps whose points run as jobs of Slurm or on hosts by ssh: the same results as on this host, also if nodes, jobs,
connections and the sweep itself end in the middle. BUTTERFLY_VP names the executable. The tests with Slurm start a
cluster of one node (test/support/local_slurm) and need Debian's slurm-wlm and munge and root; those with ssh need
openssh-server. Without them they are skipped."""
import contextlib
import csv
import io
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import unittest

EXECUTABLE = os.path.abspath(os.environ.get("BUTTERFLY_VP", "butterfly-vp"))
TREE = pathlib.Path(__file__).resolve().parents[2]
CLUSTER = TREE / "test" / "support" / "local_slurm"
SMALL = str(TREE / "scenarios" / "encoder_128x64.yaml")
FAST = ["--fidelity", "fast", "--no-data"]
AXES = ["soc.dma.outstanding=1..6", "soc.array.lanes=16,32", "soc.pe.operand_vectors=16,256"]
SYSTEM_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Launchers(unittest.TestCase):
    environment = {}

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name)

    def start(self, *arguments):
        return subprocess.Popen([EXECUTABLE, "sweep", SMALL, *FAST, *map(str, arguments)], cwd=self.path, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **self.environment})

    def sweep(self, *arguments, expect=0):
        return self.end(self.start(*arguments), expect)

    def end(self, process, expect=0):
        out, errors = process.communicate(timeout=600)
        self.assertEqual(process.returncode, expect, out + errors)
        return out + errors

    def query(self, sql, directory):
        with contextlib.closing(sqlite3.connect(self.path / directory / "sweep.sqlite", timeout=20)) as connection:
            return connection.execute(sql).fetchall()

    def points(self, directory):
        out = subprocess.run([EXECUTABLE, "sweep", "export", directory], cwd=self.path, text=True, check=True,
                             capture_output=True).stdout
        return [{key: value for key, value in row.items() if not key.startswith("host")}
                for row in csv.DictReader(io.StringIO(out))]

    def assert_as_local(self, directory):
        """The points are those of a sweep on this host, and each was recorded once."""
        if not (self.path / "local").exists():
            self.sweep(*AXES, "--out", "local", "--quiet")
        self.assertEqual(self.points(directory), self.points("local"))
        self.assertEqual(self.query("SELECT max(runs) FROM results", directory), [(1,)])

    def wait(self, condition, what, seconds=120):
        until = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), until, f"waited too long: {what}")
            time.sleep(0.1)


class Choices(Launchers):
    def test_options_of_another_launcher_are_refused(self):
        for arguments, expected in (
                (["--launcher", "ssh"], "--launcher ssh: no hosts; expected --hosts HOST,HOST:WORKERS"),
                (["--launcher", "ssh", "--hosts", "a:0"], "found 'a:0', expected HOST or HOST:WORKERS"),
                (["--launcher", "ssh", "--hosts", "-oProxyCommand=x"], "expected HOST or HOST:WORKERS"),
                (["--hosts", "a"], "--hosts: found with --launcher local, expected --launcher ssh"),
                (["--launcher", "ssh", "--hosts", "a", "--chunk", "7"],
                 "--chunk: found with --launcher ssh, expected --launcher slurm")):
            with self.subTest(arguments=arguments):
                self.assertIn(expected, self.sweep("soc.dma.outstanding=4", "--out", "s", *arguments, expect=2))
                self.assertFalse((self.path / "s").exists())


# The stand-in for ssh: HOST COMMAND. Connections to the host "gone" cannot be made, those to "weak" break once, while a
# point runs, and a worker on "ill" is ended by a signal once.
STAND_IN = """#!/bin/sh
host=$1
shift
case $host in
  gone) echo "connect to host gone: No route to host" >&2; exit 255 ;;
  weak)
    if mkdir "$STAND_IN/weak" 2>/dev/null; then
      echo "ready $STAND_IN_BUILD"
      read task
      exit 255
    fi ;;
  ill)
    if mkdir "$STAND_IN/ill" 2>/dev/null; then
      sh -c 'echo "ready $0"; read task; kill -SEGV $$' "$STAND_IN_BUILD"
      exit $?
    fi ;;
esac
exec sh -c "$*"
"""


class Ssh(Launchers):
    def stand_in(self, *hosts):
        script = self.path / "stand_in"
        script.write_text(STAND_IN)
        script.chmod(0o755)
        with subprocess.Popen([EXECUTABLE, "worker", "--identify"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as worker:
            build = worker.stdout.readline()
        self.assertTrue(build.startswith("ready "), build)
        self.environment = {"STAND_IN": str(self.path), "STAND_IN_BUILD": build[len("ready "):].strip()}
        return ["--launcher", "ssh", "--ssh-command", str(script), "--hosts", ",".join(hosts)]

    def test_hosts_have_the_results_of_this_host(self):
        self.sweep(*AXES, "--out", "s", *self.stand_in("a", "b:2"))
        self.assert_as_local("s")
        hosts = dict(self.query("SELECT host, count(*) FROM results GROUP BY host", "s"))
        self.assertEqual(set(hosts), {"a", "b"})

    def test_a_host_that_cannot_be_reached_is_given_up(self):
        text = self.sweep(*AXES, "--out", "s", *self.stand_in("a", "gone"))
        self.assert_as_local("s")
        self.assertNotIn("crashed", text)

    def test_no_host_that_can_be_reached(self):
        text = self.sweep(*AXES, "--out", "s", *self.stand_in("gone"), expect=1)
        self.assertIn("10 workers on gone one after the other ended before they had done anything; the last one: the "
                      "worker ended with exit code 255: connect to host gone: No route to host", text)

    def test_a_connection_that_breaks_costs_no_point(self):
        self.sweep(*AXES, "--out", "s", *self.stand_in("weak"))
        self.assertTrue((self.path / "weak").exists())
        self.assert_as_local("s")

    def test_a_worker_that_crashes_costs_its_point(self):
        self.sweep(*AXES, "--out", "s", *self.stand_in("ill"), expect=1)
        rows = self.points("s")
        crashed = [row for row in rows if row["outcome"] == "crashed"]
        self.assertEqual(len(crashed), 1)
        self.assertIn("ended by signal 11", crashed[0]["reason"])
        self.sweep(*AXES, "--out", "s", *self.stand_in("ill"), "--retry-failed")
        self.assert_as_local("s")

    def test_another_build_is_refused(self):
        other = self.path / "other"
        other.write_text("#!/bin/sh\necho ready 0.0.1 abc\nsleep 10\n")
        other.chmod(0o755)
        text = self.sweep(*AXES, "--out", "s", *self.stand_in("a"), "--program", str(other), expect=1)
        self.assertIn("found 'ready 0.0.1 abc', expected 'ready ", text)

    @unittest.skipUnless(shutil.which("sshd", path=SYSTEM_PATH), "openssh-server is not installed")
    def test_a_server_of_openssh(self):
        for name in ("host_key", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path / name], check=True)
        (self.path / "authorized").write_text((self.path / "key.pub").read_text())
        self.path.chmod(0o700)
        port = free_port()
        (self.path / "sshd.conf").write_text(f"""Port {port}
ListenAddress 127.0.0.1
HostKey {self.path}/host_key
AuthorizedKeysFile {self.path}/authorized
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
""")
        if os.geteuid() == 0:
            pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        server = subprocess.Popen([shutil.which("sshd", path=SYSTEM_PATH), "-D", "-e", "-f", self.path / "sshd.conf"],
                                  stderr=subprocess.PIPE, text=True)
        self.addCleanup(server.stderr.close)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        ssh = (f"ssh -F none -p {port} -i {self.path}/key -o BatchMode=yes -o StrictHostKeyChecking=no "
               f"-o UserKnownHostsFile={self.path}/known")
        self.wait(lambda: subprocess.run([*ssh.split(), "127.0.0.1", "true"], capture_output=True).returncode == 0,
                  "the server's start", 30)
        self.sweep(*AXES, "--out", "s", "--launcher", "ssh", "--ssh-command", ssh, "--hosts", "127.0.0.1:2")
        self.assert_as_local("s")


def has_slurm():
    return os.geteuid() == 0 and all(shutil.which(program, path=SYSTEM_PATH)
                                     for program in ("sbatch", "slurmctld", "slurmd", "munged"))


@unittest.skipUnless(has_slurm(), "slurm-wlm and munge are not installed, or this is not root")
class Slurm(Launchers):
    @classmethod
    def setUpClass(cls):
        cls.cluster = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.cluster.cleanup)
        cls.environment = {"SLURM_CONF": cls.cluster.name + "/slurm.conf", "PATH": SYSTEM_PATH}
        subprocess.run([CLUSTER, "start", cls.cluster.name, str(free_port())], check=True, timeout=120)
        cls.addClassCleanup(subprocess.run, [CLUSTER, "stop", cls.cluster.name], check=False)

    def slurm(self, *command):
        return subprocess.run(command, env={**os.environ, **self.environment}, text=True, capture_output=True).stdout

    def arguments(self, jobs=2, chunk=4):
        return [*AXES, "--out", "s", "--launcher", "slurm", "--jobs", jobs, "--chunk", chunk]

    def recorded(self):
        try:
            return self.query("SELECT count(*) FROM results", "s")[0][0]
        except sqlite3.Error:
            return 0

    def processes_of_jobs(self):
        """Of this cluster: slurmstepd and what it has started."""
        mark = f"SLURM_CONF={self.cluster.name}/".encode()
        daemons = {pathlib.Path(self.cluster.name, name + ".pid").read_text().strip()
                   for name in ("munged", "slurmctld", "slurmd")}
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_bytes()
                is_of_job = b"slurmstepd" in words or b"\0worker\0" in words or b"slurm_script" in words
                if is_of_job and mark in (process / "environ").read_bytes() and process.name not in daemons:
                    found.append(int(process.name))
        return found

    def kill_node(self, with_jobs):
        """As if the node lost power; or its daemon alone ended."""
        daemon = int(pathlib.Path(self.cluster.name, "slurmd.pid").read_text())
        os.kill(daemon, signal.SIGKILL)
        for process in self.processes_of_jobs() if with_jobs else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(1)
        subprocess.run([CLUSTER, "node", self.cluster.name], check=True)

    def assert_nothing_left(self):
        self.assertFalse((self.path / "s" / "jobs").exists())
        self.assertEqual(self.slurm("squeue", "--noheader", "--states=RUNNING,PENDING").strip(), "")

    def test_jobs_have_the_results_of_this_host(self):
        self.sweep(*self.arguments(), "--job-time", "10", "--partition", "test", "--sbatch=--nice=5")
        self.assert_as_local("s")
        self.assert_nothing_left()

    def test_files_in_a_directory_that_hosts_share(self):
        self.sweep(*self.arguments(), "--spool", self.path / "shared")
        self.assert_as_local("s")
        self.assertEqual(list((self.path / "shared").iterdir()), [])

    def test_what_sbatch_refuses(self):
        text = self.sweep(*self.arguments(), "--partition", "nowhere", expect=1)
        self.assertIn("sbatch takes no jobs: sbatch: error: ", text)

    def test_the_daemon_of_the_node_is_killed(self):
        for with_jobs in (False, True):
            with self.subTest(with_jobs=with_jobs):
                shutil.rmtree(self.path / "s", ignore_errors=True)
                process = self.start(*self.arguments())
                self.wait(lambda: self.recorded() >= 4, "the first results")
                self.kill_node(with_jobs)
                self.end(process)
                self.assert_as_local("s")
                self.assert_nothing_left()

    def test_the_sweep_is_killed(self):
        process = self.start(*self.arguments())
        self.wait(lambda: self.recorded() >= 4, "the first results")
        process.kill()
        process.communicate()
        before = self.recorded()
        self.end(self.start(*self.arguments(), "--resume"))
        self.assertGreater(self.recorded(), before)
        self.assert_as_local("s")
        self.assert_nothing_left()

    def test_the_sweep_is_interrupted(self):
        process = self.start(*self.arguments())
        self.wait(lambda: self.recorded() >= 4, "the first results")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, -signal.SIGINT)
        self.wait(lambda: not self.slurm("squeue", "--noheader", "--states=RUNNING,PENDING").strip(), "jobs to end")
        self.sweep(*self.arguments(), "--resume")
        self.assert_as_local("s")

    def test_jobs_are_requeued_and_cancelled(self):
        process = self.start(*self.arguments(jobs=1, chunk=20))
        self.wait(lambda: self.recorded() >= 2, "the first results")
        job = self.slurm("squeue", "--noheader", "--array", "--format=%i").split()[0]
        self.slurm("scontrol", "requeue", job)
        self.wait(lambda: self.recorded() >= 6, "results after the job was queued again", 300)
        self.slurm("scancel", job)
        self.end(process)
        self.assert_as_local("s")

    def test_a_search(self):
        search = ["soc.dma.outstanding=1..16", "soc.array.lanes=16,32", "--sampling", "nsga2", "--points", "24",
                  "--population", "8"]
        self.sweep(*search, "--out", "s", "--launcher", "slurm", "--jobs", "2", "--chunk", "4")
        self.sweep(*search, "--out", "here")
        self.assertEqual(self.points("s"), self.points("here"))

    def test_a_point_that_ends_its_job_again_and_again(self):
        # The job of this point says that it begins it, and ends.
        program = self.path / "program"
        program.write_text(f"""#!/bin/sh
for last; do directory=$index; index=$last; done
key=$(grep '"soc.dma.outstanding","3"' "$directory/$index.tasks" | grep '"soc.array.lanes","16"' |
  grep '"soc.pe.operand_vectors","256"' | sed 's/.*"key": *"\\([0-9a-f]*\\)".*/\\1/')
[ -n "$key" ] || exec {EXECUTABLE} "$@"
echo "begin $key 0 $(printf '' | sha256sum | cut -d ' ' -f 1)" >"$directory/$index.$$.answers"
echo "the memory is full"
exit 1
""")
        program.chmod(0o755)
        text = self.sweep(*self.arguments(), "--program", program, "--retries", "1", expect=1)
        crashed = [row for row in self.points("s") if row["outcome"] == "crashed"]
        self.assertEqual([(row["soc.dma.outstanding"], row["soc.array.lanes"]) for row in crashed], [("3", "16")], text)
        self.assertEqual(crashed[0]["reason"], "its job ended 2 times while it ran: the memory is full")
        self.sweep(*self.arguments(), "--retry-failed")
        self.assert_as_local("s")


if __name__ == "__main__":
    unittest.main()
