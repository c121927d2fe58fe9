"""Files that describe clusters: those of this repository are right, broken ones are told by sentences."""

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
from runner.cluster.check.groups import check_room, cpus_of
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
WORLD = [{"IpProtocol": "tcp", "FromPort": 8265, "ToPort": 8265, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]

# file, what is changed, and the sentence that must be told.
LAUNCHER_MISTAKES = {
    "unknown key": (AWS, {"max_worker": 3}, r"max_worker: unknown key\. Did you mean 'max_workers'"),
    "unknown key in auth": (AWS, {"auth.ssh_usr": "me"}, r"auth\.ssh_usr: unknown key"),
    "unknown key in docker": (AWS, {"docker.img": "x"}, r"docker\.img: unknown key"),
    "unknown key of a node type": (
        AWS,
        {"available_node_types.worker.max_worker": 3},
        r"worker\.max_worker: unknown key\. Did you mean 'max_workers'",
    ),
    "wrong kind": (AWS, {"max_workers": "many"}, r"max_workers: got 'many'; a whole number was expected"),
    "commands as text": (
        AWS,
        {"setup_commands": "pip install fivefold"},
        r"setup_commands: got .*; a list was",
    ),
    "negative": (AWS, {"idle_timeout_minutes": -1}, r"idle_timeout_minutes: got -1; at least 0 was expected"),
    "no name": (AWS, {"cluster_name": GONE}, r"cluster_name: it is missing"),
    "no provider": (AWS, {"provider": GONE}, r"provider: it is missing"),
    "unknown provider": (AWS, {"provider.type": "awz"}, r"Ray knows no provider 'awz'\. Did you mean 'aws'"),
    "unknown provider key": (
        AWS,
        {"provider.regoin": "us-west-2"},
        r"provider\.regoin: unknown key\. Did you mean 'region'",
    ),
    "no region": (AWS, {"provider.region": GONE}, r"provider\.region: it is missing"),
    "zone elsewhere": (
        AWS,
        {"provider.availability_zone": "eu-west-1a"},
        r"'eu-west-1a' lies not in the region 'us-west-2'",
    ),
    "no project": (GCP, {"provider.project_id": None}, r"provider\.project_id: it is missing"),
    "unknown head": (AWS, {"head_node_type": "haed"}, r"no node type 'haed'\. Did you mean 'head'"),
    "no head": (AWS, {"head_node_type": GONE}, r"head_node_type: it is missing"),
    "no node types": (AWS, {"available_node_types": GONE}, r"available_node_types: it is missing"),
    "more least than most": (
        AWS,
        {"available_node_types.worker.min_workers": 9},
        r"min_workers: got 9, more than its max_workers of 8",
    ),
    "more of a type than of all": (
        AWS,
        {"max_workers": 4},
        r"max_workers: got 8, but the whole cluster may have 4",
    ),
    "least of all types": (
        AWS,
        {
            "max_workers": 8,
            "available_node_types.worker.min_workers": 6,
            "available_node_types.head.min_workers": 3,
        },
        r"max_workers: got 8, less than the 9 nodes",
    ),
    "more CPUs than there are": (
        AWS,
        {"available_node_types.worker.resources.CPU": 16},
        r"worker\.resources\.CPU: got 16, but the machine has 8",
    ),
    "CPUs in small letters": (
        AWS,
        {"available_node_types.worker.resources": {"cpu": 8}},
        r"resources\.cpu: to Ray this is a resource of its own\. Write CPU",
    ),
    "unknown key of a machine": (
        AWS,
        {"available_node_types.worker.node_config.InstanceTyp": "m7i.large"},
        r"node_config\.InstanceTyp: unknown key\. Did you mean 'InstanceType'",
    ),
    "no machine": (
        AWS,
        {"available_node_types.worker.node_config.InstanceType": GONE},
        r"worker\.node_config\.InstanceType: it is missing",
    ),
    "no machine on GCP": (
        GCP,
        {"available_node_types.worker.node_config.machineType": GONE},
        r"worker\.node_config\.machineType: it is missing",
    ),
    "unknown market": (
        AWS,
        {"available_node_types.worker.node_config.InstanceMarketOptions.MarketType": "cheap"},
        r"MarketType: got 'cheap'; 'spot' was expected",
    ),
    "open ports": (
        AWS,
        {"provider.security_group": {"IpPermissions": WORLD}},
        r"ports other than SSH's are open to all the world",
    ),
    "a missing mount": (AWS, {"file_mounts.~/data": "no/such/folder"}, r"there is no 'no/such/folder' here"),
    "a relative mount": (
        AWS,
        {"file_mounts.data": "docs"},
        r"file_mounts\.data: the path on the nodes is rel",
    ),
    "a missing key file": (AWS, {"auth.ssh_private_key": "~/no.pem"}, r"there is no file '~/no\.pem'"),
    "a nameless container": (AWS, {"docker.container_name": GONE}, r"docker\.container_name: it is missing"),
    "a container of nothing": (AWS, {"docker.image": GONE}, r"docker\.image: it is missing"),
    "no start commands": (
        AWS,
        {"head_start_ray_commands": GONE},
        r"what Ray runs instead .* without a token",
    ),
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
    "no token mounted": (AWS, {"file_mounts.~/\\.ray/auth_token": GONE}, r"no token comes to the nodes"),
    "a token in the file": (
        AWS,
        {"head_start_ray_commands.1": f"export RAY_AUTH_TOKEN=abc123; {START}"},
        r"head_start_ray_commands\[1\]: a token stands in the file",
    ),
    "a key in the file": (
        AWS,
        {"setup_commands.2": "export AWS_ACCESS_KEY_ID=AKIA0123456789ABCDEF"},
        r"a key of a cloud stands in the file",
    ),
    "a dashboard for all": (
        AWS,
        {"head_start_ray_commands.1": f"{START} --dashboard-host=0.0.0.0"},
        r"the dashboard, which starts jobs, listens on every interface",
    ),
    "no autoscaler": (
        AWS,
        {"head_start_ray_commands.1": "export RAY_AUTH_MODE=token; ray start --head"},
        r"'ray start' lacks --autoscaling-config: no worker would ever be started",
    ),
    "no head's address": (
        AWS,
        {"worker_start_ray_commands.1": "export RAY_AUTH_MODE=token; ray start"},
        r"'ray start' lacks --address: it would find no head",
    ),
    "nothing starts Ray": (AWS, {"worker_start_ray_commands": ["true"]}, r"none of its commands starts Ray"),
    "another Ray": (
        AWS,
        {"docker.image": "rayproject/ray:2.40.0-py311"},
        r"docker\.image: it installs Ray 2\.40",
    ),
    "another Ray by pip": (
        GCP,
        {"setup_commands.0": "pip install ray[default]==2.9"},
        r"it installs Ray 2\.9",
    ),
    "no fivefold": (AWS, {"setup_commands": ["true"]}, r"no command installs fivefold"),
    "own machines without names": (
        OWN,
        {"provider.worker_ips": GONE},
        r"provider\.worker_ips: it is missing",
    ),
    "own machines without a user": (OWN, {"auth": {}}, r"auth\.ssh_user: it is missing"),
    "more workers than machines": (
        OWN,
        {"max_workers": 5},
        r"max_workers: got 5, but there are 2 worker_ips",
    ),
    "own machines with types": (
        OWN,
        {"available_node_types": {"a": {"resources": {}, "node_config": {}}}},
        r"own machines have no node types",
    ),
    "the head as a worker": (
        OWN,
        {"provider.head_ip": "192.168.0.11"},
        r"the head, 192\.168\.0\.11, is among the",
    ),
    "a machine twice": (OWN, {"provider.worker_ips": ["a", "a"]}, r"provider\.worker_ips: a stands twice"),
}
KUBERAY_MISTAKES = {
    "an old version": ({"apiVersion": "ray.io/v1alpha1"}, r"got 'ray\.io/v1alpha1'; ray\.io/v1 was expected"),
    "an unknown key of the job": (
        {"spec.backofLimit": 1},
        r"spec\.backofLimit: .* Did you mean 'backoffLimit'",
    ),
    "an unknown key of the cluster": (
        {"spec.rayClusterSpec.authOption": {}},
        r"authOption: unknown key\. Did you mean 'authOptions'",
    ),
    "an unknown key of a group": ({f"{GROUP}.maxReplica": 3}, r"maxReplica: .* Did you mean 'maxReplicas'"),
    "no cluster": ({"spec.rayClusterSpec": GONE}, r"spec\.rayClusterSpec: it is missing"),
    "no token": ({"spec.rayClusterSpec.authOptions": GONE}, r"authOptions: Ray is started without a token"),
    "no token by choice": ({"spec.rayClusterSpec.authOptions.mode": "disabled"}, r"started without a token"),
    "a token in the file": (
        {f"{GROUP}.template.spec.containers.0.env.1": {"name": "RAY_AUTH_TOKEN", "value": "x"}},
        r"the token stands in the file",
    ),
    "no entrypoint": ({"spec.entrypoint": GONE}, r"spec\.entrypoint: it is missing"),
    "another cluster": (
        {"spec.entrypoint": "fivefold run s.yaml --out /journal/s --address h:6379"},
        r"it names another cluster than its own",
    ),
    "a retry from nothing": (
        {"spec.entrypoint": "fivefold run /study/study.yaml --out /tmp/study"},
        r"lost with the head's pod, and each of the 3 retries begins anew",
    ),
    "a journal in memory": (
        {f"{HEAD_POD}.volumes.0": {"name": "journal", "emptyDir": {}}},
        r"is lost with the",
    ),
    "a time to live without an end": (
        {"spec.shutdownAfterJobFinishes": False},
        r"ttlSecondsAfterFinished: it has no effect",
    ),
    "a wrong mode": ({"spec.submissionMode": "Mode"}, r"got 'Mode'; one of K8sJobMode, HTTPMode"),
    "replicas that do not fit": ({f"{GROUP}.replicas": 9}, r"minReplicas 0, replicas 9 and maxReplicas 8"),
    "no autoscaler": (
        {"spec.rayClusterSpec.enableInTreeAutoscaling": GONE},
        r"the 8 further workers are never started",
    ),
    "another Ray": (
        {"spec.rayClusterSpec.rayVersion": "2.40.0"},
        r"got 2\.40\.0, and this fivefold is made for",
    ),
    "Ray's own image": (
        {f"{HEAD_POD}.containers.0.image": "rayproject/ray:2.60.0-py311"},
        r"Ray's own image holds no fivefold",
    ),
    "no limit": ({f"{GROUP}.template.spec.containers.0.resources": {}}, r"limits\.cpu: it is missing"),
    "no volume": ({f"{HEAD_POD}.volumes.1": GONE}, r"there is no volume 'study' in this pod"),
    "one disk on many nodes": (
        {f"{GROUP}.template.spec.volumes": [{"persistentVolumeClaim": {"claimName": "fivefold-journal"}}]},
        r"the disk 'fivefold-journal' can be on one node only",
    ),
    "a group without a name": ({f"{GROUP}.groupName": GONE}, r"groupName: it is missing"),
    "no containers": ({f"{GROUP}.template.spec.containers": []}, r"containers: there is none"),
}


@pytest.mark.parametrize("name", [*LAUNCHER, KUBERAY])
def test_the_files_of_this_repository_are_right(name):
    found = check_cluster(ROOT / name)
    assert [str(mistake) for mistake in found.mistakes] == []
    assert found.kind == ("KubeRay" if name == KUBERAY else "ray up")


@pytest.mark.parametrize("case", LAUNCHER_MISTAKES)
def test_a_broken_file_for_the_launcher_is_told(tmp_path, case):
    name, changes, sentence = LAUNCHER_MISTAKES[case]
    found = check_cluster(broken(tmp_path, name, changes))
    assert not found.fit
    assert any(mistake.fatal and re.search(sentence, str(mistake)) for mistake in found.mistakes), (
        found.mistakes
    )


@pytest.mark.parametrize("case", KUBERAY_MISTAKES)
def test_a_broken_manifest_is_told(tmp_path, case):
    changes, sentence = KUBERAY_MISTAKES[case]
    found = check_cluster(broken(tmp_path, KUBERAY, changes))
    assert not found.fit
    assert any(mistake.fatal and re.search(sentence, str(mistake)) for mistake in found.mistakes), (
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


def test_what_ray_refuses_is_refused_here_and_what_is_right_here_it_takes(tmp_path):
    for name in LAUNCHER:
        assert not refused_by_ray(documents(name)[0])
    refused = []
    for case, (name, changes, _) in LAUNCHER_MISTAKES.items():
        file = broken(tmp_path, name, changes)
        if refused_by_ray(yaml.safe_load(file.read_text(encoding="utf-8"))):
            refused.append(case)
            assert not check_cluster(file).fit, case
    assert 10 <= len(refused) < len(LAUNCHER_MISTAKES) / 2, "Ray sees some of them, and most it does not"


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


def lanes(name, **trial):
    groups = check_cluster(ROOT / name, [Needs(**trial)]).groups
    each = [group.lanes(Needs(**trial)) for group in groups]
    return (
        [sum(count * group.most for count, group in zip(each, groups, strict=True))]
        if None not in each
        else []
    )


def test_lanes_are_counted_node_by_node(tmp_path):
    assert lanes("cluster.yaml") == [64]
    assert lanes("cluster.yaml", cpus=3) == [16], "two on each of eight, not 64 / 3"
    assert lanes("cluster.yaml", cpus=0.5) == [128]
    assert lanes(KUBERAY, cpus=8) == [8]
    assert lanes("deploy/own-machines.yaml") == [], "nothing says how many CPUs they have"
    gpu = Group("gpu", 0, 2, {"CPU": 8.0, "GPU": 1.0})
    assert gpu.lanes(Needs(gpus=0.25)) == 4
    assert gpu.lanes(Needs(cpus=4, gpus=0.25)) == 2
    assert gpu.lanes(Needs(memory_gb=500)) == 8, "what Ray finds out on the node is not judged"


def test_a_trial_that_fits_no_node_is_told():
    found = check_cluster(ROOT / "cluster.yaml", [Needs(), Needs(cpus=9)])
    (mistake,) = found.mistakes
    assert mistake.message == "a trial needs 9 CPUs; this cluster has 8 CPUs."
    (mistake,) = check_cluster(ROOT / "cluster.yaml", [Needs(resources={"large": 1})]).mistakes
    assert "has no resource 'large'" in mistake.message


@pytest.mark.parametrize(
    "machine, cpus",
    [
        ("m7i.large", 2), ("m7i.xlarge", 4), ("c6g.16xlarge", 64), ("t3.micro", 2), ("g4dn.12xlarge", 48),
        ("n2-standard-8", 8), ("e2-medium", 2), ("c3d-highmem-30", 30), ("m7g.medium", None),
        ("hpc7a.12xlarge", None), ("m7i.metal-24xl", None), ("", None),
    ],
)  # fmt: skip
def test_machines_are_known_by_their_names(machine, cpus):
    assert cpus_of(machine) == cpus


def test_what_describes_no_cluster_is_told(tmp_path):
    (tmp_path / "study.yaml").write_text("name: x\nproblems: [branin]\n")
    with pytest.raises(StudyError, match="describes no cluster"):
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
            "2:11: it is not valid YAML: '2001-13-45' cannot be read",
        ),
        ("cluster_name: 0x_\n", "1:15: it is not valid YAML: '0x_' cannot be read"),
        ("? [a, b]\n: c\n", "1:3: it is not valid YAML: found unhashable key"),
        (
            "cluster_name: !Ref a\n",
            "1:15: it is not valid YAML: could not determine a constructor for the tag",
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
    assert "For trials of 2 CPU: 0 to 32 lanes." in done.output
    assert "branin" in done.output
    bad = broken(tmp_path, AWS, {"provider.regoin": "x", "max_worker": 1})
    done = CliRunner().invoke(app, ["check", "--cluster", str(bad)])
    assert done.exit_code == 2
    assert done.output.count("error: ") == 2, "all that is wrong, not only the first"
