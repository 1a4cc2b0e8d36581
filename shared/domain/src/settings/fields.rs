//! Reads a document field by field, so that everything that is wrong with it is told at once.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::error::{FieldError, SettingsError};

/// The longest name of an unknown field that an error repeats, in characters.
const MAX_NAME_CHARS: usize = 64;

/// What is wrong with a document.
#[derive(Default)]
pub(crate) struct Errors(Vec<FieldError>);

impl Errors {
    pub(crate) fn push(
        &mut self,
        field: impl Into<String>,
        code: &'static str,
        reason: impl Into<String>,
    ) {
        self.0.push(FieldError {
            field: field.into(),
            code,
            reason: reason.into(),
        });
    }

    pub(crate) fn extend(&mut self, errors: Vec<FieldError>) {
        self.0.extend(errors);
    }

    /// All of it.
    pub(crate) fn into_list(self) -> Vec<FieldError> {
        self.0
    }

    /// `value` if nothing was wrong.
    pub(crate) fn into_result<T>(self, value: T) -> Result<T, SettingsError> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(SettingsError::Fields(self.0))
        }
    }
}

/// One object of a document. A field that is null counts as absent.
pub(crate) struct Object<'e> {
    path: String,
    fields: Map<String, Value>,
    known: Vec<&'static str>,
    errors: &'e mut Errors,
}

impl<'e> Object<'e> {
    /// Of `value`, found at `path` (empty: the whole document).
    pub(crate) fn read(path: &str, value: Value, errors: &'e mut Errors) -> Option<Self> {
        if let Value::Object(fields) = value {
            Some(Self {
                path: path.to_owned(),
                fields,
                known: Vec::new(),
                errors,
            })
        } else {
            errors.push(path, "not_an_object", "must be an object");
            None
        }
    }

    /// The path of one of its fields.
    pub(crate) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    pub(crate) fn wrong(&mut self, name: &str, code: &'static str, reason: impl Into<String>) {
        let path = self.path_of(name);
        self.errors.push(path, code, reason);
    }

    pub(crate) fn errors(&mut self) -> &mut Errors {
        self.errors
    }

    pub(crate) fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.fields.remove(name).filter(|value| !value.is_null())
    }

    pub(crate) fn bool(&mut self, name: &'static str) -> Option<bool> {
        let value = self.take(name)?;
        if !value.is_boolean() {
            self.wrong(name, "not_a_boolean", "must be true or false");
        }
        value.as_bool()
    }

    pub(crate) fn string(&mut self, name: &'static str) -> Option<String> {
        if let Value::String(value) = self.take(name)? {
            return Some(value);
        }
        self.wrong(name, "not_a_string", "must be a string");
        None
    }

    pub(crate) fn required_string(&mut self, name: &'static str) -> Option<String> {
        if self.fields.get(name).is_none_or(Value::is_null) {
            self.wrong(name, "required", "is required");
        }
        self.string(name)
    }

    pub(crate) fn number(&mut self, name: &'static str, range: RangeInclusive<u16>) -> Option<u16> {
        let value = self.take(name)?;
        let number = value
            .as_u64()
            .and_then(|n| u16::try_from(n).ok())
            .filter(|n| range.contains(n));
        if number.is_none() {
            let reason = format!(
                "must be a whole number from {} to {}",
                range.start(),
                range.end()
            );
            self.wrong(name, "out_of_range", reason);
        }
        number
    }

    /// Whatever was not asked for is unknown.
    pub(crate) fn finish(mut self) {
        let fields = std::mem::take(&mut self.fields);
        for name in fields.keys() {
            let shown: String = name.chars().take(MAX_NAME_CHARS).collect();
            let reason = format!(
                "there is no such field; known are {}",
                self.known.join(", ")
            );
            self.wrong(&shown, "unknown_field", reason);
        }
    }
}
