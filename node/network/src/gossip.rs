//! The gossip of transaction batches: how it is set up, and what it costs when it is abused.
//!
//! One topic a chain, nobody can subscribe to another. Messages carry no author and no signature (`ValidationMode::Anonymous`):
//! who signed a transaction stands in the transaction, and who forwarded a batch is known from the connection. A batch is
//! known by the hash of its content and forwarded only after the consumer accepted it.

use std::{collections::HashSet, time::Duration};

use libp2p::gossipsub::{
    self, ConfigBuilder, IdentTopic, IdentityTransform, MessageAuthenticity, MessageId, ValidationMode,
    WhitelistSubscriptionFilter,
};

use crate::{config::GOSSIP_BYTES_MAX, error::NetworkError};

/// How often gossip looks after its mesh: often enough to mend it, seldom enough to cost nothing.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long a batch's hash is remembered so that it is not taken twice.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Most messages that wait for one slow peer: at 64 KiB each, 8 MiB.
const QUEUE_MESSAGES_MAX: usize = 128;
/// Most messages taken from one transmission: a transmission is at most two batches long.
const MESSAGES_PER_RPC_MAX: usize = 64;
/// Most message ids in one announcement.
const CONTROL_MESSAGES_MAX: usize = 512;

pub(crate) type Behaviour = gossipsub::Behaviour<IdentityTransform, WhitelistSubscriptionFilter>;

/// Gossip on this topic and no other.
pub(crate) fn behaviour(topic: &IdentTopic) -> Result<Behaviour, NetworkError> {
    let failed = |reason: String| NetworkError::Setup { part: "gossip", reason };
    let config = ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| MessageId::from(blake3::hash(&message.data).as_bytes().to_vec()))
        .max_transmit_size(GOSSIP_BYTES_MAX)
        .heartbeat_interval(HEARTBEAT)
        .heartbeat_initial_delay(HEARTBEAT)
        .duplicate_cache_time(REMEMBERED)
        .connection_handler_queue_len(QUEUE_MESSAGES_MAX)
        .max_publish_messages(MESSAGES_PER_RPC_MAX)
        .max_control_messages_sent(CONTROL_MESSAGES_MAX)
        // To every peer that listens, not only to the mesh: a restarted peer need not be in the mesh again to hear us.
        .flood_publish(true)
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let filter = WhitelistSubscriptionFilter(HashSet::from([topic.hash()]));
    let mut behaviour = Behaviour::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, filter)
        .map_err(|reason| failed(reason.to_owned()))?;
    behaviour.subscribe(topic).map_err(|error| failed(error.to_string()))?;
    Ok(behaviour)
}
