//! Outside tools that the tests need: found, or installed.
//!
//! What is absent: silence. Each tool that is missing is named before it is installed, and one that cannot be
//! installed fails the gate with the command that a person would have to run.

use crate::process::{cargo, program};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::path::Path;

/// A program from the distribution: how to see that it is there, the Debian package, why we need it.
struct Package {
    probe: &'static [&'static str],
    package: &'static str,
    why: &'static str,
}

const PACKAGES: &[Package] = &[
    Package {
        probe: &["openssl", "version"],
        package: "openssl",
        why: "second opinion on certificate paths",
    },
    Package { probe: &["curl", "--version"], package: "curl", why: "the tour's requests over TLS" },
    Package {
        probe: &["python3", "-m", "pip", "--version"],
        package: "python3-pip",
        why: "fetches test vectors; runs vectors/check.py",
    },
    Package {
        probe: &["gnutls-cli", "--version"],
        package: "gnutls-bin",
        why: "the other end of TLS connections by raw public keys",
    },
    Package {
        probe: &["faketime", "--version"],
        package: "faketime",
        why: "a network whose clock is past every expiry",
    },
    Package {
        probe: &["certspotter", "-version"],
        package: "certspotter",
        why: "follows the ledger as a log of Certificate Transparency",
    },
    Package {
        probe: &["test", "-x", "/usr/sbin/charon-systemd"],
        package: "charon-systemd",
        why: "a security gateway and a base station: IKEv2",
    },
    Package {
        probe: &["test", "-x", "/usr/sbin/swanctl"],
        package: "strongswan-swanctl",
        why: "tells IKEv2 daemons what to do",
    },
    Package {
        probe: &["test", "-f", "/usr/lib/ipsec/plugins/libstrongswan-openssl.so"],
        package: "libstrongswan-standard-plugins",
        why: "ECDSA in IKEv2 daemons",
    },
    Package {
        probe: &["test", "-f", "/usr/lib/ipsec/plugins/libstrongswan-curl.so"],
        package: "libstrongswan-extra-plugins",
        why: "IKEv2 daemons ask OCSP responders",
    },
    Package {
        probe: &["test", "-f", "/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so"],
        package: "libcharon-extra-plugins",
        why: "ESP without the kernel's help",
    },
    Package { probe: &["ip", "-V"], package: "iproute2", why: "network namespaces" },
    Package { probe: &["ping", "-V"], package: "iputils-ping", why: "what a tunnel carries" },
    Package { probe: &["nginx", "-v"], package: "nginx-light", why: "staples the node's OCSP responses" },
    Package {
        probe: &["c++", "--version"],
        package: "g++",
        why: "libFuzzer and the C parts of dependencies",
    },
];

/// A package whose service takes ports of the host that no test needs (500 and 4500), and that service. It is
/// stopped where the package came by us.
const SERVICE: (&str, &str) = ("charon-systemd", "strongswan");

/// A cargo subcommand: its name, its crate and the version that the gate was written with.
struct Subcommand {
    name: &'static str,
    package: &'static str,
    version: &'static str,
    features: &'static [&'static str],
    why: &'static str,
}

const SUBCOMMANDS: [Subcommand; 2] = [
    Subcommand {
        name: "nextest",
        package: "cargo-nextest",
        version: "0.9.143",
        features: &["--no-default-features", "--features", "default-no-update"],
        why: "runs the tests",
    },
    Subcommand {
        name: "deny",
        package: "cargo-deny",
        version: "0.20.2",
        features: &[],
        why: "licences, bans, sources",
    },
];

/// A server that speaks S3, for tests: Python packages in the versions that the tests were written with, and
/// what is there once all are installed.
const MOTO: [(&str, &str); 3] = [
    ("moto[s3]==5.2.5", "moto-5.2.5.dist-info"),
    ("flask==3.1.2", "flask-3.1.2.dist-info"),
    ("flask-cors==6.0.1", "flask_cors-6.0.1.dist-info"),
];

/// Where it lies; tests read the same variable.
pub fn moto_directory(root: &Path) -> OsString {
    std::env::var_os("TABELLION_MOTO").unwrap_or_else(|| root.join("target/moto").into_os_string())
}

/// Makes sure that every tool is there. Cargo's tools are built without optimisation: what they do here takes
/// a second either way, and a fresh machine waits two minutes for the test runner in place of ten.
pub fn install_missing(root: &Path) -> Result<()> {
    install_packages(root)?;
    install_moto(root)?;
    for tool in &SUBCOMMANDS {
        if cargo(root).args([tool.name, "--version"]).succeeds() {
            continue;
        }
        eprintln!("    cargo-{} is missing ({}); building it takes a few minutes, once", tool.name, tool.why);
        cargo(root)
            .args(["install", "--locked", "--quiet", "--debug", tool.package, "--version", tool.version])
            .args(tool.features)
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .without_env("CARGO_TARGET_DIR")
            .without_env("RUSTFLAGS")
            .run()?;
    }
    Ok(())
}

/// Into a folder of its own: nothing of the system's Python is changed.
fn install_moto(root: &Path) -> Result<()> {
    let folder = moto_directory(root);
    if MOTO.iter().all(|(_, mark)| Path::new(&folder).join(mark).is_dir()) {
        return Ok(());
    }
    eprintln!("    moto is missing (a server that speaks S3, for the archive of bodies)");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target"];
    let packages = MOTO.map(|(package, _)| package);
    program(root, "python3").args(pip).args([folder]).args(packages).run()
}

fn install_packages(root: &Path) -> Result<()> {
    let is_missing =
        |package: &&Package| !program(root, package.probe[0]).args(&package.probe[1..]).succeeds();
    let missing: Vec<&Package> = PACKAGES.iter().filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for package in &missing {
        eprintln!("    {} is missing ({})", package.package, package.why);
    }
    let names: Vec<&str> = missing.iter().map(|package| package.package).collect();
    if !program(root, "apt-get").args(["--version"]).succeeds() {
        bail!("this system has no apt-get; install by hand what gives: {}", names.join(", "));
    }
    let is_root = program(root, "id").args(["-u"]).stdout().context("who runs this")?.trim() == "0";
    let apt = |arguments: &[&str]| {
        let (name, first) = if is_root { ("apt-get", None) } else { ("sudo", Some("apt-get")) };
        let arguments = first.into_iter().chain(arguments.iter().copied());
        program(root, name).args(arguments).env("DEBIAN_FRONTEND", "noninteractive").run()
    };
    apt(&["update", "--quiet"])?;
    let install = ["install", "--yes", "--quiet", "--no-install-recommends"];
    apt(&install.into_iter().chain(names.iter().copied()).collect::<Vec<_>>())?;
    let (package, service) = SERVICE;
    if names.contains(&package) {
        let stop = ["sudo", "systemctl", "disable", "--now", service];
        let words = &stop[usize::from(is_root)..];
        // Where no systemd runs, nothing was started.
        program(root, words[0]).args(&words[1..]).succeeds();
    }
    Ok(())
}
