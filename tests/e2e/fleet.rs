//! A small fleet on a network, for the other stories.

use cairn_tests::actor::{self, Writing};
use cairn_tests::{Actor, Network};
use cairn_types::{GrantId, OrganizationId};

/// Where the devices of a fleet stand.
pub(crate) const ZONE: &str = "plant/line-1";

/// One device of the first organization, in [`ZONE`], with a grant of `attest` and a stream that is open.
pub(crate) struct Fleet {
    pub(crate) owner: Actor,
    pub(crate) device: Actor,
    pub(crate) grant: GrantId,
    pub(crate) writing: Writing,
}

impl Fleet {
    pub(crate) fn owner_id(&self) -> OrganizationId {
        self.owner.organization()
    }

    /// Registers device `seed`, grants its zone `attest`, opens its stream.
    pub(crate) async fn on(network: &Network, seed: u64) -> Self {
        let node = &network.nodes[0];
        let owner = network.organizations[0].clone();
        let (device, zone) = (actor::device(seed), actor::zone(owner.organization(), ZONE));
        let tip = node.tip().await;
        let call = actor::register(seed, owner.organization(), zone.clone());
        let registered = actor::sign(network.chain, &owner, tip, call, &[&device]);
        node.finalize(&registered).await;
        let granted = actor::sign(network.chain, &owner, tip, actor::grant_attest(zone), &[]);
        node.finalize(&granted).await;
        let grant = GrantId::of(&granted.id());
        let (opened, writing) = Writing::open(network.chain, &device, tip, "readings", grant);
        node.finalize(&opened).await;
        Self { owner, device, grant, writing }
    }
}
