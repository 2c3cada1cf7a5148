//! Evaluates what can be known of an expression without running it.

use std::collections::BTreeMap;

use tree_sitter::Node;

use super::literal;
use super::value::{Hole, PyValue};

/// Deeper expressions are given up on, so that no input can exhaust the stack.
const DEPTH: usize = 100;

/// The names known so far, and the text they were read from.
pub(super) struct Scope<'a> {
    pub(super) source: &'a str,
    pub(super) names: BTreeMap<String, PyValue>,
}

impl Scope<'_> {
    pub(super) fn text(&self, node: Node<'_>) -> &str {
        self.source.get(node.byte_range()).unwrap_or_default()
    }

    pub(super) fn evaluate(&self, node: Node<'_>) -> PyValue {
        self.evaluate_at(node, 0)
    }

    fn evaluate_at(&self, node: Node<'_>, depth: usize) -> PyValue {
        if depth > DEPTH {
            return self.hole(node, "a deeply nested expression");
        }
        let inner = depth + 1;
        match node.kind() {
            "none" => PyValue::None,
            "true" => PyValue::Boolean(true),
            "false" => PyValue::Boolean(false),
            "integer" => literal::integer(self.text(node))
                .map_or_else(|| self.hole(node, "a number out of range"), PyValue::Integer),
            "float" => match self.text(node).replace('_', "").parse() {
                Ok(number) => PyValue::Float(number),
                Err(_) => self.hole(node, "an imaginary number"),
            },
            "string" => match literal::string(node, self.source) {
                Ok(text) => PyValue::Text(text),
                Err(why) => self.hole(node, why),
            },
            "concatenated_string" => self.concatenated(node, inner),
            "parenthesized_expression" => match operands(node).first() {
                Some(expression) => self.evaluate_at(*expression, inner),
                None => self.hole(node, "an expression"),
            },
            "list" | "tuple" | "set" | "expression_list" => {
                if operands(node).iter().any(|item| item.kind() == "list_splat") {
                    return self.hole(node, "a list with a starred expression");
                }
                PyValue::List(operands(node).into_iter().map(|item| self.evaluate_at(item, inner)).collect())
            }
            "dictionary" => self.dictionary(node, inner),
            "unary_operator" => self.unary(node, inner),
            "binary_operator" => self.binary(node, inner),
            "identifier" => match self.names.get(self.text(node)) {
                Some(value) => value.clone(),
                None => self.hole(node, &format!("the name `{}`", self.text(node))),
            },
            "subscript" => self.subscript(node, inner),
            "call" => self.call(node, inner),
            _ => self.hole(node, "an expression"),
        }
    }

    fn concatenated(&self, node: Node<'_>, depth: usize) -> PyValue {
        let mut whole = String::new();
        for part in operands(node) {
            match self.evaluate_at(part, depth) {
                PyValue::Text(text) => whole.push_str(&text),
                other => return other,
            }
        }
        PyValue::Text(whole)
    }

    fn dictionary(&self, node: Node<'_>, depth: usize) -> PyValue {
        let mut pairs: Vec<(String, PyValue)> = Vec::new();
        for pair in operands(node) {
            let (Some(key), Some(value)) =
                (pair.child_by_field_name("key"), pair.child_by_field_name("value"))
            else {
                return self.hole(node, "a dictionary that is put together from others");
            };
            let name = match self.evaluate_at(key, depth) {
                PyValue::Text(name) => name,
                PyValue::Integer(number) => number.to_string(),
                _ => return self.hole(node, "a dictionary with computed keys"),
            };
            pairs.retain(|(known, _)| *known != name);
            pairs.push((name, self.evaluate_at(value, depth)));
        }
        PyValue::Dict(pairs)
    }

    fn unary(&self, node: Node<'_>, depth: usize) -> PyValue {
        let operator = node.child_by_field_name("operator").map(|operator| self.text(operator));
        let argument = node.child_by_field_name("argument").map(|argument| self.evaluate_at(argument, depth));
        match (operator, argument) {
            (Some("-"), Some(PyValue::Integer(number))) => number
                .checked_neg()
                .map_or_else(|| self.hole(node, "a number out of range"), PyValue::Integer),
            (Some("-"), Some(PyValue::Float(number))) => PyValue::Float(-number),
            (Some("+"), Some(number @ (PyValue::Integer(_) | PyValue::Float(_)))) => number,
            _ => self.hole(node, "an expression"),
        }
    }

    fn binary(&self, node: Node<'_>, depth: usize) -> PyValue {
        let field = |name| node.child_by_field_name(name);
        let (Some(left), Some(operator), Some(right)) = (field("left"), field("operator"), field("right"))
        else {
            return self.hole(node, "an expression");
        };
        let (left, right) = (self.evaluate_at(left, depth), self.evaluate_at(right, depth));
        literal::binary(left, self.text(operator), right).unwrap_or_else(|| self.hole(node, "an expression"))
    }

    /// `os.environ["NAME"]`, or an entry of a dictionary that is known.
    fn subscript(&self, node: Node<'_>, depth: usize) -> PyValue {
        let (Some(value), Some(index)) =
            (node.child_by_field_name("value"), node.child_by_field_name("subscript"))
        else {
            return self.hole(node, "an expression");
        };
        let index = self.evaluate_at(index, depth);
        if let (true, PyValue::Text(variable)) = (is_environment(self.text(value)), &index) {
            return environment(node, variable, None);
        }
        match (self.evaluate_at(value, depth), index) {
            (PyValue::Dict(pairs), PyValue::Text(name)) => pairs
                .into_iter()
                .find_map(|(known, value)| (known == name).then_some(value))
                .unwrap_or_else(|| self.hole(node, "an entry that is not there")),
            _ => self.hole(node, "an expression"),
        }
    }

    fn call(&self, node: Node<'_>, depth: usize) -> PyValue {
        let field = |name| node.child_by_field_name(name);
        let (Some(function), Some(arguments)) = (field("function"), field("arguments")) else {
            return self.hole(node, "a call");
        };
        let name = self.text(function);
        let arguments = if arguments.kind() == "argument_list" { operands(arguments) } else { Vec::new() };
        let value_of = |argument: Node<'_>| {
            let value =
                argument.child_by_field_name("value").filter(|_| argument.kind() == "keyword_argument");
            self.evaluate_at(value.unwrap_or(argument), depth)
        };
        let variable = arguments.first().map(|argument| value_of(*argument));
        match (name, variable, arguments.as_slice()) {
            (
                "os.environ.get" | "environ.get" | "os.getenv" | "getenv",
                Some(PyValue::Text(variable)),
                [_, rest @ ..],
            ) => environment(node, &variable, rest.first().map(|default| value_of(*default))),
            ("list" | "tuple" | "set", None, _) => PyValue::List(Vec::new()),
            ("list" | "tuple" | "set", Some(list @ PyValue::List(_)), [_]) => list,
            ("dict", ..) => self.dict_call(node, &arguments, depth),
            _ if name.chars().all(|c| c.is_alphanumeric() || "_.".contains(c)) => {
                self.hole(node, &format!("a call of `{name}`"))
            }
            _ => self.hole(node, "a call"),
        }
    }

    /// `dict(name=value, …)`.
    fn dict_call(&self, node: Node<'_>, arguments: &[Node<'_>], depth: usize) -> PyValue {
        let pair = |argument: &Node<'_>| {
            let name =
                argument.child_by_field_name("name").filter(|_| argument.kind() == "keyword_argument")?;
            let value = argument.child_by_field_name("value")?;
            Some((self.text(name).to_owned(), self.evaluate_at(value, depth)))
        };
        match arguments.iter().map(pair).collect::<Option<_>>() {
            Some(pairs) => PyValue::Dict(pairs),
            None => self.hole(node, "a call of `dict`"),
        }
    }

    /// What cannot be evaluated, with the environment variables that appear in it.
    pub(super) fn hole(&self, node: Node<'_>, what: &str) -> PyValue {
        let mut variables = Vec::new();
        each_within(node, |part| {
            if let Some(value) = self.names.get(self.text(part)).filter(|_| part.kind() == "identifier") {
                variables.extend(value.holes().into_iter().flat_map(|hole| hole.variables.clone()));
            }
            let name = match part.kind() {
                "subscript" => part.child_by_field_name("subscript"),
                "call" => part.child_by_field_name("arguments").and_then(|list| list.named_child(0)),
                _ => None,
            };
            let from = part.child_by_field_name("value").or_else(|| part.child_by_field_name("function"));
            let from = from.map(|from| self.text(from)).unwrap_or_default();
            let reads =
                is_environment(from.trim_end_matches(".get")) || matches!(from, "os.getenv" | "getenv");
            if let Some(name) = name.filter(|name| reads && name.kind() == "string")
                && let Ok(name) = literal::string(name, self.source)
            {
                variables.push(name);
            }
        });
        variables.sort();
        variables.dedup();
        PyValue::Hole(Hole { variables, what: Some(what.to_owned()), line: line(node), default: None })
    }
}

fn environment(node: Node<'_>, variable: &str, default: Option<PyValue>) -> PyValue {
    PyValue::Hole(Hole {
        variables: vec![variable.to_owned()],
        what: None,
        line: line(node),
        default: default.map(Box::new),
    })
}

fn is_environment(text: &str) -> bool {
    matches!(text, "os.environ" | "environ")
}

/// The line of a node, counted from 1.
pub(super) fn line(node: Node<'_>) -> usize {
    node.start_position().row + 1
}

/// The named children that are no comments.
pub(super) fn operands(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| !child.is_extra()).collect()
}

/// Visits the node and everything in it, without recursion.
pub(super) fn each_within<'tree>(node: Node<'tree>, mut visit: impl FnMut(Node<'tree>)) {
    let mut waiting = vec![node];
    while let Some(node) = waiting.pop() {
        visit(node);
        let mut cursor = node.walk();
        waiting.extend(node.named_children(&mut cursor));
    }
}
