//! The gossip of an attacker: transmissions written by hand, in the form of gossipsub's protocol buffers.

/// The protocol that is asked for.
pub(crate) const PROTOCOL: &str = "/meshsub/1.1.0";

fn varint(mut value: usize, bytes: &mut Vec<u8>) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// A field of bytes.
fn field(number: u8, content: &[u8], bytes: &mut Vec<u8>) {
    bytes.push(number << 3 | 2);
    varint(content.len(), bytes);
    bytes.extend_from_slice(content);
}

fn framed(rpc: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rpc.len() + 4);
    varint(rpc.len(), &mut bytes);
    bytes.extend_from_slice(rpc);
    bytes
}

/// "I listen to this topic."
pub(crate) fn subscribe(topic: &str) -> Vec<u8> {
    let mut subscription = vec![1 << 3, 1];
    field(2, topic.as_bytes(), &mut subscription);
    let mut rpc = Vec::new();
    field(1, &subscription, &mut rpc);
    framed(&rpc)
}

/// One message.
pub(crate) fn publish(topic: &str, data: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(data.len() + topic.len() + 16);
    field(2, data, &mut message);
    field(4, topic.as_bytes(), &mut message);
    let mut rpc = Vec::with_capacity(message.len() + 8);
    field(2, &message, &mut rpc);
    framed(&rpc)
}

/// "I have these", "give me these", "graft" and "prune", of ids that nobody knows.
pub(crate) fn control(topic: &str, seed: u64) -> Vec<u8> {
    let ids = (0..512u64).map(|number| blake3::hash(&(seed * 512 + number).to_le_bytes()));
    let (mut have, mut want) = (Vec::new(), Vec::new());
    field(1, topic.as_bytes(), &mut have);
    for id in ids {
        field(2, id.as_bytes(), &mut have);
        field(1, id.as_bytes(), &mut want);
    }
    let mut graft = Vec::new();
    field(1, topic.as_bytes(), &mut graft);
    let mut control = Vec::new();
    field(1, &have, &mut control);
    field(2, &want, &mut control);
    field(3, &graft, &mut control);
    field(4, &graft, &mut control);
    let mut rpc = Vec::new();
    field(3, &control, &mut rpc);
    framed(&rpc)
}
