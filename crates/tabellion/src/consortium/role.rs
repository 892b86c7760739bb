//! `tabellion role`

use serde::Serialize;
use tabellion_consortium::Role;
use tabellion_machine::permissions;

use super::desk::words;
use crate::output::Output;

#[derive(Serialize)]
struct Shown {
    role: &'static str,
    may: Vec<String>,
}

/// What each role may do, and what every member may.
pub fn list(output: Output) {
    let rows = permissions();
    for role in Role::ALL {
        let allowed = rows.iter().filter(|row| row.permission.roles().contains(&role));
        let may: Vec<String> = allowed.map(|row| row.action.clone()).collect();
        output.line(format!("{:<29} {}", role.name(), words(&may)));
        output.value(&Shown { role: role.name(), may });
    }
    output.say("Roles without actions wait for their service. Which key may do what: docs/permissions.md");
}
