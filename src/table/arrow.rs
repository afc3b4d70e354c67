//! Arrow IPC, as a stream and as a file (Feather): messages with a schema, dictionaries and rows. In a stream they are one behind the
//! other, in a file a list at its end says where they are.
//!
//! The messages are taken from the file here and not by the crate's readers, since those reserve as much memory as a compressed buffer
//! says that it needs, and a damaged one may say any number.

use std::collections::HashMap;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::{read_dictionary, read_footer_length, read_record_batch};
use arrow_ipc::{Block, MessageHeader, root_as_footer, root_as_message};
use arrow_schema::SchemaRef;

use super::bytes::opened;
use super::columnar::guarded;
use super::source::Batches;

/// How a file begins.
pub const MAGIC: &[u8] = b"ARROW1\0\0";
/// How each message begins, and so a stream.
pub const CONTINUATION: &[u8] = &[0xff; 4];
/// How the first version of Feather began, which was another format.
const FEATHER_1: &[u8] = b"FEA1";

/// Bytes that one buffer of a batch unpacks to at most: what offsets of 32 bits reach.
const MOST_BYTES: i64 = 1 << 31;

/// Begin to read the file `path`.
///
/// # Errors
/// It cannot be read, or is not Arrow IPC.
pub fn begin(path: &Path) -> io::Result<(SchemaRef, Batches)> {
    let mut input = BufReader::new(opened(path)?);
    let first = taken(&mut input, MAGIC.len())?;
    let (schema, messages): (SchemaRef, Messages) = if first == MAGIC {
        in_file(File::open(path)?)?
    } else if first.starts_with(CONTINUATION) {
        in_stream(io::Cursor::new(first).chain(input))?
    } else if first.starts_with(FEATHER_1) {
        return Err(damaged("it is Feather of version 1; write it anew as version 2"));
    } else {
        return Err(damaged("it does not begin as one"));
    };
    let batches = Decoded { messages, schema: schema.clone(), dictionaries: HashMap::new() };
    Ok((schema, Box::new(batches)))
}

/// Begin to read a stream.
///
/// # Errors
/// It cannot be read, or is no stream of Arrow IPC.
pub fn begin_stream(input: impl Read + 'static) -> io::Result<(SchemaRef, Batches)> {
    let (schema, messages) = in_stream(input)?;
    let mut decoded = Decoded { messages, schema: schema.clone(), dictionaries: HashMap::new() };
    Ok((schema, Box::new(std::iter::from_fn(move || guarded(|| decoded.batch()).transpose()))))
}

struct Message {
    header: Vec<u8>,
    body: Buffer,
}

type Messages = Box<dyn Iterator<Item = io::Result<Message>>>;

/// The schema of a stream, and the messages behind it.
fn in_stream(mut input: impl Read + 'static) -> io::Result<(SchemaRef, Messages)> {
    let Some(Message { header, .. }) = next_in_stream(&mut input)? else {
        return Err(damaged("it has no schema"));
    };
    let schema = root_as_message(&header).map_err(damaged)?.header_as_schema();
    let schema = schema.ok_or_else(|| damaged("it does not begin with a schema"))?;
    let schema = Arc::new(try_fb_to_schema(schema).map_err(damaged)?);
    Ok((schema, Box::new(std::iter::from_fn(move || next_in_stream(&mut input).transpose()))))
}

/// The next message; `None` where the stream says that it ends, or ends.
fn next_in_stream(input: &mut impl Read) -> io::Result<Option<Message>> {
    let begin = taken(input, CONTINUATION.len())?;
    if begin.is_empty() {
        return Ok(None);
    }
    if begin != CONTINUATION {
        return Err(damaged("it is cut off, or no message begins where one should"));
    }
    let size = u32::from_le_bytes(whole(input, 4)?.try_into().unwrap_or_default());
    if size == 0 {
        return Ok(None);
    }
    let header = whole(input, size.into())?;
    let size = root_as_message(&header).map_err(damaged)?.bodyLength();
    let body = whole(input, u64::try_from(size).map_err(damaged)?)?;
    Ok(Some(Message { header, body: Buffer::from_vec(body) }))
}

