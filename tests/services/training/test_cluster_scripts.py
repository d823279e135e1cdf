"""The files that carry a run elsewhere start what they should, whatever the paths are called."""

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from scanvi_core.errors import SettingInvalid
from scanvi_core.project import runs
from scanvi_core.project.runs import Run
from scanvi_core.services.training.cluster_scripts import Elsewhere, Machines, submit_files
from tests import ROOT
from tests.services.training import far_away
from tests.services.training.far_away import ID, begin, calls, finish, status, wait_for, written


@pytest.fixture
def project(tmp_path):
    return far_away.make_project(tmp_path)


@pytest.fixture
def environment(tmp_path):
    with far_away.make_environment(tmp_path) as found:
        yield found


# All ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seen_at", [None, "/other $PATH/'it'"])
@pytest.mark.parametrize("gpus", [False, True])
def test_shells_find_nothing_amiss(project, tmp_path, gpus, seen_at):
    run = written(project, tmp_path, gpus=gpus, seen_at=seen_at)
    inner = re.search(r"<<'THERE'\n(.*)^THERE$", (run / "submit-ssh.sh").read_text(), re.S | re.M)
    (run / "inner.sh").write_text(f"#!/usr/bin/env bash\n{inner[1]}")
    for name in ("submit-slurm.sh", "submit-ssh.sh", "inner.sh"):
        subprocess.run(["bash", "-n", str(run / name)], check=True)
        if shutil.which("shellcheck"):
            check = ["shellcheck", "--severity=warning", str(run / name)]
            done = subprocess.run(check, capture_output=True, text=True, check=False)
            assert not done.stdout


def test_texts_leave_no_place_unfilled_and_stay_in_their_lines(project, tmp_path):
    files = submit_files(Elsewhere(project, project / "runs" / "0003", Machines(3, 2, True)))
    for name, text in files.items():
        assert not re.findall("@[A-Z_]+@", text.replace("@RUN@", "")), name
    assert "3 computers with 2 processes, each with a GPU of its own" in files["README.txt"]
    evil = tmp_path / "a\n#SBATCH --wrap=x"
    for text in submit_files(Elsewhere(evil, evil / "1\necho 2")).values():
        comments = [line for line in text.splitlines() if line.startswith("# ")]
        assert not any(line.startswith(("#SBATCH --wrap", "echo 2")) for line in comments)
    slurm = submit_files(Elsewhere(evil, evil / "1\necho 2"))["submit-slurm.sh"]
    head = slurm.split("set -u")[0].splitlines()
    assert all(line.startswith("#") for line in head)
    assert "#SBATCH --wrap=x" not in head


def test_impossible_numbers_and_foreign_runs_are_refused(project, tmp_path):
    with pytest.raises(SettingInvalid, match="0 computers"):
        Machines(nodes=0)
    with pytest.raises(SettingInvalid, match="0 processes"):
        Machines(processes=0)
    with pytest.raises(SettingInvalid, match="not in the project"):
        Elsewhere(project, tmp_path / "0003")


def test_done_is_told_from_what_the_program_writes(project, tmp_path):
    run = Run("0003", written(project, tmp_path))
    run.set_status(runs.DONE)
    pattern = re.search("grep -q '(.*)' status", (run.root / "submit-ssh.sh").read_text())[1]
    assert pattern in run.paths.status.read_text()


# Slurm --------------------------------------------------------------------------------------


def test_slurm_starts_one_torchrun_per_node(project, tmp_path, environment):
    run = written(project, tmp_path, gpus=True)
    assert not finish(begin(run, "submit-slurm.sh", environment)), "all goes to the run's log"
    assert (run / "processes.log").exists()
    assert sorted(node for node, *_ in calls(run)) == ["0", "1"]
    for node, *arguments in calls(run):
        assert arguments == [
            "-m", "torch.distributed.run", f"--rdzv-conf=is_host={int(node == '0')}",
            "--nnodes=2", "--nproc-per-node=4", "--rdzv-id=1234", "--rdzv-backend=c10d",
            "--rdzv-endpoint=node7:29734", "-m", "scanvi_core", "train", str(run),
        ]  # fmt: skip
    head = (run / "submit-slurm.sh").read_text().split("set -u")[0].splitlines()
    for line in ("--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=4", "--requeue"):
        assert f"#SBATCH {line}" in head


def test_slurm_finds_the_run_under_its_path_there(project, tmp_path, environment):
    (tmp_path / "mnt").symlink_to(project)
    run = written(project, tmp_path, seen_at=str(tmp_path / "mnt"))
    finish(begin(run, "submit-slurm.sh", environment))
    assert calls(run)[0][-1] == str(tmp_path / "mnt" / "runs" / "0003")


