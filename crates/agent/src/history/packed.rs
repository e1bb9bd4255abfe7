//! An entry's detail as it is stored: a long value that many versions have is there once, so that rows with long values
//! fit into what a server takes in one statement.

use serde_json::{Map, Value, json};

use super::{DETAIL_VERSION, Detail, detail::LONG_BYTES};

/// The list of the long values, and what stands in the place of one: `{"long": 0}` for the first.
const LONG: &str = "long";
/// The version of a detail with such a list. Whoever reads it back has one of [`DETAIL_VERSION`].
const PACKED_VERSION: u32 = 2;

/// The detail as JSON.
pub(super) fn pack(detail: &Detail) -> String {
    // There is no map in it with keys that are no texts: serde cannot fail.
    let text = || serde_json::to_string(detail).unwrap_or_default();
    let Ok(Value::Object(mut fields)) = serde_json::to_value(detail) else {
        return text();
    };
    let mut long = Vec::new();
    for field in fields.values_mut() {
        take_out(field, &mut long);
    }
    if long.is_empty() {
        return text();
    }
    fields.insert("version".to_owned(), json!(PACKED_VERSION));
    fields.insert(LONG.to_owned(), json!(long));
    Value::Object(fields).to_string()
}

/// The detail of that JSON.
///
/// # Errors
/// Where it is none.
pub(super) fn unpack(text: &str) -> Result<Detail, serde_json::Error> {
    let mut detail: Value = serde_json::from_str(text)?;
    if let Some(fields) = detail.as_object_mut()
        && let Some(Value::Array(long)) = fields.remove(LONG)
    {
        fields.insert("version".to_owned(), json!(DETAIL_VERSION));
        put_back(&mut detail, &long);
    }
    serde_json::from_value(detail)
}

fn take_out(value: &mut Value, long: &mut Vec<String>) {
    match value {
        Value::String(text) if text.len() > LONG_BYTES => {
            let known = long.iter().position(|other| other == text);
            let at = known.unwrap_or_else(|| {
                long.push(std::mem::take(text));
                long.len() - 1
            });
            *value = json!({ LONG: at });
        }
        Value::Array(values) => values.iter_mut().for_each(|value| take_out(value, long)),
        Value::Object(fields) => fields.values_mut().for_each(|value| take_out(value, long)),
        _ => {}
    }
}

fn put_back(value: &mut Value, long: &[Value]) {
    let place = |fields: &Map<String, Value>| fields.get(LONG)?.as_u64();
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| put_back(value, long)),
        Value::Object(fields) => match place(fields) {
            Some(at) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                // Where there is none the detail cannot be read, and that is said.
                *value = long.get(at).cloned().unwrap_or_default();
            }
            None => fields.values_mut().for_each(|value| put_back(value, long)),
        },
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Cell, RowDetail, Told};

    fn detail(value: &str) -> Detail {
        let row = || {
            Told::Row(vec![
                Cell::Int("1".to_owned()),
                Cell::Text(value.to_owned()),
            ])
        };
        Detail {
            version: DETAIL_VERSION,
            nodes: ["a", "b"].map(str::to_owned),
            rows: vec![RowDetail {
                table: 0,
                key: vec![Cell::Int("1".to_owned())],
                base: Told::Gone,
                held: [row(), row()],
                chosen: row(),
            }],
            conflicts: vec![["0-1-7", "0-2-8"].map(str::to_owned)],
            ..Detail::default()
        }
    }

    #[test]
    fn a_long_value_is_there_once() {
        let value = "x\"{".repeat(1000);
        let packed = pack(&detail(&value));
        assert_eq!(packed.matches("x\\\"{").count(), 1000);
        let version: Value = serde_json::from_str(&packed).unwrap();
        assert_eq!(version["version"], PACKED_VERSION);
        assert_eq!(unpack(&packed).unwrap(), detail(&value));
    }

    #[test]
    fn without_one_all_is_as_it_was() {
        let short = detail("{\"long\": 0}");
        assert_eq!(pack(&short), serde_json::to_string(&short).unwrap());
        assert_eq!(unpack(&pack(&short)).unwrap(), short);
    }

    #[test]
    fn a_value_that_is_not_there_is_an_error() {
        let packed = pack(&detail(&"y".repeat(300)));
        let broken = packed.replace("{\"long\":0}", "{\"long\":7}");
        assert_ne!(packed, broken);
        assert!(unpack(&broken).is_err());
    }
}
