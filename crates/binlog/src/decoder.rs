//! From events to transactions.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    Error, EventType, Fault, Format, Output, Rows,
    format::body_before_format,
    group::{Ends, Group},
    gtid_event::{self, Begin},
    header::{HEADER_LEN, Header},
    inflate::{self, Zstd},
    passed_over, query, rows_event, stream_event,
    tables::Tables,
    xid,
};

/// Where an event has its type.
const TYPE_AT: usize = 4;

/// Whose log it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// MySQL, from 5.6.
    MySql,
    /// MariaDB, from 10.0.
    MariaDb,
}

/// The events of one log, as a replica gets them, to its transactions.
#[derive(Debug)]
pub struct Decoder {
    flavour: Flavour,
    format: Option<Format>,
    file: Arc<str>,
    /// Where the last event ended.
    end: u64,
    /// Where the event at hand begins, and what it is: for errors.
    start: u64,
    event: EventType,
    tables: Tables,
    group: Option<Group>,
    zstd: Zstd,
}

impl Decoder {
    /// For a log of that flavour, from a rotate event (as each stream begins), or from the format description of a file.
    #[must_use]
    pub fn new(flavour: Flavour) -> Self {
        Self {
            flavour,
            format: None,
            file: Arc::from(""),
            end: 0,
            start: 0,
            event: EventType(0),
            tables: Tables::default(),
            group: None,
            zstd: Zstd::default(),
        }
    }

    /// The bytes that are kept in memory of a transaction that has not ended yet.
    #[must_use]
    pub fn open_bytes(&self) -> usize {
        self.group.as_ref().map_or(0, Group::size_bytes)
    }

    /// One whole event: the 19 bytes of header, the body, and the checksum where the log has them. Rows and statements keep
    /// its memory.
    ///
    /// # Errors
    /// If the event cannot be decoded, or could change something that is not understood. Nothing is to be pushed after it.
    pub fn push(&mut self, event: Bytes) -> Result<Output, Error> {
        self.start = self.end;
        self.event = event.get(TYPE_AT).copied().map_or(EventType(0), EventType);
        self.event(&event).map_err(|fault| Error {
            event: self.event,
            file: Arc::clone(&self.file),
            position: self.start,
            fault,
        })
    }

    fn event(&mut self, event: &Bytes) -> Result<Output, Fault> {
        let header = Header::parse(event)?;
        header.check_len(event)?;
        if header.event == EventType::FORMAT_DESCRIPTION_EVENT {
            return self.format_description(&header, event);
        }
        let body = match &self.format {
            Some(format) => format.body(event)?,
            None if matches!(
                header.event,
                EventType::ROTATE_EVENT | EventType::HEARTBEAT_LOG_EVENT
            ) =>
            {
                body_before_format(event)
            }
            None => return Err(Fault::NoFormat),
        };
        if header.event == EventType::ROTATE_EVENT {
            return self.rotate(&header, &body);
        }
        self.advance(&header);
        if header.event == EventType::TRANSACTION_PAYLOAD_EVENT {
            return self.payload(&header, &body);
        }
        self.plain(&header, &body)
    }

    fn format_description(&mut self, header: &Header, event: &Bytes) -> Result<Output, Fault> {
        let format = Format::parse(event)?;
        self.format = Some(format.clone());
        self.tables.end_statement();
        if format.after_start {
            // The server numbers its tables anew.
            self.tables = Tables::default();
        }
        // In the middle of a file it comes again, with the place it has at the beginning.
        if !header.is_artificial() {
            self.end = self.end.max(header.end.into());
        }
        let dropped = self.group.take().and_then(Group::into_gtid);
        Ok(Output::Format { format, dropped })
    }

    fn rotate(&mut self, header: &Header, body: &Bytes) -> Result<Output, Fault> {
        let (file, position) = stream_event::rotate(body)?;
        self.file = Arc::clone(&file);
        self.end = position;
        Ok(Output::Rotate {
            file,
            position,
            artificial: header.is_artificial(),
        })
    }

    /// Moves on to the event's end. Headers have the low 32 bits of a place.
    fn advance(&mut self, header: &Header) {
        if !header.is_artificial() {
            let mut end = (self.end & !u64::from(u32::MAX)) | u64::from(header.end);
            if end < self.end {
                end = end.saturating_add(1 << 32);
            }
            self.end = end;
            self.start = end.saturating_sub(header.len.into());
        }
    }

    /// The events of a compressed transaction. They have no place of their own, and no checksum.
    fn payload(&mut self, outer: &Header, body: &Bytes) -> Result<Output, Fault> {
        self.check_flavour(outer.event)?;
        let mut events = inflate::payload(&mut self.zstd, body)?;
        let mut output = Output::Nothing;
        while !events.is_empty() {
            if !matches!(output, Output::Nothing) {
                return Err(Fault::Malformed("a payload goes on after its transaction"));
            }
            let header = Header::parse(&events)?;
            let len = header.len as usize;
            if len < HEADER_LEN || len > events.len() {
                return Err(Fault::Truncated("payload"));
            }
            let event = events.split_to(len);
            self.event = header.event;
            output = match header.event {
                EventType::TRANSACTION_PAYLOAD_EVENT
                | EventType::FORMAT_DESCRIPTION_EVENT
                | EventType::ROTATE_EVENT => {
                    return Err(Fault::Malformed("it cannot be in a payload"));
                }
                _ => self.plain(&header, &event.slice(HEADER_LEN..))?,
            };
        }
        Ok(output)
    }

