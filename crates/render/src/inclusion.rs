//! From tokens to the tree: what takes other templates in.

use crate::ast::{Expr, StmtKind};
use crate::error::Res;
use crate::lexer::Tok;
use crate::parser::Parser;
use crate::value::Value;

impl Parser {
    /// `include_configuration` and its kin: the kind is part of the tag, the rest is a literal name.
    pub(crate) fn store_tag(&mut self, tag: &str) -> Res<Option<StmtKind>> {
        let Some((verb, kind)) = store_kind(tag) else { return Ok(None) };
        if verb == "from" {
            return self.import_names_tag(Some(kind)).map(Some);
        }
        let template = self.store_name(kind, verb == "import")?;
        if verb == "import" {
            self.expect_word("as")?;
            let target = self.expect_name()?;
            let with_context = self.with_context(false);
            return Ok(Some(StmtKind::Import { template, target, with_context }));
        }
        Ok(Some(StmtKind::Include { template, ignore_missing: false, with_context: true }))
    }

    /// The loader's name of what the tag names; `import` takes a template as it is written.
    fn store_name(&mut self, kind: &str, import: bool) -> Res<Expr> {
        let identifier = match self.expression(true)? {
            Expr::Name(name) => name.to_string(),
            Expr::Const(value) => crate::repr::display_plain(&value),
            Expr::Filter(_, call) | Expr::Test(_, call) => call.name.to_string(),
            _ => String::new(),
        };
        let written = if import && kind == "exporttemplate" { ".raw" } else { "" };
        Ok(Expr::Const(Value::str(&format!("{kind}{written}::{identifier}"))))
    }

    fn with_context(&mut self, default: bool) -> bool {
        let with = self.is_name("with");
        if (with || self.is_name("without"))
            && matches!(self.peek_second(), Tok::Name(word) if &**word == "context")
        {
            self.next();
            self.next();
            return with;
        }
        default
    }

    pub(crate) fn include_tag(&mut self) -> Res<StmtKind> {
        let template = self.expression(true)?;
        let ignore_missing =
            self.is_name("ignore") && matches!(self.peek_second(), Tok::Name(word) if &**word == "missing");
        if ignore_missing {
            self.next();
            self.next();
        }
        let with_context = self.with_context(true);
        Ok(StmtKind::Include { template, ignore_missing, with_context })
    }

    pub(crate) fn import_tag(&mut self) -> Res<StmtKind> {
        let template = self.expression(true)?;
        self.expect_word("as")?;
        let target = self.expect_name()?;
        let with_context = self.with_context(false);
        Ok(StmtKind::Import { template, target, with_context })
    }

    pub(crate) fn import_names_tag(&mut self, kind: Option<&str>) -> Res<StmtKind> {
        let template = match kind {
            None => self.expression(true)?,
            Some(kind) => self.store_name(kind, true)?,
        };
        self.expect_word("import")?;
        let mut names = Vec::new();
        let mut with_context = false;
        loop {
            if !names.is_empty() && !self.skip_op(",") {
                with_context = self.with_context(false);
                break;
            }
            if self.is_name("with") || self.is_name("without") {
                let default = self.with_context(false);
                with_context = default;
                break;
            }
            if *self.peek() == Tok::BlockEnd && !names.is_empty() {
                break;
            }
            let name = self.expect_name()?;
            if name.starts_with('_') {
                return self.wrong(self.line(), "names starting with an underline can not be imported");
            }
            let alias = if self.skip_name("as") { self.expect_name()? } else { name.clone() };
            names.push((name, alias));
        }
        Ok(StmtKind::FromImport { template, names, with_context })
    }
}

/// `include_configuration` → (`include`, `configuration`).
pub(crate) fn store_kind(tag: &str) -> Option<(&str, &str)> {
    let (verb, kind) = tag.split_once('_')?;
    (matches!(verb, "include" | "import" | "from")
        && matches!(kind, "configuration" | "email" | "exporttemplate"))
    .then_some((verb, kind))
}
