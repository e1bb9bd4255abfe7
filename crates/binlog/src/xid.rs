//! The names of distributed transactions.

use bytes::Bytes;

use crate::{Fault, Xa, cursor::Cursor};

/// The longest XID: `XIDDATASIZE`, in two parts of 64 bytes.
const MAX_XID_BYTES: usize = 128;

/// As the servers write it into statements: `X'global',X'branch',format`.
pub(crate) fn text(format: u32, global: &[u8], branch: &[u8]) -> Bytes {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|it| format!("{it:02x}")).collect() };
    format!("X'{}',X'{}',{format}", hex(global), hex(branch)).into()
}

/// XA_PREPARE_LOG_EVENT; `None` where it is the commit in one phase, which is an ordinary one.
pub(crate) fn prepare(body: &Bytes) -> Result<Option<Xa>, Fault> {
    let mut it = Cursor::new(body);
    let one_phase = it.u8("phase")? != 0;
    let format = it.u32("XID")?;
    let global = it.u32("XID")? as usize;
    let branch = it.u32("XID")? as usize;
    if global.saturating_add(branch) > MAX_XID_BYTES {
        return Err(Fault::Malformed("the XID is longer than 128 bytes"));
    }
    let (global, branch) = (it.take(global, "XID")?, it.take(branch, "XID")?);
    Ok((!one_phase).then(|| Xa::Prepare(text(format, global, branch))))
}
