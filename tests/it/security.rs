//! Who may connect: passwords and TLS, as psql sees them.

use crate::support::{self, Sluice};
use std::path::Path;
use std::process::{Command, Output};

/// Connects as psql does, with this connection string added and this password.
fn connect(sluice: &Sluice, how: &str, password: &str) -> Output {
    let target = format!("host=127.0.0.1 port={} dbname=sluice {how}", sluice.postgres);
    Command::new("psql")
        .args(["-X", "-w", "-At", "-c", "SELECT current_user", &target])
        .env("PGPASSWORD", password)
        .output()
        .expect("psql is installed (Debian's postgresql-client)")
}

fn taken(sluice: &Sluice, how: &str, password: &str) {
    let output = connect(sluice, how, password);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{how}: {said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "analyst\n", "{how}");
}

fn refused(sluice: &Sluice, how: &str, password: &str, why: &str) {
    let output = connect(sluice, how, password);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(why), "{how}: {said}");
}

fn openssl(folder: &Path, args: &[&str]) {
    let made = Command::new("openssl").args(args).current_dir(folder).output();
    let made = made.expect("openssl is installed (Debian's openssl)");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

const NEW_KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/// A certificate for 127.0.0.1 that signs itself, as `<name>.pem` and `<name>.key`.
fn authority(folder: &Path, name: &str) {
    let (key, out) = (format!("{name}.key"), format!("{name}.pem"));
    let names = ["-subj", "/CN=authority", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"];
    openssl(folder, &[&["req", "-x509"], &NEW_KEY[..], &names, &["-keyout", &key, "-out", &out]].concat());
}

/// A certificate that an authority signed.
fn signed(folder: &Path, name: &str, by: &str) {
    let [key, request, out] = ["key", "csr", "pem"].map(|kind| format!("{name}.{kind}"));
    let subject = ["-subj", "/CN=analyst", "-keyout", &key, "-out", &request];
    openssl(folder, &[&["req", "-new"], &NEW_KEY[..], &subject].concat());
    let (ca, ca_key) = (format!("{by}.pem"), format!("{by}.key"));
    // With an extension it is of version 3, which is what is taken.
    std::fs::write(folder.join("extensions"), "basicConstraints = CA:FALSE\n").unwrap();
    let sign = ["x509", "-req", "-days", "2", "-CAcreateserial", "-extfile", "extensions"];
    openssl(folder, &[&sign[..], &["-in", &request, "-out", &out, "-CA", &ca, "-CAkey", &ca_key]].concat());
}

/// Users, and a source that brings nothing.
const USERS: &str = "[jsonl.landing]\npath = \"landing\"\n[users]\nanalyst = \"${file:password}\"\n";

#[test]
fn a_password_is_asked_for_where_there_are_users() {
    let folder = support::folder();
    std::fs::create_dir(folder.path().join("landing")).unwrap();
    std::fs::write(folder.path().join("password"), "a b,c=d'\n").unwrap();
    let sluice = support::serve(folder.path(), USERS);
    taken(&sluice, "user=analyst", "a b,c=d'");
    refused(&sluice, "user=analyst", "another", "password authentication failed for user \"analyst\"");
    refused(&sluice, "user=nobody", "a b,c=d'", "password authentication failed for user \"nobody\"");
    refused(&sluice, "user=analyst sslmode=require", "a b,c=d'", "server does not support SSL");
    assert!(!sluice.log().contains("a b,c=d"), "the password is in the log");
}

#[test]
fn connections_are_encrypted_where_there_is_a_certificate() {
    let folder = support::folder();
    std::fs::create_dir(folder.path().join("landing")).unwrap();
    std::fs::write(folder.path().join("password"), "secret").unwrap();
    for name in ["server", "staff", "others"] {
        authority(folder.path(), name);
    }
    signed(folder.path(), "client", "staff");
    signed(folder.path(), "stranger", "others");
    let at = |file: &str| folder.path().join(file).display().to_string();
    let verified = format!("user=analyst sslmode=verify-full sslrootcert={}", at("server.pem"));
    let tls = format!("{USERS}[tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n");

    let sluice = support::serve(folder.path(), &tls);
    taken(&sluice, &verified, "secret");
    taken(&sluice, "user=analyst sslmode=disable", "secret");
    // Bound to the channel: nobody in between can pass the exchange on.
    taken(&sluice, &format!("{verified} channel_binding=require"), "secret");
    refused(&sluice, "user=analyst sslmode=disable channel_binding=require", "secret", "channel binding");
    refused(&sluice, &verified, "other", "password authentication failed");
    let strange = format!("user=analyst sslmode=verify-full sslrootcert={}", at("others.pem"));
    refused(&sluice, &strange, "secret", "certificate verify failed");
    assert!(sluice.stop().success());

    let sluice = support::serve(folder.path(), &format!("{tls}required = true\nclient_ca = \"staff.pem\"\n"));
    let shown =
        |name: &str| format!("{verified} sslcert={} sslkey={}", at(&format!("{name}.pem")), at(&format!("{name}.key")));
    taken(&sluice, &shown("client"), "secret");
    refused(&sluice, "user=analyst sslmode=disable", "secret", "over TLS only");
    for unknown in [shown("stranger"), format!("{verified} sslcert= sslkey=")] {
        let output = connect(&sluice, &unknown, "secret");
        assert!(!output.status.success(), "{unknown}");
    }
}

#[test]
fn a_certificate_that_cannot_be_read_is_named() {
    let folder = support::folder();
    std::fs::create_dir(folder.path().join("landing")).unwrap();
    std::fs::write(folder.path().join("server.pem"), "nothing").unwrap();
    let config = "listen = \"127.0.0.1:0\"\n[jsonl.landing]\npath = \"landing\"\n[tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n";
    std::fs::write(folder.path().join("sluice.toml"), config).unwrap();
    let (status, _, said) = support::run(folder.path(), &["serve", "--config", "sluice.toml"]);
    assert!(!status.success() && said.contains("server.pem: no certificate in it"), "{said}");
}
