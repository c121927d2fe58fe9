"""Files that describe clusters: those of this repository are right, broken ones are reported."""

import copy
import functools
import itertools
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from runner.cli.main import app
from runner.cluster.check import Group, check_cluster
from runner.cluster.check.groups import check_room
from runner.cluster.check.kuberay import check_kuberay, kuberay_groups
from runner.cluster.check.launcher import check_launcher, launcher_groups
from runner.errors import StudyError
from runner.study.resources import Needs

ROOT = Path(__file__).parents[3]
LAUNCHER = ["cluster.yaml", "deploy/gcp.yaml", "deploy/own-machines.yaml"]
KUBERAY = "deploy/kuberay.yaml"
GONE = object()


@pytest.fixture(autouse=True)
def place(tmp_path_factory, monkeypatch):
    """Where 'ray up' is called, by a user who has a token."""
    home = tmp_path_factory.mktemp("home")
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text("0123456789abcdef" * 4)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(ROOT)


def documents(name):
    return list(yaml.safe_load_all((ROOT / name).read_text(encoding="utf-8")))


@functools.cache
def parsed(name):
    return documents(name)


def documents_again(name):
    return copy.deepcopy(parsed(name))


def put(document, path, value):
    """Change what a path such as ``a.b.0`` names; GONE takes it away."""
    *inner, last = [int(part) if part.isdigit() else part for part in re.split(r"(?<!\\)\.", path)]
    inner = [part.replace("\\.", ".") if isinstance(part, str) else part for part in inner]
    last = last.replace("\\.", ".") if isinstance(last, str) else last
    for part in inner:
        document = document[part]
    if value is GONE:
        del document[last]
    elif isinstance(document, list) and last == len(document):
        document.append(value)
    else:
        document[last] = value


def broken(tmp_path, name, changes):
    found = documents_again(name)
    for path, value in changes.items():
        put(found[-1], path, value)
    file = tmp_path / Path(name).name
    file.write_text(yaml.safe_dump_all(found), encoding="utf-8")
    return file


AWS, GCP, OWN = LAUNCHER
BARE = "ray start --head --autoscaling-config=~/ray_bootstrap_config.yaml"
START = f"export RAY_AUTH_MODE=token; {BARE}"
GROUP = "spec.rayClusterSpec.workerGroupSpecs.0"
HEAD_POD = "spec.rayClusterSpec.headGroupSpec.template.spec"

