//! What gives a manufacturer's word, and what ends trust in it.

use std::path::Path;

use anyhow::{Context, bail};
use cairn_types::call::{DistrustLot, EndorseLot};
use cairn_types::lot::LotBasis;
use cairn_types::{Call, LotId, PublicKey};

use super::super::connect::Connection;
use super::super::output::Report;
use super::super::sign::{Envelope, Party};
use super::super::submit;
use super::file::LotFile;
use super::{Distrust, Endorse};
use crate::cli::certificates;

/// The key in the certificate of an issuer.
fn issuer(path: &Path) -> anyhow::Result<PublicKey> {
    let chain = certificates::read(path)?;
    let [certificate] = chain.as_slice() else {
        bail!("{} holds {} certificates, and the issuer's alone is wanted", path.display(), chain.len());
    };
    certificates::key_of(certificate).with_context(|| path.display().to_string())
}

pub(super) async fn endorse(connection: &Connection, args: &Endorse) -> anyhow::Result<Report> {
    let mut file = args.file.as_deref().map(LotFile::read).transpose()?;
    let basis = match (&file, &args.issuer_key, &args.issuer_certificate) {
        (Some(file), _, _) => file.basis(),
        (None, Some(name), _) => LotBasis::Issuer { key: name.public()? },
        (None, None, Some(path)) => LotBasis::Issuer { key: issuer(path)? },
        (None, None, None) => bail!("a lot file, --issuer-key or --issuer-certificate is needed"),
    };
    let label = args.label.clone().or_else(|| file.as_ref().map(|file| file.label.clone())).unwrap_or_default();
    let manufacturer = connection.organization_id(&args.manufacturer).await?;
    let signer = Party::of(connection, cairn_types::Principal::Organization(manufacturer), &args.keys).await?;
    let devices = match &basis {
        LotBasis::Merkle { count, .. } => count.to_string(),
        LotBasis::Issuer { key } => format!("those with certificates by {key}"),
    };
    let call = Call::EndorseLot(EndorseLot { basis, label: label.clone() });
    let transaction = Envelope::fetch(connection, &args.submit).await?.seal(call, &signer, &[]);
    let lot = LotId::of(&transaction.id());
    let sent = submit::send(connection, &args.submit, &transaction).await?;
    // A draft may never be sent; then another transaction makes the lot.
    if let (Some(path), Some(file), true) = (&args.file, &mut file, sent.is_offered()) {
        file.lot = Some(lot);
        let unwritten = || format!("the lot {lot} is endorsed, but its id was not written into the lot file");
        file.write(path).with_context(unwritten)?;
    }
    sent.report("endorsed a lot", &[("lot", lot.to_string()), ("label", label), ("devices", devices)])
}

pub(super) async fn distrust(connection: &Connection, args: &Distrust) -> anyhow::Result<Report> {
    let manufacturer = connection.organization_id(&args.manufacturer).await?;
    let signer = Party::of(connection, cairn_types::Principal::Organization(manufacturer), &args.keys).await?;
    let call = Call::DistrustLot(DistrustLot { lot: args.lot, suspect_since: args.suspect_since });
    let sent = submit::call(connection, &args.submit, call, &signer).await?;
    sent.report("the lot is trusted no more", &[("lot", args.lot.to_string())])
}
