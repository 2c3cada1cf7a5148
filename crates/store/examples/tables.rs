//! Prints the statements that make the tables of all objects, or of those that are named, for a migration.

#![expect(clippy::print_stdout, reason = "that is what it is for")]

use pm_store::objects::{registry, schema};

fn main() {
    let named: Vec<String> = std::env::args().skip(1).collect();
    for model in
        registry::models().filter(|model| named.is_empty() || named.iter().any(|name| name == model.label))
    {
        for statement in schema::statements(model) {
            println!("{statement}");
        }
        println!();
    }
}