# file, what is changed, and the message.
LAUNCHER_MISTAKES = {
    "unknown key": (AWS, {"max_worker": 3}, r"max_worker: unknown key\. Did you mean 'max_workers'"),
    "unknown key in auth": (AWS, {"auth.ssh_usr": "me"}, r"auth\.ssh_usr: unknown key"),
    "unknown key of a node type": (
        AWS,
        {"available_node_types.worker.max_worker": 3},
        r"worker\.max_worker: unknown key\. Did you mean 'max_workers'",
    ),
    "wrong kind": (AWS, {"max_workers": "many"}, r"max_workers: 'many' is not of type 'integer'"),
    "negative": (
        AWS,
        {"idle_timeout_minutes": -1},
        r"idle_timeout_minutes: -1 is less than the minimum of 0",
    ),
    "no name": (AWS, {"cluster_name": GONE}, r"'cluster_name' is a required property"),
    "no provider": (AWS, {"provider": GONE}, r"'provider' is a required property"),
    "unknown head": (AWS, {"head_node_type": "haed"}, r"no node type 'haed' .* Did you mean 'head'"),
    "more least than most": (
        AWS,
        {"available_node_types.worker.min_workers": 9},
        r"min_workers: expected at most max_workers \(8\), got 9",
    ),
    "more of a type than of all": (
        AWS,
        {"max_workers": 4},
        r"max_workers: expected at most the cluster's max_workers \(4\), got 8",
    ),
    "least of all types": (
        AWS,
        {
            "max_workers": 8,
            "available_node_types.worker.min_workers": 6,
            "available_node_types.head.min_workers": 3,
        },
        r"max_workers: expected at least the sum of all min_workers \(9\), got 8",
    ),
    "CPUs in small letters": (
        AWS,
        {"available_node_types.worker.resources": {"cpu": 8}},
        r"resources\.cpu: a custom resource to Ray\. Write CPU",
    ),
    "no token here": (AWS, {"file_mounts.~/\\.ray/auth_token": "no/such/file"}, r"no file 'no/such/file'"),
    "no start commands": (AWS, {"head_start_ray_commands": GONE}, r"Ray's default starts it without a token"),
    "a head without a token": (
        AWS,
        {"head_start_ray_commands.1": BARE},
        r"head_start_ray_commands\[1\]: Ray is started without a token",
    ),
    "a worker without a token": (
        OWN,
        {"worker_start_ray_commands.1": "ray start --address=$RAY_HEAD_IP:6379"},
        r"worker_start_ray_commands\[1\]: Ray is started without a token",
    ),
    "a token in another shell": (
        AWS,
        {"head_start_ray_commands": ["export RAY_AUTH_MODE=token", BARE]},
        r"head_start_ray_commands\[1\]: Ray is started without a token",
    ),
    "no token mounted": (AWS, {"file_mounts.~/\\.ray/auth_token": GONE}, r"the nodes get no token"),
    "a token in the file": (
        AWS,
        {"head_start_ray_commands.1": f"export RAY_AUTH_TOKEN=abc123; {START}"},
        r"head_start_ray_commands\[1\]: the token is in the file",
    ),
    "a key in the file": (
        AWS,
        {"setup_commands.2": "export AWS_ACCESS_KEY_ID=AKIA0123456789ABCDEF"},
        r"a cloud's key is in the file",
    ),
    "a dashboard for all": (
        AWS,
        {"head_start_ray_commands.1": f"{START} --dashboard-host=0.0.0.0"},
        r"the dashboard, which can start jobs, listens on every interface",
    ),
    "no autoscaler": (
        AWS,
        {"head_start_ray_commands.1": "export RAY_AUTH_MODE=token; ray start --head"},
        r"'ray start' lacks --autoscaling-config: no worker is ever started",
    ),
    "no head's address": (
        AWS,
        {"worker_start_ray_commands.1": "export RAY_AUTH_MODE=token; ray start"},
        r"'ray start' lacks --address: the worker cannot find its head",
    ),
    "nothing starts Ray": (AWS, {"worker_start_ray_commands": ["true"]}, r"no command starts Ray"),
    "another Ray": (
        AWS,
        {"docker.image": "rayproject/ray:2.40.0-py311"},
        r"docker\.image: expected Ray 2\.60, got 2\.40",
    ),
    "another Ray by pip": (
        GCP,
        {"setup_commands.0": "pip install ray[default]==2.9"},
        r"expected Ray 2\.60, got 2\.9",
    ),
    "no fivefold": (AWS, {"setup_commands": ["true"]}, r"no command installs fivefold"),
    "more workers than machines": (
        OWN,
        {"max_workers": 5},
        r"max_workers: expected at most 2, the number of worker_ips, got 5",
    ),
}
KUBERAY_MISTAKES = {
    "no cluster": ({"spec.rayClusterSpec": GONE}, r"spec\.rayClusterSpec: missing"),
    "no token": ({"spec.rayClusterSpec.authOptions": GONE}, r"authOptions: Ray is started without a token"),
    "no token by choice": ({"spec.rayClusterSpec.authOptions.mode": "disabled"}, r"started without a token"),
    "a token in the file": (
        {f"{GROUP}.template.spec.containers.0.env.1": {"name": "RAY_AUTH_TOKEN", "value": "x"}},
        r"the token is in the file",
    ),
    "another cluster": (
        {"spec.entrypoint": "fivefold run s.yaml --out /journal/s --address h:6379"},
        r"--address names another cluster",
    ),
    "a retry from nothing": (
        {"spec.entrypoint": "fivefold run /study/study.yaml --out /tmp/study"},
        r"lost with the head's pod, and each of the 3 retries starts from nothing",
    ),
    "a journal in memory": (
        {f"{HEAD_POD}.volumes.0": {"name": "journal", "emptyDir": {}}},
        r"is lost with the",
    ),
    "a journal without its volume": ({f"{HEAD_POD}.volumes.0": GONE}, r"is lost with the"),
    "replicas out of order": ({f"{GROUP}.replicas": 9}, r"replicas <= maxReplicas, got 0, 9, 8"),
    "no autoscaler": (
        {"spec.rayClusterSpec.enableInTreeAutoscaling": GONE},
        r"the 8 further workers are never started",
    ),
    "another Ray": (
        {"spec.rayClusterSpec.rayVersion": "2.40.0"},
        r"rayVersion: expected 2\.60, .* got 2\.40",
    ),
    "another Ray's image": (
        {f"{HEAD_POD}.containers.0.image": "rayproject/ray:2.40.0-py311"},
        r"image: expected Ray 2\.60, .* got 2\.40",
    ),
    "Ray's own image": (
        {f"{HEAD_POD}.containers.0.image": "rayproject/ray:2.60.0-py311"},
        r"Ray's own image does not contain fivefold",
    ),
    "no limit": ({f"{GROUP}.template.spec.containers.0.resources": {}}, r"limits\.cpu: missing"),
}


