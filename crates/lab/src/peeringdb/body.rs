//! Bodies as streams of pieces: an answer of fifty megabytes is never a string.

use std::convert::Infallible;
use std::io::Write;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::{Stream, StreamExt, stream};
use tokio::time::Instant;

/// Piece by piece, the bytes of a body.
pub(crate) type Pieces = Box<dyn Iterator<Item = Bytes> + Send>;

/// About as many bytes are in a piece.
const PIECE: usize = 64 * 1024;

/// `{"data": [ROW, ROW, …], "meta": META}`.
pub(crate) fn envelope<T: AsRef<str> + Send + 'static>(rows: Vec<T>, meta: String) -> Pieces {
    let mut rows = rows.into_iter();
    let mut first = true;
    let mut ended = false;
    Box::new(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let mut piece = Vec::with_capacity(PIECE + 4096);
        if first {
            piece.extend_from_slice(b"{\"data\": [");
        }
        while piece.len() < PIECE {
            let Some(row) = rows.next() else {
                piece.extend_from_slice(b"], \"meta\": ");
                piece.extend_from_slice(meta.as_bytes());
                piece.push(b'}');
                ended = true;
                break;
            };
            if !std::mem::take(&mut first) {
                piece.extend_from_slice(b", ");
            }
            piece.extend_from_slice(row.as_ref().as_bytes());
        }
        Some(piece.into())
    }))
}

/// The pieces, compressed.
pub(crate) fn gzip(pieces: Pieces) -> Pieces {
    let mut pieces = pieces;
    let mut encoder = Some(GzEncoder::new(Vec::with_capacity(PIECE), Compression::fast()));
    Box::new(std::iter::from_fn(move || {
        loop {
            // Writing to a vector does not fail.
            match pieces.next() {
                Some(piece) => {
                    let writer = encoder.as_mut()?;
                    writer.write_all(&piece).ok()?;
                    if writer.get_ref().len() >= PIECE {
                        return Some(std::mem::take(writer.get_mut()).into());
                    }
                }
                None => return Some(encoder.take()?.finish().ok()?.into()),
            }
        }
    }))
}

/// The first `length` bytes.
pub(crate) fn truncated(pieces: Pieces, length: usize) -> Pieces {
    let mut left = length;
    Box::new(pieces.map_while(move |mut piece| {
        piece.truncate(left);
        left -= piece.len();
        (!piece.is_empty()).then_some(piece)
    }))
}

/// A body sent as fast as it is read.
pub(crate) fn streamed(pieces: Pieces) -> Body {
    Body::from_stream(stream::iter(pieces).map(Ok::<_, Infallible>))
}

/// A body whose connection breaks behind the last piece: a chunked one never gets its end.
pub(crate) fn broken(pieces: Pieces) -> Body {
    let end = stream::iter([Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))]);
    // The pause lets the pieces leave before the connection closes.
    let pause = stream::once(tokio::time::sleep(Duration::from_millis(50))).filter_map(|()| async { None });
    Body::from_stream(stream::iter(pieces).map(Ok).chain(pause).chain(end))
}

/// A body that comes four bytes at a time, five times a second, for `duration`, and then the rest.
pub(crate) fn dribbled(
    pieces: Pieces,
    duration: Duration,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Body {
    let bytes: Bytes = pieces.flatten().collect();
    let until = Instant::now() + duration;
    let drops = stream::unfold(bytes, move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        if Instant::now() >= until {
            return Some((left, Bytes::new()));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        let drop = left.split_to(left.len().min(4));
        Some((drop, left))
    });
    Body::from_stream(until_stopped(drops, stop))
}

/// A body without an end.
pub(crate) fn endless(row: &str, stop: impl Future<Output = ()> + Send + 'static) -> Body {
    let row = Bytes::from(format!("{row}, ").repeat((PIECE / (row.len() + 2)).max(1)));
    let rows = stream::once(async { Bytes::from_static(b"{\"data\": [") }).chain(stream::repeat(row));
    Body::from_stream(until_stopped(rows, stop))
}

fn until_stopped(
    stream: impl Stream<Item = Bytes> + Send + 'static,
    stop: impl Future<Output = ()> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
    stream.take_until(Box::pin(stop)).map(Ok)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn read(pieces: Pieces) -> String {
        String::from_utf8(pieces.flatten().collect()).unwrap()
    }

    #[test]
    fn an_envelope_holds_the_rows_and_meta() {
        assert_eq!(read(envelope(Vec::<String>::new(), "{}".into())), r#"{"data": [], "meta": {}}"#);
        assert_eq!(read(envelope(vec!["1", "2"], "{}".into())), r#"{"data": [1, 2], "meta": {}}"#);
        let rows = vec!["7".repeat(1000); 300];
        let expected = format!(r#"{{"data": [{}], "meta": {{}}}}"#, rows.join(", "));
        assert_eq!(read(envelope(rows.clone(), "{}".into())), expected);
        let packed: Vec<u8> = gzip(envelope(rows, "{}".into())).flatten().collect();
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, expected);
    }

    #[test]
    fn a_truncated_body_has_the_length_asked_for() {
        assert_eq!(read(truncated(envelope(vec!["1", "2"], "{}".into()), 12)), r#"{"data": [1,"#);
    }
}
