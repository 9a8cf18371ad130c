//! A value as it was given, in TOML or in JSON.

use std::str::FromStr;

use serde_json::value::RawValue;
use toml::de::DeValue;

/// A value as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    Boolean(bool),
    Integer(i64),
    /// A whole number that fits nothing.
    Huge,
    Text(String),
    List(Vec<Given>),
    /// None of ours, by its name.
    Other(&'static str),
}

impl Given {
    pub(super) fn from_toml(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::Boolean(value) => Self::Boolean(*value),
            DeValue::Integer(value) => {
                i64::from_str_radix(value.as_str(), value.radix()).map_or(Self::Huge, Self::Integer)
            }
            DeValue::String(value) => Self::Text(value.to_string()),
            DeValue::Array(items) => Self::List(items.iter().map(|item| Self::from_toml(item.get_ref())).collect()),
            DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => Self::Other(value.type_str()),
        }
    }

    pub(super) fn from_json(value: &RawValue) -> Self {
        match serde_json::from_str(value.get()) {
            Ok(value) => Self::from_json_value(&value),
            // It was read once already; only a number can be of a size that no type has.
            Err(_) => Self::Huge,
        }
    }

    fn from_json_value(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Bool(value) => Self::Boolean(*value),
            Value::Number(number) => match number.as_i64() {
                Some(value) => Self::Integer(value),
                None if number.is_u64() => Self::Huge,
                None => Self::Other("float"),
            },
            Value::String(value) => Self::Text(value.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::from_json_value).collect()),
            Value::Null => Self::Other("null"),
            Value::Object(_) => Self::Other("object"),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "boolean",
            Self::Integer(_) | Self::Huge => "integer",
            Self::Text(_) => "string",
            Self::List(_) => "array",
            Self::Other(kind) => kind,
        }
    }

    pub(super) fn expected(&self, what: &str) -> String {
        format!("expected {what}, found {}", self.kind())
    }

    pub(super) fn boolean(&self) -> Result<bool, String> {
        if let Self::Boolean(value) = self { Ok(*value) } else { Err(self.expected("true or false")) }
    }

    /// What device management writes for a truth: 0 and 1, or a string.
    pub(super) fn leniently(&self) -> Self {
        match self {
            Self::Integer(0) => Self::Boolean(false),
            Self::Integer(1) => Self::Boolean(true),
            Self::Text(text) if text.eq_ignore_ascii_case("false") => Self::Boolean(false),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => Self::Boolean(true),
            Self::Boolean(_) | Self::Integer(_) | Self::Huge | Self::Text(_) | Self::List(_) | Self::Other(_) => {
                self.clone()
            }
        }
    }

    pub(super) fn integer(&self) -> Result<i64, String> {
        match self {
            Self::Integer(value) => Ok(*value),
            Self::Huge => Err("the number is too large".to_owned()),
            Self::Boolean(_) | Self::Text(_) | Self::List(_) | Self::Other(_) => Err(self.expected("a whole number")),
        }
    }

    pub(super) fn text(&self, what: &str) -> Result<&str, String> {
        if let Self::Text(text) = self { Ok(text) } else { Err(self.expected(what)) }
    }

    /// A list of strings; `item` says what each of them has to be.
    pub(super) fn list<T>(&self, item: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
        let Self::List(items) = self else { return Err(self.expected(&format!("a list, each item {item}"))) };
        items.iter().map(|given| read(given.text(item)?)).collect()
    }
}

pub(super) fn parsed<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("`{text}`: {error}"))
}
