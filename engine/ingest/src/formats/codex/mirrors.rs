//! Lines that say a step again in another shape: rollouts keep what the model was told
//! (`response_item`) beside what the user saw (`item_completed`), in either order.

use std::collections::VecDeque;

/// What was said last, by shape.
#[derive(Debug, Default)]
pub(super) struct Mirrors {
    said: VecDeque<([u8; 16], MirrorShape)>,
    answered: VecDeque<(String, MirrorShape)>,
}

/// In which of the two ways a line says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MirrorShape {
    Response,
    Item,
}

impl Mirrors {
    /// Whether a message was said just before in the other shape. Each is said again once.
    pub(super) fn is_said_again(&mut self, role: &str, text: &str, shape: MirrorShape) -> bool {
        if text.is_empty() {
            return false;
        }
        let digest = digest(role, text);
        let twin = self.said.iter().position(|(said, of)| *said == digest && *of != shape);
        if let Some(twin) = twin {
            self.said.remove(twin);
            return true;
        }
        if self.said.len() == MAX_SAID {
            self.said.pop_front();
        }
        self.said.push_back((digest, shape));
        false
    }

    /// Whether a call was answered before in the other shape.
    pub(super) fn is_answered_again(&mut self, call: &str, shape: MirrorShape) -> bool {
        if let Some((_, of)) = self.answered.iter().find(|(known, _)| known == call) {
            return *of != shape;
        }
        if self.answered.len() == MAX_ANSWERED {
            self.answered.pop_front();
        }
        self.answered.push_back((call.to_owned(), shape));
        false
    }
}

fn digest(role: &str, text: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(role.as_bytes()).update(b"\0").update(text.trim().as_bytes());
    let mut digest = [0; 16];
    digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    digest
}

/// The twin stands within so many messages.
const MAX_SAID: usize = 16;
const MAX_ANSWERED: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_in_both_shapes_is_one_and_twice_in_one_is_two() {
        let mut mirrors = Mirrors::default();
        let mut again = |text, shape| mirrors.is_said_again("user", text, shape);
        assert!(!again("go", MirrorShape::Response));
        assert!(again("go\n", MirrorShape::Item));
        assert!(!again("go", MirrorShape::Response));
        assert!(!again("go", MirrorShape::Response));
        assert!(again("go", MirrorShape::Item));
        assert!(again("go", MirrorShape::Item));
        assert!(!again("", MirrorShape::Item) && !again("", MirrorShape::Response));
    }
}
