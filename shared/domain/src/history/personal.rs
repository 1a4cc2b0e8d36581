//! Personal values in the history: names, mail addresses, numbers.
//!
//! The chain holds a salted commitment to each; salt and value stand in a row beside it, which erasure
//! deletes. The address from which a person acted has a row of its own: whoever is changed and whoever
//! changes it may be two people. What is left tells that a value changed and nothing of the value, and the chain stays
//! valid, because it never held more.

use ringfence_ports::{Op, Put, Random, StoreError, When};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Actor, Address, Change};
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

/// Where an entry's `address` stands.
pub(super) const ADDRESS: &str = "/address";

impl Beside {
    /// The rows of these values, which stand at `key` beside an entry.
    fn put(
        &self,
        owner: &str,
        seq: u64,
        key: ringfence_ports::Key,
        ops: &mut Vec<Op>,
    ) -> Result<(), StoreError> {
        if self.values.is_empty() {
            return Ok(());
        }
        let person = self.about.as_deref();
        ops.push(Op::Put(Put {
            index: [
                person.map(|person| keyspace::history_of_person(owner, person, seq)),
                None,
            ],
            ..Put::new(key, to_doc(self)?, When::Absent)
        }));
        Ok(())
    }
}

/// All that stands beside an entry.
#[derive(Clone, Debug, Default)]
pub(super) struct BesideEntry {
    /// Values of what was changed.
    of_change: Beside,
    /// From where the actor came, if it is a person.
    of_actor: Beside,
}

impl BesideEntry {
    /// Where in the entry their commitments stand.
    pub(super) fn pointers(&self) -> Vec<String> {
        let values = self.of_actor.values.iter().chain(&self.of_change.values);
        values.map(|one| one.at.clone()).collect()
    }

    /// The rows, at most four.
    pub(super) fn put(&self, owner: &str, seq: u64, ops: &mut Vec<Op>) -> Result<(), StoreError> {
        let Self {
            of_change,
            of_actor,
        } = self;
        of_change.put(owner, seq, keyspace::history_personal(owner, seq), ops)?;
        let key = keyspace::history_personal_of_actor(owner, seq);
        of_actor.put(owner, seq, key, ops)?;
        let mut people: Vec<&String> = [of_change, of_actor]
            .into_iter()
            .filter(|beside| !beside.values.is_empty())
            .filter_map(|beside| beside.about.as_ref())
            .collect();
        people.dedup();
        ops.extend(people.into_iter().map(|person| {
            let key = keyspace::person_in_history(person, owner);
            Op::Put(Put::new(key, "{}", When::Always))
        }));
        Ok(())
    }

    /// Takes the address of an actor who is a person, which is then a commitment.
    pub(super) fn take_address(&mut self, actor: &Actor, random: &dyn Random) -> Option<Address> {
        let address = actor.address?;
        if !actor.id.starts_with(id::Kind::User.prefix()) {
            return Some(Address::Plain(address));
        }
        let revealed = Revealed {
            at: ADDRESS.to_owned(),
            salt: new_salt(random),
            value: address.to_string().into(),
        };
        let commitment = revealed.commitment();
        self.of_actor = Beside {
            about: Some(actor.id.clone()),
            values: vec![revealed],
        };
        Some(Address::Personal { commitment })
    }
}

impl Record {
    /// Takes the personal values out of the change, which then holds commitments to them.
    pub(super) fn split(self, random: &dyn Random) -> (Change, BesideEntry) {
        let Self {
            mut change,
            personal,
        } = self;
        let Some(personal) = personal else {
            return (change, BesideEntry::default());
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
        let beside = BesideEntry {
            of_change: beside,
            of_actor: Beside::default(),
        };
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

/// The JSON pointer of a path.
pub(super) fn pointer(path: &[String]) -> String {
    let mut text = String::new();
    for segment in path {
        text.push('/');
        text.push_str(&segment.replace('~', "~0").replace('/', "~1"));
    }
    text
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
        let (change, beside) = change.personal(personal).split(&TestRandom::new(7));
        (change, beside.of_change)
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
        assert!(beside.pointers().is_empty());
    }

    #[test]
    fn a_persons_address_is_a_commitment_and_a_machines_is_not() {
        let actor = |id: &str| Actor {
            id: id.to_owned(),
            address: Some([203, 0, 113, 7].into()),
        };
        let random = TestRandom::new(1);
        let mut beside = BesideEntry::default();
        let address = beside.take_address(&actor("usr_1"), &random);
        let stored = serde_json::to_value(&address).unwrap();
        assert!(!stored.to_string().contains("203.0.113.7"), "{stored}");
        assert_eq!(stored["commitment"], beside.of_actor.values[0].commitment());
        assert_eq!(beside.pointers(), [ADDRESS]);
        let read: Option<Address> = serde_json::from_value(stored).unwrap();
        assert_eq!(read, address);
        let mut beside = BesideEntry::default();
        let address = beside.take_address(&actor("key_1"), &random);
        assert_eq!(
            serde_json::to_value(&address).unwrap(),
            json!("203.0.113.7")
        );
        assert!(beside.pointers().is_empty());
    }
}
