//! Rows of random tables: what is written is found again, and no bytes make a walk or a value panic.

use std::sync::Arc;

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};
use twinlog_binlog::{
    Column, ColumnHint, ColumnType, Image, Raw, RowChange, Rows, RowsKind, Spans, Table,
};

const TYPES: [ColumnType; 28] = [
    ColumnType::Tiny,
    ColumnType::Short,
    ColumnType::Int24,
    ColumnType::Long,
    ColumnType::LongLong,
    ColumnType::Float,
    ColumnType::Double,
    ColumnType::OldDecimal,
    ColumnType::Decimal,
    ColumnType::Year,
    ColumnType::Date,
    ColumnType::OldTime,
    ColumnType::OldDateTime,
    ColumnType::OldTimestamp,
    ColumnType::Time,
    ColumnType::DateTime,
    ColumnType::Timestamp,
    ColumnType::VarChar,
    ColumnType::VarCharCompressed,
    ColumnType::String,
    ColumnType::Blob,
    ColumnType::BlobCompressed,
    ColumnType::Bit,
    ColumnType::Enum,
    ColumnType::Set,
    ColumnType::Json,
    ColumnType::Geometry,
    ColumnType::Vector,
];

const HINTS: [ColumnHint; 5] = [
    ColumnHint::None,
    ColumnHint::Unsigned,
    ColumnHint::Inet4,
    ColumnHint::Inet6,
    ColumnHint::Uuid,
];

fn column(kind: ColumnType, meta: u16) -> Column {
    Column {
        kind,
        meta,
        nullable: true,
        unsigned: None,
        collation: None,
        name: None,
        members: Vec::new(),
    }
}

fn table(columns: Vec<Column>) -> Arc<Table> {
    Arc::new(Table::new(1, "db".into(), "t".into(), columns, Vec::new()))
}

/// A column that a server could have, and how its values are written: so many bytes, or a length in so many before up to
/// so many.
fn real_column() -> impl Strategy<Value = (Column, Form)> {
    prop_oneof![
        Just((column(ColumnType::Tiny, 0), Ok(1))),
        Just((column(ColumnType::Int24, 0), Ok(3))),
        Just((column(ColumnType::LongLong, 0), Ok(8))),
        Just((column(ColumnType::Decimal, 10 | 2 << 8), Ok(5))),
        (0_u16..=6).prop_map(|it| {
            let bytes = 5 + usize::from(it.div_ceil(2));
            (column(ColumnType::DateTime, it), Ok(bytes))
        }),
        (0_u16..8, 0_u16..8).prop_filter_map("a bit", |(bits, bytes)| {
            let len = usize::from(bytes + u16::from(bits > 0));
            (len > 0).then(|| (column(ColumnType::Bit, bits | bytes << 8), Ok(len)))
        }),
        (1_u16..1000).prop_map(|max| {
            let prefix = if max > 255 { 2 } else { 1 };
            let len = usize::from(max.min(300));
            (column(ColumnType::VarChar, max), Err((prefix, len)))
        }),
        (1_u16..1020).prop_map(|max| {
            let prefix = if max > 255 { 2 } else { 1 };
            let len = usize::from(max.min(300));
            (column(ColumnType::String, max), Err((prefix, len)))
        }),
        (1_u16..=4).prop_map(|prefix| {
            let kind = column(ColumnType::Blob, prefix);
            (kind, Err((usize::from(prefix), 255)))
        }),
    ]
}

/// What a column of a row is.
#[derive(Debug, Clone)]
enum Cell {
    Absent,
    Null,
    Bytes(Vec<u8>),
}

/// How many bytes a value takes, or how many the length before it and how many it may have.
type Form = Result<usize, (usize, usize)>;

type Written = (Vec<Column>, Vec<Vec<Cell>>, Vec<bool>);

fn cell(form: Form) -> BoxedStrategy<Cell> {
    let bytes = match form {
        Ok(len) => vec(any::<u8>(), len).boxed(),
        Err((_, max)) => vec(any::<u8>(), 0..=max).boxed(),
    };
    prop_oneof![1 => Just(Cell::Null), 4 => bytes.prop_map(Cell::Bytes)].boxed()
}

