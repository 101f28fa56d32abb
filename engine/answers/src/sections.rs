//! A text in sections that never gets longer than it may be.

use crate::cut;

/// What part of the whole a section may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share(usize);

impl Share {
    pub(crate) const QUARTER: Self = Self(4);
    pub(crate) const EIGHTH: Self = Self(8);
    pub(crate) const TENTH: Self = Self(10);
    pub(crate) const SIXTEENTH: Self = Self(16);
}

/// A line of a list.
#[derive(Clone, Debug)]
pub(crate) struct ListLine {
    text: String,
    /// Where there is no room for all, the heavier stay.
    weight: u8,
}

impl ListLine {
    pub(crate) fn new(text: String, weight: u8) -> Self {
        Self { text, weight }
    }

    pub(crate) fn says(&self, text: &str) -> bool {
        // The time and the id, in brackets, don't count.
        let words = |text: &str| text.split_once("] ").map_or(0, |(head, _)| head.len());
        self.text[words(&self.text)..] == text[words(text)..]
    }
}

/// A step's words, as much of them as can be told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// All of them, or their head and their tail.
    head: String,
    tail: String,
    bytes: usize,
}

impl Told {
    pub(crate) fn of(text: &str) -> Self {
        if text.len() <= MOST_STEP_BYTES {
            return Self { head: text.to_owned(), tail: String::new(), bytes: text.len() };
        }
        let head = text[..text.floor_char_boundary(MOST_STEP_BYTES * 2 / 3)].to_owned();
        let from = text.len() - MOST_STEP_BYTES * 2 / 5;
        let tail = text[text.ceil_char_boundary(from)..].to_owned();
        Self { head, tail, bytes: text.len() }
    }

    fn cut(&self, max_bytes: usize) -> String {
        let tail = if self.head.len() == self.bytes { &self.head } else { &self.tail };
        cut::Ends { head: &self.head, tail, bytes: self.bytes }.middle(max_bytes)
    }
}