/// The schema of a file, and its messages, those with dictionaries first.
fn in_file(mut file: File) -> io::Result<(SchemaRef, Messages)> {
    const TRAILER: usize = 10;
    let size = file.metadata()?.len();
    let at = size.checked_sub(TRAILER as u64).ok_or_else(cut_off)?;
    file.seek(SeekFrom::Start(at))?;
    let trailer: [u8; TRAILER] = whole(&mut file, TRAILER as u64)?.try_into().map_err(|_| cut_off())?;
    let length = read_footer_length(trailer).map_err(|_| cut_off())? as u64;
    file.seek(SeekFrom::Start(at.checked_sub(length).ok_or_else(cut_off)?))?;
    let footer = whole(&mut file, length)?;
    let footer = root_as_footer(&footer).map_err(damaged)?;
    let schema = footer.schema().ok_or_else(|| damaged("it has no schema"))?;
    let schema = Arc::new(try_fb_to_schema(schema).map_err(damaged)?);
    let blocks = [footer.dictionaries(), footer.recordBatches()].into_iter().flatten().flatten();
    let blocks: Vec<Block> = blocks.copied().collect();
    Ok((schema, Box::new(blocks.into_iter().map(move |block| message_at(&mut file, &block)))))
}

fn message_at(file: &mut File, block: &Block) -> io::Result<Message> {
    let size = |size: i64| u64::try_from(size).map_err(damaged);
    file.seek(SeekFrom::Start(size(block.offset())?))?;
    let mut header = whole(file, size(block.metaDataLength().into())?)?;
    // Its length stands before it, since 2019 with the mark of a message before that.
    let prefix = if header.starts_with(CONTINUATION) { 8 } else { 4 };
    header.drain(..prefix.min(header.len()));
    let body = whole(file, size(block.bodyLength())?)?;
    Ok(Message { header, body: Buffer::from_vec(body) })
}

fn whole(input: &mut impl Read, size: u64) -> io::Result<Vec<u8>> {
    let size = usize::try_from(size).map_err(damaged)?;
    let bytes = taken(input, size)?;
    if bytes.len() < size { Err(cut_off()) } else { Ok(bytes) }
}

/// The next bytes, so many or as many as there are. Memory is taken as they come, whatever number is asked for.
fn taken(input: &mut impl Read, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(count as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The rows in messages.
struct Decoded {
    messages: Messages,
    schema: SchemaRef,
    dictionaries: HashMap<i64, ArrayRef>,
}

impl Decoded {
    fn batch(&mut self) -> io::Result<Option<RecordBatch>> {
        while let Some(Message { header, body }) = self.messages.next().transpose()? {
            let message = root_as_message(&header).map_err(damaged)?;
            let version = message.version();
            let dictionary = message.header_as_dictionary_batch();
            if let Some(batch) = message.header_as_record_batch().or_else(|| dictionary?.data()) {
                check_sizes(batch, &body)?;
            }
            if let Some(dictionary) = dictionary {
                read_dictionary(&body, dictionary, &self.schema, &mut self.dictionaries, &version)
                    .map_err(damaged)?;
            } else if let Some(batch) = message.header_as_record_batch() {
                let (schema, known) = (self.schema.clone(), &self.dictionaries);
                let batch = read_record_batch(&body, batch, schema, known, None, &version);
                return batch.map(Some).map_err(damaged);
            } else if message.header_type() != MessageHeader::NONE {
                return Err(damaged(format!("a message of kind {:?} is no rows", message.header_type())));
            }
        }
        Ok(None)
    }
}

/// Refuse buffers that say that they unpack to more than [`MOST_BYTES`].
fn check_sizes(batch: arrow_ipc::RecordBatch<'_>, body: &[u8]) -> io::Result<()> {
    if batch.compression().is_none() {
        return Ok(());
    }
    for buffer in batch.buffers().into_iter().flatten() {
        let start = usize::try_from(buffer.offset()).map_err(damaged)?;
        let said = body.get(start..).and_then(|bytes| bytes.first_chunk());
        if said.is_some_and(|said| i64::from_le_bytes(*said) > MOST_BYTES) {
            return Err(damaged("a compressed buffer says that it unpacks to more than 2 GB"));
        }
    }
    Ok(())
}

impl Iterator for Decoded {
    type Item = io::Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

fn damaged(reason: impl Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("it is no Arrow file, or damaged: {reason}"))
}

fn cut_off() -> io::Error {
    damaged("it is cut off")
}