@pytest.mark.parametrize("name", [*LAUNCHER, KUBERAY])
def test_the_files_of_this_repository_are_right(name):
    found = check_cluster(ROOT / name)
    assert [str(mistake) for mistake in found.mistakes] == []
    assert found.kind == ("KubeRay" if name == KUBERAY else "ray up")


@pytest.mark.parametrize("case", LAUNCHER_MISTAKES)
def test_a_broken_file_for_the_launcher_is_told(tmp_path, case):
    name, changes, message = LAUNCHER_MISTAKES[case]
    found = check_cluster(broken(tmp_path, name, changes))
    assert not found.fit
    assert any(mistake.fatal and re.search(message, str(mistake)) for mistake in found.mistakes), (
        found.mistakes
    )


@pytest.mark.parametrize("case", KUBERAY_MISTAKES)
def test_a_broken_manifest_is_told(tmp_path, case):
    changes, message = KUBERAY_MISTAKES[case]
    found = check_cluster(broken(tmp_path, KUBERAY, changes))
    assert not found.fit
    assert any(mistake.fatal and re.search(message, str(mistake)) for mistake in found.mistakes), (
        found.mistakes
    )


def refused_by_ray(given):
    """Whether Ray's launcher itself refuses a file; it looks at less."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    try:
        validate_config(prepare_config(copy.deepcopy(given)))
    except (Exception, SystemExit):
        return True
    return False


def test_ray_takes_the_files_of_this_repository_and_few_of_the_broken_ones(tmp_path):
    for name in LAUNCHER:
        assert not refused_by_ray(documents(name)[0])
    refused = []
    for case, (name, changes, _) in LAUNCHER_MISTAKES.items():
        file = broken(tmp_path, name, changes)
        if refused_by_ray(yaml.safe_load(file.read_text(encoding="utf-8"))):
            refused.append(case)
            assert not check_cluster(file).fit, case
    assert 5 <= len(refused) < len(LAUNCHER_MISTAKES) / 2, "Ray sees some of them, and most it does not"


@pytest.mark.parametrize("name", LAUNCHER)
def test_every_command_is_one_that_a_shell_can_read(name):
    (given,) = documents(name)
    commands = [command for key, value in given.items() if key.endswith("commands") for command in value]
    assert len(commands) >= 6
    for command in commands:
        done = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stderr)


def test_the_files_install_what_is_there():
    """What they mount is what the package is built of, and they name the version that is tested."""
    for name in LAUNCHER:
        mounts = documents(name)[0]["file_mounts"]
        assert {"runner", "pyproject.toml", "constraints.txt", "README.md", "LICENSE"} < set(mounts.values())
    (pinned,) = re.findall(r"^ray==(.*)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M)
    for name in ("cluster.yaml", "deploy/gcp.yaml", "deploy/Dockerfile"):
        images = re.findall(r"rayproject/ray:([\d.]+)-", (ROOT / name).read_text(encoding="utf-8"))
        assert set(images) == {pinned}, name
    assert documents(KUBERAY)[-1]["spec"]["rayClusterSpec"]["rayVersion"] == pinned


def room(name, **trial):
    groups = check_cluster(ROOT / name, [Needs(**trial)]).groups
    each = [group.room(Needs(**trial)) for group in groups]
    return (
        [sum(count * group.most for count, group in zip(each, groups, strict=True))]
        if None not in each
        else []
    )


def test_room_is_counted_node_by_node(tmp_path):
    assert room("cluster.yaml") == [64]
    assert room("cluster.yaml", cpus=3) == [16], "two on each of eight, not 64 / 3"
    assert room("cluster.yaml", cpus=0.5) == [128]
    assert room(KUBERAY, cpus=8) == [8]
    assert room("deploy/own-machines.yaml") == [], "nothing says how many CPUs they have"
    gpu = Group("gpu", 0, 2, {"CPU": 8.0, "GPU": 1.0})
    assert gpu.room(Needs(gpus=0.25)) == 4
    assert gpu.room(Needs(cpus=4, gpus=0.25)) == 2
    assert gpu.room(Needs(memory_gb=500)) == 8, "what Ray finds out on the node is not judged"


def test_a_trial_that_fits_no_node_is_told():
    found = check_cluster(ROOT / "cluster.yaml", [Needs(), Needs(cpus=9)])
    (mistake,) = found.mistakes
    assert mistake.message == "a trial needs 9 CPUs; this cluster has 8 CPUs."
    (mistake,) = check_cluster(ROOT / "cluster.yaml", [Needs(resources={"large": 1})]).mistakes
    assert "has no resource 'large'" in mistake.message


def test_what_describes_no_cluster_is_told(tmp_path):
    (tmp_path / "study.yaml").write_text("name: x\nproblems: [branin]\n")
    with pytest.raises(StudyError, match="got neither 'cluster_name' nor 'apiVersion'"):
        check_cluster(tmp_path / "study.yaml")
    with pytest.raises(StudyError, match="no such file"):
        check_cluster(tmp_path / "cluster.yaml")
    (tmp_path / "twice.yaml").write_text("cluster_name: a\nprovider: {type: aws}\ncluster_name: b\n")
    with pytest.raises(StudyError, match=r"twice\.yaml:3:1: .*duplicate key 'cluster_name'"):
        check_cluster(tmp_path / "twice.yaml")


@pytest.mark.parametrize(
    "text, says",
    [
        (
            "cluster_name: a\nprovider: 2001-13-45\n",
            "2:11: invalid YAML: '2001-13-45' cannot be read",
        ),
        ("cluster_name: 0x_\n", "1:15: invalid YAML: '0x_' cannot be read"),
        ("? [a, b]\n: c\n", "1:3: invalid YAML: found unhashable key"),
        (
            "cluster_name: !Ref a\n",
            "1:15: invalid YAML: could not determine a constructor for the tag",
        ),
        ("[" * 300, "1:65: expected at most 64 levels of nesting, got more"),
        (
            "a: &a [x, x, x]\n"
            + "".join(f"{c}: &{c} [{', '.join([f'*{p}'] * 9)}]\n" for p, c in ["ab", "bc", "cd", "de", "ef"]),
            "5:28: expected aliases of at most 20,000 values in all, got more",
        ),
        ("a: &a [*a]\n", "1:8: the alias '*a' is within its own anchor."),
    ],
)
def test_a_cluster_file_of_bad_yaml_is_refused_at_once(tmp_path, text, says):
    (tmp_path / "cluster.yaml").write_text(text)
    with pytest.raises(StudyError) as caught:
        check_cluster(tmp_path / "cluster.yaml")
    assert says in str(caught.value)


NONSENSE = itertools.cycle([None, [None], {"a": None}, "text", -1, 1.5, True])


@pytest.mark.parametrize("name", [AWS, OWN, KUBERAY])
def test_whatever_stands_in_a_file_no_traceback(name):
    """Each value of the outer levels in turn replaced by what has no place there."""
    for path in paths(documents(name)[-1]):
        for value in itertools.islice(NONSENSE, 2):
            found = documents_again(name)
            put(found[-1], path, value)
            if name == KUBERAY:
                mistakes, groups = list(check_kuberay(found)), kuberay_groups(found)
            else:
                mistakes, groups = list(check_launcher(found[0])), launcher_groups(found[0])
            mistakes += check_room(groups, Needs(gpus=1))
            assert all(str(mistake) for mistake in mistakes), (path, value)


def paths(given, before=""):
    """Every path of the outer levels."""
    for key in given if isinstance(given, dict) else range(len(given)):
        path = before + str(key).replace(".", "\\.")
        yield path
        if isinstance(given[key], dict | list) and path.count(".") < 3:
            yield from paths(given[key], f"{path}.")


def test_the_command_tells_and_counts(tmp_path, monkeypatch, capsys):
    from typer.testing import CliRunner

    study = tmp_path / "study.yaml"
    study.write_text("{name: x, problems: [branin], methods: [random], seeds: 1, budget: {trials: 2},"
                     " trial: {cpus: 2}}")  # fmt: skip
    done = CliRunner().invoke(app, ["check", str(study), "--cluster", "cluster.yaml"])
    assert done.exit_code == 0, done.output
    assert "Trials of 2 CPU: 0 to 32 at once." in done.output
    assert "branin" in done.output
    bad = broken(tmp_path, AWS, {"auth.ssh_usr": "x", "max_worker": 1})
    done = CliRunner().invoke(app, ["check", "--cluster", str(bad)])
    assert done.exit_code == 2
    assert done.output.count("error: ") == 2, "all that is wrong, not only the first"