/// Sections of a text, each within its share of the whole.
#[derive(Debug)]
pub(crate) struct Sections {
    max_bytes: usize,
    text: String,
    /// What stands behind all others.
    tail: String,
    left_out: Vec<(&'static str, usize)>,
}

impl Sections {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, text: String::new(), tail: String::new(), left_out: Vec::new() }
    }

    /// What stands above all sections.
    pub(crate) fn head(&mut self, head: &str) {
        self.text.push_str(&cut::end(head, self.room().min(self.max_bytes / 3)));
        self.text.push('\n');
    }

    /// A text under its title.
    pub(crate) fn text(&mut self, title: &str, text: &str, share: Share) {
        let title = format!("\n## {title}\n");
        let room = self.share(share).saturating_sub(title.len() + 1);
        if room < LINE_BYTES {
            self.leave_out("sections", 1);
            return;
        }
        let text = cut::middle(text.trim(), room);
        self.push(&[&title, &text, "\n"]);
    }

    /// A list under its title.
    pub(crate) fn list(
        &mut self,
        what: &'static str,
        title: &str,
        lines: &[ListLine],
        share: Share,
    ) {
        if lines.is_empty() {
            return;
        }
        let title = format!("\n## {title}\n");
        let Some(mut room) = self.share(share).checked_sub(title.len()) else {
            self.leave_out(what, lines.len());
            return;
        };
        let longest = (room / 2).max(LINE_BYTES);
        // By weight, and in their order among those that weigh the same.
        let mut order: Vec<usize> = (0..lines.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(lines[*at].weight));
        let mut kept = vec![None; lines.len()];
        let mut left_out = 0;
        for at in order {
            let line = cut::middle(&lines[at].text, longest);
            let bytes = line.len() + "- \n".len();
            if bytes <= room && left_out == 0 {
                room -= bytes;
                kept[at] = Some(line);
            } else {
                left_out += 1;
            }
        }
        if left_out < lines.len() {
            self.push(&[&title]);
            for line in kept.into_iter().flatten() {
                self.push(&["- ", &line, "\n"]);
            }
        }
        self.leave_out(what, left_out);
    }

    /// The last steps, in as much room as is left: texts are cut until all fit, then the
    /// oldest are left to the skeleton, as many as this returns.
    pub(crate) fn steps(&mut self, title: &str, steps: &[[Told; 2]]) -> usize {
        if steps.is_empty() {
            return 0;
        }
        let title = format!("\n## {title}\n");
        let room = self.room() - self.room() / SKELETON_SHARE;
        let Some(room) = room.checked_sub(title.len()) else { return steps.len() };
        let cut_to =
            |max: usize| -> Vec<String> { steps.iter().map(|step| cut_step(step, max)).collect() };
        let bytes = |told: &[String]| told.iter().map(|line| line.len() + 1).sum::<usize>();
        let mut max = MOST_STEP_BYTES;
        let mut told = cut_to(max);
        while bytes(&told) > room && max > LEAST_STEP_BYTES {
            max = (max * 3 / 4).max(LEAST_STEP_BYTES);
            told = cut_to(max);
        }
        let (mut left, mut taken) = (0, bytes(&told));
        while taken > room {
            taken -= told[left].len() + 1;
            left += 1;
        }
        if left < told.len() {
            self.tail = title;
            for line in &told[left..] {
                self.tail.push_str(line);
                self.tail.push('\n');
            }
        }
        left
    }

    /// What stands before the last steps, a line each, the newest as long as there is room.
    pub(crate) fn skeleton(&mut self, title: &str, lines: &[ListLine]) {
        if lines.is_empty() {
            return;
        }
        let title = format!("\n## {title}\n");
        let Some(mut room) = self.room().checked_sub(title.len()) else {
            self.leave_out("steps", lines.len());
            return;
        };
        let fits = lines.iter().rev().take_while(|line| {
            let bytes = line.text.len() + 1;
            let fits = bytes <= room && !line.text.is_empty();
            room = room.saturating_sub(bytes);
            fits
        });
        let kept = fits.count();
        if kept > 0 {
            self.text.push_str(&title);
            for line in &lines[lines.len() - kept..] {
                self.text.push_str(&line.text);
                self.text.push('\n');
            }
        }
        self.leave_out("steps", lines.len() - kept);
    }

    /// Bytes that are left.
    pub(crate) fn room(&self) -> usize {
        let taken = self.text.len() + self.tail.len() + CLOSING_BYTES;
        self.max_bytes.saturating_sub(taken)
    }

    /// The text, and what was left out of it.
    pub(crate) fn finish(self) -> (String, Vec<(&'static str, usize)>) {
        let Self { max_bytes, mut text, tail, left_out } = self;
        text.push_str(&tail);
        if !left_out.is_empty() {
            let counted: Vec<String> =
                left_out.iter().map(|(what, count)| format!("{count} {what}")).collect();
            let line = format!("\nLeft out for want of room: {}\n", counted.join(", "));
            text.push_str(&cut::end(&line, CLOSING_BYTES));
        }
        (cut::end(&text, max_bytes), left_out)
    }

    fn push(&mut self, pieces: &[&str]) {
        for piece in pieces {
            self.text.push_str(piece);
        }
    }

    fn share(&self, Share(share): Share) -> usize {
        (self.max_bytes / share).min(self.room())
    }

    fn leave_out(&mut self, what: &'static str, count: usize) {
        if count == 0 {
            return;
        }
        match self.left_out.iter_mut().find(|(other, _)| *other == what) {
            Some((_, sum)) => *sum += count,
            None => self.left_out.push((what, count)),
        }
    }
}

/// A step in at most so many bytes: what was called and what it gave each get their part.
fn cut_step([step, came_to]: &[Told; 2], max_bytes: usize) -> String {
    let for_step = (max_bytes / 2).max(max_bytes.saturating_sub(came_to.bytes));
    let step = step.cut(for_step);
    let came_to = came_to.cut(max_bytes - step.len());
    step + &came_to
}

/// Bytes that the line of what was left out may take.
const CLOSING_BYTES: usize = 160;

/// Bytes below which a line says nothing.
const LINE_BYTES: usize = 40;

/// Bytes of a step where there is room for all.
const MOST_STEP_BYTES: usize = 2000;

/// Bytes of a step where there is little room.
const LEAST_STEP_BYTES: usize = 160;

/// What part of the room the skeleton keeps.
const SKELETON_SHARE: usize = 6;