    fn check_flavour(&self, event: EventType) -> Result<(), Fault> {
        match self.flavour {
            Flavour::MySql if event.is_mariadb() => Err(Fault::Flavour("MySQL")),
            Flavour::MariaDb if event.is_mysql() => Err(Fault::Flavour("MariaDB")),
            Flavour::MySql | Flavour::MariaDb => Ok(()),
        }
    }

    /// An event that is in no other, and is not about the format.
    fn plain(&mut self, header: &Header, body: &Bytes) -> Result<Output, Fault> {
        type T = EventType;
        let event = header.event;
        self.check_flavour(event)?;
        if let Some(shape) = rows_event::shape(event) {
            return self.rows(event, shape, body);
        }
        match event {
            T::GTID_LOG_EVENT | T::ANONYMOUS_GTID_LOG_EVENT => {
                self.begin(header, gtid_event::mysql(event, body)?)
            }
            T::GTID_TAGGED_LOG_EVENT => self.begin(header, gtid_event::tagged(body)?),
            T::GTID_EVENT => self.begin(header, gtid_event::mariadb(header.server_id, body)?),
            T::QUERY_EVENT | T::EXECUTE_LOAD_QUERY_EVENT => self.statement(header, body, false),
            T::QUERY_COMPRESSED_EVENT => self.statement(header, body, true),
            T::TABLE_MAP_EVENT => {
                let len = self.post_header_len(event)?;
                self.tables.describe(body, len, self.flavour)?;
                Ok(Output::Nothing)
            }
            T::XID_EVENT => self.finish(),
            T::XA_PREPARE_LOG_EVENT => {
                let xa = xid::prepare(body)?;
                self.open_group()?.prepared(xa);
                self.finish()
            }
            T::HEARTBEAT_LOG_EVENT => Ok(Output::Heartbeat {
                file: stream_event::heartbeat(body)?,
                position: self.end,
            }),
            T::HEARTBEAT_LOG_EVENT_V2 => {
                let (file, position) = stream_event::heartbeat_v2(body)?;
                Ok(Output::Heartbeat { file, position })
            }
            T::GTID_LIST_EVENT => Ok(Output::GtidList(gtid_event::mariadb_list(body)?)),
            T::STOP_EVENT => Ok(Output::Stop),
            T::INCIDENT_EVENT => Err(stream_event::incident(body)?),
            _ => passed_over::may_be(header).map(|()| Output::Nothing),
        }
    }

    fn post_header_len(&self, event: EventType) -> Result<usize, Fault> {
        let format = self.format.as_ref().ok_or(Fault::NoFormat)?;
        format.post_header_len(event).ok_or(Fault::Malformed(
            "the format description does not know the event's type",
        ))
    }

    fn open_group(&mut self) -> Result<&mut Group, Fault> {
        self.group.as_mut().ok_or(Fault::OutsideTransaction)
    }

    fn begin(&mut self, header: &Header, begin: Begin) -> Result<Output, Fault> {
        if let Some(open) = &self.group {
            return Err(Fault::Unfinished(open.name()));
        }
        let file = Arc::clone(&self.file);
        self.group = Some(Group::new(begin, header, file, self.start));
        Ok(Output::Nothing)
    }

    fn statement(
        &mut self,
        header: &Header,
        body: &Bytes,
        compressed: bool,
    ) -> Result<Output, Fault> {
        let query = query::parse(body, self.post_header_len(header.event)?, compressed)?;
        let (file, start) = (&self.file, self.start);
        let group = self
            .group
            .get_or_insert_with(|| Group::without_gtid(header, Arc::clone(file), start));
        match group.statement(query)? {
            Ends::Yes => self.finish(),
            Ends::No => Ok(Output::Nothing),
        }
    }

    fn rows(
        &mut self,
        event: EventType,
        shape: rows_event::Shape,
        body: &Bytes,
    ) -> Result<Output, Fault> {
        let mut rows = rows_event::parse(shape, body, self.post_header_len(event)?)?;
        if event == EventType::PARTIAL_UPDATE_ROWS_EVENT {
            rows = rows_event::without_rows(rows);
        }
        if let Some(id) = rows.table_id
            && rows.cascaded
            && self.tables.get(id, true).is_err()
        {
            let database = self.tables.current_database();
            self.open_group()?.undescribed(database)?;
        } else if let Some(id) = rows.table_id {
            let table = Arc::clone(self.tables.get(id, rows.cascaded)?);
            if rows.columns != table.columns.len() {
                return Err(Fault::Malformed(
                    "the rows have not the columns of their table",
                ));
            }
            // Of a compressed event only the images are kept, of another one all of it.
            let kept = body.len().max(rows.data.len());
            let rows = Rows {
                table,
                kind: rows.kind,
                present: rows.present,
                present_after: rows.present_after,
                data: rows.data,
            };
            self.open_group()?.rows(rows, kept)?;
        }
        if rows.ends_statement {
            self.tables.end_statement();
        }
        Ok(Output::Nothing)
    }

    fn finish(&mut self) -> Result<Output, Fault> {
        let group = self.group.take().ok_or(Fault::OutsideTransaction)?;
        self.tables.end_statement();
        Ok(Output::Transaction(Box::new(group.finish(self.end))))
    }
}
