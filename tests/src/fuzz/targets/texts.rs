//! Everything that somebody types or that stands in JSON or TOML as text: what parses prints as it was written, so that
//! no value has two spellings.

use std::fmt::Display;
use std::str::FromStr;

use cairn_genesis::Genesis;
use cairn_proofs::lookup::Question;
use cairn_rpc::views::{AttestationSelector, HistoryCursor, OrganizationSelector, Text, TextForm};
use cairn_types::{
    AttestationRef, ContentHash, DeviceId, Hash, Height, Name, Position, PublicKey, TransactionId, ZonePath,
};

use super::{Seen, Target, hold};
use crate::fuzz::scene::Scene;

/// Reads a text and prints it again.
fn one_spelling<T: FromStr + Display>(text: &str) -> Result<Seen, String> {
    let Ok(value) = text.parse::<T>() else { return Ok(Seen::Refused) };
    let printed = value.to_string();
    hold(printed == text, "two spellings", || format!("{text:?} and {printed:?}"))?;
    Ok(Seen::Accepted)
}

type Reader = fn(&str) -> Result<Seen, String>;

fn shown<T: TextForm>() -> Reader {
    one_spelling::<Text<T>>
}

/// Each form, and a text that has it.
fn forms(scene: &Scene) -> Vec<(Reader, Vec<String>)> {
    let hash = Hash::plain(b"text").to_string();
    let stream = format!("{hash}/18446744073709551615");
    let keys = ["ed25519", "p256"].map(|kind| format!("{kind}:{}", "0a".repeat(if kind == "p256" { 33 } else { 32 })));
    vec![
        (one_spelling::<Hash>, vec![hash.clone()]),
        (one_spelling::<DeviceId>, vec![hash.clone()]),
        (one_spelling::<Name>, vec!["water-works".to_owned(), "0".to_owned(), "a".repeat(63)]),
        (one_spelling::<ZonePath>, vec![String::new(), "north/pump".to_owned(), "a/b/c/d/e/f/g/h".to_owned()]),
        (one_spelling::<PublicKey>, keys.to_vec()),
        (one_spelling::<Question>, scene.questions.iter().map(ToString::to_string).collect()),
        (shown::<Question>(), scene.questions.iter().map(ToString::to_string).collect()),
        (shown::<TransactionId>(), vec![hash.clone()]),
        (shown::<ContentHash>(), vec![hash.clone()]),
        (shown::<Height>(), vec!["0".to_owned(), u64::MAX.to_string()]),
        (shown::<u64>(), vec!["10".to_owned()]),
        (shown::<i64>(), vec![i64::MIN.to_string(), "-1".to_owned()]),
        (shown::<PublicKey>(), keys.to_vec()),
        (shown::<Name>(), vec!["a-b".to_owned()]),
        (shown::<ZonePath>(), vec!["a/b".to_owned()]),
        (shown::<Vec<u8>>(), vec!["00ff".to_owned(), String::new()]),
        (shown::<Position>(), vec!["7/4294967295".to_owned()]),
        (shown::<HistoryCursor>(), vec!["255/0".to_owned()]),
        (shown::<AttestationRef>(), vec![stream.clone()]),
        (shown::<AttestationSelector>(), vec![hash.clone(), stream]),
        (shown::<OrganizationSelector>(), vec![hash, "water-works".to_owned()]),
    ]
}

fn texts(scene: &Scene) -> Target {
    let forms = forms(scene);
    let inputs = forms
        .iter()
        .enumerate()
        .flat_map(|(place, (_, texts))| texts.iter().map(move |text| [&[place as u8], text.as_bytes()].concat()));
    let corpus = inputs.collect();
    Target::new("text", 120, corpus, move |input| {
        let Some((form, text)) = input.split_first() else { return Ok(Seen::Refused) };
        let Ok(text) = std::str::from_utf8(text) else { return Ok(Seen::Refused) };
        let (read, _) = &forms[usize::from(*form) % forms.len()];
        read(text)
    })
    .knowing(&[b"0x", b"+", b"-", b"00", b"A", b"/", b"//", b":", b"ed25519:", b"p256:", b"grants:zone:", b"\xd9\xa3"])
    .within(200, 16 * 1024)
}

/// The genesis file: what reads writes back as the same, and founds the same network.
fn genesis(scene: &Scene) -> Target {
    let text = scene.genesis.to_toml().expect("a genesis of our time is written");
    Target::new("genesis", 6, vec![text.into_bytes()], |input| {
        let Ok(text) = std::str::from_utf8(input) else { return Ok(Seen::Refused) };
        let Ok(genesis) = Genesis::from_toml(text) else { return Ok(Seen::Refused) };
        let Ok(block) = genesis.build() else { return Ok(Seen::Refused) };
        let written = genesis.to_toml().map_err(|error| format!("cannot be written: {error}"))?;
        let again = Genesis::from_toml(&written).map_err(|error| format!("does not read back: {error}"))?;
        hold(again == genesis, "reads back as another", || written.clone())?;
        let same = again.build().is_ok_and(|again| again.chain == block.chain);
        hold(same, "another network", || written.clone())?;
        Ok(Seen::Accepted)
    })
    .knowing(&[
        b"[[organization]]\n",
        b"[[validator]]\n",
        b"[parameters]\n",
        b"power = 18446744073709551615\n",
        b"threshold = 0\n",
        b"time = \"9999-12-31T23:59:59Z\"\n",
        b"time = \"-000001-01-01T00:00:00Z\"\n",
        b"1979-05-27",
        b"inf",
        b"\"\"\"",
        b"a.b.c.d.e = 1\n",
        b"#",
    ])
    .within(2_000, 4 * 1024 * 1024)
}

pub(super) fn targets() -> Vec<Target> {
    let scene = Scene::get();
    vec![texts(scene), genesis(scene)]
}