@pytest.mark.parametrize(
    ("sent", "preempted", "requeued"),
    [
        (signal.SIGUSR1, None, True),  # the time limit is near
        (signal.SIGTERM, None, False),  # somebody cancelled the job
        (signal.SIGTERM, "2026-01-01T00:00:00", True),
    ],
)
def test_slurm_puts_back_what_was_not_cancelled(
    project, tmp_path, environment, sent, preempted, requeued
):
    run = written(project, tmp_path, nodes=1)
    (run / "mode").write_text("long")
    job = begin(run, "submit-slurm.sh", environment | {"PREEMPTED": preempted or "None"})
    wait_for((run / "checkpoint.safetensors").exists)
    job.send_signal(sent)
    finish(job, 143)
    assert (tmp_path / "requeued").exists() == requeued
    (run / "mode").unlink()
    before = int((run / "checkpoint.safetensors").read_text())
    assert finish(begin(run, "submit-slurm.sh", environment)) == ""
    assert status(run) == "done"
    assert int((run / "checkpoint.safetensors").read_text()) >= before


def test_slurm_goes_back_when_only_the_processes_were_told_to_end(project, tmp_path, environment):
    """With a time of grace, Slurm signals the step and not the script."""
    run = written(project, tmp_path)
    (run / "mode").write_text("fail")
    finish(begin(run, "submit-slurm.sh", environment), 1)
    assert not (tmp_path / "requeued").exists(), "a fault is not tried for ever"
    finish(begin(run, "submit-slurm.sh", environment | {"PREEMPTED": "2026-01-01T00:00"}), 1)
    assert (tmp_path / "requeued").read_text() == "1234\n"


def test_slurm_says_what_is_wrong_before_it_starts(project, tmp_path, environment):
    run = written(project, tmp_path, seen_at="/not/here")
    assert "Is that disk shared" in finish(begin(run, "submit-slurm.sh", environment), 2)
    del environment["SLURM_JOB_ID"]
    assert "start it with  sbatch" in finish(begin(run, "submit-slurm.sh", environment), 2)


# Kubernetes ---------------------------------------------------------------------------------

# Field names of the Kubernetes API reference, v1.31: those that the file may use.
FIELDS = {
    "spec": {
        "completionMode", "completions", "parallelism", "backoffLimit", "podFailurePolicy",
        "template", "activeDeadlineSeconds", "ttlSecondsAfterFinished", "suspend",
    },
    "pod": {
        "subdomain", "restartPolicy", "containers", "volumes", "securityContext",
        "terminationGracePeriodSeconds",
    },
    "container": {
        "name", "image", "command", "args", "env", "resources", "volumeMounts", "workingDir",
    },
    "mount": {"name", "mountPath", "subPath", "readOnly"},
}  # fmt: skip


def manifests(project, run="0003", **choices):
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the manifest")
    files = submit_files(Elsewhere(project, project / "runs" / run, Machines(2, 4, **choices)))
    return list(yaml.safe_load_all(files["submit-kubernetes.yaml"]))


def test_kubernetes_starts_torchrun_by_index_and_pods_find_each_other(project):
    service, job = manifests(project, gpus=True)
    name, spec = job["metadata"]["name"], job["spec"]
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    assert re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", name) and len(name) <= 61
    assert spec["completionMode"] == "Indexed" and spec["completions"] == spec["parallelism"] == 2
    pod = spec["template"]["spec"]
    assert service["metadata"]["name"] == pod["subdomain"]
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == {"job-name": name}
    (container,) = pod["containers"]
    run = f"/var/lib/scanvi/projects/{ID}/runs/0003"
    assert container["command"] == ["python", "-m", "torch.distributed.run"]
    assert container["args"] == [
        "--nnodes=2", "--nproc-per-node=4", "--node-rank=$(JOB_COMPLETION_INDEX)",
        f"--master-addr={name}-0.{name}", "--master-port=29500", "-m", "scanvi_core", "train", run,
    ]  # fmt: skip
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 4}
    mount = container["volumeMounts"][0]
    assert mount["mountPath"] == str(Path(run).parents[1])
    assert mount["subPath"] == f"projects/{ID}"
    assert pod["restartPolicy"] == "Never"  # as a podFailurePolicy asks
    dockerfile = (ROOT / ".docker" / "Dockerfile").read_text()
    assert "SCANVI_HOME=/var/lib/scanvi " in dockerfile
    assert f"ARG UID={pod['securityContext']['runAsUser']}\n" in dockerfile


def test_kubernetes_fields_are_those_of_the_api(project):
    _, job = manifests(project)
    assert set(job) == {"apiVersion", "kind", "metadata", "spec"}
    pod = job["spec"]["template"]["spec"]
    assert set(job["spec"]) <= FIELDS["spec"] and set(pod) <= FIELDS["pod"]
    (container,) = pod["containers"]
    assert set(container) <= FIELDS["container"] and "limits" not in container["resources"]
    assert all(set(mount) <= FIELDS["mount"] for mount in container["volumeMounts"])
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def test_kubernetes_takes_odd_names_as_they_are(tmp_path):
    odd = tmp_path / 'a "$(HOME)": b'
    _, job = manifests(odd, "$(X) #1")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"][-1].endswith("/runs/$$(X) #1"), "no variable of the cluster"
    assert container["volumeMounts"][0]["subPath"] == 'projects/a "$(HOME)": b'
    assert re.fullmatch(
        "/var/lib/scanvi/projects/[0-9a-f]+", container["volumeMounts"][0]["mountPath"]
    )


def manifests_of(project, run):
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the manifest")
    return list(
        yaml.safe_load_all(submit_files(Elsewhere(project, run))["submit-kubernetes.yaml"])
    )
