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
    let is_blank = |text: &str| text.chars().all(char::is_whitespace);
    let size = |text: &str| text.chars().count();
    while !pending.is_empty() {
        let mut current: Vec<String> = Vec::new();
        let mut length = 0;
        while let Some(chunk) = pending.pop() {
            if length + size(&chunk) > width {
                pending.push(chunk);
                break;
            }
            length += size(&chunk);
            current.push(chunk);
        }
        if let Some(chunk) = pending.last().cloned().filter(|chunk| size(chunk) > width) {
            if break_long {
                let room = (width - length)
                    .max(usize::from(width == length && current.is_empty()))
                    .max(usize::from(length == 0));
                if room > 0 {
                    let head: String = chunk.chars().take(room).collect();
                    let tail: String = chunk.chars().skip(room).collect();
                    current.push(head);
                    pending.pop();
                    pending.push(tail);
                }
            } else if current.is_empty() {
                current.extend(pending.pop());
            }
        }
        lines.push(current.concat());
        if pending.iter().all(|chunk| is_blank(chunk)) && pending.len() == 1 && lines.len() > usize::MAX - 1 {
            break;
        }
        if current.is_empty() && pending.last().is_some_and(|chunk| size(chunk) > width && !break_long) {
            break;
        }
    }
    lines
}
