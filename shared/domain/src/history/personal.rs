//! Personal values in the history: names, mail addresses, numbers.
//!
//! The chain holds a salted commitment to each; salt and value stand in a row beside it, which erasure
//! deletes. What is left tells that a value changed and nothing of the value, and the chain stays
//! valid, because it never held more.

use ringfence_ports::{Op, Put, Random, StoreError, When};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Change;
use crate::{access::to_doc, id, keyspace};

const SALT_BYTES: usize = 16;

/// Which values of a change's documents are personal, and whose they are.
///
/// A value is named by its JSON pointer (RFC 6901) in the document, `/profile/phone`; a segment `*`
/// stands for any one segment. A pointer that names an object or array means every value below it.
/// Keys of objects are never hidden: a document that has personal values as keys must not be recorded
/// as it is.
#[derive(Clone, Debug)]
pub struct Personal {
    rule: Rule,
    about: Option<String>,
}

#[derive(Clone, Debug)]
enum Rule {
    These(Vec<Pointer>),
    AllBut(Vec<Pointer>),
}

impl Personal {
    /// Exactly these values.
    pub fn these(pointers: &[&str]) -> Self {
        Self {
            rule: Rule::These(pointers.iter().map(|text| Pointer::parse(text)).collect()),
            about: None,
        }
    }

    /// Every value but these: the choice for a document about a person, where a field that is added
    /// later must not become public because nobody thought of it here.
    pub fn all_but(pointers: &[&str]) -> Self {
        Self {
            rule: Rule::AllBut(pointers.iter().map(|text| Pointer::parse(text)).collect()),
            about: None,
        }
    }

    /// Says whose values they are, so that they are found when this person is to be erased. An id
    /// (`usr_…`), never a name, mail address or number.
    #[must_use]
    pub fn of(mut self, person: impl Into<String>) -> Self {
        self.about = Some(person.into());
        self
    }

    fn covers(&self, path: &[String]) -> bool {
        match &self.rule {
            Rule::These(pointers) => pointers.iter().any(|one| one.reaches(path)),
            Rule::AllBut(pointers) => !pointers.iter().any(|one| one.reaches(path)),
        }
    }
}

/// A change, and what of it is personal. A [`Change`] without more is one of which nothing is.
#[derive(Clone, Debug)]
pub struct Record {
    pub(super) change: Change,
    personal: Option<Personal>,
}

impl From<Change> for Record {
    fn from(change: Change) -> Self {
        Self {
            change,
            personal: None,
        }
    }
}

impl Change {
    /// The same change, of which these values of `before` and `after` are recorded as commitments.
    pub fn personal(self, personal: Personal) -> Record {
        Record {
            change: self,
            personal: Some(personal),
        }
    }
}

/// A pointer with wildcards, split and unescaped.
#[derive(Clone, Debug)]
struct Pointer(Vec<String>);

impl Pointer {
    fn parse(text: &str) -> Self {
        Self(
            text.split('/')
                .skip(1)
                .map(|segment| segment.replace("~1", "/").replace("~0", "~"))
                .collect(),
        )
    }

    /// Whether it names the value at `path`, or something that the value is part of.
    fn reaches(&self, path: &[String]) -> bool {
        self.0.len() <= path.len()
            && self
                .0
                .iter()
                .zip(path)
                .all(|(wanted, found)| wanted == "*" || wanted == found)
    }
}

/// A value, and what opens the commitment to it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Revealed {
    /// Where in the entry, as a JSON pointer: `/after/name`.
    pub at: String,
    /// The salt, in hexadecimal.
    pub salt: String,
    /// The value: text, a number or a boolean.
    pub value: Value,
}

impl std::fmt::Debug for Revealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Revealed({})", self.at)
    }
}

impl Revealed {
    /// The commitment that salt and value make: the hexadecimal SHA-256 of the salt's text followed by
    /// the value's JSON text.
    pub fn commitment(&self) -> String {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(self.salt.as_bytes());
        context.update(self.value.to_string().as_bytes());
        id::hex(context.finish().as_ref())
    }
}

/// The row beside an entry.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Beside {
    /// Whose values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) about: Option<String>,
    pub(super) values: Vec<Revealed>,
}

impl Beside {
    /// The row of entry `seq`.
    pub(super) fn put(&self, owner: &str, seq: u64) -> Result<Op, StoreError> {
        let person = self.about.as_deref();
        Ok(Op::Put(Put {
            index: [
                person.map(|person| keyspace::history_of_person(owner, person, seq)),
                None,
            ],
            ..Put::new(
                keyspace::history_personal(owner, seq),
                to_doc(self)?,
                When::Absent,
            )
        }))
    }
}

