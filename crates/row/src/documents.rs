//! JSON documents with all their types.
//!
//! A document's text is all of it for people, and for comparing. But decimals, dates, times and bytes in one are read as
//! doubles and strings from its text: what a log has of it tells the expression that makes the document itself again.

use std::collections::HashMap;

use twinlog_binlog::Image;

use super::{Kind, RowError, TableInfo};

/// The documents of a row's versions that their text does not make again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Documents(HashMap<(usize, String), String>);

impl Documents {
    /// Takes those of a row's image. Of two documents with one text the last one's counts.
    ///
    /// # Errors
    /// Where a document's bytes are none.
    pub fn add(&mut self, table: &TableInfo, image: Image<'_>) -> Result<(), RowError> {
        for (at, column) in table.columns.iter().enumerate() {
            if column.kind != Kind::Json || at >= image.table().columns.len() {
                continue;
            }
            if let Some(sql) = image.json_expression(at)?
                && let twinlog_binlog::Value::Json(text) = image.value(at)?
            {
                self.0.insert((at, text), sql);
            }
        }
        Ok(())
    }

    /// The expression for a document of a column; `None` where its text is enough, or all that is known.
    pub(super) fn expression(&self, column: usize, text: &str) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&(column, text.to_owned())).map(String::as_str)
    }
}
