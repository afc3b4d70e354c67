//! A tokenizer's file before rust-bert reads it: its reader (protobuf 2.28, RUSTSEC-2024-0437) follows groups within groups until the
//! stack is full, which ends the program.

use prost::{DecodeError, Message};

/// `ModelProto` of SentencePiece's `sentencepiece_model.proto`, as far as messages stand within messages.
#[derive(Clone, PartialEq, Message)]
struct Pieces {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<Fields>,
    #[prost(message, optional, tag = "2")]
    trainer: Option<Fields>,
    #[prost(message, optional, tag = "3")]
    normalizer: Option<Fields>,
    #[prost(message, optional, tag = "4")]
    self_test: Option<SelfTest>,
    #[prost(message, optional, tag = "5")]
    denormalizer: Option<Fields>,
}

#[derive(Clone, PartialEq, Message)]
struct SelfTest {
    #[prost(message, repeated, tag = "1")]
    samples: Vec<Fields>,
}

/// Any fields, passed over: groups among them a hundred deep at most.
#[derive(Clone, PartialEq, Message)]
struct Fields {}

/// Whether the bytes of a `source.spm` can be given to a reader that does not count how deep it is.
///
/// # Errors
/// They are no messages, or there are more than a hundred groups within one another.
pub fn check(bytes: &[u8]) -> Result<(), DecodeError> {
    Pieces::decode(bytes).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups (field 9) within one another.
    fn groups(deep: usize) -> Vec<u8> {
        [vec![9 << 3 | 3; deep], vec![9 << 3 | 4; deep]].concat()
    }

    /// A message as field `tag` of another.
    fn within(tag: u8, bytes: &[u8]) -> Vec<u8> {
        let mut message = vec![tag << 3 | 2];
        prost::encoding::encode_varint(bytes.len() as u64, &mut message);
        message.extend(bytes);
        message
    }

    #[test]
    fn groups_within_groups_are_refused_wherever_a_message_stands() {
        let (few, many) = (groups(20), groups(1_000_000));
        assert!(check(&few).is_ok() && check(&many).is_err());
        for tag in [1, 2, 3, 4, 5] {
            assert!(check(&within(tag, &few)).is_ok(), "{tag}");
            assert!(check(&within(tag, &many)).is_err(), "{tag}");
        }
        assert!(check(&within(4, &within(1, &many))).is_err());
        assert!(check(b"\xff\xff").is_err());
    }

    #[test]
    fn a_piece_may_hold_any_bytes() {
        let piece = within(1, &[0x4b; 500]);
        let score = [2 << 3 | 5, 0, 0, 128, 63];
        assert!(check(&within(1, &[piece, score.to_vec()].concat())).is_ok());
    }
}
