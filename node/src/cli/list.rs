//! Lists: all pages of one, read at one height, so that they make one list.

use anyhow::Context;
use cairn_rpc::ClientError;
use cairn_rpc::limits::PAGE_MAX;
use cairn_rpc::views::{Page, Text, TextForm};
use cairn_types::Height;
use clap::Args;

use super::names::height;
use super::output::Usage;

/// How much of a list, and as of when.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(super) struct ListArgs {
    /// Show at most so many [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// As it stood at this height [default: the latest]
    #[arg(long, value_name = "HEIGHT", value_parser = height)]
    at: Option<Height>,
}

impl ListArgs {
    /// The height of a list that is wanted whole.
    pub(super) fn whole(&self) -> Result<Option<Height>, Usage> {
        match self.limit {
            None => Ok(self.at),
            Some(_) => Err(Usage("a list is proven whole: leave --limit out".to_owned())),
        }
    }

    /// At most `limit`, as it stands.
    pub(super) const fn up_to(limit: Option<u32>) -> Self {
        Self { limit, at: None }
    }
}

/// Fetches pages until the list ends or is long enough. `fetch` takes where to begin, how many, and at which height.
pub(super) async fn collect<T, C: TextForm>(
    args: ListArgs,
    fetch: impl AsyncFn(Option<Text<C>>, Option<u32>, Option<Text<Height>>) -> Result<Page<T>, ClientError>,
) -> anyhow::Result<Page<T>> {
    let wanted = args.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let page_size = |have: usize| u32::try_from(wanted.saturating_sub(have)).unwrap_or(u32::MAX).min(PAGE_MAX);
    let mut all = fetch(None, Some(page_size(0)), args.at.map(Text)).await?;
    while let Some(next) = all.next.take_if(|_| all.items.len() < wanted) {
        let after = next.parse::<Text<C>>().context("the node's cursor")?;
        let page = fetch(Some(after), Some(page_size(all.items.len())), Some(all.height)).await?;
        all.items.extend(page.items);
        all.next = page.next;
    }
    Ok(all)
}

/// A line that says how long a list is, below it.
pub(super) fn footer<T>(page: &Page<T>, noun: &str) -> String {
    let more = if page.next.is_some() { ", and there are more" } else { "" };
    format!("{} at height {}{more}", super::output::counted(page.items.len() as u64, noun), page.height)
}