/// A table, rows of it, and which columns they have.
fn written() -> impl Strategy<Value = (Written, Vec<Form>)> {
    vec(real_column(), 1..20).prop_flat_map(|columns| {
        let forms: Vec<_> = columns.iter().map(|it| it.1).collect();
        let columns: Vec<_> = columns.into_iter().map(|it| it.0).collect();
        let row: Vec<_> = forms.iter().map(|&form| cell(form)).collect();
        let present = prop_oneof![
            Just(vec![true; forms.len()]),
            vec(any::<bool>(), forms.len()).prop_filter("one column", |it| it.contains(&true)),
        ];
        (Just(columns), vec(row, 1..5), present, Just(forms)).prop_map(
            |(columns, mut rows, present, forms)| {
                for row in &mut rows {
                    for (cell, present) in row.iter_mut().zip(&present) {
                        if !present {
                            *cell = Cell::Absent;
                        }
                    }
                }
                ((columns, rows, present), forms)
            },
        )
    })
}

fn bits(set: impl Iterator<Item = bool>) -> Vec<u8> {
    let set: Vec<_> = set.collect();
    set.chunks(8)
        .map(|chunk| {
            let byte = chunk.iter().rev();
            byte.fold(0, |byte, &bit| byte << 1 | u8::from(bit))
        })
        .collect()
}

fn write(rows: &[Vec<Cell>], forms: &[Form]) -> Vec<u8> {
    let mut data = Vec::new();
    for row in rows {
        let there = row.iter().filter(|it| !matches!(it, Cell::Absent));
        data.extend(bits(there.map(|it| matches!(it, Cell::Null))));
        for (cell, form) in row.iter().zip(forms) {
            if let Cell::Bytes(bytes) = cell {
                if let Err((prefix, _)) = form {
                    data.extend(&(bytes.len() as u32).to_le_bytes()[..*prefix]);
                }
                data.extend(bytes);
            }
        }
    }
    data
}

/// All that can be asked of an image.
fn ask(image: &Image<'_>, hint: ColumnHint) {
    let mut spans = Spans::default();
    image.locate(&mut spans).expect("it was walked before");
    let columns = image.table().columns.len();
    for position in 0..=columns {
        let raw = image.column(position);
        assert_eq!(raw.is_err(), position == columns);
        if let Ok(raw) = raw {
            assert_eq!(raw, spans.get(image, position));
        }
        let _ = image.value_as(position, hint);
    }
    let _ = image.values(&vec![hint; columns]);
    let owned = image.to_owned();
    assert_eq!(owned.bytes(), image.bytes());
    assert_eq!(owned.detached().as_image().bytes(), image.bytes());
    let _ = image.same_values(&owned.as_image());
}

proptest! {
    #[test]
    fn what_is_written_is_found(((columns, rows, present), forms) in written()) {
        let event = Rows {
            table: table(columns),
            kind: RowsKind::Insert,
            present: bits(present.into_iter()).into(),
            present_after: Bytes::new(),
            data: write(&rows, &forms).into(),
        };
        let changes: Vec<RowChange<'_>> = event.changes().collect::<Result<_, _>>()?;
        prop_assert_eq!(changes.len(), rows.len());
        let mut spans = Spans::default();
        for (change, row) in changes.iter().zip(&rows) {
            let image = change.after.expect("an insert");
            image.locate(&mut spans)?;
            for (position, cell) in row.iter().enumerate() {
                let expected = match cell {
                    Cell::Absent => Raw::Absent,
                    Cell::Null => Raw::Null,
                    Cell::Bytes(bytes) => Raw::Bytes(bytes),
                };
                prop_assert_eq!(image.column(position)?, expected);
                prop_assert_eq!(spans.get(&image, position), expected);
            }
            ask(&image, ColumnHint::None);
            prop_assert!(image.same_values(&image.to_owned().as_image()).unwrap_or(true));
        }
    }

    #[test]
    fn no_bytes_panic(
        columns in vec((prop::sample::select(&TYPES[..]), prop_oneof![0_u16..9, any::<u16>()]), 0..12),
        kind in prop::sample::select(&[RowsKind::Insert, RowsKind::Update, RowsKind::Delete][..]),
        present in prop_oneof![Just(vec![0xff, 0xff]), vec(any::<u8>(), 0..3)],
        present_after in prop_oneof![Just(vec![0xff, 0xff]), vec(any::<u8>(), 0..3)],
        data in vec(prop_oneof![Just(0), 0_u8..9, any::<u8>()], 0..200),
        hint in prop::sample::select(&HINTS[..]),
    ) {
        let columns = columns.into_iter().map(|(kind, meta)| column(kind, meta)).collect();
        let event = Rows {
            table: table(columns),
            kind,
            present: present.into(),
            present_after: present_after.into(),
            data: data.into(),
        };
        for change in &event {
            let Ok(change) = change else { break };
            for image in [change.before, change.after].into_iter().flatten() {
                ask(&image, hint);
            }
        }
    }
}