impl Record {
    /// Takes the personal values out of the change, which then holds commitments to them.
    pub(super) fn split(self, random: &dyn Random) -> (Change, Beside) {
        let Self {
            mut change,
            personal,
        } = self;
        let Some(personal) = personal else {
            return (change, Beside::default());
        };
        let mut beside = Beside {
            about: personal.about.clone(),
            values: Vec::new(),
        };
        for (side, document) in [("before", &mut change.before), ("after", &mut change.after)] {
            hide(
                document,
                side,
                &mut Vec::new(),
                &personal,
                random,
                &mut beside.values,
            );
        }
        (change, beside)
    }
}

fn hide(
    value: &mut Value,
    side: &str,
    path: &mut Vec<String>,
    personal: &Personal,
    random: &dyn Random,
    found: &mut Vec<Revealed>,
) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                path.push(name.clone());
                hide(value, side, path, personal, random, found);
                path.pop();
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter_mut().enumerate() {
                path.push(at.to_string());
                hide(value, side, path, personal, random, found);
                path.pop();
            }
        }
        Value::Null => {}
        _ if personal.covers(path) => {
            let pointer = pointer(path);
            // What a change leaves alone gets one salt on both sides, so that it shows as the same even
            // when it is gone.
            let twin = format!("/before{pointer}");
            let salt = found
                .iter()
                .find(|before| before.at == twin && before.value == *value)
                .map_or_else(|| new_salt(random), |before| before.salt.clone());
            let revealed = Revealed {
                at: format!("/{side}{pointer}"),
                salt,
                value: value.take(),
            };
            *value = json!({ "commitment": revealed.commitment() });
            found.push(revealed);
        }
        _ => {}
    }
}

fn new_salt(random: &dyn Random) -> String {
    let mut salt = [0; SALT_BYTES];
    random.fill(&mut salt);
    id::hex(&salt)
}

fn pointer(path: &[String]) -> String {
    path.iter()
        .map(|segment| format!("/{}", segment.replace('~', "~0").replace('/', "~1")))
        .collect()
}

#[cfg(test)]
mod tests {
    use ringfence_ports::contract::TestRandom;

    use super::*;
    use crate::history::Action;

    fn split(personal: Personal) -> (Change, Beside) {
        let change = Change {
            item: "users/usr_1".to_owned(),
            action: Action::Update,
            before: json!({"id": "usr_1", "name": "Ada", "phones": ["+15550100", null], "a/b": "x"}),
            after: json!({"id": "usr_1", "name": "Ada", "phones": ["+15550199"], "a/b": "y"}),
        };
        change.personal(personal).split(&TestRandom::new(7))
    }

    #[test]
    fn only_commitments_are_left_of_what_is_named() {
        let (change, beside) = split(Personal::these(&["/name", "/phones/*"]).of("usr_1"));
        let text = format!("{}{}", change.before, change.after);
        assert!(!text.contains("Ada") && !text.contains("555"), "{text}");
        assert_eq!(change.after["id"], "usr_1");
        assert_eq!(change.after["a/b"], "y");
        assert_eq!(change.before["phones"][1], Value::Null);
        assert_eq!(beside.about.as_deref(), Some("usr_1"));
        assert_eq!(beside.values.len(), 4);
        for revealed in &beside.values {
            let entry = json!({"before": change.before, "after": change.after});
            assert_eq!(
                entry.pointer(&revealed.at).unwrap()["commitment"],
                revealed.commitment()
            );
        }
        assert!(!format!("{beside:?}").contains("Ada"));
    }

    #[test]
    fn what_stays_the_same_shows_as_the_same_and_what_changes_does_not() {
        let (change, _) = split(Personal::these(&["/name", "/phones"]));
        assert_eq!(change.before["name"], change.after["name"]);
        assert_ne!(change.before["phones"][0], change.after["phones"][0]);
        // Another entry's commitment to the same value is another one.
        let again = Change {
            item: String::new(),
            action: Action::Update,
            before: Value::Null,
            after: json!({"name": "Ada"}),
        }
        .personal(Personal::these(&["/name"]))
        .split(&TestRandom::new(8))
        .0;
        assert_ne!(change.after["name"], again.after["name"]);
    }

    #[test]
    fn all_but_hides_what_nobody_named() {
        let (change, beside) = split(Personal::all_but(&["/id"]));
        assert_eq!(change.before["id"], "usr_1");
        assert_eq!(beside.values.len(), 6);
        assert!(beside.values.iter().any(|one| one.at == "/after/a~1b"));
    }

    #[test]
    fn without_a_word_nothing_is_hidden() {
        let change = Change {
            item: String::new(),
            action: Action::Create,
            before: Value::Null,
            after: json!({"name": "Front desk"}),
        };
        let (change, beside) = Record::from(change).split(&TestRandom::new(1));
        assert_eq!(change.after["name"], "Front desk");
        assert!(beside.values.is_empty());
    }
}
