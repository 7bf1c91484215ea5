//! What gives authority and what ends it.

use cairn_rpc::views::Text;
use cairn_types::call::{Grant, RevokeGrant};
use cairn_types::{Action, Call, GrantId, Window};

use super::super::connect::Connection;
use super::super::output::Report;
use super::super::sign::Party;
use super::super::submit;
use super::{Give, Revoke};

/// The window asked for; what is left open is the parent's, because a child's window lies within its parent's.
async fn window(connection: &Connection, args: &Give) -> anyhow::Result<Window> {
    let parent = match args.parent {
        Some(parent) => {
            let view = connection.client.grant_get(Text(parent), None).await?.value.window;
            Window { from: view.from.0, to: view.to.map(|to| to.0) }
        }
        None => Window::ALWAYS,
    };
    Ok(Window { from: args.from.unwrap_or(parent.from), to: args.until.or(parent.to) })
}

pub(super) async fn give(connection: &Connection, args: &Give) -> anyhow::Result<Report> {
    let signer = connection.principal(&args.grantor).await?;
    let signer = Party::of(connection, signer, &args.keys).await?;
    // The rules want a depth exactly if the grant may be passed on.
    let depth = args.depth.unwrap_or(u8::from(args.actions.contains(Action::Delegate)));
    let call = Call::Grant(Grant {
        grantee: connection.grantee(&args.to).await?,
        actions: args.actions,
        scope: connection.scope(&args.over).await?,
        window: window(connection, args).await?,
        depth,
        parent: args.parent,
    });
    let sent = submit::call(connection, &args.submit, call, &signer).await?;
    sent.report("gave a grant", &[("grant", GrantId::of(&sent.id).to_string())])
}

pub(super) async fn revoke(connection: &Connection, args: &Revoke) -> anyhow::Result<Report> {
    let signer = connection.principal(&args.signer).await?;
    let signer = Party::of(connection, signer, &args.keys).await?;
    let call = Call::RevokeGrant(RevokeGrant { grant: args.grant, suspect_since: args.suspect_since });
    let sent = submit::call(connection, &args.submit, call, &signer).await?;
    sent.report("revoked the grant", &[("grant", args.grant.to_string())])
}
