//! Finds the settings among the statements of a module.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::evaluate::{Scope, each_within, line, operands};
use super::literal;
use super::value::PyValue;
use crate::name::{Name, Spelling, look_up};

/// What the module sets, in the order of the first assignments.
pub(super) struct Module<'a> {
    scope: Scope<'a>,
    pub(super) settings: Vec<Assigned>,
    pub(super) notes: Vec<String>,
    /// Settings that stand behind a `#`.
    commented: Vec<String>,
}

/// A name in capitals and its last value.
pub(super) struct Assigned {
    pub(super) name: String,
    pub(super) value: PyValue,
    /// The line, counted from 1.
    pub(super) line: usize,
}

impl<'a> Module<'a> {
    pub(super) fn read(root: Node<'_>, source: &'a str) -> Self {
        let mut module = Self {
            scope: Scope { source, names: BTreeMap::new() },
            settings: Vec::new(),
            notes: Vec::new(),
            commented: Vec::new(),
        };
        let mut cursor = root.walk();
        for statement in root.named_children(&mut cursor) {
            module.statement(statement);
        }
        module.note_commented();
        module
    }

    fn statement(&mut self, node: Node<'_>) {
        match node.kind() {
            "comment" => self.comment(node),
            "expression_statement" => {
                for expression in operands(node) {
                    self.expression(expression);
                }
            }
            "import_from_statement" => self.import(node),
            "import_statement" | "future_import_statement" | "pass_statement" => {}
            // Whatever a branch, a loop or a function sets depends on how the program runs.
            kind => {
                let kind = kind.trim_end_matches("_statement").trim_end_matches("_definition").to_owned();
                self.note_within(node, &kind);
            }
        }
    }

    fn expression(&mut self, node: Node<'_>) {
        match node.kind() {
            "assignment" => {
                self.assignment(node);
            }
            "augmented_assignment" => self.augmented(node),
            "call" => self.method_call(node),
            _ => {}
        }
    }

    /// Carries out `A = B = value` from the right, and gives the value back.
    fn assignment(&mut self, node: Node<'_>) -> PyValue {
        let Some(left) = node.child_by_field_name("left") else { return PyValue::None };
        // A bare annotation, `NAME: str`, sets nothing.
        let Some(right) = node.child_by_field_name("right") else { return PyValue::None };
        let value =
            if right.kind() == "assignment" { self.assignment(right) } else { self.scope.evaluate(right) };
        match left.kind() {
            "identifier" => {
                let name = self.scope.text(left).to_owned();
                self.bind(&name, value.clone(), line(node));
            }
            "subscript" => self.assign_entry(left, value.clone()),
            _ => self.note_within(node, "assignment to several names"),
        }
        value
    }

    fn bind(&mut self, name: &str, value: PyValue, line: usize) {
        self.scope.names.insert(name.to_owned(), value.clone());
        if !is_setting(name) {
            return;
        }
        match self.settings.iter_mut().find(|assigned| assigned.name == name) {
            Some(assigned) => {
                assigned.value = value;
                assigned.line = line;
            }
            None => self.settings.push(Assigned { name: name.to_owned(), value, line }),
        }
    }

    /// `NAME["key"] = value`.
    fn assign_entry(&mut self, left: Node<'_>, value: PyValue) {
        let name = left.child_by_field_name("value").map(|name| self.scope.text(name).to_owned());
        let index = left.child_by_field_name("subscript").map(|index| self.scope.evaluate(index));
        let known = name.as_ref().and_then(|name| self.scope.names.get(name)).cloned();
        if let (Some(name), Some(PyValue::Text(key)), Some(PyValue::Dict(mut pairs))) = (name, index, known) {
            pairs.retain(|(existing, _)| *existing != key);
            pairs.push((key, value));
            self.bind(&name, PyValue::Dict(pairs), line(left));
        } else {
            self.note_within(left, "assignment to a part");
        }
    }

    /// `NAME += value`.
    fn augmented(&mut self, node: Node<'_>) {
        let field = |name| node.child_by_field_name(name);
        let (Some(left), Some(operator), Some(right)) = (field("left"), field("operator"), field("right"))
        else {
            return;
        };
        let name = self.scope.text(left).to_owned();
        let operator = self.scope.text(operator).trim_end_matches('=').to_owned();
        let result = self
            .scope
            .names
            .get(&name)
            .cloned()
            .and_then(|before| literal::binary(before, &operator, self.scope.evaluate(right)));
        let value = result.unwrap_or_else(|| self.scope.hole(node, "an assignment with an operator"));
        if left.kind() == "identifier" {
            self.bind(&name, value, line(node));
        } else {
            self.note_within(node, "assignment to a part");
        }
    }

