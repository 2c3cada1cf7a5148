//! Wrapping text at a width.

/// Jinja2's `wordwrap`: each line wrapped by itself.
pub(crate) fn wordwrap(
    text: &str,
    width: usize,
    break_long: bool,
    break_hyphens: bool,
    mark: &str,
) -> String {
    let lines = crate::strings::lines(text, false);
    let wrapped: Vec<String> =
        lines.iter().map(|line| wrap(line, width, break_long, break_hyphens).join(mark)).collect();
    wrapped.join(mark)
}

/// Words, runs of blanks, and parts of words up to a hyphen.
fn chunks(line: &str, break_hyphens: bool) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut current = String::new();
    let mut blank = false;
    let chars: Vec<char> = line.chars().collect();
    for (at, c) in chars.iter().enumerate() {
        let is_blank = c.is_whitespace();
        if !current.is_empty() && is_blank != blank {
            out.push(std::mem::take(&mut current));
        }
        blank = is_blank;
        current.push(*c);
        let splits = break_hyphens
            && *c == '-'
            && at > 0
            && chars[at - 1].is_alphabetic()
            && chars.get(at + 1).is_some_and(|next| next.is_alphabetic());
        if splits {
            out.push(std::mem::take(&mut current));
        }
    }
    if !current.is_empty() {
        out.push(current);
    }
    out
}

fn wrap(line: &str, width: usize, break_long: bool, break_hyphens: bool) -> Vec<String> {
    let mut pending: Vec<String> = chunks(line, break_hyphens);
    pending.reverse();
    let mut lines: Vec<String> = Vec::new();
    let is_blank = |text: &String| text.chars().all(char::is_whitespace);
    let size = |text: &str| text.chars().count();
    while !pending.is_empty() {
        // Blanks at the ends of lines go, except those the text begins with.
        if !lines.is_empty() && pending.last().is_some_and(is_blank) {
            pending.pop();
        }
        let mut current: Vec<String> = Vec::new();
        let mut length = 0;
        while let Some(chunk) = pending.pop_if(|chunk| length + size(chunk) <= width) {
            length += size(&chunk);
            current.push(chunk);
        }
        if let Some(chunk) = pending.pop_if(|chunk| size(chunk) > width) {
            if break_long && length < width {
                current.push(chunk.chars().take(width - length).collect());
                pending.push(chunk.chars().skip(width - length).collect());
            } else if current.is_empty() {
                current.push(chunk);
            } else {
                pending.push(chunk);
            }
        }
        if current.last().is_some_and(is_blank) {
            current.pop();
        }
        if !current.is_empty() {
            lines.push(current.concat());
        }
    }
    lines
}
