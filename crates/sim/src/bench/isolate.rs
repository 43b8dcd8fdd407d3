//! A network of our own, so that ports are free and nobody else's traffic is counted.

use super::Result;
use std::process::{Command, Stdio};

/// Brings up loopback in a fresh namespace and becomes `"$@"`.
const ENTER: &str = "{ ip link set lo up || ifconfig lo up; } 2>/dev/null && exec \"$@\"";

/// Runs this program again in a network namespace of its own, with `args`; `None` when it may not.
pub(super) fn enter(args: &[String]) -> Result<Option<i32>> {
    let shell = ["--net", "sh", "-c", ENTER, "sh"];
    let possible = Command::new("unshare").args(shell).arg("true").stderr(Stdio::null()).status();
    if !possible.is_ok_and(|status| status.success()) {
        println!("no network namespace of its own: ports of this machine are used");
        return Ok(None);
    }
    let this = std::env::current_exe()?;
    let status = Command::new("unshare").args(shell).arg(this).args(args).status()?;
    Ok(Some(status.code().unwrap_or(1)))
}

/// Builds the program that is measured, as it ships.
pub(super) fn build() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(super::root())
        .args(["build", "--release", "--quiet", "--package", "binnacle"])
        .status()?;
    if built.success() { Ok(()) } else { Err("binnacle does not build".into()) }
}
