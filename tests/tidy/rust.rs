//! Just enough of Rust's grammar to tell code from comments, texts and tests.

/// The code of a source file: comments, and the inside of string and character literals, become spaces. Lines stay where
/// they are.
pub(crate) fn code_of(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if first == '"' {
            quoted(rest)
        } else if first == '\'' {
            character(rest)
        } else if !code.ends_with(|before: char| before.is_alphanumeric() || before == '_') {
            raw_string(rest)
        } else {
            0
        };
        let length = if skipped == 0 { first.len_utf8() } else { skipped };
        let (piece, after) = rest.split_at(length);
        if skipped == 0 {
            code.push_str(piece);
        } else {
            code.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = after;
    }
    code
}

/// Length of the block comment, which may hold others, at the start of `text`.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, pair) in text.as_bytes().windows(2).enumerate() {
        match pair {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return at + 2;
        }
    }
    text.len()
}

/// Length of the string literal at the start of `text`.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of the raw string literal at the start of `text`; 0 if there is none.
fn raw_string(text: &str) -> usize {
    let opened = text.strip_prefix("br").or_else(|| text.strip_prefix('r'));
    let Some(opened) = opened else { return 0 };
    let hashes = opened.bytes().take_while(|byte| *byte == b'#').count();
    if opened.as_bytes().get(hashes) != Some(&b'"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let prefix = text.len() - opened.len() + hashes + 1;
    text[prefix..].find(&end).map_or(text.len(), |at| prefix + at + end.len())
}

/// Length of the character literal at the start of `text`; 0 if the quote begins a lifetime.
fn character(text: &str) -> usize {
    let mut inside = text.char_indices().skip(1);
    match (inside.next(), inside.next()) {
        (Some((_, '\\')), Some((escape, _))) => text[escape + 1..].find('\'').map_or(0, |at| escape + 1 + at + 1),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// The code that ships: without the test module at the end of a file.
pub(crate) fn without_tests(code: &str) -> &str {
    let end = code.match_indices("#[cfg(test)]").find(|(at, _)| {
        let after = code[*at..].trim_start_matches("#[cfg(test)]").trim_start();
        after.starts_with("mod ") && after.find(['{', ';']).is_some_and(|at| after[at..].starts_with('{'))
    });
    end.map_or(code, |(at, _)| &code[..at])
}

/// The lines, from 1, on which `needle` stands as whole words.
pub(crate) fn lines_with<'a>(code: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let found = code.match_indices(needle).filter(move |(at, _)| {
        let (before, after) = (code[..*at].chars().next_back(), code[at + needle.len()..].chars().next());
        let starts = !needle.starts_with(is_word) || !before.is_some_and(is_word);
        starts && (!needle.ends_with(is_word) || !after.is_some_and(is_word))
    });
    found.map(|(at, _)| code[..at].matches('\n').count() + 1)
}

#[test]
fn comments_and_texts_are_not_code() {
    let source = concat!(
        "a(); // b\n/* c /* d */ e */ f(\"g \\\" h\", 'i', '\\'', r#\"j \" k\"#);\n",
        "fn l<'m>(n: &'m str) { '\\u{6f}' }\n",
    );
    let code = code_of(source);
    let words: Vec<&str> = code.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    assert_eq!(words, ["a", "f", "fn", "l", "m", "n", "m", "str"]);
    assert_eq!(code.matches('\n').count(), source.matches('\n').count());
    assert_eq!(lines_with(&code, "f").collect::<Vec<_>>(), [2]);
}

#[test]
fn the_test_module_at_the_end_does_not_ship() {
    assert_eq!(without_tests("a #[cfg(test)]\nmod tests;\nb"), "a #[cfg(test)]\nmod tests;\nb");
    assert_eq!(without_tests("a #[cfg(test)] mod tests { b; }"), "a ");
}