    /// `NAME.append(…)`, `NAME["key"].update(…)` and the like change a value in a way that is not followed.
    fn method_call(&mut self, node: Node<'_>) {
        let Some(function) = node.child_by_field_name("function") else { return };
        let text = self.scope.text(function);
        if ["exec", "globals", "locals", "vars"].iter().any(|name| text.starts_with(name)) {
            let line = line(node);
            self.notes.push(format!("line {line}: this call may change any setting; check them by hand"));
            return;
        }
        let Some(object) = function.child_by_field_name("object") else { return };
        let name = self.scope.text(first_name(object)).to_owned();
        if is_setting(&name) || self.scope.names.contains_key(&name) {
            let value = self.scope.hole(node, "a call that changes it");
            self.bind(&name, value, line(node));
        }
    }

    fn import(&mut self, node: Node<'_>) {
        let module = node.child_by_field_name("module_name").map(|name| self.scope.text(name).to_owned());
        let module = module.unwrap_or_default();
        let line = line(node);
        let mut cursor = node.walk();
        if node.named_children(&mut cursor).any(|child| child.kind() == "wildcard_import") {
            self.notes.push(format!(
                "line {line}: every name of {module} is imported; convert that file as well and merge the results"
            ));
            return;
        }
        for name in node.children_by_field_name("name", &mut cursor) {
            let name = name.child_by_field_name("alias").unwrap_or(name);
            let name = self.scope.text(name);
            if is_setting(name) {
                self.notes.push(format!("line {line}: {name} is imported from {module}; set it by hand"));
            }
        }
    }

    /// Names the settings that are set somewhere within a statement that is not followed, and forgets the other
    /// names that it sets, so that no setting is computed from a value that may not be the last.
    fn note_within(&mut self, node: Node<'_>, kind: &str) {
        let mut found: Vec<(usize, String)> = Vec::new();
        let mut imports = Vec::new();
        each_within(node, |part| {
            let targets = match part.kind() {
                "assignment" | "augmented_assignment" | "for_statement" => part.child_by_field_name("left"),
                "call" => part.child_by_field_name("function").and_then(|f| f.child_by_field_name("object")),
                "subscript" if part == node => Some(part),
                "import_from_statement" => {
                    imports.push(part);
                    None
                }
                _ => None,
            };
            let Some(targets) = targets else { return };
            each_within(targets, |target| {
                if target.kind() == "identifier" {
                    found.push((line(target), self.scope.text(target).to_owned()));
                }
            });
        });
        found.sort();
        found.dedup();
        for import in imports {
            self.import(import);
        }
        // The names of a function are its own, unless they are settings made global, which are named as well.
        let outlives =
            !matches!(node.kind(), "function_definition" | "class_definition" | "decorated_definition");
        for (line, name) in found {
            if is_setting(&name) {
                self.notes.push(format!(
                    "line {line}: {name} is set in a statement that could not be evaluated ({kind}); set it by hand"
                ));
            } else if outlives && self.scope.names.contains_key(&name) {
                let unknown = self.scope.hole(node, &format!("the name `{name}`, which may have changed"));
                self.scope.names.insert(name, unknown);
            }
        }
    }

    fn comment(&mut self, node: Node<'_>) {
        let text = self.scope.text(node).trim_start_matches('#').trim();
        if let Some((name, _)) = text.split_once('=')
            && is_setting(name.trim())
            && !matches!(look_up(&name.trim().to_lowercase(), Spelling::File), Name::Unknown)
        {
            self.commented.push(name.trim().to_owned());
        }
    }

    fn note_commented(&mut self) {
        let set = |name: &String| self.settings.iter().any(|assigned| assigned.name == *name);
        self.commented.retain(|name| !set(name));
        self.commented.dedup();
        if !self.commented.is_empty() {
            self.notes.push(format!("left out, since commented out: {}", self.commented.join(", ")));
        }
    }
}

/// `NAME` of `NAME["key"].attribute`.
fn first_name(node: Node<'_>) -> Node<'_> {
    let mut first = node;
    while let Some(inner) = first.child_by_field_name("value").or_else(|| first.child_by_field_name("object"))
    {
        first = inner;
    }
    first
}

/// The original takes names in capitals for settings.
fn is_setting(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}
