"""The real parts that sluice stands between, started on free loopback ports and ended with the run.

PostgreSQL with logical decoding, Apache Kafka (KRaft, one JVM), Kafka Connect with Debezium's PostgreSQL connector, and the
sluice binary. Every wait is for a condition, with a deadline and the part's log when it passes.
"""

import ctypes
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = float(os.environ.get("SLUICE_TEST_PATIENCE", "120"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, condition, log=None, patience=PATIENCE):
    """Calls `condition` until it gives something true, and gives that; fails with what was last seen."""
    deadline = time.monotonic() + patience
    seen = None
    while time.monotonic() < deadline:
        try:
            seen = condition()
            if seen:
                return seen
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            seen = error
        time.sleep(0.05)
    tail = ""
    if log and Path(log).exists():
        tail = "\n--- " + str(log) + "\n" + "\n".join(Path(log).read_text(errors="replace").splitlines()[-40:])
    raise AssertionError(f"{what}: not within {patience:.0f} s; last seen: {seen!r}{tail}")


def connects(port):
    with socket.create_connection(("127.0.0.1", port), timeout=2):
        return True


def ends_with_us(how):
    """Run in a child before it becomes the part: the kernel ends it when this run is gone, even by kill -9."""
    PR_SET_PDEATHSIG = 1
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(PR_SET_PDEATHSIG, how)


class Part:
    """A process with a log, ended with the run."""

    gentle = signal.SIGTERM
    if_orphaned = signal.SIGKILL

    def __init__(self, name, folder):
        self.name, self.folder = name, Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / f"{name}.log"
        self.process = None

    def spawn(self, command, env=None, user=None, cwd=None):
        out = open(self.log, "ab")
        self.process = subprocess.Popen(
            [str(c) for c in command], stdout=out, stderr=out, stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})}, user=user, cwd=cwd, start_new_session=True,
            preexec_fn=ends_with_us(self.if_orphaned))
        out.close()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def end(self, how=None):
        if self.alive():
            os.killpg(self.process.pid, how or self.gentle)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(30)


def psql(port, sql, user, database):
    done = subprocess.run(
        ["psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(port), "-U", user, "-d", database,
         "-c", sql], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{sql}\n{done.stderr}")
    return done.stdout.rstrip("\n")


def postgres_bin():
    """Where the server's programs are: Debian keeps them out of PATH, each version in a folder of its own."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    found = found[-1] if found else shutil.which("postgres")
    return Path(found).parent if found else None


class Postgres(Part):
    # Sessions are cut off; without it, the server waits until Debezium leaves.
    gentle = signal.SIGINT
    if_orphaned = signal.SIGQUIT

    def __init__(self, folder):
        super().__init__("postgres", folder)
        self.port = free_port()
        bin_dir = postgres_bin()
        if bin_dir is None:
            raise AssertionError("PostgreSQL is missing: apt-get install postgresql")
        self.bin = bin_dir

    def start(self):
        # The server refuses to run as root.
        user = None
        if os.geteuid() == 0:
            user = next((u.pw_name for u in pwd.getpwall() if u.pw_name == "postgres"), None)
            if user is None:
                raise AssertionError("PostgreSQL cannot run as root and there is no user postgres")
            shutil.chown(self.folder, user)
        data = self.folder / "data"
        subprocess.run([self.bin / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8"], check=True,
                       capture_output=True, user=user, cwd=self.folder)
        self.spawn([self.bin / "postgres", "-D", data, "-p", self.port, "-k", self.folder,
                    "-c", "listen_addresses=127.0.0.1", "-c", "wal_level=logical", "-c", "fsync=off", "-c", "timezone=UTC"],
                   user=user, cwd=self.folder)
        wait_for("PostgreSQL", lambda: self.sql("SELECT 1") == "1", self.log)

    def sql(self, text):
        return psql(self.port, text, "postgres", "postgres")


class Kafka(Part):
    """One broker: in the clear on `port`, and with TLS and a password (SCRAM or PLAIN) on `secure_port`."""

    USER, PASSWORD = "sluice", "not in any log"

    def __init__(self, folder, jars):
        super().__init__("kafka", folder)
        self.jars, self.port, self.secure_port, controller = jars, free_port(), free_port(), free_port()
        self.authority = self.certificate("broker")
        self.config = self.folder / "server.properties"
        self.config.write_text(f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{self.port},SASL_SSL://127.0.0.1:{self.secure_port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{self.port},SASL_SSL://127.0.0.1:{self.secure_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-256,PLAIN
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{self.USER}="{self.PASSWORD}";
ssl.keystore.type=PKCS12
ssl.keystore.location={self.folder}/broker.p12
ssl.keystore.password=changeit
controller.listener.names=CONTROLLER
log.dirs={self.folder}/logs
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
num.partitions=1
group.initial.rebalance.delay.ms=0
message.max.bytes=33554432
""")

    def java(self, *arguments):
        return ["java", "-Xmx512m", "-cp", f"{self.jars}/*", *arguments]

    def certificate(self, name):
        """A key of its own, signed by itself; gives the certificate's file."""
        store, file = self.folder / f"{name}.p12", self.folder / f"{name}.pem"
        key = ["keytool", "-alias", name, "-storetype", "PKCS12", "-keystore", store, "-storepass", "changeit"]
        subprocess.run([*key, "-genkeypair", "-keyalg", "RSA", "-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1"],
                       check=True, capture_output=True)
        subprocess.run([*key, "-exportcert", "-rfc", "-file", file], check=True, capture_output=True)
        return file

    def format(self):
        done = subprocess.run(self.java("kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", self.config,
                                        "--add-scram", f"SCRAM-SHA-256=[name={self.USER},password={self.PASSWORD}]"),
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"Kafka's storage cannot be formatted: {done.stdout}{done.stderr}")

    def start(self):
        self.spawn(self.java("kafka.Kafka", self.config))
        wait_for("Kafka", lambda: connects(self.port), self.log)


