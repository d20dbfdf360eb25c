//! The wire format of individual kinds of values.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serializer};

use crate::base::time;

/// A text, borrowed unless it has escapes.
#[derive(Deserialize)]
pub(in crate::firestore) struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

pub(super) mod null {
    use super::{Deserialize, Deserializer, Serializer, de};
    pub(in super::super) fn serialize<S: Serializer>((): &(), serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }

    /// Null, or the enum's name, which protocol buffers allow instead.
    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
        match Option::<String>::deserialize(deserializer)?.as_deref() {
            None | Some("NULL_VALUE") => Ok(()),
            Some(other) => Err(de::Error::custom(format!("nullValue is `{other}`"))),
        }
    }
}

pub(super) mod integer {
    use super::{Deserializer, Serializer, Visitor, de};
    pub(in super::super) fn serialize<S: Serializer>(number: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        struct Integer;

        impl Visitor<'_> for Integer {
            type Value = i64;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an integer of 64 bits, as a number or as a text")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<i64, E> {
                Ok(number)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<i64, E> {
                i64::try_from(number).map_err(E::custom)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<i64, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Integer)
    }
}

pub(super) mod double {
    use super::{Deserializer, Serializer, Visitor, de};
    pub(in super::super) fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if number.is_nan() {
            serializer.serialize_str("NaN")
        } else if number.is_infinite() {
            serializer.serialize_str(if *number > 0.0 { "Infinity" } else { "-Infinity" })
        } else {
            serializer.serialize_f64(*number)
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        struct Double;

        impl Visitor<'_> for Double {
            type Value = f64;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a double, as a number or as a text")
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<f64, E> {
                Ok(number)
            }

            #[expect(clippy::cast_precision_loss, reason = "what a double is")]
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<f64, E> {
                Ok(number as f64)
            }

            #[expect(clippy::cast_precision_loss, reason = "what a double is")]
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<f64, E> {
                Ok(number as f64)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<f64, E> {
                match text {
                    "NaN" => Ok(f64::NAN),
                    "Infinity" => Ok(f64::INFINITY),
                    "-Infinity" => Ok(f64::NEG_INFINITY),
                    other => other.parse().map_err(E::custom),
                }
            }
        }

        deserializer.deserialize_any(Double)
    }
}

pub(in crate::firestore) mod timestamp {
    use super::{DateTime, Deserialize, Deserializer, SecondsFormat, Serializer, Text, Utc, de, time};

    pub(in super::super) fn serialize<S: Serializer>(
        time: &DateTime<Utc>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }

    pub(in crate::firestore) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<DateTime<Utc>, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        time::utc(&text).map_err(de::Error::custom)
    }
}

pub(super) mod binary {
    use super::{BASE64, Bytes, Deserialize, Deserializer, Engine, Serializer, de};

    pub(in super::super) fn serialize<S: Serializer>(
        bytes: &Bytes,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&base64::display::Base64Display::new(bytes, &BASE64))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text).map(Bytes::from).map_err(de::Error::custom)
    }
}
