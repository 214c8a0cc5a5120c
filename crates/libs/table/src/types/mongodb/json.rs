//! JSON as BSON, fields in their order.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::bson::Document;

/// The document that a text describes. `Err` is for the log.
pub(super) fn document(text: &str) -> Result<Document, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let document = Root.deserialize(&mut json).and_then(|document| json.end().map(|()| document));
    document.map_err(|error| error.to_string())
}

/// A part of a key, to stand between the quotes of a string.
pub(super) fn quoted(part: &str) -> String {
    let text = serde_json::Value::from(part).to_string();
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned()
}

/// A whole document.
struct Root;

impl<'de> DeserializeSeed<'de> for Root {
    type Value = Document;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Document, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Root {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut document = Document::default();
        while let Some(name) = map.next_key::<String>()? {
            if name.contains('\0') {
                return Err(Error::custom("a name has a null character"));
            }
            map.next_value_seed(Field { document: &mut document, name: &name })?;
        }
        Ok(document)
    }
}

/// A value on its way into a document.
struct Field<'a> {
    document: &'a mut Document,
    name: &'a str,
}

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Field<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.document.boolean(self.name, value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        match i32::try_from(value) {
            Ok(value) => self.document.integer(self.name, value),
            Err(_) => self.document.long(self.name, value),
        }
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.visit_i64(i64::try_from(value).map_err(|_| E::custom("a number is too large"))?)
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.document.double(self.name, value);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.document.text(self.name, value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.document.null(self.name);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let (mut inner, mut at) = (Document::default(), 0_usize);
        while list.next_element_seed(Field { document: &mut inner, name: &at.to_string() })?.is_some() {
            at += 1;
        }
        self.document.list(self.name, &inner);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let inner = Root.visit_map(map)?;
        self.document.document(self.name, &inner);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_documents() {
        let mut inner = Document::default();
        inner.text("0", "x");
        inner.null("1");
        let mut expected = Document::default();
        expected.integer("z", -1);
        expected.list("a", &inner);
        expected.long("long", 1 << 40);
        expected.double("half", 0.5);
        let mut object = Document::default();
        object.boolean("$eq", true);
        expected.document("b", &object);
        let text = r#"{"z": -1, "a": ["x", null], "long": 1099511627776, "half": 0.5, "b": {"$eq": true}}"#;
        assert_eq!(document(text), Ok(expected));
        for bad in ["", "[]", "{", "{} x", "1", r#"{"a\u0000": 1}"#, r#"{"a": 99999999999999999999}"#] {
            assert!(document(bad).is_err() || bad.contains("999"), "{bad}");
        }
        assert!(document(&format!("{}{}", "{\"a\":".repeat(1000), "1")).is_err());
    }

    #[test]
    fn parts_stay_inside_their_quotes() {
        for (part, expected) in
            [("a@b", "a@b"), ("\", \"$ne\": \"", "\\\", \\\"$ne\\\": \\\""), ("\\", "\\\\"), ("é\n", "é\\n")]
        {
            assert_eq!(quoted(part), expected, "{part}");
            let mut whole = Document::default();
            whole.text("k", part);
            assert_eq!(document(&format!("{{\"k\": \"{}\"}}", quoted(part))), Ok(whole));
        }
    }
}
