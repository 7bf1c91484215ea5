//! What surrounds every answer: the height it was read at, positions, intervals and pages.

use cairn_types::{BlockHash, BlockRef, Height, Interval, Position};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Hex, Text, TextForm};

/// An answer, and the final height at which it was read: what it says was so after that block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "At{T}")]
pub struct At<T> {
    /// The final height at which this was read.
    pub height: Text<Height>,
    /// The answer.
    #[serde(flatten)]
    pub value: T,
}

impl<T> At<T> {
    /// `value`, read at `height`.
    pub const fn new(height: Height, value: T) -> Self {
        Self { height: Text(height), value }
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Page{T}")]
pub struct Page<T> {
    /// The final height at which this was read. Ask for the next page at the same height, and the pages make one list.
    pub height: Text<Height>,
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins: pass it as `after`. Absent at the end of the list. A page may have fewer items than
    /// asked for, even none, and still be followed by another.
    pub next: Option<String>,
    /// Present if the list was searched for in blocks and this node does not keep all: only blocks from this height on were
    /// searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_from: Option<Text<Height>>,
}

/// An answer that can be proven: with `prove`, the file that proves it comes along. The file is judged offline, against
/// the genesis hash; who does not trust this node believes what the file shows, and nothing beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Provable{T}")]
pub struct Provable<T> {
    /// The answer.
    #[serde(flatten)]
    pub answer: T,
    /// A lookup file at the height of the answer, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Hex>,
}

impl<T> Provable<Page<T>> {
    /// The same list with each item seen otherwise.
    pub(crate) fn map<U>(self, view: impl Fn(T) -> U) -> Provable<Page<U>> {
        let Page { height, items, next, kept_from } = self.answer;
        let items = items.into_iter().map(view).collect();
        Provable { answer: Page { height, items, next, kept_from }, proof: self.proof }
    }
}

/// The place of a transaction in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PositionView {
    /// The block.
    pub height: Text<Height>,
    /// The transaction within it, from 0.
    pub index: u32,
}

impl From<Position> for PositionView {
    fn from(position: Position) -> Self {
        Self { height: Text(position.height), index: position.index }
    }
}

impl From<PositionView> for Position {
    fn from(view: PositionView) -> Self {
        Self { height: view.height.0, index: view.index }
    }
}

/// A position as a cursor: `height/index`.
impl TextForm for Position {
    const NAME: &'static str = "PositionCursor";
    const PATTERN: &'static str = "^(0|[1-9][0-9]{0,19})/(0|[1-9][0-9]{0,9})$";
    const MEANING: &'static str = "a position: height, slash, index";

    fn to_text(&self) -> String {
        self.to_string()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected {}", Self::MEANING);
        let (height, index) = text.split_once('/').ok_or_else(wrong)?;
        let index = u32::try_from(u64::from_text(index)?).map_err(|_| wrong())?;
        Ok(Self { height: Height::from_text(height)?, index })
    }
}

/// A place in a device's history: which kind of fact, and which of that kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryCursor {
    /// The facet byte of the state key.
    pub facet: u8,
    /// The ordinal of the state key.
    pub ordinal: u32,
}

impl TextForm for HistoryCursor {
    const NAME: &'static str = "HistoryCursor";
    const PATTERN: &'static str = "^[0-9]{1,3}/(0|[1-9][0-9]{0,9})$";
    const MEANING: &'static str = "a place in a device's history: kind, slash, ordinal";

    fn to_text(&self) -> String {
        format!("{}/{}", self.facet, self.ordinal)
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected {}", Self::MEANING);
        let (facet, ordinal) = text.split_once('/').ok_or_else(wrong)?;
        let facet = u8::try_from(u64::from_text(facet)?).map_err(|_| wrong())?;
        let ordinal = u32::try_from(u64::from_text(ordinal)?).map_err(|_| wrong())?;
        Ok(Self { facet, ordinal })
    }
}

/// A final block by height and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlockRefView {
    /// The block's height.
    pub height: Text<Height>,
    /// The block's hash.
    pub hash: Text<BlockHash>,
}

impl From<BlockRef> for BlockRefView {
    fn from(block: BlockRef) -> Self {
        Self { height: Text(block.height), hash: Text(block.hash) }
    }
}

/// A fact that holds from one position to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Interval{T}")]
pub struct IntervalView<T> {
    /// The fact.
    #[serde(flatten)]
    pub value: T,
    /// The first position at which it holds.
    pub from: PositionView,
    /// The first position at which it no longer holds; absent while it is open.
    pub to: Option<PositionView>,
    /// From when on it is in doubt.
    pub suspect_since: Option<PositionView>,
}

impl<T> IntervalView<T> {
    /// The interval's bounds around `value`.
    pub fn around<S>(interval: &Interval<S>, value: T) -> Self {
        Self {
            value,
            from: interval.from.into(),
            to: interval.to.map(Into::into),
            suspect_since: interval.suspect_since.map(Into::into),
        }
    }
}
