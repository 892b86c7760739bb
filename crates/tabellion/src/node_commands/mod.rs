//! The node's side of the command line: a network on one machine, the files of a network, one node.

mod body_archive;
mod control;
mod ct_file;
mod dev;
mod edge_file;
mod files;
mod gateway;
mod network;
mod plan;
mod run;
mod running;
mod status_file;
mod tls;

pub use body_archive::body_archive;
pub use control::{Answer, Control, DiskNumbers, PruneNumbers, Request, ask};
pub use dev::{DevArgs, dev};
pub use edge_file::{EDGE_FILE, EdgeFile, EdgeSetup, NewEdge, any_seed, setup_edge, write_edge};
pub use files::{
    CLIENT_FILE, ClientFile, DATA_FOLDER, GENESIS_FILE, NEXT_KEY_FILE, NODE_FILE, NodeFile, PEERS_CA_FILE,
    PeersFile, TLS_CA_FILE, key_or_new, read, read_plain_key, read_toml, write_public, write_secret,
};
pub use network::{JoinedNode, NODE_KEY_FILE, NetworkCommand, network, write_joined};
pub use run::{NodeArgs, node};
pub use running::FaceKeys;
pub use tls::{keep_ca_link, pem_of};
