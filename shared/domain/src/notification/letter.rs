//! A mail's text, and how it looks.

use askama::Template;

/// A link that is the point of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What is on the button.
    pub label: String,
    /// Where it leads.
    pub url: String,
}

/// What a mail says. All of it is text; templates make mails of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Letter {
    /// The subject.
    pub subject: String,
    /// The heading.
    pub title: String,
    /// Who is addressed.
    pub name: String,
    /// What happened.
    pub paragraphs: Vec<String>,
    /// The same in figures.
    pub facts: Vec<(&'static str, String)>,
    /// What to do.
    pub action: Option<Action>,
    /// What else there is to know.
    pub small: Vec<String>,
    /// Why the reader got this.
    pub footer: String,
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Letter")
    }
}

#[derive(Template)]
#[template(path = "letter.html")]
struct Html<'a> {
    letter: &'a Letter,
}

#[derive(Template)]
#[template(path = "letter.txt")]
struct Text<'a> {
    letter: &'a Letter,
}

impl Letter {
    /// As HTML: no script, no picture, nothing from elsewhere; styles inline, for programs that take no
    /// others, and once more for dark screens.
    pub fn html(&self) -> String {
        // Fails only where a value's `Display` does.
        Html { letter: self }.render().unwrap_or_default()
    }

    /// As plain text.
    pub fn text(&self) -> String {
        Text { letter: self }.render().unwrap_or_default()
    }
}
