//! JSON objects, and nothing else, for structs: serde also reads a struct from an array of its fields in their order,
//! which no document of ours says, and which would change its meaning with every field that is added.

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::{fmt, marker::PhantomData};

/// A struct that was an object.
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_map(Members(PhantomData)).map(Object)
    }
}

struct Members<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

/// For `deserialize_with` at a field that is a struct.
pub fn one<'de, D: Deserializer<'de>, T: Deserialize<'de>>(input: D) -> Result<T, D::Error> {
    Object::deserialize(input).map(|Object(value)| value)
}

/// At one that may be null.
pub fn or_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(input: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<Object<T>>::deserialize(input)?.map(|Object(value)| value))
}

/// At a list of them.
pub fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(input: D) -> Result<Vec<T>, D::Error> {
    Ok(Vec::<Object<T>>::deserialize(input)?.into_iter().map(|Object(value)| value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        a: Option<u8>,
        b: Option<u8>,
    }

    #[test]
    fn an_array_of_fields_is_no_object() {
        let check = |json: &str, expected: Result<Pair, &str>| {
            let read: Result<Object<Pair>, _> = serde_json::from_str(json);
            match (read.map(|Object(pair)| pair), expected) {
                (Ok(pair), Ok(expected)) => assert_eq!(pair, expected, "{json}"),
                (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{json}: {error}"),
                (read, expected) => panic!("{json}: {read:?}, not {expected:?}"),
            }
        };
        check(r#"{"a":1}"#, Ok(Pair { a: Some(1), b: None }));
        check("{}", Ok(Pair { a: None, b: None }));
        check("[1,2]", Err("invalid type: sequence, expected an object"));
        check("[null,null]", Err("expected an object"));
        check("null", Err("expected an object"));
        check(r#"{"c":1}"#, Err("unknown field `c`"));
        check(r#"{"a":"x"}"#, Err("invalid type: string"));
    }
}
