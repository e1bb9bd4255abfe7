//! The schemas of the JSON documents, which the tests hold the types and the output to.

use std::{
    fs,
    path::{Path, PathBuf},
};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

/// Where the schema of a JSON document is kept.
fn schema_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs/schema")
        .join(format!("{name}.json"))
}

/// Holds `docs/schema/NAME.json` to the type it describes. With `UPDATE_SCHEMAS=1` it is written anew.
pub(crate) fn check_schema<T: JsonSchema>(name: &str) {
    // As it is written, not as it could be read: then a field that may be null is still always there.
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<T>();
    let schema = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
    let path = schema_file(name);
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::create_dir_all(path.parent().expect("it has one")).expect("docs/schema can be made");
        fs::write(&path, &schema).expect("docs/schema can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == schema,
        "docs/schema/{name}.json is out of date: run this test with UPDATE_SCHEMAS=1"
    );
}

/// Holds a document to `docs/schema/NAME.json`, and returns it.
#[track_caller]
pub(crate) fn assert_valid(name: &str, json: &str) -> Value {
    let schema = fs::read_to_string(schema_file(name)).expect("a schema");
    let schema: Value = serde_json::from_str(&schema).expect("a schema is JSON");
    let document: Value =
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let validator = jsonschema::validator_for(&schema).expect("a schema that can be used");
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}\n{json}");
    document
}