class Connect(Part):
    """Kafka Connect, standalone, with a connector of Debezium for each prefix: `{prefix: properties}`."""

    def __init__(self, folder, jars, kafka, postgres, connectors):
        super().__init__("connect", folder)
        self.jars, self.rest, self.names = jars, free_port(), list(connectors)
        self.worker = self.folder / "worker.properties"
        self.worker.write_text(f"""bootstrap.servers=127.0.0.1:{kafka.port}
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
offset.storage.file.filename={self.folder}/offsets
offset.flush.interval.ms=1000
listeners=http://127.0.0.1:{self.rest}
plugin.discovery=only_scan
""")
        for name, properties in connectors.items():
            (self.folder / f"{name}.properties").write_text(f"""name={name}
connector.class=io.debezium.connector.postgresql.PostgresConnector
tasks.max=1
database.hostname=127.0.0.1
database.port={postgres.port}
database.user=postgres
database.password=postgres
database.dbname=postgres
topic.prefix={name}
plugin.name=pgoutput
slot.name={name}
publication.name={name}
schema.include.list=public
provide.transaction.metadata=true
# The default leaves truncates out.
skipped.operations=none
poll.interval.ms=20
topic.creation.default.replication.factor=1
topic.creation.default.partitions=1
topic.creation.enable=true
{properties}
""")

    def start(self):
        files = [self.folder / f"{name}.properties" for name in self.names]
        self.spawn(["java", "-Xmx512m", "-cp", f"{self.jars}/*", "org.apache.kafka.connect.cli.ConnectStandalone",
                    self.worker, *files])
        for name in self.names:
            wait_for(f"Debezium's connector {name}", lambda: self.runs(name), self.log)

    def runs(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.rest}/connectors/{name}/status", timeout=2) as answer:
            status = json.load(answer)
        assert status["connector"]["state"] != "FAILED", status
        assert all(task["state"] != "FAILED" for task in status["tasks"]), status
        return status["tasks"] and all(task["state"] == "RUNNING" for task in status["tasks"])


class ObjectStore(Part):
    """An S3 server with one bucket, `lake`, in memory."""

    def __init__(self, folder):
        super().__init__("s3", folder)
        self.port = free_port()
        self.options = {
            "aws_endpoint": f"http://127.0.0.1:{self.port}", "aws_allow_http": "true", "aws_region": "us-east-1",
            "aws_access_key_id": "somebody", "aws_secret_access_key": "something",
        }

    def start(self):
        self.spawn([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", self.port])
        wait_for("the S3 server", lambda: connects(self.port), self.log)
        bucket = urllib.request.Request(f"http://127.0.0.1:{self.port}/lake", method="PUT")
        urllib.request.urlopen(bucket, timeout=10).close()


class Sluice(Part):
    def __init__(self, folder, config, lake='url = "lake"\n'):
        super().__init__("sluice", folder)
        self.port, self.http = free_port(), free_port()
        self.lake = self.folder / "lake"
        (self.folder / "sluice.toml").write_text(
            f'listen = "127.0.0.1:{self.port}"\nhttp = "127.0.0.1:{self.http}"\n[lake]\n{lake}'
            f'flush_interval = "200ms"\n{config}')
        profile = "release" if os.environ.get("SLUICE_TEST_RELEASE") else "debug"
        self.binary = ROOT / "target" / profile / "sluice"
        if not self.binary.exists():
            raise AssertionError(f"{self.binary} is missing: cargo build --bin sluice")

    def start(self):
        self.spawn([self.binary, "serve", "--config", self.folder / "sluice.toml", "--log", "info"])
        wait_for("sluice", lambda: self.sql("SELECT 1") == "1", self.log)

    def check(self):
        """`sluice check` with this configuration, run to its end."""
        return subprocess.run([self.binary, "check", "--config", self.folder / "sluice.toml"], capture_output=True, text=True, timeout=PATIENCE)

    def sql(self, text):
        return psql(self.port, text, "sluice", "sluice")
