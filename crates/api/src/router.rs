//! All paths in one router.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;

use crate::backend::Backend;
use crate::config::FaceConfig;
use crate::face::{Face, guard};
use crate::{certificates, chain, composed, consortium, events, node, snapshots, transactions};

/// The REST face of a node, ready for [`crate::serve`].
///
/// The rate limit takes the client's address from the request's `ConnectInfo<SocketAddr>`, which
/// [`crate::serve`] sets; without it all clients share one allowance.
pub fn router(backend: Arc<dyn Backend>, config: FaceConfig) -> Router {
    let face = Arc::new(Face::new(backend, config));
    Router::new()
        .merge(transactions::routes())
        .merge(certificates::routes())
        .merge(chain::routes())
        .merge(composed::routes())
        .merge(snapshots::routes())
        .merge(consortium::routes())
        .merge(events::routes())
        .merge(node::routes())
        .fallback(node::no_such_path)
        .method_not_allowed_fallback(node::method_not_allowed)
        .layer(from_fn_with_state(face.clone(), guard))
        .with_state(face)
}
