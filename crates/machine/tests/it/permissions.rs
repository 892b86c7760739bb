//! The permission matrix as it is written for readers. `tabellion-api` acts it out, cell by cell.

use tabellion_consortium::permission_matrix;
use tabellion_machine::permissions;

/// X.1409 L9: what readers are told is what the code does.
#[test]
fn the_written_matrix_is_the_one_of_the_code() {
    let page = include_str!("../../../../docs/permissions.md");
    let made = permission_matrix(&permissions());
    assert!(page.contains(&made), "docs/permissions.md does not hold the table of this code:\n{made}");
}
