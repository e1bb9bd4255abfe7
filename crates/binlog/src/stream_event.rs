//! Events about the stream and the server, not about changes.

use std::sync::Arc;

use bytes::Bytes;

use crate::{Fault, cursor::Cursor};

/// The longest path of a log file: FN_REFLEN of both servers.
const MAX_FILE_NAME_BYTES: usize = 512;

/// ROTATE_EVENT: the file that follows, and where in it.
pub(crate) fn rotate(body: &Bytes) -> Result<(Arc<str>, u64), Fault> {
    let mut it = Cursor::new(body);
    let position = it.u64("position")?;
    Ok((file_name(&it.rest())?, position))
}

/// HEARTBEAT_LOG_EVENT: the file; where in it is in the header.
pub(crate) fn heartbeat(body: &Bytes) -> Result<Arc<str>, Fault> {
    file_name(body)
}

/// HEARTBEAT_LOG_EVENT_V2: fields of type, length and value.
pub(crate) fn heartbeat_v2(body: &Bytes) -> Result<(Arc<str>, u64), Fault> {
    const END: u64 = 0;
    const FILE: u64 = 1;
    const POSITION: u64 = 2;
    let mut it = Cursor::new(body);
    let (mut file, mut position) = (None, None);
    while it.left() > 0 {
        let field = it.packed("heartbeat")?;
        if field == END {
            break;
        }
        let len = it.packed_len("heartbeat")?;
        let value = it.slice(len, "heartbeat")?;
        match field {
            FILE => file = Some(file_name(&value)?),
            POSITION => position = Some(Cursor::new(&value).packed("position")?),
            _ => {}
        }
    }
    file.zip(position)
        .ok_or(Fault::Malformed("a heartbeat without a place"))
}

fn file_name(name: &[u8]) -> Result<Arc<str>, Fault> {
    if name.len() > MAX_FILE_NAME_BYTES {
        return Err(Fault::Limit {
            what: "bytes of a file's name",
            has: name.len() as u64,
            limit: MAX_FILE_NAME_BYTES as u64,
        });
    }
    std::str::from_utf8(name)
        .ok()
        .filter(|it| !it.contains('\0'))
        .map(Into::into)
        .ok_or(Fault::Malformed("a file's name is no text"))
}

/// INCIDENT_EVENT, as the error that it is.
pub(crate) fn incident(body: &Bytes) -> Result<Fault, Fault> {
    let mut it = Cursor::new(body);
    let number = it.u16("number")?;
    let len = usize::from(it.u8("message")?);
    let message = String::from_utf8_lossy(it.take(len, "message")?).into_owned();
    Ok(Fault::Incident { number, message })
}
